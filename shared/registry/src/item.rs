//! Converts items of the registry to DynamoDB's and back.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use crate::error::Error;
use crate::transaction::{Entry, Item, Key};

/// The newest item format that this code reads, and the one it writes.
pub(crate) const FORMAT: u64 = 1;

pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// The attribute that grows with every change of the item.
pub(crate) fn revision_attribute(item: &Item) -> &'static str {
    match item {
        Item::Pointer(_) => "generation",
        _ => "revision",
    }
}

pub(crate) fn keys(key: &Key) -> Attributes {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(key.pk.clone())),
        ("sk".to_owned(), AttributeValue::S(key.sk.clone())),
    ])
}

pub(crate) fn encode(item: &Item) -> Result<Attributes, Error> {
    let key = item.key();
    let mut attributes = match item {
        Item::Listing(item) => attributes(&key, item),
        Item::Dataset(item) => attributes(&key, item),
        Item::Contract(item) => attributes(&key, item),
        Item::Version(item) => attributes(&key, item),
        Item::Pointer(item) => attributes(&key, item),
        Item::Claim(item) => attributes(&key, item),
        Item::Record(item) => attributes(&key, item),
        Item::Heartbeat(item) => attributes(&key, item),
        Item::Entry(entry) => encode_entry(entry),
    }?;
    if let Some(AttributeValue::L(names)) = attributes.remove("pointed_by") {
        let names = names.into_iter().filter_map(|name| match name {
            AttributeValue::S(name) => Some(name),
            _ => None,
        });
        attributes.insert("pointed_by".into(), AttributeValue::Ss(names.collect()));
    }
    attributes.insert("format".into(), AttributeValue::N(FORMAT.to_string()));
    attributes.extend(keys(&key));
    Ok(attributes)
}

fn encode_entry(entry: &Entry) -> Result<Attributes, Error> {
    let mut attributes = attributes(&entry.key, &entry.body)?;
    attributes.insert("revision".into(), AttributeValue::N(entry.revision.to_string()));
    Ok(attributes)
}

fn decode_entry(key: Key, mut attributes: Attributes) -> Result<Entry, Error> {
    let revision = match attributes.remove("revision") {
        Some(AttributeValue::N(number)) => number.parse().ok(),
        _ => None,
    };
    let revision = revision.ok_or_else(|| Error::Malformed {
        key: key.to_string(),
        message: "its attribute revision is no whole number".into(),
    })?;
    for own in ["pk", "sk", "format"] {
        attributes.remove(own);
    }
    Ok(Entry { revision, body: item(&key, attributes)?, key })
}

/// A document about a version, with its keys.
pub(crate) fn encode_document(key: &Key, document: &serde_json::Value) -> Result<Attributes, Error> {
    let mut attributes = keys(key);
    attributes.insert("format".into(), AttributeValue::N(FORMAT.to_string()));
    let body = serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(document)
        .map_err(|error| Error::Malformed { key: key.to_string(), message: error.to_string() })?;
    attributes.insert("document".into(), body);
    Ok(attributes)
}

/// A document's name and body.
pub(crate) fn decode_document(mut attributes: Attributes) -> Result<(String, serde_json::Value), Error> {
    let key = key_of(&attributes);
    check_format(&key, &attributes)?;
    let malformed = |message: String| Error::Malformed { key: key.to_string(), message };
    let body =
        attributes.remove("document").ok_or_else(|| malformed("it has no attribute document".into()))?;
    let body = serde_dynamo::aws_sdk_dynamodb_1::from_attribute_value(body)
        .map_err(|error| malformed(error.to_string()))?;
    Ok((key.sk.clone(), body))
}

/// Reads an item by what its keys say it is; keys of other kinds give nothing.
pub(crate) fn decode(mut attributes: Attributes) -> Result<Option<Item>, Error> {
    let key = key_of(&attributes);
    check_format(&key, &attributes)?;
    if let Some(AttributeValue::Ss(names)) = attributes.remove("pointed_by") {
        let names = names.into_iter().map(AttributeValue::S).collect();
        attributes.insert("pointed_by".into(), AttributeValue::L(names));
    }
    if Entry::owns(&key) {
        return Ok(Some(Item::Entry(decode_entry(key, attributes)?)));
    }
    let kind = key.sk.split('#').next().unwrap_or_default();
    Ok(Some(match (key.pk.as_str(), kind) {
        ("DATASETS", _) => Item::Listing(item(&key, attributes)?),
        (pk, _) if pk.starts_with("TABLE#") => Item::Claim(item(&key, attributes)?),
        (_, "DATASET") => Item::Dataset(item(&key, attributes)?),
        (_, "CONTRACT") => Item::Contract(item(&key, attributes)?),
        (_, "VERSION") => Item::Version(Box::new(item(&key, attributes)?)),
        (_, "POINTER") => Item::Pointer(item(&key, attributes)?),
        (_, "LOG") => Item::Record(item(&key, attributes)?),
        (_, "READER") => Item::Heartbeat(item(&key, attributes)?),
        _ => return Ok(None),
    }))
}

fn attributes<T: Serialize>(key: &Key, item: &T) -> Result<Attributes, Error> {
    to_item(item).map_err(|error| Error::Malformed { key: key.to_string(), message: error.to_string() })
}

fn item<T: DeserializeOwned>(key: &Key, attributes: Attributes) -> Result<T, Error> {
    from_item(attributes)
        .map_err(|error| Error::Malformed { key: key.to_string(), message: error.to_string() })
}

fn key_of(attributes: &Attributes) -> Key {
    let text = |name: &str| match attributes.get(name) {
        Some(AttributeValue::S(text)) => text.clone(),
        _ => String::new(),
    };
    Key { pk: text("pk"), sk: text("sk") }
}

fn check_format(key: &Key, attributes: &Attributes) -> Result<(), Error> {
    let malformed = |message: &str| Error::Malformed { key: key.to_string(), message: message.into() };
    let found = match attributes.get("format") {
        Some(AttributeValue::N(number)) => {
            number.parse().map_err(|_| malformed("its attribute format is no whole number"))?
        }
        _ => return Err(malformed("it has no attribute format, so Septet did not write it")),
    };
    if found > FORMAT {
        return Err(Error::NewerFormat { key: key.to_string(), found, known: FORMAT });
    }
    Ok(())
}
