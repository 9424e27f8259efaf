//! What former releases wrote, as `tests/upgrade` keeps it: items of the registry, messages, policies.

use std::collections::HashMap;
use std::path::PathBuf;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

/// An item of DynamoDB.
pub type Item = HashMap<String, AttributeValue>;

/// Reads a file that keeps what a release wrote, such as `0.1.0/pointer.json`.
///
/// # Panics
/// If there is no such file, or it is no JSON.
pub fn file(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../upgrade").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads a file of items in DynamoDB JSON.
///
/// # Panics
/// If it holds anything else.
pub fn items(name: &str) -> Vec<Item> {
    match file(name) {
        Value::Array(items) => items.iter().map(item).collect(),
        other => panic!("{name} is a list of items, not {other}"),
    }
}

/// Reads the bodies of a file of messages.
///
/// # Panics
/// If it holds anything else.
pub fn bodies(name: &str) -> Vec<String> {
    let file = file(name);
    let messages = file.as_array().unwrap_or_else(|| panic!("{name} is a list of messages"));
    let body = |message: &Value| message["MessageBody"].as_str().map(str::to_owned);
    messages.iter().map(|message| body(message).unwrap_or_else(|| panic!("{message} has no body"))).collect()
}

/// Maps whose single member says which of several things they are: no release adds members to them.
const CHOICES: [&str; 4] = ["promotion_state", "doubt", "failure", "next"];

/// Adds an attribute of every type to an item, and to each of the maps in it, as a newer release might.
pub fn extend(item: &mut Item) {
    let inner = HashMap::from([("deep".to_owned(), AttributeValue::Ns(vec!["1".into(), "2.5".into()]))]);
    let blob = |bytes: &[u8]| Blob::new(bytes);
    let more = [
        AttributeValue::S("é".into()),
        AttributeValue::N("12345678901234567890123456789012345678".into()),
        AttributeValue::B(blob(&[0, 255, 7])),
        AttributeValue::Bool(true),
        AttributeValue::Null(true),
        AttributeValue::L(vec![AttributeValue::N("0.25".into()), AttributeValue::B(blob(b"x"))]),
        AttributeValue::M(inner),
        AttributeValue::Ss(vec!["a".into(), "b".into()]),
        AttributeValue::Ns(vec!["-1".into(), "2".into()]),
        AttributeValue::Bs(vec![blob(b"a"), blob(b"b")]),
    ];
    for (name, value) in item.iter_mut() {
        if let (AttributeValue::M(map), false) = (value, CHOICES.contains(&name.as_str())) {
            extend(map);
        }
    }
    item.extend(more.into_iter().enumerate().map(|(at, value)| (format!("newer_{at}"), value)));
}

/// Names every attribute that `after` lacks or has otherwise than `before`, as `pk / sk: attribute`.
///
/// `changes` are keys as `pk / sk`, each with the attributes, divided by spaces, that may differ there. The numbers that
/// grow with every change may differ everywhere.
pub fn lost(before: &[Item], after: &[Item], changes: &[(&str, &str)]) -> Vec<String> {
    let key = |item: &Item| {
        let text = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        format!("{} / {}", text("pk"), text("sk"))
    };
    let after: HashMap<_, _> = after.iter().map(|item| (key(item), item)).collect();
    let mut lost = Vec::new();
    for item in before {
        let key = key(item);
        let may_change: Vec<_> = changes
            .iter()
            .filter(|(of, _)| *of == key)
            .flat_map(|(_, names)| names.split(' '))
            .chain(["revision", "generation"])
            .collect();
        for (name, value) in item.iter().filter(|(name, _)| !may_change.contains(&name.as_str())) {
            let now = after.get(&key).and_then(|item| item.get(name));
            if now.map(sorted) != Some(sorted(value)) {
                lost.push(format!("{key}: {name}"));
            }
        }
    }
    lost.sort();
    lost
}

/// A value with the members of its sets in one order: DynamoDB keeps none.
fn sorted(value: &AttributeValue) -> AttributeValue {
    match value {
        AttributeValue::M(map) => {
            AttributeValue::M(map.iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        AttributeValue::L(list) => AttributeValue::L(list.iter().map(sorted).collect()),
        AttributeValue::Ss(texts) => AttributeValue::Ss(in_order(texts)),
        AttributeValue::Ns(numbers) => AttributeValue::Ns(in_order(numbers)),
        AttributeValue::Bs(all) => {
            let mut all = all.clone();
            all.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
            AttributeValue::Bs(all)
        }
        other => other.clone(),
    }
}

fn in_order(texts: &[String]) -> Vec<String> {
    let mut texts = texts.to_vec();
    texts.sort();
    texts
}

fn item(item: &Value) -> Item {
    match item {
        Value::Object(item) => item.iter().map(|(name, value)| (name.clone(), attribute(value))).collect(),
        other => panic!("an item is an object, not {other}"),
    }
}

fn attribute(value: &Value) -> AttributeValue {
    let one = value.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
    let read = one.and_then(|(kind, value)| match (kind.as_str(), value) {
        ("S", Value::String(text)) => Some(AttributeValue::S(text.clone())),
        ("N", Value::String(text)) => Some(AttributeValue::N(text.clone())),
        ("BOOL", Value::Bool(truth)) => Some(AttributeValue::Bool(*truth)),
        ("NULL", Value::Bool(truth)) => Some(AttributeValue::Null(*truth)),
        ("L", Value::Array(list)) => Some(AttributeValue::L(list.iter().map(attribute).collect())),
        ("M", map @ Value::Object(_)) => Some(AttributeValue::M(item(map))),
        ("SS", Value::Array(texts)) => texts
            .iter()
            .map(|text| text.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .map(AttributeValue::Ss),
        _ => None,
    });
    read.unwrap_or_else(|| panic!("{value} is no attribute that a release wrote"))
}
