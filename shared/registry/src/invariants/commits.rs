//! Invariants of a single commit: functions of what the registry held of a dataset before it and after it.

use jiff::Timestamp;

use super::{Snapshot, pruning_leaves_the_newest_valid};
use crate::audit::{Action, Record};
use crate::dataset::Promotion;
use crate::pointer::Pointer;
use crate::{PointerHold, PointerName, Version, VersionNumber};

/// One commit to a dataset.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The dataset before the commit.
    pub before: &'a Snapshot,
    /// The dataset after the commit.
    pub after: &'a Snapshot,
    /// The audit record of the commit.
    pub record: &'a Record,
}

/// An invariant of commits; returns the ways in which a commit breaks it.
pub type CommitInvariant = fn(&Commit<'_>) -> Vec<String>;

/// Every invariant of commits, by name.
pub const COMMIT_INVARIANTS: [(&str, CommitInvariant); 8] = [
    ("no_promotion_while_held", no_promotion_while_held),
    ("no_promotion_against_the_contract", no_promotion_against_the_contract),
    ("no_promotion_of_an_older_version", no_promotion_of_an_older_version),
    ("no_hold_of_another_is_shortened", no_hold_of_another_is_shortened),
    ("a_pointer_shows_its_strictest_hold", a_pointer_shows_its_strictest_hold),
    ("only_sealed_versions_are_deleted", only_sealed_versions_are_deleted),
    ("retirement_leaves_a_rollback_target", retirement_leaves_a_rollback_target),
    ("retirement_leaves_the_newest_valid", retirement_leaves_the_newest_valid),
];

impl<'a> Commit<'a> {
    /// The pointer that the commit is about, as it was before.
    fn pointer(&self) -> Option<&'a Pointer> {
        let name = self.record.pointer.as_ref()?;
        self.before.pointers.iter().find(|pointer| pointer.pointer == *name)
    }
}

/// Automatic promotion moves no pointer while a hold on it is in force.
pub fn no_promotion_while_held(commit: &Commit<'_>) -> Vec<String> {
    let Commit { record, .. } = commit;
    if record.action != Action::Promote {
        return Vec::new();
    }
    let Some(name) = &record.pointer else { return Vec::new() };
    let holds = commit.before.dataset.holds_of(name, commit.pointer());
    let held = holds.iter().filter(|hold| hold.is_active(record.at));
    held.map(|hold| format!("{} was promoted against {hold}", named(record.version))).collect()
}

/// Automatic promotion moves no pointer while the contract in force leaves promotion to people.
pub fn no_promotion_against_the_contract(commit: &Commit<'_>) -> Vec<String> {
    let Commit { before, record, .. } = commit;
    let manual = before.dataset.settings.promotion == Promotion::Manual;
    if record.action != Action::Promote || !manual {
        return Vec::new();
    }
    let contract = before.dataset.contract;
    vec![format!("{} was promoted, contract {contract} says manual", named(record.version))]
}

/// Automatic promotion never selects a dataset older than the newest one that was live and is not withdrawn, nor a
/// withdrawn one.
pub fn no_promotion_of_an_older_version(commit: &Commit<'_>) -> Vec<String> {
    let Commit { before, record, .. } = commit;
    if record.action != Action::Promote {
        return Vec::new();
    }
    let moves = before.records.iter().filter(|it| it.action.moves_pointer() && it.pointer == record.pointer);
    let was_live = moves.filter_map(|it| before.version(it.version?));
    let newest = was_live
        .filter(|version| version.withdrawn.is_none())
        .max_by_key(|version| before.dataset.rank(version));
    let Some(promoted) = record.version.and_then(|number| before.version(number)) else { return Vec::new() };
    let mut broken = Vec::new();
    if let Some(newest) = newest.filter(|it| before.dataset.rank(it) > before.dataset.rank(promoted)) {
        broken.push(format!(
            "{} was promoted although {} was live",
            named(record.version),
            named(Some(newest.version))
        ));
    }
    if promoted.withdrawn.is_some() {
        broken.push(format!("{} was promoted although it is withdrawn", named(record.version)));
    }
    broken
}

/// Only a release ends the hold of another actor, or makes it end earlier.
pub fn no_hold_of_another_is_shortened(commit: &Commit<'_>) -> Vec<String> {
    let Commit { before, after, record } = commit;
    let Some(pointer) = commit.pointer() else { return Vec::new() };
    if record.action == Action::Release {
        return Vec::new();
    }
    let moved = after.pointers.iter().find(|it| it.pointer == pointer.pointer);
    let left = after.dataset.holds_of(&pointer.pointer, moved);
    // A hold without an end is the longest.
    let end = |hold: &PointerHold| hold.until.unwrap_or(Timestamp::MAX);
    let holds = before.dataset.holds_of(&pointer.pointer, Some(pointer)).into_iter();
    let of_others = holds.filter(|hold| hold.by != record.actor && hold.is_active(record.at));
    let shortened = of_others.filter(|hold| !left.iter().any(|it| it.id == hold.id && end(it) >= end(hold)));
    shortened.map(|hold| format!("{} ended {hold} on {}", record.actor, pointer.pointer)).collect()
}

/// The public field of a pointer is the strictest of its holds: a reader of release 0.1.0 knows no other.
pub fn a_pointer_shows_its_strictest_hold(commit: &Commit<'_>) -> Vec<String> {
    let Commit { after, record, .. } = commit;
    let about = |pointer: &&Pointer| Some(&pointer.pointer) == record.pointer.as_ref();
    let Some(pointer) = after.pointers.iter().find(about) else { return Vec::new() };
    let holds = after.dataset.holds_of(&pointer.pointer, Some(pointer));
    let active = holds.iter().filter(|hold| hold.is_active(record.at));
    let end = |until: Option<Timestamp>| until.unwrap_or(Timestamp::MAX);
    let longest = active.map(|hold| end(hold.until)).max();
    let shown = pointer.hold.as_ref().filter(|hold| hold.is_active(record.at)).map(|hold| end(hold.until));
    match shown == longest {
        true => Vec::new(),
        false => vec![format!("{} shows {shown:?}, and its holds last until {longest:?}", pointer.pointer)],
    }
}

/// A table is deleted only if Septet sealed it, or if an operator discarded it.
pub fn only_sealed_versions_are_deleted(commit: &Commit<'_>) -> Vec<String> {
    let Commit { before, record, .. } = commit;
    if record.action != Action::Delete {
        return Vec::new();
    }
    let version = record.version.and_then(|number| before.version(number));
    if version.is_some_and(|version| version.was_sealed() || version.discard.is_some()) {
        return Vec::new();
    }
    vec![format!("{} was deleted and was never sealed", named(record.version))]
}

/// A retirement leaves a good version to roll back to if there was one and the contract keeps two or more.
pub fn retirement_leaves_a_rollback_target(commit: &Commit<'_>) -> Vec<String> {
    let Commit { before, after, record } = commit;
    if record.action != Action::Retire || before.dataset.settings.keep_newest < 2 {
        return Vec::new();
    }
    if rollback_targets(before).is_empty() || !rollback_targets(after).is_empty() {
        return Vec::new();
    }
    vec![format!("{} was retired and was the last good version that is not live", named(record.version))]
}

/// Returns the good versions that the live pointer does not name and that have other content than the live one.
fn rollback_targets(snapshot: &Snapshot) -> Vec<VersionNumber> {
    let is_live = |version: &&Version| version.pointed_by.contains(&PointerName::live());
    let live = snapshot.versions.iter().find(is_live).and_then(|version| version.digest.as_ref());
    let good = snapshot.versions.iter().filter(|version| version.is_good() && !is_live(version));
    let other = good.filter(|version| version.digest.is_none() || version.digest.as_ref() != live);
    other.map(|version| version.version).collect()
}

/// A retirement leaves the newest valid versions that the contract in force keeps.
pub fn retirement_leaves_the_newest_valid(commit: &Commit<'_>) -> Vec<String> {
    let Commit { before, after, record } = commit;
    match record.action {
        Action::Retire => pruning_leaves_the_newest_valid(before, after),
        _ => Vec::new(),
    }
}

fn named(version: Option<VersionNumber>) -> String {
    version.map_or_else(|| "no version".into(), |number| format!("version {number}"))
}
