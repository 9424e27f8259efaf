//! Which versions are due for pruning.
//!
//! [`plan`] looks at what the registry holds of a dataset at one time and says, for each version that has a
//! table, that it is kept, and everything that keeps it, or that it is to be retired or its table to be
//! deleted, and why. It never plans what a pointer names or named within the grace, what is among the
//! newest distinct good versions, what was live before a hold that is in force, what a reader still serves, what waits
//! for its check, what Septet never sealed, or more at once than the policy allows. It decides nothing alone: the transitions ask again for what may have changed
//! since, and a plan is carried out by whoever asked for it.

mod show;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::decide::{distinct_good, later, superfluous};
use crate::{
    Dataset, DatasetName, Error, Heartbeat, Pointer, PointerName, Registry, Settings, State, TableName,
    Version, VersionNumber,
};

/// How much is kept, for how long, and how much may go at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How many of the newest valid versions stay.
    pub keep_newest: u32,
    /// For how long a version stays that a pointer has left.
    pub grace: SignedDuration,
    /// For how long a version stays that did not pass, so that somebody can look into its table.
    pub keep_rejected: SignedDuration,
    /// How many versions one plan may retire and delete together.
    pub at_most: usize,
}

impl Policy {
    /// What one plan may retire and delete together unless an operator allows more.
    pub const AT_MOST: usize = 5;

    /// The policy of a dataset.
    pub fn new(settings: &Settings, keep_rejected: SignedDuration) -> Self {
        Self {
            keep_newest: settings.keep_newest,
            grace: settings.grace(),
            keep_rejected,
            at_most: Self::AT_MOST,
        }
    }
}

/// What the registry holds of a dataset, as far as retention asks for it.
#[derive(Debug, Clone)]
pub struct Holdings {
    /// The dataset.
    pub dataset: Dataset,
    /// Its versions.
    pub versions: Vec<Version>,
    /// Its pointers.
    pub pointers: Vec<Pointer>,
    /// Its readers that gave a sign of life.
    pub readers: Vec<Heartbeat>,
}

impl Holdings {
    /// Reads what the registry holds now.
    pub async fn read(registry: &Registry, dataset: &DatasetName, now: Timestamp) -> Result<Self, Error> {
        let known = registry.dataset(dataset).await?;
        let pointers = registry.pointers(dataset).await?;
        let readers = registry.readers(dataset, now).await?;
        // Read last: a pointer that has moved meanwhile shows in the versions that it left and came to.
        let versions = registry.versions(dataset).await?;
        Ok(Self { dataset: known, versions, pointers, readers })
    }
}

/// Why a version is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
#[non_exhaustive]
pub enum Keep {
    /// A pointer names it.
    Named {
        /// The pointer.
        by: PointerName,
    },
    /// A pointer named it a moment ago.
    Left {
        /// When the grace ends.
        until: Timestamp,
    },
    /// It is among the newest distinct good versions.
    Newest {
        /// Its place among them, from 1 on.
        place: u32,
    },
    /// Readers still serve it.
    Served {
        /// The readers.
        by: Vec<String>,
    },
    /// It did not pass, and somebody may want to look into its table.
    NotPassed {
        /// When that time ends.
        until: Timestamp,
    },
    /// It is loading or being checked.
    Unfinished,
    /// Septet never sealed its table, and deletes only what it sealed.
    NeverSealed,
    /// It was live before a hold that is in force.
    Held,
    /// It was withdrawn, and may be looked into or reinstated.
    Withdrawn {
        /// Earliest time at which it may go.
        until: Timestamp,
    },
    /// A hold ended, and other versions go first.
    AfterHold,
    /// It is retiring, and readers may not have left it yet.
    Waiting {
        /// When its table may be deleted.
        until: Timestamp,
    },
}

/// A version that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its number.
    pub version: VersionNumber,
    /// Its table.
    pub table: TableName,
    /// Where it stands.
    pub state: State,
    /// Everything that keeps it.
    pub because: Vec<Keep>,
}

/// What is to be done to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Mark it, so that no pointer can come to it any more.
    Retire,
    /// Delete its table.
    Delete,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What.
    pub act: Act,
    /// To which version.
    pub version: VersionNumber,
    /// Its table.
    pub table: TableName,
    /// Why.
    pub reason: String,
    /// True for a deletion that an earlier sweep could not make because the table is protected. It is tried again and
    /// does not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// What is to be done to the versions of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The dataset.
    pub dataset: DatasetName,
    /// What would be done, the oldest version first.
    pub steps: Vec<Step>,
    /// What stays, the oldest first.
    pub keep: Vec<Kept>,
    /// How many steps a plan may have.
    pub at_most: usize,
}

impl Plan {
    /// Returns true for a plan with too many steps, none of which may be taken.
    pub fn is_refused(&self) -> bool {
        self.counted() > self.at_most
    }

    /// Number of steps that count.
    pub fn counted(&self) -> usize {
        self.steps.iter().filter(|step| !step.again).count()
    }

    /// The steps to take: all of them, or where the plan is refused those that do not count.
    pub fn allowed(&self) -> impl Iterator<Item = &Step> {
        let refused = self.is_refused();
        self.steps.iter().filter(move |step| !refused || step.again)
    }
}

/// Plans what goes and what stays at `now`.
///
/// Versions whose table is gone are in neither list. A policy that keeps none keeps one.
pub fn plan(holdings: &Holdings, policy: &Policy, now: Timestamp) -> Plan {
    let Holdings { dataset, versions, pointers, readers } = holdings;
    let live = pointers.iter().find(|pointer| pointer.pointer == PointerName::live());
    let places = places(dataset, versions, policy.keep_newest.max(1));
    let holds_ended_at = holds_ended_at(dataset, now);
    // Steps that a hold held back until it ended: as many of them as the policy allows, in this plan.
    let mut held_back = Vec::new();
    let mut plan = Plan {
        dataset: dataset.dataset.clone(),
        steps: Vec::new(),
        keep: Vec::new(),
        at_most: policy.at_most,
    };
    let mut with_table: Vec<_> = versions.iter().filter(|version| version.state.has_table()).collect();
    with_table.sort_by_key(|version| version.version);
    for version in with_table {
        let mut because = used(version, pointers, readers, policy, now);
        because.extend(places.get(&version.version).map(|place| Keep::Newest { place: *place }));
        let never_sealed = !version.was_sealed() && version.discard.is_none();
        if never_sealed && !version.state.is_unfinished() {
            because.push(Keep::NeverSealed);
        }
        if version.state == State::Valid && dataset.kept_by_hold(version, live, now) {
            because.push(Keep::Held);
        }
        let discarded =
            version.discard.as_ref().map(|mark| format!("discarded by {}: {}", mark.by, mark.reason));
        let step = match version.state {
            State::Valid => Some((
                Act::Retire,
                match &version.withdrawn {
                    Some(mark) => {
                        let until = later(mark.at, policy.keep_rejected);
                        because.extend((now < until).then_some(Keep::Withdrawn { until }));
                        format!("withdrawn by {}: {}", mark.by, mark.reason)
                    }
                    None => superfluous_text(dataset, versions, version, policy),
                },
            )),
            State::Rejected | State::Abandoned => {
                let until = later(version.entered_at, policy.keep_rejected);
                because.extend((now < until && discarded.is_none()).then_some(Keep::NotPassed { until }));
                let since = || format!("{} since {}", version.state, version.entered_at);
                Some((Act::Retire, discarded.unwrap_or_else(since)))
            }
            State::Retiring => {
                let until = version.delete_after.unwrap_or_else(|| later(version.entered_at, policy.grace));
                because.extend((now < until).then_some(Keep::Waiting { until }));
                let since = || format!("retiring since {}", version.entered_at);
                Some((Act::Delete, discarded.unwrap_or_else(since)))
            }
            State::Announced | State::Sealed | State::Checking | State::Deleted | State::Lost => {
                because.push(Keep::Unfinished);
                None
            }
        };
        match step {
            Some((act, reason)) if because.is_empty() => {
                let again = act == Act::Delete && version.waits.is_some();
                let (number, table) = (version.version, version.table.clone());
                let step = Step { act, version: number, table, reason, again };
                let before_end = holds_ended_at.is_some_and(|end| version.announced_at < end);
                match act == Act::Retire && version.is_good() && before_end {
                    true => held_back.push((step, version.state)),
                    false => plan.steps.push(step),
                }
            }
            _ => plan.keep.push(Kept {
                version: version.version,
                table: version.table.clone(),
                state: version.state,
                because,
            }),
        }
    }
    let room = policy.at_most.saturating_sub(plan.counted());
    for (at, (step, state)) in held_back.into_iter().enumerate() {
        match at < room {
            true => plan.steps.push(step),
            false => {
                let (version, table) = (step.version, step.table);
                plan.keep.push(Kept { version, table, state, because: vec![Keep::AfterHold] });
            }
        }
    }
    plan.steps.sort_by_key(|step| step.version);
    plan.keep.sort_by_key(|kept| kept.version);
    plan
}

/// Places of the newest distinct good versions.
fn places(dataset: &Dataset, versions: &[Version], keep: u32) -> BTreeMap<VersionNumber, u32> {
    distinct_good(dataset, versions).into_iter().map(|version| version.version).zip(1..=keep).collect()
}

fn superfluous_text(dataset: &Dataset, versions: &[Version], version: &Version, policy: &Policy) -> String {
    let newer = superfluous(dataset, versions, version).unwrap_or_default();
    match &newer[..] {
        [same] if same.digest.is_some() && same.digest == version.digest => {
            format!("version {} has the same content and is newer", same.version)
        }
        _ => format!("{} newer good versions are kept", policy.keep_newest.max(1)),
    }
}

/// Time at which the last hold of a dataset ended, of those too that ended by themselves.
fn holds_ended_at(dataset: &Dataset, now: Timestamp) -> Option<Timestamp> {
    let expired = dataset.holds.iter().filter(|hold| !hold.is_active(now)).filter_map(|hold| hold.until);
    expired.chain(dataset.holds_ended_at).max()
}

/// By whom a version is used, whatever state it is in.
fn used(
    version: &Version,
    pointers: &[Pointer],
    readers: &[Heartbeat],
    policy: &Policy,
    now: Timestamp,
) -> Vec<Keep> {
    let mut named = version.pointed_by.clone();
    named.extend(pointers.iter().filter(|it| it.version == version.version).map(|it| it.pointer.clone()));
    let mut because: Vec<_> = named.into_iter().map(|by| Keep::Named { by }).collect();
    if because.is_empty()
        && let Some(until) = version.last_pointed_at.map(|at| later(at, policy.grace))
        && now < until
    {
        because.push(Keep::Left { until });
    }
    let mut serving: Vec<_> =
        readers.iter().filter(|it| it.version == version.version).map(|it| it.reader.clone()).collect();
    if !serving.is_empty() {
        serving.sort();
        because.push(Keep::Served { by: serving });
    }
    because
}
