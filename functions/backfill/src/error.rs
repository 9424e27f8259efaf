//! What can go wrong with a message or a sweep.

use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use septet_aws::QueueError;
use septet_recovery::port::Undelivered;
use septet_recovery::secrets::SecretError;
use septet_recovery::{Failure, FeedName};
use uuid::Uuid;

/// Why a message could not be handled. Each text reads after "failed to" and says what to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What looks like a batch of the queue is none.
    #[error("read the batch: {0}")]
    Batch(#[source] serde_json::Error),
    /// The event is neither a batch nor a sweep.
    #[error("read the event: it takes a batch of the recovery queue, or {{\"sweep\":true}}")]
    Event,
    /// The invocation ends too soon.
    #[error("go on: the invocation ends at {deadline}; the message comes again")]
    OutOfTime {
        /// When the invocation ends.
        deadline: Timestamp,
    },
    /// The feed that a run keeps cannot be read.
    #[error("read the feed {feed} as run {run} keeps it: another Septet wrote it; retry the run")]
    Feed {
        /// The feed.
        feed: FeedName,
        /// The run.
        run: Uuid,
    },
    /// The feed cannot be asked.
    #[error("ask the feed {feed}: {failure}")]
    Source {
        /// The feed.
        feed: FeedName,
        /// Why.
        failure: Failure,
    },
    /// The feed's records would go where none may.
    #[error("fill the sink of {feed}: {problem}; put a corrected feed and retry the run")]
    Sink {
        /// The feed.
        feed: FeedName,
        /// Why.
        problem: String,
    },
    /// The sink takes nothing for now.
    #[error("bring in a record of {feed}: {source}; the message comes again")]
    Undelivered {
        /// The feed.
        feed: FeedName,
        /// Why.
        #[source]
        source: Undelivered,
    },
    /// The feed's secret cannot be had.
    #[error("have the secret of {feed}: {source}")]
    Secret {
        /// The feed.
        feed: FeedName,
        /// Why.
        #[source]
        source: SecretError,
    },
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] septet_registry::Error),
    /// A message could not be sent.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl Error {
    /// The kind of the error, of a closed set that alarms and log queries may rely on.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Batch(_) | Self::Event => "Message.Malformed",
            Self::OutOfTime { .. } => "Invocation.OutOfTime",
            Self::Feed { .. } => "Feed.Unreadable",
            Self::Source { .. } => "Feed.Unaskable",
            Self::Sink { .. } => "Feed.Sink",
            Self::Undelivered { .. } => "Sink.Unavailable",
            Self::Secret { source: SecretError::Denied { .. }, .. } => "Secret.Denied",
            Self::Secret { source: SecretError::Missing { .. }, .. } => "Secret.Missing",
            Self::Secret { .. } => "Secret.Unavailable",
            Self::Registry(error) => error.kind().as_str(),
            Self::Queue(error) => error.kind(),
        }
    }

    /// Whether the same message may succeed later without anybody's help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::OutOfTime { .. } | Self::Undelivered { .. } => true,
            Self::Secret { source, .. } => matches!(source, SecretError::Unavailable { .. }),
            Self::Registry(error) => error.is_retryable(),
            Self::Queue(error) => error.is_retryable(),
            _ => false,
        }
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self { error_type: error.kind().to_owned(), error_message: format!("failed to {error}") }
    }
}
