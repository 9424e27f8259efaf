//! JSON with places, duplicate keys found and numbers kept exactly.

use std::iter::Peekable;
use std::str::Chars;

use super::{Entry, Keys, MAX_DEPTH, MAX_NODES, Node, Position, Value, push_entry};
use crate::findings::Findings;
use crate::number::Number;

pub(super) fn read(text: &str, findings: &mut Findings) -> Option<Node> {
    let mut reader = Reader { chars: text.chars().peekable(), at: Position::START, nodes: 0, findings };
    match reader.document() {
        Ok(node) => Some(node),
        Err(Stop { at, message, hint }) => {
            findings.error(at, "", message, hint);
            None
        }
    }
}

struct Stop {
    at: Position,
    message: String,
    hint: &'static str,
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    at: Position,
    nodes: usize,
    findings: &'a mut Findings,
}

const SYNTAX: &str = "mend the JSON here; any JSON formatter shows the place";

impl Reader<'_> {
    fn document(&mut self) -> Result<Node, Stop> {
        let node = self.value(0)?;
        self.space();
        if self.chars.peek().is_some() {
            return Err(self.stop("more text after the end of the JSON document"));
        }
        Ok(node)
    }

    fn stop(&self, message: impl Into<String>) -> Stop {
        Stop { at: self.at, message: message.into(), hint: SYNTAX }
    }

    fn expected(&mut self, what: &str) -> Stop {
        let found = match self.chars.peek() {
            Some(c) => format!("found {c:?}"),
            None => "found the end of the text".into(),
        };
        self.stop(format!("not valid JSON: expected {what}, {found}"))
    }

    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        if c == '\n' {
            self.at = Position { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(c)
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.chars.peek() == Some(&wanted);
        if found {
            self.next();
        }
        found
    }

    fn space(&mut self) {
        while self.chars.peek().is_some_and(|c| " \t\r\n".contains(*c)) {
            self.next();
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Stop> {
        self.space();
        let at = self.at;
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Stop {
                at,
                message: format!("more than {MAX_NODES} values"),
                hint: "shorten the document",
            });
        }
        if depth > MAX_DEPTH {
            return Err(Stop {
                at,
                message: format!("nested more than {MAX_DEPTH} levels deep"),
                hint: "DynamoDB itself nests at most 32 levels deep",
            });
        }
        let value = match self.chars.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.array(depth)?,
            Some('"') => Value::Text(self.text()?),
            Some('-' | '0'..='9') => self.number()?,
            Some('t') => self.word("true", Value::Bool(true))?,
            Some('f') => self.word("false", Value::Bool(false))?,
            Some('n') => self.word("null", Value::Null)?,
            _ => return Err(self.expected("a value")),
        };
        Ok(Node { at, value })
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Stop> {
        for wanted in word.chars() {
            if !self.take(wanted) {
                return Err(self.expected(word));
            }
        }
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Value, Stop> {
        self.next();
        let (mut entries, mut known) = (Vec::new(), Keys::new());
        self.space();
        if self.take('}') {
            return Ok(Value::Map(entries));
        }
        loop {
            self.space();
            let at = self.at;
            if self.chars.peek() != Some(&'"') {
                return Err(self.expected("a key in double quotes"));
            }
            let key = self.text()?;
            self.space();
            if !self.take(':') {
                return Err(self.expected("':'"));
            }
            let value = self.value(depth + 1)?;
            push_entry(&mut entries, Entry { key, at, value }, &mut known, self.findings);
            self.space();
            if self.take('}') {
                return Ok(Value::Map(entries));
            }
            if !self.take(',') {
                return Err(self.expected("',' or '}'"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Stop> {
        self.next();
        let mut nodes = Vec::new();
        self.space();
        if self.take(']') {
            return Ok(Value::List(nodes));
        }
        loop {
            nodes.push(self.value(depth + 1)?);
            self.space();
            if self.take(']') {
                return Ok(Value::List(nodes));
            }
            if !self.take(',') {
                return Err(self.expected("',' or ']'"));
            }
        }
    }

    fn number(&mut self) -> Result<Value, Stop> {
        let start = self.at;
        let mut text = String::new();
        while let Some(&c) =
            self.chars.peek().filter(|c| matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
        {
            text.push(c);
            self.next();
        }
        let stop = |message: String| Stop { at: start, message, hint: SYNTAX };
        // JSON is stricter than decimal text in general: no leading zeros, digits on both sides of a point.
        let whole = text.strip_prefix('-').unwrap_or(&text);
        let padded = whole.len() > 1 && whole.starts_with('0') && !whole[1..].starts_with(['.', 'e', 'E']);
        let bare = text.split(['e', 'E']).next().is_some_and(|mantissa| mantissa.ends_with('.'));
        if padded || bare || whole.starts_with('.') {
            return Err(stop(format!("not valid JSON: {text} is not how JSON writes a number")));
        }
        Number::parse(&text).map(Value::Number).map_err(|error| stop(format!("the number {text}: {error}")))
    }

    fn text(&mut self) -> Result<String, Stop> {
        self.next();
        let mut text = String::new();
        loop {
            match self.chars.peek().copied() {
                Some('"') => {
                    self.next();
                    return Ok(text);
                }
                Some('\\') => {
                    let at = self.at;
                    self.next();
                    text.push(self.escape(at)?);
                }
                Some(c) if c >= ' ' => {
                    self.next();
                    text.push(c);
                }
                Some(c) => {
                    return Err(self.stop(format!("not valid JSON: {c:?} must be escaped in a string")));
                }
                None => return Err(self.expected("the closing quote of a string")),
            }
        }
    }

    fn escape(&mut self, at: Position) -> Result<char, Stop> {
        let c = match self.next() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let unit = self.hex()?;
                let code = match unit {
                    0xd800..=0xdbff if self.take('\\') && self.take('u') => match self.hex()? {
                        low @ 0xdc00..=0xdfff => 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00),
                        _ => unit,
                    },
                    _ => unit,
                };
                // Half of a surrogate pair is no character.
                char::from_u32(code).ok_or_else(|| Stop {
                    at,
                    message: format!("not valid JSON: \\u{unit:04x} is half of a surrogate pair"),
                    hint: "write both halves, or the character itself",
                })?
            }
            _ => return Err(Stop { at, message: "not valid JSON: an unknown escape".into(), hint: SYNTAX }),
        };
        Ok(c)
    }

    fn hex(&mut self) -> Result<u32, Stop> {
        let mut unit = 0;
        for _ in 0..4 {
            match self.chars.peek().and_then(|c| c.to_digit(16)) {
                Some(digit) => unit = unit * 16 + digit,
                None => return Err(self.expected("four hexadecimal digits")),
            }
            self.next();
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::canonical_json;
    use super::*;

    fn json(text: &str) -> String {
        let mut findings = Findings::default();
        match read(text, &mut findings) {
            Some(node) => canonical_json(&node),
            None => findings
                .into_sorted()
                .iter()
                .map(|d| format!("{}:{} {}", d.line, d.column, d.message))
                .collect(),
        }
    }

    #[test]
    fn escapes_are_the_characters_they_stand_for() {
        assert_eq!(
            json(r#""\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\""#),
            "\"é😀/\\u0008\\u000c\\n\\r\\t\\\"\\\\\""
        );
        for text in [r#""\ud83d""#, r#""\ud83dx""#, r#""\ud83d\u0041""#, r#""\ude00""#] {
            assert!(json(text).contains("surrogate"), "{text}: {}", json(text));
        }
        assert_eq!(json("\"a\nb\""), "1:3 not valid JSON: '\\n' must be escaped in a string");
        assert_eq!(json(r#""\x""#), "1:2 not valid JSON: an unknown escape");
        assert_eq!(json(r#""\u12""#), "1:6 not valid JSON: expected four hexadecimal digits, found '\"'");
    }

    #[test]
    fn numbers_are_kept_exactly_and_written_one_way() {
        for (text, expected) in [
            ("-0", "0"),
            ("1.50e1", "15"),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
            ("0.1", "0.1"),
            ("1E-130", "1e-130"),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
        for text in ["01", "1.", "-", "+1", ".5", "1e", "1e400", "123456789012345678901234567890123456789"] {
            assert!(json(text).starts_with("1:1 "), "{text}: {}", json(text));
        }
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_ends() {
        for (text, expected) in [
            ("", "1:1 not valid JSON: expected a value, found the end of the text"),
            ("{\"a\": 1,\n  }", "2:3 not valid JSON: expected a key in double quotes, found '}'"),
            ("[1 2]", "1:4 not valid JSON: expected ',' or ']', found '2'"),
            ("{} x", "1:4 more text after the end of the JSON document"),
            ("[tru]", "1:5 not valid JSON: expected true, found ']'"),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
        assert!(json(&"[".repeat(200)).contains("128 levels"));
        assert!(json(&format!("[{}0]", "0,".repeat(200_001))).contains("more than 200000 values"));
    }
}
