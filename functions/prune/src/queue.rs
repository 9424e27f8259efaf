//! The publish queue, as far as reminders go to it.

use async_trait::async_trait;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::RequestId;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use septet_registry::{Message, Reminder};

/// Why a reminder could not be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// Permission is missing.
    #[error("send to the queue {queue}: permission is missing for sqs:SendMessage ({message})")]
    Denied {
        /// The queue's URL.
        queue: String,
        /// What the service says.
        message: String,
    },
    /// The queue could not be reached, or refuses the message.
    #[error("send to the queue {queue}: {code}")]
    Failed {
        /// The queue's URL.
        queue: String,
        /// The error code, with the request id where there is one.
        code: String,
        /// Whether it may succeed later.
        retryable: bool,
        /// What the client says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Where reminders go.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends a reminder; it may arrive more than once.
    async fn remind(&self, reminder: Reminder) -> Result<(), QueueError>;
}

/// A [`Queue`] in SQS.
#[derive(Debug, Clone)]
pub struct Sqs {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Sqs {
    /// The queue at `url`, through `client`.
    pub fn new(client: aws_sdk_sqs::Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    fn failed(&self, error: SdkError<SendMessageError>) -> QueueError {
        let queue = self.url.clone();
        let code = error.code().unwrap_or_default().to_owned();
        if code.ends_with("AccessDenied") || code == "AccessDeniedException" {
            return QueueError::Denied { queue, message: error.message().unwrap_or_default().to_owned() };
        }
        let status = error.raw_response().map(|response| response.status().as_u16());
        let retryable = status.is_none_or(|status| status >= 500) || code.contains("Throttl");
        let code = match (status, code.is_empty()) {
            (None, _) => "no answer".to_owned(),
            (Some(status), true) => format!("status {status}"),
            (Some(_), false) => code,
        };
        let code = match error.request_id() {
            Some(id) => format!("{code}, request {id}"),
            None => code,
        };
        QueueError::Failed { queue, code, retryable, source: Box::new(error) }
    }
}

#[async_trait]
impl Queue for Sqs {
    async fn remind(&self, reminder: Reminder) -> Result<(), QueueError> {
        let body = Message::Reminder(reminder).to_json().to_string();
        let send = self.client.send_message().queue_url(&self.url).message_body(body);
        send.send().await.map(drop).map_err(|error| self.failed(error))
    }
}
