//! Transitions of versions whose tables go.

use jiff::{SignedDuration, Timestamp};

use super::versions::{change, later, pointed, refuse};
use super::{Act, newest_first};
use crate::audit::Action;
use crate::dataset::Dataset;
use crate::error::Refusal;
use crate::transaction::{Decision, Key, Witness};
use crate::version::Version;
use crate::{Pointer, PointerName, State};

/// DynamoDB takes 100 actions in a transaction (TransactWriteItems); three are the version, the dataset and the record.
const MOST_WITNESSES: usize = 97;

/// Records that a version's table vanished by other hands.
///
/// A version that a pointer names stays as it is, for no pointer may name a version that is not valid: an operator has
/// to point elsewhere first. The table of a retiring version that was sealed was deleted by Septet.
pub fn lose(version: &Version, act: &Act) -> Decision<Version> {
    if let Some(refusal) = pointed(version) {
        return Decision::Refuse(refusal);
    }
    if version.state == State::Retiring && (version.was_sealed() || version.discard.is_some()) {
        return delete(version, act);
    }
    change(version, State::Lost, Action::Lose, Some("the table vanished by other hands".into()), act, |it| {
        (it.lease, it.sharing) = (None, None);
    })
}

/// Returns the versions that make a valid one superfluous, if there are enough of them.
///
/// The seven (`keep_newest`) newest distinct good datasets stay: versions that are valid, not withdrawn, and not of the
/// digest of a newer good one. A duplicate is superfluous by the newer one alone.
pub fn superfluous<'a>(
    dataset: &Dataset,
    versions: &'a [Version],
    version: &Version,
) -> Option<Vec<&'a Version>> {
    let keep = dataset.settings.keep_newest.max(1) as usize;
    let mut newer = distinct_good(dataset, versions);
    newer.retain(|other| dataset.rank(other) > dataset.rank(version));
    if let Some(same) = newer.iter().find(|other| has_same_digest(other, version)) {
        return Some(vec![same]);
    }
    newer.truncate(keep);
    (newer.len() == keep).then_some(newer)
}

/// Returns the good versions by the order of their dataset, the newest first; of equal digests the newest one alone.
pub(crate) fn distinct_good<'a>(dataset: &Dataset, versions: &'a [Version]) -> Vec<&'a Version> {
    let mut distinct: Vec<&Version> = Vec::new();
    for version in newest_first(dataset, versions).into_iter().filter(|version| version.is_good()) {
        if !distinct.iter().any(|other| has_same_digest(other, version)) {
            distinct.push(version);
        }
    }
    distinct
}

fn has_same_digest(one: &Version, other: &Version) -> bool {
    one.digest.is_some() && one.digest == other.digest
}

/// Marks a version whose table is going to be deleted, so that no pointer can come to it any more.
///
/// Only a version whose table Septet sealed is retired, or one that an operator discarded. A good version is retired only
/// while the versions that make it superfluous are what they were, which the transaction asks of each of them, and while
/// no hold is in force that it was live before. `live` is the pointer of that name.
pub fn retire(
    dataset: &Dataset,
    live: Option<&Pointer>,
    versions: &[Version],
    version: &Version,
    reason: &str,
    act: &Act,
) -> Decision<Version> {
    let (number, grace) = (version.version, dataset.settings.grace());
    if let Some(refusal) = pointed(version) {
        return Decision::Refuse(refusal);
    }
    if !version.was_sealed() && version.discard.is_none() {
        return Decision::Refuse(Refusal::NeverSealed { version: number });
    }
    if let Some(until) = version.last_pointed_at.map(|at| later(at, grace))
        && act.at < until
    {
        return Decision::Refuse(Refusal::InGrace { version: number, until });
    }
    let mut witnesses = Vec::new();
    if version.state == State::Valid {
        if dataset.kept_by_hold(version, live, act.at) {
            return Decision::Refuse(Refusal::KeptByHold { version: number });
        }
        witnesses.push(Witness { key: Key::dataset(&dataset.dataset), revision: dataset.revision });
    }
    if version.is_good() {
        let Some(newer) = superfluous(dataset, versions, version) else {
            let keep = dataset.settings.keep_newest.max(1);
            return Decision::Refuse(Refusal::AmongNewest { version: number, keep });
        };
        let newer = newer.into_iter().take(MOST_WITNESSES);
        witnesses.extend(
            newer.map(|it| Witness { key: Key::version(&it.dataset, it.version), revision: it.revision }),
        );
    }
    // A table that readers never knew is deleted at once.
    let grace = if version.was_sealed() { grace } else { SignedDuration::ZERO };
    let decision =
        change(version, State::Retiring, Action::Retire, Some(reason.to_owned()), act, |version| {
            version.delete_after = Some(later(act.at, grace));
            version.promotion_state = None;
        });
    match decision {
        Decision::Commit(mut transaction, version) => {
            transaction.witnesses = witnesses;
            Decision::Commit(transaction, version)
        }
        other => other,
    }
}

/// Records that a retiring version's table is gone.
pub fn delete(version: &Version, act: &Act) -> Decision<Version> {
    if version.state == State::Retiring && !version.was_sealed() && version.discard.is_none() {
        return Decision::Refuse(Refusal::NeverSealed { version: version.version });
    }
    match version.state {
        State::Retiring | State::Deleted => {
            change(version, State::Deleted, Action::Delete, None, act, |_| ())
        }
        _ => refuse(version, State::Deleted),
    }
}

impl Dataset {
    /// Returns true while a hold of `live` is in force that was set after the version was live, or by the rollback that
    /// left it: it may be what an operator goes back, or forward, to.
    pub fn kept_by_hold(&self, version: &Version, live: Option<&Pointer>, now: Timestamp) -> bool {
        let holds = self.holds_of(&PointerName::live(), live);
        let was_live = version.was_live(live);
        holds.iter().filter(|hold| hold.is_active(now)).any(|hold| {
            hold.left == Some(version.version)
                || was_live && version.first_live_at.is_none_or(|at| at <= hold.at)
        })
    }
}
