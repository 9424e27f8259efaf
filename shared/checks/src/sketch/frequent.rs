//! The values that come most often.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use serde::{Deserialize, Serialize};

use crate::distinct::Uniform;
use crate::statistics;

/// Counts of the most frequent values after Misra and Gries, merged as Agarwal and others do ("Mergeable
/// summaries"): each count is too low by at most `missed`, and so is the count 0 of a value that
/// is not there. Which of the rare values are kept depends on order and split; the statement holds for any.
#[derive(Debug, Default, Clone)]
pub(crate) struct Frequent {
    missed: u64,
    counts: Counts,
    /// As they are shown; once there were too many values, kept from the second time on only, for most come once.
    texts: HashMap<u64, String, BuildHasherDefault<Uniform>>,
}

/// Most values while they come.
const MOST: usize = 96;

/// Counts by hash, each in the first free place from where its hash points to, so that nearly every value that was not
/// seen before is known as such by the place alone.
#[derive(Debug, Default, Clone)]
struct Counts {
    /// None until there is a value. A count of 0 is a free place.
    places: Vec<Counted>,
    used: usize,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counted {
    hash: u64,
    count: u64,
    /// Whether its text is known.
    known: bool,
}

/// More than there are values, also of two that are merged.
const PLACES: usize = 256;

impl Counts {
    /// Where a hash is, or would be.
    #[inline]
    fn find(&self, hash: u64) -> usize {
        let mut at = hash as usize % PLACES;
        while self.places.get(at).is_some_and(|place| place.count > 0 && place.hash != hash) {
            at = (at + 1) % PLACES;
        }
        at
    }

    fn get(&self, hash: u64) -> Counted {
        self.places.get(self.find(hash)).copied().unwrap_or_default()
    }

    fn is_free(&self, at: usize) -> bool {
        self.places.get(at).is_none_or(|place| place.count == 0)
    }

    fn add(&mut self, more: Counted) {
        self.add_at(self.find(more.hash), more);
    }

    /// Adds to where the hash is, and tells whether the text of the value was known.
    #[inline]
    fn add_at(&mut self, at: usize, more: Counted) -> bool {
        if self.places.is_empty() {
            self.places = vec![Counted::default(); PLACES];
        }
        let place = &mut self.places[at];
        self.used += usize::from(place.count == 0);
        let (count, known) = (place.count.saturating_add(more.count), place.known);
        *place = Counted { count, known: known | more.known, ..more };
        known
    }

    fn iter(&self) -> impl Iterator<Item = &Counted> {
        self.places.iter().filter(|counted| counted.count > 0)
    }
}

impl Frequent {
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.used == 0 && self.missed == 0
    }

    #[inline]
    pub(crate) fn insert(&mut self, hash: u64, shown: impl FnOnce() -> String) {
        let mut at = self.counts.find(hash);
        if self.counts.used >= MOST && self.counts.is_free(at) {
            self.lower(MOST / 2);
            at = self.counts.find(hash);
        }
        let known = self.missed == 0 || !self.counts.is_free(at);
        let was_known = self.counts.add_at(at, Counted { hash, count: 1, known });
        if known && !was_known {
            self.texts.insert(hash, shown());
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.missed = self.missed.saturating_add(other.missed);
        other.counts.iter().for_each(|counted| self.counts.add(*counted));
        self.texts.extend(other.texts);
        self.shrink(MOST);
    }

    /// Keeps at most so many.
    pub(crate) fn shrink(&mut self, most: usize) {
        if self.counts.used > most {
            self.lower(most);
        }
    }

    /// Lowers all counts by the greatest that is not among the `keep` highest, and drops what comes to nothing.
    #[cold]
    fn lower(&mut self, keep: usize) {
        let repeated = self.counts.places.iter().map(|place| usize::from(place.count > 1)).sum::<usize>();
        let by = if repeated <= keep {
            // Most values come once.
            1
        } else {
            let mut counts: Vec<_> = self.counts.iter().map(|counted| counted.count).collect();
            *counts.select_nth_unstable_by(keep, |one, two| two.cmp(one)).1
        };
        self.missed = self.missed.saturating_add(by);
        let kept: Vec<_> = self.counts.iter().filter(|counted| counted.count > by).copied().collect();
        self.counts.places.fill(Counted::default());
        self.counts.used = 0;
        for counted in kept {
            self.counts.add(Counted { count: counted.count - by, ..counted });
        }
        self.texts.retain(|hash, _| self.counts.get(*hash).count > 0);
    }

    /// The most frequent ones that are known by their text.
    pub(crate) fn top(&self, most: usize) -> Vec<statistics::Frequent> {
        let known = self.counts.iter().filter_map(|counted| {
            let most = counted.count.saturating_add(self.missed);
            Some(statistics::Frequent {
                value: self.text(counted.hash)?.to_owned(),
                least: counted.count,
                most,
            })
        });
        let mut known: Vec<_> = known.collect();
        known.sort_unstable_by(|one, two| two.least.cmp(&one.least).then_with(|| one.value.cmp(&two.value)));
        known.truncate(most);
        known
    }

    /// Values with their counts, as hashes.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counts.iter().map(|counted| (counted.hash, counted.count))
    }

    /// Values that are known by their text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (u64, &str)> {
        self.texts.iter().map(|(hash, text)| (*hash, text.as_str()))
    }

    pub(crate) fn text(&self, hash: u64) -> Option<&str> {
        self.texts.get(&hash).map(String::as_str)
    }

    /// How much too low any count may be.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    pub(crate) fn count(&self, hash: u64) -> u64 {
        self.counts.get(hash).count
    }

    /// Hash, count and text, the most frequent first.
    fn sorted(&self) -> Vec<(u64, u64, Option<&str>)> {
        let values = self.counts.iter().map(|counted| (counted.hash, counted.count, self.text(counted.hash)));
        let mut sorted: Vec<_> = values.collect();
        sorted.sort_unstable_by_key(|(hash, count, _)| (std::cmp::Reverse(*count), *hash));
        sorted
    }
}

impl PartialEq for Frequent {
    fn eq(&self, other: &Self) -> bool {
        self.missed == other.missed && self.sorted() == other.sorted()
    }
}

/// The most frequent first: hash in hexadecimal digits, count, text.
impl Serialize for Frequent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values =
            self.sorted().into_iter().map(|(hash, count, text)| (format!("{hash:016x}"), count, text));
        (self.missed, values.collect::<Vec<_>>()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Frequent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let (missed, values) = <(u64, Vec<(String, u64, Option<String>)>)>::deserialize(deserializer)?;
        if values.len() > MOST {
            return Err(D::Error::custom("more frequent values than there may be"));
        }
        let mut frequent = Self { missed, ..Self::default() };
        for (hash, count, text) in values {
            let hash = u64::from_str_radix(&hash, 16).map_err(D::Error::custom)?;
            if count == 0 {
                return Err(D::Error::custom("a frequent value that never came"));
            }
            frequent.counts.add(Counted { hash, count, known: text.is_some() });
            frequent.texts.extend(text.map(|text| (hash, text)));
        }
        Ok(frequent)
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
                for (hash, count) in frequent.counts() {
                    prop_assert!(count <= 3 || frequent.text(hash).is_some());
                }
            }
            prop_assert!(merged.counts.used <= most);
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
        for wrong in [r#"[0,[["x",1,null]]]"#, r#"[0,[["1",0,null]]]"#] {
            assert!(serde_json::from_str::<Frequent>(wrong).is_err(), "{wrong}");
        }
    }
}
