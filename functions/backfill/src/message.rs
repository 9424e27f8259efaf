//! What arrives on the queue, with what the queue says about it.

use aws_lambda_events::event::sqs::SqsMessage;

use crate::handler::ACTOR;

/// A message with what the queue says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The message, as it came.
    pub body: String,
    /// Who sent it, as far as the queue knows.
    pub sender: String,
}

impl Letter {
    /// A message of a batch.
    pub fn from_queue(message: &SqsMessage) -> Self {
        let sender = message.attributes.get("SenderId").cloned();
        Self {
            body: message.body.clone().unwrap_or_default(),
            sender: sender.unwrap_or_else(|| ACTOR.into()),
        }
    }
}
