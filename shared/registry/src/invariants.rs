//! What always holds of a dataset, as functions that tests, the model and debug builds call.
//!
//! Each takes what the registry holds at one time and gives the ways in which it is broken; those of
//! [`commits`] take what it holds before a commit and after it.

pub mod commits;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::audit::{Action, Record};
use crate::dataset::Dataset;
use crate::decide::{self, Act};
use crate::transaction::{Decision, Expect, Item, Transaction};
use crate::version::{PromotionState, VerdictOutcome};
use crate::{DatasetName, Error, Pointer, PointerName, Refusal, Registry, State, Version, VersionNumber};

/// All that the registry holds of a dataset at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The dataset.
    pub dataset: Dataset,
    /// Its versions.
    pub versions: Vec<Version>,
    /// Its pointers.
    pub pointers: Vec<Pointer>,
    /// Its audit log.
    pub records: Vec<Record>,
}

impl Snapshot {
    /// Reads all that the registry holds of a dataset.
    ///
    /// The parts are read one after the other, so what is written meanwhile can make them disagree: a snapshot
    /// holds of one time only if a second one, read after it, is the same.
    pub async fn read(registry: &Registry, dataset: &DatasetName) -> Result<Self, Error> {
        Ok(Self {
            dataset: registry.dataset(dataset).await?,
            versions: registry.versions(dataset).await?,
            pointers: registry.pointers(dataset).await?,
            records: registry.log(dataset, None).await?,
        })
    }

    /// Puts an item in its place, over the one with the same key; ignores items of other kinds.
    pub fn put(&mut self, item: &Item) {
        match item {
            Item::Dataset(dataset) => self.dataset = dataset.clone(),
            Item::Version(version) => {
                let place = self.versions.binary_search_by_key(&version.version, |it| it.version);
                put_at(&mut self.versions, place, &**version);
            }
            Item::Pointer(pointer) => {
                let place = self.pointers.binary_search_by_key(&&pointer.pointer, |it| &it.pointer);
                put_at(&mut self.pointers, place, pointer);
            }
            Item::Record(record) => {
                // The log has the latest first.
                let place = self.records.binary_search_by_key(&Reverse(record.id), |it| Reverse(it.id));
                put_at(&mut self.records, place, record);
            }
            Item::Listing(_) | Item::Contract(_) | Item::Claim(_) | Item::Heartbeat(_) | Item::Entry(_) => {}
        }
    }

    fn version(&self, number: VersionNumber) -> Option<&Version> {
        self.versions.iter().find(|version| version.version == number)
    }
}

fn put_at<T: Clone>(items: &mut Vec<T>, place: Result<usize, usize>, item: &T) {
    match place {
        Ok(same) => items[same] = item.clone(),
        Err(place) => items.insert(place, item.clone()),
    }
}

/// Every way in which any invariant is broken at `now`.
pub fn broken(snapshot: &Snapshot, now: Timestamp) -> Vec<String> {
    [
        a_pointer_names_a_valid_version(snapshot),
        what_a_pointer_names_or_named_within_the_grace_is_not_retiring(snapshot, now),
        a_table_is_one_version(snapshot),
        every_state_change_has_exactly_one_record(snapshot),
        revisions_only_grow(snapshot),
        only_a_passed_version_is_reachable(snapshot),
        a_bad_version_blocks_no_other(snapshot, now),
        only_a_check_is_shared_and_then_nobody_holds_it(snapshot),
    ]
    .concat()
}

/// A pointer names a version that is valid, and that version knows of the pointer.
pub fn a_pointer_names_a_valid_version(snapshot: &Snapshot) -> Vec<String> {
    let mut broken = Vec::new();
    for pointer in &snapshot.pointers {
        match snapshot.version(pointer.version) {
            None => broken.push(format!("{} names version {}: none", pointer.pointer, pointer.version)),
            Some(version) => {
                if version.state != State::Valid || version.table != pointer.table {
                    broken.push(format!(
                        "{} names version {}, which is {} with table {}",
                        pointer.pointer, version.version, version.state, version.table
                    ));
                }
                if !version.pointed_by.contains(&pointer.pointer) {
                    broken.push(format!("version {} does not know of {}", version.version, pointer.pointer));
                }
            }
        }
    }
    for version in &snapshot.versions {
        for name in &version.pointed_by {
            if !snapshot.pointers.iter().any(|it| it.pointer == *name && it.version == version.version) {
                broken.push(format!("version {} claims to be named by {name}", version.version));
            }
        }
    }
    broken
}

/// No version that a pointer names, or named within the grace, is retiring or deleted.
pub fn what_a_pointer_names_or_named_within_the_grace_is_not_retiring(
    snapshot: &Snapshot,
    now: Timestamp,
) -> Vec<String> {
    let grace = snapshot.dataset.settings.grace();
    let gone = snapshot.versions.iter().filter(|it| matches!(it.state, State::Retiring | State::Deleted));
    gone.filter(|version| {
        // Judged when it began to retire: the grace may well have ended by now.
        let retired = if version.state == State::Retiring { version.entered_at } else { now };
        !version.pointed_by.is_empty()
            || version.last_pointed_at.is_some_and(|at| retired.duration_since(at) < grace)
    })
    .map(|version| format!("version {} is {} within its grace", version.version, version.state))
    .collect()
}

/// No two versions are the same table.
pub fn a_table_is_one_version(snapshot: &Snapshot) -> Vec<String> {
    let mut seen = HashMap::new();
    let mut broken = Vec::new();
    for version in &snapshot.versions {
        if let Some(other) = seen.insert(&version.table_id, version.version) {
            broken.push(format!("versions {other} and {} are one table: {}", version.version, version.table));
        }
    }
    broken
}

/// Pruning from `before` to `after` leaves the newest distinct good versions that are to be kept.
pub fn pruning_leaves_the_newest_valid(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let mut good: Vec<_> = before.versions.iter().filter(|version| version.is_good()).collect();
    good.sort_by_key(|version| Reverse(before.dataset.rank(version)));
    let mut digests = BTreeSet::new();
    good.retain(|version| version.digest.as_ref().is_none_or(|digest| digests.insert(digest.clone())));
    good.truncate(before.dataset.settings.keep_newest as usize);
    let pruned = good.into_iter().filter(|version| {
        let now = after.version(version.version).map(|version| version.state);
        matches!(now, None | Some(State::Retiring | State::Deleted))
    });
    pruned.map(|version| format!("version {} was pruned and is among the newest", version.version)).collect()
}

/// The records of each version's state changes form one chain from nothing to the state it is in, and the
/// records of each pointer's moves one from nothing to the version it names.
pub fn every_state_change_has_exactly_one_record(snapshot: &Snapshot) -> Vec<String> {
    let mut chains: BTreeMap<String, (Option<String>, Vec<&Record>)> = BTreeMap::new();
    for version in &snapshot.versions {
        let state = Some(version.state.to_string());
        chains.insert(format!("version {}", version.version), (state, Vec::new()));
    }
    for pointer in &snapshot.pointers {
        let named = Some(pointer.version.to_string());
        chains.insert(format!("pointer {}", pointer.pointer), (named, Vec::new()));
    }
    let mut broken = Vec::new();
    for record in &snapshot.records {
        let of = match (&record.version, &record.pointer) {
            (Some(version), _) if record.action.changes_state() => format!("version {version}"),
            (_, Some(pointer)) if record.action.moves_pointer() => format!("pointer {pointer}"),
            _ => continue,
        };
        match chains.get_mut(&of) {
            Some((_, chain)) => chain.push(record),
            None => broken.push(format!("record {} speaks of {of}, which is not there", record.id)),
        }
    }
    for (of, (end, mut chain)) in chains {
        chain.sort_by_key(|record| record.revision);
        let mut at = None;
        for record in chain {
            if record.before != at {
                broken
                    .push(format!("{of}: {:?} goes on from {:?}, not {at:?}", record.action, record.before));
            }
            at = record.after.clone();
        }
        if at != end {
            broken.push(format!("{of}: the records end at {at:?}, the item is at {end:?}"));
        }
    }
    broken
}

/// No two records of one version, or of one pointer, led to the same revision, and none to a later one
/// than the item has.
pub fn revisions_only_grow(snapshot: &Snapshot) -> Vec<String> {
    let mut broken = Vec::new();
    let mut seen = HashMap::new();
    for record in &snapshot.records {
        let Some(revision) = record.revision else { continue };
        let (of, is) = match (&record.pointer, &record.version) {
            (Some(name), _) => (
                name.to_string(),
                snapshot.pointers.iter().find(|it| it.pointer == *name).map(|it| it.generation),
            ),
            (None, Some(number)) => (number.to_string(), snapshot.version(*number).map(|it| it.revision)),
            (None, None) => continue,
        };
        if is.is_none_or(|is| revision > is) {
            broken.push(format!("{of}: a record led to revision {revision}, the item is at {is:?}"));
        }
        if let Some(other) = seen.insert((of.clone(), revision), record.id) {
            broken.push(format!("{of}: records {other} and {} both led to {revision}", record.id));
        }
    }
    broken
}

/// A version that failed, errored or was not checked to its end is never reachable by a reader.
pub fn only_a_passed_version_is_reachable(snapshot: &Snapshot) -> Vec<String> {
    let reachable = snapshot.pointers.iter().filter_map(|pointer| snapshot.version(pointer.version));
    reachable
        .filter(|version| {
            version.verdict.as_ref().is_none_or(|verdict| verdict.outcome != VerdictOutcome::Passed)
        })
        .map(|version| format!("version {} is pointed at and did not pass", version.version))
        .collect()
}

/// A bad version never blocks the next: whatever is there, a version announced now and passing would go
/// live, unless a hold or the contract says that people decide.
pub fn a_bad_version_blocks_no_other(snapshot: &Snapshot, now: Timestamp) -> Vec<String> {
    let act = Act { id: uuid::Uuid::nil(), at: now, actor: "invariant".into() };
    let next = snapshot.dataset.next_version;
    if snapshot.version(next).is_some() {
        return vec![format!("the next version would be {next}, which exists")];
    }
    let Some(any) = snapshot.versions.first() else { return Vec::new() };
    let newest = |time: fn(&Version) -> Option<Timestamp>| {
        snapshot.versions.iter().filter_map(time).max().max(Some(now))
    };
    let coming = Version {
        version: next,
        state: State::Valid,
        promotion_state: Some(PromotionState::Pending),
        pointed_by: Default::default(),
        created_at: newest(|version| Some(version.table_created_at())),
        as_of: newest(|version| version.as_of),
        first_live_at: None,
        withdrawn: None,
        ..any.clone()
    };
    let live = snapshot.pointers.iter().find(|pointer| pointer.pointer == PointerName::live());
    let versions: Vec<_> = snapshot.versions.iter().cloned().chain([coming.clone()]).collect();
    match decide::promote(&snapshot.dataset, &PointerName::live(), live, &versions, &coming, &act) {
        Decision::Refuse(Refusal::Held { .. } | Refusal::Manual) | Decision::Commit(..) => Vec::new(),
        other => vec![format!("version {next} would be blocked: {other:?}")],
    }
}

/// A version whose check is shared is being checked, and nobody has a lease of the whole.
pub fn only_a_check_is_shared_and_then_nobody_holds_it(snapshot: &Snapshot) -> Vec<String> {
    let shared = snapshot.versions.iter().filter(|version| version.sharing.is_some());
    shared
        .filter(|version| version.state != State::Checking || version.lease.is_some())
        .map(|version| format!("version {} is {} and shared", version.version, version.state))
        .collect()
}

/// What always holds of a single transaction; debug builds ask before each commit.
pub fn of_transaction(transaction: &Transaction) -> Vec<String> {
    let mut broken = Vec::new();
    let record = &transaction.record;
    for write in &transaction.writes {
        let grown = match (write.expect, write.item.revision()) {
            (Expect::Revision(from), Some(to)) => to == from + 1,
            (Expect::Absent, Some(to)) => to == 1,
            _ => true,
        };
        if !grown {
            broken.push(format!("{}: {:?} does not grow by one", write.item.key(), write.expect));
        }
        if let Item::Pointer(pointer) = &write.item
            && record.action != Action::Release
        {
            let target = transaction.writes.iter().find_map(|write| match &write.item {
                Item::Version(version) if version.version == pointer.version => Some(version),
                _ => None,
            });
            if !target.is_some_and(|it| it.state == State::Valid && it.pointed_by.contains(&pointer.pointer))
            {
                broken.push(format!("{} moves to a version that is not valid", pointer.pointer));
            }
        }
    }
    broken
}
