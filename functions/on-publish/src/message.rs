//! What arrives: a batch from the queue, or an event by itself.

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use jiff::Timestamp;
use septet_registry::{Message, Segment, TableId, TableName, TableReference};
use serde_json::Value;

use crate::error::Error;
use crate::queue::{HOPS, SENT_AT, TABLE_ID};
use crate::record::{Change, Record};

/// What the function is invoked with.
#[derive(Debug)]
pub enum Input {
    /// Messages from the queue.
    Batch(SqsEvent),
    /// One message by itself, such as an EventBridge event.
    Single(Value),
}

impl Input {
    /// Tells a batch from a message.
    pub fn from_json(value: Value) -> Result<Self, Error> {
        match value.get("Records") {
            Some(_) => serde_json::from_value(value).map(Self::Batch).map_err(Error::Batch),
            None => Ok(Self::Single(value)),
        }
    }
}

/// A message with what the queue says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The message, as it came.
    pub body: String,
    /// How often it was put back.
    pub hops: u32,
    /// When it was sent first.
    pub sent_at: Timestamp,
    /// Id of the table that it speaks of, where an attribute says so.
    pub table_id: Option<TableId>,
    /// True if it came back from dead letters without the time at which it was sent first.
    pub is_redriven: bool,
}

impl Letter {
    /// A message that came by itself.
    pub fn alone(value: &Value, now: Timestamp) -> Self {
        Self { body: value.to_string(), hops: 0, sent_at: now, table_id: None, is_redriven: false }
    }

    /// A message of a batch.
    pub fn from_queue(message: &SqsMessage, now: Timestamp) -> Self {
        let attribute = |name: &str| message.message_attributes.get(name)?.string_value.as_deref();
        let first = attribute(SENT_AT);
        let sent_at = first.or_else(|| message.attributes.get("SentTimestamp").map(String::as_str));
        let sent_at = sent_at.and_then(|ms| Timestamp::from_millisecond(ms.parse().ok()?).ok());
        // SQS gives a message that is moved back from dead letters a new time, and names where it came from.
        let is_redriven = first.is_none() && message.attributes.contains_key("DeadLetterQueueSourceArn");
        Self {
            body: message.body.clone().unwrap_or_default(),
            hops: attribute(HOPS).and_then(|hops| hops.parse().ok()).unwrap_or_default(),
            sent_at: sent_at.unwrap_or(now),
            table_id: attribute(TABLE_ID).and_then(|id| TableId::parse(id).ok()),
            is_redriven,
        }
    }
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// To look at a table.
    Look {
        /// The table.
        table: TableReference,
        /// Why.
        cause: Cause,
    },
    /// To go on with a part of a shared check.
    Read {
        /// The table.
        table: TableName,
        /// Which part.
        segment: Segment,
    },
    /// Nothing, for this reason.
    Nothing {
        /// The table it speaks of.
        table: Option<TableName>,
        /// Why nothing is to be done.
        reason: String,
    },
}

/// Why a table is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A record says that something became of it.
    Record {
        /// The call, such as `CreateTable`.
        call: String,
        /// What became of the table.
        change: Change,
        /// Who did it.
        who: Option<String>,
        /// When it was made.
        at: Option<Timestamp>,
    },
    /// Somebody says that it is complete.
    Signal(septet_registry::Signal),
    /// Something asks to look again.
    Reminder {
        /// Why.
        reason: String,
    },
}

impl Cause {
    /// The signal, if it is one.
    pub fn signal(&self) -> Option<&septet_registry::Signal> {
        match self {
            Self::Signal(signal) => Some(signal),
            _ => None,
        }
    }

    /// What it was, in a few words.
    pub fn describe(&self) -> String {
        match self {
            Self::Record { call, .. } => call.clone(),
            Self::Signal(_) => "a signal".into(),
            Self::Reminder { reason } => format!("a reminder ({reason})"),
        }
    }
}

impl Ask {
    /// Reads the body of a message.
    pub fn from_body(body: &str) -> Result<Self, Error> {
        Self::from_json(serde_json::from_str(body).map_err(Error::NoJson)?)
    }

    /// Reads a message: an EventBridge event with a CloudTrail record, a signal or a reminder.
    pub fn from_json(value: Value) -> Result<Self, Error> {
        if let Some(kind) = value.get("detail-type") {
            let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
            let (source, kind) = (text(value.get("source")), text(Some(kind)));
            if source != "aws.dynamodb" || kind != "AWS API Call via CloudTrail" {
                return Err(Error::ForeignEvent { source_name: source, kind });
            }
            let detail = value.get("detail");
            let record = detail.and_then(Record::from_detail).ok_or(Error::NoRecord)?;
            return Self::from_record(record);
        }
        let message = Message::from_json(value)?;
        let table = message.table()?;
        let cause = match message {
            Message::Signal(signal) => Cause::Signal(signal),
            Message::Reminder(reminder) => Cause::Reminder { reason: reminder.reason },
            Message::Segment(segment) => return Ok(Self::Read { table: table.name, segment }),
            other => return Err(Error::UnknownMessage { what: format!("{other:?}") }),
        };
        Ok(Self::Look { table, cause })
    }

    fn from_record(record: Record) -> Result<Self, Error> {
        let Record { call, event_id, change, failure, table, who, at } = record;
        let Some(change) = change else {
            let table = table.map(|table| table.name);
            return Ok(Self::Nothing { table, reason: format!("{call} neither makes nor deletes a table") });
        };
        if let Some(failure) = failure {
            let table = table.map(|table| table.name);
            return Ok(Self::Nothing { table, reason: format!("{call} failed: {failure}") });
        }
        match table {
            Some(table) => Ok(Self::Look { table, cause: Cause::Record { call, change, who, at } }),
            None => Err(Error::NoTableName { call, event_id: event_id.unwrap_or_else(|| "unknown".into()) }),
        }
    }
}
