//! Items as DynamoDB stores them, in types of our own, so that checks need no SDK.

use std::collections::HashMap;

/// One item: attribute names with their values.
pub type Item = HashMap<String, Value>;

/// The value of an attribute, in the ten types that DynamoDB knows.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    S(String),
    /// A number as DynamoDB writes it: decimal text of up to 38 significant digits.
    N(String),
    /// Bytes.
    B(Vec<u8>),
    /// A truth value.
    Bool(bool),
    /// The null value; an absent attribute has no value at all.
    Null,
    /// A map of named values.
    M(Item),
    /// A list of values.
    L(Vec<Value>),
    /// A set of texts.
    SS(Vec<String>),
    /// A set of numbers, each as in [`Value::N`].
    NS(Vec<String>),
    /// A set of bytes.
    BS(Vec<Vec<u8>>),
}

impl Value {
    /// Names the type as DynamoDB writes it, such as `S`, `BOOL` or `NS`.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null => "NULL",
            Self::M(_) => "M",
            Self::L(_) => "L",
            Self::SS(_) => "SS",
            Self::NS(_) => "NS",
            Self::BS(_) => "BS",
        }
    }
}
