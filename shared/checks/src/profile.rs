//! What is known of a table after its items were seen once.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::{Encoder, Sum};
use crate::distinct::Distinct;
use crate::flat::Flat;
use crate::golden::Met;
use crate::report::Example;
use crate::sample::Extent;
use crate::sketch::{Keys, Spread};
use crate::values::{Room, Values};

/// Most examples that a check keeps.
pub(crate) const MOST_EXAMPLES: usize = 3;

/// Most names of attributes without a contract that each place keeps.
pub(crate) const MOST_NAMES: usize = 16;

/// How small profiles are made, step by step: registers, as a power of two, buckets and frequent values of each
/// place, keys, as a power of two, examples of each check.
const ROOMS: [(u8, usize, usize, u8, usize); 7] = [
    (12, 1024, 96, 12, 3),
    (12, 512, 48, 12, 3),
    (11, 256, 32, 12, 1),
    (10, 128, 16, 12, 0),
    (8, 64, 8, 11, 0),
    (6, 32, 2, 10, 0),
    (4, 16, 1, 8, 0),
];

/// Counts over the items of a table, or of any part of it.
///
/// Made by [`Checker::profile`](crate::Checker::profile) and filled by
/// [`Checker::observe`](crate::Checker::observe). Merging is commutative and associative, and an empty profile
/// changes nothing: whatever the order of the items and however they are split, the merged profile is the same
/// to the byte when serialised.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    pub(crate) format: Format,
    /// Tells profiles of other contracts apart.
    pub(crate) shape: String,
    /// Whether profiles of different contracts were merged; such a profile is never judged.
    pub(crate) mixed: bool,
    pub(crate) items: u64,
    pub(crate) bytes: u64,
    pub(crate) digest: Sum,
    /// Bytes of each item.
    pub(crate) sizes: Spread,
    pub(crate) keys: Keys,
    pub(crate) places: Vec<Place>,
    /// Of each golden key of the contract.
    pub(crate) golden: Vec<Met>,
    pub(crate) checks: Vec<Tally>,
    pub(crate) distinct: Vec<Distinct>,
    /// That it is no profile of a whole table, whose counts and keys others may be compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sampled: Option<Extent>,
    #[serde(skip)]
    pub(crate) scratch: Scratch,
}

/// Values seen at one place of the contract.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// As `recs[].score`, by which other contracts know it; empty for the item.
    pub(crate) path: String,
    /// Times that there was no value.
    pub(crate) absent: u64,
    /// Values by type, in the order of [`PhysicalType::ALL`](septet_contract::PhysicalType::ALL).
    pub(crate) types: [u64; 10],
    /// None in a profile of limits alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) values: Option<Box<Values>>,
}

/// The layout that profiles are stored in.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Format;

const FORMAT: u32 = 1;

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(FORMAT)
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            FORMAT => Ok(Self),
            other => Err(serde::de::Error::custom(format!("format {other} is not known to this Septet"))),
        }
    }
}

/// Values that fail one check.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) values: u64,
    pub(crate) items: u64,
    /// Those of the least rank, sorted, at most one for each item.
    pub(crate) examples: Vec<Ranked>,
    /// For a check of closed content: the names, sorted, those of the least rank.
    pub(crate) names: Vec<Named>,
    /// The last item that failed, by its number in this profile, so that each counts once.
    #[serde(skip)]
    last: Last,
}

/// An example with the rank by which it was chosen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Ranked {
    pub(crate) rank: u64,
    pub(crate) key: String,
    pub(crate) at: String,
    pub(crate) value: String,
}

/// The values of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) rank: u64,
    pub(crate) name: String,
    pub(crate) tally: Tally,
}

/// A number that is no part of what a profile is.
#[derive(Debug, Default, Clone, Copy)]
struct Last(u64);

impl PartialEq for Last {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Last {}

/// Buffers kept from item to item; no part of what a profile is.
#[derive(Debug, Default, Clone)]
pub(crate) struct Scratch {
    pub(crate) encoder: Encoder,
    pub(crate) flat: Flat,
}

impl PartialEq for Scratch {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Scratch {}

impl Profile {
    /// Items seen.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Their size in bytes by DynamoDB's rule: names and values, without the 100 bytes that storage is billed
    /// for on top of each item.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest of their content: 64 hexadecimal digits that no order and no split changes.
    ///
    /// The digest is the sum, modulo 2^256, of the SHA-256 of every item's encoding; see the documentation of
    /// the crate for the encoding.
    pub fn digest(&self) -> String {
        self.digest.hex()
    }

    /// The profile in at most so many bytes of JSON, to be kept for the versions to come.
    ///
    /// The values that it remembers to count distinct ones go first: checks of those answer `errored` on it. Then
    /// the statistics of each place are made coarser, and the examples fewer, only as far as it takes. Of a
    /// contract with so many attributes that nothing helps, what concerns the table as a whole is left.
    pub fn within(mut self, most: usize) -> Self {
        self.forget_distinct();
        let fits = |profile: &Self| serde_json::to_string(profile).is_ok_and(|text| text.len() <= most);
        for (different, buckets, frequent, keys, examples) in ROOMS {
            for values in self.places.iter_mut().filter_map(|place| place.values.as_mut()) {
                values.shrink(Room { different, buckets, frequent });
            }
            self.sizes.buckets.shrink(buckets);
            self.keys.shrink(keys);
            self.checks.iter_mut().for_each(|tally| tally.shrink(examples));
            if fits(&self) {
                return self;
            }
        }
        self.places.iter_mut().for_each(|place| place.values = None);
        if !fits(&self) {
            self.shape.clear();
            (self.places, self.golden) = (Vec::new(), Vec::new());
            (self.checks, self.distinct) = (Vec::new(), Vec::new());
        }
        self
    }

    /// Drops the values that it remembers to count distinct ones: checks of those answer `errored` on it.
    pub(crate) fn forget_distinct(&mut self) {
        self.distinct.iter_mut().for_each(Distinct::forget);
    }

    pub(crate) fn place(&self, path: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.path == path)
    }

    /// Takes in what another profile saw.
    ///
    /// Profiles of different contracts cannot be merged; the result is judged as `errored`.
    pub fn merge(&mut self, other: Self) {
        self.items = self.items.saturating_add(other.items);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.digest.add(other.digest);
        if self.mixed || other.mixed || !self.is_like(&other) {
            self.mix();
            return;
        }
        self.sizes.merge(other.sizes);
        self.keys.merge(&other.keys);
        for (place, more) in self.places.iter_mut().zip(other.places) {
            place.merge(more);
        }
        for (met, more) in self.golden.iter_mut().zip(other.golden) {
            met.merge(more);
        }
        for (tally, more) in self.checks.iter_mut().zip(other.checks) {
            tally.merge(more);
        }
        for (distinct, more) in self.distinct.iter_mut().zip(other.distinct) {
            distinct.merge(more);
        }
    }

    /// Leaves what does not depend on the contract, so that the order of merging still does not matter.
    pub(crate) fn mix(&mut self) {
        self.mixed = true;
        self.shape.clear();
        self.places.clear();
        self.golden.clear();
        (self.sizes, self.keys) = (Spread::default(), Keys::default());
        self.checks.clear();
        self.distinct.clear();
    }

    fn is_like(&self, other: &Self) -> bool {
        self.shape == other.shape
            && self.places.len() == other.places.len()
            && self.golden.len() == other.golden.len()
            && self.checks.len() == other.checks.len()
            && self.distinct.len() == other.distinct.len()
    }
}

impl Place {
    /// Values, nulls included, and absences.
    pub(crate) fn times(&self) -> u64 {
        self.types.iter().fold(self.absent, |sum, count| sum.saturating_add(*count))
    }

    fn merge(&mut self, other: Self) {
        self.absent = self.absent.saturating_add(other.absent);
        for (count, more) in self.types.iter_mut().zip(other.types) {
            *count = count.saturating_add(more);
        }
        match (&mut self.values, other.values) {
            (Some(values), Some(more)) => values.merge(*more),
            // A part of the values would pass for all of them.
            (values, _) => *values = None,
        }
    }
}

impl Tally {
    /// Counts a value of the item with this number, which no former item had.
    pub(crate) fn count(&mut self, item: u64) {
        self.values = self.values.saturating_add(1);
        if self.last.0 != item {
            self.last.0 = item;
            self.items = self.items.saturating_add(1);
        }
    }

    /// Tells whether an example of this rank would be kept.
    pub(crate) fn wants(&self, rank: u64) -> bool {
        self.examples.len() < MOST_EXAMPLES || self.examples.last().is_some_and(|last| rank <= last.rank)
    }

    /// Keeps an example if its rank is among the least; of one item, the least of its values.
    pub(crate) fn keep(&mut self, sample: Ranked) {
        let same = |other: &Ranked| other.rank == sample.rank && other.key == sample.key;
        if let Some(known) = self.examples.iter_mut().find(|other| same(other)) {
            if sample < *known {
                *known = sample;
            }
            return;
        }
        let at = self.examples.partition_point(|other| *other < sample);
        self.examples.insert(at, sample);
        self.examples.truncate(MOST_EXAMPLES);
    }

    /// The tally of a name, unless there are names enough of a lesser rank.
    pub(crate) fn named(&mut self, name: &str, rank: impl FnOnce() -> u64) -> Option<&mut Self> {
        if let Some(at) = self.names.iter().position(|known| known.name == name) {
            return Some(&mut self.names[at].tally);
        }
        let rank = rank();
        let at = self.names.partition_point(|known| (known.rank, known.name.as_str()) < (rank, name));
        if at >= MOST_NAMES {
            return None;
        }
        self.names.insert(at, Named { rank, name: name.to_owned(), tally: Self::default() });
        self.names.truncate(MOST_NAMES);
        Some(&mut self.names[at].tally)
    }

    /// Keeps at most so many examples, and so many times as many names.
    fn shrink(&mut self, examples: usize) {
        self.examples.truncate(examples);
        self.names.truncate(examples * MOST_NAMES / MOST_EXAMPLES);
        self.names.iter_mut().for_each(|named| named.tally.shrink(examples));
    }

    fn merge(&mut self, other: Self) {
        self.values = self.values.saturating_add(other.values);
        self.items = self.items.saturating_add(other.items);
        for sample in other.examples {
            self.keep(sample);
        }
        for named in other.names {
            if let Some(known) = self.named(&named.name, || named.rank) {
                known.merge(named.tally);
            }
        }
    }
}

impl From<&Ranked> for Example {
    fn from(sample: &Ranked) -> Self {
        Self { key: sample.key.clone(), at: sample.at.clone(), value: sample.value.clone() }
    }
}
