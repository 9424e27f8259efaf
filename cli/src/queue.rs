//! The queues of Septet: sent to, and the dead letters of one looked at and moved back.

mod letters;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::RequestId;
use aws_sdk_sqs::types::MessageAttributeValue;
use septet_registry::{Message, TableId};

use crate::failure::{Failure, chain, of_denial, of_silence};

pub(crate) use letters::{DeadLetters, Lying, Task};

/// What hints call the dead letters of the recovery queue.
const DEAD_LETTERS: &str = "dead-letter";

/// A queue of Septet, by URL or by name.
#[derive(Debug)]
pub(crate) struct Queue {
    client: Client,
    named: String,
    /// What hints call it: `publish`, `recovery` or `dead-letter`.
    kind: &'static str,
}

impl Queue {
    pub(crate) fn new(client: Client, named: &str, kind: &'static str) -> Self {
        Self { client, named: named.into(), kind }
    }

    /// The queue's URL; looks the name up where there is only a name.
    pub(crate) async fn url(&self) -> Result<String, Failure> {
        if self.named.contains("://") {
            return Ok(self.named.clone());
        }
        let answer = self.client.get_queue_url().queue_name(&self.named).send().await;
        let answer = answer.map_err(|error| self.failed("sqs:GetQueueUrl", error))?;
        answer.queue_url.ok_or_else(|| self.missing())
    }

    /// Sends a message that speaks of the table of this id.
    ///
    /// The id goes beside the body: release 0.1.0 refuses fields that it does not know.
    pub(crate) async fn send(&self, url: &str, message: &Message, id: &TableId) -> Result<(), Failure> {
        let body = message.to_json().to_string();
        let id = MessageAttributeValue::builder().data_type("String").string_value(id.as_str()).build();
        let id =
            id.map_err(|error| Failure::new(format!("failed to write the message: {error}"), "report this"))?;
        let call = self.client.send_message().queue_url(url).message_body(body);
        let sent = call.message_attributes("septet.table_id", id).send().await;
        sent.map(drop).map_err(|error| self.failed("sqs:SendMessage", error))
    }

    /// Sends a message as it is.
    pub(crate) async fn send_body(&self, url: &str, body: String) -> Result<(), Failure> {
        let sent = self.client.send_message().queue_url(url).message_body(body).send().await;
        sent.map(drop).map_err(|error| self.failed("sqs:SendMessage", error))
    }

    fn missing(&self) -> Failure {
        if self.kind == DEAD_LETTERS {
            return Failure::new(
                format!(
                    "failed to find the dead letters {}: the recovery queue names them, and they are gone",
                    self.named
                ),
                "deploy the stack again",
            );
        }
        let (kind, variable) = (self.kind, self.kind.to_uppercase());
        let output = if kind == "publish" { "PublishQueueUrl" } else { "RecoveryQueueUrl" };
        Failure::new(
            format!(
                "failed to find the {kind} queue {}: it does not exist in this account and region",
                self.named
            ),
            format!(
                "check AWS_REGION; --{kind}-queue or SEPTET_{variable}_QUEUE_URL takes the stack's output {output}"
            ),
        )
    }

    fn failed<E>(&self, action: &str, error: SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        SdkError<E>: RequestId,
    {
        let code = error.code().unwrap_or_default().to_owned();
        let message = error.message().unwrap_or_default().to_owned();
        let what =
            |why: &str| format!("failed to call {action} on the {} queue {}: {why}", self.kind, self.named);
        if code.contains("QueueDoesNotExist") || code.contains("NonExistentQueue") {
            return self.missing();
        }
        if code.contains("AccessDenied")
            || code.contains("InvalidClientTokenId")
            || code == "UnrecognizedClientException"
        {
            return Failure::new(what(&format!("permission is missing ({message})")), of_denial(&message));
        }
        if code.contains("Throttl") {
            let undone =
                if self.kind == DEAD_LETTERS { "nothing was moved" } else { "the message was not sent" };
            return Failure::new(what("SQS throttles"), format!("{undone}; try again in a minute"));
        }
        if code.is_empty() {
            let cause = chain(&error);
            return Failure::new(what("no answer"), of_silence(&cause));
        }
        let id = error.request_id().map(|id| format!(", request {id}")).unwrap_or_default();
        let again = if self.kind == DEAD_LETTERS { "doing it" } else { "sending the same message" };
        Failure::new(what(&format!("{message} ({code}{id})")), format!("{again} again does no harm"))
    }
}
