//! Each limit of a property takes its values and no others.

use std::slice::from_ref;

use super::{contract, failing, items, report, result};
use crate::samples::{item, number, text};
use crate::{Checker, Item, Outcome, Value};

fn list<const N: usize>(elements: [Value; N]) -> Value {
    Value::L(elements.to_vec())
}

fn numbers<const N: usize>(elements: [&str; N]) -> Value {
    Value::L(elements.map(number).to_vec())
}

fn texts<const N: usize>(elements: [&str; N]) -> Value {
    Value::SS(elements.map(str::to_owned).to_vec())
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::M(item(members))
}

/// Checks each value alone: the good ones pass everything, the bad ones fail this one result.
#[track_caller]
fn holds(property: &str, id: &str, good: &[Value], bad: &[Value]) {
    let checker = Checker::new(&contract(&format!("- name: a\n{property}"), ""));
    for value in good {
        let report = report(&checker, &items([Some(value.clone())]));
        assert_eq!(failing(&report), [""; 0], "{value:?} {report:#?}");
        result(&report, id);
    }
    for value in bad {
        let report = report(&checker, &items([Some(value.clone()), None]));
        assert_eq!(failing(&report), [id], "{value:?} {report:#?}");
        let failed = result(&report, id);
        assert_eq!((failed.outcome, failed.failing, failed.of), (Outcome::Failed, 1, 2), "{value:?}");
        assert_eq!(report.outcome, Outcome::Failed);
        assert_eq!(failed.examples.len(), 1);
        assert_eq!(failed.examples[0].key, "id \"k0\"");
        assert_eq!(report.reasons(), [failed.message.as_str()]);
        assert!(failed.message.contains(" 1 of 2 items (e.g. id \"k0\": "), "{}", failed.message);
    }
}

#[test]
fn every_physical_type_takes_itself_alone() {
    let all = [
        ("S", text("x")),
        ("N", number("1")),
        ("B", Value::B(vec![1])),
        ("BOOL", Value::Bool(true)),
        ("M", map([])),
        ("L", list([])),
        ("SS", texts(["x"])),
        ("NS", Value::NS(vec!["1".to_owned()])),
        ("BS", Value::BS(vec![vec![1]])),
    ];
    for (name, value) in &all {
        let others: Vec<_> = all.iter().filter(|(other, _)| other != name).map(|(_, v)| v.clone()).collect();
        let good = [value.clone(), Value::Null];
        holds(&format!("  physicalType: {name}"), "a:physicalType", &good, &others);
    }
    holds("  physicalType: N", "a:physicalType", &[], &[number("1e500"), number("x")]);
}

#[test]
fn every_logical_type_takes_its_values() {
    for (logical, good, bad) in [
        ("string", vec![text("")], vec![number("1"), Value::B(vec![])]),
        ("integer", vec![number("1"), number("-1.0"), number("1e3")], vec![number("1.5"), text("1")]),
        ("number", vec![number("1.5"), number("1e-130")], vec![text("1.5"), number("NaN")]),
        ("boolean", vec![Value::Bool(false)], vec![text("true"), number("1")]),
        (
            "date",
            vec![text("2026-11-21")],
            vec![text("2026-02-30"), text("2026-11-21T06:00:00Z"), number("1")],
        ),
        ("time", vec![text("06:00"), text("06:00:00.5Z")], vec![text("24:00"), text("2026-11-21")]),
        (
            "timestamp",
            vec![text("2026-11-21T06:00:00Z"), text("2026-11-21T06:00")],
            vec![text("2026-11-21"), text("06:00"), text("yesterday"), number("1795240800")],
        ),
        ("object", vec![map([]), map([("x", Value::Null)])], vec![list([]), text("{}")]),
        ("array", vec![list([]), texts(["x"])], vec![map([]), text("[]")]),
    ] {
        holds(&format!("  logicalType: {logical}"), "a:logicalType", &good, &bad);
    }
    let seconds = "  logicalType: timestamp\n  physicalType: N";
    holds(seconds, "a:physicalType", &[number("1795240800.5")], &[text("2026-11-21T06:00:00Z")]);
    holds("  logicalType: string\n  physicalType: B", "a:physicalType", &[Value::B(vec![])], &[text("")]);
}

#[test]
fn lengths_are_in_characters_of_text_and_bytes_of_binaries() {
    let of = |options: &str| format!("  logicalType: string\n  logicalTypeOptions: {{{options}}}");
    let (one, two, three) = (text("😀"), text("é😀"), text("abc"));
    holds(&of("minLength: 2"), "a:minLength", &[two.clone(), three.clone()], &[one.clone(), text("")]);
    holds(&of("maxLength: 2"), "a:maxLength", &[one, two, text("")], &[three]);
    let bytes = "  logicalType: string\n  physicalType: B\n  logicalTypeOptions: {maxLength: 2}";
    holds(bytes, "a:maxLength", &[Value::B(vec![0; 2])], &[Value::B(vec![0; 3])]);
}

#[test]
fn texts_have_their_pattern_and_format() {
    let of = |options: &str| format!("  logicalType: string\n  logicalTypeOptions: {{{options}}}");
    holds(&of("pattern: '^u-[0-9]+$'"), "a:pattern", &[text("u-12")], &[text("u-"), text("xu-1")]);
    holds(&of("pattern: 'b'"), "a:pattern", &[text("abc")], &[text("ac")]);
    holds(&of("format: uuid"), "a:format", &[text("6f6f0b0e-3a3a-4d7e-9f55-5e97c0de0001")], &[text("6f6f")]);
    holds(&of("format: email"), "a:format", &[text("a@example.com")], &[text("a")]);
    let of = |logical: &str, format: &str| {
        format!("  logicalType: {logical}\n  logicalTypeOptions: {{format: \"{format}\"}}")
    };
    holds(
        &of("date", "dd.MM.yyyy"),
        "a:format",
        &[text("21.11.2026")],
        &[text("2026-11-21"), text("31.02.2026")],
    );
    let zoned = of("timestamp", "yyyy-MM-dd'T'HH:mm:ssX");
    let (with, without) = (text("2026-11-21T06:00:00Z"), text("2026-11-21T06:00:00"));
    holds(&zoned, "a:format", from_ref(&with), from_ref(&without));
    let zone = "  logicalType: timestamp\n  logicalTypeOptions: {timezone: true}";
    holds(zone, "a:timezone", &[with], &[without]);
}

#[test]
fn numbers_keep_their_ranges_exactly() {
    let of = |logical: &str, options: &str| {
        format!("  logicalType: {logical}\n  logicalTypeOptions: {{{options}}}")
    };
    let nines = "9".repeat(38);
    let eight = format!("{}8", "9".repeat(37));
    let least = of("number", &format!("minimum: {nines}"));
    holds(
        &least,
        "a:minimum",
        &[number(nines.as_str()), number("1e38")],
        &[number(eight.as_str()), number("-1")],
    );
    let above = of("number", "exclusiveMinimum: 0.1");
    holds(
        &above,
        "a:exclusiveMinimum",
        &[number("0.10000000000000000000000000000000000001")],
        &[number("0.1")],
    );
    holds(
        &of("number", "maximum: 1"),
        "a:maximum",
        &[number("1.0"), number("-5")],
        &[number("1.1"), number("1e1")],
    );
    holds(&of("integer", "exclusiveMaximum: 10"), "a:exclusiveMaximum", &[number("9")], &[number("10")]);
    holds(
        &of("number", "multipleOf: 0.1"),
        "a:multipleOf",
        &[number("0.3"), number("-7")],
        &[number("0.35")],
    );
    holds(
        &of("integer", "format: u8"),
        "a:format",
        &[number("255"), number("0")],
        &[number("256"), number("-1")],
    );
    holds(
        &of("integer", "format: i64"),
        "a:format",
        &[number("-9223372036854775808")],
        &[number("9223372036854775808")],
    );
    holds(&of("number", "format: f32"), "a:format", &[number("3.4e38"), number("1e-100")], &[number("1e39")]);
}

#[test]
fn moments_keep_their_ranges_in_utc() {
    let of = |logical: &str, options: &str| {
        format!("  logicalType: {logical}\n  logicalTypeOptions: {{{options}}}")
    };
    let since = of("timestamp", "minimum: \"2026-11-21T06:00:00Z\"");
    let good = ["2026-11-21T06:00:00Z", "2026-11-21T07:00:00+01:00", "2027-01-01T00:00"].map(text);
    let bad = ["2026-11-21T06:30:00+01:00", "2026-11-21T05:59:59.999Z"].map(text);
    holds(&since, "a:minimum", &good, &bad);
    let until = of("date", "exclusiveMaximum: \"2026-11-21\"");
    holds(&until, "a:exclusiveMaximum", &[text("2026-11-20")], &[text("2026-11-21")]);
    let day = of("time", "maximum: \"18:00:00\"");
    holds(&day, "a:maximum", &[text("18:00")], &[text("18:00:01")]);
    let seconds = "  logicalType: timestamp\n  physicalType: N\n  logicalTypeOptions: {minimum: \"2026-11-21T06:00:00.5Z\"}";
    holds(seconds, "a:minimum", &[number("1795240800.5")], &[number("1795240800.4999999999")]);
}

#[test]
fn lists_and_sets_keep_their_counts() {
    let of = |options: &str| format!("  logicalType: array\n  logicalTypeOptions: {{{options}}}");
    let two = [numbers(["1", "1"]), texts(["x", "y"])];
    holds(&of("minItems: 2"), "a:minItems", &two, &[list([]), texts(["x"]), numbers(["1"])]);
    holds(&of("maxItems: 2"), "a:maxItems", &two, &[numbers(["1", "2", "3"]), texts(["x", "y", "z"])]);
    let different = [
        list([]),
        list([number("1"), text("1"), Value::Null, Value::Bool(true), list([]), map([])]),
        texts(["x", "y"]),
        list([list([number("1"), number("2")]), list([number("2"), number("1")])]),
        list([map([("x", number("1"))]), map([("x", number("1")), ("y", Value::Null)])]),
    ];
    let equal = [
        list([number("1"), text("x"), number("1.0")]),
        list([map([("x", number("1")), ("y", text("a"))]), map([("y", text("a")), ("x", number("1e0"))])]),
        list([texts(["x", "y"]), texts(["y", "x"])]),
    ];
    holds(&of("uniqueItems: true"), "a:uniqueItems", &different, &equal);
}

#[test]
fn objects_keep_their_members() {
    let open = |options: &str| format!("  logicalType: object\n  logicalTypeOptions: {{{options}}}\n");
    let (one, two) = (map([("x", number("1"))]), map([("x", number("1")), ("y", Value::Null)]));
    holds(&open("minProperties: 2"), "a:minProperties", from_ref(&two), &[one.clone(), map([])]);
    holds(&open("maxProperties: 1"), "a:maxProperties", &[one.clone(), map([])], from_ref(&two));
    let members = "  logicalType: object\n  properties:\n    - name: x\n      physicalType: N\n";
    let checker = Checker::new(&contract(&format!("- name: a\n{members}"), ""));
    let of = |value: &Value| report(&checker, &items([Some(value.clone())]));
    assert_eq!(failing(&of(&one)), [""; 0]);
    assert_eq!(failing(&of(&two)), ["a.y:closed"]);
    assert_eq!(failing(&of(&map([("x", text("1"))]))), ["a.x:physicalType"]);
    let open = "  customProperties: [{property: septet.closed, value: false}]\n";
    let checker = Checker::new(&contract(&format!("- name: a\n{members}{open}"), ""));
    assert_eq!(failing(&report(&checker, &items([Some(two)]))), [""; 0]);
}

#[test]
fn an_enum_allows_its_values_alone() {
    let of = |logical: &str, values: &[&str]| {
        let values: String = values.iter().map(|value| format!("    - value: {value}\n")).collect();
        format!("  logicalType: {logical}\n  enum:\n{values}")
    };
    holds(&of("string", &["red", "\"1\""]), "a:enum", &[text("red"), text("1")], &[text("Red"), text("")]);
    holds(&of("number", &["1", "0.50"]), "a:enum", &[number("1.0"), number("0.5")], &[number("2")]);
    holds(&of("boolean", &["true"]), "a:enum", &[Value::Bool(true)], &[Value::Bool(false)]);
}

#[test]
fn maps_check_keys_and_values() {
    let map_of = "- name: a\n  logicalType: map\n  map:\n    key:\n      logicalType: string\n      \
                  logicalTypeOptions: {pattern: '^[a-z]+$'}\n    value:\n      logicalType: integer\n      required: true\n";
    let checker = Checker::new(&contract(map_of, ""));
    let of = |value: Value| report(&checker, &items([Some(value)]));
    assert_eq!(failing(&of(map([("x", number("1"))]))), [""; 0]);
    let bad = of(map([("X", number("1")), ("y", number("1.5")), ("z", Value::Null)]));
    assert_eq!(failing(&bad), ["a{key}:pattern", "a{}:required", "a{}:logicalType"]);
    assert_eq!(result(&bad, "a{key}:pattern").examples[0].at, "a{X}");
    assert_eq!(result(&bad, "a{}:logicalType").examples[0].at, "a.y");
}

#[test]
fn vectors_have_their_dimensions_elements_and_length() {
    let of =
        |options: &str| format!("  logicalType: vector\n  logicalTypeOptions: {{dimensions: 2, {options}}}");
    let unit = numbers(["0.6", "0.8"]);
    holds(&of("normalized: true"), "a:normalized", from_ref(&unit), &[numbers(["1", "1"])]);
    holds(&of(""), "a:dimensions", from_ref(&unit), &[numbers(["1"])]);
    holds(
        &of("elementType: float32"),
        "a:elementType",
        &[unit],
        &[list([number("1"), text("x")]), numbers(["1", "1e39"])],
    );
    holds(
        &of("elementType: int8"),
        "a:elementType",
        &[numbers(["-128", "127"])],
        &[numbers(["1", "128"]), numbers(["1", "0.5"])],
    );
    holds(&of("elementType: binary"), "a:elementType", &[numbers(["0", "1"])], &[numbers(["0", "2"])]);
    holds(
        &of("elementType: float16"),
        "a:elementType",
        &[numbers(["1", "65504"])],
        &[numbers(["1", "65505"])],
    );
}

#[test]
fn required_attributes_are_there_at_every_depth() {
    let checker = Checker::new(&contract(
        "- name: a\n  logicalType: array\n  required: true\n  items:\n    logicalType: object\n    properties:\n      \
         - name: x\n        logicalType: number\n        required: true\n",
        "",
    ));
    let good = list([map([("x", number("1"))])]);
    let report = report(
        &checker,
        &items([
            Some(good.clone()),
            None,
            Some(Value::Null),
            Some(list([map([]), map([("x", Value::Null)])])),
            Some(list([map([("x", number("1"))]), map([])])),
        ]),
    );
    assert_eq!(failing(&report), ["a:required", "a[].x:required"]);
    let (outer, inner) = (result(&report, "a:required"), result(&report, "a[].x:required"));
    assert_eq!((outer.failing, inner.failing), (2, 2));
    assert!(
        outer.message.starts_with("a: required, absent or null in 2 of 5 items (e.g. id "),
        "{}",
        outer.message
    );
    assert!(
        inner.examples.iter().any(|example| example.at == "a[1].x" && example.value == "absent"),
        "{inner:?}"
    );
}

#[test]
fn elements_of_sets_are_checked() {
    let checker = Checker::new(&contract(
        "- name: a\n  logicalType: array\n  physicalType: NS\n  items:\n    logicalType: integer\n    logicalTypeOptions: {maximum: 5}\n",
        "",
    ));
    let set = |numbers: &[&str]| Some(Value::NS(numbers.iter().map(|n| (*n).to_owned()).collect()));
    assert_eq!(failing(&report(&checker, &items([set(&["1", "5"])]))), [""; 0]);
    assert_eq!(failing(&report(&checker, &items([set(&["1", "6"])]))), ["a[]:maximum"]);
}

#[test]
fn attributes_that_the_contract_does_not_name_are_named() {
    let checker = Checker::new(&contract("- name: b\n  logicalType: number\n", ""));
    let found = report(&checker, &items([Some(number("7")), None, Some(text("x"))]));
    assert_eq!(failing(&found), ["a:closed"]);
    let reason = &found.reasons()[0];
    let expected = "a: not in the contract, which is closed; seen in 2 of 3 items (e.g. id ";
    assert!(reason.starts_with(expected), "{reason}");
    assert_eq!(result(&found, "a:closed").attribute.as_deref(), Some("a"));

    let mut many: Item = (0..40).map(|at| (format!("x{at}"), Value::Null)).collect();
    many.insert("id".to_owned(), text("k"));
    let found = report(&checker, &[many]);
    assert_eq!(failing(&found).len(), 17);
    let rest = result(&found, "table:closed");
    assert_eq!(rest.seen, "24 values under further names");
    assert_eq!(found.reasons().len(), 17);
}
