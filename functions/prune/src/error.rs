//! What can go wrong with a sweep.

use jiff::Timestamp;
use lambda_runtime::Diagnostic;

use crate::queue::QueueError;

/// Why a sweep, or one part of it, failed. Each text reads after "failed to" and says what to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The event says something that this function does not do.
    #[error("read the event: {0}; it takes `dry_run`, `dataset` and `max_deletions`")]
    Request(String),
    /// A dataset's pattern cannot be read, so that its tables cannot be told from others.
    #[error("find tables by the septet.tablePattern {pattern:?}: {problem}; put a corrected contract")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The invocation ends too soon.
    #[error("go on: the invocation ends at {deadline}; the next sweep goes on")]
    OutOfTime {
        /// When the invocation ends.
        deadline: Timestamp,
    },
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] septet_registry::Error),
    /// A dataset table could not be worked with.
    #[error(transparent)]
    Tables(#[from] septet_tables::Error),
    /// A reminder could not be sent.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl Error {
    /// The kind of the error, of a closed set that alarms and log queries may rely on.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Request(_) => "Request.Malformed",
            Self::Pattern { .. } => "Contract.Unreadable",
            Self::OutOfTime { .. } => "Invocation.OutOfTime",
            Self::Registry(error) => error.kind().as_str(),
            Self::Tables(error) => error.kind().as_str(),
            Self::Queue(error) => error.kind(),
        }
    }

    /// Whether the next sweep may succeed without anybody's help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::OutOfTime { .. } => true,
            Self::Registry(error) => error.is_retryable(),
            Self::Tables(error) => error.is_retryable(),
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
