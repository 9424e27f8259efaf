//! Transitions of one version.

use jiff::{SignedDuration, Timestamp};

use super::Act;
use crate::audit::{Action, Record};
use crate::dataset::{Claim, Dataset, Promotion};
use crate::error::Refusal;
use crate::transaction::{Decision, Expect, Item, Key, Transaction, Witness, Write};
use crate::version::{Counts, Lease, PromotionState, Readiness, Sharing, Verdict, VerdictOutcome, Version};
use crate::{PointerName, State, TableId, TableName};

/// DynamoDB takes 100 actions in a transaction (TransactWriteItems); two are the version and its record.
const MOST_WITNESSES: usize = 98;

/// A table that was seen and that a dataset claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The table's name.
    pub table: TableName,
    /// The table's ARN.
    pub table_arn: String,
    /// The table's id.
    pub table_id: TableId,
    /// Who created the table, as far as known.
    pub created_by: String,
    /// How the table was noticed, such as `CreateTable` or `sweep`.
    pub noticed_by: String,
    /// For how long it may stay incomplete before it is abandoned.
    pub patience: SignedDuration,
}

/// Makes a table a version of a dataset, once: the table's id is what makes it the same table.
pub fn announce(
    dataset: &Dataset,
    claimed: Option<&Version>,
    new: &Announcement,
    act: &Act,
) -> Decision<Version> {
    if let Some(version) = claimed {
        return Decision::Already(version.clone());
    }
    let number = dataset.next_version;
    let version = Version {
        dataset: dataset.dataset.clone(),
        version: number,
        table: new.table.clone(),
        table_arn: new.table_arn.clone(),
        table_id: new.table_id.clone(),
        state: State::Announced,
        revision: 1,
        contract: dataset.contract,
        announced_at: act.at,
        announced_by: new.created_by.clone(),
        entered_at: act.at,
        deadline: later(act.at, new.patience),
        readiness: None,
        lease: None,
        sharing: None,
        attempts: 0,
        verdict: None,
        counts: None,
        digest: None,
        promotion_state: None,
        pointed_by: Default::default(),
        last_pointed_at: None,
        delete_after: None,
    };
    let record = Record {
        version: Some(number),
        after: Some(State::Announced.to_string()),
        revision: Some(1),
        reason: Some(format!("table {} noticed by {}", new.table, new.noticed_by)),
        ..act.record(&dataset.dataset, Action::Announce)
    };
    let claim = Claim {
        table: new.table.clone(),
        table_id: new.table_id.clone(),
        dataset: dataset.dataset.clone(),
        version: number,
    };
    let counted = Dataset {
        next_version: number.next(),
        revision: dataset.revision + 1,
        updated_at: act.at,
        ..dataset.clone()
    };
    let writes = vec![
        Write { item: Item::Dataset(counted), expect: Expect::Revision(dataset.revision) },
        Write { item: version.clone().into(), expect: Expect::Absent },
        Write { item: Item::Claim(claim), expect: Expect::Absent },
    ];
    Decision::Commit(Box::new(Transaction { writes, witnesses: Vec::new(), record }), version)
}

/// Records that a table is complete and that nobody can change it any more.
///
/// The caller has sealed the table and proved it before.
pub fn seal(version: &Version, readiness: Readiness, act: &Act) -> Decision<Version> {
    if version.state != State::Announced && version.readiness.is_some() && version.state.has_table() {
        return Decision::Already(version.clone());
    }
    let reason = format!("complete by {}", rung_text(&readiness));
    change(version, State::Sealed, Action::Seal, Some(reason), act, |version| {
        version.readiness = Some(readiness);
    })
}

fn rung_text(readiness: &Readiness) -> String {
    use crate::version::Rung;
    let rung = match readiness.rung {
        Rung::Manifest => "a signal with a manifest",
        Rung::Import => "a finished import",
        Rung::Signal => "a signal",
        Rung::Tag => "the tag septet:ready",
        Rung::Quiet => "quiet for as long as the contract asks",
    };
    match readiness.items {
        Some(items) => format!("{rung} ({items} items)"),
        None => rung.to_owned(),
    }
}

/// Begins a check under a lease, or takes over one whose lease has ended.
///
/// Taking over is no change of state and goes on record as an action of its own.
pub fn begin_check(version: &Version, lease: Lease, act: &Act) -> Decision<Version> {
    if version.state == State::Checking && version.sharing.is_some() {
        return Decision::Refuse(Refusal::Shared { version: version.version });
    }
    match (version.state, &version.lease) {
        (State::Checking, Some(held)) if held.owner == lease.owner => Decision::Already(version.clone()),
        (State::Checking, Some(held)) if act.at < held.until => Decision::Refuse(Refusal::Leased {
            version: version.version,
            owner: held.owner.clone(),
            until: held.until,
        }),
        (State::Rejected, _) if !errored(version) => refuse(version, State::Checking),
        (state, _) => {
            let taken_over = state == State::Checking;
            let action = if taken_over { Action::TakeOver } else { Action::Check };
            let reason = (version.attempts > 0).then(|| format!("attempt {}", version.attempts + 1));
            change(version, State::Checking, action, reason, act, |version| {
                version.lease = Some(lease);
                version.attempts += 1;
                version.verdict = None;
            })
        }
    }
}

/// Gives up the lease of a check, for many invocations to check the version together in so many parts.
///
/// Only the holder of the lease can. The sharing is named by the attempt, which no other check of the version has.
pub fn share(version: &Version, owner: &str, parts: u32, act: &Act) -> Decision<Version> {
    if version.state != State::Checking {
        return refuse(version, State::Checking);
    }
    if version.sharing.is_some() {
        return Decision::Already(version.clone());
    }
    if version.lease.as_ref().is_none_or(|lease| lease.owner != owner) {
        return Decision::Refuse(Refusal::LeaseLost { version: version.version });
    }
    let reason = format!("in {parts} parts");
    change(version, State::Checking, Action::Share, Some(reason), act, |version| {
        version.lease = None;
        version.sharing = Some(Sharing { id: format!("shared-{}", version.attempts), parts, since: act.at });
    })
}

fn errored(version: &Version) -> bool {
    version.verdict.as_ref().is_some_and(|verdict| verdict.outcome == VerdictOutcome::Errored)
}

/// Ends a check with its verdict. Only the holder of the lease can; where the check is shared, the sharing's id is
/// its owner.
///
/// A version that passed under a contract with automatic promotion is left pending for it.
pub fn conclude(
    version: &Version,
    owner: &str,
    verdict: Verdict,
    counts: Option<Counts>,
    digest: Option<String>,
    promotion: Promotion,
    act: &Act,
) -> Decision<Version> {
    if matches!(version.state, State::Valid | State::Rejected)
        && version.verdict.as_ref().is_some_and(|known| known.outcome == verdict.outcome)
    {
        return Decision::Already(version.clone());
    }
    let holder = match (&version.sharing, &version.lease) {
        (Some(sharing), _) => Some(&sharing.id),
        (None, lease) => lease.as_ref().map(|lease| &lease.owner),
    };
    if version.state == State::Checking && holder.is_none_or(|holder| holder != owner) {
        return Decision::Refuse(Refusal::LeaseLost { version: version.version });
    }
    let passed = verdict.outcome == VerdictOutcome::Passed;
    let (state, action) =
        if passed { (State::Valid, Action::Pass) } else { (State::Rejected, Action::Reject) };
    let reason = verdict.reasons.first().cloned();
    change(version, state, action, reason, act, |version| {
        version.verdict = Some(verdict);
        version.counts = counts;
        version.digest = digest;
        (version.lease, version.sharing) = (None, None);
        if passed && promotion == Promotion::Auto {
            version.promotion_state = Some(PromotionState::Pending);
        }
    })
}

/// Gives up a version that was not completed by its deadline.
pub fn abandon(version: &Version, act: &Act) -> Decision<Version> {
    let reason = format!("not complete by its deadline {}", version.deadline);
    change(version, State::Abandoned, Action::Abandon, Some(reason), act, |_| ())
}

/// Records that a version's table vanished by other hands.
///
/// A version that a pointer names stays as it is, for no pointer may name a version that is not valid:
/// somebody has to point elsewhere first.
pub fn lose(version: &Version, act: &Act) -> Decision<Version> {
    if let Some(refusal) = pointed(version) {
        return Decision::Refuse(refusal);
    }
    if version.state == State::Retiring {
        return delete(version, act);
    }
    change(version, State::Lost, Action::Lose, Some("the table vanished by other hands".into()), act, |it| {
        (it.lease, it.sharing) = (None, None);
    })
}

/// Marks a version whose table is going to be deleted, so that no pointer can come to it any more.
///
/// `kept` are the valid versions that make this one superfluous: a valid version is retired only while
/// `keep` newer ones are valid, which the transaction asks of each of them.
pub fn retire(
    version: &Version,
    kept: &[Version],
    keep: u32,
    grace: SignedDuration,
    reason: &str,
    act: &Act,
) -> Decision<Version> {
    if let Some(refusal) = pointed(version) {
        return Decision::Refuse(refusal);
    }
    if let Some(until) = version.last_pointed_at.map(|at| later(at, grace))
        && act.at < until
    {
        return Decision::Refuse(Refusal::InGrace { version: version.version, until });
    }
    let mut witnesses = Vec::new();
    if version.state == State::Valid {
        let newer = kept
            .iter()
            .filter(|kept| kept.state == State::Valid && kept.version > version.version)
            .take(keep as usize);
        witnesses.extend(
            newer.map(|kept| Witness { key: Key::version(&kept.dataset, kept.version), state: State::Valid }),
        );
        if witnesses.len() < keep as usize {
            return Decision::Refuse(Refusal::AmongNewest { version: version.version, keep });
        }
        // A transaction has no room for more; so many cannot all be retired while this one is being decided.
        witnesses.truncate(MOST_WITNESSES);
    }
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
    change(version, State::Deleted, Action::Delete, None, act, |_| ())
}

fn pointed(version: &Version) -> Option<Refusal> {
    (!version.pointed_by.is_empty()).then(|| Refusal::Pointed {
        version: version.version,
        by: version.pointed_by.iter().map(PointerName::clone).collect(),
    })
}

fn refuse(version: &Version, to: State) -> Decision<Version> {
    Decision::Refuse(Refusal::State { version: version.version, is: version.state, to })
}

/// Moves a version to a state, with its record; only a check may be begun anew in the state it is in.
fn change(
    version: &Version,
    to: State,
    action: Action,
    reason: Option<String>,
    act: &Act,
    edit: impl FnOnce(&mut Version),
) -> Decision<Version> {
    if version.state == to && to != State::Checking {
        return Decision::Already(version.clone());
    }
    if version.state != to && !version.state.may_become(to) {
        return refuse(version, to);
    }
    let mut changed = version.clone();
    changed.revision += 1;
    if version.state != to {
        changed.state = to;
        changed.entered_at = act.at;
    }
    edit(&mut changed);
    let record = Record {
        version: Some(version.version),
        before: Some(version.state.to_string()),
        after: Some(to.to_string()),
        revision: Some(changed.revision),
        reason,
        ..act.record(&version.dataset, action)
    };
    let writes = vec![Write { item: changed.clone().into(), expect: Expect::Revision(version.revision) }];
    Decision::Commit(Box::new(Transaction { writes, witnesses: Vec::new(), record }), changed)
}

/// A time after another; the end of time where there is none.
pub(crate) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
