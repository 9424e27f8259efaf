//! Tables of which only some segments are read.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{contract, result};
use crate::samples::{item, number, text};
use crate::{Checker, Earlier, History, Item, Outcome, Profile, Report, Sample};

const PROPERTIES: &str = "
- name: score
  logicalType: number
  required: true
  logicalTypeOptions: {maximum: 100}
  quality:
    - {id: no_nulls, metric: nullValues, mustBe: 0, unit: rows}
- name: kind
  logicalType: string
  physicalType: S
  quality:
    - {id: nulls, metric: nullValues, mustBeLessThan: 60, unit: percent, severity: warning}
    - {id: few_nulls, metric: nullValues, mustBe: 0, unit: rows, severity: warning}
";
/// Segments of every table here.
const SEGMENTS: usize = 64;

fn row(at: usize, score: Option<&str>, kind: Option<&str>) -> Item {
    let mut row = item([("id", text(format!("k{at}")))]);
    row.extend(score.map(|score| ("score".to_owned(), number(score))));
    row.extend(kind.map(|kind| ("kind".to_owned(), text(kind))));
    row
}

/// Items with scores around 50; half of the kinds are left out.
fn rows(count: usize) -> Vec<Item> {
    (0..count)
        .map(|at| row(at, Some(&format!("{}", 40 + at * 7 % 21)), (at * 5 % 8 < 4).then_some("a")))
        .collect()
}

fn profile<'a>(checker: &Checker, items: impl IntoIterator<Item = &'a Item>) -> Profile {
    let mut profile = checker.profile();
    items.into_iter().for_each(|item| checker.observe(&mut profile, item));
    profile
}

/// A sample of the first so many segments, in 16 groups; an item lies in the segment of its place in the list.
fn sample(checker: &Checker, items: &[Item], segments: usize) -> Sample {
    let groups = (0..16).map(|group| {
        let mine: Vec<_> = (0..segments).filter(|segment| segment % 16 == group).collect();
        let seen = items.iter().enumerate().filter(|(at, _)| mine.contains(&(at % SEGMENTS)));
        (mine.len() as u32, profile(checker, seen.map(|(_, item)| item)))
    });
    Sample::new(SEGMENTS as u32, 0, 12.5, groups.collect())
}

fn judged(rules: &str, items: &[Item], segments: usize, history: &History) -> Report {
    let checker = Checker::new(&contract(PROPERTIES, rules));
    checker.evaluate_sample(&sample(&checker, items, segments), history)
}

fn metric(id: &str, rest: &str) -> String {
    format!("- {{id: {id}, {rest}}}\n")
}

fn septet(id: &str, implementation: &str) -> String {
    format!("- {{id: {id}, type: custom, engine: septet, implementation: {{{implementation}}}}}\n")
}

/// The version before, of the same contract, as it is kept.
fn before(checker: &Checker, profile: Profile) -> History {
    let text = serde_json::to_string(&profile.within(300_000)).unwrap();
    let profile = Some(Arc::new(serde_json::from_str(&text).unwrap()));
    let earlier =
        Earlier { name: "version 1".to_owned(), at: "2026-11-20T02:00:00Z".parse().unwrap(), profile };
    assert!(checker.knows(earlier.profile.as_ref().unwrap()));
    let history = History::alone("2026-11-21T02:00:00Z".parse().unwrap());
    History { live: Some(earlier.clone()), earlier: vec![earlier], ..history }
}

#[test]
fn what_concerns_each_item_passes_with_the_share_that_may_fail_and_fails_by_one_that_does() {
    let good = judged("", &rows(6_400), 32, &History::default());
    for id in ["table:notEmpty", "score:required", "score:logicalType", "kind:physicalType"] {
        assert_eq!(result(&good, id).outcome, Outcome::Passed, "{good:?}");
    }
    let maximum = result(&good, "score:maximum");
    let holds = "score: maximum 100 holds in 3200 items that were read, at most 0.271 % of all fail \
                 (99 % confidence)";
    assert_eq!(maximum.message, holds);
    let mut items = rows(6_400);
    items[70] = row(70, Some("101"), None);
    let bad = judged("", &items, 32, &History::default());
    assert_eq!(bad.outcome, Outcome::Failed);
    let message = &result(&bad, "score:maximum").message;
    let seen = "score: maximum 100 does not hold in 1 of 3200 items that were read (e.g. id \"k70\": 101)";
    assert_eq!(message, seen);
}

#[test]
fn counts_and_shares_are_decided_where_all_of_the_interval_is() {
    let rules = [
        metric("many", "metric: rowCount, mustBeGreaterThan: 5000, unit: rows"),
        metric("few", "metric: rowCount, mustBeLessThan: 5000, unit: rows"),
        metric("just", "metric: rowCount, mustBe: 6337, unit: rows"),
        septet("mean", "check: meanChange, property: score, against: live, mustBeLessThan: 5, unit: percent"),
        septet("rows", "check: rowCountChange, against: live, mustBeLessThan: 50, unit: percent"),
        septet("same_rows", "check: rowCountChange, against: live, mustBeLessThan: 63, unit: rows"),
        septet("kinds", "check: nullRateChange, property: kind, against: live, mustBeLessThan: 10"),
    ]
    .concat();
    let checker = Checker::new(&contract(PROPERTIES, &rules));
    let mut items = rows(6_400);
    // Segments of different size.
    items.retain(|item| !matches!(item["id"].clone(), crate::Value::S(id) if id.ends_with("07")));
    let history = before(&checker, profile(&checker, &rows(6_400)));
    let report = checker.evaluate_sample(&sample(&checker, &items, 32), &history);
    let outcome = |id: &str| result(&report, id).outcome;
    let passed = ["many", "nulls", "mean", "rows", "kinds"];
    assert_eq!(passed.map(outcome), [Outcome::Passed; 5], "{report:?}");
    assert_eq!(outcome("few"), Outcome::Failed);
    assert_eq!(["just", "no_nulls", "same_rows"].map(outcome), [Outcome::Errored; 3], "{report:?}");
    for (id, says) in [
        ("many", "items (3169 that were read), more than 5000 expected"),
        ("just", "exactly 6337 expected: a sample cannot tell"),
        ("nulls", "% nulls ("),
        ("mean", "% apart (of a sample), less than 5 % expected"),
    ] {
        let message = &result(&report, id).message;
        assert!(message.contains(says) && message.contains(" to "), "{message}");
    }
}

#[test]
fn too_little_is_errored_and_all_of_it_is_no_sample() {
    let too_little = judged("", &rows(640), 7, &History::default());
    assert_eq!(too_little.outcome, Outcome::Errored);
    assert!(too_little.reasons()[0].starts_with("7 of 64 segments were read"), "{too_little:?}");
    let exact = metric("just", "metric: rowCount, mustBe: 640, unit: rows");
    let all = judged(&exact, &rows(640), SEGMENTS, &History::default());
    assert_eq!(
        (all.outcome, result(&all, "just").message.as_str()),
        (Outcome::Passed, "rowCount: 640 items, exactly 640 expected")
    );
}

#[test]
fn a_sampled_version_is_a_baseline_for_what_is_not_counted() {
    let rules = [
        septet("mean", "check: meanChange, property: score, against: live, mustBeLessThan: 5, unit: percent"),
        septet("rows", "check: rowCountChange, against: live, mustBeLessThan: 10, unit: percent"),
        septet("churn", "check: keyChurn, change: removed, against: live, mustBeLessThan: 10, unit: percent"),
        septet("again", "check: identicalToPrevious"),
    ]
    .concat();
    let checker = Checker::new(&contract(PROPERTIES, &rules));
    let items = rows(6_400);
    let history = before(&checker, sample(&checker, &items, 32).into_profile());
    let whole = checker.evaluate(&profile(&checker, &items), &history);
    assert_eq!(result(&whole, "mean").outcome, Outcome::Passed, "{whole:?}");
    for id in ["rows", "churn", "again"] {
        let found = result(&whole, id);
        assert_eq!(found.outcome, Outcome::NoBaseline, "{found:?}");
        assert!(found.message.contains("of version 1 only a sample was read"), "{found:?}");
    }
    let sampled = sample(&checker, &items, 32);
    assert_eq!(result(&checker.evaluate_sample(&sampled, &history), "mean").outcome, Outcome::Passed);
    // Nor is its profile ever taken for that of a table.
    let report = checker.evaluate(sampled.profile(), &History::default());
    assert_eq!((report.outcome, report.results.len()), (Outcome::Errored, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_sampled_verdict_never_passes_a_rule_that_needs_the_whole(
        scores in vec((0..130_u32, prop::option::of("[ab]")), 1..400), segments in 8..SEGMENTS, golden in 0..400_usize,
    ) {
        let items: Vec<_> =
            scores.iter().enumerate().map(|(at, (score, kind))| row(at, Some(&score.to_string()), kind.as_deref())).collect();
        let rules = [
            metric("just", &format!("metric: rowCount, mustBe: {}, unit: rows", items.len())),
            metric("duplicates", "metric: duplicateValues, arguments: {properties: [score, kind]}, mustBeLessThan: 3, unit: rows"),
            septet("churn", "check: keyChurn, change: removed, against: live, mustBeLessThan: 101, unit: percent"),
            septet("again", "check: identicalToPrevious"),
            septet("size", "check: itemSize, mustBeLessThan: 300000"),
            septet("golden", &format!("check: goldenKeys, keys: [{{id: k{golden}, score: {{mustBeLessThan: 90}}}}]")),
        ]
        .concat();
        let checker = Checker::new(&contract(PROPERTIES, &rules));
        let history = before(&checker, profile(&checker, &items));
        let sample = sample(&checker, &items, segments);
        let report = checker.evaluate_sample(&sample, &history);
        let whole = checker.evaluate(&profile(&checker, &items), &history);
        for id in ["just", "duplicates", "few_nulls", "churn", "again", "size"] {
            let found = result(&report, id);
            prop_assert_ne!(found.outcome, Outcome::Passed, "{:?}", found);
        }
        // What a few items show is so of the table.
        for id in ["duplicates", "few_nulls", "size", "golden", "score:maximum"] {
            let (found, truth) = (result(&report, id), result(&whole, id));
            let sure = match id {
                "score:maximum" => found.outcome == Outcome::Failed,
                _ => found.outcome != Outcome::Errored,
            };
            prop_assert!(!sure || found.outcome == truth.outcome, "{:?} {:?}", found, truth);
        }
    }
}
