//! A store that loses answers and refuses commits as told, and what the tests make registries of.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use septet_registry::invariants::Snapshot;
use septet_registry::*;

/// Describes the fate of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Fault {
    /// The call is done and answered.
    #[default]
    None,
    /// The call is done, and its answer is lost.
    LostAnswer,
    /// The call is not done, and its caller gets no answer.
    LostRequest,
    /// Another writer is at the same items.
    Conflict,
    /// The store has too many calls.
    Throttled,
}

impl Fault {
    /// Writes, or fails to.
    pub(crate) async fn write(
        self,
        write: impl Future<Output = Result<Committed, Error>>,
    ) -> Result<Committed, Error> {
        match self {
            Self::Conflict => Ok(Committed::Conflict),
            _ => self.read(write).await,
        }
    }

    /// Reads, or fails to; a conflict is nothing that a read could meet.
    pub(crate) async fn read<T>(self, read: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match self {
            Self::None | Self::Conflict => read.await,
            Self::LostAnswer => {
                read.await?;
                Err(unanswered())
            }
            Self::LostRequest => Err(unanswered()),
            Self::Throttled => Err(Error::Throttled { table: "memory".into(), operation: "any" }),
        }
    }
}

/// A store in memory whose commits and puts meet faults.
#[derive(Clone, Default)]
pub(crate) struct Faulty {
    memory: Memory,
    faults: Arc<Mutex<Vec<Fault>>>,
}

impl Faulty {
    /// Sets the faults of the next commits, the last first.
    pub(crate) fn fail(&self, faults: Vec<Fault>) {
        *self.faults.lock().unwrap() = faults;
    }

    pub(crate) fn items(&self) -> Vec<Item> {
        self.memory.items()
    }

    fn fault(&self) -> Fault {
        self.faults.lock().unwrap().pop().unwrap_or_default()
    }
}

fn unanswered() -> Error {
    Error::Store {
        table: "memory".into(),
        operation: "any",
        code: "no answer".into(),
        retryable: true,
        source: "the answer is lost".into(),
    }
}

#[async_trait]
impl Store for Faulty {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Error> {
        self.memory.get(key).await
    }

    async fn list(
        &self,
        partition: &str,
        prefix: &str,
        order: Order,
        limit: Option<usize>,
    ) -> Result<Vec<Item>, Error> {
        self.memory.list(partition, prefix, order, limit).await
    }

    async fn commit(&self, transaction: &Transaction) -> Result<Committed, Error> {
        self.fault().write(self.memory.commit(transaction)).await
    }

    async fn put(&self, writes: &[Write]) -> Result<Committed, Error> {
        self.fault().write(self.memory.put(writes)).await
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), Error> {
        self.memory.put_heartbeat(heartbeat).await
    }

    async fn put_document(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        name: &str,
        document: &serde_json::Value,
    ) -> Result<(), Error> {
        self.memory.put_document(dataset, version, name, document).await
    }

    async fn documents(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        prefix: &str,
    ) -> Result<Vec<(String, serde_json::Value)>, Error> {
        self.memory.documents(dataset, version, prefix).await
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
            order: DatasetOrder::Created,
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
        created_at: at(0),
        signal: None,
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
    PointRequest::new(direction, "because")
}

/// Takes a table from announced to its verdict and, if it passed, live where nothing forbids it.
pub(crate) async fn publish(registry: &Registry, table: &str, outcome: VerdictOutcome, now: i64) -> Version {
    let set = recs();
    let version = registry.announce(&set, &announcement(table, table), &by(now)).await.unwrap();
    let version = version.into_result().unwrap().version;
    registry.seal(&set, version, &readiness().into(), &by(now)).await.unwrap().into_result().unwrap();
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
