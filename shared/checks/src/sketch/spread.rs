//! Least, greatest, mean, deviation and distribution of numbers.

use serde::{Deserialize, Serialize};

use super::{Buckets, Scale};

/// What is kept of many numbers.
///
/// Count, ends and buckets are exact in any order and split, mean and squares to some 1e-12 of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) count: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) least: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) most: Option<f64>,
    pub(crate) mean: f64,
    /// The sum of the squares of the distances from the mean.
    pub(crate) squares: f64,
    pub(crate) buckets: Buckets,
}

impl Default for Spread {
    fn default() -> Self {
        Self::new(Scale::Magnitude)
    }
}

impl Spread {
    pub(crate) fn new(scale: Scale) -> Self {
        let buckets = Buckets::new(scale);
        Self { count: 0, least: None, most: None, mean: 0.0, squares: 0.0, buckets }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[inline]
    pub(crate) fn insert(&mut self, value: f64) {
        self.count = self.count.saturating_add(1);
        self.least = Some(self.least.map_or(value, |least| least.min(value)));
        self.most = Some(self.most.map_or(value, |most| most.max(value)));
        // The next value waits for this mean, but not for the division.
        let share = 1.0 / self.count as f64;
        let distance = value - self.mean;
        self.mean += distance * share;
        self.squares += distance * (value - self.mean);
        self.buckets.insert(value);
    }

    /// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances".
    pub(crate) fn merge(&mut self, other: Self) {
        let either = |one: Option<f64>, two: Option<f64>, choose: fn(f64, f64) -> f64| match (one, two) {
            (Some(one), Some(two)) => Some(choose(one, two)),
            (one, two) => one.or(two),
        };
        let count = self.count.saturating_add(other.count);
        if other.count > 0 {
            let share = other.count as f64 / count as f64;
            let distance = other.mean - self.mean;
            self.squares += other.squares + distance * distance * share * self.count as f64;
            self.mean += distance * share;
        }
        self.count = count;
        self.least = either(self.least, other.least, f64::min);
        self.most = either(self.most, other.most, f64::max);
        self.buckets.merge(other.buckets);
    }

    /// The mean; none of no values.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// The quantile, within the ends that are known exactly.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        match (self.least, self.most) {
            (Some(least), Some(most)) if share <= 0.0 || share >= 1.0 => {
                Some(if share <= 0.0 { least } else { most })
            }
            (Some(least), Some(most)) => Some(self.buckets.quantile(share)?.clamp(least, most)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let mut spread = Spread::default();
        values.into_iter().for_each(|value| spread.insert(value));
        spread
    }

    proptest! {
        #[test]
        fn moments_are_those_of_all_values_in_any_order_and_split(
            values in vec((-1e6..1e6_f64, 0..3_usize), 1..200), offset in prop_oneof![Just(0.0), Just(1e6)],
        ) {
            let values: Vec<_> = values.into_iter().map(|(value, part)| (value + offset, part)).collect();
            let mut merged = Spread::default();
            for part in [2, 0, 1] {
                merged.merge(of(values.iter().filter(|(_, of)| *of == part).map(|(value, _)| *value)));
            }
            let count = values.len() as f64;
            let mean = values.iter().map(|(value, _)| value).sum::<f64>() / count;
            let squares = values.iter().map(|(value, _)| (value - mean).powi(2)).sum::<f64>();
            for spread in [&merged, &of(values.iter().map(|(value, _)| *value))] {
                prop_assert!((spread.mean - mean).abs() <= 1e-9 * mean.abs().max(1.0), "{} {mean}", spread.mean);
                prop_assert!((spread.squares - squares).abs() <= 1e-9 * squares.max(1.0), "{} {squares}", spread.squares);
                prop_assert_eq!(spread.count, values.len() as u64);
                let least = values.iter().map(|(value, _)| *value).fold(f64::INFINITY, f64::min);
                prop_assert_eq!(spread.quantile(0.0), Some(least));
                let json = serde_json::to_string(spread).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Spread>(&json).unwrap(), spread);
            }
            prop_assert_eq!(&merged.buckets, &of(values.iter().map(|(value, _)| *value)).buckets);
        }
    }

    #[test]
    fn nothing_has_no_mean_and_no_quantile() {
        let mut empty = Spread::default();
        assert_eq!((empty.mean(), empty.quantile(0.5)), (None, None));
        empty.merge(Spread::default());
        assert_eq!((empty.mean(), empty.squares), (None, 0.0));
        let one = of([7.5]);
        assert_eq!((one.mean(), one.squares, one.quantile(0.5)), (Some(7.5), 0.0, Some(7.5)));
    }
}
