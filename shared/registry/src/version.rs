//! A version of a dataset: one table, from announced to deleted.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decide::Act;
use crate::{
    Carried, ContractNumber, DatasetName, Pointer, PointerName, SealId, State, TableId, TableName,
    VersionNumber,
};

/// How it was known that a table is complete, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rung {
    /// A signal that says how many items there must be.
    Manifest,
    /// An import into the table that finished without errors.
    Import,
    /// A plain signal.
    Signal,
    /// The tag `septet:ready` on the table.
    Tag,
    /// No writes for as long as the contract asks.
    Quiet,
}

impl Rung {
    /// Returns true for a signal, which hands over a table of any age.
    pub fn is_signal(self) -> bool {
        match self {
            Self::Manifest | Self::Signal => true,
            Self::Import | Self::Tag | Self::Quiet => false,
        }
    }
}

/// That a table is complete, and what the publisher says is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// How it was known.
    pub rung: Rung,
    /// Items the publisher wrote, where they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
    /// Content digest the publisher computed, where they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Who said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Who is checking a version, and until when nobody else may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The invocation that checks.
    pub owner: String,
    /// When another may take over.
    pub until: Timestamp,
}

/// That many invocations check a version together, each a part of its table at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// Tells this check from earlier ones of the version; who concludes it does so as this owner.
    pub id: String,
    /// Into how many parts the table is divided.
    pub parts: u32,
    /// Since when it is shared.
    pub since: Timestamp,
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VerdictOutcome {
    /// Every rule of severity error holds.
    Passed,
    /// A rule does not hold.
    Failed,
    /// The check itself broke; it may be run again, and it never passes.
    Errored,
}

impl VerdictOutcome {
    /// The outcome as the registry stores it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
        }
    }
}

/// The verdict on a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What it came to.
    pub outcome: VerdictOutcome,
    /// Why, the gravest first: each names attribute and rule or count.
    pub reasons: Vec<String>,
    /// Rules of severity warning that do not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// When it was reached.
    pub at: Timestamp,
}

/// What a check counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Items in the table.
    pub items: u64,
    /// Bytes of all items by DynamoDB's size rule.
    pub bytes: u64,
}

/// Whether automatic promotion has dealt with a version that passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PromotionState {
    /// It passed and is still to be promoted.
    Pending,
    /// It went live.
    Promoted,
    /// It was not promoted, for this reason.
    Skipped(String),
}

/// An operator's mark on a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Operator that set it.
    pub by: String,
    /// Time at which it was set.
    pub at: Timestamp,
    /// Reason that the operator gave.
    pub reason: String,
}

impl Mark {
    pub(crate) fn new(act: &Act, reason: &str) -> Self {
        Self { by: act.actor.clone(), at: act.at, reason: reason.to_owned() }
    }
}

/// A signal that a version's table is complete, kept on the version until the table is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownSignal {
    /// Number of items that the publisher wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
    /// Content digest that the publisher computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Publisher, or the operator that adopted the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Time that the data stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Time at which the signal was sent first.
    pub sent_at: Timestamp,
    /// True if an operator adopted the table instead of a publisher signalling it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub adopted: bool,
}

/// Reason why a version does not go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The reason, with its remedy.
    pub reason: String,
    /// Time since when it holds.
    pub since: Timestamp,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Place of a version in the order of its dataset; see [`Dataset::rank`](crate::Dataset::rank).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub(crate) as_of: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) version: VersionNumber,
}

/// One version of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The dataset.
    pub dataset: DatasetName,
    /// Its number.
    pub version: VersionNumber,
    /// Its table's name.
    pub table: TableName,
    /// Its table's ARN; the table may lie in another account.
    pub table_arn: String,
    /// Its table's id.
    pub table_id: TableId,
    /// Where it stands.
    pub state: State,
    /// Grows with every change of this item.
    pub revision: u64,
    /// The contract it is checked against.
    pub contract: ContractNumber,
    /// When it was announced.
    pub announced_at: Timestamp,
    /// Who created the table, as far as known.
    pub announced_by: String,
    /// Since when it is in its state.
    pub entered_at: Timestamp,
    /// When it is abandoned unless complete by then.
    pub deadline: Timestamp,
    /// How it was known to be complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<Readiness>,
    /// Who is checking it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// That its check is shared, in which case nobody has a lease of the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,
    /// How often a check was begun.
    #[serde(default)]
    pub attempts: u32,
    /// What the check came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What the check counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Order-free digest of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Whether automatic promotion has dealt with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_state: Option<PromotionState>,
    /// The pointers that name it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pointed_by: BTreeSet<PointerName>,
    /// When a pointer last came to it or left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_pointed_at: Option<Timestamp>,
    /// When a retiring version's table may be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<Timestamp>,
    /// Id of its seal. Versions of release 0.1.0 have none until prune takes their seal over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal_id: Option<SealId>,
    /// Creation time of its table. Release 0.1.0 did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Time that its data stands for, where the publisher said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Time at which the pointer `live` first named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_live_at: Option<Timestamp>,
    /// Mark of the operator that withdrew it: it is no baseline, takes no retention place and is never promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Mark>,
    /// Mark of the operator that wants its table, which was never sealed, deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discard: Option<Mark>,
    /// True if deletion protection was on before the table was sealed: it is its owner's and is never lifted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub owner_protected: bool,
    /// Signal on record, until the table is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<KnownSignal>,
    /// Time at which a settled table was seen without the tag `septet:ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untagged_at: Option<Timestamp>,
    /// Keys, indexes and read limits of its table when it was sealed, as the adapter of tables writes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offers: Option<serde_json::Value>,
    /// Reason why it does not go on, where its state alone does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<Wait>,
    /// Attributes that this program does not know.
    #[serde(skip)]
    pub carried: Carried,
}

impl Version {
    /// Returns true for a version that passed and is not withdrawn.
    pub fn is_good(&self) -> bool {
        self.state == State::Valid && self.withdrawn.is_none()
    }

    /// Creation time of its table; of a version of release 0.1.0 the time of its announcement, which is later.
    pub fn table_created_at(&self) -> Timestamp {
        self.created_at.unwrap_or(self.announced_at)
    }

    /// Returns true once the version's table was sealed.
    pub fn was_sealed(&self) -> bool {
        self.readiness.is_some()
    }

    /// Returns true if the pointer `live`, which is given as it is now, ever named the version.
    ///
    /// Release 0.1.0 did not keep the time at which a version went live first: its versions are known by their
    /// promotion and by what the pointer remembers.
    pub fn was_live(&self, live: Option<&Pointer>) -> bool {
        let named = |live: &Pointer| {
            live.version == self.version
                || live.trail.contains(&self.version)
                || live.ahead.contains(&self.version)
        };
        self.first_live_at.is_some()
            || self.promotion_state == Some(PromotionState::Promoted)
            || live.is_some_and(named)
    }

    /// The verdict's first reason, or why there is none yet.
    pub fn reason(&self) -> Option<&str> {
        self.verdict.as_ref()?.reasons.first().map(String::as_str)
    }
}
