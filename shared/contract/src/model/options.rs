//! Limits of a value.

use crate::moment::{Moment, MomentFormat};
use crate::number::Number;
use crate::regexp::Regexp;

/// `logicalTypeOptions`: limits of a value, each absent unless written; only those of the logical type occur.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// Least number of Unicode characters of a string (of bytes for `B`).
    pub min_length: Option<u64>,
    /// Largest number of Unicode characters of a string (of bytes for `B`).
    pub max_length: Option<u64>,
    /// A regular expression that must be found somewhere in the string.
    pub pattern: Option<Regexp>,
    /// `format`: what form a string, a number or a moment must have.
    pub format: Option<Format>,
    /// The least value allowed.
    pub minimum: Option<Bound>,
    /// The largest value allowed.
    pub maximum: Option<Bound>,
    /// The value must be larger than this.
    pub exclusive_minimum: Option<Bound>,
    /// The value must be smaller than this.
    pub exclusive_maximum: Option<Bound>,
    /// The number must be an exact multiple of this.
    pub multiple_of: Option<Number>,
    /// Least number of elements of an array.
    pub min_items: Option<u64>,
    /// Largest number of elements of an array.
    pub max_items: Option<u64>,
    /// Whether an array may not have two equal elements.
    pub unique_items: bool,
    /// Least number of members of an object.
    pub min_properties: Option<u64>,
    /// Largest number of members of an object.
    pub max_properties: Option<u64>,
    /// Names under `required` of an object; those properties have [`Property::required`](super::Property::required) set, too.
    pub required: Vec<String>,
    /// Whether a time or timestamp must say its zone.
    pub timezone: Option<bool>,
    /// The zone of a time or timestamp that says none.
    pub default_timezone: Option<String>,
    /// What a vector is; present for that logical type only.
    pub vector: Option<Vector>,
}

/// Options of the logical type `vector`, those that can be checked on an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector {
    /// The exact number of elements.
    pub dimensions: u64,
    /// `elementType`, `float32` unless written.
    pub element: String,
    /// Whether the Euclidean length must be 1.
    pub normalized: bool,
}

/// A bound of a range.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub enum Bound {
    /// Of an integer or number.
    Number(Number),
    /// Of a date, time or timestamp.
    Moment(Moment),
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Moment(moment) => moment.fmt(f),
        }
    }
}

/// What form a value must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Of a string.
    Text(TextFormat),
    /// Of an integer: the range of this machine type.
    Integer(IntegerFormat),
    /// Of a number.
    Float(FloatFormat),
    /// Of a date, time or timestamp in a string.
    Moment(MomentFormat),
}

/// Prints as documents write it.
impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(format) => f.write_str(format.as_str()),
            Self::Integer(format) => {
                write!(f, "{}{}", if format.signed { 'i' } else { 'u' }, format.bits)
            }
            Self::Float(FloatFormat::F32) => f.write_str("f32"),
            Self::Float(FloatFormat::F64) => f.write_str("f64"),
            Self::Moment(format) => f.write_str(format.as_str()),
        }
    }
}

/// Formats of strings that the standard names, and any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextFormat {
    /// A secret; allows any string.
    Password,
    /// Base64 text.
    Byte,
    /// Any bytes; allows anything.
    Binary,
    /// An e-mail address.
    Email,
    /// A UUID with hyphens.
    Uuid,
    /// A URI with a scheme.
    Uri,
    /// A host name.
    Hostname,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A format that Septet does not know; it allows any string and is among
    /// [`unenforced`](crate::Contract::unenforced).
    Other(String),
}

impl TextFormat {
    /// The format as documents write it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Password => "password",
            Self::Byte => "byte",
            Self::Binary => "binary",
            Self::Email => "email",
            Self::Uuid => "uuid",
            Self::Uri => "uri",
            Self::Hostname => "hostname",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Other(format) => format,
        }
    }
}

/// Machine types of integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerFormat {
    /// Whether the type has negative numbers.
    pub signed: bool,
    /// 8, 16, 32, 64 or 128.
    pub bits: u32,
}

impl IntegerFormat {
    /// Tells whether a number is whole and within the range of the type.
    pub fn holds(self, value: &Number) -> bool {
        let Some(size) = value.whole_size() else { return false };
        let bits = self.bits - u32::from(self.signed);
        let top = u128::MAX >> (128 - bits);
        size <= if value.is_negative() { if self.signed { top + 1 } else { 0 } } else { top }
    }
}

/// Machine types of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatFormat {
    /// 32 bits.
    F32,
    /// 64 bits.
    F64,
}

/// A value written in a contract, of an `enum` or a rule's argument.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Literal {
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
}

impl std::fmt::Display for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_types_hold_exactly_their_range() {
        for (signed, bits, least, most) in [
            (true, 8, "-128", "127"),
            (false, 8, "0", "255"),
            (true, 32, "-2147483648", "2147483647"),
            (false, 64, "0", "18446744073709551615"),
        ] {
            let format = IntegerFormat { signed, bits };
            let [least, most] = [least, most].map(|text| text.parse::<i128>().unwrap());
            for (value, expected) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
                assert_eq!(format.holds(&Number::parse(&value.to_string()).unwrap()), expected, "{value}");
            }
        }
        let wide = IntegerFormat { signed: true, bits: 128 };
        for (text, expected) in
            [("1.7e38", true), ("1.8e38", false), ("-1.7e38", true), ("1e125", false), ("0.5", false)]
        {
            assert_eq!(wide.holds(&Number::parse(text).unwrap()), expected, "{text}");
        }
        let unsigned = IntegerFormat { signed: false, bits: 128 };
        assert!(unsigned.holds(&Number::parse("3.4e38").unwrap()));
        assert!(!unsigned.holds(&Number::parse("3.5e38").unwrap()));
    }
}
