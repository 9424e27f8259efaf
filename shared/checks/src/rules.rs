//! Rules of `engine: septet`, answered from profiles.

use septet_contract::{Baseline, Change, ChangeUnit, Churn, Distance, PhysicalType, SeptetCheck};

use crate::checker::Checker;
use crate::comparison::{self, Comparison};
use crate::distance;
use crate::evaluate::{Answer, expected};
use crate::history::{Chosen, Earlier, History};
use crate::profile::{Place, Profile};
use crate::report::{CheckResult, Outcome};
use crate::sample::{Interval, Sight};
use crate::values::Values;

const NULL: usize = PhysicalType::Null as usize;
const TRUTH: usize = PhysicalType::Bool as usize;

/// A rule with where in the plan its property and its keys are.
#[derive(Debug)]
pub(crate) struct Drift {
    pub(crate) check: SeptetCheck,
    /// The place that is measured; the item for rules over the table.
    pub(crate) node: usize,
    /// The golden keys of the plan that are this rule's.
    pub(crate) golden: std::ops::Range<usize>,
}

/// The most bytes that DynamoDB takes as one item.
const LARGEST_ITEM: f64 = 409_600.0;

/// What a rule measured, before it is held against its condition.
struct Measured {
    value: Interval,
    /// How it came about, such as `from 671 to 335 items`.
    how: String,
}

/// Why nothing was measured.
enum Nothing {
    /// There is nothing to compare with.
    NoBaseline(String),
    /// There is nothing of this version to compare.
    Here(String),
    Broken(String),
}

type Measure = Result<Measured, Nothing>;

impl Checker {
    pub(crate) fn drift(&self, history: &History, base: &Answer<'_>, drift: &Drift) -> CheckResult {
        if !self.measures {
            let message = format!("{}: cannot be checked: no statistics were kept", base.label());
            return base.result(Outcome::Errored, "no statistics", "", message);
        }
        let sight = base.sight;
        let (profile, place) = (sight.profile(), &sight.profile().places[drift.node]);
        let against = |of: &dyn Fn(&Profile, &Place) -> Option<f64>, change: &Change| {
            scalar(history, sight, sight.measure(drift.node, of), &place.path, of, change, false)
        };
        let (measured, condition, unit) = match &drift.check {
            SeptetCheck::RowCountChange(change) => {
                (rows(history, sight, change), change.condition, unit_of(change, " rows"))
            }
            SeptetCheck::KeyChurn { keys, change } => {
                (churn(history, sight, *keys, change), change.condition, unit_of(change, " keys"))
            }
            SeptetCheck::MeanChange { change, .. } => {
                (against(&mean, change), change.condition, unit_of(change, ""))
            }
            SeptetCheck::QuantileChange { quantile, change, .. } => {
                let share = quantile.to_f64();
                let of = |_: &Profile, place: &Place| place.values.as_ref()?.numbers.quantile(share);
                (against(&of, change), change.condition, unit_of(change, ""))
            }
            SeptetCheck::NullRateChange { change, .. } => {
                let now = match sight {
                    Sight::Whole(_) => sight.measure(drift.node, &null_percent),
                    Sight::Sample(sample) => {
                        let nulls = |profile: &Profile| nulls(profile, &profile.places[drift.node]);
                        let (part, whole) =
                            (|profile: &Profile| nulls(profile).0, |profile: &Profile| nulls(profile).1);
                        let share = sample.share(&part, &whole, self.plan.sort.is_some());
                        Ok(Some(share.map(|share| share * 100.0)))
                    }
                };
                let measured = scalar(history, sight, now, &place.path, &null_percent, change, true);
                (measured, change.condition, " percentage points")
            }
            SeptetCheck::ListLengthChange { change, .. } => {
                let of = |_: &Profile, place: &Place| place.values.as_ref()?.sizes.mean();
                (against(&of, change), change.condition, unit_of(change, " elements"))
            }
            SeptetCheck::DistributionChange { distance, against, condition, .. } => {
                (distribution(history, sight, drift.node, *distance, *against), *condition, "")
            }
            SeptetCheck::Freshness { unit, condition, .. } => {
                let newest = place.values.as_ref().and_then(|values| values.moments.most);
                let measured = newest.map(|newest| {
                    let now = history.now.as_microsecond() as f64 / 1e6;
                    let age = (now - newest).max(0.0) / unit.seconds() as f64;
                    // There may be a newer one among what was not read.
                    let least = if sight.sample().is_some() { 0.0 } else { age };
                    let value = Interval { least, most: age };
                    Measured {
                        value,
                        how: format!("the newest{} is {} {unit} old", sight.read(), short(age)),
                    }
                });
                let nothing = || Nothing::Here("there is no moment".to_owned());
                let unit = match unit {
                    septet_contract::TimeUnit::Minutes => " minutes",
                    septet_contract::TimeUnit::Hours => " hours",
                    septet_contract::TimeUnit::Days => " days",
                };
                (measured.ok_or_else(nothing), *condition, unit)
            }
            SeptetCheck::ItemSize(condition) => {
                let largest = profile.sizes.most.unwrap_or_default();
                let how = format!("the largest item{} has {largest} bytes", sight.read());
                let most = if sight.sample().is_some() { LARGEST_ITEM.max(largest) } else { largest };
                (Ok(Measured { value: Interval { least: largest, most }, how }), *condition, " bytes")
            }
            SeptetCheck::GoldenKeys(_) => return self.golden(base, drift),
            SeptetCheck::IdenticalToPrevious => return identical(history, base),
        };
        let expected = expected(&condition, unit);
        match measured {
            Ok(Measured { value, how }) => {
                let message = format!("{}: {how}, {expected} expected", base.label());
                match value.keeps(&condition) {
                    None => return base.undecided(&how, &expected, message),
                    Some(true) => return base.result(Outcome::Passed, &how, &expected, message),
                    Some(false) => {}
                }
                let mut result = base.result(Outcome::Failed, &how, &expected, message);
                // What is wrong is wrong of the table as a whole.
                (result.failing, result.of) = (1, 1);
                result.compared = compared(history, place, &drift.check);
                result
            }
            Err(Nothing::NoBaseline(why)) => no_baseline(base, &expected, &why),
            Err(Nothing::Here(why)) => {
                let message = format!("{}: {why}, {expected} expected", base.label());
                if sight.sample().is_some() {
                    return base.undecided(&why, &expected, message);
                }
                let mut result = base.result(Outcome::Failed, &why, &expected, message);
                (result.failing, result.of) = (1, 1);
                result.compared = compared(history, place, &drift.check);
                result
            }
            Err(Nothing::Broken(why)) => {
                let message = format!("{}: cannot be checked: {why}", base.label());
                base.result(Outcome::Errored, &why, &expected, message)
            }
        }
    }

    fn golden(&self, base: &Answer<'_>, drift: &Drift) -> CheckResult {
        let met = &base.sight.profile().golden[drift.golden.clone()];
        let keys = self.plan.golden[drift.golden.clone()].iter().zip(met);
        let wrong: Vec<_> = keys
            .filter_map(|(golden, met)| match (met.found, met.wrong.first()) {
                (false, _) => Some(format!("{} is missing", golden.shown)),
                (true, Some(wrong)) => Some(format!("of {}, {wrong}", golden.shown)),
                (true, None) => None,
            })
            .collect();
        let count = drift.golden.len();
        let expected = format!("{count} items, each as said");
        let Some(first) = wrong.first() else {
            let message = format!("{} holds", base.label());
            return base.result(Outcome::Passed, &expected, &expected, message);
        };
        let more = match wrong.len() {
            1 => String::new(),
            all => format!(" and {} more", all - 1),
        };
        let message = format!("{}: {first}{more}", base.label());
        let seen = format!("{} of {count} not as said", wrong.len());
        // What is missing may be among what was not read.
        if base.sight.sample().is_some() && met.iter().all(|met| met.wrong.is_empty()) {
            return base.undecided(&seen, &expected, message);
        }
        let mut result = base.result(Outcome::Failed, &seen, &expected, message);
        (result.failing, result.of) = (wrong.len() as u64, count as u64);
        result
    }
}

fn no_baseline(base: &Answer<'_>, expected: &str, why: &str) -> CheckResult {
    let message = format!("{}: no baseline: {why}", base.label());
    base.result(Outcome::NoBaseline, "no baseline", expected, message)
}

fn identical(history: &History, base: &Answer<'_>) -> CheckResult {
    let expected = "another content than before";
    let profile = match base.sight {
        Sight::Whole(profile) => profile,
        Sight::Sample(_) => {
            let message = format!("{}: the content is that of all items", base.label());
            return base.undecided("a part of the content", expected, message);
        }
    };
    let earlier = match history.choose(Baseline::Previous) {
        Chosen::Against(earlier) => earlier,
        Chosen::None(why) => return no_baseline(base, expected, &why),
    };
    if let Some(sampled) = earlier.iter().find(|earlier| is_sampled(earlier)) {
        return no_baseline(base, expected, &only_sampled(&sampled.name));
    }
    let same = earlier
        .iter()
        .find(|earlier| earlier.profile.as_ref().is_some_and(|before| before.digest == profile.digest));
    match same {
        None => base.result(Outcome::Passed, "another content", expected, format!("{} holds", base.label())),
        Some(earlier) => {
            let seen = format!("the content is that of {}", earlier.name);
            let message = format!("{}: {seen}, {expected} expected", base.label());
            let mut result = base.result(Outcome::Failed, &seen, expected, message);
            (result.failing, result.of) = (1, 1);
            result
        }
    }
}

/// Whether not all of a version was read: it has no number of items, keys and content to compare with.
fn is_sampled(earlier: &Earlier) -> bool {
    earlier.profile.as_ref().is_some_and(|profile| profile.sampled.is_some())
}

fn only_sampled(name: &str) -> String {
    format!("of {name} only a sample was read")
}

fn unit_of(change: &Change, absolute: &'static str) -> &'static str {
    match change.unit {
        ChangeUnit::Percent => " %",
        ChangeUnit::Absolute => absolute,
    }
}

fn mean(_: &Profile, place: &Place) -> Option<f64> {
    place.values.as_ref()?.numbers.mean()
}

/// Nulls, and all there are: items, or below a list its elements.
fn nulls(profile: &Profile, place: &Place) -> (u64, u64) {
    let whole = match around(&place.path) {
        None => profile.items,
        Some(list) => profile.place(list).map_or(0, Place::times),
    };
    let values = place.times().saturating_sub(place.absent).saturating_sub(place.types[NULL]);
    (whole.saturating_sub(values), whole)
}

fn null_percent(profile: &Profile, place: &Place) -> Option<f64> {
    let (nulls, whole) = nulls(profile, place);
    (whole > 0).then(|| 100.0 * nulls as f64 / whole as f64)
}

/// The innermost list or map around a place, whose elements are all there are.
fn around(path: &str) -> Option<&str> {
    let ends = ["[]", "{}", "{key}"].iter().filter_map(|mark| Some(path.rfind(mark)? + mark.len()));
    ends.max().map(|end| &path[..end])
}

/// The versions to compare with, and how they are called.
fn chosen(history: &History, baseline: Baseline) -> Result<(Vec<&Earlier>, String), Nothing> {
    let earlier = match history.choose(baseline) {
        Chosen::Against(earlier) => earlier,
        Chosen::None(why) => return Err(Nothing::NoBaseline(why)),
    };
    let name = match (baseline, earlier.as_slice()) {
        (Baseline::Median(_), all) => format!("the median of {} versions", all.len()),
        (_, [one, ..]) => one.name.clone(),
        (_, []) => String::new(),
    };
    Ok((earlier, name))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len().checked_sub(1)? / 2;
    Some(if values.len() % 2 == 1 { values[middle] } else { (values[middle] + values[middle + 1]) / 2.0 })
}

/// A number that both versions have, and how far it moved; `points` if it is a percentage itself.
fn scalar(
    history: &History,
    sight: Sight<'_>,
    now: Result<Option<Interval>, String>,
    path: &str,
    of: &dyn Fn(&Profile, &Place) -> Option<f64>,
    change: &Change,
    points: bool,
) -> Measure {
    let (earlier, name) = chosen(history, change.against)?;
    let of_earlier = |earlier: &&Earlier| {
        let before = earlier.profile.as_deref()?;
        of(before, before.place(path)?)
    };
    let Some(before) = median(earlier.iter().filter_map(of_earlier).collect()) else {
        return Err(Nothing::NoBaseline(format!("{name} has no values to compare with")));
    };
    let Some(mut now) = now.map_err(Nothing::Broken)? else {
        return Err(Nothing::Here("there are no values".to_owned()));
    };
    if sight.sample().is_some() && earlier.iter().any(|earlier| is_sampled(earlier)) {
        // Both numbers are as uncertain.
        now = now.widened(std::f64::consts::SQRT_2);
    }
    let percent = change.unit == ChangeUnit::Percent && !points;
    let by = now.from(before);
    let by = if percent { by.map(|by| share(by, before.abs()) * 100.0) } else { by };
    let sign = if points { " %" } else { "" };
    let moved = format!("{}{sign}, in {name} {}{sign}", shown(now), short(before));
    let how = if percent {
        format!("{moved}: {} % apart", shown(by))
    } else {
        format!("{moved}: {} apart", shown(by))
    };
    Ok(Measured { value: by, how: how + about(sight) })
}

fn rows(history: &History, sight: Sight<'_>, change: &Change) -> Measure {
    let (earlier, name) = chosen(history, change.against)?;
    let whole = earlier.iter().filter(|earlier| !is_sampled(earlier));
    let counts: Vec<_> = whole.filter_map(|one| Some(one.profile.as_deref()?.items as f64)).collect();
    if counts.is_empty() && earlier.iter().any(|earlier| is_sampled(earlier)) {
        return Err(Nothing::NoBaseline(only_sampled(&name)));
    }
    let Some(before) = median(counts) else {
        return Err(Nothing::NoBaseline(format!("{name} has no values to compare with")));
    };
    let now = match sight {
        Sight::Whole(profile) => Interval::exact(profile.items as f64),
        Sight::Sample(sample) => sample.total(&|profile| profile.items).map(f64::round),
    };
    let by = now.from(before);
    let direction = match (now.least < before, now.most < before) {
        (true, true) => "fewer",
        (true, false) => "fewer or more",
        (false, _) => "more",
    };
    let (value, moved) = match change.unit {
        ChangeUnit::Percent => {
            let percent = by.map(|by| share(by, before) * 100.0);
            (percent, format!("{} % {direction}", shown(percent)))
        }
        ChangeUnit::Absolute if by.is_exact() => (by, format!("{} {direction}", by.most)),
        ChangeUnit::Absolute => (by, format!("{by} {direction}")),
    };
    let now = if now.is_exact() { now.most.to_string() } else { now.to_string() };
    Ok(Measured { value, how: format!("{now} items, in {name} {before}: {moved}{}", about(sight)) })
}

fn churn(history: &History, sight: Sight<'_>, keys: Churn, change: &Change) -> Measure {
    let (earlier, name) = chosen(history, change.against)?;
    let profile = match sight {
        Sight::Whole(profile) => profile,
        Sight::Sample(_) => return Err(Nothing::Broken("a sample does not have all keys".to_owned())),
    };
    if earlier.iter().all(|earlier| is_sampled(earlier)) {
        return Err(Nothing::NoBaseline(only_sampled(&name)));
    }
    let mut error = 0.0_f64;
    let shares = earlier.iter().filter(|earlier| !is_sampled(earlier)).filter_map(|earlier| {
        let before = earlier.profile.as_deref()?;
        let churn = profile.keys.against(&before.keys)?;
        let share = match keys {
            Churn::Added => churn.added,
            Churn::Removed => churn.removed,
        };
        error = error.max(share.error);
        Some(match change.unit {
            ChangeUnit::Percent => share.value * 100.0,
            ChangeUnit::Absolute => (share.value * before.items as f64).round(),
        })
    });
    let Some(value) = median(shares.collect()) else {
        return Err(Nothing::NoBaseline(format!("{name} has no keys to compare with")));
    };
    let unit = if change.unit == ChangeUnit::Percent { " %" } else { "" };
    let what = match keys {
        Churn::Added => "new",
        Churn::Removed => "gone",
    };
    let about = match error > 0.0 {
        true => format!(" (a sample of keys, give or take {} %)", short(error * 100.0)),
        false => String::new(),
    };
    Ok(Measured {
        value: Interval::exact(value),
        how: format!("{}{unit} of the keys of {name} are {what}{about}", short(value)),
    })
}

fn distribution(
    history: &History,
    sight: Sight<'_>,
    node: usize,
    distance: Distance,
    against: Baseline,
) -> Measure {
    let (earlier, name) = chosen(history, against)?;
    let from_them = |_: &Profile, place: &Place| {
        let before = |earlier: &&Earlier| {
            let before = earlier.profile.as_deref()?;
            apart(place, before.place(&place.path)?, distance)
        };
        median(earlier.iter().filter_map(before).collect())
    };
    let place = &sight.profile().places[node];
    let any = place.values.as_ref().is_some_and(|values| place.types[TRUTH] > 0 || !values.is_empty());
    match sight.measure(node, &from_them).map_err(Nothing::Broken)? {
        None if !any => Err(Nothing::Here("there are no values".to_owned())),
        None => Err(Nothing::NoBaseline(format!("{name} has no values to compare with"))),
        Some(mut value) if value.most.is_finite() => {
            let measure = match distance {
                Distance::Psi => "population stability index",
                Distance::Ks => "distance of Kolmogorov and Smirnov",
            };
            if let Some(sample) = sight.sample() {
                value = sample.distance(value, place.times(), distance);
            }
            let how = format!("{measure} {} from {name}{}", shown(value), about(sight));
            Ok(Measured { value, how })
        }
        Some(_) => Err(Nothing::Broken("the distance is not finite".to_owned())),
    }
}

/// The distributions that a rule is about, of this version and of those it is held against.
fn compared(history: &History, place: &Place, check: &SeptetCheck) -> Vec<Comparison> {
    let Some(Ok((earlier, name))) = check.against().map(|against| chosen(history, against)) else {
        return Vec::new();
    };
    let places = earlier.iter().filter_map(|earlier| earlier.profile.as_deref()?.place(&place.path));
    let (mut before, mut truths_before) = (Values::default(), 0);
    for place in places {
        before.merge(place.values.as_deref().cloned().unwrap_or_default());
        truths_before += place.types[TRUTH];
    }
    let name = if earlier.len() > 1 { format!("{} versions together", earlier.len()) } else { name };
    let Some(now) = place.values.as_deref() else { return Vec::new() };
    match check {
        SeptetCheck::MeanChange { .. } => vec![comparison::numbers(now, &before, &name, None)],
        SeptetCheck::QuantileChange { quantile, .. } => {
            vec![comparison::numbers(now, &before, &name, Some(quantile.to_f64()))]
        }
        SeptetCheck::ListLengthChange { .. } => vec![comparison::elements(now, &before, &name)],
        SeptetCheck::DistributionChange { .. } => {
            if now.numbers.count > 0 || before.numbers.count > 0 {
                vec![comparison::numbers(now, &before, &name, None)]
            } else if now.lengths.count > 0 || before.lengths.count > 0 {
                comparison::strings(now, &before, &name)
            } else {
                vec![comparison::truths((now, place.types[TRUTH]), (&before, truths_before), &name)]
            }
        }
        _ => Vec::new(),
    }
}

/// The distance of two places: by their numbers if either has any, else by strings, else by truth values.
fn apart(now: &Place, before: &Place, distance: Distance) -> Option<f64> {
    let (values, others) = (now.values.as_ref()?, before.values.as_ref()?);
    if values.numbers.count > 0 || others.numbers.count > 0 {
        let bins = values.numbers.buckets.beside(&others.numbers.buckets);
        return match distance {
            Distance::Psi => distance::psi(&distance::tenths(&bins)),
            Distance::Ks => distance::ks(&bins),
        };
    }
    if values.lengths.count > 0 || others.lengths.count > 0 {
        // Each frequent value is a bin, and all others are one.
        let mut bins: Vec<_> =
            others.frequent.counts().map(|(hash, count)| (values.frequent.count(hash), count)).collect();
        let new = values.frequent.counts().filter(|(hash, _)| others.frequent.count(*hash) == 0);
        bins.extend(new.map(|(_, count)| (count, 0)));
        let rest = |all: u64, counted: u64| all.saturating_sub(counted);
        let (seen, seen_before) =
            bins.iter().fold((0, 0), |(now, before), bin| (now + bin.0, before + bin.1));
        let others = (rest(values.lengths.count, seen), rest(others.lengths.count, seen_before));
        bins.push(others);
        return distance::psi(&bins);
    }
    let truths = |place: &Place, trues: u64| (trues, place.types[TRUTH].saturating_sub(trues));
    let (one, two) = (truths(now, values.trues), truths(before, others.trues));
    distance::psi(&[(one.0, two.0), (one.1, two.1)])
}

/// A part of nothing is everything, unless it is nothing itself.
fn share(part: f64, whole: f64) -> f64 {
    if part == 0.0 { 0.0 } else { part / whole }
}

/// What is said after numbers that a sample gives.
fn about(sight: Sight<'_>) -> &'static str {
    match sight {
        Sight::Whole(_) => "",
        Sight::Sample(_) => " (of a sample)",
    }
}

fn shown(interval: Interval) -> String {
    let (least, most) = (short(interval.least), short(interval.most));
    if least == most { most } else { format!("{least} to {most}") }
}

/// A number in few digits for people.
fn short(value: f64) -> String {
    if value.is_infinite() {
        return "infinitely many".to_owned();
    }
    let digits = match value.abs() {
        100.0.. => 1,
        1.0..100.0 => 2,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
