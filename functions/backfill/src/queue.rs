//! The queues of recovery, as far as the function sends to them.

use std::time::Duration;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::RequestId;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use aws_sdk_sqs::types::MessageAttributeValue;

/// The longest delay that SQS takes.
const LONGEST_DELAY: Duration = Duration::from_secs(900);
/// Characters of a reason that travel with a message.
const REASON: usize = 2000;

/// Why a message could not be sent.
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
    },
}

/// A queue that messages are sent to.
#[derive(Debug, Clone)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    /// The queue at `url`, through `client`.
    pub fn new(client: aws_sdk_sqs::Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    /// Sends a message that comes after `delay`, or after the longest that SQS takes; it may come more than once.
    pub async fn send(&self, body: &str, delay: Duration) -> Result<(), QueueError> {
        let seconds = i32::try_from(delay.min(LONGEST_DELAY).as_secs()).unwrap_or(0);
        let call = self.client.send_message().queue_url(&self.url).message_body(body).delay_seconds(seconds);
        call.send().await.map(drop).map_err(|error| self.failed(&error))
    }

    /// Sends a message as it came, with the reason why nothing was done.
    pub async fn bury(&self, body: &str, reason: &str) -> Result<(), QueueError> {
        // What no attribute may hold goes; an empty attribute is refused as well.
        let legal = reason.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'));
        let reason: String = legal.take(REASON).chain((reason.is_empty()).then_some('-')).collect();
        let attribute =
            MessageAttributeValue::builder().data_type("String").string_value(reason).build().ok();
        let call = self.client.send_message().queue_url(&self.url).message_body(body);
        let call = match attribute {
            Some(attribute) => call.message_attributes("septet.refused", attribute),
            None => call,
        };
        call.send().await.map(drop).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &SdkError<SendMessageError>) -> QueueError {
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
        let id = error.request_id().map(|id| format!(", request {id}")).unwrap_or_default();
        QueueError::Failed { queue, code: format!("{code}{id}"), retryable }
    }
}
