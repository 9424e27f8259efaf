//! Converts the body of an entry from DynamoDB attributes to JSON and back, without loss.
//!
//! JSON has no sets, no binary values and no numbers of 38 digits. An attribute of such a type becomes an object with
//! the single member [`EXACT`]; this program reads no such attribute, it only keeps those of newer programs.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value, json};

use super::Attributes;

/// Name of the member that holds an attribute which JSON cannot express.
const EXACT: &str = "$dynamodb";

/// Decimal digits that every 64-bit floating-point number keeps (IEEE 754 binary64).
const FLOAT_DIGITS: usize = 15;

/// Converts the attributes of a body to a JSON object.
pub(super) fn to_json(attributes: Attributes) -> Result<Map<String, Value>, String> {
    let members = attributes.into_iter().map(|(name, value)| {
        let value = value_to_json(value).ok_or_else(|| format!("attribute {name} has an unknown type"))?;
        Ok((name, value))
    });
    members.collect()
}

/// Converts a JSON object to the attributes of a body.
pub(super) fn from_json(members: &Map<String, Value>) -> Attributes {
    members.iter().map(|(name, value)| (name.clone(), value_from_json(value))).collect()
}

fn value_to_json(value: AttributeValue) -> Option<Value> {
    let exact = |kind: &str, value: Value| Some(json!({EXACT: {kind: value}}));
    match value {
        AttributeValue::S(text) => Some(Value::String(text)),
        AttributeValue::N(text) => match number(&text) {
            Some(number) => Some(Value::Number(number)),
            None => exact("N", text.into()),
        },
        AttributeValue::Bool(truth) => Some(Value::Bool(truth)),
        AttributeValue::Null(_) => Some(Value::Null),
        AttributeValue::L(list) => list.into_iter().map(value_to_json).collect(),
        AttributeValue::M(members) => to_json(members).ok().map(Value::Object),
        AttributeValue::B(bytes) => exact("B", bytes.into_inner().into()),
        AttributeValue::Ss(texts) => exact("SS", texts.into()),
        AttributeValue::Ns(numbers) => exact("NS", numbers.into()),
        AttributeValue::Bs(all) => exact("BS", all.into_iter().map(Blob::into_inner).collect()),
        _ => None,
    }
}

fn value_from_json(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(*truth),
        Value::Number(number) => AttributeValue::N(match number.as_f64() {
            Some(float) if number.is_f64() => float.to_string(),
            _ => number.to_string(),
        }),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(list) => AttributeValue::L(list.iter().map(value_from_json).collect()),
        Value::Object(members) => {
            exact_from_json(members).unwrap_or_else(|| AttributeValue::M(from_json(members)))
        }
    }
}

/// Returns the attribute that an object stands for; none if it is an object of its own.
fn exact_from_json(members: &Map<String, Value>) -> Option<AttributeValue> {
    let (kind, value) = members.get(EXACT).filter(|_| members.len() == 1)?.as_object()?.iter().next()?;
    let bytes = |value: &Value| serde_json::from_value(value.clone()).ok().map(Blob::new::<Vec<u8>>);
    let texts = || serde_json::from_value(value.clone()).ok();
    match kind.as_str() {
        "N" => value.as_str().map(|text| AttributeValue::N(text.to_owned())),
        "B" => bytes(value).map(AttributeValue::B),
        "SS" => texts().map(AttributeValue::Ss),
        "NS" => texts().map(AttributeValue::Ns),
        "BS" => value.as_array()?.iter().map(bytes).collect::<Option<_>>().map(AttributeValue::Bs),
        _ => None,
    }
}

/// Returns the number that JSON writes with the same value; none if it would lose digits.
fn number(text: &str) -> Option<Number> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    if let Ok(number) = text.parse::<u64>() {
        return Some(number.into());
    }
    let float = text.parse::<f64>().ok()?;
    let digits: String = text.split(['e', 'E']).next()?.chars().filter(char::is_ascii_digit).collect();
    let few = digits.trim_matches('0').len() <= FLOAT_DIGITS;
    Number::from_f64(float).filter(|_| few || float.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> AttributeValue {
        AttributeValue::N(text.into())
    }

    #[test]
    fn every_attribute_comes_back_as_it_was() {
        let blob = || Blob::new(vec![0, 255, 7]);
        let inner = Attributes::from([
            ("set".to_owned(), AttributeValue::Ss(vec!["b".into(), "a".into()])),
            ("bytes".to_owned(), AttributeValue::B(blob())),
        ]);
        let values = [
            AttributeValue::S(String::new()),
            n("0"),
            n("-9223372036854775808"),
            n("18446744073709551615"),
            n("0.25"),
            n("0.1"),
            n("0.30000000000000004"),
            n("12345678901234567890123456789012345678"),
            n("0.1234567890123456789"),
            AttributeValue::Bool(false),
            AttributeValue::Null(true),
            AttributeValue::B(blob()),
            AttributeValue::Ss(vec!["é".into()]),
            AttributeValue::Ns(vec!["1".into(), "0.10000000000000000001".into()]),
            AttributeValue::Bs(vec![blob(), Blob::new(vec![])]),
            AttributeValue::L(vec![n("1"), AttributeValue::M(inner.clone())]),
            AttributeValue::M(inner),
            AttributeValue::M(Attributes::new()),
        ];
        let attributes: Attributes =
            values.into_iter().enumerate().map(|(at, value)| (format!("a{at}"), value)).collect();
        assert_eq!(from_json(&to_json(attributes.clone()).unwrap()), attributes);
    }

    #[test]
    fn plain_values_are_plain_json() {
        let attributes = Attributes::from([
            ("calls".to_owned(), n("3")),
            ("rate".to_owned(), n("2.5")),
            ("small".to_owned(), n("1E-7")),
            ("lease".to_owned(), AttributeValue::Null(true)),
        ]);
        let body = Value::Object(to_json(attributes).unwrap());
        assert_eq!(body, json!({"calls": 3, "rate": 2.5, "small": 1e-7, "lease": null}));
    }

    #[test]
    fn an_object_that_only_looks_like_an_exact_value_is_an_object() {
        for object in
            [json!({EXACT: 1}), json!({EXACT: {"S": "x"}}), json!({EXACT: {"B": "x"}}), json!({EXACT: {}})]
        {
            assert!(matches!(value_from_json(&object), AttributeValue::M(_)), "{object}");
        }
    }
}
