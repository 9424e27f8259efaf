//! What came of a sweep.

use std::fmt;

use jiff::Timestamp;
use septet_registry::{DatasetName, TableName, VersionNumber};
use serde::Serialize;

use crate::Error;
use crate::plan::{LiveTableGone, Plan, Step};

/// What a sweep looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Tables that DynamoDB lists.
    pub tables: usize,
    /// Datasets that the registry holds.
    pub datasets: usize,
    /// Versions with a table that the registry holds.
    pub versions: usize,
}

/// A step of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The dataset.
    pub dataset: DatasetName,
    /// The step.
    pub step: Step,
}

/// What was passed over, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The dataset.
    pub dataset: DatasetName,
    /// What was to be done.
    pub what: String,
    /// Why it was not.
    pub reason: String,
}

/// A retention plan that goes too far; nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TooMuch {
    /// The dataset.
    pub dataset: DatasetName,
    /// How many versions it would retire and delete.
    pub steps: usize,
    /// How many may be.
    pub at_most: usize,
    /// How to let it through.
    pub hint: String,
}

/// Pointers of a dataset into nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// The dataset.
    pub dataset: DatasetName,
    /// The version, its table and its pointers.
    #[serde(flatten)]
    pub what: LiveTableGone,
}

/// A table that is due and is not deleted unless an operator or its owner acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptTable {
    /// The dataset.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionNumber,
    /// Its table.
    pub table: TableName,
    /// Reason, with its remedy.
    pub reason: String,
}

/// A table that a pattern claims and that is older than the contract: only listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Older {
    /// The dataset.
    pub dataset: DatasetName,
    /// The table.
    pub table: TableName,
    /// When it was created.
    pub created_at: Timestamp,
}

/// What failed; everything else was done all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The dataset, unless it concerns all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetName>,
    /// What was to be done.
    pub what: String,
    /// The kind of the error.
    pub kind: &'static str,
    /// The error.
    pub error: String,
}

impl Failure {
    pub(crate) fn new(dataset: Option<&DatasetName>, what: impl Into<String>, error: &Error) -> Self {
        let error_text = format!("failed to {error}");
        Self { dataset: dataset.cloned(), what: what.into(), kind: error.kind(), error: error_text }
    }
}

/// What came of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Whether it only planned.
    pub dry_run: bool,
    /// What it looked at.
    pub found: Found,
    /// What it did.
    pub done: Vec<Entry>,
    /// What had been done meanwhile by others.
    pub already_done: Vec<Entry>,
    /// What it passed over.
    pub skipped: Vec<Skipped>,
    /// Tables that are due and are kept until an operator or their owner acts.
    pub kept: Vec<KeptTable>,
    /// Tables that are older than the contract that claims them.
    pub older: Vec<Older>,
    /// Plans that it refused.
    pub refused: Vec<TooMuch>,
    /// Pointers into nothing: somebody has to roll back.
    pub live_table_gone: Vec<Gone>,
    /// What failed.
    pub failed: Vec<Failure>,
    /// The plans of a dry run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<Plan>,
}

impl Summary {
    /// Takes in what came of another dataset.
    pub(crate) fn add(&mut self, other: Self) {
        self.found.versions += other.found.versions;
        self.done.extend(other.done);
        self.already_done.extend(other.already_done);
        self.skipped.extend(other.skipped);
        self.kept.extend(other.kept);
        self.older.extend(other.older);
        self.refused.extend(other.refused);
        self.live_table_gone.extend(other.live_table_gone);
        self.failed.extend(other.failed);
        self.plans.extend(other.plans);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { tables, datasets, versions } = self.found;
        write!(f, "found {tables} tables, {datasets} datasets, {versions} versions; ")?;
        if self.dry_run {
            let steps: usize = self.plans.iter().map(|plan| plan.steps.len()).sum();
            write!(f, "planned {steps} steps, ")?;
        } else {
            write!(f, "done {}, already done {}, ", self.done.len(), self.already_done.len())?;
        }
        let (skipped, refused, failed) = (self.skipped.len(), self.refused.len(), self.failed.len());
        write!(f, "skipped {skipped}, kept {}, refused {refused}, failed {failed}", self.kept.len())?;
        match self.older.len() {
            0 => Ok(()),
            older => write!(f, "; {older} older tables are only listed"),
        }
    }
}
