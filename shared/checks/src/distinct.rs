//! Exact counts of distinct values, mergeable in any order.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many distinct values all rules of one contract may remember together: 128 bits each, so about 150 MB at
/// most. Each rule has the same share; a rule beyond its share is `errored`, never passed.
pub const MOST_DISTINCT: usize = 4_000_000;

/// Values seen, by the first 128 bits of the SHA-256 of their encoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Distinct {
    /// Values seen, equal ones included.
    pub(crate) values: u64,
    seen: Hashes,
    most: usize,
}

/// `None` once there were too many.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hashes(Option<HashSet<u128, BuildHasherDefault<Uniform>>>);

impl Distinct {
    pub(crate) fn new(most: usize) -> Self {
        Self { values: 0, seen: Hashes(Some(HashSet::default())), most }
    }

    pub(crate) fn insert(&mut self, hash: u128) {
        self.values = self.values.saturating_add(1);
        if let Some(seen) = &mut self.seen.0 {
            seen.insert(hash);
            self.keep_to_the_bound();
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.values = self.values.saturating_add(other.values);
        match (&mut self.seen.0, other.seen.0) {
            (Some(seen), Some(more)) => {
                let (large, small) = if more.len() > seen.len() {
                    (more, std::mem::take(seen))
                } else {
                    (std::mem::take(seen), more)
                };
                *seen = large;
                seen.extend(small);
                self.keep_to_the_bound();
            }
            _ => self.seen.0 = None,
        }
    }

    /// Values beyond the first of each kind; `None` if there were too many to count.
    pub(crate) fn duplicates(&self) -> Option<u64> {
        self.seen.0.as_ref().map(|seen| self.values.saturating_sub(seen.len() as u64))
    }

    /// Forgets the values, and with them how many of them there were.
    pub(crate) fn forget(&mut self) {
        self.seen.0 = None;
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    fn keep_to_the_bound(&mut self) {
        if self.seen.0.as_ref().is_some_and(|seen| seen.len() > self.most) {
            self.seen.0 = None;
        }
    }
}

/// A hasher of what is uniform already.
#[derive(Debug, Default, Clone)]
pub(crate) struct Uniform(u64);

impl Hasher for Uniform {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Sorted hexadecimal digits, 32 for each value, so that the same values are the same text.
impl Serialize for Hashes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.as_ref().map(|seen| {
            let mut sorted: Vec<_> = seen.iter().copied().collect();
            sorted.sort_unstable();
            sorted.iter().map(|hash| format!("{hash:032x}")).collect::<String>()
        });
        text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Hashes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(Self(None)) };
        text.as_bytes()
            .chunks(32)
            .map(|digits| {
                let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 32);
                digits.and_then(|digits| u128::from_str_radix(digits, 16).ok())
            })
            .collect::<Option<_>>()
            .map(|seen| Self(Some(seen)))
            .ok_or_else(|| serde::de::Error::custom("a value seen has 32 hexadecimal digits"))
    }
}
