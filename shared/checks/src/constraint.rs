//! What one value may have to hold.

use std::cmp::Ordering;

use jiff::tz::Offset;
use septet_contract::{
    FloatFormat, IntegerFormat, LogicalType, Moment, Number, PhysicalType, Regexp, TextFormat,
};

use crate::digest::Encoder;
use crate::literals::Literals;
use crate::text_format;
use crate::view::View;

/// How far the Euclidean length of a normalized vector may be from 1: elements of 16 bits cannot come closer.
const NORMALIZED_WITHIN: f64 = 1e-3;

/// A value with what its checks need to know of it, read once.
pub(crate) struct Seen<'a> {
    pub(crate) view: View<'a>,
    /// Of type `N`, if the text is a number that DynamoDB can hold.
    pub(crate) number: Option<&'a Number>,
    /// Of type `S` at a date, time or timestamp, if the text has the form that the contract asks for.
    pub(crate) moment: Option<&'a Moment>,
}

/// A test of one value. One that does not concern the type of the value holds: the checks of the type are the
/// ones to fail.
#[derive(Debug)]
pub(crate) enum Constraint {
    /// Nothing tests it: it is counted where it is seen.
    Counted,
    Physical(PhysicalType),
    /// `formatted` if a check of the format tells whether a text is a moment.
    Logical {
        logical: LogicalType,
        types: &'static [PhysicalType],
        formatted: bool,
    },
    MinLength(u64),
    MaxLength(u64),
    Pattern(Regexp),
    Text(TextFormat),
    Integer(IntegerFormat),
    Float(FloatFormat),
    MomentRead,
    Range(Limit),
    MultipleOf(Number),
    MinItems(u64),
    MaxItems(u64),
    UniqueItems,
    MinProperties(u64),
    MaxProperties(u64),
    Zoned,
    Dimensions(u64),
    Elements(String),
    Normalized,
    OneOf(Literals),
    /// Holds for what the metric `invalidValues` counts.
    Invalid {
        valid: Option<Literals>,
        pattern: Option<Regexp>,
    },
}

/// A bound of a range with the comparisons that keep it.
#[derive(Debug)]
pub(crate) struct Limit {
    number: Option<Number>,
    moment: Option<Moment>,
    beyond: Ordering,
    reached: bool,
}

impl Limit {
    pub(crate) fn least(number: Option<Number>, moment: Option<Moment>) -> Self {
        Self { number, moment, beyond: Ordering::Greater, reached: true }
    }

    pub(crate) fn most(number: Option<Number>, moment: Option<Moment>) -> Self {
        Self { number, moment, beyond: Ordering::Less, reached: true }
    }

    pub(crate) fn above(number: Option<Number>, moment: Option<Moment>) -> Self {
        Self { reached: false, ..Self::least(number, moment) }
    }

    pub(crate) fn below(number: Option<Number>, moment: Option<Moment>) -> Self {
        Self { reached: false, ..Self::most(number, moment) }
    }

    #[inline]
    fn allows(&self, seen: &Seen<'_>) -> bool {
        let order = match (seen.number, &self.number, seen.moment, &self.moment) {
            (Some(number), Some(bound), ..) => number.cmp(bound),
            (_, _, Some(moment), Some(bound)) => match moment.partial_cmp(bound) {
                Some(order) => order,
                None => return false,
            },
            // Text that is no moment fails another check.
            _ => return true,
        };
        order == self.beyond || self.reached && order == Ordering::Equal
    }
}

/// The seconds since 1970 of a moment in UTC, as a timestamp of type `N` holds them.
pub(crate) fn epoch_seconds(moment: &Moment) -> Option<Number> {
    moment.date?;
    let timestamp = Offset::UTC.to_timestamp(moment.utc()).ok()?;
    let nanoseconds = timestamp.as_nanosecond();
    Number::parse(&format!("{nanoseconds}e-9")).ok()
}

impl Constraint {
    pub(crate) fn holds(&self, seen: &Seen<'_>, encoder: &mut Encoder) -> bool {
        match self {
            Self::Counted => true,
            Self::Physical(physical) => {
                seen.view.physical() == *physical
                    && (!matches!(seen.view, View::N(_)) || seen.number.is_some())
            }
            Self::Logical { logical, types, formatted } => {
                types.contains(&seen.view.physical()) && is_logical(*logical, *formatted, seen)
            }
            Self::MinLength(least) => length(seen.view).is_none_or(|length| length >= *least),
            Self::MaxLength(most) => length(seen.view).is_none_or(|length| length <= *most),
            Self::Pattern(pattern) => match seen.view {
                View::S(text) => pattern.matches(text),
                _ => true,
            },
            Self::Text(format) => match seen.view {
                View::S(text) => text_format::matches(format, text),
                _ => true,
            },
            Self::Integer(format) => seen.number.is_none_or(|number| format.holds(number)),
            Self::Float(FloatFormat::F32) => match seen.view {
                View::N(text) => text.parse::<f32>().is_ok_and(f32::is_finite),
                _ => true,
            },
            // Every number of DynamoDB is within the range of 64 bits.
            Self::Float(FloatFormat::F64) => true,
            Self::MomentRead => !matches!(seen.view, View::S(_)) || seen.moment.is_some(),
            Self::Range(limit) => limit.allows(seen),
            Self::MultipleOf(step) => seen.number.is_none_or(|number| number.is_multiple_of(step)),
            Self::MinItems(_) | Self::MaxItems(_) | Self::Dimensions(_) => {
                elements(seen.view).is_none_or(|count| self.allows(count))
            }
            Self::UniqueItems => are_unique(seen.view, encoder),
            Self::MinProperties(_) | Self::MaxProperties(_) => {
                members(seen.view).is_none_or(|count| self.allows(count))
            }
            Self::Zoned => seen.moment.is_none_or(|moment| moment.offset.is_some()),
            Self::Elements(element) => are_elements(element, seen.view),
            Self::Normalized => is_normalized(seen.view),
            Self::OneOf(literals) => literals.contain(seen.view, seen.number),
            Self::Invalid { valid, pattern } => {
                let listed = valid.as_ref().is_none_or(|valid| valid.contain(seen.view, seen.number));
                !listed || pattern.as_ref().is_some_and(|pattern| !found(pattern, seen.view))
            }
        }
    }

    /// Whether it lets a list or a map have so many elements or members, whichever of both it concerns.
    fn allows(&self, count: u64) -> bool {
        match self {
            Self::MinItems(least) | Self::MinProperties(least) => count >= *least,
            Self::MaxItems(most) | Self::MaxProperties(most) => count <= *most,
            Self::Dimensions(exactly) => count == *exactly,
            _ => true,
        }
    }

    /// Whether a list or a map of so many elements or members keeps it, whatever they are; `false` if that takes a look.
    pub(crate) fn surely_holds(&self, physical: PhysicalType, count: u64) -> bool {
        match self {
            Self::MinItems(_) | Self::MaxItems(_) | Self::Dimensions(_) => {
                physical != PhysicalType::L || self.allows(count)
            }
            Self::MinProperties(_) | Self::MaxProperties(_) => {
                physical != PhysicalType::M || self.allows(count)
            }
            Self::Physical(_)
            | Self::Logical { .. }
            | Self::UniqueItems
            | Self::Elements(_)
            | Self::Normalized
            | Self::OneOf(_)
            | Self::Invalid { .. } => false,
            // These concern texts, numbers and moments.
            Self::Counted
            | Self::MinLength(_)
            | Self::MaxLength(_)
            | Self::Pattern(_)
            | Self::Text(_)
            | Self::Integer(_)
            | Self::Float(_)
            | Self::MomentRead
            | Self::Range(_)
            | Self::MultipleOf(_)
            | Self::Zoned => true,
        }
    }
}

fn is_logical(logical: LogicalType, formatted: bool, seen: &Seen<'_>) -> bool {
    if !logical.may_be(seen.view.physical()) {
        return false;
    }
    match (logical, seen.view) {
        (LogicalType::Integer, _) => seen.number.is_some_and(|number| number.is_integer()),
        (LogicalType::Number | LogicalType::Timestamp, View::N(_)) => seen.number.is_some(),
        (LogicalType::Date | LogicalType::Time | LogicalType::Timestamp, _) if formatted => true,
        (LogicalType::Date, _) => {
            seen.moment.is_some_and(|moment| moment.date.is_some() && moment.time.is_none())
        }
        (LogicalType::Time, _) => {
            seen.moment.is_some_and(|moment| moment.date.is_none() && moment.time.is_some())
        }
        (LogicalType::Timestamp, _) => {
            seen.moment.is_some_and(|moment| moment.date.is_some() && moment.time.is_some())
        }
        _ => true,
    }
}

/// Unicode characters of text, bytes of a binary.
fn length(view: View<'_>) -> Option<u64> {
    match view {
        View::S(text) => Some(text.chars().count() as u64),
        View::B(bytes) => Some(bytes.len() as u64),
        _ => None,
    }
}

fn elements(view: View<'_>) -> Option<u64> {
    match view {
        View::L(elements) | View::SS(elements) | View::NS(elements) | View::BS(elements) => {
            Some(elements.len() as u64)
        }
        _ => None,
    }
}

fn members(view: View<'_>) -> Option<u64> {
    match view {
        View::M(members) => Some(members.len() as u64),
        _ => None,
    }
}

/// Sets are unique as they are.
fn are_unique(view: View<'_>, encoder: &mut Encoder) -> bool {
    let View::L(elements) = view else { return true };
    let mut hashes: Vec<_> = elements.iter().map(|element| encoder.short_hash_of(element)).collect();
    hashes.sort_unstable();
    hashes.windows(2).all(|pair| pair[0] != pair[1])
}

fn are_elements(element: &str, view: View<'_>) -> bool {
    let View::L(elements) = view else { return true };
    let whole = match element {
        "int8" => Some(IntegerFormat { signed: true, bits: 8 }),
        "uint8" => Some(IntegerFormat { signed: false, bits: 8 }),
        _ => None,
    };
    elements.iter().all(|value| match value {
        View::N(text) => match (Number::parse(text), whole, element) {
            (Err(_), ..) => false,
            (Ok(number), Some(format), _) => format.holds(&number),
            (Ok(number), None, "binary") => number.to_u64().is_some_and(|bit| bit <= 1),
            (Ok(number), None, "float16") => number.to_f64().abs() <= 65504.0,
            (Ok(_), None, "float32" | "bfloat16") => text.parse::<f32>().is_ok_and(f32::is_finite),
            (Ok(_), None, _) => true,
        },
        _ => false,
    })
}

fn is_normalized(view: View<'_>) -> bool {
    let View::L(elements) = view else { return true };
    let squares: f64 = elements
        .iter()
        .map(|element| match element {
            View::N(text) => text.parse().unwrap_or(f64::NAN),
            _ => f64::NAN,
        })
        .map(|element: f64| element * element)
        .sum();
    (squares.sqrt() - 1.0).abs() <= NORMALIZED_WITHIN
}

/// Tells whether an expression is found in a value that has a text.
fn found(pattern: &Regexp, view: View<'_>) -> bool {
    match view {
        View::S(text) | View::N(text) => pattern.matches(text),
        View::Bool(value) => pattern.matches(if value { "true" } else { "false" }),
        _ => false,
    }
}
