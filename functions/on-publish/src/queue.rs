//! The publish queue, as far as the function itself sends to it.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::RequestId;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use aws_sdk_sqs::types::MessageAttributeValue;

/// The longest delay that SQS takes.
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);

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

/// Why a message could not be put back.
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
            let message = error.message().unwrap_or_default().to_owned();
            return QueueError::Denied { queue, message };
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
    async fn put_back(&self, later: &Later) -> Result<(), QueueError> {
        let number = |value: String| {
            MessageAttributeValue::builder().data_type("Number").string_value(value).build().ok()
        };
        let mut send = self.client.send_message().queue_url(&self.url).message_body(&later.body);
        for (name, value) in [(HOPS, later.hops.to_string()), (SENT_AT, later.sent_at.to_string())] {
            if let Some(value) = number(value) {
                send = send.message_attributes(name, value);
            }
        }
        let seconds = later.delay.min(LONGEST_DELAY).as_secs();
        let send = send.delay_seconds(i32::try_from(seconds).unwrap_or(0));
        send.send().await.map(drop).map_err(|error| self.failed(error))
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
    async fn put_back(status: &str, answer: &str) -> (Result<(), QueueError>, serde_json::Value) {
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
        let queue = Sqs::new(aws_sdk_sqs::Client::from_conf(config.build()), format!("{endpoint}/1/publish"));
        let delay = Duration::from_secs(5000);
        let later =
            Later { body: r#"{"table":"recs-1"}"#.into(), hops: 3, sent_at: 1_763_604_600_000, delay };
        (queue.put_back(&later).await, served.await.unwrap())
    }

    #[tokio::test]
    async fn a_message_goes_back_as_it_came_with_its_history_and_at_most_the_longest_delay() {
        let (sent, asked) = put_back("200 OK", r#"{"MessageId":"m-1","MD5OfMessageBody":"x"}"#).await;
        sent.unwrap();
        assert_eq!(asked["MessageBody"], r#"{"table":"recs-1"}"#);
        assert_eq!(asked["DelaySeconds"], 900);
        let attributes = &asked["MessageAttributes"];
        assert_eq!(attributes["septet.hops"]["StringValue"], "3");
        assert_eq!(attributes["septet.sent_at"]["StringValue"], "1763604600000");
        assert!(asked["QueueUrl"].as_str().unwrap().ends_with("/1/publish"));
    }

    #[tokio::test]
    async fn a_refusal_names_the_permission_and_a_failure_its_code() {
        let denied = r#"{"__type":"com.amazonaws.sqs#AccessDenied","message":"no"}"#;
        let (sent, _) = put_back("403 Forbidden", denied).await;
        let error = sent.unwrap_err();
        assert!(matches!(error, QueueError::Denied { .. }), "{error:?}");
        assert!(error.to_string().contains("permission is missing for sqs:SendMessage"));
        for (status, code, again) in [
            ("500 Internal Server Error", "InternalFailure", true),
            ("400 Bad Request", "RequestThrottled", true),
            ("400 Bad Request", "QueueDoesNotExist", false),
        ] {
            let answer = format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"so"}}"#);
            let error = put_back(status, &answer).await.0.unwrap_err();
            assert!(error.to_string().contains(&format!("{code}, request r-1")), "{error}");
            let QueueError::Failed { retryable, .. } = error else { panic!("{error:?}") };
            assert_eq!(retryable, again, "{code}");
        }
    }
}
