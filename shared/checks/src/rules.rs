//! Rules of `engine: septet`, answered from profiles.

use septet_contract::{Baseline, Change, ChangeUnit, Churn, Distance, Number, PhysicalType, SeptetCheck};

use crate::checker::Checker;
use crate::distance;
use crate::evaluate::{Answer, expected};
use crate::history::{Chosen, Earlier, History};
use crate::profile::{Place, Profile};
use crate::report::{CheckResult, Outcome};

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

/// What a rule measured, before it is held against its condition.
struct Measured {
    value: Number,
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
    pub(crate) fn drift(
        &self,
        profile: &Profile,
        history: &History,
        base: &Answer<'_>,
        drift: &Drift,
    ) -> CheckResult {
        if !self.measures {
            let message = format!("{}: cannot be checked: no statistics were kept", base.label());
            return base.result(Outcome::Errored, "no statistics", "", message);
        }
        let place = &profile.places[drift.node];
        let against = |of: &dyn Fn(&Profile, &Place) -> Option<f64>, change: &Change, points: bool| {
            scalar(history, profile, place, of, change, points)
        };
        let (measured, condition, unit) = match &drift.check {
            SeptetCheck::RowCountChange(change) => {
                (rows(history, profile, change), change.condition, unit_of(change, " rows"))
            }
            SeptetCheck::KeyChurn { keys, change } => {
                (churn(history, profile, *keys, change), change.condition, unit_of(change, " keys"))
            }
            SeptetCheck::MeanChange { change, .. } => {
                (against(&mean, change, false), change.condition, unit_of(change, ""))
            }
            SeptetCheck::QuantileChange { quantile, change, .. } => {
                let share = quantile.to_f64();
                let of = |_: &Profile, place: &Place| place.values.as_ref()?.numbers.quantile(share);
                (against(&of, change, false), change.condition, unit_of(change, ""))
            }
            SeptetCheck::NullRateChange { change, .. } => {
                let of = |profile: &Profile, place: &Place| null_percent(profile, place);
                (against(&of, change, true), change.condition, " percentage points")
            }
            SeptetCheck::ListLengthChange { change, .. } => {
                let of = |_: &Profile, place: &Place| place.values.as_ref()?.sizes.mean();
                (against(&of, change, false), change.condition, unit_of(change, " elements"))
            }
            SeptetCheck::DistributionChange { distance, against, condition, .. } => {
                (distribution(history, place, *distance, *against), *condition, "")
            }
            SeptetCheck::Freshness { unit, condition, .. } => {
                let newest = place.values.as_ref().and_then(|values| values.moments.most);
                let measured = newest.map(|newest| {
                    let now = history.now.as_microsecond() as f64 / 1e6;
                    let age = (now - newest).max(0.0) / unit.seconds() as f64;
                    Measured { value: decimal(age), how: format!("the newest is {} {unit} old", short(age)) }
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
                let how = format!("the largest item has {largest} bytes");
                (Ok(Measured { value: decimal(largest), how }), *condition, " bytes")
            }
            SeptetCheck::GoldenKeys(_) => return self.golden(profile, base, drift),
            SeptetCheck::IdenticalToPrevious => return identical(history, profile, base),
        };
        let expected = expected(&condition, unit);
        match measured {
            Ok(Measured { value, how }) => {
                let message = format!("{}: {how}, {expected} expected", base.label());
                if condition.holds(&value) {
                    return base.result(Outcome::Passed, &how, &expected, message);
                }
                let mut result = base.result(Outcome::Failed, &how, &expected, message);
                // What is wrong is wrong of the table as a whole.
                (result.failing, result.of) = (1, 1);
                result
            }
            Err(Nothing::NoBaseline(why)) => no_baseline(base, &expected, &why),
            Err(Nothing::Here(why)) => {
                let message = format!("{}: {why}, {expected} expected", base.label());
                let mut result = base.result(Outcome::Failed, &why, &expected, message);
                (result.failing, result.of) = (1, 1);
                result
            }
            Err(Nothing::Broken(why)) => {
                let message = format!("{}: cannot be checked: {why}", base.label());
                base.result(Outcome::Errored, &why, &expected, message)
            }
        }
    }

    fn golden(&self, profile: &Profile, base: &Answer<'_>, drift: &Drift) -> CheckResult {
        let keys = self.plan.golden[drift.golden.clone()].iter().zip(&profile.golden[drift.golden.clone()]);
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
        let mut result = base.result(Outcome::Failed, &seen, &expected, message);
        (result.failing, result.of) = (wrong.len() as u64, count as u64);
        result
    }
}

fn no_baseline(base: &Answer<'_>, expected: &str, why: &str) -> CheckResult {
    let message = format!("{}: no baseline: {why}", base.label());
    base.result(Outcome::NoBaseline, "no baseline", expected, message)
}

fn identical(history: &History, profile: &Profile, base: &Answer<'_>) -> CheckResult {
    let expected = "another content than before";
    let earlier = match history.choose(Baseline::Previous) {
        Chosen::Against(earlier) => earlier,
        Chosen::None(why) => return no_baseline(base, expected, &why),
    };
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

fn unit_of(change: &Change, absolute: &'static str) -> &'static str {
    match change.unit {
        ChangeUnit::Percent => " %",
        ChangeUnit::Absolute => absolute,
    }
}

fn mean(_: &Profile, place: &Place) -> Option<f64> {
    place.values.as_ref()?.numbers.mean()
}

/// Nulls in percent of all there are: items, or below a list its elements.
fn null_percent(profile: &Profile, place: &Place) -> Option<f64> {
    let whole = match around(&place.path) {
        None => profile.items,
        Some(list) => profile.place(list)?.times(),
    };
    let values = place.times().saturating_sub(place.absent).saturating_sub(place.types[NULL]);
    (whole > 0).then(|| 100.0 * whole.saturating_sub(values) as f64 / whole as f64)
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
    profile: &Profile,
    place: &Place,
    of: &dyn Fn(&Profile, &Place) -> Option<f64>,
    change: &Change,
    points: bool,
) -> Measure {
    let (earlier, name) = chosen(history, change.against)?;
    let of_earlier = |earlier: &&Earlier| {
        let before = earlier.profile.as_deref()?;
        of(before, before.place(&place.path)?)
    };
    let Some(before) = median(earlier.iter().filter_map(of_earlier).collect()) else {
        return Err(Nothing::NoBaseline(format!("{name} has no values to compare with")));
    };
    let Some(now) = of(profile, place) else { return Err(Nothing::Here("there are no values".to_owned())) };
    let percent = change.unit == ChangeUnit::Percent && !points;
    let by = (now - before).abs();
    let by = if percent { share(by, before.abs()) * 100.0 } else { by };
    let sign = if points { " %" } else { "" };
    let moved = format!("{}{sign}, in {name} {}{sign}", short(now), short(before));
    let how = if percent {
        format!("{moved}: {} % apart", short(by))
    } else {
        format!("{moved}: {} apart", short(by))
    };
    Ok(Measured { value: decimal(by), how })
}

fn rows(history: &History, profile: &Profile, change: &Change) -> Measure {
    let (earlier, name) = chosen(history, change.against)?;
    let counts = earlier.iter().filter_map(|earlier| Some(earlier.profile.as_deref()?.items as f64));
    let Some(before) = median(counts.collect()) else {
        return Err(Nothing::NoBaseline(format!("{name} has no values to compare with")));
    };
    let now = profile.items as f64;
    let by = (now - before).abs();
    let direction = if now < before { "fewer" } else { "more" };
    let (value, shown) = match change.unit {
        ChangeUnit::Percent => {
            let percent = share(by, before) * 100.0;
            (decimal(percent), format!("{} % {direction}", short(percent)))
        }
        ChangeUnit::Absolute => (decimal(by), format!("{by} {direction}")),
    };
    Ok(Measured { value, how: format!("{now} items, in {name} {before}: {shown}") })
}

fn churn(history: &History, profile: &Profile, keys: Churn, change: &Change) -> Measure {
    let (earlier, name) = chosen(history, change.against)?;
    let mut error = 0.0_f64;
    let shares = earlier.iter().filter_map(|earlier| {
        let before = earlier.profile.as_deref()?;
        let shared = profile.keys.against(&before.keys)?;
        error = error.max(shared.error);
        let share = match keys {
            Churn::Added => shared.added,
            Churn::Removed => shared.removed,
        };
        Some(match change.unit {
            ChangeUnit::Percent => share * 100.0,
            ChangeUnit::Absolute => (share * before.items as f64).round(),
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
        value: decimal(value),
        how: format!("{}{unit} of the keys of {name} are {what}{about}", short(value)),
    })
}

fn distribution(history: &History, place: &Place, distance: Distance, against: Baseline) -> Measure {
    let (earlier, name) = chosen(history, against)?;
    let mut distances = Vec::new();
    for earlier in earlier {
        let before = earlier.profile.as_deref().and_then(|profile| profile.place(&place.path));
        let found = before.and_then(|before| apart(place, before, distance));
        distances.extend(found);
    }
    let any = place.values.as_ref().is_some_and(|values| place.types[TRUTH] > 0 || !values.is_empty());
    match median(distances) {
        None if !any => Err(Nothing::Here("there are no values".to_owned())),
        None => Err(Nothing::NoBaseline(format!("{name} has no values to compare with"))),
        Some(value) if value.is_finite() => {
            let measure = match distance {
                Distance::Psi => "population stability index",
                Distance::Ks => "distance of Kolmogorov and Smirnov",
            };
            Ok(Measured { value: decimal(value), how: format!("{measure} {} from {name}", short(value)) })
        }
        Some(_) => Err(Nothing::Broken("the distance is not finite".to_owned())),
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

/// A measured number for a condition; what is beyond all numbers is the greatest.
fn decimal(value: f64) -> Number {
    let greatest = || Number::parse("9.9e125").unwrap_or(Number::ZERO);
    if value.is_finite() {
        Number::parse(&value.to_string()).unwrap_or_else(|_| greatest())
    } else {
        greatest()
    }
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
