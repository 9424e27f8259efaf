//! Moves of a pointer, and the holds that stop them.

use jiff::Timestamp;

use super::Act;
use super::versions::note;
use crate::audit::{Action, Record};
use crate::dataset::{Dataset, Promotion};
use crate::error::Refusal;
use crate::hold::{PointerHold, strictest};
use crate::pointer::{Pointer, TRAIL};
use crate::transaction::{Decision, Expect, Item, Key, Transaction, Witness, Write};
use crate::version::{Mark, PromotionState, Version};
use crate::{HoldId, PointerName, State, VersionNumber};

/// Where a pointer is to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To this version.
    To(VersionNumber),
    /// Back to the version before, or to this earlier one; sets a hold.
    Back(Option<VersionNumber>),
    /// Undoes the latest rollback and restores the holds that were in force before it.
    Forward,
}

/// A move of a pointer that an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointRequest {
    /// Where to.
    pub direction: Direction,
    /// Reason for the move.
    pub reason: String,
    /// Go on although the target has the very content of the version being left.
    pub force: bool,
    /// When the hold of a rollback ends by itself.
    pub hold_until: Option<Timestamp>,
    /// Generation of the pointer that the operator was shown, 0 where there was no pointer. The move is refused if the
    /// pointer has another one by now; without it, the move starts from wherever the pointer is.
    pub shown: Option<u64>,
    /// Version that the operator was shown as the target. The move is refused if it would go elsewhere by now.
    pub target: Option<VersionNumber>,
    /// Withdraw the version that a rollback leaves. A rollback of `live` does so by itself.
    pub withdraw: bool,
    /// Hold that the move ends beside its own, whoever owns it.
    pub release: Option<HoldId>,
}

impl PointRequest {
    /// A move that was shown to no operator, sets an open hold and withdraws as its pointer does by default.
    pub fn new(direction: Direction, reason: impl Into<String>) -> Self {
        Self {
            direction,
            reason: reason.into(),
            force: false,
            hold_until: None,
            shown: None,
            target: None,
            withdraw: false,
            release: None,
        }
    }
}

/// Moves a pointer as an operator asks: to a version, back, or forward.
///
/// `versions` are the dataset's versions. Only a valid version that is not withdrawn is ever pointed at; going forward
/// reinstates its target. Asking for the version that the pointer names changes nothing. A relative move skips the
/// version that the pointer names.
pub fn move_pointer(
    dataset: &Dataset,
    name: &PointerName,
    pointer: Option<&Pointer>,
    versions: &[Version],
    request: &PointRequest,
    act: &Act,
) -> Decision<Pointer> {
    if let Some(refusal) = moved_since(name, pointer, request.shown) {
        return Decision::Refuse(refusal);
    }
    let current = pointer.map(|pointer| pointer.version);
    let candidates = || -> Vec<VersionNumber> {
        let good = versions.iter().filter(|version| version.is_good());
        good.map(|version| version.version).filter(|number| Some(*number) != current).collect()
    };
    let find = |number: VersionNumber| versions.iter().find(|version| version.version == number);
    let nowhere = || Refusal::NowhereToGo { pointer: name.clone(), candidates: candidates() };
    let relative = |numbers: &[VersionNumber], fits: fn(&Version) -> bool| {
        let fits = |number: &&VersionNumber| Some(**number) != current && find(**number).is_some_and(fits);
        numbers.iter().rev().find(fits).copied()
    };
    let (target, action) = match (request.direction, pointer) {
        (Direction::To(target), _) => (Some(target), Action::Point),
        (_, None) => {
            return Decision::Refuse(Refusal::NoPointer { pointer: name.clone(), candidates: candidates() });
        }
        (Direction::Back(Some(target)), Some(_)) => (Some(target), Action::RollBack),
        (Direction::Back(None), Some(pointer)) => {
            (relative(&pointer.trail, Version::is_good), Action::RollBack)
        }
        (Direction::Forward, Some(pointer)) => {
            (relative(&pointer.ahead, |version| version.state == State::Valid), Action::RollForward)
        }
    };
    if request.target.is_some() && target != request.target {
        return Decision::Refuse(Refusal::moved(name, pointer));
    }
    if let Some(pointer) = pointer
        && target == current
    {
        return Decision::Already(pointer.clone());
    }
    let Some(target) = target.and_then(find) else {
        return Decision::Refuse(nowhere());
    };
    match unfit(target) {
        // Going forward reinstates its target.
        Some(Refusal::Withdrawn { .. }) if action == Action::RollForward => {}
        Some(refusal) => return Decision::Refuse(refusal),
        None => {}
    }
    let left = pointer.and_then(|pointer| find(pointer.version));
    if let Some(left) = left
        && !request.force
        && target.digest.is_some()
        && target.digest == left.digest
    {
        return Decision::Refuse(Refusal::Identical { version: target.version, to: left.version });
    }
    let mut holds = dataset.holds_of(name, pointer);
    if let Some(id) = &request.release {
        if !holds.iter().any(|hold| hold.id == *id && hold.is_active(act.at)) {
            return Decision::Refuse(Refusal::unknown_hold(name, id, &holds, act.at));
        }
        holds.retain(|hold| hold.id != *id);
    }
    let mut moved = aim(dataset, name, pointer, target, &request.reason, act);
    let mut withdrawn = None;
    match (action, pointer) {
        (Action::RollBack, Some(pointer)) => {
            let kept = pointer.trail.iter().rposition(|it| *it == target.version);
            let popped = moved.trail.split_off(kept.unwrap_or(moved.trail.len()));
            moved.ahead.push(pointer.version);
            moved.ahead.extend(popped.into_iter().skip(1).rev());
            holds.push(PointerHold {
                id: HoldId::of(act.id),
                pointer: name.clone(),
                by: act.actor.clone(),
                reason: request.reason.clone(),
                at: act.at,
                until: request.hold_until,
                left: Some(pointer.version),
            });
            if *name == PointerName::live() || request.withdraw {
                withdrawn = Some(Mark::new(act, &request.reason));
            }
        }
        (Action::RollForward, Some(pointer)) => {
            let taken = moved.ahead.iter().rposition(|it| *it == target.version);
            moved.ahead.truncate(taken.unwrap_or_default());
            moved.trail.push(pointer.version);
            let own = |hold: &PointerHold| {
                hold.by == act.actor && hold.left.is_none_or(|left| left == target.version)
            };
            if let Some(undone) = holds.iter().rposition(own) {
                holds.remove(undone);
            }
        }
        (_, pointer) => {
            moved.trail.extend(pointer.map(|pointer| pointer.version));
            moved.ahead.clear();
        }
    }
    let reached = Version { withdrawn: None, ..target.clone() };
    let left = left.map(|left| (left, withdrawn));
    Move { dataset, holds, moved, pointer, reached, left, action, act }.commit()
}

/// Refuses what was decided on a generation of the pointer that is not the one it has now.
fn moved_since(name: &PointerName, pointer: Option<&Pointer>, shown: Option<u64>) -> Option<Refusal> {
    let is = pointer.map_or(0, |pointer| pointer.generation);
    (shown? != is).then(|| Refusal::moved(name, pointer))
}

/// Moves a pointer to a version that passed, unless a hold, a newer dataset or the contract forbids it.
///
/// `versions` are the dataset's versions. The target must be newer than every version that the pointer `live` ever
/// named and that is not withdrawn.
pub fn promote(
    dataset: &Dataset,
    name: &PointerName,
    pointer: Option<&Pointer>,
    versions: &[Version],
    target: &Version,
    act: &Act,
) -> Decision<Pointer> {
    if let Some(pointer) = pointer
        && pointer.version == target.version
        && target.promotion_state == Some(PromotionState::Promoted)
    {
        return Decision::Already(pointer.clone());
    }
    if let Some(refusal) = unfit(target) {
        return Decision::Refuse(refusal);
    }
    if dataset.settings.promotion == Promotion::Manual {
        return Decision::Refuse(Refusal::Manual);
    }
    let holds = dataset.holds_of(name, pointer);
    if let Some(hold) = strictest(holds.iter().filter(|hold| hold.is_active(act.at))) {
        return Decision::Refuse(Refusal::Held { pointer: name.clone(), by: hold.by, reason: hold.reason });
    }
    if let Some(than) = newest_live(dataset, versions, pointer)
        && dataset.rank(than) >= dataset.rank(target)
    {
        return Decision::Refuse(Refusal::Older { version: target.version, than: than.version });
    }
    let mut moved = aim(dataset, name, pointer, target, "passed its checks", act);
    moved.trail.extend(pointer.map(|pointer| pointer.version));
    moved.ahead.clear();
    let reached = Version { promotion_state: Some(PromotionState::Promoted), waits: None, ..target.clone() };
    let left = pointer.and_then(|pointer| versions.iter().find(|it| it.version == pointer.version));
    let left = left.map(|left| (left, None));
    Move { dataset, holds, moved, pointer, reached, left, action: Action::Promote, act }.commit()
}

/// Returns the newest version, by the order of the dataset, that was ever live and is not withdrawn.
pub fn newest_live<'a>(
    dataset: &Dataset,
    versions: &'a [Version],
    live: Option<&Pointer>,
) -> Option<&'a Version> {
    let was_live = versions.iter().filter(|version| version.was_live(live) && version.withdrawn.is_none());
    was_live.max_by_key(|version| dataset.rank(version))
}

/// Records why a version that passed is not promoted, so that it is not tried again.
pub fn skip_promotion(target: &Version, why: &str, act: &Act) -> Decision<Version> {
    if target.promotion_state != Some(PromotionState::Pending) {
        return Decision::Already(target.clone());
    }
    note(target, Action::SkipPromotion, why.to_owned(), act, |version| {
        version.promotion_state = Some(PromotionState::Skipped(why.to_owned()));
        version.waits = None;
    })
}

/// Returns why no pointer may name a version.
fn unfit(target: &Version) -> Option<Refusal> {
    match &target.withdrawn {
        _ if target.state != State::Valid => {
            Some(Refusal::NotValid { version: target.version, is: target.state })
        }
        Some(mark) => Some(Refusal::withdrawn(target, mark)),
        None => None,
    }
}

/// A release that an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRequest {
    /// Hold to end, whoever owns it; without it, the holds of the operator that asks.
    pub hold: Option<HoldId>,
    /// Reason for the release.
    pub reason: String,
    /// Version that the pointer moves to in the same transaction.
    pub promote: Option<VersionNumber>,
    /// Generation of the pointer that the operator was shown.
    pub shown: Option<u64>,
}

impl ReleaseRequest {
    /// A release of the acting operator's own holds.
    pub fn own(reason: impl Into<String>) -> Self {
        Self { hold: None, reason: reason.into(), promote: None, shown: None }
    }
}

/// Ends holds of a pointer; once none is left, the next version that passes is promoted again.
///
/// Without a named hold only those of the acting operator end.
pub fn release(
    dataset: &Dataset,
    name: &PointerName,
    pointer: Option<&Pointer>,
    versions: &[Version],
    request: &ReleaseRequest,
    act: &Act,
) -> Decision<Pointer> {
    let Some(pointer) = pointer else {
        return Decision::Refuse(Refusal::NoPointer { pointer: name.clone(), candidates: Vec::new() });
    };
    if let Some(refusal) = moved_since(name, Some(pointer), request.shown) {
        return Decision::Refuse(refusal);
    }
    let holds = dataset.holds_of(name, Some(pointer));
    let active = |hold: &&PointerHold| hold.is_active(act.at);
    if !holds.iter().any(|hold| active(&hold)) {
        return Decision::Refuse(Refusal::NotHeld { pointer: name.clone() });
    }
    let ends = |hold: &PointerHold| match &request.hold {
        Some(id) => hold.id == *id,
        None => hold.by == act.actor,
    };
    if !holds.iter().filter(active).any(ends) {
        return Decision::Refuse(match &request.hold {
            Some(id) => Refusal::unknown_hold(name, id, &holds, act.at),
            None => Refusal::HeldByOthers {
                pointer: name.clone(),
                holds: holds.iter().filter(active).cloned().collect(),
            },
        });
    }
    let left: Vec<_> = holds.into_iter().filter(|hold| !ends(hold)).collect();
    if let Some(number) = request.promote {
        if let Some(hold) = strictest(left.iter().filter(active)) {
            let (by, reason) = (hold.by, hold.reason);
            return Decision::Refuse(Refusal::Held { pointer: name.clone(), by, reason });
        }
        let Some(target) = versions.iter().find(|version| version.version == number) else {
            return Decision::Refuse(Refusal::NowhereToGo { pointer: name.clone(), candidates: Vec::new() });
        };
        if let Some(refusal) = unfit(target) {
            return Decision::Refuse(refusal);
        }
        let mut moved = aim(dataset, name, Some(pointer), target, &request.reason, act);
        moved.trail.push(pointer.version);
        moved.ahead.clear();
        let from = versions.iter().find(|version| version.version == pointer.version);
        return Move {
            dataset,
            holds: left,
            moved,
            pointer: Some(pointer),
            reached: target.clone(),
            left: from.map(|from| (from, None)),
            action: Action::Point,
            act,
        }
        .commit();
    }
    let mut released = Pointer { generation: pointer.generation + 1, ..pointer.clone() };
    let mut writes = Vec::new();
    writes.extend(set_holds(dataset, &mut released, left, act));
    writes
        .push(Write { item: Item::Pointer(released.clone()), expect: Expect::Revision(pointer.generation) });
    let record = Record {
        pointer: Some(name.clone()),
        version: Some(pointer.version),
        revision: Some(released.generation),
        reason: Some(request.reason.clone()),
        ..act.record(&pointer.dataset, Action::Release)
    };
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
        carried: pointer.map(|pointer| pointer.carried.clone()).unwrap_or_default(),
    }
}

/// Gives a pointer these holds, without those that have ended; the write of the dataset item if its list changes.
fn set_holds(dataset: &Dataset, pointer: &mut Pointer, holds: Vec<PointerHold>, act: &Act) -> Option<Write> {
    let (mut active, ended): (Vec<_>, Vec<_>) = holds.into_iter().partition(|hold| hold.is_active(act.at));
    let was_held = pointer.hold.is_some();
    pointer.hold = strictest(&active);
    // A hold of release 0.1.0 stays where that release put it, on the pointer alone.
    if let [only] = &active[..]
        && only.id == HoldId::unnamed()
    {
        active.clear();
    }
    let others = dataset.holds.iter().filter(|hold| hold.pointer != pointer.pointer);
    let all: Vec<_> = others.cloned().chain(active.iter().cloned()).collect();
    if all == dataset.holds && was_held == pointer.hold.is_some() {
        return None;
    }
    let mut changed = Dataset { holds: all, ..dataset.clone() };
    if pointer.hold.is_none() {
        let end = ended.iter().filter_map(|hold| hold.until).max().unwrap_or(act.at);
        changed.holds_ended_at = changed.holds_ended_at.max(Some(end));
    }
    Some(changed.written(act))
}

/// A move that was decided on.
struct Move<'a> {
    dataset: &'a Dataset,
    /// Holds of the pointer after the move.
    holds: Vec<PointerHold>,
    moved: Pointer,
    /// The pointer as it is.
    pointer: Option<&'a Pointer>,
    /// The target, with what the move changes of it.
    reached: Version,
    /// The version being left, and the mark that withdraws it.
    left: Option<(&'a Version, Option<Mark>)>,
    action: Action,
    act: &'a Act,
}

impl Move<'_> {
    fn commit(self) -> Decision<Pointer> {
        let Self { dataset, holds, mut moved, pointer, mut reached, left, action, act } = self;
        let excess = moved.trail.len().saturating_sub(TRAIL);
        moved.trail.drain(..excess);
        moved.previous = moved.trail.last().copied();
        let of_dataset = set_holds(dataset, &mut moved, holds, act);
        // A promotion was decided on the dataset's contract and holds: it is refused once they change.
        let mut witnesses = Vec::new();
        if of_dataset.is_none() {
            witnesses.push(Witness { key: Key::dataset(&dataset.dataset), revision: dataset.revision });
        }

        let was = reached.revision;
        reached.pointed_by.insert(moved.pointer.clone());
        reached.last_pointed_at = Some(act.at);
        if moved.pointer == PointerName::live() {
            reached.first_live_at = reached.first_live_at.or(Some(act.at));
        }
        reached.revision += 1;
        let mut writes = vec![
            Write {
                item: Item::Pointer(moved.clone()),
                expect: pointer.map_or(Expect::Absent, |pointer| Expect::Revision(pointer.generation)),
            },
            Write { item: reached.clone().into(), expect: Expect::Revision(was) },
        ];
        if let Some((left, withdrawn)) = left.filter(|(left, _)| left.version != reached.version) {
            let mut leaving = left.clone();
            leaving.pointed_by.remove(&moved.pointer);
            leaving.last_pointed_at = Some(act.at);
            leaving.revision += 1;
            // Release 0.1.0 did not keep the time at which a version went live first.
            if moved.pointer == PointerName::live() {
                leaving.first_live_at = leaving.first_live_at.or(pointer.map(|pointer| pointer.moved_at));
            }
            // Readers of another pointer still rely on it.
            if leaving.pointed_by.is_empty() && leaving.state == State::Valid {
                leaving.withdrawn = withdrawn.or(leaving.withdrawn);
            }
            writes.push(Write { item: leaving.into(), expect: Expect::Revision(left.revision) });
        }
        writes.extend(of_dataset);
        let record = Record {
            pointer: Some(moved.pointer.clone()),
            version: Some(moved.version),
            before: pointer.map(|pointer| pointer.version.to_string()),
            after: Some(moved.version.to_string()),
            revision: Some(moved.generation),
            reason: Some(moved.reason.clone()),
            ..act.record(&moved.dataset, action)
        };
        Decision::Commit(Box::new(Transaction { writes, witnesses, record }), moved)
    }
}
