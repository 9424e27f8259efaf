//! Moves of a pointer.

use jiff::Timestamp;

use super::Act;
use crate::audit::{Action, Record};
use crate::dataset::{Dataset, Promotion};
use crate::error::Refusal;
use crate::pointer::{Hold, Pointer, TRAIL};
use crate::transaction::{Decision, Expect, Item, Transaction, Write};
use crate::version::{PromotionState, Version};
use crate::{PointerName, State, VersionNumber};

/// Where a pointer is to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To this version.
    To(VersionNumber),
    /// Back to the version before, or to this earlier one; sets a hold.
    Back(Option<VersionNumber>),
    /// Undoes the latest rollback and ends the hold that it set.
    Forward,
}

/// A move of a pointer that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointRequest {
    /// Where to.
    pub direction: Direction,
    /// Why.
    pub reason: String,
    /// Go on although the target has the very content of the version being left.
    pub force: bool,
    /// When the hold of a rollback ends by itself.
    pub hold_until: Option<Timestamp>,
}

/// Moves a pointer as somebody asks: to a version, back, or forward.
///
/// `versions` are the dataset's versions. Only a valid one is ever pointed at. Asking for the version that
/// the pointer names changes nothing.
pub fn move_pointer(
    dataset: &Dataset,
    name: &PointerName,
    pointer: Option<&Pointer>,
    versions: &[Version],
    request: &PointRequest,
    act: &Act,
) -> Decision<Pointer> {
    let candidates = || -> Vec<VersionNumber> {
        let valid = versions.iter().filter(|version| version.state == State::Valid);
        valid.map(|version| version.version).filter(|it| Some(*it) != pointer.map(|it| it.version)).collect()
    };
    let find = |number: VersionNumber| versions.iter().find(|version| version.version == number);
    let is_valid = |number: &VersionNumber| find(*number).is_some_and(|it| it.state == State::Valid);
    let nowhere = || Refusal::NowhereToGo { pointer: name.clone(), candidates: candidates() };

    let (target, action) = match (request.direction, pointer) {
        (Direction::To(target), _) => (target, Action::Point),
        (_, None) => {
            return Decision::Refuse(Refusal::NoPointer { pointer: name.clone(), candidates: candidates() });
        }
        (Direction::Back(Some(target)), Some(_)) => (target, Action::RollBack),
        (Direction::Back(None), Some(pointer)) => match pointer.trail.iter().rev().find(|it| is_valid(it)) {
            Some(target) => (*target, Action::RollBack),
            None => return Decision::Refuse(nowhere()),
        },
        (Direction::Forward, Some(pointer)) => match pointer.ahead.iter().rev().find(|it| is_valid(it)) {
            Some(target) => (*target, Action::RollForward),
            None => return Decision::Refuse(nowhere()),
        },
    };
    if let Some(pointer) = pointer
        && pointer.version == target
    {
        return Decision::Already(pointer.clone());
    }
    let Some(target) = find(target) else {
        return Decision::Refuse(nowhere());
    };
    if target.state != State::Valid {
        return Decision::Refuse(Refusal::NotValid { version: target.version, is: target.state });
    }
    let left = pointer.and_then(|pointer| find(pointer.version));
    if let Some(left) = left
        && !request.force
        && target.digest.is_some()
        && target.digest == left.digest
    {
        return Decision::Refuse(Refusal::Identical { version: target.version, to: left.version });
    }
    let mut moved = aim(dataset, name, pointer, target, &request.reason, act);
    match (action, pointer) {
        (Action::RollBack, Some(pointer)) => {
            let kept = pointer.trail.iter().rposition(|it| *it == target.version);
            let popped = moved.trail.split_off(kept.unwrap_or(moved.trail.len()));
            moved.ahead.push(pointer.version);
            moved.ahead.extend(popped.into_iter().skip(1).rev());
            moved.hold = Some(Hold {
                by: act.actor.clone(),
                reason: request.reason.clone(),
                until: request.hold_until,
            });
        }
        (Action::RollForward, Some(pointer)) => {
            let taken = moved.ahead.iter().rposition(|it| *it == target.version);
            moved.ahead.truncate(taken.unwrap_or_default());
            moved.trail.push(pointer.version);
            moved.hold = None;
        }
        (_, pointer) => {
            moved.trail.extend(pointer.map(|pointer| pointer.version));
            moved.ahead.clear();
        }
    }
    commit(moved, pointer, target.clone(), left, action, act)
}

/// Moves a pointer to a version that passed, unless a hold, a newer version or the contract forbids it.
pub fn promote(
    dataset: &Dataset,
    name: &PointerName,
    pointer: Option<&Pointer>,
    left: Option<&Version>,
    target: &Version,
    act: &Act,
) -> Decision<Pointer> {
    if let Some(pointer) = pointer
        && pointer.version == target.version
        && target.promotion_state == Some(PromotionState::Promoted)
    {
        return Decision::Already(pointer.clone());
    }
    if target.state != State::Valid {
        return Decision::Refuse(Refusal::NotValid { version: target.version, is: target.state });
    }
    if dataset.settings.promotion == Promotion::Manual {
        return Decision::Refuse(Refusal::Manual);
    }
    if let Some(pointer) = pointer {
        if let Some(hold) = pointer.hold.as_ref().filter(|hold| hold.is_active(act.at)) {
            return Decision::Refuse(Refusal::Held {
                pointer: name.clone(),
                by: hold.by.clone(),
                reason: hold.reason.clone(),
            });
        }
        let newest = pointer.ahead.iter().copied().chain([pointer.version]).max();
        if let Some(than) = newest.filter(|newest| *newest >= target.version) {
            return Decision::Refuse(Refusal::Older { version: target.version, than });
        }
    }
    let mut moved = aim(dataset, name, pointer, target, "passed its checks", act);
    moved.trail.extend(pointer.map(|pointer| pointer.version));
    moved.ahead.clear();
    moved.hold = None;
    let target = Version { promotion_state: Some(PromotionState::Promoted), ..target.clone() };
    commit(moved, pointer, target, left, Action::Promote, act)
}

/// Records why a version that passed is not promoted, so that nobody tries again.
pub fn skip_promotion(target: &Version, why: &str, act: &Act) -> Decision<Version> {
    if target.promotion_state != Some(PromotionState::Pending) {
        return Decision::Already(target.clone());
    }
    let skipped = Version {
        promotion_state: Some(PromotionState::Skipped(why.to_owned())),
        revision: target.revision + 1,
        ..target.clone()
    };
    let record = Record {
        version: Some(target.version),
        revision: Some(skipped.revision),
        reason: Some(why.to_owned()),
        ..act.record(&target.dataset, Action::SkipPromotion)
    };
    let writes = vec![Write { item: skipped.clone().into(), expect: Expect::Revision(target.revision) }];
    Decision::Commit(Box::new(Transaction { writes, witnesses: Vec::new(), record }), skipped)
}

/// Ends the hold on a pointer; the next version that passes is promoted again.
pub fn release(name: &PointerName, pointer: Option<&Pointer>, reason: &str, act: &Act) -> Decision<Pointer> {
    let Some(pointer) = pointer else {
        return Decision::Refuse(Refusal::NoPointer { pointer: name.clone(), candidates: Vec::new() });
    };
    if pointer.hold.is_none() {
        return Decision::Refuse(Refusal::NotHeld { pointer: name.clone() });
    }
    let released = Pointer { hold: None, generation: pointer.generation + 1, ..pointer.clone() };
    let record = Record {
        pointer: Some(name.clone()),
        version: Some(pointer.version),
        revision: Some(released.generation),
        reason: Some(reason.to_owned()),
        ..act.record(&pointer.dataset, Action::Release)
    };
    let writes =
        vec![Write { item: Item::Pointer(released.clone()), expect: Expect::Revision(pointer.generation) }];
    Decision::Commit(Box::new(Transaction { writes, witnesses: Vec::new(), record }), released)
}

fn aim(
    dataset: &Dataset,
    name: &PointerName,
    pointer: Option<&Pointer>,
    target: &Version,
    reason: &str,
    act: &Act,
) -> Pointer {
    Pointer {
        dataset: dataset.dataset.clone(),
        pointer: name.clone(),
        version: target.version,
        table: target.table.clone(),
        table_arn: target.table_arn.clone(),
        generation: pointer.map_or(1, |pointer| pointer.generation + 1),
        previous: None,
        hold: pointer.and_then(|pointer| pointer.hold.clone()),
        moved_at: act.at,
        moved_by: act.actor.clone(),
        reason: reason.to_owned(),
        poll_seconds: dataset.settings.poll_seconds,
        trail: pointer.map(|pointer| pointer.trail.clone()).unwrap_or_default(),
        ahead: pointer.map(|pointer| pointer.ahead.clone()).unwrap_or_default(),
    }
}

fn commit(
    mut moved: Pointer,
    pointer: Option<&Pointer>,
    target: Version,
    left: Option<&Version>,
    action: Action,
    act: &Act,
) -> Decision<Pointer> {
    let excess = moved.trail.len().saturating_sub(TRAIL);
    moved.trail.drain(..excess);
    moved.previous = moved.trail.last().copied();

    let mut reached = target.clone();
    reached.pointed_by.insert(moved.pointer.clone());
    reached.last_pointed_at = Some(act.at);
    reached.revision += 1;
    let mut writes = vec![
        Write {
            item: Item::Pointer(moved.clone()),
            expect: pointer.map_or(Expect::Absent, |pointer| Expect::Revision(pointer.generation)),
        },
        Write { item: reached.into(), expect: Expect::Revision(target.revision) },
    ];
    if let Some(left) = left.filter(|left| left.version != target.version) {
        let mut leaving = left.clone();
        leaving.pointed_by.remove(&moved.pointer);
        leaving.last_pointed_at = Some(act.at);
        leaving.revision += 1;
        writes.push(Write { item: leaving.into(), expect: Expect::Revision(left.revision) });
    }
    let record = Record {
        pointer: Some(moved.pointer.clone()),
        version: Some(moved.version),
        before: pointer.map(|pointer| pointer.version.to_string()),
        after: Some(moved.version.to_string()),
        revision: Some(moved.generation),
        reason: Some(moved.reason.clone()),
        ..act.record(&moved.dataset, action)
    };
    Decision::Commit(Box::new(Transaction { writes, witnesses: Vec::new(), record }), moved)
}
