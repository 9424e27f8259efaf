//! Contracts and items that tests build.

use septet_contract::{Key, KeyAttribute, LogicalType, Object, PhysicalType, Property};

use crate::value::{Item, Value};

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

pub(crate) fn text(text: impl Into<String>) -> Value {
    Value::S(text.into())
}

pub(crate) fn number(text: impl Into<String>) -> Value {
    Value::N(text.into())
}
