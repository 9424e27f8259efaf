//! A dataset, its place in the list of datasets, and its contracts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decide::Act;
use crate::hold::PointerHold;
use crate::transaction::{Expect, Item, Write};
use crate::version::{Rank, Version};
use crate::{
    Carried, ContractNumber, DatasetName, HoldId, Pointer, PointerName, TableId, TableName, VersionNumber,
};

/// Whether a version that passed goes live by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Promotion {
    /// The `live` pointer moves to every newer version that passes.
    #[default]
    Auto,
    /// Somebody points.
    Manual,
}

/// Order of a dataset's versions: which of two is the newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DatasetOrder {
    /// By the creation times of their tables.
    #[default]
    Created,
    /// By the time that the publisher says the data stands for, then by the creation times of their tables.
    AsOf,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a contract says about how its dataset is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Glob over table names; the tables it matches are versions of the dataset.
    pub table_pattern: String,
    /// Whether a version that passed goes live by itself.
    pub promotion: Promotion,
    /// How many of the newest valid versions pruning leaves.
    pub keep_newest: u32,
    /// Minutes for which a version that a pointer has left stays readable.
    pub grace_minutes: u32,
    /// Seconds between two looks of a reader at its pointer.
    pub poll_seconds: u32,
    /// Order of the dataset's versions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub order: DatasetOrder,
}

impl Settings {
    /// For how long a version that a pointer has left, or that is retiring, stays readable.
    pub fn grace(&self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_mins(self.grace_minutes.into())
    }
}

/// A pattern of table names, and since when the dataset claims tables by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternSince {
    /// Glob over table names.
    pub pattern: String,
    /// Time at which a contract with this pattern came in force.
    pub since: Timestamp,
}

/// A dataset as the registry holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// The dataset.
    pub dataset: DatasetName,
    /// Settings of the contract in force.
    pub settings: Settings,
    /// The contract in force.
    pub contract: ContractNumber,
    /// Digest of the contract in force.
    pub contract_digest: String,
    /// The number that the next announced version gets.
    pub next_version: VersionNumber,
    /// Grows with every change of this item.
    pub revision: u64,
    /// When the dataset came to be.
    pub created_at: Timestamp,
    /// When this item last changed.
    pub updated_at: Timestamp,
    /// Patterns that claimed tables, the one in force last. Release 0.1.0 kept none of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<PatternSince>,
    /// Holds of the dataset's pointers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<PointerHold>,
    /// Time at which the last hold of a pointer ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds_ended_at: Option<Timestamp>,
    /// Attributes that this program does not know.
    #[serde(skip)]
    pub carried: Carried,
}

impl Dataset {
    /// Most patterns that a dataset remembers. Tables that only a forgotten one claimed count as older than the dataset.
    pub(crate) const MOST_PATTERNS: usize = 8;

    /// Patterns that claimed tables, the one in force last.
    pub fn patterns(&self) -> Vec<PatternSince> {
        match self.patterns.is_empty() {
            true => {
                vec![PatternSince { pattern: self.settings.table_pattern.clone(), since: self.created_at }]
            }
            false => self.patterns.clone(),
        }
    }

    /// Time since when the dataset claims a table without interruption, by a function that tells whether a pattern
    /// matches its name; none if the pattern in force does not.
    ///
    /// A table that was created earlier is an older one: its name alone hands it over to nothing.
    pub fn claims_since(&self, matches: impl Fn(&str) -> bool) -> Option<Timestamp> {
        let patterns = self.patterns();
        let in_force = patterns.iter().rev().take_while(|claim| matches(&claim.pattern));
        in_force.map(|claim| claim.since).last()
    }

    /// Holds of a pointer, those that have ended included.
    ///
    /// Release 0.1.0 kept one hold, on the pointer alone.
    pub fn holds_of(&self, name: &PointerName, pointer: Option<&Pointer>) -> Vec<PointerHold> {
        let holds: Vec<_> = self.holds.iter().filter(|hold| hold.pointer == *name).cloned().collect();
        let unnamed = pointer.filter(|_| holds.is_empty()).and_then(|pointer| {
            let hold = pointer.hold.as_ref()?;
            Some(PointerHold {
                id: HoldId::unnamed(),
                pointer: name.clone(),
                by: hold.by.clone(),
                reason: hold.reason.clone(),
                at: pointer.moved_at,
                until: hold.until,
                left: None,
            })
        });
        holds.into_iter().chain(unnamed).collect()
    }

    /// Returns the write of the changed item over the one that was read.
    pub(crate) fn written(mut self, act: &Act) -> Write {
        let expect = Expect::Revision(self.revision);
        self.revision += 1;
        self.updated_at = act.at;
        Write { item: Item::Dataset(self), expect }
    }

    /// Place of a version in the dataset's order: the larger, the newer its data.
    pub fn rank(&self, version: &Version) -> Rank {
        Rank {
            as_of: match self.settings.order {
                DatasetOrder::Created => None,
                DatasetOrder::AsOf => version.as_of,
            },
            created_at: version.table_created_at(),
            version: version.version,
        }
    }
}

/// A dataset in the list of datasets: enough to tell whose a table is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The dataset.
    pub dataset: DatasetName,
    /// Glob over table names that the dataset claims.
    pub table_pattern: String,
    /// Attributes that this program does not know.
    #[serde(skip)]
    pub carried: Carried,
}

/// One contract of a dataset; never changed once put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// The dataset.
    pub dataset: DatasetName,
    /// Its number, from 1 on.
    pub contract: ContractNumber,
    /// The document, as JSON text.
    pub document: String,
    /// Digest of the document.
    pub digest: String,
    /// When it was put.
    pub put_at: Timestamp,
    /// Who put it.
    pub put_by: String,
}

/// Which version a table is: makes announcing a table idempotent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The table's name.
    pub table: TableName,
    /// The table's id: a table deleted and created anew under its old name is another version.
    pub table_id: TableId,
    /// The dataset that the table belongs to.
    pub dataset: DatasetName,
    /// The version that the table is.
    pub version: VersionNumber,
}
