//! How sealing, deleting and scanning end when nothing failed.

use std::fmt;

use septet_registry::TableId;
use serde::Serialize;

use crate::Key;

/// How an attempt to seal a table ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Sealing {
    /// The table is sealed, and the seal is proved.
    Sealed(Seal),
    /// Not within the time given; sealing again goes on from there.
    NotYet(NotYet),
    /// The table does not exist any more.
    Gone {
        /// The table that has the name now, which was not touched.
        successor: Option<TableId>,
    },
}

/// A seal that was read back and proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seal {
    /// The revision of the resource policy.
    pub revision: String,
    /// Whether anything had to be changed for it.
    pub changed: bool,
}

/// How an attempt to delete a table ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Deletion {
    /// It was deleted now, and DynamoDB does not know it any more.
    Deleted,
    /// It did not exist any more, and nothing was done.
    Gone {
        /// The table that has the name now, which was not touched.
        successor: Option<TableId>,
    },
    /// Not within the time given; deleting again goes on from there.
    NotYet(NotYet),
}

/// What is in the way for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum NotYet {
    /// The table is being created or imported into.
    Creating,
    /// The table is being changed.
    Updating,
    /// The table is being deleted, which nothing stops.
    Deleting,
    /// The table is in another state.
    State(String),
    /// The table's policy was changed a moment ago and cannot be changed again yet (15 s).
    PolicyBusy,
    /// The policy was put, and cannot be read back yet.
    PolicyNotVisible,
    /// The policy can be read, and writes are not denied yet.
    SealNotInForce,
}

impl fmt::Display for NotYet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Creating => f.write_str("the table is being created"),
            Self::Updating => f.write_str("the table is being changed"),
            Self::Deleting => f.write_str("the table is being deleted"),
            Self::State(state) => write!(f, "the table is {state}"),
            Self::PolicyBusy => f.write_str("the policy of the table was changed a moment ago"),
            Self::PolicyNotVisible => f.write_str("the policy of the table cannot be read back yet"),
            Self::SealNotInForce => f.write_str("the policy of the table is not in force yet"),
        }
    }
}

/// What a look at a table says about its seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum SealState {
    /// Everything is as sealing left it.
    Intact,
    /// There is nothing of a seal.
    Missing,
    /// There is less than a seal, or another.
    Broken(Vec<Flaw>),
}

/// What is wrong with a seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Flaw {
    /// Deletion protection is off.
    Unprotected,
    /// A statement of the policy is missing.
    StatementMissing {
        /// Its Sid.
        sid: String,
    },
    /// A statement of the policy is another, such as one that spares other roles.
    StatementChanged {
        /// Its Sid.
        sid: String,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unprotected => f.write_str("deletion protection is off"),
            Self::StatementMissing { sid } => write!(f, "the statement {sid} of the policy is missing"),
            Self::StatementChanged { sid } => write!(f, "the statement {sid} of the policy was changed"),
        }
    }
}

/// One of the parts a table is scanned in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Which one, from 0 on.
    pub index: u32,
    /// How many there are, up to 1,000,000.
    pub total: u32,
}

impl Segment {
    /// The whole table as one part.
    pub const WHOLE: Self = Self { index: 0, total: 1 };
}

/// What a scan may miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Writes of the last moments, at half the price.
    Eventual,
    /// Nothing that was written before.
    Strong,
}

/// What a page of a scan says beside its items.
#[derive(Debug, Clone, PartialEq)]
pub struct PageEnd {
    /// How many items it has; there may be none on a page that is not the last.
    pub items: u64,
    /// Where the next page starts; none on the last.
    pub next: Option<Key>,
    /// The read units that the page cost.
    pub read_units: f64,
}
