//! One invocation: each message by itself, the bad ones to be tried again and in the end kept aside.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use jiff::SignedDuration;
use septet_registry::Registry;
use septet_tables::Tables;
use septet_telemetry::{Clock, Dimension, Invocation, Metrics};
use septet_verdict::Functions;
use serde::Serialize;
use serde_json::Value;
use tracing::{Instrument, error, info, info_span};

use crate::capacity::Capacity;
use crate::config::Config;
use crate::error::Error;
use crate::message::{Ask, Input, Letter};
use crate::queue::{DeadLetter, Queue, QueueError};
use crate::summary::Summary;

/// No message is begun with less time than this: it would only be stopped half way.
const LEAST_TIME: SignedDuration = SignedDuration::from_secs(2);

/// Handles what the function is invoked with.
pub struct Handler {
    /// The registry.
    pub registry: Registry,
    /// The tables of datasets.
    pub tables: Tables,
    /// The publish queue, and its dead letters.
    pub queue: Arc<dyn Queue>,
    /// Functions of publishers that contracts ask.
    pub functions: Arc<dyn Functions>,
    /// Measured reads and writes of tables.
    pub capacity: Arc<dyn Capacity>,
    /// Receives the metrics.
    pub metrics: Metrics,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Settings of the function.
    pub config: Config,
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handler").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The answer to an invocation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a batch: the messages to be delivered again.
    Batch(SqsBatchResponse),
    /// To a message by itself: what came of it.
    Single(Box<Summary>),
}

impl Handler {
    /// Handles a batch of the queue, or a message that comes by itself such as an EventBridge event.
    ///
    /// A message of a batch that fails is named in the answer and comes again; one by itself fails the
    /// invocation.
    pub async fn handle(&self, input: Value, invocation: &Invocation) -> Result<Answer, Error> {
        let input = Input::from_json(input).inspect_err(|error| self.tell_failure(error))?;
        match input {
            Input::Batch(batch) => Ok(Answer::Batch(self.batch(&batch, invocation).await)),
            Input::Single(value) => {
                let letter = Letter::alone(&value, invocation.now);
                Ok(Answer::Single(Box::new(self.one(&letter, invocation).await?)))
            }
        }
    }

    async fn batch(&self, batch: &SqsEvent, invocation: &Invocation) -> SqsBatchResponse {
        let mut answer = SqsBatchResponse::default();
        for message in &batch.records {
            let id = message.message_id.clone().unwrap_or_default();
            let letter = Letter::from_queue(message, invocation.now);
            let one = self.one(&letter, invocation).instrument(info_span!("message", message_id = id));
            if let Err(error) = one.await
                && !self.buried(&letter, &error).await
            {
                answer.add_failure(id);
            }
        }
        answer
    }

    /// Moves a message that no repetition helps to the dead letters, with the reason; false if it is to come again.
    async fn buried(&self, letter: &Letter, error: &Error) -> bool {
        if error.is_retryable() {
            return false;
        }
        let dead = DeadLetter {
            body: letter.body.clone(),
            sent_at: letter.sent_at.as_millisecond(),
            table_id: letter.table_id.clone(),
            kind: error.kind(),
            reason: format!("failed to {error}"),
        };
        self.queue.bury(&dead).await.inspect_err(|error| self.tell_failure_of(error)).is_ok()
    }

    fn tell_failure_of(&self, failure: &QueueError) {
        error!(kind = failure.kind(), "failed to {failure}");
        self.count("Errors", &[(Dimension::Kind, failure.kind())]);
    }

    /// Handles one message and tells what came of it.
    pub async fn one(&self, letter: &Letter, invocation: &Invocation) -> Result<Summary, Error> {
        match self.handle_letter(letter, invocation).await {
            Ok(summary) => {
                let table = summary.table.as_ref().map(ToString::to_string);
                let summary_json = serde_json::to_string(&summary).unwrap_or_default();
                info!(request_id = invocation.id, table, summary = summary_json, "{summary}");
                Ok(summary)
            }
            Err(error) => {
                self.tell_failure(&error);
                Err(error)
            }
        }
    }

    async fn handle_letter(&self, letter: &Letter, invocation: &Invocation) -> Result<Summary, Error> {
        if invocation.left(self.clock.now()) < LEAST_TIME {
            return Err(Error::OutOfTime { deadline: invocation.deadline });
        }
        match Ask::from_body(&letter.body)? {
            Ask::Nothing { table, reason } => Ok(Summary::ignored(table, reason)),
            // Boxed, for all its steps nest too deep for the compiler otherwise.
            Ask::Look { table, cause } => Box::pin(self.look(table, &cause, letter, invocation)).await,
            Ask::Read { table, segment } => {
                Box::pin(self.read_segment(table, &segment, letter, invocation)).await
            }
        }
    }

    fn tell_failure(&self, failure: &Error) {
        let kind = failure.kind();
        error!(kind, retryable = failure.is_retryable(), cause = causes(failure), "failed to {failure}");
        self.count("Errors", &[(Dimension::Kind, kind)]);
    }

    pub(crate) fn count(&self, name: &'static str, by: &[(Dimension, &str)]) {
        self.metrics.count(self.clock.now(), name, 1, by);
    }
}

/// What stands behind an error, where its text does not say it.
fn causes(error: &Error) -> Option<String> {
    let mut texts = Vec::new();
    let mut at = std::error::Error::source(error);
    while let Some(cause) = at {
        texts.push(cause.to_string());
        at = cause.source();
    }
    (!texts.is_empty()).then(|| texts.join(": "))
}
