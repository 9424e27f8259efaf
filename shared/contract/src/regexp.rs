//! Regular expressions as the standard means them.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// A regular expression of a contract, compiled.
///
/// The standard means ECMA-262 expressions, as JSON Schema does: found anywhere in the text unless anchored;
/// `\d`, `\w` and `\b` know only ASCII; `[` within a class is a plain character. They are translated for the
/// `regex` crate, which matches in linear time and therefore has neither look-around nor back-references.
/// Two are equal if their sources are.
#[derive(Clone)]
pub struct Regexp {
    source: String,
    compiled: Regex,
}

const MAX_COMPILED_BYTES: usize = 1 << 20;

impl Regexp {
    /// Compiles an expression; the error says in one line what is wrong.
    pub fn parse(source: &str) -> Result<Self, String> {
        let compiled = RegexBuilder::new(&translate(source))
            .size_limit(MAX_COMPILED_BYTES)
            .dfa_size_limit(MAX_COMPILED_BYTES)
            .nest_limit(64)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "grows beyond 1 MiB when compiled".to_owned(),
                // The last line is the reason, those before it draw the place in the translated expression.
                error => {
                    let text = error.to_string();
                    let reason = text.lines().last().unwrap_or_default();
                    reason.strip_prefix("error: ").unwrap_or(reason).to_owned()
                }
            })?;
        Ok(Self { source: source.to_owned(), compiled })
    }

    /// Tells whether the expression is found in the text.
    pub fn matches(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }

    /// The expression as the contract writes it.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Regexp {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Regexp {}

impl fmt::Debug for Regexp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.source)
    }
}

impl fmt::Display for Regexp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.source)
    }
}

/// What a `-` at this place of a class is.
#[derive(PartialEq)]
enum Hyphen {
    /// A character of the class: at its start, or after a range or a class escape.
    Plain,
    /// What makes a range of the characters around it, unless the class ends there.
    Range,
    /// The end of a range.
    End,
}

fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 16);
    let mut chars = source.chars().peekable();
    // Within a class, where a range may stand.
    let mut class: Option<Hyphen> = None;
    while let Some(c) = chars.next() {
        let mut next = class.as_ref().map(|h| if *h == Hyphen::End { Hyphen::Plain } else { Hyphen::Range });
        match c {
            '\\' => match chars.next() {
                Some(set @ ('d' | 'D' | 'w' | 'W' | 's' | 'S')) => {
                    next = next.map(|_| Hyphen::Plain);
                    out.push_str(match set {
                        'd' => "[0-9]",
                        'D' => "[^0-9]",
                        'w' => "[0-9A-Za-z_]",
                        'W' => "[^0-9A-Za-z_]",
                        's' => r"\s",
                        _ => r"\S",
                    });
                }
                Some('b') if class.is_some() => out.push_str(r"\x08"),
                Some('b') => out.push_str(r"(?-u:\b)"),
                Some('B') if class.is_none() => out.push_str(r"(?-u:\B)"),
                Some('0') if !chars.peek().is_some_and(char::is_ascii_digit) => out.push_str(r"\x00"),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            '[' if class.is_none() => {
                let negated = chars.next_if_eq(&'^').is_some();
                if chars.next_if_eq(&']').is_some() {
                    out.push_str(if negated { r"[\s\S]" } else { r"[^\s\S]" });
                } else {
                    out.push_str(if negated { "[^" } else { "[" });
                    next = Some(Hyphen::Plain);
                }
            }
            ']' if class.is_some() => {
                next = None;
                out.push(']');
            }
            '-' if class == Some(Hyphen::Range) && chars.peek() != Some(&']') => {
                next = Some(Hyphen::End);
                out.push('-');
            }
            '[' | '&' | '~' | '-' if class.is_some() => out.extend(['\\', c]),
            _ => out.push(c),
        }
        class = next;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn expressions_mean_what_ecma_262_says() {
        for (source, text, expected) in [
            (r"^\d{4}$", "2026", true),
            (r"^\d{4}$", "٢٠٢٦", false),
            (r"^[\d-]+$", "20-26", true),
            (r"^[\d-]+$", "٢", false),
            ("b", "abc", true),
            (r"^\w+$", "é", false),
            (r"\bde\b", "abc de f", true),
            ("^[[a]+$", "[a", true),
            ("^[a&&b]+$", "a&b", true),
            ("^[+--]+$", "+,-", true),
            ("^[--/]+$", "-./", true),
            ("^[a-c-e]+$", "b-e", true),
            ("^[a-c-e]+$", "d", false),
            (r"^[\w-.]+$", "a-.", true),
            ("^[^-a]$", "-", false),
            ("[]", "a", false),
            ("^[^]$", "\n", true),
            (r"^a\/b$", "a/b", true),
            (r"^\u00e9$", "é", true),
            ("^a$", "a\n", false),
            (".", "\n", false),
            (r"^[^\w]$", "é", true),
        ] {
            assert_eq!(Regexp::parse(source).unwrap().matches(text), expected, "{source} {text:?}");
        }
    }

    #[test]
    fn what_linear_time_cannot_do_is_refused_in_one_line() {
        for source in ["(", "[", "a{2,1}", "(?=a)", r"(a)\1", "(?<!a)b", r"\", "a**(", "(a{1000}){1000}"] {
            let error = Regexp::parse(source).unwrap_err();
            assert!(!error.contains('\n') && error.len() > 5, "{source}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(source in r"[\[\]\\^$.|?*+(){}&~a-d0-9é-]{0,12}") {
            let _ = Regexp::parse(&source);
        }
    }
}
