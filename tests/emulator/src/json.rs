//! Plain JSON as DynamoDB items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

/// Reads a JSON object as an item: text S, number N, truth BOOL, null NULL, array L, object M.
///
/// # Panics
/// When it is no object.
pub(crate) fn item(object: Value) -> HashMap<String, AttributeValue> {
    match object {
        Value::Object(object) => object.into_iter().map(|(name, value)| (name, attribute(value))).collect(),
        other => panic!("an item is a JSON object, not {other}"),
    }
}

fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(list) => AttributeValue::L(list.into_iter().map(attribute).collect()),
        Value::Object(_) => AttributeValue::M(item(value)),
    }
}
