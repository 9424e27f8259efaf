//! What a reader serves, and its changes.

use std::sync::Arc;

use futures::Stream;
use jiff::Timestamp;
use septet_registry::{DatasetName, Pointer, PointerName, TableName, VersionNumber};
use tokio::sync::watch;

/// The version that a reader serves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Current {
    /// The dataset.
    pub dataset: DatasetName,
    /// The pointer that is followed.
    pub pointer: PointerName,
    /// The version.
    pub version: VersionNumber,
    /// Its table.
    pub table: TableName,
    /// That table's ARN; the table may lie in another account.
    pub table_arn: String,
    /// The generation of the pointer, as of the last look.
    pub generation: u64,
    /// Since when this reader serves the version.
    pub since: Timestamp,
}

impl Current {
    pub(crate) fn of(pointer: &Pointer, since: Timestamp) -> Self {
        Self {
            dataset: pointer.dataset.clone(),
            pointer: pointer.pointer.clone(),
            version: pointer.version,
            table: pointer.table.clone(),
            table_arn: pointer.table_arn.clone(),
            generation: pointer.generation,
            since,
        }
    }

    /// Whether both name the same table of the same version, whatever became of the pointer meanwhile.
    pub(crate) fn serves_as(&self, other: &Self) -> bool {
        self.version == other.version && self.table_arn == other.table_arn
    }
}

/// That a reader went from one version to another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// What it served before.
    pub previous: Arc<Current>,
    /// What it serves now.
    pub current: Arc<Current>,
}

/// The changes of a reader's version from now on; it ends when the reader is dropped.
///
/// Who is slow to ask learns of the latest version only: several changes become one.
#[derive(Debug)]
pub struct Changes {
    receiver: watch::Receiver<Arc<Current>>,
    last: Arc<Current>,
}

impl Changes {
    pub(crate) fn new(mut receiver: watch::Receiver<Arc<Current>>) -> Self {
        let last = receiver.borrow_and_update().clone();
        Self { receiver, last }
    }

    /// Waits for the next change; gives nothing once the reader is dropped.
    ///
    /// No change is lost when this is cancelled.
    pub async fn next(&mut self) -> Option<Change> {
        loop {
            self.receiver.changed().await.ok()?;
            let current = self.receiver.borrow_and_update().clone();
            if !current.serves_as(&self.last) {
                let previous = std::mem::replace(&mut self.last, current.clone());
                return Some(Change { previous, current });
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Change> + Send + 'static {
        futures::stream::unfold(self, async |mut changes| Some((changes.next().await?, changes)))
    }
}
