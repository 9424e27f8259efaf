//! What a part of a table, chosen by chance, says of all of it.
//!
//! A table is divided into many segments, of which some are read. They are read in groups, each of which is a sample
//! by itself, so how far the groups lie apart tells how far all of them together may lie from the table, whatever is
//! measured and however alike the items of one segment are (the method of random groups; Wolter, *Introduction to
//! Variance Estimation*). Shares have the interval of Wilson (1927), with as many trials as the groups' distance leaves.

use std::fmt;

use septet_contract::{Condition, Distance, Number};
use serde::{Deserialize, Serialize};

use crate::profile::{Place, Profile};

/// In percent, how often an [`Interval`] has the truth within it.
pub const CONFIDENCE: u32 = 99;

/// Two sides of the normal distribution leave 1 % outside.
const NORMAL: f64 = 2.575_829_303_548_901;

/// From fewer groups nothing is said.
pub(crate) const FEWEST_GROUPS: usize = 8;

/// So many times may nothing have been seen of what is there, with [`CONFIDENCE`]: −ln 0.005.
const UNSEEN: f64 = 5.298_317_366_548_036;

/// Where a number lies with a confidence of [`CONFIDENCE`] percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// It is no less.
    pub least: f64,
    /// It is no more; infinite, in JSON null, if nobody knows.
    pub most: f64,
}

/// How much of a table was read.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Extent {
    /// Segments that were read to their ends.
    pub segments: u32,
    /// Segments that were begun and turned out to cost more than was left; what was seen of them does not count.
    pub dropped: u32,
    /// Segments that the table was divided into.
    pub of: u32,
    /// What reading them cost.
    pub read_units: f64,
}

/// What was seen of segments of a table that were chosen by chance.
#[derive(Debug, Clone)]
pub struct Sample {
    groups: Vec<(f64, Profile)>,
    all: Profile,
    extent: Extent,
}

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sight<'a> {
    Whole(&'a Profile),
    Sample(&'a Sample),
}

impl Interval {
    pub(crate) const fn exact(value: f64) -> Self {
        Self { least: value, most: value }
    }

    pub(crate) fn is_exact(self) -> bool {
        self.least == self.most
    }

    pub(crate) fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self { least: change(self.least), most: change(self.most) }
    }

    /// How far it lies from a number.
    pub(crate) fn from(self, other: f64) -> Self {
        let (one, two) = ((self.least - other).abs(), (self.most - other).abs());
        let within = self.least <= other && other <= self.most;
        Self { least: if within { 0.0 } else { one.min(two) }, most: one.max(two) }
    }

    /// The same middle, so many times as wide.
    pub(crate) fn widened(self, times: f64) -> Self {
        let (middle, half) = ((self.least + self.most) / 2.0, (self.most - self.least) / 2.0 * times);
        Self { least: middle - half, most: middle + half }
    }

    /// Whether the number keeps the condition; none if it may and may not.
    pub(crate) fn keeps(self, condition: &Condition) -> Option<bool> {
        let (least, most) = (decimal(self.least), decimal(self.most));
        let opposite = match *condition {
            Condition::Is(n) => Condition::IsNot(n),
            Condition::IsNot(n) => Condition::Is(n),
            Condition::GreaterThan(n) => Condition::LessOrEqual(n),
            Condition::GreaterOrEqual(n) => Condition::LessThan(n),
            Condition::LessThan(n) => Condition::GreaterOrEqual(n),
            Condition::LessOrEqual(n) => Condition::GreaterThan(n),
            Condition::Between(low, high) => Condition::NotBetween(low, high),
            Condition::NotBetween(low, high) => Condition::Between(low, high),
        };
        let always = |condition: &Condition| match *condition {
            Condition::IsNot(n) => most < n || n < least,
            Condition::NotBetween(low, high) => most < low || high < least,
            // These hold of all between two ends if they hold of both.
            _ => condition.holds(&least) && condition.holds(&most),
        };
        match (always(condition), always(&opposite)) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}

/// In whole numbers, as `12 to 15` or `12 or more`.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.most.is_finite() {
            true => write!(f, "{:.0} to {:.0}", self.least, self.most),
            false => write!(f, "{:.0} or more", self.least),
        }
    }
}

impl Sample {
    /// What groups of segments saw, each with how many it read, of a table that was divided into so many.
    ///
    /// No segment counts in part, and none twice. Each group's segments are to be chosen by chance, but for those that
    /// were dropped for what they cost.
    pub fn new(of: u32, dropped: u32, read_units: f64, groups: Vec<(u32, Profile)>) -> Self {
        let mut groups: Vec<_> = groups.into_iter().filter(|(segments, _)| *segments > 0).collect();
        let segments = groups.iter().map(|(segments, _)| segments).sum();
        let mut all = groups.first().map(|(_, profile)| profile.clone()).unwrap_or_default();
        groups.iter().skip(1).for_each(|(_, profile)| all.merge(profile.clone()));
        groups.iter_mut().for_each(|(_, profile)| profile.forget_distinct());
        let extent = Extent { segments, dropped, of, read_units };
        let groups = groups.into_iter().map(|(segments, profile)| (f64::from(segments), profile)).collect();
        let sampled = (segments < of).then_some(extent);
        Self { groups, all: Profile { sampled, ..all }, extent }
    }

    /// What was seen, without saying what it says of the rest.
    pub fn profile(&self) -> &Profile {
        &self.all
    }

    /// What was seen, kept beyond the judgement.
    pub fn into_profile(self) -> Profile {
        self.all
    }

    /// How much was read.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// Whether all of the table was read, after all.
    pub fn is_whole(&self) -> bool {
        self.extent.segments >= self.extent.of
    }

    /// How many items the table has; none if too little was read to say.
    pub fn items(&self) -> Option<Interval> {
        self.says_something().then(|| self.total(&|profile| profile.items))
    }

    pub(crate) fn says_something(&self) -> bool {
        // Were many dropped, what is left would be of the small ones alone.
        self.groups.len() >= FEWEST_GROUPS && self.extent.dropped * 10 <= self.extent.segments
    }

    /// How often something comes in the table that often comes.
    pub(crate) fn total(&self, of: &dyn Fn(&Profile) -> u64) -> Interval {
        let (read, all) = (f64::from(self.extent.segments), f64::from(self.extent.of));
        let seen: Vec<_> = self.groups.iter().map(|(segments, part)| (*segments, of(part) as f64)).collect();
        let sum: f64 = seen.iter().map(|(_, count)| count).sum();
        let left = (all - read).max(0.0) / all;
        let error = (self.apart(&seen, sum / read) * left).sqrt() * self.student() * all;
        // All segments alike may be chance: then as if what is counted came by itself, as rarely as can be.
        let half = error.max(UNSEEN * left * all / read);
        let about = sum * all / read;
        // What was dropped has more than others, nobody knows how much.
        let most = if self.extent.dropped > 0 { f64::INFINITY } else { about + half };
        Interval { least: (about - half).max(sum), most }
    }

    /// What share of something is something else, from 0 to 1. `alike` says that the items of one segment may be.
    pub(crate) fn share(
        &self,
        part: &dyn Fn(&Profile) -> u64,
        whole: &dyn Fn(&Profile) -> u64,
        alike: bool,
    ) -> Interval {
        let seen: Vec<_> =
            self.groups.iter().map(|(_, group)| (whole(group) as f64, part(group) as f64)).collect();
        let (trials, found) = seen.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if trials == 0.0 {
            return Interval { least: 0.0, most: 1.0 };
        }
        let (share, none, every) = ((found / trials).min(1.0), found == 0.0, found >= trials);
        let by_chance = share * (1.0 - share) / trials;
        // Where there is nothing to see a spread of, items are the least that comes by chance, or segments.
        let trials = match by_chance > 0.0 {
            true => trials / (self.apart(&seen, share) / by_chance).max(1.0),
            false if alike => trials.min(f64::from(self.extent.segments)),
            false => trials.min(self.all.items as f64),
        };
        let z = self.student();
        let around = z * z / trials;
        let middle = (share + around / 2.0) / (1.0 + around);
        let half = z / (1.0 + around) * (share * (1.0 - share) / trials + around / trials / 4.0).sqrt();
        // There the ends are exact, which rounding would take them away from: a condition may ask for just them.
        let least = if none { 0.0 } else { (middle - half).max(0.0) };
        let most = if every { 1.0 } else { (middle + half).min(1.0) };
        Interval { least, most }
    }

    /// Where a number lies that is measured of each group as of all; none if all of them have none, an error if
    /// too few have.
    fn around(&self, of: &dyn Fn(&Profile) -> Option<f64>) -> Result<Option<Interval>, String> {
        let Some(about) = of(&self.all) else { return Ok(None) };
        let each: Vec<_> = self.groups.iter().filter_map(|(_, group)| of(group)).collect();
        if each.len() < FEWEST_GROUPS {
            return Err("too few of what was read has any values".to_owned());
        }
        let count = each.len() as f64;
        let mean = each.iter().sum::<f64>() / count;
        let squares: f64 = each.iter().map(|value| (value - mean).powi(2)).sum();
        let half = student(count - 1.0) * (squares / (count - 1.0) / count).sqrt();
        Ok(Some(Interval { least: about - half, most: about + half }))
    }

    /// Where the distance of the table from another lies, which is measured of so many values.
    ///
    /// A sample of what is the same is at some distance from it all the same; of Kolmogorov's and Smirnov's that is
    /// known (Massart 1990).
    pub(crate) fn distance(&self, measured: Interval, values: u64, distance: Distance) -> Interval {
        let by_chance = match distance {
            Distance::Psi => 0.0,
            Distance::Ks => (UNSEEN / 2.0 / values.min(self.all.items).max(1) as f64).sqrt(),
        };
        let middle = (measured.least + measured.most) / 2.0;
        let half = ((measured.most - measured.least) / 2.0).max(by_chance);
        Interval { least: (middle - half).max(0.0), most: middle + half }
    }

    /// The variance of a ratio, from how far the groups' are apart: of each the denominator and the numerator.
    fn apart(&self, seen: &[(f64, f64)], ratio: f64) -> f64 {
        let groups = seen.len() as f64;
        let whole: f64 = seen.iter().map(|(whole, _)| whole).sum();
        let squares: f64 = seen.iter().map(|(whole, part)| (part - ratio * whole).powi(2)).sum();
        groups / (groups - 1.0) * squares / (whole * whole)
    }

    fn student(&self) -> f64 {
        student(self.groups.len() as f64 - 1.0)
    }
}

/// How much of the table and about how many items, in words.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Extent { segments, of, read_units, .. } = self.extent;
        write!(f, "a sample was checked: {segments} of {of} segments, {} items, ", self.all.items)?;
        write!(f, "for {read_units:.0} read units")?;
        match self.items() {
            Some(items) => write!(f, "; the table has {items} items ({CONFIDENCE} % confidence)"),
            None => Ok(()),
        }
    }
}

impl<'a> Sight<'a> {
    pub(crate) fn profile(self) -> &'a Profile {
        match self {
            Self::Whole(profile) => profile,
            Self::Sample(sample) => &sample.all,
        }
    }

    pub(crate) fn sample(self) -> Option<&'a Sample> {
        match self {
            Self::Whole(_) => None,
            Self::Sample(sample) => Some(sample),
        }
    }

    /// What is said of items, to tell those that were read from all.
    pub(crate) fn read(self) -> &'static str {
        match self {
            Self::Whole(_) => "",
            Self::Sample(_) => " that were read",
        }
    }

    /// Where a number lies that a profile has of a place.
    pub(crate) fn measure(
        self,
        at: usize,
        of: &dyn Fn(&Profile, &Place) -> Option<f64>,
    ) -> Result<Option<Interval>, String> {
        let of = |profile: &Profile| of(profile, &profile.places[at]);
        match self {
            Self::Whole(profile) => Ok(of(profile).map(Interval::exact)),
            Self::Sample(sample) => sample.around(&of),
        }
    }
}

/// What leaves 1 % outside, on both sides together, of Student's distribution; by the expansion of Cornish and Fisher,
/// which is within 0.3 % from 6 degrees of freedom on.
fn student(freedom: f64) -> f64 {
    let z = NORMAL;
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}

/// A measured number for a condition; what is beyond all numbers is the greatest.
pub(crate) fn decimal(value: f64) -> Number {
    let greatest = || Number::parse("9.9e125").unwrap_or(Number::ZERO);
    if value.is_finite() {
        Number::parse(&value.to_string()).unwrap_or_else(|_| greatest())
    } else {
        greatest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chance with a fixed seed (splitmix64).
    struct Chance(u64);

    impl Chance {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ z >> 31) >> 11) as f64 / (1_u64 << 53) as f64
        }

        fn below(&mut self, end: usize) -> usize {
            (self.next() * end as f64) as usize
        }
    }

    /// Items and those of them that are counted.
    type Segment = (u64, u64);

    fn part(segments: &[Segment]) -> (u32, Profile) {
        let (items, bytes) = segments.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (segments.len() as u32, Profile { items, bytes, ..Profile::default() })
    }

    /// So many segments, drawn without putting back, in 16 groups.
    fn drawn(table: &[Segment], count: usize, chance: &mut Chance) -> Sample {
        let mut left = table.to_vec();
        let mut groups = vec![Vec::new(); 16];
        for at in 0..count {
            groups[at % 16].push(left.swap_remove(chance.below(left.len())));
        }
        Sample::new(table.len() as u32, 0, 1.0, groups.iter().map(|group| part(group)).collect())
    }

    /// Of so many samples of a table, how often each interval misses the truth, and how wide they are on average as a
    /// share of it: of the number of items, of the counted ones' share, of a mean.
    fn misses(table: &[Segment], count: usize, alike: bool) -> [(u32, f64); 3] {
        const SAMPLES: u32 = 1500;
        let (_, whole) = part(table);
        let share = whole.bytes as f64 / whole.items as f64;
        let mut chance = Chance(11);
        let mut found = [(0, 0.0); 3];
        for _ in 0..SAMPLES {
            let sample = drawn(table, count, &mut chance);
            let mean = sample.around(&|part| Some(part.bytes as f64 / part.items as f64)).unwrap().unwrap();
            let intervals = [
                (sample.total(&|part| part.items), whole.items as f64),
                (sample.share(&|part| part.bytes, &|part| part.items, alike), share),
                (mean, share),
            ];
            for ((interval, truth), (misses, width)) in intervals.into_iter().zip(&mut found) {
                *misses += u32::from(truth < interval.least || interval.most < truth);
                *width += (interval.most - interval.least) / truth / f64::from(SAMPLES);
            }
        }
        found.map(|(misses, width)| (misses * 1000 / SAMPLES, width))
    }

    #[test]
    fn intervals_have_the_truth_within_them_about_as_often_as_they_say() {
        let mut chance = Chance(5);
        // Items fall into segments and are counted by chance alone.
        let mut even = vec![(0, 0); 1024];
        for _ in 0..40_000 {
            let segment = &mut even[chance.below(1024)];
            segment.0 += 1;
            segment.1 += u64::from(chance.next() < 0.05);
        }
        // Large segments beside small ones, and what is counted in a few of them only.
        let uneven: Vec<Segment> = (0..1024)
            .map(|_| {
                let items = 5 + (400.0 * chance.next().powi(6)) as u64;
                let counted = if chance.next() < 0.3 { 0.4 * chance.next() } else { 0.01 };
                (items, (items as f64 * counted) as u64)
            })
            .collect();
        for (table, alike, widest) in [(even, false, [0.075, 0.4, 0.4]), (uneven, true, [0.7, 1.5, 1.5])] {
            for ((misses, width), widest) in misses(&table, 200, alike).into_iter().zip(widest) {
                // Of a thousand; the number of groups bounds how exact this can be.
                assert!((1..=25).contains(&misses), "{misses} of 1000, {width} wide");
                assert!(width < widest, "{misses} of 1000, {width} wide");
            }
        }
    }

    #[test]
    fn what_was_never_seen_may_be_there() {
        let mut chance = Chance(3);
        let table = vec![(10, 0); 1000];
        let sample = drawn(&table, 160, &mut chance);
        let none = |_: &Profile| 0;
        let items = |part: &Profile| part.items;
        let most = |alike| sample.share(&none, &items, alike).most;
        // Three in as many as were looked at would hardly be missed: items, or segments of items that are alike.
        assert!((0.003..0.007).contains(&most(false)), "{}", most(false));
        assert!((0.03..0.07).contains(&most(true)), "{}", most(true));
        let total = sample.total(&none);
        assert!(total.least == 0.0 && (20.0..40.0).contains(&total.most), "{total:?}");
        // All segments that were read are alike, and so need not be the rest.
        let items = sample.items().unwrap();
        assert!(items.least < 10_000.0 && items.most > 10_000.0, "{items:?}");
        let all = drawn(&table, 1000, &mut chance);
        assert!(all.is_whole() && all.profile().sampled.is_none());
        assert_eq!(all.items().unwrap(), Interval::exact(10_000.0));
    }

    #[test]
    fn what_all_or_none_of_the_items_are_may_be_so_of_the_table() {
        for items in 1..300 {
            let of = |counted: bool| {
                let table: Vec<_> = (0..64).map(|at| (u64::from(at < items) + items / 64, at)).collect();
                let sample = drawn(&table, 32, &mut Chance(items));
                sample.share(&|part| if counted { part.items } else { 0 }, &|part| part.items, false)
            };
            assert_eq!((of(false).least, of(true).most), (0.0, 1.0), "{items}");
        }
    }

    #[test]
    fn less_than_eight_groups_say_nothing() {
        let groups = |count| (0..16).map(|at| part(&[(3, 1)][..usize::from(at < count)])).collect();
        assert_eq!(Sample::new(100, 0, 7.0, groups(7)).items(), None);
        let sample = Sample::new(100, 0, 7.0, groups(8));
        assert!(sample.items().is_some());
        assert_eq!(sample.extent(), Extent { segments: 8, dropped: 0, of: 100, read_units: 7.0 });
    }

    #[test]
    fn after_segments_too_dear_to_read_there_is_no_knowing_how_much_there_is() {
        let groups = || (0..16).map(|_| part(&[(3, 1); 10])).collect();
        let items = |dropped| Sample::new(1000, dropped, 7.0, groups()).items();
        assert!(items(0).unwrap().most < 4000.0);
        let unbounded = items(16).unwrap();
        assert!(unbounded.least > 2000.0 && unbounded.most.is_infinite(), "{unbounded:?}");
        assert_eq!(items(17), None);
    }

    #[test]
    fn students_distribution_is_that_of_the_tables() {
        for (freedom, known) in [(7.0, 3.499), (10.0, 3.169), (15.0, 2.947), (30.0, 2.750), (1e9, 2.576)] {
            assert!((student(freedom) / known - 1.0).abs() < 0.003, "{freedom}: {}", student(freedom));
        }
    }

    #[test]
    fn a_condition_is_decided_where_all_of_the_interval_is() {
        let n = |value: u32| Number::from(u64::from(value));
        let of = |least: f64, most: f64| Interval { least, most };
        use Condition::*;
        for (condition, interval, kept) in [
            (Is(n(5)), of(5.0, 5.0), Some(true)),
            (Is(n(5)), of(4.0, 6.0), None),
            (Is(n(5)), of(5.5, f64::INFINITY), Some(false)),
            (IsNot(n(5)), of(4.0, 6.0), None),
            (IsNot(n(5)), of(6.0, 7.0), Some(true)),
            (GreaterThan(n(5)), of(5.5, 9.0), Some(true)),
            (GreaterThan(n(5)), of(4.0, 5.0), Some(false)),
            (GreaterThan(n(5)), of(5.0, 5.1), None),
            (GreaterOrEqual(n(5)), of(5.0, 5.1), Some(true)),
            (LessThan(n(5)), of(4.0, 5.0), None),
            (LessOrEqual(n(5)), of(4.0, 5.0), Some(true)),
            (LessOrEqual(n(5)), of(5.5, 6.0), Some(false)),
            (Between(n(5), n(7)), of(5.0, 7.0), Some(true)),
            (Between(n(5), n(7)), of(4.9, 7.0), None),
            (Between(n(5), n(7)), of(7.1, 8.0), Some(false)),
            (Between(n(5), n(7)), of(4.0, 8.0), None),
            (NotBetween(n(5), n(7)), of(4.0, 8.0), None),
            (NotBetween(n(5), n(7)), of(7.1, 8.0), Some(true)),
            (NotBetween(n(5), n(7)), of(5.0, 7.0), Some(false)),
        ] {
            assert_eq!(interval.keeps(&condition), kept, "{condition} {interval:?}");
        }
    }
}
