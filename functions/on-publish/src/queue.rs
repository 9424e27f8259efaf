//! The publish queue, as far as the function itself sends to it.

use std::time::Duration;

use async_trait::async_trait;
pub use septet_aws::{LONGEST_DELAY, QueueError};
use septet_registry::TableId;

/// A message to be handled again later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// The message, as it came.
    pub body: String,
    /// How often it was put back, this time included.
    pub hops: u32,
    /// When it was sent first, in milliseconds since the epoch.
    pub sent_at: i64,
    /// When it shall come back, from now; at most [`LONGEST_DELAY`].
    pub delay: Duration,
    /// Id of the table that it speaks of, where an attribute said so.
    pub table_id: Option<TableId>,
}

/// A message that cannot be honoured, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message, as it came.
    pub body: String,
    /// When it was sent first, in milliseconds since the epoch.
    pub sent_at: i64,
    /// Id of the table that it speaks of, where an attribute said so.
    pub table_id: Option<TableId>,
    /// Kind of the error.
    pub kind: &'static str,
    /// Reason, with its remedy.
    pub reason: String,
}

/// Where messages come from and go back to.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Puts a message onto the queue, or back; it may come more than once.
    async fn put_back(&self, later: &Later) -> Result<(), QueueError>;

    /// Moves a message that cannot be honoured to the dead letters; it may come there more than once.
    async fn bury(&self, letter: &DeadLetter) -> Result<(), QueueError>;
}

/// The name of the message attribute that counts how often a message was put back.
pub(crate) const HOPS: &str = "septet.hops";

/// The name of the message attribute that says when a message was sent first.
pub(crate) const SENT_AT: &str = "septet.sent_at";

/// The name of the message attribute that says which table of its name a message speaks of.
pub(crate) const TABLE_ID: &str = "septet.table_id";

/// The most bytes of a reason in an attribute.
const LONGEST_REASON: usize = 2000;

/// The publish queue and its dead letters.
#[derive(Debug, Clone)]
pub struct PublishQueue {
    /// The queue that messages come from.
    pub queue: septet_aws::Queue,
    /// Its dead letters.
    pub dead_letters: septet_aws::Queue,
}

fn history(sent_at: i64, table_id: Option<&TableId>) -> Vec<(&'static str, &'static str, String)> {
    let sent_at = (SENT_AT, "Number", sent_at.to_string());
    let table_id = table_id.map(|id| (TABLE_ID, "String", id.to_string()));
    [sent_at].into_iter().chain(table_id).collect()
}

#[async_trait]
impl Queue for PublishQueue {
    async fn put_back(&self, later: &Later) -> Result<(), QueueError> {
        let mut history = history(later.sent_at, later.table_id.as_ref());
        history.push((HOPS, "Number", later.hops.to_string()));
        self.queue.send(&later.body, later.delay, &history).await
    }

    async fn bury(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        let mut history = history(letter.sent_at, letter.table_id.as_ref());
        let end = letter.reason.floor_char_boundary(LONGEST_REASON);
        history.push(("septet.refused", "String", letter.kind.to_owned()));
        history.push(("septet.reason", "String", letter.reason[..end].to_owned()));
        self.dead_letters.send(&letter.body, Duration::ZERO, &history).await
    }
}
