//! The port to where the registry's items lie.

use async_trait::async_trait;

use crate::transaction::{Item, Key, Transaction, Write};
use crate::{DatasetName, Error, Heartbeat, VersionNumber};

/// What came of a commit whose answer arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// All of it was written.
    Done,
    /// None of it was written: an item is not as expected, or is being written by another.
    Conflict,
}

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By rising sort key.
    Rising,
    /// By falling sort key.
    Falling,
}

/// Where the registry's items lie.
///
/// Every read sees every write that was answered before the read began. A commit that fails with a
/// retryable error may have been written all the same; whoever needs to know reads the record back.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads one item.
    async fn get(&self, key: &Key) -> Result<Option<Item>, Error>;

    /// Lists the items of a partition whose sort key begins with `prefix`, all pages, at most `limit`.
    async fn list(
        &self,
        partition: &str,
        prefix: &str,
        order: Order,
        limit: Option<usize>,
    ) -> Result<Vec<Item>, Error>;

    /// Writes a transaction, all or nothing.
    async fn commit(&self, transaction: &Transaction) -> Result<Committed, Error>;

    /// Writes items, all or none, without an audit record of its own.
    async fn put(&self, writes: &[Write]) -> Result<Committed, Error>;

    /// Writes a reader's sign of life over the one before.
    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), Error>;

    /// Writes a document about a version over the one before.
    async fn put_document(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        name: &str,
        document: &serde_json::Value,
    ) -> Result<(), Error>;

    /// Reads the documents about a version whose name begins with `prefix`, with their names.
    async fn documents(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        prefix: &str,
    ) -> Result<Vec<(String, serde_json::Value)>, Error>;
}
