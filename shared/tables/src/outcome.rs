//! How sealing, deleting and scanning end when nothing failed.

use std::fmt;

use septet_registry::{SealId, TableId};
use serde::Serialize;

use crate::{Key, TableStatus};

/// How an attempt to seal a table ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Sealing {
    /// The table is sealed, and the seal is proved.
    Sealed(Seal),
    /// Not within the time given; sealing again goes on from there.
    NotYet(NotYet),
    /// The table carries another seal. Nothing was changed.
    Foreign {
        /// The id of the other seal, if it can be read.
        id: Option<SealId>,
    },
    /// The table has features that make a promise impossible. Nothing was changed.
    Refused {
        /// The features, each with its remedy.
        why: Vec<String>,
    },
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
    /// The table is not deleted, and nothing was changed.
    Kept(KeptBecause),
}

/// Reasons not to delete a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum KeptBecause {
    /// The seal that it should carry is not intact.
    NotSealed {
        /// What is wrong with the seal.
        flaws: Vec<Flaw>,
    },
    /// It carries another seal.
    ForeignSeal {
        /// The id of the other seal, if it has one that can be read.
        id: Option<SealId>,
    },
    /// Deletion protection is on, and Septet did not switch it on.
    OwnersProtection,
}

impl fmt::Display for KeptBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSealed { flaws } => {
                let flaws: Vec<_> = flaws.iter().map(Flaw::to_string).collect();
                write!(f, "its seal is not intact: {}", flaws.join(", "))
            }
            Self::ForeignSeal { id: Some(id) } => write!(f, "it carries another seal, {id}"),
            Self::ForeignSeal { id: None } => f.write_str("it carries a seal without an id that can be read"),
            Self::OwnersProtection => f.write_str(
                "its owner's deletion protection is on; switch it off if the table is to be deleted (update-table \
                 --no-deletion-protection-enabled)",
            ),
        }
    }
}

/// Outcome of an attempt to give an id to a seal of Septet 0.1.0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum TakeOver {
    /// The policy carries the id.
    Taken {
        /// False if it carried the id before.
        changed: bool,
    },
    /// Not now; another attempt may succeed. Nothing was changed.
    NotYet(NotYet),
    /// The policy is not that of an intact seal of Septet 0.1.0. Nothing was changed.
    NotIntact {
        /// What is wrong with the seal.
        flaws: Vec<Flaw>,
    },
    /// The table carries another seal. Nothing was changed.
    Foreign {
        /// The id of the other seal, if it can be read.
        id: Option<SealId>,
    },
    /// The table does not exist any more.
    Gone {
        /// The table that has the name now, which was not touched.
        successor: Option<TableId>,
    },
}

/// Outcome of an attempt to warm a table up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Prewarming {
    /// The table serves that many reads at once already.
    Warm,
    /// DynamoDB warms the table up from now on.
    Started,
    /// The table is being created, changed or warmed up; describe it again later.
    NotYet(NotYet),
    /// The table does not exist any more.
    Gone {
        /// The table that has the name now, which was not touched.
        successor: Option<TableId>,
    },
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

impl NotYet {
    /// Returns what a table of this status waits for; none for an active one.
    pub(crate) fn of_status(status: &TableStatus) -> Option<Self> {
        match status {
            TableStatus::Active => None,
            TableStatus::Updating => Some(Self::Updating),
            TableStatus::Creating => Some(Self::Creating),
            TableStatus::Deleting => Some(Self::Deleting),
            TableStatus::Other(state) => Some(Self::State(state.clone())),
        }
    }
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
    /// The policy has a statement with a Sid like those of a seal.
    StatementUnexpected {
        /// Its Sid.
        sid: String,
    },
    /// The policy carries another seal.
    ForeignSeal {
        /// The id of the other seal, if it can be read.
        id: Option<SealId>,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unprotected => f.write_str("deletion protection is off"),
            Self::StatementMissing { sid } => write!(f, "the statement {sid} of the policy is missing"),
            Self::StatementChanged { sid } => write!(f, "the statement {sid} of the policy was changed"),
            Self::StatementUnexpected { sid } => {
                write!(f, "the statement {sid} of the policy is none that Septet puts")
            }
            Self::ForeignSeal { id: Some(id) } => write!(f, "the policy carries another seal, {id}"),
            Self::ForeignSeal { id: None } => {
                f.write_str("the policy carries a seal whose id cannot be read")
            }
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
