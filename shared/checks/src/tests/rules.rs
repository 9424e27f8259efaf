//! Rules of the contract, and the table as a whole.

use std::collections::HashSet;

use septet_contract::{Contract, Severity};

use super::{contract, failing, items, report, result};
use crate::samples::{item, number, text};
use crate::{Checker, FunctionAnswer, History, Item, Outcome, Value};

/// A contract with the attribute `a` and this rule at it.
fn ruled(property: &str, rule: &str) -> Checker {
    let rule: String = rule.lines().map(|line| format!("      {line}\n")).collect();
    let rule = format!("    - id: rule\n{rule}");
    Checker::new(&contract(&format!("- name: a\n{property}  quality:\n{rule}"), ""))
}

const ANY: &str = "  logicalType: string\n";

#[test]
fn an_empty_table_fails_unless_a_rule_allows_it() {
    let plain = Checker::new(&contract("", ""));
    let empty = report(&plain, &[]);
    assert_eq!((empty.outcome, empty.reasons()), (Outcome::Failed, vec!["the table is empty".to_owned()]));
    assert_eq!(report(&plain, &items([None])).outcome, Outcome::Passed);
    let allowed = Checker::new(&contract("", "- metric: rowCount\n  mustBeLessThan: 5"));
    assert_eq!(report(&allowed, &[]).outcome, Outcome::Passed);
    let needed = Checker::new(&contract("", "- metric: rowCount\n  mustBeGreaterThan: 5"));
    let reasons = report(&needed, &[]).reasons();
    assert_eq!(reasons, ["the table is empty", "rowCount: 0 items, more than 5 expected"]);
}

#[test]
fn each_operator_holds_where_it_says() {
    for (operator, holding, words) in [
        ("mustBe: 2", [2].as_slice(), "exactly 2"),
        ("mustNotBe: 2", &[1, 3, 4], "anything but 2"),
        ("mustBeGreaterThan: 2", &[3, 4], "more than 2"),
        ("mustBeGreaterOrEqualTo: 2", &[2, 3, 4], "at least 2"),
        ("mustBeLessThan: 2", &[1], "less than 2"),
        ("mustBeLessOrEqualTo: 2", &[1, 2], "at most 2"),
        ("mustBeBetween: [2, 3]", &[2, 3], "between 2 and 3 (both included)"),
        ("mustNotBeBetween: [2, 3]", &[1, 4], "less than 2 or more than 3"),
    ] {
        let checker = Checker::new(&contract("", &format!("- id: rule\n  metric: rowCount\n  {operator}")));
        for count in 1..=4 {
            let report = report(&checker, &items((0..count).map(|_| None)));
            let expected = if holding.contains(&count) { Outcome::Passed } else { Outcome::Failed };
            let rule = result(&report, "rule");
            assert_eq!((rule.outcome, report.outcome), (expected, expected), "{operator} {count}");
            assert_eq!(rule.expected, words);
            assert_eq!(
                rule.message,
                format!("rowCount: {count} item{}, {words} expected", if count == 1 { "" } else { "s" })
            );
        }
    }
}

#[test]
fn nulls_are_counted_whether_absent_or_null() {
    let checker = ruled(ANY, "metric: nullValues\nmustBeLessThan: 2");
    let some = || Some(text("x"));
    assert_eq!(report(&checker, &items([some(), None, some()])).outcome, Outcome::Passed);
    let bad = report(&checker, &items([some(), None, Some(Value::Null)]));
    assert_eq!(bad.reasons(), ["a: nullValues: 2 nulls, less than 2 expected"]);
    assert_eq!((result(&bad, "rule").failing, result(&bad, "rule").of), (2, 3));
}

#[test]
fn shares_are_compared_without_rounding() {
    let checker = ruled(ANY, "metric: nullValues\nmustBeLessThan: 33.333333\nunit: percent");
    let third = report(&checker, &items([None, Some(text("x")), Some(text("x"))]));
    let expected = "a: nullValues: 33.333 % nulls (1 of 3), less than 33.333333 % expected";
    assert_eq!(third.reasons(), [expected]);
    let quarter = report(&checker, &items([None, Some(text("x")), Some(text("x")), Some(text("x"))]));
    assert_eq!(quarter.outcome, Outcome::Passed);
}

#[test]
fn a_member_of_a_null_object_is_null_and_elements_count_one_by_one() {
    let rule = "quality:\n          - id: rule\n            metric: nullValues\n            mustBe: 0\n";
    let member = format!("- name: x\n          logicalType: number\n          {rule}");
    let object = format!("- name: a\n  logicalType: object\n  properties:\n        {member}");
    let checker = Checker::new(&contract(&object, ""));
    let full = Value::M(item([("x", number("1"))]));
    let bad = report(&checker, &items([None, Some(full.clone()), Some(Value::M(Item::new()))]));
    assert_eq!((result(&bad, "rule").failing, result(&bad, "rule").of), (2, 3));

    let list = format!(
        "- name: a\n  logicalType: array\n  items:\n    logicalType: object\n    properties:\n        {member}"
    );
    let checker = Checker::new(&contract(&list, ""));
    let elements = Value::L(vec![full.clone(), Value::M(Item::new()), Value::Null, full]);
    let bad = report(&checker, &items([None, Some(elements)]));
    assert_eq!((result(&bad, "rule").failing, result(&bad, "rule").of), (2, 4));
}

#[test]
fn missing_values_are_nulls_and_those_listed() {
    let checker = ruled(ANY, "metric: missingValues\narguments: {missingValues: ['', 'N/A', 0]}\nmustBe: 0");
    let bad =
        report(&checker, &items([Some(text("x")), Some(text("")), Some(text("N/A")), None, Some(text("0"))]));
    assert_eq!((result(&bad, "rule").failing, result(&bad, "rule").of), (3, 5));
    assert_eq!(result(&bad, "rule").examples.len(), 2);
}

#[test]
fn invalid_values_are_those_outside_of_list_and_pattern() {
    let values =
        || items(["red", "green", "blue", ""].map(|value| Some(text(value))).into_iter().chain([None]));
    for (arguments, count) in [
        ("validValues: [red, green]", 2),
        ("pattern: '^[a-z]+$'", 1),
        ("validValues: [red, green, ''], pattern: '^[a-z]+$'", 2),
    ] {
        let rule = format!("metric: invalidValues\narguments: {{{arguments}}}\nmustBe: 0\nseverity: warning");
        let report = report(&ruled(ANY, &rule), &values());
        assert_eq!((result(&report, "rule").failing, result(&report, "rule").of), (count, 5), "{arguments}");
        assert_eq!((report.outcome, report.reasons().len()), (Outcome::Passed, 0));
        assert_eq!(report.warnings().len(), 1);
    }
    let options = "  logicalType: string\n  logicalTypeOptions: {maxLength: 3}\n";
    let own = ruled(options, "metric: invalidValues\nmustBeLessOrEqualTo: 2");
    let found = report(&own, &items([Some(text("long")), Some(number("1")), Some(text("ok")), None]));
    assert_eq!(failing(&found), ["a:logicalType", "a:maxLength"]);
    assert_eq!(result(&found, "rule").seen, "2 invalid values");
}

#[test]
fn duplicates_are_values_beyond_the_first_of_each() {
    let unique = "- name: a\n  unique: true\n";
    let checker = Checker::new(&contract(unique, ""));
    let values = |values: &[Option<Value>]| report(&checker, &items(values.to_vec()));
    let one = Some(number("1"));
    assert_eq!(
        values(&[one.clone(), Some(text("1")), None, None, Some(Value::Null)]).outcome,
        Outcome::Passed
    );
    let bad = values(&[one.clone(), Some(number("1.0")), one, Some(number("2"))]);
    assert_eq!(bad.reasons(), ["a: unique: 2 duplicates, none expected"]);
    assert_eq!((result(&bad, "a:unique").failing, result(&bad, "a:unique").of), (2, 4));
    let share = ruled(ANY, "metric: duplicateValues\nmustBeLessThan: 25\nunit: percent");
    let report = report(&share, &items(["x", "x", "y", "z"].map(|value| Some(text(value)))));
    assert_eq!(report.reasons(), ["a: duplicateValues: 25 % duplicates (1 of 4), less than 25 % expected"]);
}

#[test]
fn combinations_are_compared_attribute_by_attribute() {
    let rule = "- id: rule\n  metric: duplicateValues\n  arguments: {properties: [a, b]}\n  mustBe: 0";
    let properties =
        "- name: a\n  physicalName: A\n  logicalType: string\n- name: b\n  logicalType: string\n";
    let checker = Checker::new(&contract(properties, rule));
    let of = |pairs: &[(&str, &str)]| {
        let items: Vec<_> = pairs
            .iter()
            .enumerate()
            .map(|(at, (a, b))| item([("id", text(at.to_string())), ("A", text(*a)), ("b", text(*b))]))
            .collect();
        report(&checker, &items).reasons()
    };
    assert_eq!(of(&[("x", "y"), ("y", "x"), ("xy", ""), ("", "xy")]), [""; 0]);
    assert_eq!(of(&[("x", "y"), ("x", "y")]), ["duplicateValues: 1 duplicate, none expected"]);
    let nulls: Vec<_> = (0..2).map(|at| item([("id", text(at.to_string())), ("A", text("x"))])).collect();
    assert_eq!(report(&checker, &nulls).outcome, Outcome::Passed);
}

#[test]
fn the_primary_key_is_unique_and_the_result_says_why() {
    let rule = "- id: rule\n  metric: duplicateValues\n  arguments: {properties: [id, a]}\n  mustBe: 0";
    let checker = Checker::new(&contract("- name: a\n  logicalType: string\n", rule));
    // The same item twice is what a scan that was resumed may hand over.
    let report = report(&checker, &[items([None]), items([None])].concat());
    let rule = result(&report, "rule");
    assert_eq!(
        (rule.outcome, rule.seen.as_str()),
        (Outcome::Passed, "no duplicates, as DynamoDB keeps primary keys unique")
    );

    // With a sort key, one part alone may repeat.
    let sorted =
        "- name: a\n  logicalType: string\n  primaryKey: true\n  primaryKeyPosition: 2\n  unique: true\n";
    let checker = Checker::new(&contract(sorted, ""));
    let twice = items([Some(text("x")), Some(text("x"))]);
    assert_eq!(failing(&super::report(&checker, &twice)), ["a:unique"]);
}

#[test]
fn what_nothing_enforces_yet_is_said_and_never_counts_as_passed() {
    let checker = Checker::new(&contract(
        "- name: a\n  logicalType: string\n  logicalTypeOptions: {format: iban}\n",
        "- id: words\n  type: text\n  description: Scores are calibrated.\n",
    ));
    let report = report(&checker, &items([Some(text("x"))]));
    assert_eq!((report.outcome, report.reasons()), (Outcome::Passed, vec![]));
    for id in ["a:format", "words"] {
        assert_eq!(result(&report, id).outcome, Outcome::Skipped, "{id}");
    }
    assert_eq!(
        report.warnings(),
        ["a: format: the format \"iban\" is not enforced by this version of Septet"]
    );
    assert!(result(&report, "words").message.contains("Scores are calibrated."));
}

#[test]
fn what_is_skipped_is_what_the_contract_says_is_not_enforced() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../contract/tests/corpus/good");
    let mut skipped_at_all = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        let contract = Contract::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let report = report(&Checker::new(&contract), &[]);
        let skipped = report.results.iter().filter(|result| result.outcome == Outcome::Skipped);
        let skipped = skipped.filter(|result| result.rule != "text").count();
        assert_eq!(skipped, contract.unenforced().len(), "{} {:?}", path.display(), contract.unenforced());
        skipped_at_all += skipped;
        let ids: HashSet<_> = report.results.iter().map(|result| &result.id).collect();
        assert_eq!(ids.len(), report.results.len(), "an id stands twice: {}", path.display());
    }
    assert!(skipped_at_all > 2);
}

#[test]
fn rules_of_the_same_name_have_ids_of_their_own() {
    let rule =
        "- name: nulls\n  metric: rowCount\n  mustBe: 1\n- name: nulls\n  metric: rowCount\n  mustBe: 1";
    let report = report(&Checker::new(&contract("", rule)), &items([None]));
    result(&report, "nulls");
    result(&report, "nulls (schema[0].quality[1])");
}

#[test]
fn members_of_objects_are_unique_over_items() {
    // It has the key's name, and yet is no key.
    let member = "- name: a\n  logicalType: object\n  properties:\n    - {name: id, logicalType: string, unique: true}\n";
    let checker = Checker::new(&contract(member, ""));
    let of = |ids: [&str; 3]| {
        let items = ids.map(|id| Some(Value::M([("id".into(), text(id))].into_iter().collect())));
        let report = report(&checker, &self::items(items));
        (result(&report, "a.id:unique").outcome, report.warnings().len())
    };
    assert_eq!(of(["x", "y", "z"]), (Outcome::Passed, 0));
    assert_eq!(of(["x", "y", "x"]), (Outcome::Failed, 0));
}

#[test]
fn uniqueness_within_lists_is_not_enforced_and_said() {
    let checker = Checker::new(&contract(
        "- name: a\n  logicalType: array\n  items:\n    logicalType: object\n    properties:\n      - name: x\n        logicalType: string\n        unique: true\n",
        "",
    ));
    let report = report(&checker, &items([None]));
    assert_eq!(result(&report, "a[].x:unique").outcome, Outcome::Skipped);
    assert_eq!(report.warnings().len(), 1);
}

#[test]
fn moments_without_an_offset_are_compared_as_utc_and_said() {
    let of = |zone: &str| {
        Checker::new(&contract(
            &format!(
                "- name: a\n  logicalType: timestamp\n  logicalTypeOptions: {{minimum: \"2026-11-21T06:00:00Z\", defaultTimezone: {zone}}}\n"
            ),
            "",
        ))
    };
    assert_eq!(report(&of("UTC"), &items([None])).warnings(), [""; 0]);
    let expected = "a: defaultTimezone: moments without an offset are compared as UTC, not as Europe/Berlin";
    assert_eq!(report(&of("Europe/Berlin"), &items([None])).warnings(), [expected]);
}

#[test]
fn the_severity_of_a_rule_decides_whether_it_rejects() {
    for (severity, outcome, reasons, warnings) in [
        ("error", Outcome::Failed, 1, 0),
        ("warning", Outcome::Passed, 0, 1),
        ("info", Outcome::Passed, 0, 1),
    ] {
        let checker = ruled(ANY, &format!("metric: nullValues\nmustBe: 0\nseverity: {severity}"));
        let report = report(&checker, &items([None]));
        assert_eq!(report.outcome, outcome);
        assert_eq!((report.reasons().len(), report.warnings().len()), (reasons, warnings), "{severity}");
    }
}

#[test]
fn reasons_are_gravest_first_and_bounded() {
    let properties: String = (0..30)
        .map(|at| format!("- name: p{at}\n  logicalType: number\n  logicalTypeOptions: {{maximum: {at}}}\n"))
        .collect();
    let checker = Checker::new(&contract(
        &format!("{properties}- name: a\n  logicalType: number\n"),
        "- metric: rowCount\n  mustBe: 1",
    ));
    let mut rows = items([Some(text("x")), Some(text("x"))]);
    rows[0].extend((0..30).map(|at| (format!("p{at}"), number("100"))));
    let report = report(&checker, &rows);
    let reasons = report.reasons();
    assert_eq!(reasons.len(), 20);
    assert!(reasons[0].starts_with("a: logicalType number expected, S seen in 2 of 2 items"), "{reasons:?}");
    assert_eq!(reasons[1], "rowCount: 2 items, exactly 1 expected");
    assert!(
        reasons[2].starts_with("p0: maximum 0 does not hold in 1 of 2 items (e.g. id \"k0\": 100)"),
        "{reasons:?}"
    );
    assert_eq!(reasons[19], "and 13 more");
}

#[test]
fn the_key_of_a_table_is_compared_with_names_and_types() {
    let checker = Checker::new(&contract("", ""));
    assert_eq!(checker.key_problems(("id", "S"), None), [""; 0]);
    assert_eq!(checker.key_problems(("ID", "S"), None), ["partition key: id (S) expected, ID (S) seen"]);
    assert_eq!(checker.key_problems(("id", "N"), None), ["partition key: id (S) expected, id (N) seen"]);
    assert_eq!(
        checker.key_problems(("id", "S"), Some(("day", "N"))),
        ["sort key: none expected, day (N) seen"]
    );
}

#[test]
fn the_example_contract_takes_good_items_and_names_what_is_wrong_with_others() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/recs.odcs.yaml");
    let contract = Contract::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let checker = Checker::new(&contract);
    let user = |at: usize, score: Value| {
        let rec = item([("track_id", text("t-1")), ("score", score)]);
        item([
            ("user_id", text(format!("u-{at}"))),
            ("recs", Value::L(vec![Value::M(rec)])),
            ("generated_at", text("2026-11-21T06:00:00Z")),
        ])
    };
    let good: Vec<_> = (0..671).map(|at| user(at, number("0.93"))).collect();
    let found = report(&checker, &good);
    assert_eq!(failing(&found), ["recs_row_count", "recs_rowcount_drift", "recs_text"]);
    let bad: Vec<_> = (0..671).map(|at| user(at, text("0.93"))).collect();
    let reasons = report(&checker, &bad).reasons();
    assert!(
        reasons[0].starts_with(
            "recs[].score: physicalType N expected, S seen in 671 of 671 items (e.g. user_id \"u-"
        ),
        "{reasons:?}"
    );
    assert_eq!(reasons[1], "rowCount: 671 items, between 900000 and 1500000 (both included) expected");
    let results = report(&checker, &good).results;
    assert!(results.iter().filter(|result| result.outcome == Outcome::Passed).count() > 15);
    assert!(results.iter().all(|result| result.severity >= Severity::Info && !result.message.is_empty()));
}

#[test]
fn a_function_decides_and_one_that_did_not_say_yes_never_passes() {
    let rule = |id: &str, severity: &str| {
        format!(
            "- id: {id}\n  type: custom\n  engine: lambda\n  severity: {severity}\n  implementation:\n    \
             arn: arn:aws:lambda:eu-west-1:123456789012:function:septet-check-{id}:live\n    arguments: {{least: 3}}\n"
        )
    };
    let document = [rule("own", "error"), rule("other", "warning")].concat();
    let checker = Checker::new(&contract("", &document));
    let functions: Vec<_> = checker.functions().map(|it| (it.id, it.rule.arguments.as_str())).collect();
    assert_eq!(functions, [("own", r#"{"least":3}"#), ("other", r#"{"least":3}"#)]);
    let mut profile = checker.profile();
    items([None]).iter().for_each(|item| checker.observe(&mut profile, item));
    let judged = |own: Option<FunctionAnswer>| {
        let answers = own.map(|own| ("own".to_owned(), own));
        let other = ("other".to_owned(), FunctionAnswer::Failed("not nice".to_owned()));
        let answers = answers.into_iter().chain([other]).collect();
        checker.evaluate(&profile, &History { answers, ..History::default() })
    };
    let report = judged(Some(FunctionAnswer::Passed(None)));
    assert_eq!(report.outcome, Outcome::Passed);
    assert_eq!(report.warnings(), ["lambda: septet-check-other:live says: not nice"]);
    for (answer, outcome, reason) in [
        (
            Some(FunctionAnswer::Failed("scores are flat".to_owned())),
            Outcome::Failed,
            "lambda: septet-check-own:live says: scores are flat",
        ),
        (
            Some(FunctionAnswer::Errored("it crashed".to_owned())),
            Outcome::Errored,
            "lambda: cannot be checked: it crashed",
        ),
        (None, Outcome::Errored, "lambda: cannot be checked: nobody asked septet-check-own:live"),
    ] {
        let report = judged(answer);
        assert_eq!((report.outcome, report.reasons()), (outcome, vec![reason.to_owned()]));
        assert_eq!(result(&report, "other").outcome, Outcome::Failed, "the others are answered");
    }
    let report = judged(Some(FunctionAnswer::NotAsked("it costs".to_owned())));
    assert_eq!((report.outcome, result(&report, "own").outcome), (Outcome::Passed, Outcome::Skipped));
    assert_eq!(report.warnings()[0], "lambda: septet-check-own:live was not asked: it costs");
}
