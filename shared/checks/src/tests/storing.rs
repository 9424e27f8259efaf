//! Profiles as they are kept.

use std::fmt::Write;

use super::naive::{rich, rich_item};
use super::{contract, items};
use crate::samples::{item, number, text};
use crate::{Checker, History, Item, Outcome, Profile, Value};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

fn json(profile: &Profile) -> String {
    serde_json::to_string(profile).unwrap()
}

fn profile(checker: &Checker, items: impl IntoIterator<Item = Item>) -> Profile {
    let mut profile = checker.profile();
    items.into_iter().for_each(|item| checker.observe(&mut profile, &item));
    profile
}

/// A contract with so many attributes, each with limits that fail, and items that fill every sketch.
fn wide(attributes: usize, count: usize) -> (Checker, Profile) {
    let mut properties = String::new();
    for at in 0..attributes {
        writeln!(
            properties,
            "- name: attribute_{at:05}\n  physicalType: {}",
            if at % 2 == 0 { "S" } else { "N" }
        )
        .unwrap();
    }
    let checker = Checker::new(&contract(&properties, ""));
    let all = (0..count).map(|row| {
        let mut item = item([("id", text("\u{1}".repeat(9) + &row.to_string()))]);
        for at in 0..attributes {
            let (name, seed) = (format!("attribute_{at:05}"), (row * 7919 + at * 104_729) as u64);
            item.insert(
                name,
                match (seed % 11, at % 2) {
                    (0, _) => Value::Bool(true),
                    (_, 0) => text("\u{1}".repeat(60) + &(seed % 500).to_string()),
                    _ => number(format!("{}e{}", seed % 99_991 + 1, seed as i64 % 100 - 50)),
                },
            );
        }
        item.insert(format!("unknown {}", "\u{1}".repeat(row % 99)), Value::Null);
        item
    });
    let profile = profile(&checker, all);
    (checker, profile)
}

#[test]
fn a_profile_fits_into_what_it_is_given_however_many_attributes_there_are() {
    for (attributes, count, most) in
        [(3, 3_000, 40_000), (40, 600, 200_000), (40, 600, 60_000), (400, 60, 300_000)]
    {
        let (_, profile) = wide(attributes, count);
        let (items, digest) = (profile.items(), profile.digest());
        assert!(json(&profile).len() > most, "{attributes}: {}", json(&profile).len());
        let kept = profile.within(most);
        assert!(json(&kept).len() <= most, "{attributes}: {}", json(&kept).len());
        assert_eq!((kept.items(), kept.digest()), (items, digest));
        assert!(kept.places.iter().all(|place| place.values.is_some()), "{attributes}");
        let read: Profile = serde_json::from_str(&json(&kept)).unwrap();
        assert_eq!(read, kept);
    }
}

#[test]
fn of_a_contract_too_wide_for_anything_the_table_as_a_whole_is_left() {
    let (checker, profile) = wide(2_000, 2);
    let kept = profile.clone().within(300_000);
    assert!(json(&kept).len() <= 300_000 && kept.items() == 2);
    let least = profile.within(3_000);
    assert!(json(&least).len() <= 3_000, "{}", json(&least));
    assert_eq!((least.items(), least.places.len()), (2, 0));
    assert_eq!(checker.evaluate(&least, &History::default()).outcome, Outcome::Errored);
}

#[test]
fn what_was_made_smaller_is_what_it_would_have_been_from_the_beginning() {
    let (_, whole) = wide(4, 500);
    let (_, part) = wide(4, 200);
    let small = |profile: &Profile| profile.clone().within(20_000);
    let mut late = whole.clone();
    late.merge(part.clone());
    let mut early = small(&whole);
    early.merge(small(&part));
    let (late, early) = (small(&late), small(&early));
    for (one, two) in late.places.iter().zip(&early.places) {
        let (one, two) = (one.values.as_ref().unwrap(), two.values.as_ref().unwrap());
        assert_eq!((&one.different, &one.numbers.buckets), (&two.different, &two.numbers.buckets));
    }
    assert_eq!((late.keys, late.digest), (early.keys, early.digest));
}

#[test]
fn a_profile_without_its_values_is_small_and_passes_nothing_that_needs_them() {
    let checker = Checker::new(&contract("- name: a\n  unique: true\n", ""));
    let values = items((0..1000).map(|user| Some(text(format!("{user}@example.org")))));
    let whole = profile(&checker, values);
    assert_eq!(checker.evaluate(&whole, &History::default()).outcome, Outcome::Passed);
    let small = whole.clone().within(100_000);
    assert!(json(&whole).len() - json(&small).len() > 31_000);
    assert_eq!((small.items(), small.digest()), (whole.items(), whole.digest()));
    assert_eq!(checker.evaluate(&small, &History::default()).outcome, Outcome::Errored);
}

#[test]
fn a_profile_says_its_format_and_one_of_another_is_refused() {
    let checker = Checker::new(&rich());
    let mut runner = TestRunner::deterministic();
    let items: Vec<_> = (0..20).map(|_| rich_item().new_tree(&mut runner).unwrap().current()).collect();
    let text = json(&profile(&checker, items));
    assert!(text.starts_with("{\"format\":1,"), "{text}");
    let error =
        serde_json::from_str::<Profile>(&text.replacen("\"format\":1", "\"format\":2", 1)).unwrap_err();
    assert!(error.to_string().starts_with("format 2 is not known to this Septet"), "{error}");
}

/// The profile that release 0.1.0 kept of a version with eight items.
fn recorded() -> String {
    let items = include_str!("../../../../tests/upgrade/0.1.0/registry.json");
    let items: serde_json::Value = serde_json::from_str(items).unwrap();
    let kept = items.as_array().unwrap().iter().find(|item| item["sk"]["S"] == "PROFILE").unwrap();
    kept["document"]["M"]["profile"]["S"].as_str().unwrap().to_owned()
}

#[test]
fn a_profile_of_0_1_0_is_read_and_merged_without_loss() {
    let text = recorded();
    let kept: Profile = serde_json::from_str(&text).unwrap();
    assert_eq!(kept.items(), 8);
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(value(&json(&kept)), value(&text));
    let mut twice = kept.clone();
    twice.merge(kept.clone());
    let nulls =
        |profile: &Profile| -> Vec<u64> { profile.statistics().iter().map(|one| one.nulls).collect() };
    assert_eq!((twice.items(), nulls(&twice)), (16, nulls(&kept).iter().map(|nulls| nulls * 2).collect()));
}
