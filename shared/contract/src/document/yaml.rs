//! YAML 1.2 with places, duplicate keys found, aliases bounded and numbers kept exactly.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::{Entry, Keys, MAX_DEPTH, MAX_NODES, Node, Position, Value, push_entry, quote};
use crate::findings::Findings;
use crate::number::Number;

pub(super) fn read(text: &str, findings: &mut Findings) -> Option<Node> {
    let mut reader =
        Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0, findings };
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
    hint: String,
}

fn stop(at: Position, message: impl Into<String>, hint: impl Into<String>) -> Stop {
    Stop { at, message: message.into(), hint: hint.into() }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    findings: &'a mut Findings,
}

fn place(marker: &saphyr_parser::Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

const SYNTAX: &str =
    "mend the YAML here; look at the indentation, quotes and colons of this line and the one before";

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                Err(stop(place(error.marker()), format!("not valid YAML: {}", error.info()), SYNTAX))
            }
            None => Err(stop(Position::START, "not valid YAML: it ends too early", SYNTAX)),
        }
    }

    fn document(&mut self) -> Result<Node, Stop> {
        let mut root = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => break,
                (Event::DocumentStart(_), span) if root.is_some() => {
                    return Err(stop(place(&span.start), "a second document", "keep one document per file"));
                }
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _) => {}
                (event, span) => root = Some(self.node(event, span, 0)?),
            }
        }
        root.ok_or_else(|| stop(Position::START, "the document is empty", "fill it in"))
    }

    fn count(&mut self, nodes: usize, at: Position) -> Result<(), Stop> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(stop(
                at,
                format!("more than {MAX_NODES} values, aliases counted wherever they stand"),
                "use fewer aliases",
            ));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Stop> {
        let at = place(&span.start);
        self.count(1, at)?;
        if depth > MAX_DEPTH {
            return Err(stop(
                at,
                format!("nested more than {MAX_DEPTH} levels deep"),
                "DynamoDB itself nests at most 32 levels deep",
            ));
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => (anchor, scalar(text, style, tag.as_deref(), at)?),
            Event::SequenceStart(anchor, tag) => {
                collection_tag(tag.as_deref(), "seq", at)?;
                (anchor, self.list(depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                collection_tag(tag.as_deref(), "map", at)?;
                (anchor, self.map(depth)?)
            }
            Event::Alias(anchor) => return self.alias(anchor, depth, at),
            _ => return Err(stop(at, "not valid YAML: a value is missing", SYNTAX)),
        };
        let node = Node { at, value };
        if anchor != 0 {
            self.count(size(&node), at)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, depth: usize, at: Position) -> Result<Node, Stop> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(stop(at, "an alias within its own anchor", "write the value out"));
        };
        self.count(size(&node), at)?;
        if depth + height(&node) > MAX_DEPTH {
            return Err(stop(at, format!("nested more than {MAX_DEPTH} levels deep"), "use fewer aliases"));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Stop> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(nodes)),
                (event, span) => nodes.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Stop> {
        let (mut entries, mut known) = (Vec::new(), Keys::new());
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Value::Map(entries));
            }
            let at = place(&span.start);
            let plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, _, None));
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            match key.value {
                Value::Text(key) if plain && key == "<<" => self.findings.error(
                    at,
                    "",
                    "merge keys are not part of YAML 1.2",
                    "write the members out, or use an alias for the whole value",
                ),
                Value::Text(key) => {
                    push_entry(&mut entries, Entry { key, at, value }, &mut known, self.findings)
                }
                _ => self.findings.error(
                    at,
                    "",
                    format!("a key must be text, not {}", key.describe()),
                    "put the key in quotes",
                ),
            }
        }
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::List(nodes) => 1 + nodes.iter().map(size).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|entry| 1 + size(&entry.value)).sum::<usize>(),
        _ => 1,
    }
}

fn height(node: &Node) -> usize {
    let below = match &node.value {
        Value::List(nodes) => nodes.iter().map(height).max(),
        Value::Map(entries) => entries.iter().map(|entry| height(&entry.value)).max(),
        _ => None,
    };
    below.map_or(0, |height| height + 1)
}

fn collection_tag(tag: Option<&Tag>, own: &str, at: Position) -> Result<(), Stop> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == own) => Err(unknown_tag(tag, at)),
        _ => Ok(()),
    }
}

fn unknown_tag(tag: &Tag, at: Position) -> Stop {
    stop(at, format!("the tag {tag} says nothing here"), "remove the tag")
}

/// The core schema of YAML 1.2: `yes`, `on` and `2026-11-21` are text.
fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>, at: Position) -> Result<Value, Stop> {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain {
            plain(text, at)
        } else {
            Ok(Value::Text(text.into_owned()))
        };
    };
    if !tag.is_yaml_core_schema() {
        return Err(unknown_tag(tag, at));
    }
    if tag.suffix == "str" {
        return Ok(Value::Text(text.into_owned()));
    }
    let shown = quote(&text);
    let value = plain(text, at)?;
    let fits = match (tag.suffix.as_str(), &value) {
        ("int", Value::Number(number)) => number.is_integer(),
        ("float", Value::Number(_)) | ("bool", Value::Bool(_)) | ("null", Value::Null) => true,
        ("int" | "float" | "bool" | "null", _) => false,
        _ => return Err(unknown_tag(tag, at)),
    };
    if fits { Ok(value) } else { Err(stop(at, format!("{shown} is not of the tag {tag}"), "remove the tag")) }
}

fn plain(text: Cow<'_, str>, at: Position) -> Result<Value, Stop> {
    Ok(match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan"
        | ".NaN" | ".NAN" => {
            return Err(stop(at, format!("{text} is no number that DynamoDB holds"), "leave the limit out"));
        }
        number if looks_like_number(number) => match parse_number(number) {
            Ok(number) => Value::Number(number),
            Err(error) => {
                return Err(stop(
                    at,
                    format!("the number {}: {error}", quote(number)),
                    "shorten it, or put text in quotes",
                ));
            }
        },
        _ => Value::Text(text.into_owned()),
    })
}

fn looks_like_number(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|b| (b'0'..=b'7').contains(&b));
    }
    Number::parse(text) != Err(crate::number::NumberError::Syntax)
}

fn parse_number(text: &str) -> Result<Number, crate::number::NumberError> {
    let radix = match text.get(..2) {
        Some("0x") => 16,
        Some("0o") => 8,
        _ => return Number::parse(text),
    };
    let value =
        u128::from_str_radix(&text[2..], radix).map_err(|_| crate::number::NumberError::TooPrecise)?;
    Number::parse(&value.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::canonical_json;
    use super::*;

    fn json(text: &str) -> String {
        let mut findings = Findings::default();
        match read(text, &mut findings) {
            Some(node) if findings.is_empty() => canonical_json(&node),
            _ => findings
                .into_sorted()
                .iter()
                .map(|d| format!("{}:{} {}", d.line, d.column, d.message))
                .collect(),
        }
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        for (text, expected) in [
            ("a: 1", r#"{"a":1}"#),
            ("a: +12.50", r#"{"a":12.5}"#),
            ("a: 0x1F", r#"{"a":31}"#),
            ("a: 0o17", r#"{"a":15}"#),
            ("a: .5", r#"{"a":0.5}"#),
            ("a: '1'", r#"{"a":"1"}"#),
            ("a: yes", r#"{"a":"yes"}"#),
            ("a: True", r#"{"a":true}"#),
            ("a: ~", r#"{"a":null}"#),
            ("a:", r#"{"a":null}"#),
            ("a: 2026-11-21", r#"{"a":"2026-11-21"}"#),
            ("a: 1_000", r#"{"a":"1_000"}"#),
            ("a: !!str 12", r#"{"a":"12"}"#),
            ("a: 12345678901234567890123456789012345678", r#"{"a":12345678901234567890123456789012345678}"#),
            (
                "a: \"\\ud83d\"",
                "1:4 not valid YAML: while parsing a quoted scalar, found invalid Unicode character escape code",
            ),
            ("a: .inf", "1:4 .inf is no number that DynamoDB holds"),
            ("a: !!int x", r#"1:4 "x" is not of the tag tag:yaml.org,2002:!int"#),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn aliases_are_values_and_bombs_are_refused() {
        assert_eq!(json("a: &x [1, 2]\nb: *x"), r#"{"a":[1,2],"b":[1,2]}"#);
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let below = format!("*a{}", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![below; 9].join(", ")));
        }
        assert!(json(&bomb).contains("more than 200000 values"), "{}", json(&bomb));
        let wide = format!("a: &a [{}]\nb: [{}]", ["x"; 1000].join(", "), ["*a"; 1000].join(", "));
        assert!(json(&wide).contains("more than 200000 values"), "{}", json(&wide));
        let mut deep = String::from("a0: &a0 [x]\n");
        for level in 1..200 {
            deep.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        assert!(json(&deep).contains("128 levels"), "{}", json(&deep));
        assert!(json("a: &x [*x]").contains("own anchor"));
        assert!(json(&format!("a: {}{}", "[".repeat(150), "]".repeat(150))).contains("128 levels"));
    }

    #[test]
    fn what_one_document_cannot_say_is_refused_with_its_place() {
        assert_eq!(json("a: 1\na: 2"), r#"2:1 the key "a" stands twice in one object"#);
        assert_eq!(json("a: 1\n---\nb: 2"), "2:1 a second document");
        assert_eq!(json("a: &x {b: 1}\nc:\n  <<: *x"), "3:3 merge keys are not part of YAML 1.2");
        assert_eq!(json("1: a"), "1:1 a key must be text, not the number 1");
        assert_eq!(json(""), "1:1 the document is empty");
        assert_eq!(json("a: !secret x"), "1:4 the tag !secret says nothing here");
    }
}
