//! Borrowed values, so that elements of sets and keys of maps are checked as any other value.

use septet_contract::PhysicalType;

use crate::flat::{Elements, Members};
use crate::value::Value;

/// Longest text that an example shows, in characters.
const SHOWN: usize = 60;

#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    S(&'a str),
    N(&'a str),
    B(&'a [u8]),
    Bool(bool),
    Null,
    M(Members<'a>),
    L(Elements<'a>),
    SS(Elements<'a>),
    NS(Elements<'a>),
    BS(Elements<'a>),
}

impl View<'_> {
    pub(crate) fn physical(self) -> PhysicalType {
        match self {
            Self::S(_) => PhysicalType::S,
            Self::N(_) => PhysicalType::N,
            Self::B(_) => PhysicalType::B,
            Self::Bool(_) => PhysicalType::Bool,
            Self::Null => PhysicalType::Null,
            Self::M(_) => PhysicalType::M,
            Self::L(_) => PhysicalType::L,
            Self::SS(_) => PhysicalType::StringSet,
            Self::NS(_) => PhysicalType::NumberSet,
            Self::BS(_) => PhysicalType::BinarySet,
        }
    }

    /// Shows the value to people in few characters: text in quotes, a container by its size.
    pub(crate) fn shown(self) -> String {
        match self {
            Self::S(text) => quoted(text),
            Self::N(text) => shortened(text),
            Self::B(bytes) => format!("{} bytes", bytes.len()),
            Self::Bool(value) => value.to_string(),
            Self::Null => "null".to_owned(),
            Self::M(members) => format!("map of {}", members.len()),
            Self::L(elements) => format!("list of {}", elements.len()),
            Self::SS(elements) | Self::NS(elements) | Self::BS(elements) => {
                format!("set of {}", elements.len())
            }
        }
    }

    /// The value apart from where it lies.
    pub(crate) fn to_value(self) -> Value {
        let texts = |elements: Elements<'_>| {
            let texts = elements.iter().filter_map(|element| match element {
                View::S(text) | View::N(text) => Some(text.to_owned()),
                _ => None,
            });
            texts.collect()
        };
        match self {
            Self::S(text) => Value::S(text.to_owned()),
            Self::N(text) => Value::N(text.to_owned()),
            Self::B(bytes) => Value::B(bytes.to_vec()),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Null => Value::Null,
            Self::M(members) => Value::M(members.to_item()),
            Self::L(elements) => Value::L(elements.iter().map(View::to_value).collect()),
            Self::SS(elements) => Value::SS(texts(elements)),
            Self::NS(elements) => Value::NS(texts(elements)),
            Self::BS(elements) => {
                let bytes = elements.iter().filter_map(|element| match element {
                    View::B(bytes) => Some(bytes.to_vec()),
                    _ => None,
                });
                Value::BS(bytes.collect())
            }
        }
    }
}

/// Text in quotes with control characters escaped, cut to what an example shows.
pub(crate) fn quoted(text: &str) -> String {
    format!("{:?}", shortened(text))
}

/// Text cut to what an example shows.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{item, number, text, with_view};

    #[test]
    fn values_are_shown_in_few_characters_on_one_line() {
        for (value, expected) in [
            (text("a\n\"b\""), r#""a\n\"b\"""#.to_owned()),
            (text("é".repeat(61)), format!("\"{}…\"", "é".repeat(60))),
            (text("é".repeat(60)), format!("\"{}\"", "é".repeat(60))),
            (number("1.50"), "1.50".to_owned()),
            (number("1".repeat(100)), format!("{}…", "1".repeat(60))),
            (Value::B(vec![0; 3]), "3 bytes".to_owned()),
            (Value::Bool(true), "true".to_owned()),
            (Value::Null, "null".to_owned()),
            (Value::M(item([("a", Value::Null)])), "map of 1".to_owned()),
            (Value::L(vec![]), "list of 0".to_owned()),
            (Value::SS(vec!["a".to_owned()]), "set of 1".to_owned()),
            (Value::BS(vec![vec![1], vec![2]]), "set of 2".to_owned()),
        ] {
            assert_eq!(with_view(&value, |view| view.shown()), expected);
        }
    }
}
