//! Converts items of the registry to DynamoDB's and back.

mod body;

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use crate::audit::{Action, Record};
use crate::error::Error;
use crate::transaction::{Entry, Item, Key};
use crate::{Carried, Dataset, Listing, Pointer, State, Version};

/// The newest item format that this code reads and writes.
///
/// The attribute `format` of an item is the least format of a program that may read it, `writer_format`, where there is
/// one, the least of a program that may write it.
pub(crate) const FORMAT: u64 = 2;

/// The format of an item: 1 wherever programs of release 0.1.0 lose nothing by rewriting it. The pointer stays at 1,
/// for readers of that release follow it.
fn format_of(item: &Item) -> u64 {
    match item {
        Item::Dataset(dataset) if !dataset.holds.is_empty() => 2,
        Item::Version(version) if version.state == State::Valid && version.withdrawn.is_some() => 2,
        _ => 1,
    }
}

/// An item as it was read.
pub(crate) struct Stored {
    attributes: Attributes,
    /// The least format of a program that may write the item.
    writer_format: u64,
}

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

/// Converts an item as it is to be written: what this program does not know of it stays as it was read.
pub(crate) fn encode(item: &Item) -> Result<Attributes, Error> {
    let key = item.key();
    let mut attributes = known(item)?;
    if let Some(stored) = carried(item).and_then(|carried| carried.0.as_ref()) {
        if stored.writer_format > FORMAT {
            return Err(Error::NewerWriter {
                key: key.to_string(),
                found: stored.writer_format,
                known: FORMAT,
            });
        }
        let before = match decode(stored.attributes.clone())? {
            Some(before) => known(&before)?,
            None => Attributes::new(),
        };
        for (name, value) in &stored.attributes {
            if attributes.get(name) == before.get(name) {
                attributes.insert(name.clone(), value.clone());
            }
        }
    }
    attributes.insert("format".into(), AttributeValue::N(format_of(item).to_string()));
    attributes.extend(keys(&key));
    Ok(attributes)
}

fn carried(item: &Item) -> Option<&Carried> {
    match item {
        Item::Listing(item) => Some(&item.carried),
        Item::Dataset(item) => Some(&item.carried),
        Item::Version(item) => Some(&item.carried),
        Item::Pointer(item) => Some(&item.carried),
        Item::Contract(_) | Item::Claim(_) | Item::Record(_) | Item::Heartbeat(_) | Item::Entry(_) => None,
    }
}

/// The attributes of an item that this program knows, without keys and format.
fn known(item: &Item) -> Result<Attributes, Error> {
    let key = item.key();
    let mut attributes = match item {
        Item::Listing(item) => attributes(&key, item),
        Item::Dataset(item) => attributes(&key, item),
        Item::Contract(item) => attributes(&key, item),
        Item::Version(item) => attributes(&key, item),
        Item::Pointer(item) => attributes(&key, item),
        Item::Claim(item) => attributes(&key, item),
        Item::Record(item) => record(&key, item),
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
    Ok(attributes)
}

/// A record, with its action in the words of release 0.1.0.
fn record(key: &Key, item: &Record) -> Result<Attributes, Error> {
    let stored = item.action.stored();
    let mut attributes = attributes(key, item)?;
    if stored != item.action {
        let action = attributes.insert("action".into(), AttributeValue::S(stored.as_str().into()));
        attributes.extend(action.map(|action| ("verb".to_owned(), action)));
    }
    Ok(attributes)
}

fn encode_entry(entry: &Entry) -> Result<Attributes, Error> {
    let Some(members) = entry.body.as_object() else {
        return Err(Error::Malformed { key: entry.key.to_string(), message: "its body is no object".into() });
    };
    let mut attributes = body::from_json(members);
    attributes.insert("revision".into(), AttributeValue::N(entry.revision.to_string()));
    Ok(attributes)
}

fn decode_entry(key: Key, mut attributes: Attributes) -> Result<Entry, Error> {
    let revision = match attributes.remove("revision") {
        Some(AttributeValue::N(number)) => number.parse().ok(),
        _ => None,
    };
    let malformed = |message: String| Error::Malformed { key: key.to_string(), message };
    let revision = revision.ok_or_else(|| malformed("its attribute revision is no whole number".into()))?;
    for own in ["pk", "sk", "format"] {
        attributes.remove(own);
    }
    let body = body::to_json(attributes).map_err(malformed)?.into();
    Ok(Entry { key, revision, body })
}

/// A document about a version, with its keys.
pub(crate) fn encode_document(key: &Key, document: &serde_json::Value) -> Result<Attributes, Error> {
    let mut attributes = keys(key);
    attributes.insert("format".into(), AttributeValue::N("1".into()));
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
    let writer_format = check_format(&key, &attributes)?;
    let is_entry = Entry::owns(&key);
    let kind = key.sk.split('#').next().unwrap_or_default();
    let carries = !is_entry && (key.pk == "DATASETS" || matches!(kind, "DATASET" | "VERSION" | "POINTER"));
    let stored = || Arc::new(Stored { attributes: attributes.clone(), writer_format });
    let carried = Carried(carries.then(stored));
    if let Some(verb) = attributes.remove("verb").filter(is_action) {
        attributes.insert("action".into(), verb);
    }
    if let Some(AttributeValue::Ss(names)) = attributes.remove("pointed_by") {
        let names = names.into_iter().map(AttributeValue::S).collect();
        attributes.insert("pointed_by".into(), AttributeValue::L(names));
    }
    if is_entry {
        return Ok(Some(Item::Entry(decode_entry(key, attributes)?)));
    }
    Ok(Some(match (key.pk.as_str(), kind) {
        ("DATASETS", _) => Item::Listing(Listing { carried, ..item(&key, attributes)? }),
        (pk, _) if pk.starts_with("TABLE#") => Item::Claim(item(&key, attributes)?),
        (_, "DATASET") => Item::Dataset(Dataset { carried, ..item(&key, attributes)? }),
        (_, "CONTRACT") => Item::Contract(item(&key, attributes)?),
        (_, "VERSION") => Item::Version(Box::new(Version { carried, ..item(&key, attributes)? })),
        (_, "POINTER") => Item::Pointer(Pointer { carried, ..item(&key, attributes)? }),
        (_, "LOG") => Item::Record(item(&key, attributes)?),
        (_, "READER") => Item::Heartbeat(item(&key, attributes)?),
        _ => return Ok(None),
    }))
}

/// Returns true for the word of an action that this program knows; a newer program may know others.
fn is_action(verb: &AttributeValue) -> bool {
    let AttributeValue::S(verb) = verb else { return false };
    serde_json::from_value::<Action>(verb.as_str().into()).is_ok()
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

/// Refuses an item that this program may not read; the least format of a program that may write it.
fn check_format(key: &Key, attributes: &Attributes) -> Result<u64, Error> {
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
    match attributes.get("writer_format") {
        Some(AttributeValue::N(number)) => {
            number.parse().map_err(|_| malformed("its attribute writer_format is no whole number"))
        }
        _ => Ok(found),
    }
}
