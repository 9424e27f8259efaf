//! How values are distributed: how many lie in each of few ranges.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::code;

/// Counts by bucket, with quantiles within the width of one.
///
/// Buckets of magnitudes are cut where the sixth binary digit changes, so that a value is within 0.8 % of the
/// middle of its bucket, whole numbers below 128 have a bucket each, and no logarithm that one machine rounds
/// otherwise than another decides. When there are too many, pairs of neighbours become one (as UDDSketch does,
/// arXiv 2004.08604), which doubles the width. How often that happens depends on the values alone, not on their
/// order or split.
#[derive(Debug, Clone)]
pub(crate) struct Buckets {
    scale: Scale,
    /// How often pairs were made one.
    level: u8,
    /// Sorted by bucket, none of them empty.
    counts: Vec<(i32, u64)>,
    /// Counts that are not among those yet, side by side from the bucket `first` on.
    fresh: Vec<u64>,
    first: i32,
}

/// Where buckets are cut.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// By magnitude, of either sign.
    #[default]
    Magnitude,
    /// Every 3,600: seconds by the hour.
    Hours,
}

/// Most buckets while values come.
pub(crate) const MOST: usize = 1024;

/// Binary digits of a magnitude that are part of its bucket at level 0, beside the exponent.
const DIGITS: u32 = 6;
/// At this level a bucket spans many orders of magnitude, and there are few of them.
const LAST_LEVEL: u8 = 15;
const HOUR: f64 = 3_600.0;
/// Most buckets that are counted side by side, and how many are added at either end.
const WIDEST: usize = 4096;
const ROOM: i32 = 32;

impl Buckets {
    pub(crate) fn new(scale: Scale) -> Self {
        Self { scale, level: 0, counts: Vec::new(), fresh: Vec::new(), first: 0 }
    }

    #[inline]
    pub(crate) fn insert(&mut self, value: f64) {
        let bucket = self.scale.bucket(value, self.level);
        let place = i64::from(bucket) - i64::from(self.first);
        match usize::try_from(place).ok().and_then(|place| self.fresh.get_mut(place)) {
            Some(count) => *count += 1,
            None => self.insert_beside(bucket),
        }
    }

    /// Inserts into a bucket that the fresh counts do not reach to.
    #[cold]
    fn insert_beside(&mut self, bucket: i32) {
        let end = self.first.saturating_add_unsigned(self.fresh.len() as u32);
        let (low, high) = match self.fresh.is_empty() {
            true => (bucket, bucket),
            false => (bucket.min(self.first), bucket.max(end - 1)),
        };
        match usize::try_from(i64::from(high) - i64::from(low)) {
            Ok(width) if width < WIDEST => {
                // Room to both sides, so that this happens seldom.
                let low = low.saturating_sub(ROOM);
                let before = self.first.abs_diff(low) as usize;
                let shift = if self.fresh.is_empty() { 0 } else { before };
                self.fresh.splice(0..0, std::iter::repeat_n(0, shift));
                self.fresh.resize(width + 1 + 2 * ROOM as usize, 0);
                self.first = low;
            }
            _ => {
                self.settle();
                self.fresh = vec![0; 1 + 2 * ROOM as usize];
                self.first = bucket.saturating_sub(ROOM);
            }
        }
        self.fresh[self.first.abs_diff(bucket) as usize] += 1;
    }

    /// Puts fresh counts to the others.
    fn settle(&mut self) {
        let fresh = std::mem::take(&mut self.fresh);
        let fresh = (self.first..).zip(fresh).filter(|(_, count)| *count > 0);
        self.counts.extend(fresh);
        self.counts.sort_unstable();
        self.unite();
        self.shrink(MOST);
    }

    fn settled(&self) -> Self {
        let mut settled = self.clone();
        settled.settle();
        settled
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.settle();
        let mut other = other.settled();
        let level = self.level.max(other.level);
        self.raise(level);
        other.raise(level);
        self.counts.extend(other.counts);
        self.counts.sort_unstable();
        self.unite();
        self.shrink(MOST);
    }

    /// Makes buckets wider until there are at most so many.
    pub(crate) fn shrink(&mut self, most: usize) {
        if !self.fresh.is_empty() {
            self.settle();
        }
        while self.counts.len() > most && self.level < LAST_LEVEL {
            self.raise(self.level + 1);
        }
    }

    fn raise(&mut self, level: u8) {
        if level > self.level {
            let steps = level - self.level;
            self.counts.iter_mut().for_each(|(bucket, _)| *bucket = self.scale.wider(*bucket, steps));
            self.level = level;
            self.unite();
        }
    }

    fn unite(&mut self) {
        self.counts.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
    }

    fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The middle of the bucket in which the value of this rank lies; `share` is 0 for the least, 1 for the
    /// greatest. None of no values.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let settled = self.settled();
        let last = settled.total().checked_sub(1)?;
        let rank = (share.clamp(0.0, 1.0) * last as f64).round() as u64;
        let mut before = 0_u64;
        let (bucket, _) = settled.counts.iter().find(|(_, count)| {
            before = before.saturating_add(*count);
            before > rank
        })?;
        Some(self.scale.middle(*bucket, settled.level))
    }

    /// How far a quantile may be from the value it stands for: as a share of it, in seconds for hours.
    pub(crate) fn error(&self) -> f64 {
        let level = self.settled().level;
        match self.scale {
            Scale::Magnitude => {
                let width = 2.0_f64.powi(i32::from(level) - DIGITS as i32);
                // Beyond six steps a bucket holds whole powers of two.
                if level <= DIGITS as u8 { width / 2.0 } else { 1.0 }
            }
            Scale::Hours => HOUR / 2.0 * 2.0_f64.powi(level.into()),
        }
    }

    /// Buckets that either has, in order, with the counts of both; as wide as the wider ones.
    pub(crate) fn beside(&self, other: &Self) -> Vec<(u64, u64)> {
        self.aligned(other).into_iter().map(|(_, left, right)| (left, right)).collect()
    }

    /// As [`beside`](Self::beside), with the middle of each bucket.
    pub(crate) fn aligned(&self, other: &Self) -> Vec<(f64, u64, u64)> {
        let (mut left, mut right) = (self.settled(), other.settled());
        let level = left.level.max(right.level);
        left.raise(level);
        right.raise(level);
        let mut all: Vec<_> = left.counts.iter().map(|(bucket, count)| (*bucket, *count, 0)).collect();
        all.extend(right.counts.iter().map(|(bucket, count)| (*bucket, 0, *count)));
        all.sort_unstable_by_key(|(bucket, ..)| *bucket);
        all.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                (kept.1, kept.2) = (kept.1 + next.1, kept.2 + next.2);
            }
            same
        });
        let middle = |bucket: i32| self.scale.middle(bucket, level);
        all.into_iter().map(|(bucket, left, right)| (middle(bucket), left, right)).collect()
    }

    fn encode(&self) -> Vec<u8> {
        let settled = self.settled();
        let mut out = vec![settled.scale as u8, settled.level];
        let mut last = 0;
        for (bucket, count) in &settled.counts {
            code::put(&mut out, code::fold(i64::from(*bucket) - last));
            code::put(&mut out, *count);
            last = i64::from(*bucket);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[scale, level], mut rest) = bytes.split_first_chunk()?;
        let scale = match scale {
            0 => Scale::Magnitude,
            1 => Scale::Hours,
            _ => return None,
        };
        if level > LAST_LEVEL {
            return None;
        }
        let mut counts: Vec<(i32, u64)> = Vec::new();
        while !rest.is_empty() {
            let last = counts.last().map_or(0, |(bucket, _)| i64::from(*bucket));
            let bucket = i32::try_from(last.checked_add(code::unfold(code::take(&mut rest)?))?).ok()?;
            let count = code::take(&mut rest)?;
            if count == 0 || counts.last().is_some_and(|(last, _)| *last >= bucket) {
                return None;
            }
            counts.push((bucket, count));
        }
        Some(Self { level, counts, ..Self::new(scale) })
    }
}

impl Scale {
    #[inline]
    fn bucket(self, value: f64, level: u8) -> i32 {
        match self {
            // The exponent and the first digits, as they lie side by side in memory. No number of DynamoDB but
            // zero is so small that its bucket would be 0 at any level.
            Self::Magnitude => {
                let magnitude =
                    (value.abs().to_bits() >> (f64::MANTISSA_DIGITS - 1 - DIGITS)) as i32 >> level;
                if value < 0.0 { -magnitude } else { magnitude }
            }
            Self::Hours => (value / HOUR).floor().clamp(-1e9, 1e9) as i32 >> level,
        }
    }

    fn wider(self, bucket: i32, steps: u8) -> i32 {
        match self {
            Self::Magnitude => (bucket.abs() >> steps) * bucket.signum(),
            Self::Hours => bucket >> steps,
        }
    }

    fn middle(self, bucket: i32, level: u8) -> f64 {
        let (low, high) = self.ends(bucket, level);
        if low == high { low } else { low + (high - low) / 2.0 }
    }

    /// The least value of a bucket and the least beyond it; of zero's both are zero.
    fn ends(self, bucket: i32, level: u8) -> (f64, f64) {
        match self {
            Self::Magnitude => {
                let edge = |magnitude: u64| {
                    let bits = magnitude << level << (f64::MANTISSA_DIGITS - 1 - DIGITS);
                    f64::from_bits(bits).min(f64::MAX)
                };
                let magnitude = u64::from(bucket.unsigned_abs());
                match bucket {
                    0 => (0.0, 0.0),
                    1.. => (edge(magnitude), edge(magnitude + 1)),
                    _ => (-edge(magnitude + 1), -edge(magnitude)),
                }
            }
            Self::Hours => {
                let width = HOUR * 2.0_f64.powi(level.into());
                (f64::from(bucket) * width, (f64::from(bucket) + 1.0) * width)
            }
        }
    }
}

impl PartialEq for Buckets {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (self.settled(), other.settled());
        (one.scale, one.level, one.counts) == (two.scale, two.level, two.counts)
    }
}

impl Serialize for Buckets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        code::serialize(&self.encode(), serializer)
    }
}

impl<'de> Deserialize<'de> for Buckets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        code::deserialize(deserializer, "no buckets", Self::decode)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn of(scale: Scale, values: impl IntoIterator<Item = f64>) -> Buckets {
        let mut buckets = Buckets::new(scale);
        values.into_iter().for_each(|value| buckets.insert(value));
        buckets
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            -2.0..2.0_f64,
            (-130..125_i32, -9.0..9.0_f64).prop_map(|(power, digit)| digit * 10.0_f64.powi(power)),
            Just(0.0),
            (0..200_u32).prop_map(f64::from),
        ]
    }

    proptest! {
        #[test]
        fn order_split_size_and_storing_change_nothing(
            values in vec((value(), any::<bool>()), 0..400), most in 4..500_usize, hours: bool,
        ) {
            let scale = if hours { Scale::Hours } else { Scale::Magnitude };
            let mut whole = of(scale, values.iter().map(|(value, _)| *value));
            whole.shrink(most);
            let of = |side| of(scale, values.iter().rev().filter(|(_, left)| *left == side).map(|(value, _)| *value));
            let (mut left, mut right) = (of(true), of(false));
            right.shrink(most);
            left.merge(right);
            left.shrink(most);
            prop_assert_eq!(&left, &whole);
            prop_assert!(whole.settled().counts.len() <= most.max(9), "{}", whole.counts.len());
            prop_assert_eq!(whole.total(), values.len() as u64);
            let json = serde_json::to_string(&left).unwrap();
            prop_assert_eq!(serde_json::from_str::<Buckets>(&json).unwrap(), whole);
        }

        #[test]
        fn quantiles_are_within_the_stated_error_of_the_value_of_their_rank(
            mut values in vec(value(), 1..300), share in 0.0..=1.0_f64, most in 32..500_usize,
        ) {
            let mut buckets = of(Scale::Magnitude, values.iter().copied());
            buckets.shrink(most);
            values.sort_unstable_by(f64::total_cmp);
            let exact = values[(share * (values.len() - 1) as f64).round() as usize];
            let found = buckets.quantile(share).unwrap();
            if buckets.level <= 6 {
                let within = buckets.error() * exact.abs() * (1.0 + 1e-12);
                prop_assert!((found - exact).abs() <= within, "{found} {exact} {}", buckets.error());
            }
            let mut hours = of(Scale::Hours, values.iter().map(|value| value * 1e9));
            hours.shrink(most);
            let found = hours.quantile(share).unwrap();
            let exact = (exact * 1e9).clamp(-3.6e12, 3.6e12);
            prop_assert!((found - exact).abs() <= hours.error() + 1e-3, "{found} {exact}");
        }
    }

    #[test]
    fn small_whole_numbers_have_buckets_of_their_own() {
        let buckets = of(Scale::Magnitude, (0..128).map(f64::from));
        assert_eq!(buckets.settled().counts.len(), 128);
        assert!(buckets.error() < 0.008);
        let negative = of(Scale::Magnitude, [-1.0, 0.0, -0.0, 1.0]);
        assert_eq!(negative.settled().counts.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(
            of(Scale::Hours, [-1.0, 0.0, 3_599.0, 3_600.0]).settled().counts,
            [(-1, 1), (0, 2), (1, 1)]
        );
    }

    #[test]
    fn what_is_no_sketch_is_refused() {
        for wrong in
            [&[][..], &[2, 0], &[0, 16], &[0, 0, 2], &[0, 0, 2, 0], &[0, 0, 2, 1, 0, 1], &[0, 0, 2, 1, 1, 1]]
        {
            assert_eq!(Buckets::decode(wrong), None, "{wrong:?}");
        }
    }
}
