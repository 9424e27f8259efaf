//! What is kept of the values at one place of a contract.

use jiff::tz::Offset;
use septet_contract::{Moment, Number};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::constraint::Seen;
use crate::sketch::{Cardinality, Frequent, Scale, Spread, hash_value};
use crate::view::{View, shortened};

/// Statistics of the values that are not null; those of each type in their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Values {
    #[serde(default, skip_serializing_if = "Spread::is_empty")]
    pub(crate) numbers: Spread,
    /// The least number and the greatest with all their digits.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "digits")]
    pub(crate) least: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "digits")]
    pub(crate) most: Option<Number>,
    /// Characters of strings, bytes of binaries.
    #[serde(default, skip_serializing_if = "Spread::is_empty")]
    pub(crate) lengths: Spread,
    /// Elements of lists and sets, members of maps.
    #[serde(default, skip_serializing_if = "Spread::is_empty")]
    pub(crate) sizes: Spread,
    /// Seconds since 1970 of dates and timestamps.
    #[serde(default = "hours", skip_serializing_if = "Spread::is_empty")]
    pub(crate) moments: Spread,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) trues: u64,
    /// Of strings, numbers and binaries.
    #[serde(default, skip_serializing_if = "Cardinality::is_new")]
    pub(crate) different: Cardinality,
    #[serde(default, skip_serializing_if = "Frequent::is_empty")]
    pub(crate) frequent: Frequent,
}

fn hours() -> Spread {
    Spread::new(Scale::Hours)
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Default for Values {
    fn default() -> Self {
        Self {
            numbers: Spread::default(),
            least: None,
            most: None,
            lengths: Spread::default(),
            sizes: Spread::default(),
            moments: hours(),
            trues: 0,
            different: Cardinality::default(),
            frequent: Frequent::default(),
        }
    }
}

/// How small the statistics of a place are to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// As [`Cardinality::shrink`] takes it.
    pub(crate) different: u8,
    pub(crate) buckets: usize,
    pub(crate) frequent: usize,
}

impl Values {
    /// Takes a value in; `epoch` if numbers are seconds since 1970.
    pub(crate) fn insert(&mut self, seen: &Seen<'_>, epoch: bool) {
        match seen.view {
            View::S(text) => {
                let length = if text.is_ascii() { text.len() } else { text.chars().count() };
                self.lengths.insert(length as f64);
                if let Some(seconds) = seen.moment.and_then(seconds) {
                    self.moments.insert(seconds);
                }
            }
            View::N(_) => {
                let Some(&number) = seen.number else { return };
                let value = number.to_f64();
                // Several numbers of many digits may be the same `f64`.
                if self.numbers.least.is_none_or(|least| value <= least) {
                    self.least = Some(self.least.map_or(number, |least| least.min(number)));
                }
                if self.numbers.most.is_none_or(|most| value >= most) {
                    self.most = Some(self.most.map_or(number, |most| most.max(number)));
                }
                self.numbers.insert(value);
                if epoch {
                    self.moments.insert(value);
                }
            }
            View::B(bytes) => self.lengths.insert(bytes.len() as f64),
            View::Bool(truth) => self.trues = self.trues.saturating_add(truth.into()),
            View::Null => {}
            View::M(members) => self.sizes.insert(members.len() as f64),
            View::L(elements) | View::SS(elements) | View::NS(elements) | View::BS(elements) => {
                self.sizes.insert(elements.len() as f64);
            }
        }
        if let Some(hash) = hash_value(seen.view, seen.number) {
            self.different.insert(hash);
            self.frequent.insert(hash, || match seen.view {
                View::S(text) | View::N(text) => shortened(text),
                other => other.shown(),
            });
        }
    }

    /// Whether no string, number or binary, list, set or map was seen.
    pub(crate) fn is_empty(&self) -> bool {
        [&self.numbers, &self.lengths, &self.sizes].iter().all(|spread| spread.is_empty())
    }

    pub(crate) fn merge(&mut self, other: Self) {
        let either =
            |one: Option<Number>, two: Option<Number>, choose: fn(Number, Number) -> Number| match (one, two)
            {
                (Some(one), Some(two)) => Some(choose(one, two)),
                (one, two) => one.or(two),
            };
        self.numbers.merge(other.numbers);
        self.least = either(self.least, other.least, Number::min);
        self.most = either(self.most, other.most, Number::max);
        self.lengths.merge(other.lengths);
        self.sizes.merge(other.sizes);
        self.moments.merge(other.moments);
        self.trues = self.trues.saturating_add(other.trues);
        self.different.merge(&other.different);
        self.frequent.merge(other.frequent);
    }

    pub(crate) fn shrink(&mut self, room: Room) {
        for spread in [&mut self.numbers, &mut self.lengths, &mut self.sizes, &mut self.moments] {
            spread.buckets.shrink(room.buckets);
        }
        self.different.shrink(room.different);
        self.frequent.shrink(room.frequent);
    }
}

fn seconds(moment: &Moment) -> Option<f64> {
    moment.date?;
    let timestamp = Offset::UTC.to_timestamp(moment.utc()).ok()?;
    Some(timestamp.as_second() as f64 + f64::from(timestamp.subsec_nanosecond()) / 1e9)
}

/// Numbers as text with all their digits.
mod digits {
    use super::*;

    pub(super) fn serialize<S: Serializer>(number: &Option<Number>, to: S) -> Result<S::Ok, S::Error> {
        number.map(|number| number.to_string()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Number>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| Number::parse(&text).map_err(serde::de::Error::custom)).transpose()
    }
}
