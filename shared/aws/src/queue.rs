//! Messages to queues.

use std::time::Duration;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::RequestId;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use aws_sdk_sqs::types::MessageAttributeValue;

/// The longest delay that SQS takes.
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);

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
        /// What the client says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl QueueError {
    /// The kind of the error, of a closed set that alarms and log queries may rely on.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "Queue.Denied",
            Self::Failed { .. } => "Queue.Unavailable",
        }
    }

    /// Whether the same message may be sent later without anybody's help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Failed { retryable: true, .. })
    }
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
    ///
    /// An attribute is a name, `String` or `Number`, and a value that is not empty.
    pub async fn send(
        &self,
        body: &str,
        delay: Duration,
        attributes: &[(&str, &str, String)],
    ) -> Result<(), QueueError> {
        let mut call = self.client.send_message().queue_url(&self.url).message_body(body);
        for (name, kind, value) in attributes {
            let value = MessageAttributeValue::builder().data_type(*kind).string_value(value).build();
            call = call.message_attributes(*name, value.map_err(|error| self.unsendable(error))?);
        }
        let seconds = i32::try_from(delay.min(LONGEST_DELAY).as_secs()).unwrap_or(0);
        call.delay_seconds(seconds).send().await.map(drop).map_err(|error| self.failed(error))
    }

    fn unsendable(&self, error: impl std::error::Error + Send + Sync + 'static) -> QueueError {
        let (queue, code) = (self.url.clone(), "an attribute cannot be sent".to_owned());
        QueueError::Failed { queue, code, retryable: false, source: Box::new(error) }
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
        let id = error.request_id().map(|id| format!(", request {id}")).unwrap_or_default();
        QueueError::Failed { queue, code: format!("{code}{id}"), retryable, source: Box::new(error) }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::config::retry::RetryConfig;
    use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Sends to a service that gives this answer; what came of it, and what the service was asked.
    async fn send(status: &str, answer: &str) -> (Result<(), QueueError>, serde_json::Value) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\nx-amzn-requestid: r-1\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        );
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            loop {
                let text = String::from_utf8_lossy(&request).to_lowercase();
                let length = text.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next());
                let length = length.and_then(|length| length.trim().parse::<usize>().ok());
                let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
                if length.zip(body).is_some_and(|(length, body)| body >= length) {
                    break;
                }
                stream.read_buf(&mut request).await.unwrap();
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            let text = String::from_utf8(request).unwrap();
            serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
        });
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .endpoint_url(&endpoint)
            .retry_config(RetryConfig::disabled());
        let queue =
            Queue::new(aws_sdk_sqs::Client::from_conf(config.build()), format!("{endpoint}/1/publish"));
        let attributes = [("septet.hops", "Number", "3".to_owned())];
        (queue.send(r#"{"a":1}"#, Duration::from_secs(5000), &attributes).await, served.await.unwrap())
    }

    #[tokio::test]
    async fn a_message_is_sent_as_it_is_with_its_attributes_and_at_most_the_longest_delay() {
        let (sent, asked) = send("200 OK", r#"{"MessageId":"m-1","MD5OfMessageBody":"x"}"#).await;
        sent.unwrap();
        assert_eq!((&asked["MessageBody"], &asked["DelaySeconds"]), (&r#"{"a":1}"#.into(), &900.into()));
        assert_eq!(asked["MessageAttributes"]["septet.hops"]["StringValue"], "3");
        assert_eq!(asked["MessageAttributes"]["septet.hops"]["DataType"], "Number");
        assert!(asked["QueueUrl"].as_str().unwrap().ends_with("/1/publish"));
    }

    #[tokio::test]
    async fn a_refusal_names_the_permission_and_a_failure_its_code() {
        let denied = r#"{"__type":"com.amazonaws.sqs#AccessDenied","message":"no"}"#;
        let (sent, _) = send("403 Forbidden", denied).await;
        let error = sent.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), ("Queue.Denied", false));
        assert!(error.to_string().contains("permission is missing for sqs:SendMessage"));
        for (status, code, again) in [
            ("500 Internal Server Error", "InternalFailure", true),
            ("400 Bad Request", "RequestThrottled", true),
            ("400 Bad Request", "QueueDoesNotExist", false),
        ] {
            let answer = format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"so"}}"#);
            let error = send(status, &answer).await.0.unwrap_err();
            assert!(error.to_string().contains(&format!("{code}, request r-1")), "{error}");
            assert_eq!((error.kind(), error.is_retryable()), ("Queue.Unavailable", again), "{code}");
        }
    }
}
