//! A version of a dataset: one table, from announced to deleted.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ContractNumber, DatasetName, PointerName, State, TableId, TableName, VersionNumber};

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
}

impl Version {
    /// The verdict's first reason, or why there is none yet.
    pub fn reason(&self) -> Option<&str> {
        self.verdict.as_ref()?.reasons.first().map(String::as_str)
    }
}
