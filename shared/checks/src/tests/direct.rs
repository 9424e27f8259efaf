//! Which items are checked while they are read.

use super::contract;
use crate::direct::{Direct, PATIENCE, PAUSE};
use crate::flat::Flat;
use crate::plan::Plan;

fn plan(properties: &str) -> Plan {
    Plan::new(contract(properties, "").object())
}

fn rich() -> Plan {
    plan(
        "
- {name: flag, logicalType: boolean}
- name: count
  logicalType: integer
  logicalTypeOptions: {minimum: 1}
  quality: [{metric: missingValues, arguments: {missingValues: [7]}, mustBe: 0}]
- {name: at, logicalType: timestamp, physicalType: S}
- {name: tags, logicalType: array, logicalTypeOptions: {maxItems: 2}, items: {logicalType: string, logicalTypeOptions: {maxLength: 3}}}
- name: inner
  logicalType: object
  properties:
    - {name: one, logicalType: string}
    - {name: two, physicalType: N, required: true}
",
    )
}

/// Which of these items are taken, each by itself.
fn taken(items: &[&str]) -> Vec<bool> {
    let plan = rich();
    let takes = |item: &&str| {
        let mut flat = Flat::default();
        let end = Direct::new(&plan, item).take::<false>(0, &mut flat);
        assert_eq!(Direct::new(&plan, item).take::<true>(0, &mut flat), end);
        assert!(end.is_none_or(|end| end == item.len()));
        end.is_some()
    };
    items.iter().map(takes).collect()
}

#[test]
fn items_that_keep_all_limits_are_taken() {
    let good = [
        r#"{"id":{"S":"k"}}"#,
        r#"{"id":{"S":"ü😀"},"flag":{"BOOL":true},"count":{"N":"1"}}"#,
        r#"{"count":{"N":"2"},"flag":{"BOOL":false},"id":{"S":"k"},"at":{"S":"2026-11-21T02:00:00Z"}}"#,
        r#"{"id":{"S":"k"},"tags":{"L":[]},"inner":{"M":{"two":{"N":"-1e3"}}}}"#,
        r#"{"id":{"S":"k"},"tags":{"L":[{"S":"a"},{"S":"abc"}]},"inner":{"M":{"one":{"S":""},"two":{"N":"1"}}}}"#,
        r#"{"id":{"S":"k"},"flag":{"NULL":true},"inner":{"NULL":true}}"#,
    ];
    assert_eq!(taken(&good), [true; 6]);
}

#[test]
fn items_with_anything_to_tell_are_left() {
    let odd = [
        "",
        "{",
        "{}",
        r#"{"flag":{"BOOL":true}}"#,
        r#"{"id":{"S":"k"},"count":{"N":"0"}}"#,
        r#"{"id":{"S":"k"},"count":{"N":"1.5"}}"#,
        r#"{"id":{"S":"k"},"count":{"N":"7"}}"#,
        r#"{"id":{"S":"k"},"inner":{"M":{"two":{"NULL":true}}}}"#,
        r#"{"id":{"S":"k"},"count":{"S":"1"}}"#,
        r#"{"id":{"M":{}}}"#,
        r#"{"id":{"S":"k"},"at":{"S":"yesterday"}}"#,
        r#"{"id":{"S":"k"},"tags":{"L":[{"S":"a"},{"S":"b"},{"S":"c"}]}}"#,
        r#"{"id":{"S":"k"},"tags":{"L":[{"S":"abcd"}]}}"#,
        r#"{"id":{"S":"k"},"inner":{"M":{}}}"#,
        r#"{"id":{"S":"k"},"more":{"S":"x"}}"#,
        r#"{"id":{"S":"k"},"id":{"S":"k"}}"#,
        r#"{"id":{"S":"k\n"}}"#,
        r#"{"id":{"S":"k"},"flag":{"BOOL";true}}"#,
        r#"{"id":{"S":"k"},"flag":{"NULL":true,"S":"x"}}"#,
        r#"{ "id":{"S":"k"}}"#,
        r#"{"id":{"S":"k"}"#,
    ];
    assert_eq!(taken(&odd), [false; 21]);
}

#[test]
fn after_some_odd_items_there_is_a_pause() {
    let (good, odd) = (r#"{"id":{"S":"k"}}"#, r#"{"id":{"N":"1"}}"#);
    let (plan, page) = (plan(""), [odd, good].concat());
    let (mut direct, mut flat) = (Direct::new(&plan, &page), Flat::default());
    let takes = |number| {
        let at = if number < PATIENCE { 0 } else { odd.len() };
        direct.take::<false>(at, &mut flat).is_some()
    };
    assert_eq!((0..1_000).position(takes), Some((PATIENCE + PAUSE) as usize));
}
