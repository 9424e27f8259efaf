//! The registry in memory, for tests, models and simulations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::invariants::Snapshot;
use crate::store::{Committed, Order, Store};
use crate::transaction::{Expect, Item, Key, Transaction, Witness, Write, partition};
use crate::{DatasetName, Error, Heartbeat, Record, VersionNumber};

/// Maximum number of actions in a transaction (DynamoDB, TransactWriteItems).
const MAX_ACTIONS: usize = 100;

/// A [`Store`] in memory that keeps the same rules as [`DynamoDb`](crate::DynamoDb).
///
/// It returns each item exactly as it was written and fails only for transactions that DynamoDB would refuse for their
/// shape: a test puts a decorator around it for faults and delays. A clone is another handle of the same items.
///
/// ```
/// # use std::sync::Arc;
/// use septet_registry::{Entropy, Memory, Registry};
///
/// let memory = Memory::default();
/// memory.observe(|landed| println!("{:?}", landed.record));
/// let registry = Registry::new(Arc::new(memory.clone()), Entropy::from_seed(7));
/// # drop(registry);
/// assert!(memory.items().is_empty());
/// ```
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    rows: BTreeMap<Key, Row>,
    observers: Vec<Observer>,
}

type Observer = Box<dyn FnMut(&Landed<'_>) + Send>;

#[derive(Clone)]
enum Row {
    Item(Arc<Item>),
    Document(serde_json::Value),
}

/// A commit or a put that was written, as an observer of [`Memory`] sees it.
#[derive(Debug, Clone, Copy)]
pub struct Landed<'a> {
    /// The writes.
    pub writes: &'a [Write],
    /// The items that the writes replaced, in the order of the writes.
    pub replaced: &'a [Option<Item>],
    /// The audit record of a commit; none for a put.
    pub record: Option<&'a Record>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Memory {
    /// Returns a store of its own that holds the same items and documents, without the observers.
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(Table { rows: self.table().rows.clone(), observers: Vec::new() })))
    }

    /// Returns every item by its key; documents are left out.
    pub fn items(&self) -> Vec<Item> {
        self.table().rows.values().filter_map(Row::item).cloned().collect()
    }

    /// Returns all items of a dataset at this time, or none if its contract was never put.
    pub fn snapshot(&self, dataset: &DatasetName) -> Option<Snapshot> {
        let table = self.table();
        let Some(Item::Dataset(found)) = table.rows.get(&Key::dataset(dataset)).and_then(Row::item) else {
            return None;
        };
        let mut snapshot = Snapshot {
            dataset: found.clone(),
            versions: Vec::new(),
            pointers: Vec::new(),
            records: Vec::new(),
        };
        table.range(&partition(dataset), "").filter_map(Row::item).for_each(|item| snapshot.put(item));
        Some(snapshot)
    }

    /// Calls `observer` after each commit and each put that was written, before any other call of the store.
    ///
    /// The observer must not use the store: the store is locked while the observer runs.
    pub fn observe(&self, observer: impl FnMut(&Landed<'_>) + Send + 'static) {
        self.table().observers.push(Box::new(observer));
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    fn item(&self) -> Option<&Item> {
        match self {
            Self::Item(item) => Some(item),
            Self::Document(_) => None,
        }
    }
}

impl Table {
    /// Returns the rows of a partition whose sort key begins with `prefix`, by rising sort key.
    fn range<'a>(&'a self, pk: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a Row> {
        self.entries(pk, prefix).map(|(_, row)| row)
    }

    fn entries<'a>(&'a self, pk: &'a str, prefix: &'a str) -> impl Iterator<Item = (&'a Key, &'a Row)> {
        let from = Key { pk: pk.to_owned(), sk: prefix.to_owned() };
        self.rows.range(from..).take_while(move |(key, _)| key.pk == pk && key.sk.starts_with(prefix))
    }

    fn allows(&self, key: &Key, expect: Expect) -> bool {
        let row = self.rows.get(key);
        match expect {
            Expect::Anything => true,
            Expect::Absent => row.is_none(),
            Expect::Revision(revision) => row.and_then(Row::item).and_then(Item::revision) == Some(revision),
        }
    }

    fn confirms(&self, witness: &Witness) -> bool {
        self.rows.get(&witness.key).and_then(Row::item).and_then(Item::revision) == Some(witness.revision)
    }

    fn transact(
        &mut self,
        writes: &[Write],
        record: Option<&Record>,
        witnesses: &[Witness],
    ) -> Result<Committed, Error> {
        let logged = record.map(|record| Item::Record(record.clone()));
        let keys: Vec<Key> = writes.iter().map(|write| &write.item).chain(&logged).map(Item::key).collect();
        check_actions(&keys, witnesses)?;
        let expected = writes.iter().map(|write| write.expect).chain([Expect::Absent]);
        let allowed = keys.iter().zip(expected).all(|(key, expect)| self.allows(key, expect));
        if !allowed || !witnesses.iter().all(|witness| self.confirms(witness)) {
            return Ok(Committed::Conflict);
        }
        let items = writes.iter().map(|write| write.item.clone()).chain(logged);
        let mut replaced = Vec::with_capacity(keys.len());
        for (key, item) in keys.into_iter().zip(items) {
            replaced
                .push(self.rows.insert(key, Row::Item(Arc::new(item))).and_then(|row| row.item().cloned()));
        }
        replaced.truncate(writes.len());
        let landed = Landed { writes, replaced: &replaced, record };
        self.observers.iter_mut().for_each(|observer| observer(&landed));
        Ok(Committed::Done)
    }
}

/// Refuses a transaction that DynamoDB would refuse for its shape.
fn check_actions(keys: &[Key], witnesses: &[Witness]) -> Result<(), Error> {
    let count = keys.len() + witnesses.len();
    let distinct: BTreeSet<&Key> = keys.iter().chain(witnesses.iter().map(|witness| &witness.key)).collect();
    let why = match count {
        0 => "it has no action".to_owned(),
        1..=MAX_ACTIONS if distinct.len() == count => return Ok(()),
        1..=MAX_ACTIONS => "two actions are on one item".to_owned(),
        _ => format!("it has {count} actions, at most {MAX_ACTIONS} are allowed"),
    };
    Err(Error::Store {
        table: "memory".into(),
        operation: "TransactWriteItems",
        code: "ValidationException".into(),
        retryable: false,
        source: why.into(),
    })
}

#[async_trait]
impl Store for Memory {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Error> {
        Ok(self.table().rows.get(key).and_then(Row::item).cloned())
    }

    async fn list(
        &self,
        partition: &str,
        prefix: &str,
        order: Order,
        limit: Option<usize>,
    ) -> Result<Vec<Item>, Error> {
        let table = self.table();
        let mut rows: Vec<&Row> = table.range(partition, prefix).collect();
        if order == Order::Falling {
            rows.reverse();
        }
        rows.truncate(limit.unwrap_or(usize::MAX));
        Ok(rows.into_iter().filter_map(Row::item).cloned().collect())
    }

    async fn commit(&self, transaction: &Transaction) -> Result<Committed, Error> {
        let Transaction { writes, witnesses, record } = transaction;
        self.table().transact(writes, Some(record), witnesses)
    }

    async fn put(&self, writes: &[Write]) -> Result<Committed, Error> {
        self.table().transact(writes, None, &[])
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), Error> {
        let item = Item::Heartbeat(heartbeat.clone());
        self.table().rows.insert(item.key(), Row::Item(Arc::new(item)));
        Ok(())
    }

    async fn put_document(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        name: &str,
        document: &serde_json::Value,
    ) -> Result<(), Error> {
        let key = Key::document(dataset, version, name);
        self.table().rows.insert(key, Row::Document(document.clone()));
        Ok(())
    }

    async fn documents(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        prefix: &str,
    ) -> Result<Vec<(String, serde_json::Value)>, Error> {
        let Key { pk, .. } = Key::document(dataset, version, "");
        let found = self.table();
        let documents = found.entries(&pk, prefix).map(|(key, row)| match row {
            Row::Document(document) => Ok((key.sk.clone(), document.clone())),
            Row::Item(_) => {
                Err(Error::Malformed { key: key.to_string(), message: "it has no attribute document".into() })
            }
        });
        documents.collect()
    }
}
