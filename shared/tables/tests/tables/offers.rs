//! Comparisons of what tables offer, and the form in which the registry keeps it.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use septet_tables::{
    Comparison, Index, IndexKeys, IndexKind, KeyAttribute, KeyType, Keys, Offers, Projection, ProjectionType,
    ReadLimits, compare_offers,
};
use serde_json::json;

fn attribute(name: &str, kind: KeyType) -> KeyAttribute {
    KeyAttribute { name: name.into(), kind }
}

fn limits(provisioned: Option<u64>, maximum: Option<u64>) -> ReadLimits {
    ReadLimits { provisioned, maximum }
}

fn included(names: &[&str]) -> Projection {
    let included = names.iter().map(|name| (*name).to_owned()).collect();
    Projection { kind: ProjectionType::Include, included }
}

fn index() -> Index {
    Index {
        name: "by-day".into(),
        kind: IndexKind::Global,
        keys: IndexKeys {
            partition: vec![attribute("day", KeyType::S)],
            sort: vec![attribute("rank", KeyType::N)],
        },
        projection: included(&["a", "b"]),
        ..Index::default()
    }
}

fn offers() -> Offers {
    Offers {
        keys: Some(Keys {
            partition: attribute("id", KeyType::S),
            sort: Some(attribute("slot", KeyType::N)),
        }),
        indexes: vec![index()],
        reads: limits(None, None),
    }
}

/// Compares the offers with such a change with the offers without it.
fn less(change: impl FnOnce(&mut Offers)) -> Vec<String> {
    let mut new = offers();
    change(&mut new);
    let comparison = compare_offers(&new, &offers());
    assert_eq!(comparison.not_yet, [""; 0]);
    comparison.less
}

#[test]
fn keys_that_differ_are_named() {
    assert_eq!(less(|_| ()), [""; 0]);
    let partition = Keys { partition: attribute("user", KeyType::N), sort: offers().keys.unwrap().sort };
    assert_eq!(less(|new| new.keys = Some(partition)), ["the partition key is user N, of the live one id S"]);
    let sort = Keys { sort: None, ..offers().keys.unwrap() };
    assert_eq!(less(|new| new.keys = Some(sort.clone())), ["the sort key is none, of the live one slot N"]);
    let other = Offers { keys: Some(sort), ..offers() };
    assert_eq!(compare_offers(&offers(), &other).less, ["the sort key is slot N, of the live one none"]);
}

#[test]
fn indexes_that_are_missing_or_answer_less_are_named() {
    assert_eq!(less(|new| new.indexes.clear()), ["the index by-day is missing"]);
    assert_eq!(
        less(|new| new.indexes[0].keys.sort.clear()),
        ["the index by-day has the keys (day S), the live one (day S) sorted by (rank N)"]
    );
    assert_eq!(
        less(|new| new.indexes[0].projection = included(&["b", "c"])),
        ["the index by-day does not project a, which the live one does"]
    );
    assert_eq!(
        less(|new| new.indexes[0].projection = Projection::default()),
        ["the index by-day does not project a, b, which the live one does"]
    );
    assert_eq!(
        less(|new| new.indexes[0].reads.maximum = Some(9)),
        [
            "the index by-day serves at most 9 read units a second on demand, the live one on demand without a maximum"
        ]
    );
    assert_eq!(less(|new| new.indexes[0].projection = included(&["a", "b", "c"])), [""; 0]);
    assert_eq!(less(|new| new.indexes[0].projection.kind = ProjectionType::All), [""; 0]);
    assert_eq!(less(|new| new.indexes.insert(0, Index { name: "more".into(), ..index() })), [""; 0]);
    let kinds = |new: IndexKind, live: IndexKind| {
        let of = |kind| Offers { indexes: vec![Index { kind, ..index() }], ..offers() };
        compare_offers(&of(new), &of(live)).less
    };
    assert_eq!(kinds(IndexKind::Local, IndexKind::Global), [""; 0]);
    assert_eq!(
        kinds(IndexKind::Global, IndexKind::Local),
        ["the index by-day is GLOBAL, the live one LOCAL"]
    );
    let all = Projection { kind: ProjectionType::All, included: vec![] };
    let live = Offers { indexes: vec![Index { projection: all, ..index() }], ..offers() };
    assert_eq!(
        compare_offers(&offers(), &live).less,
        ["the index by-day projects INCLUDE and the live one ALL"]
    );
}

#[test]
fn read_limits_that_are_lower_are_named() {
    let on_demand = limits(None, None);
    for (new, live, is_less) in [
        (limits(Some(1), None), on_demand, true),
        (limits(Some(1_000_000), None), on_demand, true),
        (limits(None, Some(1_000_000)), on_demand, true),
        (on_demand, limits(Some(1_000_000), None), false),
        (on_demand, limits(None, Some(1)), false),
        (limits(Some(4), None), limits(Some(5), None), true),
        (limits(Some(5), None), limits(Some(5), None), false),
        (limits(None, Some(4)), limits(None, Some(5)), true),
        (limits(None, Some(6)), limits(None, Some(5)), false),
        (limits(Some(4), None), limits(None, Some(5)), true),
        (limits(None, Some(5)), limits(Some(5), None), false),
    ] {
        let of = |reads| Offers { reads, ..offers() };
        let less = compare_offers(&of(new), &of(live)).less;
        assert_eq!(less.len(), usize::from(is_less), "{new:?} {live:?}: {less:?}");
    }
    assert_eq!(
        less(|new| new.reads.provisioned = Some(1)),
        ["the table serves 1 read units a second, the live one on demand without a maximum"]
    );
}

#[test]
fn an_index_that_is_not_ready_is_named_apart() {
    let of = |active, backfilling| {
        let index = Index { active, backfilling, ..index() };
        Offers { indexes: vec![index], ..offers() }
    };
    let not_yet = |text: &str| Comparison { less: vec![], not_yet: vec![text.into()] };
    let live = offers();
    assert_eq!(compare_offers(&of(false, false), &live), not_yet("the index by-day is being created"));
    assert_eq!(compare_offers(&of(false, true), &live), not_yet("the index by-day is being created"));
    assert_eq!(compare_offers(&of(true, true), &live), not_yet("the index by-day is being filled"));
    assert_eq!(compare_offers(&of(false, false), &of(false, true)), Comparison::default());
}

#[test]
fn the_stored_form_stays_as_it_is() {
    let offers = Offers { reads: limits(Some(5), None), ..offers() };
    let stored = json!({
        "keys": {"partition": {"name": "id", "kind": "S"}, "sort": {"name": "slot", "kind": "N"}},
        "indexes": [{
            "name": "by-day", "kind": "GLOBAL",
            "keys": {"partition": [{"name": "day", "kind": "S"}], "sort": [{"name": "rank", "kind": "N"}]},
            "projection": {"type": "INCLUDE", "included": ["a", "b"]},
            "reads": {"provisioned": null, "maximum": null},
            "active": true, "backfilling": false,
        }],
        "reads": {"provisioned": 5, "maximum": null},
    });
    assert_eq!(serde_json::to_value(&offers).unwrap(), stored);
    assert_eq!(serde_json::from_value::<Offers>(stored).unwrap(), offers);
}

#[test]
fn members_of_later_releases_are_ignored_and_missing_ones_defaulted() {
    let read = |json| serde_json::from_value::<Offers>(json).unwrap();
    assert_eq!(read(json!({})), Offers::default());
    let index =
        json!({"name": "by-day", "kind": "VECTOR", "projection": {"type": "MOST", "but": ["x"]}, "new": 1});
    let keys = json!({"partition": {"name": "id", "kind": "S", "new": []}, "new": {}});
    let offers = read(json!({"keys": keys, "indexes": [index], "reads": {"new": 1}, "new": null}));
    let expected = Index {
        name: "by-day".into(),
        kind: IndexKind::Other("VECTOR".into()),
        projection: Projection { kind: ProjectionType::Other("MOST".into()), included: vec![] },
        ..Index::default()
    };
    assert_eq!(offers.indexes, [expected]);
    assert_eq!(offers.keys, Some(Keys { partition: attribute("id", KeyType::S), sort: None }));
    // What is not known is offered by nothing but itself.
    assert_eq!(compare_offers(&offers, &offers), Comparison::default());
    let mut other = offers.clone();
    (other.indexes[0].kind, other.indexes[0].projection.kind) = (IndexKind::Global, ProjectionType::All);
    assert_eq!(compare_offers(&other, &offers).less.len(), 2);
    let stored = serde_json::to_value(&offers).unwrap();
    assert_eq!(stored["indexes"][0]["kind"], "VECTOR");
}

fn any_key() -> impl Strategy<Value = KeyAttribute> {
    let kind = prop_oneof![Just(KeyType::S), Just(KeyType::N)];
    ("[xy]", kind).prop_map(|(name, kind)| KeyAttribute { name, kind })
}

fn any_limits() -> impl Strategy<Value = ReadLimits> {
    (option::of(1..4_u64), option::of(1..4_u64))
        .prop_map(|(provisioned, maximum)| ReadLimits { provisioned, maximum })
}

fn any_projection() -> impl Strategy<Value = Projection> {
    let kind = prop_oneof![
        Just(ProjectionType::All),
        Just(ProjectionType::Include),
        Just(ProjectionType::KeysOnly),
        Just(ProjectionType::Other("MOST".into())),
    ];
    (kind, btree_set("[abc]", 0..3)).prop_map(|(kind, names)| {
        let included = if kind == ProjectionType::Include { names.into_iter().collect() } else { vec![] };
        Projection { kind, included }
    })
}

fn any_index() -> impl Strategy<Value = Index> {
    let kind = prop_oneof![
        Just(IndexKind::Local),
        Just(IndexKind::Global),
        Just(IndexKind::Other("VECTOR".into())),
    ];
    let keys = (vec(any_key(), 1..2), vec(any_key(), 0..2));
    (kind, keys, any_projection(), any_limits(), prop::bool::weighted(0.8), prop::bool::weighted(0.2))
        .prop_map(|(kind, (partition, sort), projection, reads, active, backfilling)| {
            let keys = IndexKeys { partition, sort };
            Index { name: String::new(), kind, keys, projection, reads, active, backfilling }
        })
}

fn any_offers() -> impl Strategy<Value = Offers> {
    let keys = (any_key(), option::of(any_key())).prop_map(|(partition, sort)| Keys { partition, sort });
    let indexes = btree_map("[pqr]", any_index(), 0..3)
        .prop_map(|indexes| indexes.into_iter().map(|(name, index)| Index { name, ..index }).collect());
    (keys, indexes, any_limits()).prop_map(|(keys, indexes, reads)| Offers {
        keys: Some(keys),
        indexes,
        reads,
    })
}

/// Offers of which chains that offer all of each other are common: each is made from the one before it.
fn weaker(of: Offers) -> impl Strategy<Value = Offers> {
    let changes = (any::<bool>(), any_limits(), any_projection(), any::<u8>(), any_offers());
    changes.prop_map(move |(drop, reads, projection, choice, other)| {
        let mut offers = of.clone();
        match choice % 5 {
            0 if drop => drop_last(&mut offers),
            1 => offers.reads = reads,
            2 => offers.indexes.iter_mut().for_each(|index| index.projection = projection.clone()),
            3 => offers.indexes.iter_mut().for_each(|index| index.reads = reads),
            4 => offers.indexes = other.indexes,
            _ => {}
        }
        offers
    })
}

fn drop_last(offers: &mut Offers) {
    offers.indexes.pop();
}

proptest! {
    #[test]
    fn nothing_offers_less_than_itself(offers in any_offers()) {
        prop_assert_eq!(compare_offers(&offers, &offers), Comparison::default());
    }

    #[test]
    fn what_offers_all_of_what_offers_all_of_a_third_offers_all_of_it(
        (one, two, three) in any_offers().prop_flat_map(|one| (Just(one.clone()), weaker(one)))
            .prop_flat_map(|(one, two)| (Just(one), Just(two.clone()), weaker(two))),
    ) {
        let nothing = Comparison::default();
        if compare_offers(&one, &two) == nothing && compare_offers(&two, &three) == nothing {
            prop_assert_eq!(compare_offers(&one, &three), nothing);
        }
    }

    #[test]
    fn the_stored_form_gives_the_same_back(offers in any_offers()) {
        let stored = serde_json::to_string(&offers).unwrap();
        prop_assert_eq!(serde_json::from_str::<Offers>(&stored).unwrap(), offers);
    }
}
