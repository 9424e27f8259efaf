//! A store in memory whose calls the scheduler interleaves.

use std::task::Poll;

use async_trait::async_trait;
use septet_registry::*;

use super::simulation::Simulation;
use crate::store::*;

/// A store whose calls each wait for a turn.
pub(super) struct Interleaved {
    memory: Memory,
    simulation: Simulation,
}

impl Interleaved {
    pub(super) fn new(memory: Memory, simulation: Simulation) -> Self {
        Self { memory, simulation }
    }

    /// Ends the turn of the caller, and returns the fault of its next one.
    async fn next_turn(&self) -> Fault {
        let mut waited = false;
        std::future::poll_fn(|_| match std::mem::replace(&mut waited, true) {
            true => Poll::Ready(()),
            false => {
                self.simulation.come_to_call();
                Poll::Pending
            }
        })
        .await;
        self.simulation.fault()
    }

    async fn read<T>(
        &self,
        name: impl FnOnce() -> String + Send,
        read: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let fault = self.next_turn().await;
        let found = fault.read(read).await;
        self.simulation.trace(|| match &found {
            Ok(_) => format!("  {}", name()),
            Err(_) => format!("  {}: {fault:?}", name()),
        });
        found
    }

    async fn write(
        &self,
        name: impl FnOnce() -> String + Send,
        write: impl Future<Output = Result<Committed, Error>> + Send,
    ) -> Result<Committed, Error> {
        let fault = self.next_turn().await;
        let written = fault.write(write).await;
        self.simulation.trace(|| match &written {
            Ok(committed) => format!("  {}: {committed:?}", name()),
            Err(_) => format!("  {}: {fault:?}", name()),
        });
        written
    }
}

/// Shows an audit record in one line.
fn show(record: &Record) -> String {
    let Record { action, version, pointer, before, after, .. } = record;
    let of = match (pointer, version) {
        (Some(pointer), _) => format!(" {pointer}"),
        (None, Some(version)) => format!(" version {version}"),
        (None, None) => String::new(),
    };
    let [before, after] = [before, after].map(|it| it.as_deref().unwrap_or("-").to_owned());
    format!("COMMIT {}{of} ({before} -> {after})", action.as_str())
}

#[async_trait]
impl Store for Interleaved {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Error> {
        self.read(|| format!("get {}", key.sk), self.memory.get(key)).await
    }

    async fn list(
        &self,
        partition: &str,
        prefix: &str,
        order: Order,
        limit: Option<usize>,
    ) -> Result<Vec<Item>, Error> {
        let name = || format!("list {partition} {prefix}");
        self.read(name, self.memory.list(partition, prefix, order, limit)).await
    }

    async fn commit(&self, transaction: &Transaction) -> Result<Committed, Error> {
        self.write(|| show(&transaction.record), self.memory.commit(transaction)).await
    }

    async fn put(&self, writes: &[Write]) -> Result<Committed, Error> {
        self.write(|| format!("put {} items", writes.len()), self.memory.put(writes)).await
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), Error> {
        self.read(|| format!("put heartbeat {}", heartbeat.reader), self.memory.put_heartbeat(heartbeat))
            .await
    }

    async fn put_document(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        name: &str,
        document: &serde_json::Value,
    ) -> Result<(), Error> {
        let put = self.memory.put_document(dataset, version, name, document);
        self.read(|| format!("put document {name}"), put).await
    }

    async fn documents(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        prefix: &str,
    ) -> Result<Vec<(String, serde_json::Value)>, Error> {
        self.read(|| format!("documents {prefix}"), self.memory.documents(dataset, version, prefix)).await
    }
}
