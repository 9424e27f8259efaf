//! Values of the ledger as the items that hold them: read and written here alone, so that no rewrite loses what a newer
//! program wrote beside them.

use septet_registry::{Entry, Error, Expect, Item, Key, Unknown, Write};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value of the ledger and its revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Held<T> {
    /// The value.
    pub value: T,
    /// Its revision.
    pub revision: u64,
    /// What newer programs wrote beside the value; it goes with every rewrite.
    unknown: Unknown,
}

pub(super) fn malformed(key: &Key, error: impl std::fmt::Display) -> Error {
    Error::Malformed { key: key.to_string(), message: error.to_string() }
}

/// Writes a value over the one that it was made of, or as a new item.
pub(super) fn write<T: Serialize>(key: Key, value: &T, before: Option<&Held<T>>) -> Result<Write, Error> {
    let body = match before {
        Some(before) => before.unknown.write(value),
        None => serde_json::to_value(value),
    };
    let body = body.map_err(|error| malformed(&key, error))?;
    let revision = before.map_or(0, |before| before.revision);
    let entry = Entry { key, revision: revision + 1, body };
    Ok(Write {
        item: Item::Entry(entry),
        expect: before.map_or(Expect::Absent, |_| Expect::Revision(revision)),
    })
}

pub(super) fn held<T: Serialize + DeserializeOwned>(item: Item) -> Result<Held<T>, Error> {
    let Item::Entry(Entry { key, revision, body }) = item else {
        return Err(malformed(&item.key(), "it is no item of a feed"));
    };
    let (value, unknown) = Unknown::read(&body).map_err(|error| malformed(&key, error))?;
    Ok(Held { value, revision, unknown })
}

/// A value as it is held after it was written.
pub(super) fn written<T: Serialize>(value: T, write: &Write) -> Result<Held<T>, Error> {
    let Item::Entry(Entry { key, revision, body }) = &write.item else {
        return Err(malformed(&write.item.key(), "it is no item of a feed"));
    };
    let unknown = Unknown::beside(&value, body).map_err(|error| malformed(key, error))?;
    Ok(Held { value, revision: *revision, unknown })
}
