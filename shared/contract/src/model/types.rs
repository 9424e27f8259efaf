//! Types of values: those of DynamoDB and those of the standard.

use serde::Serialize;

/// An attribute type of DynamoDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum PhysicalType {
    /// String.
    S,
    /// Number.
    N,
    /// Binary.
    B,
    /// Boolean.
    #[serde(rename = "BOOL")]
    Bool,
    /// The null value.
    #[serde(rename = "NULL")]
    Null,
    /// Map.
    M,
    /// List.
    L,
    /// Set of strings.
    #[serde(rename = "SS")]
    StringSet,
    /// Set of numbers.
    #[serde(rename = "NS")]
    NumberSet,
    /// Set of binaries.
    #[serde(rename = "BS")]
    BinarySet,
}

impl PhysicalType {
    /// All ten types.
    pub const ALL: &'static [Self] = &[
        Self::S,
        Self::N,
        Self::B,
        Self::Bool,
        Self::Null,
        Self::M,
        Self::L,
        Self::StringSet,
        Self::NumberSet,
        Self::BinarySet,
    ];

    /// The type's name in DynamoDB JSON: `S`, `BOOL`, `SS`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
            Self::Bool => "BOOL",
            Self::Null => "NULL",
            Self::M => "M",
            Self::L => "L",
            Self::StringSet => "SS",
            Self::NumberSet => "NS",
            Self::BinarySet => "BS",
        }
    }

    /// Reads the name that [`as_str`](Self::as_str) gives; upper case only, as DynamoDB writes it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|physical| physical.as_str() == text)
    }

    pub(super) fn alone(self) -> &'static [Self] {
        let at = Self::ALL.iter().position(|physical| *physical == self).unwrap_or_default();
        &Self::ALL[at..=at]
    }
}

impl std::fmt::Display for PhysicalType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A logical type of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogicalType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A decimal number.
    Number,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A moment in time.
    Timestamp,
    /// A time of day.
    Time,
    /// An object whose members the contract names.
    Object,
    /// A list or a set.
    Array,
    /// An object whose keys are data (v3.2).
    Map,
    /// An array of numbers of fixed length (v3.2).
    Vector,
}

impl LogicalType {
    /// All logical types.
    pub const ALL: &'static [Self] = &[
        Self::String,
        Self::Integer,
        Self::Number,
        Self::Boolean,
        Self::Date,
        Self::Timestamp,
        Self::Time,
        Self::Object,
        Self::Array,
        Self::Map,
        Self::Vector,
    ];

    /// The type as documents write it: `string`, `integer`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Time => "time",
            Self::Object => "object",
            Self::Array => "array",
            Self::Map => "map",
            Self::Vector => "vector",
        }
    }

    /// Reads the name that [`as_str`](Self::as_str) gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|logical| logical.as_str() == text)
    }

    /// The physical types of values whose property does not write `physicalType`, the usual one first.
    pub fn physical_types(self) -> &'static [PhysicalType] {
        use PhysicalType as P;
        match self {
            Self::String | Self::Date | Self::Time | Self::Timestamp => &[P::S],
            Self::Integer | Self::Number => &[P::N],
            Self::Boolean => &[P::Bool],
            Self::Object | Self::Map => &[P::M],
            Self::Array => &[P::L, P::StringSet, P::NumberSet, P::BinarySet],
            Self::Vector => &[P::L],
        }
    }

    /// Tells whether a property of this type may write that `physicalType`.
    ///
    /// Besides [`physical_types`](Self::physical_types), a string may be `B` (binary content) and a timestamp
    /// `N` (seconds since 1970, as DynamoDB's own expiry has it).
    pub fn may_be(self, physical: PhysicalType) -> bool {
        self.physical_types().contains(&physical)
            || matches!(
                (self, physical),
                (Self::String, PhysicalType::B) | (Self::Timestamp, PhysicalType::N)
            )
    }
}

impl std::fmt::Display for LogicalType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_back_by_their_names() {
        for physical in PhysicalType::ALL {
            assert_eq!(PhysicalType::parse(physical.as_str()), Some(*physical));
            assert_eq!(physical.alone(), [*physical]);
        }
        for logical in LogicalType::ALL {
            assert_eq!(LogicalType::parse(logical.as_str()), Some(*logical));
            assert!(logical.physical_types().iter().all(|physical| logical.may_be(*physical)));
        }
        assert_eq!(PhysicalType::parse("bool"), None);
    }
}
