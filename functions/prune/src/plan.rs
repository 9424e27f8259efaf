//! What one sweep is to do to one dataset, decided purely.
//!
//! [`plan`] holds the versions of the registry against the tables of DynamoDB, both ways, and gives what to
//! send, what to record and what to retire and delete. A version whose table is gone counts for nothing in
//! the retention plan, so that the versions that are left are not pruned in its stead.

mod show;

use std::collections::BTreeMap;

use jiff::Timestamp;
use septet_contract::Pattern;
use septet_registry::retention::{self, Holdings, Policy};
use septet_registry::{
    DatasetName, PointerName, PromotionState, State, TableId, TableName, Version, VersionNumber,
};
use serde::Serialize;

/// What DynamoDB says of a table by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// There is no such table.
    Gone,
    /// There is one.
    There {
        /// Its id.
        id: TableId,
        /// Whether it is being deleted, which nothing stops.
        going: bool,
        /// When it was created.
        created_at: Timestamp,
    },
}

/// One dataset as a sweep finds it.
#[derive(Debug, Clone)]
pub struct Scene {
    /// What the registry holds.
    pub holdings: Holdings,
    /// Every table of its versions, and every listed table that its pattern claims.
    pub tables: BTreeMap<TableName, Look>,
}

/// Why somebody is to look at a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A listed table is no version yet.
    Unknown,
    /// A version waits to be complete.
    Announced,
    /// A version waits for its check.
    Sealed,
    /// A version's check has stopped.
    CheckStopped,
    /// Many invocations check a version, and a message of theirs may be lost.
    CheckShared,
    /// A version passed and nobody has promoted it.
    Unpromoted,
}

impl Why {
    /// The reason as a reminder states it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "found by the sweep",
            Self::Announced => "announced and not known to be complete",
            Self::Sealed => "sealed and not checked",
            Self::CheckStopped => "its check stopped",
            Self::CheckShared => "many invocations check it, and some part may wait",
            Self::Unpromoted => "passed and not promoted",
        }
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Step {
    /// Ask on-publish to look at a table.
    Remind {
        /// The table.
        table: TableName,
        /// Its version, if it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<VersionNumber>,
        /// Why.
        why: Why,
    },
    /// Record that a version's table vanished.
    Lose {
        /// The version.
        version: VersionNumber,
        /// The table.
        table: TableName,
        /// Whether another table has its name.
        replaced: bool,
    },
    /// Give up a version that is still loading.
    Abandon {
        /// The version.
        version: VersionNumber,
        /// The table.
        table: TableName,
        /// When it should have been complete.
        deadline: Timestamp,
    },
    /// Mark a version, so that no pointer can come to it any more.
    Retire {
        /// The version.
        version: VersionNumber,
        /// The table.
        table: TableName,
        /// Why.
        reason: String,
    },
    /// Record that a retiring version's table is gone, as soon as it is.
    Confirm {
        /// The version.
        version: VersionNumber,
        /// The table.
        table: TableName,
        /// The table's id.
        id: TableId,
    },
    /// Delete a retiring version's table.
    Delete {
        /// The version.
        version: VersionNumber,
        /// The table.
        table: TableName,
        /// The table's id; another table of that name is left alone.
        id: TableId,
        /// True if the table is younger than the contract that claims it.
        handed_over: bool,
    },
}

/// A table that the dataset's pattern claims and that is older than the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OlderTable {
    /// The table.
    pub table: TableName,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A version whose table vanished although pointers name it: somebody has to roll back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveTableGone {
    /// The version.
    pub version: VersionNumber,
    /// The table.
    pub table: TableName,
    /// The pointers that name it.
    pub pointers: Vec<PointerName>,
    /// Whether another table has its name.
    pub replaced: bool,
}

/// What a sweep passes over, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skip {
    /// The table.
    pub table: TableName,
    /// Why.
    pub reason: String,
}

/// What one sweep is to do to one dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The dataset.
    pub dataset: DatasetName,
    /// What to do, in this order; without what the retention plan would do if that is refused.
    pub steps: Vec<Step>,
    /// Pointers into nothing.
    pub live_table_gone: Vec<LiveTableGone>,
    /// What is passed over.
    pub skips: Vec<Skip>,
    /// Tables that are older than the contract: only a signal or an operator hands them over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub older: Vec<OlderTable>,
    /// What goes and what stays, and why.
    pub retention: retention::Plan,
}

/// Plans a sweep of one dataset at `now`.
pub fn plan(scene: &Scene, policy: &Policy, now: Timestamp) -> Plan {
    let Scene { holdings, tables } = scene;
    let mut steps = Vec::new();
    let mut live_table_gone = Vec::new();
    let mut left = holdings.clone();
    for version in left.versions.iter_mut().filter(|version| version.state.has_table()) {
        let look = tables.get(&version.table);
        let gone = match look {
            Some(Look::Gone) => true,
            Some(Look::There { id, going, .. }) => *id != version.table_id || *going,
            // What nobody could look at is not known to be gone.
            None => false,
        };
        if !gone {
            steps.extend(next_step(version, now));
            continue;
        }
        let replaced = matches!(look, Some(Look::There { id, .. }) if *id != version.table_id);
        let (number, table) = (version.version, version.table.clone());
        let pointers = named_by(version, holdings);
        if version.state == State::Retiring {
            steps.push(Step::Confirm { version: number, table, id: version.table_id.clone() });
        } else if pointers.is_empty() {
            steps.push(Step::Lose { version: number, table, replaced });
        } else {
            live_table_gone.push(LiveTableGone { version: number, table, pointers, replaced });
        }
        version.state = State::Lost;
    }
    let (mut skips, mut older) = (Vec::new(), Vec::new());
    for (table, look) in tables {
        let Look::There { id, going: false, created_at } = look else { continue };
        let remind = Step::Remind { table: table.clone(), version: None, why: Why::Unknown };
        match holdings.versions.iter().find(|it| it.table == *table && it.table_id == *id) {
            None if is_young(holdings, table, *created_at) => steps.push(remind),
            None => older.push(OlderTable { table: table.clone(), created_at: *created_at }),
            // A record is never taken back: what was lost and is there again is for people to look at.
            Some(version) if !version.state.has_table() => skips.push(Skip {
                table: table.clone(),
                reason: format!("version {} is {}, and its table is there", version.version, version.state),
            }),
            Some(_) => {}
        }
    }
    let retention = retention::plan(&left, policy, now);
    steps.extend(retention.allowed().filter_map(|step| carried_out(step, scene)));
    Plan { dataset: holdings.dataset.dataset.clone(), steps, live_table_gone, skips, older, retention }
}

/// Returns true for a table that was created after the contract that claims it.
fn is_young(holdings: &Holdings, table: &TableName, created_at: Timestamp) -> bool {
    let claims = |pattern: &str| Pattern::claims(pattern, table.as_str());
    holdings.dataset.claims_since(claims).is_some_and(|since| since <= created_at)
}

fn named_by(version: &Version, holdings: &Holdings) -> Vec<PointerName> {
    let mut names = version.pointed_by.clone();
    let pointers = holdings.pointers.iter().filter(|pointer| pointer.version == version.version);
    names.extend(pointers.map(|pointer| pointer.pointer.clone()));
    names.into_iter().collect()
}

/// What a version waits for, if it waits for anything.
fn next_step(version: &Version, now: Timestamp) -> Option<Step> {
    let why = match version.state {
        // A signal on record is not given up: its table is complete.
        State::Announced if version.deadline <= now && version.signal.is_none() => {
            return Some(Step::Abandon {
                version: version.version,
                table: version.table.clone(),
                deadline: version.deadline,
            });
        }
        State::Announced => Why::Announced,
        State::Abandoned | State::Rejected if version.signal.is_some() && !version.was_sealed() => {
            Why::Announced
        }
        State::Sealed => Why::Sealed,
        State::Checking if version.sharing.is_some() => Why::CheckShared,
        State::Checking if version.lease.as_ref().is_none_or(|lease| lease.until <= now) => Why::CheckStopped,
        State::Valid if version.promotion_state == Some(PromotionState::Pending) => Why::Unpromoted,
        _ => return None,
    };
    Some(Step::Remind { table: version.table.clone(), version: Some(version.version), why })
}

fn carried_out(step: &retention::Step, scene: &Scene) -> Option<Step> {
    let Scene { holdings, tables } = scene;
    let (version, table) = (step.version, step.table.clone());
    let handed_over = match tables.get(&table) {
        Some(Look::There { created_at, .. }) => is_young(holdings, &table, *created_at),
        Some(Look::Gone) | None => false,
    };
    Some(match step.act {
        retention::Act::Retire => Step::Retire { version, table, reason: step.reason.clone() },
        retention::Act::Delete => {
            let id = holdings.versions.iter().find(|it| it.version == version)?.table_id.clone();
            Step::Delete { version, table, id, handed_over }
        }
    })
}
