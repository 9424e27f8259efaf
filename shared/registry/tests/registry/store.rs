//! A store in memory that loses answers and refuses commits as told, and what every store is held to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use septet_registry::invariants::Snapshot;
use septet_registry::*;

/// What happens to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is written and answered.
    None,
    /// It is written, and the answer is lost.
    LostAnswer,
    /// It is not written, and nobody says so.
    LostRequest,
    /// Another writer is at the same items.
    Conflict,
}

#[derive(Default)]
struct Held {
    items: BTreeMap<(String, String), Item>,
    documents: BTreeMap<(String, String), serde_json::Value>,
    faults: Vec<Fault>,
    commits: usize,
}

#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Held>>);

impl Memory {
    /// What happens to the next commits, the last first.
    pub(crate) fn fail(&self, faults: Vec<Fault>) {
        self.0.lock().unwrap().faults = faults;
    }

    fn write(&self, writes: &[Write], witnesses: &[Witness]) -> Result<Committed, Error> {
        let mut held = self.0.lock().unwrap();
        held.commits += 1;
        let fault = held.faults.pop().unwrap_or(Fault::None);
        match fault {
            Fault::LostRequest => return Err(unanswered()),
            Fault::Conflict => return Ok(Committed::Conflict),
            Fault::None | Fault::LostAnswer => {}
        }
        let at = |key: &Key| held.items.get(&(key.pk.clone(), key.sk.clone()));
        let expected = writes.iter().all(|write| match (write.expect, at(&write.item.key())) {
            (Expect::Anything, _) | (Expect::Absent, None) => true,
            (Expect::Revision(revision), Some(item)) => item.revision() == Some(revision),
            _ => false,
        });
        let witnessed = witnesses.iter().all(|witness| {
            matches!(at(&witness.key), Some(Item::Version(version)) if version.state == witness.state)
        });
        if !expected || !witnessed {
            return Ok(Committed::Conflict);
        }
        for write in writes {
            let key = write.item.key();
            held.items.insert((key.pk, key.sk), write.item.clone());
        }
        if fault == Fault::LostAnswer { Err(unanswered()) } else { Ok(Committed::Done) }
    }

    pub(crate) fn items(&self) -> Vec<Item> {
        self.0.lock().unwrap().items.values().cloned().collect()
    }
}

fn unanswered() -> Error {
    Error::Store {
        table: "memory".into(),
        operation: "TransactWriteItems",
        code: "no answer".into(),
        retryable: true,
        source: "the answer is lost".into(),
    }
}

#[async_trait]
impl Store for Memory {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Error> {
        Ok(self.0.lock().unwrap().items.get(&(key.pk.clone(), key.sk.clone())).cloned())
    }

    async fn list(
        &self,
        partition: &str,
        prefix: &str,
        order: Order,
        limit: Option<usize>,
    ) -> Result<Vec<Item>, Error> {
        let held = self.0.lock().unwrap();
        let found = held.items.iter().filter(|((pk, sk), _)| pk == partition && sk.starts_with(prefix));
        let mut found: Vec<_> = found.map(|(_, item)| item.clone()).collect();
        if order == Order::Falling {
            found.reverse();
        }
        found.truncate(limit.unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn put(&self, writes: &[Write]) -> Result<Committed, Error> {
        self.write(writes, &[])
    }

    async fn commit(&self, transaction: &Transaction) -> Result<Committed, Error> {
        let record = Write { item: Item::Record(transaction.record.clone()), expect: Expect::Absent };
        let writes: Vec<_> = transaction.writes.iter().cloned().chain([record]).collect();
        self.write(&writes, &transaction.witnesses)
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), Error> {
        let item = Item::Heartbeat(heartbeat.clone());
        let key = item.key();
        self.0.lock().unwrap().items.insert((key.pk, key.sk), item);
        Ok(())
    }

    async fn put_document(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        name: &str,
        document: &serde_json::Value,
    ) -> Result<(), Error> {
        let key = (format!("{dataset}#{version}"), name.to_owned());
        self.0.lock().unwrap().documents.insert(key, document.clone());
        Ok(())
    }

    async fn documents(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        prefix: &str,
    ) -> Result<Vec<(String, serde_json::Value)>, Error> {
        let of = format!("{dataset}#{version}");
        let held = self.0.lock().unwrap();
        let found = held.documents.iter().filter(|((pk, sk), _)| *pk == of && sk.starts_with(prefix));
        Ok(found.map(|((_, name), document)| (name.clone(), document.clone())).collect())
    }
}

pub(crate) fn recs() -> DatasetName {
    DatasetName::parse("recs").unwrap()
}

pub(crate) fn number(number: u64) -> VersionNumber {
    VersionNumber::new(number)
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).unwrap()
}

pub(crate) fn by(seconds: i64) -> By {
    By::new("tester", at(seconds))
}

/// The next contract, after the one with that number.
pub(crate) fn next_contract(promotion: Promotion, digest: &str, over: u64) -> NewContract {
    NewContract { over: Some(ContractNumber::new(over)), ..new_contract(promotion, digest) }
}

pub(crate) fn new_contract(promotion: Promotion, digest: &str) -> NewContract {
    NewContract {
        dataset: recs(),
        settings: Settings {
            table_pattern: "recs-*".into(),
            promotion,
            keep_newest: 2,
            grace_minutes: 1,
            poll_seconds: 300,
        },
        document: "{}".into(),
        digest: digest.into(),
        over: None,
        reason: None,
    }
}

pub(crate) fn announcement(table: &str, id: &str) -> Announcement {
    Announcement {
        table: TableName::parse(table).unwrap(),
        table_arn: format!("arn:aws:dynamodb:eu-west-1:333333333333:table/{table}"),
        table_id: TableId::parse(id).unwrap(),
        created_by: "arn:aws:iam::333333333333:role/ds".into(),
        noticed_by: "CreateTable".into(),
        patience: SignedDuration::from_hours(24),
    }
}

pub(crate) fn readiness() -> Readiness {
    Readiness { rung: Rung::Signal, items: None, digest: None, by: None }
}

pub(crate) fn lease(owner: &str, until: i64) -> Lease {
    Lease { owner: owner.into(), until: at(until) }
}

pub(crate) fn conclusion(outcome: VerdictOutcome, digest: &str) -> Conclusion {
    let passed = outcome == VerdictOutcome::Passed;
    Conclusion {
        verdict: Verdict {
            outcome,
            reasons: if passed { vec![] } else { vec!["user_id: is absent in 3 of 9 items".into()] },
            warnings: vec![],
            at: at(0),
        },
        counts: Some(Counts { items: 9, bytes: 900 }),
        digest: Some(digest.into()),
        promotion: Promotion::Auto,
    }
}

pub(crate) fn to(version: u64) -> PointRequest {
    request(Direction::To(number(version)))
}

pub(crate) fn request(direction: Direction) -> PointRequest {
    PointRequest { direction, reason: "because".into(), force: false, hold_until: None }
}

/// Takes a table from announced to its verdict and, if it passed, live where nothing forbids it.
pub(crate) async fn publish(registry: &Registry, table: &str, outcome: VerdictOutcome, now: i64) -> Version {
    let set = recs();
    let version = registry.announce(&set, &announcement(table, table), &by(now)).await.unwrap();
    let version = version.into_result().unwrap().version;
    registry.seal(&set, version, &readiness(), &by(now)).await.unwrap().into_result().unwrap();
    let lease = lease("worker", now + 60);
    registry.begin_check(&set, version, &lease, &by(now)).await.unwrap().into_result().unwrap();
    let conclusion = conclusion(outcome, table);
    let done = registry.conclude(&set, version, "worker", &conclusion, &by(now)).await.unwrap();
    let _ = done.into_result().unwrap();
    if outcome == VerdictOutcome::Passed {
        let _ = registry.promote(&set, &PointerName::live(), version, &by(now)).await.unwrap();
    }
    registry.version(&set, version).await.unwrap()
}

pub(crate) async fn snapshot(registry: &Registry) -> Snapshot {
    Snapshot::read(registry, &recs()).await.unwrap()
}

pub(crate) async fn live(registry: &Registry) -> Option<u64> {
    Some(registry.pointer(&recs(), &PointerName::live()).await.unwrap()?.version.get())
}
