//! Order and split of the items change nothing.

use proptest::collection::vec;
use proptest::prelude::*;

use super::contract;
use super::naive::{rich, rich_item};
use crate::distinct::Distinct;
use crate::samples::{any_item, item, number, text};
use crate::sketch::{Frequent, Spread};
use crate::{Checker, History, Item, Outcome, Profile};

fn profile(checker: &Checker, items: &[Item]) -> Profile {
    let mut profile = checker.profile();
    for item in items {
        checker.observe(&mut profile, item);
    }
    profile
}

fn json(profile: &Profile) -> String {
    serde_json::to_string(profile).unwrap()
}

fn spreads(profile: &mut Profile) -> Vec<&mut Spread> {
    let values = profile.places.iter_mut().filter_map(|place| place.values.as_mut());
    let of_places = values.flat_map(|values| {
        [&mut values.numbers, &mut values.lengths, &mut values.sizes, &mut values.moments]
    });
    of_places.chain([&mut profile.sizes]).collect()
}

/// The bytes of what is exact, and the moments.
fn parts(profile: &Profile) -> (String, Vec<[f64; 2]>) {
    let mut profile = profile.clone();
    let moments = spreads(&mut profile)
        .into_iter()
        .map(|spread| [std::mem::take(&mut spread.mean), std::mem::take(&mut spread.squares)]);
    let moments = moments.collect();
    for values in profile.places.iter_mut().filter_map(|place| place.values.as_mut()) {
        values.frequent = Frequent::default();
    }
    (json(&profile), moments)
}

#[track_caller]
fn assert_same(one: &Profile, two: &Profile) {
    let ((one, moments), (two, others)) = (parts(one), parts(two));
    assert_eq!(one, two);
    for (one, two) in moments.iter().flatten().zip(others.iter().flatten()) {
        assert!((one - two).abs() <= 1e-9 * one.abs().max(1.0), "{one} {two}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_order_and_any_split_give_the_same_bytes_and_the_same_report(
        items in vec((prop_oneof![3 => rich_item(), 1 => any_item()], 0..4_usize, any::<u32>()), 0..40),
        joins in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()), 8),
    ) {
        let checker = Checker::new(&rich());
        let whole = profile(&checker, &items.iter().map(|(item, ..)| item.clone()).collect::<Vec<_>>());
        let mut shuffled = items.clone();
        shuffled.sort_by_key(|(_, _, order)| *order);
        let mut parts: Vec<_> = (0..4)
            .map(|part| {
                let items = shuffled.iter().filter(|(_, of, _)| *of == part).map(|(item, ..)| item.clone());
                profile(&checker, &items.collect::<Vec<_>>())
            })
            .collect();
        for (one, other, stored) in joins {
            if parts.len() > 1 {
                let mut part = parts.remove(one.index(parts.len()));
                if stored {
                    // As a segment that another invocation profiled.
                    part = serde_json::from_str(&json(&part)).unwrap();
                }
                let at = other.index(parts.len());
                parts[at].merge(part);
            }
        }
        prop_assert_eq!(parts.len(), 1);
        assert_same(&parts[0], &whole);
        prop_assert_eq!(checker.evaluate(&parts[0], &History::default()), checker.evaluate(&whole, &History::default()));
        prop_assert_eq!(whole.items(), items.len() as u64);
    }

    #[test]
    fn observing_goes_on_after_a_merge_and_after_storing(
        items in vec(rich_item(), 0..12), cut in any::<prop::sample::Index>(), stored: bool,
    ) {
        let checker = Checker::new(&rich());
        let (first, second) = items.split_at(cut.index(items.len() + 1));
        let mut resumed = profile(&checker, first);
        let empty = checker.profile();
        resumed.merge(empty);
        if stored {
            resumed = serde_json::from_str(&json(&resumed)).unwrap();
        }
        for item in second {
            checker.observe(&mut resumed, item);
        }
        assert_same(&resumed, &profile(&checker, &items));
    }

    #[test]
    fn the_bound_of_distinct_values_does_not_depend_on_order_or_split(
        values in vec((0..8_u128, any::<bool>()), 0..24), most in 0..8_usize,
    ) {
        let of = |part: &mut dyn Iterator<Item = u128>| {
            let mut distinct = Distinct::new(most);
            part.for_each(|value| distinct.insert(value));
            distinct
        };
        let whole = of(&mut values.iter().map(|(value, _)| *value));
        let mut left = of(&mut values.iter().rev().filter(|(_, left)| *left).map(|(value, _)| *value));
        let right = of(&mut values.iter().filter(|(_, left)| !*left).map(|(value, _)| *value));
        left.merge(right);
        prop_assert_eq!(&left, &whole);
        let different = values.iter().map(|(value, _)| value).collect::<std::collections::HashSet<_>>().len();
        let expected = (different <= most).then(|| (values.len() - different) as u64);
        prop_assert_eq!(whole.duplicates(), expected);
        let json = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(serde_json::from_str::<Distinct>(&json).unwrap(), whole);
    }
}

#[test]
fn too_many_distinct_values_are_an_error_and_never_pass() {
    let checker = Checker::new(&contract("- name: a\n  unique: true\n", ""));
    let mut profile = checker.profile();
    profile.distinct[0] = Distinct::new(2);
    for value in ["x", "y", "z"] {
        checker.observe(&mut profile, &item([("id", text(value)), ("a", text(value))]));
    }
    let report = checker.evaluate(&profile, &History::default());
    assert_eq!(report.outcome, Outcome::Errored);
    let expected = "a: unique: cannot be checked: more than 2 distinct values are too many to count";
    assert_eq!(report.reasons(), [expected]);

    checker.observe(&mut profile, &item([("id", number("7"))]));
    let report = checker.evaluate(&profile, &History::default());
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(report.reasons()[0].starts_with("id: physicalType S expected, N seen in 1 of 4 items"));
    assert_eq!(report.reasons()[1], expected);
}

#[test]
fn profiles_of_different_contracts_are_an_error_in_any_order() {
    let of =
        |physical: &str| Checker::new(&contract(&format!("- name: a\n  physicalType: {physical}\n"), ""));
    let (one, other) = (of("N"), of("S"));
    let first = item([("id", text("k"))]);
    let (a, b, c) = (
        profile(&one, std::slice::from_ref(&first)),
        profile(&other, std::slice::from_ref(&first)),
        profile(&one, &[item([("id", text("l"))])]),
    );
    let merged = |parts: [&Profile; 3]| {
        let mut all = parts[0].clone();
        all.merge(parts[1].clone());
        all.merge(parts[2].clone());
        all
    };
    let all = merged([&a, &b, &c]);
    assert_eq!(json(&all), json(&merged([&c, &b, &a])));
    assert_eq!(json(&all), json(&merged([&a, &c, &b])));
    assert_eq!(all.items(), 3);
    let mut foreign = b.clone();
    one.observe(&mut foreign, &first);
    for (checker, profile) in [(&one, &all), (&other, &all), (&one, &b), (&other, &foreign)] {
        let report = checker.evaluate(profile, &History::default());
        assert_eq!(report.outcome, Outcome::Errored);
        assert_eq!(report.reasons(), ["the items were checked against another contract; check them again"]);
    }
}

#[test]
fn examples_are_few_and_the_same_ones_whatever_came_first() {
    let checker = Checker::new(&contract("- name: a\n  physicalType: N\n", ""));
    let mut items: Vec<_> =
        (0..100).map(|at| item([("id", text(format!("k{at}"))), ("a", text("x"))])).collect();
    let forward = checker.evaluate(&profile(&checker, &items), &History::default());
    items.reverse();
    let backward = checker.evaluate(&profile(&checker, &items), &History::default());
    assert_eq!(forward, backward);
    let examples = &forward.results.iter().find(|result| result.id == "a:physicalType").unwrap().examples;
    assert_eq!(examples.len(), 3);
    assert!(examples.iter().any(|example| !example.key.contains("\"k0\"")), "{examples:?}");
    let json = serde_json::to_string(&forward).unwrap();
    assert_eq!(serde_json::from_str::<crate::Report>(&json).unwrap(), forward);
}
