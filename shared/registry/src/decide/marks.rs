//! Marks of operators on versions: withdrawn, reinstated, discarded.

use super::Act;
use super::versions::{change, note, pointed, refuse};
use crate::State;
use crate::audit::Action;
use crate::dataset::Dataset;
use crate::error::Refusal;
use crate::transaction::Decision;
use crate::version::{Mark, PromotionState, Version};

/// Withdraws a valid version: it is no baseline any more, takes no retention place and is never promoted.
///
/// A version that a pointer names is not withdrawn. Promotions that were decided before are refused, because the
/// dataset's item changes too.
pub fn withdraw(dataset: &Dataset, version: &Version, reason: &str, act: &Act) -> Decision<Version> {
    if version.withdrawn.is_some() {
        return Decision::Already(version.clone());
    }
    if version.state != State::Valid {
        return Decision::Refuse(Refusal::NotValid { version: version.version, is: version.state });
    }
    if let Some(refusal) = pointed(version) {
        return Decision::Refuse(refusal);
    }
    let decision = note(version, Action::Withdraw, reason.to_owned(), act, |version| {
        version.withdrawn = Some(Mark::new(act, reason));
        if version.promotion_state == Some(PromotionState::Pending) {
            version.promotion_state = Some(PromotionState::Skipped(format!("withdrawn: {reason}")));
        }
    });
    with_dataset(dataset, decision, act)
}

/// Reinstates a withdrawn version.
pub fn reinstate(dataset: &Dataset, version: &Version, reason: &str, act: &Act) -> Decision<Version> {
    if version.withdrawn.is_none() {
        return Decision::Already(version.clone());
    }
    if version.state != State::Valid {
        return Decision::Refuse(Refusal::NotValid { version: version.version, is: version.state });
    }
    let decision =
        note(version, Action::Reinstate, reason.to_owned(), act, |version| version.withdrawn = None);
    with_dataset(dataset, decision, act)
}

/// Writes the dataset's item with a decision, so that what was decided on it before is decided again.
fn with_dataset(dataset: &Dataset, decision: Decision<Version>, act: &Act) -> Decision<Version> {
    let Decision::Commit(mut transaction, version) = decision else { return decision };
    transaction.writes.push(dataset.clone().written(act));
    Decision::Commit(transaction, version)
}

/// Records that an operator wants a table deleted that was never sealed; prune deletes it by its id.
pub fn discard(version: &Version, reason: &str, act: &Act) -> Decision<Version> {
    if version.discard.is_some() {
        return Decision::Already(version.clone());
    }
    if version.was_sealed() {
        return Decision::Refuse(Refusal::Sealed { version: version.version });
    }
    let mark = Mark::new(act, reason);
    match version.state {
        // Whatever still loads it must not have it sealed.
        State::Announced => {
            let reason = Some(format!("discarded: {reason}"));
            change(version, State::Abandoned, Action::Abandon, reason, act, |version| {
                (version.discard, version.signal) = (Some(mark), None);
            })
        }
        State::Abandoned | State::Rejected | State::Retiring => {
            note(version, Action::Discard, reason.to_owned(), act, |version| {
                (version.discard, version.signal) = (Some(mark), None);
            })
        }
        State::Sealed | State::Checking | State::Valid | State::Deleted | State::Lost => {
            refuse(version, State::Abandoned)
        }
    }
}
