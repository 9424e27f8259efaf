//! Transitions of one version.

use jiff::{SignedDuration, Timestamp};

use super::Act;
use crate::audit::{Action, Record};
use crate::dataset::{Claim, Dataset, Promotion};
use crate::error::Refusal;
use crate::transaction::{Decision, Expect, Item, Transaction, Write};
use crate::version::{
    Counts, KnownSignal, Lease, PromotionState, Readiness, Rung, Sharing, Verdict, VerdictOutcome, Version,
    Wait,
};
use crate::{PointerName, SealId, State, TableId, TableName};

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
    /// Creation time of the table.
    pub created_at: Timestamp,
    /// Signal that hands the table over, if one did.
    pub signal: Option<KnownSignal>,
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
        seal_id: Some(SealId::of(&dataset.dataset, number, &new.table_id, act.at)),
        created_at: Some(new.created_at),
        as_of: new.signal.as_ref().and_then(|signal| signal.as_of),
        first_live_at: None,
        withdrawn: None,
        discard: None,
        owner_protected: false,
        signal: new.signal.clone(),
        untagged_at: None,
        waits: None,
        offers: None,
        carried: Default::default(),
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
    let counted = Dataset { next_version: number.next(), ..dataset.clone() };
    let writes = vec![
        counted.written(act),
        Write { item: version.clone().into(), expect: Expect::Absent },
        Write { item: Item::Claim(claim), expect: Expect::Absent },
    ];
    Decision::Commit(Box::new(Transaction { writes, witnesses: Vec::new(), record }), version)
}

/// Facts of a table that was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealFacts {
    /// Sign by which the table was known to be complete.
    pub readiness: Readiness,
    /// Time that the data stands for.
    pub as_of: Option<Timestamp>,
    /// Keys, indexes and read limits of the table.
    pub offers: Option<serde_json::Value>,
    /// Creation time of the table, which release 0.1.0 did not keep.
    pub created_at: Option<Timestamp>,
}

impl From<Readiness> for SealFacts {
    fn from(readiness: Readiness) -> Self {
        Self { readiness, as_of: None, offers: None, created_at: None }
    }
}

/// Records that a table is complete and sealed; the contract in force from then on decides on the version.
///
/// The caller has sealed the table and proved it before. A version that was abandoned, or rejected before its table was
/// sealed, is sealed too: a signal for it is not lost.
pub fn seal(dataset: &Dataset, version: &Version, facts: &SealFacts, act: &Act) -> Decision<Version> {
    if version.was_sealed() && version.state.has_table() {
        return Decision::Already(version.clone());
    }
    if let Some(mark) = &version.discard {
        return Decision::Refuse(Refusal::Discarded { version: version.version, by: mark.by.clone() });
    }
    let reason = format!("complete by {}", rung_text(version, &facts.readiness));
    change(version, State::Sealed, Action::Seal, Some(reason), act, |version| {
        version.readiness = Some(facts.readiness.clone());
        version.contract = dataset.contract;
        version.as_of = facts.as_of.or(version.as_of);
        version.offers = facts.offers.clone();
        version.created_at = version.created_at.or(facts.created_at);
        version.verdict = None;
        version.signal = None;
    })
}

/// Puts a signal on record whose table cannot be sealed yet, so that a sweep can finish what it began.
pub fn record_signal(version: &Version, signal: &KnownSignal, act: &Act) -> Decision<Version> {
    if version.signal.as_ref() == Some(signal) || version.was_sealed() {
        return Decision::Already(version.clone());
    }
    if let Some(mark) = &version.discard {
        return Decision::Refuse(Refusal::Discarded { version: version.version, by: mark.by.clone() });
    }
    if !matches!(version.state, State::Announced | State::Abandoned | State::Rejected) {
        return refuse(version, State::Sealed);
    }
    let reason = if signal.adopted { "adopted by an operator" } else { "signalled" };
    note(version, Action::Signal, reason.to_owned(), act, |version| version.signal = Some(signal.clone()))
}

/// Records that a settled table was seen without the tag `septet:ready`, so that the tag counts once it is there.
pub fn see_untagged(version: &Version, act: &Act) -> Decision<Version> {
    if version.untagged_at.is_some() || version.was_sealed() {
        return Decision::Already(version.clone());
    }
    note(version, Action::SeeUntagged, "the table has no tag septet:ready yet".into(), act, |version| {
        version.untagged_at = Some(act.at);
    })
}

/// Gives a version that has no seal id one: release 0.1.0 gave none, and drops it from versions that it rewrites.
pub fn name_seal(version: &Version, act: &Act) -> Decision<Version> {
    if version.seal_id.is_some() {
        return Decision::Already(version.clone());
    }
    note(version, Action::NameSeal, "its seal gets an id".into(), act, |version| {
        version.seal_id =
            Some(SealId::of(&version.dataset, version.version, &version.table_id, version.announced_at));
    })
}

/// Records that a table was protected against deletion before Septet sealed it: that protection is never lifted.
pub fn see_protection(version: &Version, act: &Act) -> Decision<Version> {
    if version.owner_protected {
        return Decision::Already(version.clone());
    }
    let reason = "the table was protected against deletion before it was sealed".into();
    note(version, Action::SeeProtection, reason, act, |version| version.owner_protected = true)
}

/// Records why a version does not go on, where that is not on record yet.
pub fn wait(version: &Version, reason: &str, act: &Act) -> Decision<Version> {
    if version.waits.as_ref().is_some_and(|waits| waits.reason == reason) {
        return Decision::Already(version.clone());
    }
    note(version, Action::Wait, reason.to_owned(), act, |version| {
        version.waits = Some(Wait { reason: reason.to_owned(), since: act.at });
    })
}

/// Rejects a version whose table must not be sealed; the table stays as it is.
pub fn reject_unsealed(version: &Version, verdict: Verdict, act: &Act) -> Decision<Version> {
    if version.was_sealed() {
        return refuse(version, State::Rejected);
    }
    let known = version.verdict.as_ref().map(|known| &known.reasons);
    if version.state == State::Rejected && known != Some(&verdict.reasons) {
        let reason = verdict.reasons.first().cloned().unwrap_or_default();
        return note(version, Action::TakeOver, reason, act, |version| {
            (version.verdict, version.signal) = (Some(verdict), None);
        });
    }
    let reason = verdict.reasons.first().cloned();
    change(version, State::Rejected, Action::Reject, reason, act, |version| {
        (version.verdict, version.signal) = (Some(verdict), None);
    })
}

fn rung_text(version: &Version, readiness: &Readiness) -> String {
    let rung = match readiness.rung {
        Rung::Signal if version.signal.as_ref().is_some_and(|signal| signal.adopted) => "adoption",
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
        (State::Rejected, _) if !errored(version) || !version.was_sealed() => {
            refuse(version, State::Checking)
        }
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

pub(super) fn pointed(version: &Version) -> Option<Refusal> {
    (!version.pointed_by.is_empty()).then(|| Refusal::Pointed {
        version: version.version,
        by: version.pointed_by.iter().map(PointerName::clone).collect(),
    })
}

pub(super) fn refuse(version: &Version, to: State) -> Decision<Version> {
    Decision::Refuse(Refusal::State { version: version.version, is: version.state, to })
}

/// Moves a version to a state, with its record; only a check may be begun anew in the state it is in.
pub(super) fn change(
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
        changed.waits = None;
    }
    edit(&mut changed);
    let record = Record {
        before: Some(version.state.to_string()),
        after: Some(to.to_string()),
        reason,
        ..act.record(&version.dataset, action)
    };
    write(version, changed, record)
}

/// Changes a version without moving it to another state, with its record.
pub(super) fn note(
    version: &Version,
    action: Action,
    reason: String,
    act: &Act,
    edit: impl FnOnce(&mut Version),
) -> Decision<Version> {
    let mut changed = version.clone();
    changed.revision += 1;
    edit(&mut changed);
    let record = Record { reason: Some(reason), ..act.record(&version.dataset, action) };
    write(version, changed, record)
}

/// Decides on the write of a changed version over `before`, with the record of the change.
fn write(before: &Version, changed: Version, record: Record) -> Decision<Version> {
    let record = Record { version: Some(changed.version), revision: Some(changed.revision), ..record };
    let writes = vec![Write { item: changed.clone().into(), expect: Expect::Revision(before.revision) }];
    Decision::Commit(Box::new(Transaction { writes, witnesses: Vec::new(), record }), changed)
}

/// A time after another; the end of time where there is none.
pub(crate) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
