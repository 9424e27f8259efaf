//! Tests of the whole: contracts as documents, items, reports.

mod direct;
mod distances;
mod drift;
mod hostile;
mod keeping;
mod limits;
mod merging;
mod naive;
mod numbers;
mod pages;
mod reading;
mod rules;
mod sampling;
mod storing;

use septet_contract::Contract;

use crate::samples::item;
use crate::{CheckResult, Checker, History, Item, Outcome, Report, Value};

/// A contract of a table with the key `id` (S); the properties in YAML without indentation, each beginning with
/// `- name:`.
fn contract(properties: &str, quality: &str) -> Contract {
    let indented = |text: &str| {
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| format!("      {line}\n"))
            .collect::<String>()
    };
    let quality = match quality {
        "" => String::new(),
        rules => format!("    quality:\n{}", indented(rules)),
    };
    let text = format!(
        "apiVersion: v3.2.0\nkind: DataContract\nid: test\nname: test\nversion: 1.0.0\nstatus: active\n\
         customProperties:\n  - property: septet.tablePattern\n    value: \"test-*\"\n\
         schema:\n  - name: test\n    logicalType: object\n    properties:\n\
         \x20     - name: id\n        logicalType: string\n        physicalType: S\n        primaryKey: true\n        primaryKeyPosition: 1\n{}{quality}",
        indented(properties)
    );
    match Contract::parse(&text) {
        Ok(contract) => contract,
        Err(problems) => {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            panic!("{}\n{text}", problems.join("\n"))
        }
    }
}

fn report(checker: &Checker, items: &[Item]) -> Report {
    let mut profile = checker.profile();
    for item in items {
        checker.observe(&mut profile, item);
    }
    checker.evaluate(&profile, &History::default())
}

/// Items with the keys `k0`, `k1`, … and each of the values as the attribute `a`; none leaves it out.
fn items(values: impl IntoIterator<Item = Option<Value>>) -> Vec<Item> {
    values
        .into_iter()
        .enumerate()
        .map(|(at, value)| {
            let mut item = item([("id", Value::S(format!("k{at}")))]);
            item.extend(value.map(|value| ("a".to_owned(), value)));
            item
        })
        .collect()
}

fn result<'a>(report: &'a Report, id: &str) -> &'a CheckResult {
    let ids: Vec<_> = report.results.iter().map(|result| result.id.as_str()).collect();
    report.results.iter().find(|result| result.id == id).unwrap_or_else(|| panic!("{id} is not in {ids:?}"))
}

/// The results that did not pass, by id.
fn failing(report: &Report) -> Vec<&str> {
    let failed = report.results.iter().filter(|result| result.outcome != Outcome::Passed);
    failed.map(|result| result.id.as_str()).collect()
}
