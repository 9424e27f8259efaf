//! A dataset, its place in the list of datasets, and its contracts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ContractNumber, DatasetName, TableId, TableName, VersionNumber};

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
}

impl Settings {
    /// For how long a version that a pointer has left, or that is retiring, stays readable.
    pub fn grace(&self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_mins(self.grace_minutes.into())
    }
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
}

/// A dataset in the list of datasets: enough to tell whose a table is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The dataset.
    pub dataset: DatasetName,
    /// Glob over table names that the dataset claims.
    pub table_pattern: String,
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
