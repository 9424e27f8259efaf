//! Compatibility of contracts, case by case: the documented rules of schema registries as far as the standard can say
//! them, and what is Septet's own.
//!
//! Avro's rules of resolution: <https://avro.apache.org/docs/1.12.0/specification/#schema-resolution>. Confluent's
//! for JSON Schema: <https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/serdes-json.html>.
//! An Avro field with a default and a JSON property that is not required are a property that is not `required`.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use septet_contract::{Compatibility, Contract, Direction, Former, Verdict, breaches, differences};
use serde_json::{Value, json};

fn contract(properties: &Value, quality: &Value) -> Contract {
    let mut properties = properties.as_array().unwrap().clone();
    if !properties.iter().any(|property| property["name"] == "id") {
        properties.insert(0, json!({"name": "id", "physicalType": "S", "primaryKey": true}));
    }
    let document = json!({
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": "x",
        "name": "x",
        "version": "1.0.0",
        "customProperties": [{"property": "septet.tablePattern", "value": "xx-*"}],
        "schema": [{"name": "x", "properties": properties, "quality": quality}],
    });
    Contract::parse(&document.to_string()).unwrap_or_else(|found| panic!("{}\n{document}", found[0]))
}

/// `compatibility/cases.json`: properties before and after, and what breaks each way, as `attribute rule`.
#[derive(serde::Deserialize)]
struct Case {
    what: String,
    old: Value,
    new: Value,
    /// What new readers find broken in old data.
    backward: Vec<String>,
    /// What old readers find broken in new data.
    forward: Vec<String>,
}

fn broken(readers: &Contract, data: &Contract) -> Vec<String> {
    breaches(readers, data).into_iter().map(|it| format!("{} {}", it.attribute, it.rule)).collect()
}

#[test]
fn every_case_breaks_what_it_should_and_nothing_else() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("compatibility/cases.json")).unwrap();
    assert!(cases.len() > 60);
    for case in cases {
        let (old, new) = (contract(&case.old, &json!([])), contract(&case.new, &json!([])));
        assert_eq!(broken(&new, &old), case.backward, "backward: {}", case.what);
        assert_eq!(broken(&old, &new), case.forward, "forward: {}", case.what);
        let changed = case.what != "nothing changed" && case.what != "symbols change places";
        assert!(!changed || !differences(&old, &new).is_empty(), "{}", case.what);
    }
}

#[test]
fn any_contract_can_read_its_own_data() {
    for folder in ["tests/corpus/good", "../../contracts"] {
        for entry in std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap()
        {
            let path = entry.unwrap().path();
            let contract = Contract::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
            assert_eq!(breaches(&contract, &contract), [], "{}", path.display());
            assert_eq!(differences(&contract, &contract), [], "{}", path.display());
        }
    }
}

/// Three contracts: 1 has `a` up to 3, 2 up to 2, 3 up to 1 characters; versions 10 to 12 are of 1, and so on.
fn verdict(mode: Compatibility, new_length: u64) -> Verdict {
    let of = |most: u64| {
        let property =
            json!({"name": "a", "logicalType": "string", "logicalTypeOptions": {"maxLength": most}});
        contract(&json!([property]), &json!([]))
    };
    let contracts = [of(3), of(2), of(1)];
    let former: Vec<_> = contracts
        .iter()
        .zip(1..)
        .map(|(contract, number)| Former { number, contract, versions: vec![number * 10, number * 10 + 1] })
        .collect();
    // Nobody has a text of more than one character in version 11.
    Verdict::of(&of(new_length), &former, mode, |version, breach| version == 11 && breach.rule == "maxLength")
}

#[test]
fn modes_forbid_their_direction_over_one_or_all_contracts() {
    use Compatibility::*;
    // A limit between those of contracts 2 and 1 is tighter than 1 and looser than 3.
    for (mode, length, compatible) in [
        (None, 9, true),
        (Backward, 1, true),
        (Backward, 9, true),
        (BackwardTransitive, 9, true),
        (BackwardTransitive, 2, false),
        (Backward, 0, false),
        (Forward, 1, true),
        (Forward, 0, true),
        (Forward, 2, false),
        (ForwardTransitive, 1, true),
        (ForwardTransitive, 2, false),
        (Full, 1, true),
        (Full, 2, false),
        (Full, 0, false),
        (FullTransitive, 1, false),
    ] {
        assert_eq!(verdict(mode, length).is_compatible(), compatible, "{mode} {length}");
    }
}

#[test]
fn a_verdict_names_attribute_rule_direction_and_versions_that_stop_being_safe() {
    let found = verdict(Compatibility::FullTransitive, 2);
    let said: Vec<_> = found
        .breaks
        .iter()
        .map(|it| format!("{} {} {} {}", it.contract, it.direction, it.forbidden, it.breach))
        .collect();
    assert_eq!(
        said,
        [
            "3 forward true a: maxLength: readers rely on 1 or fewer, data may be as many as 2",
            "1 backward true a: maxLength: readers rely on 2 or fewer, data may be as many as 3",
        ]
    );
    assert_eq!((found.unsafe_versions, found.safe_by_data), (vec![10], vec![11]));
    // What the mode does not ask for is said, and forbids nothing.
    let found = verdict(Compatibility::Forward, 1);
    assert_eq!(found.breaks.iter().filter(|it| it.direction == Direction::Backward).count(), 2);
    assert!(found.breaks.iter().all(|it| !it.forbidden));
    assert_eq!((found.unsafe_versions, found.safe_by_data), (vec![10, 20, 21], vec![11]));
}

#[test]
fn differences_are_named_one_by_one_and_whole_attributes_once() {
    let old = contract(
        &json!([
            {"name": "a", "logicalType": "integer", "logicalTypeOptions": {"maximum": 5}},
            {"name": "gone", "logicalType": "object", "properties": [{"name": "b", "logicalType": "string"}]},
        ]),
        &json!([{"id": "floor", "metric": "rowCount", "mustBeGreaterThan": 5}]),
    );
    let new = contract(
        &json!([
            {"name": "a", "logicalType": "integer", "required": true, "logicalTypeOptions": {"maximum": 6}},
            {"name": "new", "logicalType": "array", "items": {"logicalType": "string"}},
        ]),
        &json!([
            {"id": "floor", "metric": "rowCount", "mustBeGreaterThan": 6, "severity": "warning"},
            {"metric": "rowCount", "mustBeLessThan": 9},
        ]),
    );
    let said: Vec<_> = differences(&old, &new).iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "the table: rule floor: the number of items must be greater than 5 (error) -> the number of items must be greater than 6 (warning)",
            "the table: rule the number of items must be less than 9 (error): added: the number of items must be less than 9 (error)",
            "a: required: added: true",
            "a: maximum: 5 -> 6",
            "new: attribute: added: array, held as L or SS or NS or BS",
            "gone: attribute: removed: object, held as M, no members but those below",
        ]
    );
}

#[test]
fn settings_that_few_contracts_have_differ_only_where_they_are_set() {
    let old = include_str!("corpus/good/minimal.yaml");
    let new = old.replace(
        "schema:",
        "  - {property: septet.order, value: asOf}
  - {property: septet.indexes, value: [by-artist, by-day]}
  - {property: septet.prewarm, value: 30000}
schema:",
    );
    let (old, new) = (Contract::parse(old).unwrap(), Contract::parse(&new).unwrap());
    let said: Vec<_> = differences(&old, &new).iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "settings: septet.order: added: asOf",
            "settings: septet.indexes: added: by-artist, by-day",
            "settings: septet.prewarm: added: 30000",
        ]
    );
}
