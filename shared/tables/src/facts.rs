//! What DynamoDB says about a table.

use std::fmt;

use jiff::Timestamp;
use septet_registry::{TableId, TableName};
use serde::{Deserialize, Serialize};

use crate::{Features, Index, Offers, ReadLimits};

/// A table as DescribeTable shows it.
///
/// The number of items and the size are left out: they are hours old, and zero on a new table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableFacts {
    /// Its name.
    pub name: TableName,
    /// Its ARN.
    pub arn: String,
    /// Its id, which no other table ever has.
    pub id: TableId,
    /// Where it stands.
    pub status: TableStatus,
    /// Its keys.
    pub keys: Keys,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether deletion protection is on.
    pub deletion_protected: bool,
    /// What it can serve at once, where DynamoDB says so.
    pub warm: Option<WarmThroughput>,
    /// Its secondary indexes by name, without those that are being deleted.
    pub indexes: Vec<Index>,
    /// Its read limits.
    pub reads: ReadLimits,
    /// Its features that matter to publishing it.
    pub features: Features,
}

impl TableFacts {
    /// Returns what the table offers to its readers.
    pub fn offers(&self) -> Offers {
        Offers { keys: Some(self.keys.clone()), indexes: self.indexes.clone(), reads: self.reads }
    }
}

/// Where a table stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TableStatus {
    /// Being created: neither its items nor its settings can be used. An import keeps a table here.
    Creating,
    /// Being changed: its items can be used.
    Updating,
    /// Ready.
    Active,
    /// Being deleted, which nothing stops.
    Deleting,
    /// Any other status, by the name DynamoDB gives it, such as `INACCESSIBLE_ENCRYPTION_CREDENTIALS`.
    Other(String),
}

impl fmt::Display for TableStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Creating => "CREATING",
            Self::Updating => "UPDATING",
            Self::Active => "ACTIVE",
            Self::Deleting => "DELETING",
            Self::Other(name) => name,
        })
    }
}

/// The primary key of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The partition key.
    pub partition: KeyAttribute,
    /// The sort key, where there is one.
    pub sort: Option<KeyAttribute>,
}

impl Keys {
    /// The partition key, then the sort key.
    pub fn iter(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.partition).chain(&self.sort)
    }
}

/// An attribute of the key of a table or an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAttribute {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: KeyType,
}

impl fmt::Display for KeyAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind.as_str())
    }
}

/// The types a key attribute can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyType {
    /// Text.
    S,
    /// A number.
    N,
    /// Bytes.
    B,
}

impl KeyType {
    /// The type as DynamoDB writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
        }
    }
}

/// Units a second that a table serves without growing first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WarmThroughput {
    /// Read units a second.
    pub reads: u64,
    /// Write units a second.
    pub writes: u64,
    /// False while DynamoDB is still warming the table up to these units.
    pub active: bool,
}

/// Whether items expire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum TtlState {
    /// Items stay.
    Off,
    /// Items may disappear at the time this attribute says; so too while it is being switched on or off.
    On {
        /// The attribute's name; empty where DynamoDB does not say.
        attribute: String,
    },
}

/// The import that a table came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// Its ARN.
    pub arn: String,
    /// Where it stands.
    pub status: ImportStatus,
    /// Items that were written. Items of one key overwrite each other and are counted each.
    pub imported: u64,
    /// Items that were read.
    pub processed: u64,
    /// Items that could not be written.
    pub errors: u64,
    /// Why it failed.
    pub failure: Option<String>,
}

/// Where an import stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ImportStatus {
    /// Under way.
    InProgress,
    /// Through; look at the counts.
    Completed,
    /// Stopped, or being stopped.
    Cancelled,
    /// Failed.
    Failed,
    /// Any other status, by the name DynamoDB gives it.
    Other(String),
}
