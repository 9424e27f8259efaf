//! Borrowed values, so that elements of sets and keys of maps are checked as any other value.

use septet_contract::PhysicalType;

use crate::value::{Item, Value};

/// Longest text that an example shows, in characters.
const SHOWN: usize = 60;

#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    S(&'a str),
    N(&'a str),
    B(&'a [u8]),
    Bool(bool),
    Null,
    M(&'a Item),
    L(&'a [Value]),
    SS(&'a [String]),
    NS(&'a [String]),
    BS(&'a [Vec<u8>]),
}

impl<'a> From<&'a Value> for View<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::S(text) => Self::S(text),
            Value::N(text) => Self::N(text),
            Value::B(bytes) => Self::B(bytes),
            Value::Bool(value) => Self::Bool(*value),
            Value::Null => Self::Null,
            Value::M(members) => Self::M(members),
            Value::L(elements) => Self::L(elements),
            Value::SS(elements) => Self::SS(elements),
            Value::NS(elements) => Self::NS(elements),
            Value::BS(elements) => Self::BS(elements),
        }
    }
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
            Self::SS(elements) | Self::NS(elements) => format!("set of {}", elements.len()),
            Self::BS(elements) => format!("set of {}", elements.len()),
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
