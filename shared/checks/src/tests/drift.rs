//! Rules of engine septet: what they measure, against what, and what they say.

use std::sync::Arc;

use jiff::Timestamp;

use super::{contract, result};
use crate::samples::{item, number, text};
use crate::{Bin, CheckResult, Checker, Counted, Earlier, History, Item, Outcome, Span, Value};

const PROPERTIES: &str = "
- {name: score, logicalType: number}
- {name: tags, logicalType: array, items: {logicalType: string}}
- {name: at, logicalType: timestamp}
- {name: kind, logicalType: string}
- {name: flag, logicalType: boolean}
- name: recs
  logicalType: array
  items:
    logicalType: object
    properties:
      - {name: weight, physicalName: w, logicalType: number}
";

/// A checker of one rule, whose implementation is this.
fn checker(implementation: &str) -> Checker {
    let rule = format!("- {{id: rule, type: custom, engine: septet, implementation: {{{implementation}}}}}");
    Checker::new(&contract(PROPERTIES, &rule))
}

fn earlier(checker: &Checker, name: &str, at: &str, items: &[Item]) -> Earlier {
    let mut profile = checker.profile();
    items.iter().for_each(|item| checker.observe(&mut profile, item));
    // As it is read back.
    let text = serde_json::to_string(&profile.within(300_000)).unwrap();
    let profile = Some(Arc::new(serde_json::from_str(&text).unwrap()));
    Earlier { name: name.to_owned(), at: at.parse().unwrap(), profile }
}

/// The answer of the rule on items, against versions from newest to oldest; the first is live.
fn answer(implementation: &str, now: &[Item], before: &[&[Item]]) -> CheckResult {
    let checker = checker(implementation);
    let days = (1..=20).rev().map(|day| format!("2026-11-{day:02}T02:00:00Z"));
    let earlier: Vec<_> = before
        .iter()
        .zip(days)
        .enumerate()
        .map(|(at, (items, day))| earlier(&checker, &format!("version {}", 40 - at), &day, items))
        .collect();
    let now_at = "2026-11-21T12:00:00Z".parse().unwrap();
    let history = History {
        now: now_at,
        at: "2026-11-21T02:00:00Z".parse().unwrap(),
        live: earlier.first().cloned(),
        earlier,
        ..History::default()
    };
    let mut profile = checker.profile();
    now.iter().for_each(|item| checker.observe(&mut profile, item));
    result(&checker.evaluate(&profile, &history), "rule").clone()
}

fn items(count: usize) -> Vec<Item> {
    from(0, count)
}

fn from(first: usize, count: usize) -> Vec<Item> {
    (first..first + count).map(|at| item([("id", text(format!("k{at}")))])).collect()
}

fn with(count: usize, name: &str, value: impl Fn(usize) -> Option<Value>) -> Vec<Item> {
    let mut items = items(count);
    for (at, item) in items.iter_mut().enumerate() {
        item.extend(value(at).map(|value| (name.to_owned(), value)));
    }
    items
}

#[track_caller]
fn says(result: &CheckResult, outcome: Outcome, message: &str) {
    assert_eq!((result.outcome, result.message.as_str()), (outcome, message));
}

#[test]
fn the_number_of_items_is_compared_in_percent_and_in_rows() {
    let percent = "check: rowCountChange, against: live, mustBeLessOrEqualTo: 10, unit: percent";
    let found = answer(percent, &items(90), &[&items(100)]);
    says(
        &found,
        Outcome::Passed,
        "rowCountChange: 90 items, in version 40 100: 10 % fewer, at most 10 % expected",
    );
    let found = answer(percent, &items(89), &[&items(100)]);
    says(
        &found,
        Outcome::Failed,
        "rowCountChange: 89 items, in version 40 100: 11 % fewer, at most 10 % expected",
    );
    assert_eq!((found.failing, found.of), (1, 1));
    assert_eq!(answer(percent, &items(111), &[&items(100)]).outcome, Outcome::Failed);
    let rows = "check: rowCountChange, against: previous, mustBeLessThan: 5, unit: rows";
    says(
        &answer(rows, &items(105), &[&items(100)]),
        Outcome::Failed,
        "rowCountChange: 105 items, in version 40 100: 5 more, less than 5 rows expected",
    );
    assert_eq!(answer(rows, &items(104), &[&items(100)]).outcome, Outcome::Passed);
    // More than nothing is more than any limit, and nothing less than nothing.
    assert_eq!(answer(percent, &items(1), &[&[]]).outcome, Outcome::Failed);
    assert_eq!(answer(percent, &[], &[&[]]).outcome, Outcome::Passed);
}

#[test]
fn small_losses_night_after_night_are_found_by_the_median() {
    let nights: Vec<_> = [65, 72, 81, 90, 100, 100, 100].map(items).to_vec();
    let nights: Vec<_> = nights.iter().map(Vec::as_slice).collect();
    let rule = |against: &str| format!("check: rowCountChange, against: {against}, mustBeLessOrEqualTo: 15");
    assert_eq!(answer(&rule("previous"), &items(58), &nights).outcome, Outcome::Passed);
    says(
        &answer(&rule("'median:7'"), &items(58), &nights),
        Outcome::Failed,
        "rowCountChange: 58 items, in the median of 7 versions 90: 35.56 % fewer, at most 15 % expected",
    );
    // Fewer versions than asked for have a median, too; of an even number the one between the two in the middle.
    let found = answer(&rule("'median:7'"), &items(58), &nights[..2]);
    assert!(found.message.contains("in the median of 2 versions 68.5: 15.33 % fewer"), "{}", found.message);
}

#[test]
fn without_a_baseline_a_rule_neither_passes_nor_rejects() {
    let saturday: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
    let implementation = "check: rowCountChange, against: AGAINST, mustBeLessOrEqualTo: 10";
    for (against, why) in [
        ("live", "no version is live"),
        ("previous", "there is no valid version before this one"),
        ("'median:7'", "there is no valid version before this one"),
        ("sameWeekday", "no valid version is from a Saturday"),
    ] {
        let found = answer(&implementation.replace("AGAINST", against), &items(1), &[]);
        says(&found, Outcome::NoBaseline, &format!("rowCountChange: no baseline: {why}"));
        let checker = checker(&implementation.replace("AGAINST", against));
        let mut profile = checker.profile();
        checker.observe(&mut profile, &items(1)[0]);
        let report = checker.evaluate(&profile, &History::alone(saturday));
        assert_eq!((report.outcome, report.reasons().len()), (Outcome::Passed, 0));
        assert_eq!(report.warnings(), [format!("rowCountChange: no baseline: {why}")]);
    }
    let checker = checker(&implementation.replace("AGAINST", "previous"));
    let mut kept = earlier(&checker, "version 7", "2026-11-20T00:00:00Z", &items(3));
    kept.profile = None;
    let history = History { earlier: vec![kept], ..History::default() };
    let report = checker.evaluate(&checker.profile(), &history);
    let found = result(&report, "rule");
    says(found, Outcome::NoBaseline, "rowCountChange: no baseline: no profile is kept of version 7");
}

#[test]
fn the_same_day_of_the_week_is_the_newest_valid_one() {
    // 2026-11-21 is a Saturday; the fourteenth is the seventh version before it.
    let nights: Vec<_> = (0..14).map(|at| items(if at == 6 { 50 } else { 10 })).collect();
    let nights: Vec<_> = nights.iter().map(Vec::as_slice).collect();
    let found = answer("check: rowCountChange, against: sameWeekday, mustBe: 0", &items(50), &nights);
    says(&found, Outcome::Passed, "rowCountChange: 50 items, in version 34 50: 0 % more, none expected");
}

#[test]
fn keys_that_came_and_went_are_counted() {
    let rule = |change: &str, unit: &str| {
        format!("check: keyChurn, change: {change}, against: live, mustBeLessOrEqualTo: 10, unit: {unit}")
    };
    let (now, before) = (from(15, 90), from(0, 100));
    says(
        &answer(&rule("removed", "percent"), &now, &[&before]),
        Outcome::Failed,
        "keyChurn: 15 % of the keys of version 40 are gone, at most 10 % expected",
    );
    says(
        &answer(&rule("added", "rows"), &now, &[&before]),
        Outcome::Passed,
        "keyChurn: 5 of the keys of version 40 are new, at most 10 keys expected",
    );
    assert_eq!(answer(&rule("added", "percent"), &now, &[&[]]).outcome, Outcome::NoBaseline);
    assert_eq!(answer(&rule("removed", "percent"), &[], &[&before]).outcome, Outcome::Failed);
}

#[test]
fn means_and_quantiles_are_compared() {
    let numbers = |by: usize| with(100, "score", move |at| Some(number((at + by).to_string())));
    let mean = "check: meanChange, property: score, against: live, mustBeLessThan: 10";
    says(
        &answer(mean, &numbers(5), &[&numbers(0)]),
        Outcome::Failed,
        "meanChange: 54.5, in version 40 49.5: 10.1 % apart, less than 10 % expected",
    );
    let value = format!("{mean}, unit: value");
    says(
        &answer(&value, &numbers(5), &[&numbers(0)]),
        Outcome::Passed,
        "meanChange: 54.5, in version 40 49.5: 5 apart, less than 10 expected",
    );
    let quantile = "check: quantileChange, quantile: 0.9, property: score, against: live, mustBeLessThan: 5";
    assert_eq!(answer(quantile, &numbers(3), &[&numbers(0)]).outcome, Outcome::Passed);
    assert_eq!(answer(quantile, &numbers(6), &[&numbers(0)]).outcome, Outcome::Failed);
    // An attribute that vanished, and one that is new.
    let gone = answer(mean, &items(3), &[&numbers(0)]);
    says(&gone, Outcome::Failed, "meanChange: there are no values, less than 10 % expected");
    let new = answer(mean, &numbers(0), &[&items(3)]);
    says(&new, Outcome::NoBaseline, "meanChange: no baseline: version 40 has no values to compare with");
}

#[test]
fn shares_of_nulls_are_compared_in_percentage_points() {
    let nulls = |every: usize| with(100, "score", move |at| (at % every > 0).then(|| number("1")));
    let rule = "check: nullRateChange, property: score, against: live, mustBeLessOrEqualTo: 10";
    says(
        &answer(rule, &nulls(10), &[&nulls(100)]),
        Outcome::Passed,
        "nullRateChange: 10 %, in version 40 1 %: 9 apart, at most 10 percentage points expected",
    );
    assert_eq!(answer(rule, &nulls(5), &[&nulls(100)]).outcome, Outcome::Failed);
    let nested = "check: nullRateChange, property: 'recs[].weight', against: live, mustBeLessOrEqualTo: 10";
    let recs = |nulls: usize| {
        with(10, "recs", move |_| {
            let rec = |at: usize| match at < nulls {
                true => Value::Null,
                false => Value::M(item([("w", number("1"))])),
            };
            Some(Value::L((0..10).map(rec).collect()))
        })
    };
    assert_eq!(answer(nested, &recs(1), &[&recs(0)]).outcome, Outcome::Passed);
    let found = answer(nested, &recs(4), &[&recs(2)]);
    assert!(found.message.contains("40 %, in version 40 20 %: 20 apart"), "{}", found.message);
}

#[test]
fn lengths_of_lists_and_sizes_of_items_are_measured() {
    let tags = |count: usize| with(10, "tags", move |_| Some(Value::L(vec![text("x"); count])));
    let rule = "check: listLengthChange, property: tags, against: live, mustBeLessThan: 50";
    assert_eq!(answer(rule, &tags(5), &[&tags(4)]).outcome, Outcome::Passed);
    says(
        &answer(rule, &tags(2), &[&tags(4)]),
        Outcome::Failed,
        "listLengthChange: 2, in version 40 4: 50 % apart, less than 50 % expected",
    );
    let size = "check: itemSize, mustBeLessOrEqualTo: 4";
    assert_eq!(answer(size, &items(10), &[]).outcome, Outcome::Passed);
    says(
        &answer(size, &items(11), &[]),
        Outcome::Failed,
        "itemSize: the largest item has 5 bytes, at most 4 bytes expected",
    );
}

#[test]
fn the_age_of_the_newest_moment_is_measured() {
    let at = |hour: usize| with(3, "at", move |at| Some(text(format!("2026-11-21T{:02}:00:00Z", hour - at))));
    let rule = "check: freshness, property: at, mustBeLessThan: 3, unit: h";
    says(
        &answer(rule, &at(10), &[]),
        Outcome::Passed,
        "freshness: the newest is 2 hours old, less than 3 hours expected",
    );
    assert_eq!(answer(rule, &at(9), &[]).outcome, Outcome::Failed);
    says(
        &answer(rule, &items(1), &[]),
        Outcome::Failed,
        "freshness: there is no moment, less than 3 hours expected",
    );
    let minutes = "check: freshness, property: at, mustBeLessThan: 120, unit: m";
    assert_eq!(answer(minutes, &at(10), &[]).outcome, Outcome::Failed);
    assert_eq!(answer(minutes, &at(11), &[]).outcome, Outcome::Passed);
    // What lies ahead is not old.
    assert_eq!(answer(minutes, &at(23), &[]).outcome, Outcome::Passed);
}

#[test]
fn distributions_are_compared() {
    let scores = |by: usize| with(1000, "score", move |at| Some(number((at + by).to_string())));
    let ks = "check: distributionChange, measure: ks, property: score, against: live, mustBeLessThan: 0.1";
    assert_eq!(answer(ks, &scores(90), &[&scores(0)]).outcome, Outcome::Passed);
    let found = answer(ks, &scores(150), &[&scores(0)]);
    assert_eq!(found.outcome, Outcome::Failed);
    assert!(found.message.contains("distance of Kolmogorov and Smirnov 0.15"), "{}", found.message);
    let psi = |property: &str| {
        format!(
            "check: distributionChange, measure: psi, property: {property}, against: live, mustBeLessThan: 0.2"
        )
    };
    assert_eq!(answer(&psi("score"), &scores(0), &[&scores(0)]).outcome, Outcome::Passed);
    assert_eq!(answer(&psi("score"), &scores(500), &[&scores(0)]).outcome, Outcome::Failed);
    let kinds = |reds: usize| with(100, "kind", move |at| Some(text(if at < reds { "red" } else { "blue" })));
    assert_eq!(answer(&psi("kind"), &kinds(55), &[&kinds(50)]).outcome, Outcome::Passed);
    assert_eq!(answer(&psi("kind"), &kinds(80), &[&kinds(50)]).outcome, Outcome::Failed);
    assert_eq!(answer(&psi("kind"), &kinds(0), &[&kinds(50)]).outcome, Outcome::Failed);
    let flags = |trues: usize| with(100, "flag", move |at| Some(Value::Bool(at < trues)));
    assert_eq!(answer(&psi("flag"), &flags(50), &[&flags(50)]).outcome, Outcome::Passed);
    assert_eq!(answer(&psi("flag"), &flags(90), &[&flags(50)]).outcome, Outcome::Failed);
    assert_eq!(answer(&psi("flag"), &flags(90), &[&items(5)]).outcome, Outcome::NoBaseline);
    assert_eq!(answer(&psi("flag"), &items(5), &[&flags(90)]).outcome, Outcome::Failed);
}

#[test]
fn golden_keys_are_there_and_as_said() {
    let rule = "check: goldenKeys, keys: [{id: k1, score: {mustBeGreaterThan: 0.5}}, {id: k2, kind: red}]";
    let found = |k1: Option<&str>, k2: Option<&str>| {
        let mut all = Vec::new();
        all.extend(k1.map(|score| item([("id", text("k1")), ("score", number(score))])));
        all.extend(k2.map(|kind| item([("id", text("k2")), ("kind", text(kind))])));
        all.push(item([("id", text("k3"))]));
        answer(rule, &all, &[])
    };
    assert_eq!(found(Some("0.6"), Some("red")).outcome, Outcome::Passed);
    says(&found(None, Some("red")), Outcome::Failed, "goldenKeys: id \"k1\" is missing");
    says(&found(None, None), Outcome::Failed, "goldenKeys: id \"k1\" is missing and 1 more");
    let wrong = found(Some("0.5"), Some("red"));
    assert_eq!((wrong.outcome, wrong.failing, wrong.of), (Outcome::Failed, 1, 2));
    assert!(wrong.message.starts_with("goldenKeys: of id \"k1\", score is 0.5, "), "{}", wrong.message);
    let wrong = found(Some("0.6"), Some("blue"));
    says(&wrong, Outcome::Failed, "goldenKeys: of id \"k2\", kind is \"blue\", one of \"red\" expected");
}

#[test]
fn the_content_of_the_version_before_is_not_published_again() {
    let rule = "check: identicalToPrevious";
    assert_eq!(answer(rule, &items(3), &[&items(4), &items(3)]).outcome, Outcome::Passed);
    says(
        &answer(rule, &items(3), &[&items(3)]),
        Outcome::Failed,
        "identicalToPrevious: the content is that of version 40, another content than before expected",
    );
    assert_eq!(answer(rule, &items(3), &[]).outcome, Outcome::NoBaseline);
}

#[test]
fn without_statistics_rules_over_them_are_errored() {
    let quality =
        "- {id: rule, type: custom, engine: septet, implementation: {check: itemSize, mustBeLessThan: 9}}";
    let checker = Checker::of_limits(&contract(PROPERTIES, quality));
    let report = checker.evaluate(&checker.profile(), &History::default());
    says(result(&report, "rule"), Outcome::Errored, "itemSize: cannot be checked: no statistics were kept");
}

/// What is counted, of how many values of either side, in how many bins, against what.
fn shown(result: &CheckResult) -> Vec<(Counted, u64, u64, usize, &str)> {
    let compared = result.compared.iter();
    compared.map(|it| (it.of, it.now.count, it.before.count, it.bins.len(), it.against.as_str())).collect()
}

#[test]
fn a_failing_rule_shows_both_distributions() {
    let scores = |by: f64| with(40, "score", move |at| Some(number((at as f64 * by).to_string())));
    let (now, before) = (scores(0.5), scores(1.0));
    let rule = "check: quantileChange, property: score, quantile: 0.9, against: live, mustBeLessThan: 1";
    let found = answer(rule, &now, &[&before]);
    assert_eq!(shown(&found), [(Counted::Numbers, 40, 40, 8, "version 40")]);
    let bins: Vec<_> = found.compared[0].bins.iter().map(|bin| (bin.now, bin.before)).collect();
    assert_eq!(bins, [(10, 5), (10, 5), (10, 5), (10, 5), (0, 5), (0, 5), (0, 5), (0, 5)]);
    assert!(found.compared[0].quantiles.iter().any(|it| it.share == 0.9));
    assert_eq!(shown(&answer(rule, &now, &[&now])), [], "a rule that holds");

    let rule =
        "check: distributionChange, measure: psi, property: score, against: 'median:7', mustBeLessThan: 0.1";
    let found = answer(rule, &now, &[&before, &before]);
    assert_eq!(shown(&found)[0].1..=shown(&found)[0].2, 40..=80);
    assert_eq!(found.compared[0].against, "2 versions together");

    let tags = |many: usize| with(9, "tags", move |_| Some(Value::L(vec![text("x"); many])));
    let rule = "check: listLengthChange, property: tags, against: live, mustBeLessThan: 1, unit: items";
    let found = answer(rule, &tags(2), &[&tags(5)]);
    assert_eq!(shown(&found), [(Counted::Elements, 9, 9, 4, "version 40")]);

    let kinds = |a: usize| with(10, "kind", move |at| Some(text(if at < a { "a" } else { "bcd" })));
    let rule = "check: distributionChange, measure: psi, property: kind, against: live, mustBeLessThan: 0.1";
    let found = answer(rule, &kinds(9), &[&kinds(3)]);
    assert_eq!(shown(&found), [(Counted::Values, 10, 10, 2, "version 40")]);
    let values: Vec<_> =
        found.compared[0].bins.iter().map(|it| (it.span.clone(), it.now, it.before)).collect();
    assert_eq!(values, [(Span::Value("a".into()), 9, 3), (Span::Value("bcd".into()), 1, 7)]);

    let flags = |a: usize| with(10, "flag", move |at| Some(Value::Bool(at < a)));
    let rule = "check: distributionChange, measure: psi, property: flag, against: live, mustBeLessThan: 0.1";
    let found = answer(rule, &flags(9), &[&flags(3)]);
    let values: Vec<_> = found.compared[0].bins.iter().map(|it| (it.now, it.before)).collect();
    assert_eq!((shown(&found)[0].0, values), (Counted::Truths, vec![(9, 3), (1, 7)]));

    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<CheckResult>(&text).unwrap(), found);
}

#[test]
fn strings_without_bins_of_their_own_are_counted_together() {
    let kinds = |first: usize, hot: usize| {
        with(300, "kind", move |at| match at % 3 < hot {
            true => Some(text("hot")),
            false => Some(text(format!("v-{}", first + at))),
        })
    };
    let rule =
        "check: distributionChange, measure: psi, property: kind, against: live, mustBeLessThan: 0.001";
    let found = answer(rule, &kinds(0, 1), &[&kinds(1000, 2)]);
    let compared = &found.compared[0];
    assert_eq!((compared.of, compared.bins[0].span.clone()), (Counted::Values, Span::Value("hot".into())));
    assert_eq!(compared.bins.last().unwrap().span, Span::Others);
    let sum = |side: fn(&Bin) -> u64| compared.bins.iter().map(side).sum::<u64>();
    assert_eq!((sum(|bin| bin.now), sum(|bin| bin.before)), (300, 300));
    assert!(compared.now.missed > 0 && compared.bins[0].now <= 100, "{compared:?}");
    assert_eq!(found.compared[1].of, Counted::Characters);
}
