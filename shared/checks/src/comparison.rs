//! Two distributions in the same bins, for people to see what a rule measured.

use serde::{Deserialize, Serialize};

use crate::sketch::{Frequent, Spread};
use crate::values::Values;

/// What was seen of a version, and of those before it, in bins that are the same for both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What was counted.
    pub of: Counted,
    /// As people know the other side: `version 41`, `7 versions together`.
    pub against: String,
    /// This version's.
    pub now: Side,
    /// Those of the version before, or of several together.
    pub before: Side,
    /// In order; together they hold all values of both sides.
    pub bins: Vec<Bin>,
    /// Of what has an order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<Quantile>,
    /// A value may be counted as another that is so far off, as a share of it; quantiles likewise.
    pub within: f64,
}

/// What a distribution is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// The numbers themselves.
    Numbers,
    /// Elements of lists and sets, members of maps.
    Elements,
    /// Characters of strings.
    Characters,
    /// Strings, the most frequent by themselves.
    Values,
    /// True and false.
    Truths,
}

/// One of the two distributions as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Values; nulls are none.
    pub count: u64,
    /// The least, of what has an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
    /// The greatest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<f64>,
    /// The mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Of frequent values: each may come so many times more often than is counted; those times are among
    /// [`Span::Others`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed: u64,
}

/// How many values lie in a bin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Which values.
    pub span: Span,
    /// This version's.
    pub now: u64,
    /// Those before.
    pub before: u64,
}

/// Which values lie in a bin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// Numbers from the first to below the second; none if there is no end.
    Range(Option<f64>, Option<f64>),
    /// This value, as an example shows it.
    Value(String),
    /// All that have no bin of their own.
    Others,
}

/// A quantile of both sides; none of no values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// From 0 to 1.
    pub share: f64,
    /// This version's.
    pub now: Option<f64>,
    /// Those before.
    pub before: Option<f64>,
}

/// About so many bins, beside the two ends.
const BINS: f64 = 10.0;
/// Bins of unequal width are cut at powers of ten beyond so many.
const MOST_EDGES: i32 = 13;
/// From the least to the greatest so many times as much, bins of equal width tell nothing.
const WIDE: f64 = 500.0;
/// What lies beyond these quantiles has the open bins at the ends.
const ENDS: [f64; 2] = [0.005, 0.995];
const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];
/// Values with bins of their own.
const MOST_VALUES: usize = 10;

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Compares the numbers of two places, and their quantile `also`.
pub(crate) fn numbers(now: &Values, before: &Values, against: &str, also: Option<f64>) -> Comparison {
    spreads(Counted::Numbers, &now.numbers, &before.numbers, against, also)
}

/// Compares how many elements lists have.
pub(crate) fn elements(now: &Values, before: &Values, against: &str) -> Comparison {
    spreads(Counted::Elements, &now.sizes, &before.sizes, against, None)
}

/// Compares strings by the most frequent ones, and by their lengths where those are not most of them.
pub(crate) fn strings(now: &Values, before: &Values, against: &str) -> Vec<Comparison> {
    let lengths = spreads(Counted::Characters, &now.lengths, &before.lengths, against, None);
    let side = |values: &Values| Side { missed: values.frequent.missed(), ..Side::of(values.lengths.count) };
    let mut bins = now.frequent.beside(&before.frequent);
    let share = |count: u64, of: &Values| count as f64 / of.lengths.count.max(1) as f64;
    let weight = |bin: &Bin| share(bin.now, now).max(share(bin.before, before));
    bins.sort_by(|one, two| weight(two).total_cmp(&weight(one)));
    bins.truncate(MOST_VALUES);
    if bins.is_empty() {
        return vec![lengths];
    }
    let seen = bins.iter().fold((0, 0), |seen, bin| (seen.0 + bin.now, seen.1 + bin.before));
    let others = Bin {
        span: Span::Others,
        now: now.lengths.count.saturating_sub(seen.0),
        before: before.lengths.count.saturating_sub(seen.1),
    };
    let most = |others: u64, all: u64| 2 * others > all;
    let rest = most(others.now, now.lengths.count) || most(others.before, before.lengths.count);
    bins.extend((others.now + others.before > 0).then_some(others));
    let values = Comparison {
        of: Counted::Values,
        against: against.to_owned(),
        now: side(now),
        before: side(before),
        bins,
        quantiles: Vec::new(),
        within: 0.0,
    };
    std::iter::once(values).chain(rest.then_some(lengths)).collect()
}

/// Compares true and false; the counts are of all truth values.
pub(crate) fn truths(now: (&Values, u64), before: (&Values, u64), against: &str) -> Comparison {
    let bin = |value: &str, now, before| Bin { span: Span::Value(value.to_owned()), now, before };
    Comparison {
        of: Counted::Truths,
        against: against.to_owned(),
        now: Side::of(now.1),
        before: Side::of(before.1),
        bins: vec![
            bin("true", now.0.trues, before.0.trues),
            bin("false", now.1.saturating_sub(now.0.trues), before.1.saturating_sub(before.0.trues)),
        ],
        quantiles: Vec::new(),
        within: 0.0,
    }
}

impl Side {
    fn of(count: u64) -> Self {
        Self { count, least: None, most: None, mean: None, missed: 0 }
    }

    fn of_spread(spread: &Spread) -> Self {
        Self { least: spread.least, most: spread.most, mean: spread.mean(), ..Self::of(spread.count) }
    }
}

fn spreads(of: Counted, now: &Spread, before: &Spread, against: &str, also: Option<f64>) -> Comparison {
    let edges = edges(now, before, of != Counted::Numbers);
    let ends = std::iter::once(None).chain(edges.iter().copied().map(Some));
    let mut bins: Vec<_> = ends
        .zip(edges.iter().copied().map(Some).chain([None]))
        .map(|(from, below)| Bin { span: Span::Range(from, below), now: 0, before: 0 })
        .collect();
    for (value, of_now, of_before) in now.buckets.aligned(&before.buckets) {
        let bin = &mut bins[edges.partition_point(|edge| *edge <= value)];
        (bin.now, bin.before) = (bin.now.saturating_add(of_now), bin.before.saturating_add(of_before));
    }
    let is_end = |bin: &Bin| matches!(bin.span, Span::Range(None, _) | Span::Range(_, None));
    bins.retain(|bin| !is_end(bin) || bin.now + bin.before > 0);
    let mut shares: Vec<_> = QUANTILES.into_iter().chain(also).collect();
    shares.sort_by(f64::total_cmp);
    shares.dedup();
    let quantile = |share: f64| Quantile { share, now: now.quantile(share), before: before.quantile(share) };
    Comparison {
        of,
        against: against.to_owned(),
        now: Side::of_spread(now),
        before: Side::of_spread(before),
        bins,
        quantiles: shares.into_iter().map(quantile).collect(),
        within: now.buckets.error().max(before.buckets.error()),
    }
}

/// Round numbers around what nearly all values of both sides are; never none.
fn edges(now: &Spread, before: &Spread, whole: bool) -> Vec<f64> {
    let end = |share: f64| [now, before].into_iter().filter_map(move |spread| spread.quantile(share));
    let least = end(ENDS[0]).fold(f64::INFINITY, f64::min);
    let most = end(ENDS[1]).fold(f64::NEG_INFINITY, f64::max);
    if !least.is_finite() || !most.is_finite() {
        return vec![0.0];
    }
    match least > 0.0 && most / least >= WIDE {
        true => magnitudes(least, most),
        false => equal(least, most, whole),
    }
}

fn power_of_ten(value: f64) -> i32 {
    value.log10().floor() as i32
}

/// `digit` times a power of ten, without the errors that adding up has.
fn round(digit: f64, power: i32) -> f64 {
    match power {
        0.. => digit * 10_f64.powi(power),
        _ => digit / 10_f64.powi(-power),
    }
}

/// Edges of bins that are equally wide.
fn equal(least: f64, most: f64, whole: bool) -> Vec<f64> {
    let width = match most - least {
        // One value: a bin about as wide as a tenth of it.
        0.0 => least.abs() / BINS,
        range => range / BINS,
    };
    let mut power = if width > 0.0 { power_of_ten(width) } else { 0 };
    let digits = [1.0, 2.0, 5.0, 10.0];
    let mut digit = digits.into_iter().find(|digit| round(*digit, power) >= width * 0.999).unwrap_or(10.0);
    if whole && power < 0 {
        (power, digit) = (0, 1.0);
    }
    let step = round(digit, power);
    let first = (least / step).floor();
    let count = ((most / step).floor() - first) as i32 + 1;
    (0..=count).map(|at| round((first + f64::from(at)) * digit, power)).collect()
}

/// Edges at 1, 2, 5, 10, 20, 50 and so on, or at powers of ten.
fn magnitudes(least: f64, most: f64) -> Vec<f64> {
    let (first, last) = (power_of_ten(least), power_of_ten(most) + 1);
    let decades = last - first;
    if decades * 3 <= MOST_EDGES {
        let all = (first..=last).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| round(digit, power)));
        let all: Vec<_> = all.collect();
        let from = all.partition_point(|edge| *edge <= least).saturating_sub(1);
        let to = all.partition_point(|edge| *edge <= most).min(all.len() - 1);
        return all[from..=to].to_vec();
    }
    let step = (decades / MOST_EDGES + 1) as usize;
    let mut edges: Vec<_> = (first..last).step_by(step).map(|power| round(1.0, power)).collect();
    edges.push(round(1.0, last));
    edges
}

impl Frequent {
    /// Bins of all values that either side knows by their text.
    fn beside(&self, other: &Self) -> Vec<Bin> {
        let new = other.texts().filter(|(hash, _)| self.text(*hash).is_none());
        let bins = self.texts().chain(new).map(|(hash, text)| Bin {
            span: Span::Value(text.to_owned()),
            now: self.count(hash),
            before: other.count(hash),
        });
        let mut bins: Vec<_> = bins.collect();
        // So that equal ones have an order of their own, whatever that of the hashes.
        bins.sort_by(|one, two| match (&one.span, &two.span) {
            (Span::Value(one), Span::Value(two)) => one.cmp(two),
            _ => std::cmp::Ordering::Equal,
        });
        bins
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let mut spread = Spread::default();
        values.into_iter().for_each(|value| spread.insert(value));
        spread
    }

    fn ranges(comparison: &Comparison) -> Vec<(Option<f64>, Option<f64>, u64, u64)> {
        let bins = comparison.bins.iter().map(|bin| match bin.span {
            Span::Range(from, below) => (from, below, bin.now, bin.before),
            _ => panic!("{bin:?}"),
        });
        bins.collect()
    }

    #[test]
    fn small_whole_numbers_have_a_bin_each() {
        let found = spreads(Counted::Elements, &of([1.0, 2.0, 2.0, 4.0]), &of([2.0]), "v", None);
        let expected: Vec<_> = [(1.0, 1, 0), (2.0, 2, 1), (3.0, 0, 0), (4.0, 1, 0)]
            .map(|(from, now, before)| (Some(from), Some(from + 1.0), now, before))
            .into();
        assert_eq!(ranges(&found), expected);
    }

    #[test]
    fn edges_are_round_and_far_values_lie_beyond_them() {
        let mut values: Vec<_> = (0..1000).map(|at| f64::from(at) / 1000.0).collect();
        values.extend([50.0, -3.0]);
        let found = spreads(Counted::Numbers, &of(values), &of([0.5]), "v", Some(0.99));
        let edges: Vec<_> = ranges(&found).iter().map(|(from, ..)| *from).collect();
        let tenths = (0..=10).map(|at| Some(f64::from(at) / 10.0));
        assert_eq!(edges, std::iter::once(None).chain(tenths).collect::<Vec<_>>());
        let ends = ranges(&found);
        assert_eq!((ends[0].2, ends[ends.len() - 1].2), (1, 1));
        assert!(found.quantiles.iter().any(|quantile| quantile.share == 0.99));
    }

    #[test]
    fn many_magnitudes_have_bins_of_unequal_width() {
        let found = spreads(Counted::Numbers, &of((0..4).map(|at| 10_f64.powi(at))), &of([7.0]), "v", None);
        let edges: Vec<_> = ranges(&found).iter().filter_map(|(from, ..)| *from).collect();
        assert_eq!(edges, [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]);
        let found = spreads(Counted::Numbers, &of([1e-100, 1e100]), &of([7.0]), "v", None);
        assert!(found.bins.len() <= 16, "{}", found.bins.len());
    }

    proptest! {
        #[test]
        fn bins_hold_all_values_of_both_sides_and_are_few(
            now in prop::collection::vec(number(), 0..60), before in prop::collection::vec(number(), 0..60),
        ) {
            for of_what in [Counted::Numbers, Counted::Elements] {
                let found = spreads(of_what, &of(now.iter().copied()), &of(before.iter().copied()), "v", None);
                let sums = found.bins.iter().fold((0, 0), |sum, bin| (sum.0 + bin.now, sum.1 + bin.before));
                prop_assert_eq!(sums, (now.len() as u64, before.len() as u64));
                prop_assert!(found.bins.len() <= 18, "{:?}", found.bins);
                let edges: Vec<_> = ranges(&found).iter().filter_map(|(from, ..)| *from).collect();
                prop_assert!(edges.windows(2).all(|pair| pair[0] < pair[1]), "{edges:?}");
            }
        }
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            -2.0..2.0_f64,
            Just(0.0),
            (0..200_u32).prop_map(f64::from),
            (-125..125_i32, -9.0..9.0_f64).prop_map(|(power, digit)| digit * 10.0_f64.powi(power)),
        ]
    }
}
