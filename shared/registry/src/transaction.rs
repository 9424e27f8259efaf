//! One transition as data: items to write, what must still hold, and the audit record.

use crate::{
    Claim, Contract, Dataset, DatasetName, Heartbeat, Listing, Pointer, PointerName, Record, TableId,
    TableName, Version, VersionNumber,
};

/// An item of the registry.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Item {
    /// A dataset in the list of datasets.
    Listing(Listing),
    /// A dataset.
    Dataset(Dataset),
    /// A contract.
    Contract(Contract),
    /// A version.
    Version(Box<Version>),
    /// A pointer.
    Pointer(Pointer),
    /// Which version a table is.
    Claim(Claim),
    /// An audit record.
    Record(Record),
    /// A reader's sign of life.
    Heartbeat(Heartbeat),
    /// An item of the feeds' side of the registry, or of a part of a version's table.
    Entry(Entry),
}

/// An item under [`FEEDS`](Entry::FEEDS) or a partition that begins with [`FEED`](Entry::FEED), whose rules are the
/// recovery's business; or beside a version, of a part of its table.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where it lies.
    pub key: Key,
    /// Grows with every change of the item.
    pub revision: u64,
    /// Its other attributes, an object.
    pub body: serde_json::Value,
}

impl Entry {
    /// The partition that lists the feeds.
    pub const FEEDS: &'static str = "FEEDS";
    /// How every partition of a feed begins.
    pub const FEED: &'static str = "FEED#";

    /// How the sort keys of entries beside a version begin.
    pub(crate) const SEGMENT: &'static str = "SEGMENT#";

    pub(crate) fn owns(key: &Key) -> bool {
        let Key { pk, sk } = key;
        pk == Self::FEEDS || pk.starts_with(Self::FEED) || sk.starts_with(Self::SEGMENT)
    }
}

/// The keys of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} / {}", self.pk, self.sk)
    }
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    pub(crate) fn listing(dataset: &DatasetName) -> Self {
        Self::new("DATASETS", dataset.as_str())
    }

    pub(crate) fn dataset(dataset: &DatasetName) -> Self {
        Self::new(partition(dataset), "DATASET")
    }

    pub(crate) fn contract(dataset: &DatasetName, number: crate::ContractNumber) -> Self {
        Self::new(partition(dataset), format!("CONTRACT#{}", number.key()))
    }

    pub(crate) fn version(dataset: &DatasetName, number: VersionNumber) -> Self {
        Self::new(partition(dataset), format!("VERSION#{}", number.key()))
    }

    pub(crate) fn pointer(dataset: &DatasetName, pointer: &PointerName) -> Self {
        Self::new(partition(dataset), format!("POINTER#{pointer}"))
    }

    pub(crate) fn claim(table: &TableName, id: &TableId) -> Self {
        Self::new(format!("TABLE#{table}"), id.as_str())
    }

    pub(crate) fn record(dataset: &DatasetName, id: uuid::Uuid) -> Self {
        Self::new(partition(dataset), format!("LOG#{id}"))
    }

    pub(crate) fn heartbeat(dataset: &DatasetName, reader: &str) -> Self {
        Self::new(readers(dataset), format!("READER#{reader}"))
    }

    /// A document about a version, such as its profile.
    pub(crate) fn document(dataset: &DatasetName, version: VersionNumber, name: &str) -> Self {
        Self::new(format!("{}#V#{}", partition(dataset), version.key()), name)
    }
}

pub(crate) fn partition(dataset: &DatasetName) -> String {
    format!("DATASET#{dataset}")
}

/// Readers write here themselves: IAM can only allow a partition, so it is one without anything else.
pub(crate) fn readers(dataset: &DatasetName) -> String {
    format!("{}#READERS", partition(dataset))
}

impl Item {
    /// Where the item lies.
    pub fn key(&self) -> Key {
        match self {
            Self::Listing(item) => Key::listing(&item.dataset),
            Self::Dataset(item) => Key::dataset(&item.dataset),
            Self::Contract(item) => Key::contract(&item.dataset, item.contract),
            Self::Version(item) => Key::version(&item.dataset, item.version),
            Self::Pointer(item) => Key::pointer(&item.dataset, &item.pointer),
            Self::Claim(item) => Key::claim(&item.table, &item.table_id),
            Self::Record(item) => Key::record(&item.dataset, item.id),
            Self::Heartbeat(item) => Key::heartbeat(&item.dataset, &item.reader),
            Self::Entry(item) => item.key.clone(),
        }
    }

    /// What grows with every change of the item, where something does.
    pub fn revision(&self) -> Option<u64> {
        match self {
            Self::Dataset(item) => Some(item.revision),
            Self::Version(item) => Some(item.revision),
            Self::Pointer(item) => Some(item.generation),
            Self::Entry(item) => Some(item.revision),
            _ => None,
        }
    }
}

impl From<Version> for Item {
    fn from(version: Version) -> Self {
        Self::Version(Box::new(version))
    }
}

/// What must hold of an item for a transaction to go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// There is no such item.
    Absent,
    /// The item is at this revision.
    Revision(u64),
    /// Anything.
    Anything,
}

/// One item to write, under a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The item as it shall be.
    pub item: Item,
    /// What must hold of the item as it is.
    pub expect: Expect,
}

/// Condition on an item that a transaction does not write: it is still the one that was decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The item.
    pub key: Key,
    /// Revision that the item must still have.
    pub revision: u64,
}

/// A transition: all of it happens, or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    /// Items to write.
    pub writes: Vec<Write>,
    /// Items that must not have left their state.
    pub witnesses: Vec<Witness>,
    /// The audit record, written with the rest.
    pub record: Record,
}

/// What a pure decision comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision<T> {
    /// Do this; the value is what then holds.
    Commit(Box<Transaction>, T),
    /// It has been done before.
    Already(T),
    /// It may not be done.
    Refuse(crate::Refusal),
}
