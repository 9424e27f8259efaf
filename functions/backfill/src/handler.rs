//! One invocation: each message by itself, or a sweep.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use futures::future::join_all;
use jiff::SignedDuration;
use septet_aws::{Caller, Queue};
use septet_recovery::ledger::decide::Refusal;
use septet_recovery::ledger::{By, Outcome, Run, RunState};
use septet_recovery::secrets::Secrets;
use septet_recovery::sink::SqsDeadLetters;
use septet_recovery::worker::{LaneOrder, Report, Worker, sweep};
use septet_recovery::{FeedName, Ledger, Message, RangeRequest};
use septet_registry::Entropy;
use septet_telemetry::{Clock, Dimension, Invocation, Metrics};
use serde::Serialize;
use serde_json::{Value, json};
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::config::Config;
use crate::error::Error;
use crate::message::Letter;

/// Who the log says it was where nobody asked for it.
pub const ACTOR: &str = "septet:backfill";

/// Characters of a reason that travel with a message.
const REASON: usize = 2000;

/// No message is begun with less time than this: it would only be stopped half way.
const LEAST_TIME: SignedDuration = SignedDuration::from_secs(2);

/// The function, with everything it works on.
pub struct Backfill {
    /// The ledger of recoveries.
    pub ledger: Ledger,
    /// The recovery queue.
    pub queue: Queue,
    /// Its dead letters.
    pub dead_letters: Queue,
    /// Tables that records go to.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Where what no sink takes is sent.
    pub sqs: aws_sdk_sqs::Client,
    /// Fills queues that records go to.
    pub caller: Arc<Caller>,
    /// Secrets of feeds.
    pub secrets: Secrets,
    /// Where metrics go.
    pub metrics: Metrics,
    /// The clock that the deadline is watched by.
    pub clock: Arc<dyn Clock>,
    /// Where ids and jitter come from.
    pub entropy: Arc<Entropy>,
    /// The settings.
    pub config: Config,
}

impl std::fmt::Debug for Backfill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backfill").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
pub enum Ending {
    /// A run was started, or started before.
    Started {
        /// The run.
        run: Uuid,
        /// Orders that were sent.
        orders: usize,
    },
    /// There is nothing to read: earlier runs did.
    NothingToDo,
    /// The message went to the dead letters.
    Refused {
        /// Why.
        reason: String,
    },
    /// A record was brought in that no sink took before.
    Injected {
        /// The run.
        run: Uuid,
    },
    /// A record that no sink took is wanted no more, or is where it belongs.
    Nothing {
        /// The run.
        run: Uuid,
        /// Why.
        why: &'static str,
    },
    /// The message comes again.
    Later,
    /// A worker was at work.
    Worked {
        /// The run.
        run: Uuid,
        /// What it did.
        report: Report,
        /// Whether another message goes on.
        goes_on: bool,
    },
}

/// The answer to an invocation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a batch: the messages to be delivered again.
    Batch(SqsBatchResponse),
    /// To a sweep.
    Sweep {
        /// Orders that were sent.
        orders: usize,
    },
}

impl Backfill {
    /// Handles a batch of the recovery queue, or sweeps.
    ///
    /// A message of a batch that fails is named in the answer and comes again; a sweep that fails fails the
    /// invocation.
    pub async fn handle(&self, event: Value, invocation: &Invocation) -> Result<Answer, Error> {
        let answer = if event.get("Records").is_some() {
            let batch = serde_json::from_value(event).map_err(Error::Batch);
            match batch {
                Ok(batch) => Ok(Answer::Batch(self.batch(&batch, invocation).await)),
                Err(error) => Err(error),
            }
        } else if event == json!({"sweep": true}) {
            self.sweep(invocation).await
        } else {
            Err(Error::Event)
        };
        answer.inspect_err(|error| self.tell(error))
    }

    async fn batch(&self, batch: &SqsEvent, invocation: &Invocation) -> SqsBatchResponse {
        let handled = batch.records.iter().map(async |message| {
            let id = message.message_id.clone().unwrap_or_default();
            let one = self.one(&Letter::from_queue(message), &id, invocation).await;
            one.inspect_err(|error| self.tell(error)).is_err().then_some(id)
        });
        let mut answer = SqsBatchResponse::default();
        for failed in join_all(handled).await.into_iter().flatten() {
            answer.add_failure(failed);
        }
        answer
    }

    /// Handles one message and tells what came of it.
    pub async fn one(&self, letter: &Letter, id: &str, invocation: &Invocation) -> Result<Ending, Error> {
        if invocation.left(self.clock.now()) < LEAST_TIME {
            return Err(Error::OutOfTime { deadline: invocation.deadline });
        }
        let ending = match Message::read(&letter.body) {
            Message::Range(request) => self.start(&request, letter).await?,
            Message::Lane(order) => self.work(&order, invocation).await?,
            Message::Record(record) => self.redeliver(&record, letter, invocation).await?,
            Message::Unreadable { feed, reason } => self.refuse(feed.as_ref(), reason, letter).await?,
        };
        let summary = serde_json::to_string(&ending).unwrap_or_default();
        info!(request_id = invocation.id, message_id = id, summary, "handled a message");
        Ok(ending)
    }

    async fn start(&self, request: &RangeRequest, letter: &Letter) -> Result<Ending, Error> {
        let by = By { actor: letter.sender.clone(), now: self.clock.now() };
        match self.ledger.start(request, &by).await? {
            Outcome::Done(run) => self.begin(&run).await,
            // Whoever started it may have been killed before its orders were sent.
            Outcome::Already(run) if run.state == RunState::Planned => self.begin(&run).await,
            Outcome::Already(run) => Ok(Ending::Started { run: run.run, orders: 0 }),
            Outcome::Refused(Refusal::NothingToDo) => Ok(Ending::NothingToDo),
            Outcome::Refused(refusal) => self.refuse(Some(&request.feed), refusal.to_string(), letter).await,
        }
    }

    async fn begin(&self, run: &Run) -> Result<Ending, Error> {
        let orders = self.send(&LaneOrder::all(run)).await?;
        Ok(Ending::Started { run: run.run, orders })
    }

    async fn send(&self, orders: &[LaneOrder]) -> Result<usize, Error> {
        let sent = orders.iter().map(|order| self.order(order, Duration::ZERO));
        for one in join_all(sent).await {
            one?;
        }
        Ok(orders.len())
    }

    async fn order(&self, order: &LaneOrder, delay: Duration) -> Result<(), Error> {
        Ok(self.queue.send(&json!(order).to_string(), delay, &[]).await?)
    }

    /// Keeps a message that cannot be followed where an operator finds it, with the reason.
    pub(crate) async fn refuse(
        &self,
        feed: Option<&FeedName>,
        reason: String,
        letter: &Letter,
    ) -> Result<Ending, Error> {
        let by = By { actor: letter.sender.clone(), now: self.clock.now() };
        if let Some(feed) = feed {
            self.ledger.refuse(feed, &reason, &by).await?;
        }
        let why = [("septet.refused", "String", legal(&reason))];
        self.dead_letters.send(&letter.body, Duration::ZERO, &why).await?;
        warn!(feed = feed.map(ToString::to_string), reason, sender = letter.sender, "a message was refused");
        self.count("RecoveryMessagesRefused", 1);
        Ok(Ending::Refused { reason })
    }

    async fn work(&self, order: &LaneOrder, invocation: &Invocation) -> Result<Ending, Error> {
        let Some(run) = self.ledger.run(&order.feed, order.run).await? else {
            warn!(feed = %order.feed, run = %order.run, "an order is for a run that there is not");
            return Ok(Ending::Worked { run: order.run, report: Report::default(), goes_on: false });
        };
        let feed = run.feed().ok_or_else(|| Error::Feed { feed: run.feed.clone(), run: run.run })?;
        let (source, sink) = (self.source(&feed).await?, self.sink(&run, &feed)?);
        let dead = SqsDeadLetters::new(self.sqs.clone(), &self.config.dead_letters_url);
        let worker = Worker {
            ledger: &self.ledger,
            source: &source,
            sink: &*sink,
            dead: &dead,
            clock: &*self.clock,
            entropy: Arc::clone(&self.entropy),
            owner: format!("{ACTOR}/{}", invocation.id),
            deadline: invocation.deadline,
        };
        // Boxed, for all its steps nest too deep for the compiler otherwise.
        let report = Box::pin(worker.work(&run, &feed, order.lane)).await?;
        let after = order.after(&report);
        if let Some((next, delay)) = &after {
            self.order(next, *delay).await?;
        }
        self.count("RecoveryRecordsInjected", report.injected);
        self.count("RecoveryRecordsPoison", report.poison);
        self.count("RecoveryWindowsNotDone", u64::from(report.suspect + report.failed));
        Ok(Ending::Worked { run: run.run, report, goes_on: after.is_some() })
    }

    async fn sweep(&self, invocation: &Invocation) -> Result<Answer, Error> {
        let by = By { actor: ACTOR.into(), now: self.clock.now() };
        let orders = self.send(&sweep(&self.ledger, &by).await?).await?;
        info!(request_id = invocation.id, orders, "swept");
        Ok(Answer::Sweep { orders })
    }

    fn tell(&self, failure: &Error) {
        let kind = failure.kind();
        error!(kind, retryable = failure.is_retryable(), "failed to {failure}");
        self.metrics.count(self.clock.now(), "Errors", 1, &[(Dimension::Kind, kind)]);
    }

    pub(crate) fn count(&self, name: &'static str, count: u64) {
        if count > 0 {
            self.metrics.count(self.clock.now(), name, count, &[]);
        }
    }
}

/// A reason as an attribute of a message may hold it.
fn legal(reason: &str) -> String {
    let legal = reason.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'));
    legal.take(REASON).collect()
}
