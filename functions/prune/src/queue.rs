//! The publish queue, as far as reminders go to it.

use std::time::Duration;

use async_trait::async_trait;
pub use septet_aws::QueueError;
use septet_registry::{Message, Reminder};

/// Where reminders go.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends a reminder; it may arrive more than once.
    async fn remind(&self, reminder: Reminder) -> Result<(), QueueError>;
}

#[async_trait]
impl Queue for septet_aws::Queue {
    async fn remind(&self, reminder: Reminder) -> Result<(), QueueError> {
        let body = Message::Reminder(reminder).to_json().to_string();
        self.send(&body, Duration::ZERO, &[]).await
    }
}
