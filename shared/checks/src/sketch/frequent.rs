//! The values that come most often.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use serde::{Deserialize, Serialize};

use crate::distinct::Uniform;
use crate::statistics;

/// Counts of the most frequent values after Misra and Gries, merged as Agarwal and others do ("Mergeable
/// summaries"): each count is too low by at most `missed`, and so is the count 0 of a value that
/// is not there. Which of the rare values are kept depends on order and split; the statement holds for any.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Frequent {
    missed: u64,
    counts: HashMap<u64, Counted, BuildHasherDefault<Uniform>>,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Counted {
    count: u64,
    /// As it is shown; once there were too many values, kept from the second time on only, for most come once.
    text: Option<String>,
}

/// Most values while they come.
const MOST: usize = 96;

impl Frequent {
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.missed == 0
    }

    #[inline]
    pub(crate) fn insert(&mut self, hash: u64, shown: impl FnOnce() -> String) {
        if let Some(counted) = self.counts.get_mut(&hash) {
            counted.count = counted.count.saturating_add(1);
            if counted.text.is_none() {
                counted.text = Some(shown());
            }
            return;
        }
        if self.counts.len() >= MOST {
            self.lower(MOST / 2);
        }
        let text = (self.missed == 0).then(shown);
        self.counts.insert(hash, Counted { count: 1, text });
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.missed = self.missed.saturating_add(other.missed);
        for (hash, more) in other.counts {
            let counted = self.counts.entry(hash).or_default();
            counted.count = counted.count.saturating_add(more.count);
            counted.text = counted.text.take().or(more.text);
        }
        self.shrink(MOST);
    }

    /// Keeps at most so many.
    pub(crate) fn shrink(&mut self, most: usize) {
        if self.counts.len() > most {
            self.lower(most);
        }
    }

    /// Lowers all counts by the greatest that is not among the `keep` highest, and drops what comes to nothing.
    fn lower(&mut self, keep: usize) {
        let mut counts = [0; 2 * MOST];
        let mut length = 0;
        for (place, counted) in counts.iter_mut().zip(self.counts.values()) {
            *place = counted.count;
            length += 1;
        }
        let counts = &mut counts[..length];
        let (_, by, _) = counts.select_nth_unstable_by(keep, |one, two| two.cmp(one));
        let by = *by;
        self.missed = self.missed.saturating_add(by);
        self.counts.retain(|_, counted| {
            counted.count = counted.count.saturating_sub(by);
            counted.count > 0
        });
    }

    /// The most frequent ones that are known by their text.
    pub(crate) fn top(&self, most: usize) -> Vec<statistics::Frequent> {
        let known = self.counts.values().filter_map(|counted| {
            let most = counted.count.saturating_add(self.missed);
            Some(statistics::Frequent { value: counted.text.clone()?, least: counted.count, most })
        });
        let mut known: Vec<_> = known.collect();
        known.sort_unstable_by(|one, two| two.least.cmp(&one.least).then_with(|| one.value.cmp(&two.value)));
        known.truncate(most);
        known
    }

    /// Values with their counts, as hashes.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counts.iter().map(|(hash, counted)| (*hash, counted.count))
    }

    /// Values that are known by their text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (u64, &str)> {
        self.counts.iter().filter_map(|(hash, counted)| Some((*hash, counted.text.as_deref()?)))
    }

    pub(crate) fn text(&self, hash: u64) -> Option<&str> {
        self.counts.get(&hash)?.text.as_deref()
    }

    /// How much too low any count may be.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    pub(crate) fn count(&self, hash: u64) -> u64 {
        self.counts.get(&hash).map_or(0, |counted| counted.count)
    }
}

/// The most frequent first: hash in hexadecimal digits, count, text.
impl Serialize for Frequent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sorted: Vec<_> = self.counts.iter().collect();
        sorted.sort_unstable_by_key(|(hash, counted)| (std::cmp::Reverse(counted.count), **hash));
        let values =
            sorted.iter().map(|(hash, counted)| (format!("{hash:016x}"), counted.count, &counted.text));
        (self.missed, values.collect::<Vec<_>>()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Frequent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (missed, values) = <(u64, Vec<(String, u64, Option<String>)>)>::deserialize(deserializer)?;
        if values.len() > MOST {
            return Err(serde::de::Error::custom("more frequent values than there may be"));
        }
        let counts = values.into_iter().map(|(hash, count, text)| {
            let hash = u64::from_str_radix(&hash, 16);
            hash.map(|hash| (hash, Counted { count, text })).map_err(serde::de::Error::custom)
        });
        Ok(Self { missed, counts: counts.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::sketch::hash;

    fn of(values: impl IntoIterator<Item = u32>) -> Frequent {
        let mut frequent = Frequent::default();
        for value in values {
            frequent.insert(hash(0, &value.to_le_bytes()), || value.to_string());
        }
        frequent
    }

    proptest! {
        #[test]
        fn counts_are_within_the_stated_error_in_any_order_and_split(
            values in vec((prop_oneof![0..5_u32, 0..2_000_u32], 0..3_usize), 0..3_000), most in 1..96_usize,
        ) {
            let mut merged = Frequent::default();
            for part in [1, 2, 0] {
                let mut part = of(values.iter().filter(|(_, of)| *of == part).map(|(value, _)| *value));
                part.shrink(most);
                merged.merge(serde_json::from_str(&serde_json::to_string(&part).unwrap()).unwrap());
            }
            merged.shrink(most);
            let mut exact = HashMap::new();
            values.iter().for_each(|(value, _)| *exact.entry(*value).or_insert(0_u64) += 1);
            for frequent in [&merged, &of(values.iter().map(|(value, _)| *value))] {
                for (value, count) in &exact {
                    let found = frequent.count(hash(0, &value.to_le_bytes()));
                    prop_assert!(found <= *count && found + frequent.missed >= *count, "{value} {count} {found}");
                }
                // As many as the parts that may have seen it once each.
                for counted in frequent.counts.values().filter(|counted| counted.count > 3) {
                    prop_assert!(counted.text.is_some());
                }
            }
            prop_assert!(merged.counts.len() <= most);
            // What was lowered was taken from `most` values and one more each time.
            prop_assert!(merged.missed * (most.min(MOST / 2) as u64 + 1) <= 3 * values.len() as u64);
        }
    }

    #[test]
    fn few_values_are_counted_exactly_with_their_texts() {
        let frequent = of([3, 1, 3, 2, 3, 1]);
        let json = serde_json::to_value(&frequent).unwrap();
        assert_eq!(json[0], 0);
        let texts: Vec<_> = json[1].as_array().unwrap().iter().map(|one| (&one[1], &one[2])).collect();
        assert_eq!(texts, [(&3.into(), &"3".into()), (&2.into(), &"1".into()), (&1.into(), &"2".into())]);
        assert!(Frequent::default().is_empty() && !frequent.is_empty());
        assert!(serde_json::from_str::<Frequent>("[0,[[\"x\",1,null]]]").is_err());
    }
}
