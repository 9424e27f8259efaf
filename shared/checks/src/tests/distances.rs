//! Statistics against those that scipy and pandas computed of the same values (`distances/vectors.py`).

use serde_json::Value as Json;

use super::contract;
use crate::distance::{ks, psi, tenths};
use crate::samples::{item, number, text};
use crate::{Checker, Profile, Value};

fn vectors() -> Vec<Json> {
    serde_json::from_str(include_str!("distances/vectors.json")).unwrap()
}

fn bins(vector: &Json) -> Vec<(u64, u64)> {
    serde_json::from_value(vector["bins"].clone()).unwrap()
}

#[test]
fn distances_are_those_of_scipy_and_pandas_on_the_same_bins() {
    for vector in vectors() {
        let bins = bins(&vector);
        let (name, found) = (&vector["name"], [ks(&bins).unwrap(), psi(&bins).unwrap()]);
        for (found, expected) in found.iter().zip(["ks", "psi"]) {
            let expected = vector[expected].as_f64().unwrap();
            assert!((found - expected).abs() <= 1e-9, "{name} {found} {expected}");
        }
    }
    assert_eq!((ks(&[(0, 5)]), psi(&[(3, 0)]), ks(&[])), (None, None, None));
    assert_eq!((ks(&[(4, 2), (4, 2)]), psi(&[(4, 2), (4, 2)])), (Some(0.0), Some(0.0)));
}

#[test]
fn statistics_of_a_profile_are_those_of_pandas() {
    let checker = Checker::new(&contract("- {name: a, logicalType: number}\n", ""));
    for vector in vectors() {
        let mut profile = checker.profile();
        for (at, value) in vector["now"].as_array().unwrap().iter().enumerate() {
            let value = value.as_str().unwrap();
            checker.observe(&mut profile, &item([("id", text(format!("k{at}"))), ("a", number(value))]));
        }
        let statistics = profile.statistics();
        let found = statistics.iter().find(|place| place.attribute == "a").unwrap();
        let (name, numbers) = (&vector["name"], found.numbers.unwrap());
        for (found, expected) in [(numbers.mean, "mean"), (numbers.deviation, "deviation")] {
            let expected = vector[expected].as_f64().unwrap();
            assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{name} {found} {expected}");
        }
        for (found, expected) in numbers.quantiles.iter().zip(vector["quantiles"].as_array().unwrap()) {
            let expected = expected.as_f64().unwrap();
            assert!((found - expected).abs() <= numbers.within * expected.abs(), "{name} {found} {expected}");
        }
        let distinct = found.distinct.unwrap();
        let expected = vector["distinct"].as_f64().unwrap();
        assert!(
            (distinct.about - expected).abs() <= 3.0 * distinct.error * expected + 0.5,
            "{name} {distinct:?}"
        );
        assert_eq!(found.types["N"], vector["now"].as_array().unwrap().len() as u64);
    }
}

/// The rows of `distances/vectors.py` from the first to before the last.
fn profile_of(checker: &Checker, rows: &Json, values: u64) -> Profile {
    let mut profile = checker.profile();
    for row in rows[0].as_u64().unwrap()..rows[1].as_u64().unwrap() {
        let value = (row * 7919 % values).to_string();
        let value = match row {
            null if null % 11 == 0 => Value::Null,
            of_text if of_text % 7 == 0 => text(value),
            _ => number(value),
        };
        checker.observe(&mut profile, &item([("id", text(format!("k{row}"))), ("a", value)]));
    }
    profile
}

#[test]
fn counts_are_those_of_pandas_and_distinct_values_and_churn_within_their_error() {
    let checker = Checker::new(&contract("- {name: a}\n", ""));
    let tables: Vec<Json> = serde_json::from_str(include_str!("distances/tables.json")).unwrap();
    for table in tables {
        let count = |name: &str| table[name].as_u64().unwrap();
        let now = profile_of(&checker, &table["now"], count("values"));
        let before = profile_of(&checker, &table["before"], count("values"));
        let statistics = now.statistics();
        let found = statistics.iter().find(|place| place.attribute == "a").unwrap();
        assert_eq!(
            (found.nulls, found.types["S"], found.types["N"]),
            (count("nulls"), count("texts"), count("numbers"))
        );
        let (distinct, expected) = (found.distinct.unwrap(), count("distinct") as f64);
        assert!(
            (distinct.about - expected).abs() <= 3.0 * distinct.error * expected + 0.5,
            "{table} {distinct:?}"
        );
        let churn = now.keys.against(&before.keys).unwrap();
        for (found, name) in [(churn.added, "added"), (churn.removed, "removed")] {
            let expected = table[name].as_f64().unwrap();
            assert!((found.value - expected).abs() <= 3.0 * found.error + 1e-12, "{table} {found:?}");
        }
    }
}

#[test]
fn bins_are_tenths_of_the_baseline_and_the_rest() {
    let even: Vec<_> = (0..100).map(|_| (1, 2)).collect();
    assert_eq!(tenths(&even), [(10, 20); 10]);
    // One value may be more than a tenth, and values beyond the baseline are in the outer bins.
    assert_eq!(tenths(&[(5, 0), (1, 90), (1, 10), (7, 0)]), [(6, 90), (8, 10)]);
    assert_eq!(tenths(&[]), []);
}
