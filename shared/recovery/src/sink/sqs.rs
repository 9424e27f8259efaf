//! Records into an SQS queue, each confirmed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use septet_aws::{Call, Caller};
use septet_registry::Entropy;

use super::letter::RecordLetter;
use super::pack::pack;
use super::wire::{self, Batch};
use crate::feed::Path;
use crate::page::hash;
use crate::port::{DeadLetters, Delivery, Parcel, Sink, Undelivered};
use crate::scan::{Picker, plain};

/// Calls at a time: with eight milliseconds a call, sixteen come to nine tenths of what the queue takes.
const IN_FLIGHT: usize = 16;
/// Times that entries are sent which the queue did not take.
const TRIES: u32 = 8;

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct SqsSink {
    caller: Arc<Caller>,
    queue_url: String,
    fifo: Option<Option<Picker>>,
    slot: usize,
    entropy: Arc<Entropy>,
}

impl SqsSink {
    /// A standard queue.
    pub fn standard(caller: Arc<Caller>, queue_url: impl Into<String>, entropy: Arc<Entropy>) -> Self {
        Self { caller, queue_url: queue_url.into(), fifo: None, slot: 0, entropy }
    }

    /// A queue that keeps order: records of one group are sent one batch after the other.
    pub fn fifo(
        caller: Arc<Caller>,
        queue_url: impl Into<String>,
        message_group: Option<&Path>,
        entropy: Arc<Entropy>,
    ) -> Self {
        let mut slot = 0;
        let picker = message_group.map(|path| {
            let mut picker = Picker::default();
            slot = picker.add(path);
            picker
        });
        Self { caller, queue_url: queue_url.into(), fifo: Some(picker), slot, entropy }
    }

    fn group(&self, picker: Option<&Picker>, parcel: &Parcel<'_>) -> String {
        let picked = picker.and_then(|picker| picker.pick(parcel.body.as_bytes()).ok());
        let value = picked.and_then(|picked| picked.value(Some(self.slot)));
        let group = value.map_or_else(|| parcel.stamp.feed.clone(), |raw| plain(raw).into_owned());
        let fits = (1..=128).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_graphic());
        if fits { group } else { format!("{:032x}", hash(&group)) }
    }

    /// Writes a call that carries these parcels.
    fn write(&self, parcels: &[Parcel<'_>], places: &[usize]) -> Result<Bytes, serde_json::Error> {
        let bodies = places.iter().filter_map(|index| Some(parcels.get(*index)?.body.len()));
        let mut batch = Batch::new(&self.queue_url, bodies.sum())?;
        for (index, parcel) in places.iter().filter_map(|index| Some((*index, parcels.get(*index)?))) {
            let Some(picker) = &self.fifo else {
                batch.entry(index, parcel, None)?;
                continue;
            };
            let stamp = parcel.stamp;
            let once = format!("{}/{}/{}", stamp.run, stamp.generation, parcel.id);
            let once = format!("{:032x}", hash(&once));
            batch.entry(index, parcel, Some((&self.group(picker.as_ref(), parcel), &once)))?;
        }
        Ok(batch.written())
    }

    /// Sends one batch until every entry of it was taken, or can never be.
    async fn batch(&self, parcels: &[Parcel<'_>], mut left: Vec<usize>) -> Result<Delivery, Undelivered> {
        let mut delivery = Delivery::default();
        for attempt in 0..TRIES {
            if attempt > 0 {
                let most = Duration::from_millis(50) * 2_u32.pow(attempt);
                tokio::time::sleep(most / 2 + self.entropy.jitter(most / 2)).await;
            }
            let body = self.write(parcels, &left).map_err(|error| Undelivered(error.to_string()))?;
            let answer = self.caller.send(&call(body)).await;
            let answer = answer.map_err(|error| Undelivered(error.to_string()))?;
            // What the answer does not speak of, or speaks of in no words of a queue, was not confirmed.
            let Some(answer) = wire::read(&answer) else { continue };
            let place = |id: &str| id.parse::<usize>().ok();
            let successful = answer.successful.unwrap_or_default();
            let confirmed: Vec<usize> = successful.iter().filter_map(|entry| place(&entry.id)).collect();
            let before = left.len();
            left.retain(|index| !confirmed.contains(index));
            delivery.injected += (before - left.len()) as u64;
            for failed in answer.failed.unwrap_or_default().iter().filter(|failed| failed.sender_fault) {
                let Some(index) = place(&failed.id) else { continue };
                left.retain(|known| *known != index);
                let message = failed.message.as_deref().unwrap_or_default();
                delivery.poison.push((index, format!("{}: {message}", failed.code)));
            }
            if left.is_empty() {
                return Ok(delivery);
            }
        }
        Err(Undelivered(format!("{} messages are not taken after {TRIES} attempts", left.len())))
    }
}

fn call(body: Bytes) -> Call<'static> {
    let (target, action) = ("AmazonSQS.SendMessageBatch", "sqs:SendMessage");
    Call { service: "sqs", json: "1.0", target, action, resource: "", body }
}

#[async_trait]
impl Sink for SqsSink {
    async fn send(&self, parcels: &[Parcel<'_>]) -> Result<Delivery, Undelivered> {
        let group = |parcel: &Parcel<'_>| Some(self.group(self.fifo.as_ref()?.as_ref(), parcel));
        let (batches, poison) = pack(parcels, group);
        let in_flight = if self.fifo.is_some() { 1 } else { IN_FLIGHT };
        let sent = futures::stream::iter(batches.into_iter().map(|batch| self.batch(parcels, batch)));
        let done =
            sent.buffer_unordered(in_flight).try_fold(Delivery::default(), async |all, one| Ok(all.and(one)));
        let mut delivery = done.await?;
        delivery.poison.extend(poison);
        Ok(delivery)
    }
}

/// A queue of what no sink takes.
#[derive(Debug, Clone)]
pub struct SqsDeadLetters {
    client: Client,
    queue_url: String,
}

impl SqsDeadLetters {
    /// The queue.
    pub fn new(client: Client, queue_url: impl Into<String>) -> Self {
        Self { client, queue_url: queue_url.into() }
    }
}

#[async_trait]
impl DeadLetters for SqsDeadLetters {
    async fn bury(&self, parcel: &Parcel<'_>, reason: &str) -> Result<(), Undelivered> {
        let letter = RecordLetter::of(parcel, reason).map_err(Undelivered)?;
        let call = self.client.send_message().queue_url(&self.queue_url).message_body(letter.to_message());
        call.send().await.map(drop).map_err(|error| {
            Undelivered(format!("SendMessage to the dead letters: {}", error.code().unwrap_or("no answer")))
        })
    }
}
