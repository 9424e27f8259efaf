//! What people and programs put on the publish queue: shapes of [`Message`].

use serde::{Deserialize, Serialize};

use crate::{DatasetName, NameError, TableId, TableReference, VersionNumber};

/// Says that a table is complete.
///
/// As JSON: `{"table":"recs-2026-11-21","items":671,"digest":"…","by":"nightly job"}`; all but `table` may
/// be left out. With `items` it is a manifest: the table must then hold exactly that many items. With `table_id`, the
/// id that DescribeTable shows, it speaks of that very table, and of no other that has its name later. `as_of`, a time
/// such as `2026-11-21T00:00:00Z`, is the time that the data stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// The table's name or ARN.
    pub table: String,
    /// How many items were written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
    /// The content digest that the publisher computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Who publishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Id of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_id: Option<TableId>,
    /// Time that the data stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<jiff::Timestamp>,
}

/// Asks to look at a table again; says nothing about whether it is complete.
///
/// As JSON: `{"look_at":"recs-2026-11-21","reason":"found by the sweep"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reminder {
    /// The table's name or ARN.
    pub look_at: String,
    /// Why.
    pub reason: String,
}

/// Asks to go on with one part of a check that many invocations share.
///
/// As JSON: `{"segment":{"table":"recs-2026-11-21","table_id":"…","dataset":"recs","version":42,
/// "sharing":"shared-1","part":3}}`. Only on-publish sends it. The part after the last stands for what is to be
/// done when all of them are read: merge and judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// The table's name.
    pub table: String,
    /// The table's id.
    pub table_id: TableId,
    /// The dataset.
    pub dataset: DatasetName,
    /// The version that the table is.
    pub version: VersionNumber,
    /// The sharing's id.
    pub sharing: String,
    /// Which part, from 0.
    pub part: u32,
}

/// A message on the publish queue that is not an EventBridge event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// A table is complete.
    Signal(Signal),
    /// A table is to be looked at again.
    Reminder(Reminder),
    /// A part of a check is to be gone on with.
    Segment(Segment),
}

/// Why a message is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It is no JSON object.
    #[error("read the message: it is no JSON object")]
    NoObject,
    /// It has neither of the fields that tell what it is.
    #[error("read the message: it needs the field `table` (a signal) or `look_at` (a reminder)")]
    NoKind,
    /// A field is missing, unknown or of the wrong type.
    #[error("read the message: {0}")]
    Field(#[source] serde_json::Error),
    /// The field that names the table does not.
    #[error("read the message: field `{field}`: {source}")]
    Table {
        /// The field.
        field: &'static str,
        /// What is wrong with the name.
        #[source]
        source: NameError,
    },
}

impl Message {
    /// Reads a message; an error names the field.
    pub fn from_json(value: serde_json::Value) -> Result<Self, MessageError> {
        let object = value.as_object().ok_or(MessageError::NoObject)?;
        let message = if let Some(segment) = object.get("segment") {
            Self::Segment(Segment::deserialize(segment).map_err(MessageError::Field)?)
        } else if object.contains_key("look_at") {
            Self::Reminder(serde_json::from_value(value).map_err(MessageError::Field)?)
        } else if object.contains_key("table") {
            Self::Signal(serde_json::from_value(value).map_err(MessageError::Field)?)
        } else {
            return Err(MessageError::NoKind);
        };
        message.table()?;
        Ok(message)
    }

    /// The table that the message speaks of.
    pub fn table(&self) -> Result<TableReference, MessageError> {
        let (field, text) = match self {
            Self::Signal(signal) => ("table", &signal.table),
            Self::Reminder(reminder) => ("look_at", &reminder.look_at),
            Self::Segment(segment) => ("segment.table", &segment.table),
        };
        TableReference::parse(text).map_err(|source| MessageError::Table { field, source })
    }

    /// The message as it goes onto the queue.
    pub fn to_json(&self) -> serde_json::Value {
        let shape = match self {
            Self::Signal(signal) => serde_json::to_value(signal),
            Self::Reminder(reminder) => serde_json::to_value(reminder),
            Self::Segment(segment) => Ok(serde_json::json!({ "segment": segment })),
        };
        shape.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_survives_the_queue() {
        for value in [
            json!({"table": "recs-2026-11-21"}),
            json!({"table": "recs-2026-11-21", "items": 671, "digest": "ab", "by": "nightly"}),
            json!({"look_at": "recs-2026-11-21", "reason": "found by the sweep"}),
            json!({"segment": {"table": "recs-2026-11-21", "table_id": "t-1", "dataset": "recs", "version": 42,
                "sharing": "shared-1", "part": 3}}),
        ] {
            assert_eq!(Message::from_json(value.clone()).unwrap().to_json(), value);
        }
    }

    #[test]
    fn a_bad_message_is_refused_by_field() {
        for (value, field) in [
            (json!([]), "no JSON object"),
            (json!({}), "`table`"),
            (json!({"table": 7}), "expected a string"),
            (json!({"table": "a b"}), "field `table`"),
            (json!({"table": "recs", "items": -1}), "expected u64"),
            (json!({"table": "recs", "item": 1}), "unknown field `item`"),
            (json!({"look_at": "recs"}), "missing field `reason`"),
            (json!({"segment": {"table": "recs"}}), "missing field `table_id`"),
        ] {
            let error = Message::from_json(value).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }
}
