//! What came of a message.

use std::fmt;

use septet_registry::{DatasetName, State, TableName, Version, VersionNumber};
use serde::Serialize;

/// What was done to a version while a message was handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// The table became a version.
    Announced,
    /// The table was sealed.
    Sealed,
    /// A check began.
    CheckBegun,
    /// The check was shared among many invocations.
    Shared,
    /// A part of a shared check was read to its end.
    PartRead,
    /// The version passed.
    Passed,
    /// The version did not pass.
    Rejected,
    /// The version went live.
    Promoted,
    /// The version passed and is not to go live.
    PromotionSkipped,
    /// The table vanished by other hands.
    Lost,
}

/// How the handling of a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// Something was done, and nothing is left to be done.
    Done,
    /// All of it had been done before.
    Already,
    /// The table is not complete yet; a signal, or the next reminder, goes on.
    Waiting,
    /// The message was put back, to be handled again later.
    Later,
    /// It does not matter here.
    Ignored,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The table it spoke of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<TableName>,
    /// The dataset that the table belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetName>,
    /// The version that the table is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionNumber>,
    /// Where that version stands now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// What was done.
    pub steps: Vec<Step>,
    /// How it ended.
    pub ending: Ending,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Summary {
    /// Nothing was to be done.
    pub(crate) fn ignored(table: Option<TableName>, reason: impl Into<String>) -> Self {
        Self {
            table,
            dataset: None,
            version: None,
            state: None,
            steps: Vec::new(),
            ending: Ending::Ignored,
            reason: Some(reason.into()),
        }
    }

    /// A look at a table begins.
    pub(crate) fn of(table: &TableName) -> Self {
        Self { ending: Ending::Already, reason: None, ..Self::ignored(Some(table.clone()), "") }
    }

    /// The version as it is now.
    pub(crate) fn now(&mut self, version: &Version) {
        self.dataset = Some(version.dataset.clone());
        self.version = Some(version.version);
        self.state = Some(version.state);
    }

    /// Ends here: with what was done, if anything was.
    pub(crate) fn end(mut self, reason: Option<String>) -> Self {
        self.ending = if self.steps.is_empty() { Ending::Already } else { Ending::Done };
        self.reason = reason;
        self
    }

    /// Ends here, unfinished.
    pub(crate) fn unfinished(mut self, ending: Ending, reason: impl Into<String>) -> Self {
        self.ending = ending;
        self.reason = Some(reason.into());
        self
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match self.ending {
            Ending::Done => "done",
            Ending::Already => "done before",
            Ending::Waiting => "waiting",
            Ending::Later => "put back",
            Ending::Ignored => "ignored",
        };
        f.write_str(ending)?;
        if let (Some(dataset), Some(version), Some(state)) = (&self.dataset, self.version, self.state) {
            write!(f, ": version {version} of {dataset} is {state}")?;
        }
        match &self.reason {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}
