//! The checks against others that are written the plainest way, on random items.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;

use bigdecimal::{BigDecimal, Zero};
use proptest::collection::vec;
use proptest::prelude::*;
use septet_contract::Contract;

use super::{contract, report};
use crate::samples::{any_item, any_value, item};
use crate::{Checker, Item, Outcome, Value};

/// A contract with most that contracts can say.
pub(super) fn rich() -> Contract {
    contract(RICH, RULES)
}

/// As [`rich`], without the rules that count duplicates.
pub(super) fn without_duplicates() -> Contract {
    let without = |text: &str| {
        text.lines().filter(|line| !line.contains("duplicateValues")).collect::<Vec<_>>().join("\n")
    };
    contract(&without(RICH), &without(RULES))
}

const RICH: &str = "
- name: text
  logicalType: string
  required: true
  logicalTypeOptions: {minLength: 1, maxLength: 3, pattern: '^[a-c]+$'}
- name: count
  logicalType: integer
  logicalTypeOptions: {minimum: -5, exclusiveMaximum: 10, multipleOf: 2}
  quality:
    - {id: nulls, metric: nullValues, mustBeLessThan: 3}
    - {id: missing, metric: missingValues, arguments: {missingValues: [0, 2]}, mustBe: 0}
    - {id: invalid, metric: invalidValues, mustBeLessOrEqualTo: 30, unit: percent}
    - {id: repeated, metric: duplicateValues, mustBeLessThan: 4}
- name: colour
  physicalType: S
  enum: [{value: red}, {value: blue}]
- name: day
  logicalType: date
- name: tags
  logicalType: array
  logicalTypeOptions: {minItems: 1, maxItems: 2, uniqueItems: true}
  items:
    logicalType: string
    logicalTypeOptions: {maxLength: 1}
- name: inner
  logicalType: object
  customProperties: [{property: septet.closed, value: false}]
  properties:
    - name: flag
      physicalName: Flag
      logicalType: boolean
      required: true
- name: recs
  logicalType: array
  physicalType: L
  items:
    logicalType: object
    properties:
      - name: score
        logicalType: number
        physicalType: N
        required: true
        logicalTypeOptions: {minimum: 0, maximum: 1}
        quality:
          - {id: score_nulls, metric: nullValues, mustBe: 0}
";

const RULES: &str = "
- {id: rows, metric: rowCount, mustBeBetween: [3, 9]}
- {id: pairs, metric: duplicateValues, arguments: {properties: [text, colour]}, mustBe: 0}
";

/// An item that is close to what [`rich`] asks for.
pub(super) fn rich_item() -> impl Strategy<Value = Item> {
    fn text(pattern: &'static str) -> BoxedStrategy<Value> {
        pattern.prop_map(Value::S).boxed()
    }
    fn number(pattern: &'static str) -> BoxedStrategy<Value> {
        pattern.prop_map(Value::N).boxed()
    }
    let mostly = |good: BoxedStrategy<Value>| {
        prop_oneof![
            8 => good.prop_map(Some),
            1 => any_value().prop_map(Some),
            1 => Just(Some(Value::Null)),
            1 => Just(None),
        ]
    };
    let score = prop_oneof![4 => number("[01]|0\\.[0-9]"), 1 => number("-1|1\\.5"), 1 => text("0\\.5"), 1 => Just(Value::Null)];
    let rec = prop_oneof![
        6 => score.prop_map(|score| Value::M(item([("score", score)]))),
        1 => Just(Value::M(Item::new())),
        1 => Just(Value::Null),
        1 => any_value(),
    ];
    let tags = prop_oneof![
        vec(text("[ab]{0,2}"), 0..4).prop_map(Value::L),
        prop::collection::btree_set("[ab]{0,2}", 1..4).prop_map(|set| Value::SS(set.into_iter().collect())),
    ];
    let flag = prop_oneof![any::<bool>().prop_map(Value::Bool), text("true")];
    let inner = prop_oneof![
        flag.prop_map(|flag| Value::M(item([("Flag", flag), ("more", Value::Null)]))),
        Just(Value::M(item([("flag", Value::Bool(true))]))),
    ];
    let attributes: Vec<(&str, BoxedStrategy<Option<Value>>)> = vec![
        ("id", text("k[0-9]").prop_map(Some).boxed()),
        ("text", mostly(text("[a-d]{0,4}").boxed()).boxed()),
        ("count", mostly(number("-?[0-9]{1,2}|[0-9]\\.[05]").boxed()).boxed()),
        ("colour", mostly(text("red|blue|green").boxed()).boxed()),
        ("day", mostly(text("2026-1[0-3]-[0-3][0-9]").boxed()).boxed()),
        ("tags", mostly(tags.boxed()).boxed()),
        ("inner", mostly(inner.boxed()).boxed()),
        ("recs", mostly(vec(rec, 0..4).prop_map(Value::L).boxed()).boxed()),
        ("extra", prop_oneof![9 => Just(None), 1 => any_value().prop_map(Some)].boxed()),
    ];
    let (names, values): (Vec<_>, Vec<_>) = attributes.into_iter().unzip();
    values.prop_map(move |values| {
        let present = names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
        present.collect::<HashMap<_, _>>()
    })
}

/// An item that keeps all limits of [`rich`].
pub(super) fn sound_item() -> impl Strategy<Value = Item> {
    let flag = any::<bool>().prop_map(Value::Bool);
    let scores = vec("[01]|0\\.[0-9]{1,3}", 0..4).prop_map(|scores| {
        let recs = scores.into_iter().map(|score| Value::M(item([("score", Value::N(score))])));
        Value::L(recs.collect())
    });
    let known = (
        "k[0-9]".prop_map(Value::S),
        "[a-c]{1,3}".prop_map(Value::S),
        prop::option::of(prop_oneof!["-?[24]", "[68]\\.0"].prop_map(Value::N)),
        prop::option::of("2026-1[0-2]-[12][0-9]".prop_map(Value::S)),
        prop::option::of(flag),
        prop::option::of(scores),
    );
    known.prop_map(|(id, text, count, day, flag, recs)| {
        let mut found = item([("id", id), ("text", text)]);
        found.extend(count.map(|count| ("count".to_owned(), count)));
        found.extend(day.map(|day| ("day".to_owned(), day)));
        found.extend(flag.map(|flag| ("inner".to_owned(), Value::M(item([("Flag", flag)])))));
        found.extend(recs.map(|recs| ("recs".to_owned(), recs)));
        found
    })
}

/// What is wrong with one item: ids of results, each with how often.
type Wrong = BTreeMap<String, u64>;

fn decimal(value: &Value) -> Option<BigDecimal> {
    match value {
        Value::N(text) => BigDecimal::from_str(text).ok(),
        _ => None,
    }
}

fn naive(item: &Item) -> Wrong {
    let mut wrong = Wrong::new();
    let mut note = |id: &str, bad: bool| {
        if bad {
            *wrong.entry(id.to_owned()).or_default() += 1;
        }
    };
    let get = |name: &str| item.get(name).filter(|value| **value != Value::Null);
    let known = ["id", "text", "count", "colour", "day", "tags", "inner", "recs"];
    for name in item.keys().filter(|name| !known.contains(&name.as_str())) {
        note(&format!("{name}:closed"), true);
    }
    note("id:required", get("id").is_none());
    note("id:physicalType", get("id").is_some_and(|id| !matches!(id, Value::S(_))));
    note("text:required", get("text").is_none());
    match get("text") {
        Some(Value::S(text)) => {
            note("text:minLength", text.is_empty());
            note("text:maxLength", text.chars().count() > 3);
            note("text:pattern", text.is_empty() || !text.chars().all(|c| ('a'..='c').contains(&c)));
        }
        other => note("text:logicalType", other.is_some()),
    }
    if let Some(value) = get("count") {
        let whole = |n: &BigDecimal| (n % BigDecimal::from(1)).is_zero();
        match decimal(value) {
            Some(count) if whole(&count) => {
                let (low, high, odd) = (count < -5, count >= 10, !(&count % BigDecimal::from(2)).is_zero());
                note("count:minimum", low);
                note("count:exclusiveMaximum", high);
                note("count:multipleOf", odd);
                note("invalid", low || high || odd);
            }
            _ => {
                note("count:logicalType", true);
                note("invalid", true);
            }
        }
        let listed = decimal(value).is_some_and(|n| n.is_zero() || n == 2);
        note("missing", listed);
    }
    note("missing", get("count").is_none());
    note("nulls", get("count").is_none());
    match get("colour") {
        Some(Value::S(colour)) => note("colour:enum", colour != "red" && colour != "blue"),
        other => note("colour:physicalType", other.is_some()),
    }
    match get("day") {
        Some(Value::S(day)) => {
            note("day:logicalType", day.len() != 10 || day.parse::<jiff::civil::Date>().is_err())
        }
        other => note("day:logicalType", other.is_some()),
    }
    let tags: Option<Vec<Value>> = match get("tags") {
        Some(Value::L(tags)) => Some(tags.clone()),
        Some(Value::SS(tags)) => Some(tags.iter().cloned().map(Value::S).collect()),
        Some(Value::NS(tags)) => Some(tags.iter().cloned().map(Value::N).collect()),
        Some(Value::BS(tags)) => Some(tags.iter().cloned().map(Value::B).collect()),
        other => {
            note("tags:logicalType", other.is_some());
            None
        }
    };
    if let Some(tags) = tags {
        note("tags:minItems", tags.is_empty());
        note("tags:maxItems", tags.len() > 2);
        let different: BTreeSet<_> = tags.iter().map(same).collect();
        let set = !matches!(item["tags"], Value::L(_));
        note("tags:uniqueItems", !set && different.len() < tags.len());
        for tag in &tags {
            match tag {
                Value::S(tag) => note("tags[]:maxLength", tag.chars().count() > 1),
                Value::Null => {}
                _ => note("tags[]:logicalType", true),
            }
        }
    }
    match get("inner") {
        Some(Value::M(inner)) => match inner.get("Flag") {
            None | Some(Value::Null) => note("inner.Flag:required", true),
            Some(flag) => note("inner.Flag:logicalType", !matches!(flag, Value::Bool(_))),
        },
        other => note("inner:logicalType", other.is_some()),
    }
    match get("recs") {
        Some(Value::L(recs)) => {
            for rec in recs {
                let score = match rec {
                    Value::M(members) => {
                        for name in members.keys().filter(|name| *name != "score") {
                            note(&format!("recs[].{name}:closed"), true);
                        }
                        let score = members.get("score").filter(|score| **score != Value::Null);
                        note("recs[].score:required", score.is_none());
                        score
                    }
                    Value::Null => None,
                    _ => {
                        note("recs[]:logicalType", true);
                        None
                    }
                };
                note("score_nulls", score.is_none());
                if let Some(score) = score {
                    let size = decimal(score);
                    note("recs[].score:physicalType", size.is_none());
                    note("recs[].score:minimum", size.as_ref().is_some_and(|n| *n < BigDecimal::zero()));
                    note("recs[].score:maximum", size.is_some_and(|n| n > 1));
                }
            }
        }
        other => note("recs:physicalType", other.is_some()),
    }
    wrong
}

/// A text that is the same for equal values.
fn same(value: &Value) -> String {
    match value {
        Value::N(text) => format!("N{}", BigDecimal::from_str(text).unwrap().normalized()),
        Value::M(members) => {
            let members: BTreeMap<_, _> = members.iter().map(|(name, value)| (name, same(value))).collect();
            format!("M{members:?}")
        }
        Value::L(elements) => format!("L{:?}", elements.iter().map(same).collect::<Vec<_>>()),
        Value::SS(elements) => format!("SS{:?}", elements.iter().collect::<BTreeSet<_>>()),
        Value::NS(elements) => {
            let elements: BTreeSet<_> = elements.iter().map(|text| same(&Value::N(text.clone()))).collect();
            format!("NS{elements:?}")
        }
        Value::BS(elements) => format!("BS{:?}", elements.iter().collect::<BTreeSet<_>>()),
        other => format!("{other:?}"),
    }
}

fn duplicates(values: impl Iterator<Item = String>) -> u64 {
    let (mut all, mut different) = (0, BTreeSet::new());
    for value in values {
        all += 1;
        different.insert(value);
    }
    all - different.len() as u64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_count_is_what_plain_checks_count(
        items in vec(prop_oneof![5 => rich_item(), 1 => any_item()], 0..12)
    ) {
        let wrong: Vec<_> = items.iter().map(naive).collect();
        let failing = |id: &str| wrong.iter().filter(|wrong| wrong.contains_key(id)).count() as u64;
        let values = |id: &str| wrong.iter().filter_map(|wrong| wrong.get(id)).sum::<u64>();
        let report = report(&Checker::new(&rich()), &items);

        let seen = |item: &Item, name: &str| item.get(name).filter(|v| **v != Value::Null).map(same);
        let repeated = duplicates(items.iter().filter_map(|item| seen(item, "count")));
        let pairs = duplicates(
            items.iter().filter_map(|item| Some(format!("{:?}", (seen(item, "text")?, seen(item, "colour")?)))),
        );
        let count = items.len() as u64;
        let rules = [
            ("nulls", values("nulls"), values("nulls") < 3),
            ("missing", values("missing"), values("missing") == 0),
            ("invalid", values("invalid"), values("invalid") * 100 <= 30 * count),
            ("repeated", repeated, repeated < 4),
            ("score_nulls", values("score_nulls"), values("score_nulls") == 0),
            ("rows", 1, (3..=9).contains(&count)),
            ("pairs", pairs, pairs == 0),
        ];
        let mut named = BTreeSet::new();
        for result in &report.results {
            named.insert(result.id.as_str());
            let rule = rules.iter().find(|(id, ..)| *id == result.id);
            let (expected, holds) = match (rule, result.id.as_str()) {
                (Some((_, expected, holds)), _) => (*expected, *holds),
                (None, "table:notEmpty") => (0, count > 0),
                (None, "table:closed" | "recs[]:closed") => (0, result.outcome == Outcome::Passed),
                (None, id) => (failing(id), failing(id) == 0),
            };
            let outcome = if holds { Outcome::Passed } else { Outcome::Failed };
            prop_assert_eq!(result.outcome, outcome, "{} {:?}", result.id, result);
            prop_assert_eq!(result.failing, if holds { 0 } else { expected }, "{} {:?}", result.id, result);
            if !holds {
                prop_assert!(report.reasons().len() == 20 || report.reasons().contains(&result.message));
            }
        }
        for id in wrong.iter().flat_map(BTreeMap::keys) {
            prop_assert!(named.contains(id.as_str()), "{} is in no result", id);
        }
        let all_hold = report.results.iter().all(|result| result.outcome == Outcome::Passed);
        prop_assert_eq!(report.outcome == Outcome::Passed, all_hold);
    }
}
