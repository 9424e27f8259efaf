//! Contracts and items that tests build.

use proptest::collection::{btree_set, hash_map, vec};
use proptest::prelude::*;
use septet_contract::{Key, KeyAttribute, LogicalType, Object, PhysicalType, Property};

use crate::flat::Flat;
use crate::value::{Item, Value};
use crate::view::View;

/// A property of these types.
pub(crate) fn property(name: &str, physical: PhysicalType, logical: Option<LogicalType>) -> Property {
    Property {
        name: name.to_owned(),
        attribute: name.to_owned(),
        physical: Some(physical),
        logical,
        ..Property::default()
    }
}

/// A closed table with the key `user_id` and these attributes beside it.
pub(crate) fn table(properties: Vec<Property>) -> Object {
    let mut all =
        vec![Property { required: true, ..property("user_id", PhysicalType::S, Some(LogicalType::String)) }];
    all.extend(properties);
    Object {
        name: "recs".to_owned(),
        physical_name: None,
        key: Key {
            partition: KeyAttribute {
                property: "user_id".to_owned(),
                attribute: "user_id".to_owned(),
                physical: PhysicalType::S,
            },
            sort: None,
        },
        closed: true,
        properties: all,
        quality: Vec::new(),
    }
}

/// Recommendations: a list of objects `{track_id, score}`.
pub(crate) fn recommendations() -> Property {
    let score = Property { required: true, ..property("score", PhysicalType::N, Some(LogicalType::Number)) };
    let track = Property { required: true, ..property("track_id", PhysicalType::S, None) };
    let element = Property {
        closed: true,
        properties: vec![track, score],
        ..property("", PhysicalType::M, Some(LogicalType::Object))
    };
    Property {
        required: true,
        items: Some(Box::new(element)),
        ..property("recs", PhysicalType::L, Some(LogicalType::Array))
    }
}

/// An item of these attributes.
pub(crate) fn item<const N: usize>(attributes: [(&str, Value); N]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Looks at a value as checks do.
pub(crate) fn with_view<T>(value: &Value, look: impl FnOnce(View<'_>) -> T) -> T {
    let mut flat = Flat::default();
    flat.take(&item([("value", value.clone())]));
    look(flat.item("").get("value").unwrap())
}

pub(crate) fn text(text: impl Into<String>) -> Value {
    Value::S(text.into())
}

pub(crate) fn number(text: impl Into<String>) -> Value {
    Value::N(text.into())
}

/// Text of a number that DynamoDB holds, in any spelling.
pub(crate) fn any_number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{1,3}(\\.[0-9]{1,3})?",
        "[-+]?[0-9]{1,19}(\\.[0-9]{1,19})?([eE][-+]?[0-9]{1,2})?",
        "-?0{0,3}[1-9]{1,2}0{0,3}(\\.0{1,3})?",
    ]
}

/// Any value, most of the leaves short and few, so that equal ones occur.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let short = || prop_oneof!["[a-c]{0,2}", r"\PC{0,6}"];
    let leaf = prop_oneof![
        short().prop_map(Value::S),
        any_number().prop_map(Value::N),
        vec(any::<u8>(), 0..4).prop_map(Value::B),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
        btree_set(short(), 1..4).prop_map(|set| Value::SS(set.into_iter().rev().collect())),
        btree_set(any_number(), 1..4).prop_map(|set| Value::NS(set.into_iter().collect())),
        btree_set(vec(any::<u8>(), 0..3), 1..4).prop_map(|set| Value::BS(set.into_iter().rev().collect())),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::L),
            hash_map(prop_oneof!["[a-c]{0,2}", r"\PC{0,6}"], inner, 0..5).prop_map(Value::M),
        ]
    })
}

/// Any item, with or without the key.
pub(crate) fn any_item() -> impl Strategy<Value = Item> {
    hash_map(prop_oneof![Just("user_id".to_owned()), "[a-d]".prop_map(String::from)], any_value(), 0..6)
}
