//! A pointer: the name that readers follow to a version.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Carried, DatasetName, PointerName, TableName, VersionNumber};

/// How many earlier versions a pointer remembers for rolling back.
pub(crate) const TRAIL: usize = 64;

/// Stops automatic promotion until it is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who set it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it ends by itself; without it, only by release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Hold {
    /// Whether the hold still stops promotion at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A pointer as the registry holds it: a public format that readers in any language depend on.
///
/// Attributes are added over time and never renamed or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The dataset.
    pub dataset: DatasetName,
    /// The pointer's name, such as `live`.
    pub pointer: PointerName,
    /// The version it names.
    pub version: VersionNumber,
    /// That version's table.
    pub table: TableName,
    /// That table's ARN; the table may lie in another account.
    pub table_arn: String,
    /// Grows with every change of this item; a reader never goes back.
    pub generation: u64,
    /// The version to which `rollback` would go back, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<VersionNumber>,
    /// Stops automatic promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// When it last moved.
    pub moved_at: Timestamp,
    /// Who moved it.
    pub moved_by: String,
    /// Why.
    pub reason: String,
    /// Seconds between two looks of a reader.
    pub poll_seconds: u32,
    /// Versions it named before, the latest last: where `rollback` goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trail: Vec<VersionNumber>,
    /// Versions it was rolled back from, the latest last: where `forward` goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<VersionNumber>,
    /// Attributes that this program does not know.
    #[serde(skip)]
    pub carried: Carried,
}

/// A reader's sign of life: which version it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The dataset.
    pub dataset: DatasetName,
    /// The reader, unique among the dataset's readers.
    pub reader: String,
    /// The pointer it follows.
    pub pointer: PointerName,
    /// The version it serves.
    pub version: VersionNumber,
    /// Since when it serves that version.
    pub since: Timestamp,
    /// When it last wrote this.
    pub seen_at: Timestamp,
    /// Seconds since the epoch from which on DynamoDB may drop the item.
    pub expires_at: i64,
}
