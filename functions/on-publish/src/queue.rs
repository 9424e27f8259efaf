//! The publish queue, as far as the function itself sends to it.

use std::time::Duration;

use async_trait::async_trait;
pub use septet_aws::{LONGEST_DELAY, QueueError};

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
}

/// Where messages come from and go back to.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Puts a message onto the queue, or back; it may come more than once.
    async fn put_back(&self, later: &Later) -> Result<(), QueueError>;
}

/// The name of the message attribute that counts how often a message was put back.
pub(crate) const HOPS: &str = "septet.hops";

/// The name of the message attribute that says when a message was sent first.
pub(crate) const SENT_AT: &str = "septet.sent_at";

#[async_trait]
impl Queue for septet_aws::Queue {
    async fn put_back(&self, later: &Later) -> Result<(), QueueError> {
        let history =
            [(HOPS, "Number", later.hops.to_string()), (SENT_AT, "Number", later.sent_at.to_string())];
        self.send(&later.body, later.delay, &history).await
    }
}
