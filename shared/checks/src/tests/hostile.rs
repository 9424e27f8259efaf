//! Items that no contract expects.

use super::naive::rich;
use super::{contract, failing, items, report, result};
use crate::samples::{item, number, text};
use crate::{Checker, History, Item, Outcome, Value};

#[test]
fn the_deepest_items_of_dynamodb_are_taken() {
    let deep = (0..32).fold(text("x"), |value, level| match level % 2 {
        0 => Value::L(vec![value, Value::Null]),
        _ => Value::M(item([("inner", value)])),
    });
    for (name, outcome) in [("recs", Outcome::Failed), ("inner", Outcome::Failed)] {
        let item = item([("id", text("k")), ("text", text("a")), (name, deep.clone())]);
        assert_eq!(report(&Checker::new(&rich()), &[item]).outcome, outcome);
    }
    let open = Checker::new(&contract("- name: a\n  physicalType: M\n", ""));
    assert_eq!(report(&open, &items([Some(deep)])).outcome, Outcome::Passed);
}

#[test]
fn large_items_are_taken_and_examples_of_them_stay_small() {
    let checker = Checker::new(&contract(
        "- name: a\n  logicalType: string\n  logicalTypeOptions: {maxLength: 10}\n",
        "",
    ));
    let item = item([("id", text("k".repeat(2000))), ("a", text("é".repeat(180_000)))]);
    let mut profile = checker.profile();
    checker.observe(&mut profile, &item);
    assert_eq!(profile.bytes(), 2 + 2000 + 1 + 360_000);
    let report = checker.evaluate(&profile, &History::default());
    let found = result(&report, "a:maxLength");
    assert!(found.message.chars().count() < 250, "{}", found.message);
    assert!(serde_json::to_string(&profile).unwrap().len() < 2000);
}

#[test]
fn names_that_begin_alike_beyond_all_sense_are_taken_together() {
    let checker = Checker::new(&contract("", ""));
    let mut long = item([("id", text("k"))]);
    for end in ["x", "y", "é"] {
        long.insert(format!("{}{end}", "é".repeat(200)), Value::Null);
    }
    let mut profile = checker.profile();
    checker.observe(&mut profile, &long);
    let report = checker.evaluate(&profile, &History::default());
    assert_eq!(failing(&report).len(), 1);
    assert!(serde_json::to_string(&profile).unwrap().len() < 2500);
}

#[test]
fn items_without_a_key_fail_and_are_shown_so() {
    let checker = Checker::new(&contract("", ""));
    let report = report(&checker, &[Item::new(), item([("id", number("7"))])]);
    assert_eq!(failing(&report), ["id:required", "id:physicalType"]);
    assert_eq!(result(&report, "id:required").examples[0].key, "id absent");
    assert_eq!(result(&report, "id:physicalType").examples[0].key, "id 7");
}
