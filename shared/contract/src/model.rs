//! What a contract says about the items of a table.

use serde::Serialize;

use crate::moment::{Moment, MomentFormat};
use crate::number::Number;
use crate::regexp::Regexp;
use crate::rule::Rule;

/// The table that a contract describes: its keys, its attributes and the rules over all items.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// `schema[].name`.
    pub name: String,
    /// `schema[].physicalName`, which Septet does not use: each version is a table of its own.
    pub physical_name: Option<String>,
    /// The key schema that every table of the dataset must have.
    pub key: Key,
    /// Whether an attribute that [`properties`](Self::properties) does not name is a violation.
    ///
    /// True unless the custom property `septet.closed` of the schema object is `false`.
    pub closed: bool,
    /// The attributes of an item, in the order of the document; names are unique.
    pub properties: Vec<Property>,
    /// Rules over the table, from `schema[].quality`.
    pub quality: Vec<Rule>,
}

impl Object {
    /// The property of this name, not looking into nested ones.
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    /// Every rule with the place of the property it stands at, outermost first; none for rules over the table.
    pub fn rules(&self) -> Vec<(Option<PropertyPath>, &Rule)> {
        let mut found: Vec<_> = self.quality.iter().map(|rule| (None, rule)).collect();
        for (path, property) in self.all_properties() {
            found.extend(property.quality.iter().map(|rule| (Some(path.clone()), rule)));
        }
        found
    }

    /// Every property at any depth with its place, in the order of the document.
    pub fn all_properties(&self) -> Vec<(PropertyPath, &Property)> {
        let mut found = Vec::new();
        for property in &self.properties {
            property.collect(PropertyPath(vec![Step::Property(property.name.clone())]), &mut found);
        }
        found
    }
}

/// The key attributes of a table, from `primaryKey` and `primaryKeyPosition`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The partition key (position 1).
    pub partition: KeyAttribute,
    /// The sort key (position 2), if the table has one.
    pub sort: Option<KeyAttribute>,
}

/// One attribute of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAttribute {
    /// The property that describes it.
    pub property: String,
    /// The attribute's name in DynamoDB.
    pub attribute: String,
    /// [`PhysicalType::S`], [`PhysicalType::N`] or [`PhysicalType::B`].
    pub physical: PhysicalType,
}

/// One attribute of an item, one member of a map, or what every element of a list looks like.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Property {
    /// `name`, by which rules refer to it; empty where the document gives an element of a list none.
    pub name: String,
    /// The attribute's name in DynamoDB: `physicalName`, else `name`.
    pub attribute: String,
    /// `physicalType`; none leaves it to what the logical type allows.
    pub physical: Option<PhysicalType>,
    /// `logicalType`; none means that only the physical type is checked.
    pub logical: Option<LogicalType>,
    /// Whether the attribute must be present and not of type NULL. True for key attributes whatever is written,
    /// and for members that the enclosing object lists under `logicalTypeOptions.required`.
    pub required: bool,
    /// Whether no two items may have the same value.
    pub unique: bool,
    /// Position in the primary key, 1 or 2.
    pub primary_key: Option<u32>,
    /// `logicalTypeOptions`.
    pub options: Options,
    /// `enum`: the only values allowed; empty allows any.
    pub allowed: Vec<Literal>,
    /// For an object: whether members that [`properties`](Self::properties) does not name are violations.
    ///
    /// The custom property `septet.closed` of the property; else that of the enclosing object. False for an
    /// object that names no members at all.
    pub closed: bool,
    /// The members of an object.
    pub properties: Vec<Property>,
    /// What every element of an array looks like.
    pub items: Option<Box<Property>>,
    /// What keys and values of a map look like (logical type `map`, ODCS v3.2).
    pub map: Option<Box<MapEntries>>,
    /// Rules over this property's values, from `quality`.
    pub quality: Vec<Rule>,
}

/// Keys and values of a map whose keys are data.
#[derive(Debug, Clone, PartialEq)]
pub struct MapEntries {
    /// `map.key`: a string property.
    pub key: Property,
    /// `map.value`.
    pub value: Property,
}

impl Property {
    /// The physical types a value may have: the one that is written, else those of the logical type, else all.
    ///
    /// [`PhysicalType::Null`] is not named unless written: a property that is not required may be null.
    pub fn physical_types(&self) -> &'static [PhysicalType] {
        match (self.physical, self.logical) {
            (Some(physical), _) => physical.alone(),
            (None, Some(logical)) => logical.physical_types(),
            (None, None) => PhysicalType::ALL,
        }
    }

    fn collect<'a>(&'a self, path: PropertyPath, found: &mut Vec<(PropertyPath, &'a Self)>) {
        found.push((path.clone(), self));
        for member in &self.properties {
            member.collect(path.with(Step::Property(member.name.clone())), found);
        }
        if let Some(items) = &self.items {
            items.collect(path.with(Step::Items), found);
        }
        if let Some(map) = &self.map {
            map.key.collect(path.with(Step::MapKeys), found);
            map.value.collect(path.with(Step::MapValues), found);
        }
    }
}

/// The place of a property: prints as `recs[].track_id`, `{}` for values of a map and `{key}` for its keys.
///
/// A path with [`Step::Items`] names the values of all elements, not one value of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PropertyPath(
    /// From the item inwards; the first is a [`Step::Property`].
    pub Vec<Step>,
);

/// One step of a [`PropertyPath`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// To the property of this name.
    Property(String),
    /// To every element of a list or set.
    Items,
    /// To every key of a map.
    MapKeys,
    /// To every value of a map.
    MapValues,
}

impl PropertyPath {
    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl std::fmt::Display for PropertyPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Property(name) if index == 0 => f.write_str(name)?,
                Step::Property(name) => write!(f, ".{name}")?,
                Step::Items => f.write_str("[]")?,
                Step::MapKeys => f.write_str("{key}")?,
                Step::MapValues => f.write_str("{}")?,
            }
        }
        Ok(())
    }
}

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

    fn alone(self) -> &'static [Self] {
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
    /// Names under `required` of an object; those properties have [`Property::required`] set, too.
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
