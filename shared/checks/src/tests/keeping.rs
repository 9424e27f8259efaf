//! Promises that data keeps although its contract does not make them.

use septet_contract::{Contract, breaches};

use super::contract;
use crate::samples::{item, number, text};
use crate::{Checker, Extent, Item, Value};

/// The data's contract, with nothing that it promises.
const LOOSE: &str = "
- {name: word, logicalType: string}
- {name: count, logicalType: number}
- {name: kind, logicalType: string}
- {name: tags, logicalType: array, items: {logicalType: string}}
- name: recs
  physicalName: r
  logicalType: array
  items:
    logicalType: object
    properties:
      - {name: score, physicalName: s, logicalType: number}
      - {name: spare, logicalType: string}
";

/// The rules of this property that the items do not show to be kept.
fn broken(property: &str, items: &[Item]) -> Vec<String> {
    let (data, readers): (Contract, Contract) = (contract(LOOSE, ""), contract(property, ""));
    let checker = Checker::new(&data);
    let mut profile = checker.profile();
    items.iter().for_each(|item| checker.observe(&mut profile, item));
    let found = breaches(&readers, &data);
    assert!(!found.is_empty(), "{property}");
    let left = found.into_iter().filter(|breach| !profile.keeps(&readers, breach));
    left.map(|breach| format!("{} {}", breach.attribute, breach.rule)).collect()
}

fn all() -> Vec<Item> {
    let rec = |score: &str| Value::M(item([("s", number(score))]));
    vec![
        item([
            ("id", text("k1")),
            ("word", text("añ")),
            ("count", number("-3")),
            ("tags", Value::L(vec![text("a")])),
            ("r", Value::L(vec![rec("0"), rec("0.99999999999999999999999999999999999999")])),
        ]),
        item([
            ("id", text("k2")),
            ("word", text("abcde")),
            ("count", Value::Null),
            ("tags", Value::L(vec![text("a"), text("b"), text("c")])),
            ("r", Value::L(Vec::new())),
        ]),
    ]
}

#[test]
fn what_was_seen_shows_which_promises_are_kept_to_the_last_one() {
    for (property, left) in [
        (
            "- {name: word, logicalType: string, required: true, logicalTypeOptions: {minLength: 2, maxLength: 5}}",
            "",
        ),
        (
            "- {name: word, logicalType: string, logicalTypeOptions: {minLength: 3, maxLength: 5}}",
            "word minLength",
        ),
        (
            "- {name: word, logicalType: string, logicalTypeOptions: {minLength: 2, maxLength: 4}}",
            "word maxLength",
        ),
        ("- {name: count, logicalType: number, logicalTypeOptions: {minimum: -3, maximum: -3}}", ""),
        (
            "- {name: count, logicalType: number, required: true, logicalTypeOptions: {exclusiveMinimum: -3}}",
            "count required, count exclusiveMinimum",
        ),
        (
            "- {name: tags, logicalType: array, logicalTypeOptions: {minItems: 1, maxItems: 3}, items: {logicalType: string, required: true}}",
            "",
        ),
        (
            "- {name: tags, logicalType: array, logicalTypeOptions: {minItems: 2, maxItems: 2}}",
            "tags minItems, tags maxItems",
        ),
    ] {
        assert_eq!(broken(property, &all()).join(", "), left, "{property}");
    }
}

#[test]
fn members_of_objects_are_found_by_their_attributes() {
    let recs = |options: &str| {
        format!(
            "- name: list\n  physicalName: r\n  logicalType: array\n  items:\n    logicalType: object\n    properties:\n      \
             - {{name: weight, physicalName: s, logicalType: number, required: true, logicalTypeOptions: {{{options}}}}}"
        )
    };
    assert_eq!(broken(&recs("minimum: 0, exclusiveMaximum: 1"), &all()), Vec::<String>::new());
    // All 38 digits count.
    let left = broken(&recs("maximum: 0.9999999999999999999999999999999999999"), &all());
    assert_eq!(left, ["list[].weight maximum"]);
}

#[test]
fn what_the_values_themselves_would_show_is_not_shown() {
    let pattern = "- {name: word, logicalType: string, logicalTypeOptions: {pattern: '.'}}";
    assert_eq!(broken(pattern, &all()), ["word pattern"]);
    let unique = "- {name: word, logicalType: string, unique: true}";
    assert_eq!(broken(unique, &all()), ["word unique"]);
    // Of what no item has, nothing can break a promise but that it is there.
    let kind = "- {name: kind, logicalType: integer, required: true}";
    assert_eq!(broken(kind, &all()), ["kind required"]);
    let unknown = "- {name: fresh, logicalType: string, required: true}";
    assert_eq!(broken(unknown, &all()), ["fresh required"]);
}

#[test]
fn a_sample_shows_nothing() {
    let (data, readers) =
        (contract(LOOSE, ""), contract("- {name: word, logicalType: string, required: true}", ""));
    let checker = Checker::new(&data);
    let mut profile = checker.profile();
    all().iter().for_each(|item| checker.observe(&mut profile, item));
    let breach = &breaches(&readers, &data)[0];
    assert!(profile.keeps(&readers, breach));
    profile.sampled = Some(Extent { segments: 1, dropped: 0, of: 2, read_units: 1.0 });
    assert!(!profile.keeps(&readers, breach));
}
