//! The keys of a table, so that two versions can tell how many they share.

use datasketches::theta::{
    CompactThetaSketch, ThetaIntersection, ThetaSketch, ThetaSketchBuilder, ThetaUnionBuilder,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::code;

/// A theta sketch of Apache DataSketches: the least 2^p hashes. It is exact up to so many keys, and beyond that
/// a sample of them, the same one in every version.
#[derive(Debug)]
pub(crate) struct Keys {
    p: u8,
    /// Takes keys as they come.
    open: Option<ThetaSketch>,
    /// Those of parts that were merged or stored.
    closed: Option<CompactThetaSketch>,
}

const MOST: u8 = 12;
const LEAST: u8 = 5;

impl Default for Keys {
    fn default() -> Self {
        Self { p: MOST, open: None, closed: None }
    }
}

/// How many keys two tables have in common and each alone, as far as their samples say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shared {
    /// Shares of the keys of the other table.
    pub(crate) added: f64,
    pub(crate) removed: f64,
    /// The standard error of either share; 0 if all keys were compared.
    pub(crate) error: f64,
}

impl Keys {
    #[inline]
    pub(crate) fn insert(&mut self, hash: u64) {
        let p = self.p;
        if self.open.is_none() {
            // The builder refuses only sizes that this module does not have.
            self.open = ThetaSketchBuilder::default().lg_k(p).build().ok();
        }
        if let Some(open) = &mut self.open {
            open.update(hash);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.p = self.p.min(other.p);
        self.closed = self.united(Some(other));
        self.open = None;
    }

    /// Keeps at most 2^p hashes.
    pub(crate) fn shrink(&mut self, p: u8) {
        if p.max(LEAST) < self.p {
            self.p = p.max(LEAST);
            self.closed = self.united(None);
            self.open = None;
        }
    }

    fn united(&self, other: Option<&Self>) -> Option<CompactThetaSketch> {
        let mut union = ThetaUnionBuilder::default().lg_k(self.p).build().ok()?;
        let mut any = false;
        for keys in std::iter::once(self).chain(other) {
            // The seeds are all the same, which is what these can complain of.
            any |= keys.open.as_ref().is_some_and(|open| union.update(open).is_ok());
            any |= keys.closed.as_ref().is_some_and(|closed| union.update(closed).is_ok());
        }
        any.then(|| union.to_sketch(true))
    }

    /// Compares with the keys of a table before; none if that had none.
    pub(crate) fn against(&self, before: &Self) -> Option<Shared> {
        let before = before.united(None)?;
        let Some(now) = self.united(None) else {
            return Some(Shared { added: 0.0, removed: 1.0, error: 0.0 });
        };
        let mut both = ThetaIntersection::default();
        both.update(&now).ok()?;
        both.update(&before).ok()?;
        let both = both.to_sketch(false)?;
        // Hashes below the lower of the two bounds are what both samples have all of.
        let bound = now.theta64().min(before.theta64());
        let below =
            |sketch: &CompactThetaSketch| sketch.iter().filter(|entry| entry.hash() < bound).count() as f64;
        let (of_now, of_before, shared) = (below(&now), below(&before), below(&both));
        if of_before == 0.0 {
            return None;
        }
        let removed = (of_before - shared) / of_before;
        let exact = !now.is_estimation_mode() && !before.is_estimation_mode();
        let error = if exact { 0.0 } else { 0.5 / of_before.sqrt() };
        Some(Shared { added: (of_now - shared) / of_before, removed, error })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.p];
        if let Some(whole) = self.united(None) {
            out.extend(whole.serialize_compressed());
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&p, rest) = bytes.split_first()?;
        let closed = match rest {
            [] => None,
            rest => Some(CompactThetaSketch::deserialize(rest).ok()?),
        };
        (LEAST..=MOST).contains(&p).then_some(Self { p, open: None, closed })
    }
}

impl Clone for Keys {
    fn clone(&self) -> Self {
        Self { p: self.p, open: None, closed: self.united(None) }
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.encode() == other.encode()
    }
}

impl Serialize for Keys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        code::serialize(&self.encode(), serializer)
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        code::deserialize(deserializer, "no sketch of keys", Self::decode)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sketch::hash;

    fn of(keys: impl IntoIterator<Item = u64>) -> Keys {
        let mut sketch = Keys::default();
        keys.into_iter().for_each(|key| sketch.insert(hash(0, &key.to_le_bytes())));
        sketch
    }

    #[test]
    fn few_keys_are_compared_exactly() {
        let shared = of(0..3_000).against(&of(1_000..3_500)).unwrap();
        assert_eq!(shared, Shared { added: 0.4, removed: 0.2, error: 0.0 });
        assert_eq!(of(0..5).against(&of(0..5)).unwrap(), Shared { added: 0.0, removed: 0.0, error: 0.0 });
        assert_eq!(of(0..5).against(&Keys::default()), None);
        assert_eq!(Keys::default().against(&of(0..5)).unwrap().removed, 1.0);
        assert_eq!(of(0..5).against(&of(5..10)).unwrap(), Shared { added: 1.0, removed: 1.0, error: 0.0 });
    }

    #[test]
    fn many_keys_are_compared_within_the_stated_error() {
        let shared = of(0..200_000).against(&of(20_000..220_000)).unwrap();
        assert!((0.001..0.02).contains(&shared.error), "{shared:?}");
        assert!((shared.added - 0.1).abs() < 4.0 * shared.error, "{shared:?}");
        assert!((shared.removed - 0.1).abs() < 4.0 * shared.error, "{shared:?}");
        let mut small = of(0..200_000);
        small.shrink(8);
        let shared = small.against(&of(100_000..200_000)).unwrap();
        assert!((shared.added - 1.0).abs() < 6.0 * shared.error && shared.removed == 0.0, "{shared:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn order_split_size_and_storing_change_nothing(
            keys in prop::collection::vec((0..20_000_u64, 0..3_usize), 0..9_000), p in 5..=12_u8, early: bool,
        ) {
            let mut whole = of(keys.iter().map(|(key, _)| *key));
            whole.shrink(p);
            let mut merged = Keys::default();
            for part in [2, 0, 1] {
                let mut part = of(keys.iter().rev().filter(|(_, of)| *of == part).map(|(key, _)| *key));
                if early {
                    part.shrink(p);
                }
                merged.merge(&serde_json::from_str(&serde_json::to_string(&part).unwrap()).unwrap());
            }
            merged.shrink(p);
            prop_assert_eq!(&merged, &whole);
            prop_assert!(merged.encode().len() <= 32 + 8 * (1 << p));
        }
    }
}
