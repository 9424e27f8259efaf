//! The dead letters of a queue.

use std::collections::HashSet;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, ListMessageMoveTasksResultEntry, Message,
    MessageSystemAttributeName, QueueAttributeName,
};
use jiff::Timestamp;
use serde_json::Value;

use super::{DEAD_LETTERS, Queue};
use crate::confirm::Confirmed;
use crate::failure::Failure;

/// Messages of one call.
const MOST: i32 = 10;
/// Seconds for which nobody else sees a letter that is looked at, should it not be given back.
const HELD: i32 = 30;
/// Seconds that SQS looks for letters on all of its servers.
const WAIT: i32 = 1;

/// The dead letters of a queue.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    letters: Queue,
    url: String,
    arn: String,
    /// The queue they are of.
    of: String,
}

/// A dead letter as it lies there.
#[derive(Debug)]
pub(crate) struct Lying {
    pub(crate) body: String,
    /// Why it was refused, if whoever refused it said so beside it.
    pub(crate) refused: Option<String>,
    pub(crate) sent_at: Option<Timestamp>,
}

impl Lying {
    fn of(message: Message) -> Self {
        let attributes = message.attributes.unwrap_or_default();
        let sent = attributes.get(&MessageSystemAttributeName::SentTimestamp);
        let said = message.message_attributes.and_then(|mut said| said.remove("septet.refused"));
        Self {
            body: message.body.unwrap_or_default(),
            refused: said.and_then(|said| said.string_value),
            sent_at: sent
                .and_then(|sent| sent.parse().ok())
                .and_then(|sent| Timestamp::from_millisecond(sent).ok()),
        }
    }
}

/// A task that moves dead letters, as SQS tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) status: String,
    pub(crate) moved: i64,
    pub(crate) total: Option<i64>,
    pub(crate) failure: Option<String>,
    started: i64,
    handle: Option<String>,
}

impl Task {
    fn of(entry: ListMessageMoveTasksResultEntry) -> Self {
        Self {
            status: entry.status.unwrap_or_default(),
            moved: entry.approximate_number_of_messages_moved,
            total: entry.approximate_number_of_messages_to_move,
            failure: entry.failure_reason,
            started: entry.started_timestamp,
            handle: entry.task_handle,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.status.as_str(), "RUNNING" | "CANCELLING")
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.started == other.started
    }
}

impl Queue {
    /// The dead letters that this queue names.
    pub(crate) async fn dead_letters(&self) -> Result<DeadLetters, Failure> {
        let url = self.url().await?;
        let names = [QueueAttributeName::QueueArn, QueueAttributeName::RedrivePolicy];
        let call = self.client.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.into()));
        let answer = call.send().await.map_err(|error| self.failed("sqs:GetQueueAttributes", error))?;
        let mut found = answer.attributes.unwrap_or_default();
        let policy = found.remove(&QueueAttributeName::RedrivePolicy).unwrap_or_default();
        let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
        let (Some(of), Some(arn)) =
            (found.remove(&QueueAttributeName::QueueArn), policy["deadLetterTargetArn"].as_str())
        else {
            return Err(Failure::new(
                format!(
                    "failed to find the dead letters of the {} queue {}: it has none",
                    self.kind, self.named
                ),
                "check --recovery-queue: the queue that the stack deploys has them",
            ));
        };
        let name = arn.rsplit(':').next().unwrap_or_default();
        let letters = Self::new(self.client.clone(), name, DEAD_LETTERS);
        Ok(DeadLetters { url: letters.url().await?, letters, arn: arn.to_owned(), of })
    }
}

impl DeadLetters {
    /// About how many there are, those that somebody holds among them.
    pub(crate) async fn count(&self) -> Result<usize, Failure> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self.letters.client.get_queue_attributes().queue_url(&self.url);
        let answer = call.set_attribute_names(Some(names.into())).send().await;
        let answer = answer.map_err(|error| self.letters.failed("sqs:GetQueueAttributes", error))?;
        let counts = answer.attributes.unwrap_or_default();
        Ok(counts.values().filter_map(|count| count.parse::<usize>().ok()).sum())
    }

    /// Looks at no more than `limit` of them, and gives all back.
    pub(crate) async fn peek(&self, limit: usize) -> Result<Vec<Lying>, Failure> {
        let (mut seen, mut held, mut found) = (HashSet::new(), Vec::new(), Vec::new());
        let looked = loop {
            if found.len() >= limit {
                break Ok(());
            }
            let most = MOST.min(i32::try_from(limit - found.len()).unwrap_or(MOST));
            let call = self.letters.client.receive_message().queue_url(&self.url);
            let call = call.max_number_of_messages(most).visibility_timeout(HELD).wait_time_seconds(WAIT);
            let call = call.message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
            let answer = match call.message_attribute_names("septet.refused").send().await {
                Ok(answer) => answer,
                Err(error) => break Err(self.letters.failed("sqs:ReceiveMessage", error)),
            };
            let messages = answer.messages.unwrap_or_default();
            let before = found.len();
            for mut message in messages {
                held.extend(message.receipt_handle.take());
                // After a long look the first come again.
                if seen.insert(message.message_id.take()) {
                    found.push(Lying::of(message));
                }
            }
            if found.len() == before {
                break Ok(());
            }
        };
        self.give_back(&held).await?;
        looked.map(|()| found)
    }

    /// Lets others see letters again; those that cannot be given back come back by themselves.
    async fn give_back(&self, held: &[String]) -> Result<(), Failure> {
        for some in held.chunks(MOST as usize) {
            let entries = some.iter().enumerate().filter_map(|(number, handle)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().visibility_timeout(0);
                entry.id(number.to_string()).receipt_handle(handle).build().ok()
            });
            let call = self.letters.client.change_message_visibility_batch().queue_url(&self.url);
            let given = call.set_entries(Some(entries.collect())).send().await;
            given.map_err(|error| self.letters.failed("sqs:ChangeMessageVisibility", error))?;
        }
        Ok(())
    }

    /// The task that was started last.
    pub(crate) async fn last_task(&self) -> Result<Option<Task>, Failure> {
        let call = self.letters.client.list_message_move_tasks().source_arn(&self.arn);
        let answer =
            call.send().await.map_err(|error| self.letters.failed("sqs:ListMessageMoveTasks", error))?;
        Ok(answer.results.unwrap_or_default().into_iter().next().map(Task::of))
    }

    /// Starts to move all of them to the queue that they are of, so many a second.
    ///
    /// The queue is named: of a letter that was sent to the dead letters, SQS knows no other place.
    pub(crate) async fn start(&self, rate: Option<i32>, _: &Confirmed) -> Result<(), Failure> {
        let call =
            self.letters.client.start_message_move_task().source_arn(&self.arn).destination_arn(&self.of);
        let started = call.set_max_number_of_messages_per_second(rate).send().await;
        started.map(drop).map_err(|error| self.letters.failed("sqs:StartMessageMoveTask", error))
    }

    /// Has a task move no more.
    pub(crate) async fn stop(&self, task: &Task) -> Result<(), Failure> {
        let call = self.letters.client.cancel_message_move_task().set_task_handle(task.handle.clone());
        let stopped = call.send().await;
        stopped.map(drop).map_err(|error| self.letters.failed("sqs:CancelMessageMoveTask", error))
    }
}
