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

/// How the keys of two tables differ, as far as their samples say: as shares of the keys of the other table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Churn {
    pub(crate) added: Share,
    pub(crate) removed: Share,
}

/// A share, with its standard error; 0 if all keys were compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share {
    pub(crate) value: f64,
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
    pub(crate) fn against(&self, before: &Self) -> Option<Churn> {
        let before = before.united(None)?;
        let Some(now) = self.united(None) else {
            let [added, removed] = [0.0, 1.0].map(|value| Share { value, error: 0.0 });
            return Some(Churn { added, removed });
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
        let exact = !now.is_estimation_mode() && !before.is_estimation_mode();
        // Of n keys of the sample that the other table has, a share is gone; new ones come beside them, however many.
        let share = |count: f64, variance: fn(f64) -> f64| {
            let value = count / of_before;
            let error = if exact { 0.0 } else { (variance(value) / of_before).sqrt() };
            Share { value, error }
        };
        let added = share(of_now - shared, |value| (value + value * value).max(0.25));
        Some(Churn { added, removed: share(of_before - shared, |_| 0.25) })
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

    fn exactly(added: f64, removed: f64) -> Option<Churn> {
        let [added, removed] = [added, removed].map(|value| Share { value, error: 0.0 });
        Some(Churn { added, removed })
    }

    #[test]
    fn few_keys_are_compared_exactly() {
        assert_eq!(of(0..3_000).against(&of(1_000..3_500)), exactly(0.4, 0.2));
        assert_eq!(of(0..5).against(&of(0..5)), exactly(0.0, 0.0));
        assert_eq!(of(0..5).against(&Keys::default()), None);
        assert_eq!(Keys::default().against(&of(0..5)), exactly(0.0, 1.0));
        assert_eq!(of(0..5).against(&of(5..10)), exactly(1.0, 1.0));
    }

    fn is_near(share: Share, expected: f64) {
        assert!((share.value - expected).abs() <= 3.0 * share.error, "{share:?} {expected}");
    }

    #[test]
    fn many_keys_are_compared_within_the_stated_error() {
        let churn = of(0..200_000).against(&of(20_000..220_000)).unwrap();
        assert!((0.001..0.02).contains(&churn.removed.error), "{churn:?}");
        is_near(churn.added, 0.1);
        is_near(churn.removed, 0.1);
        let mut small = of(0..200_000);
        small.shrink(8);
        let churn = small.against(&of(100_000..200_000)).unwrap();
        is_near(churn.added, 1.0);
        assert_eq!(churn.removed.value, 0.0);
    }

    #[test]
    fn the_stated_error_is_how_far_estimates_lie_apart() {
        for (now, before) in [(5_000..25_000, 0..20_000), (0..60_000, 0..20_000), (0..20_000, 0..50_000)] {
            let (both, of_before) = (before.end - now.start, before.end - before.start);
            let added = (now.end - now.start - both.min(now.end)) as f64 / of_before as f64;
            let [mut squares, mut stated] = [0.0; 2];
            for seed in 1..=60_u64 {
                let moved = |keys: std::ops::Range<u64>| of(keys.map(|key| key + (seed << 32)));
                let share = moved(now.clone()).against(&moved(before.clone())).unwrap().added;
                squares += (share.value - added).powi(2) / 60.0;
                stated += share.error / 60.0;
            }
            assert!(squares.sqrt() < 1.5 * stated, "{} {stated} {added}", squares.sqrt());
        }
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
