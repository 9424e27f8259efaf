//! What each transition does and refuses, on the store in memory.

use crate::store::*;
use septet_registry::invariants::Snapshot;
use septet_registry::invariants::commits::{COMMIT_INVARIANTS, Commit};
use septet_registry::*;

fn registry() -> (Faulty, Registry) {
    let memory = Faulty::default();
    (memory.clone(), Registry::new(std::sync::Arc::new(memory), Entropy::from_seed(1)))
}

async fn with_contract() -> (Faulty, Registry) {
    let (memory, registry) = registry();
    let put = registry.put_contract(&new_contract(Promotion::Auto, "d1"), &by(0)).await.unwrap();
    assert_eq!(put, Outcome::Done(ContractNumber::new(1)));
    (memory, registry)
}

#[tokio::test]
async fn of_two_contracts_judged_against_the_same_one_comes_in_force() {
    let (_, registry) = with_contract().await;
    let one = registry.put_contract(&next_contract(Promotion::Auto, "d2", 1), &by(1)).await.unwrap();
    assert!(one.is_done());
    for late in [next_contract(Promotion::Auto, "d3", 1), new_contract(Promotion::Auto, "d3")] {
        let refused = registry.put_contract(&late, &by(2)).await.unwrap();
        let (judged, is) = (late.over, ContractNumber::new(2));
        assert_eq!(refused, Outcome::Refused(Refusal::OtherContract { judged, is }));
    }
    assert_eq!(registry.dataset(&recs()).await.unwrap().contract, ContractNumber::new(2));
    assert_eq!(registry.contracts(&recs()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn putting_the_contract_in_force_again_changes_nothing() {
    let (memory, registry) = with_contract().await;
    let before = memory.items();
    let again = registry.put_contract(&new_contract(Promotion::Auto, "d1"), &by(1)).await.unwrap();
    assert_eq!(again, Outcome::Already(ContractNumber::new(1)));
    assert_eq!(memory.items(), before);
    let next = registry.put_contract(&next_contract(Promotion::Manual, "d2", 1), &by(1)).await.unwrap();
    assert_eq!(next, Outcome::Done(ContractNumber::new(2)));
    assert_eq!(registry.contracts(&recs()).await.unwrap().len(), 2);
    assert_eq!(registry.dataset(&recs()).await.unwrap().settings.promotion, Promotion::Manual);
}

#[tokio::test]
async fn a_table_is_announced_once_and_a_new_table_of_the_same_name_is_a_new_version() {
    let (memory, registry) = with_contract().await;
    let first = registry.announce(&recs(), &announcement("recs-1", "id-1"), &by(0)).await.unwrap();
    assert!(first.is_done());
    let before = memory.items();
    let again = registry.announce(&recs(), &announcement("recs-1", "id-1"), &by(9)).await.unwrap();
    assert_eq!(again, Outcome::Already(first.into_result().unwrap()));
    assert_eq!(memory.items(), before);
    let anew = registry.announce(&recs(), &announcement("recs-1", "id-2"), &by(9)).await.unwrap();
    assert_eq!(anew.into_result().unwrap().version, number(2));
    assert_eq!(registry.claims(&TableName::parse("recs-1").unwrap()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn announcing_for_an_unknown_dataset_is_an_error() {
    let (_, registry) = registry();
    let error = registry.announce(&recs(), &announcement("recs-1", "id-1"), &by(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("recs"));
}

#[tokio::test]
async fn versions_that_pass_go_live_in_turn_and_others_never() {
    let (_, registry) = with_contract().await;
    publish(&registry, "recs-1", VerdictOutcome::Passed, 0).await;
    assert_eq!(live(&registry).await, Some(1));
    let failed = publish(&registry, "recs-2", VerdictOutcome::Failed, 10).await;
    assert_eq!((failed.state, live(&registry).await), (State::Rejected, Some(1)));
    let refused = registry.move_pointer(&recs(), &PointerName::live(), &to(2), &by(11)).await.unwrap();
    assert_eq!(refused, Outcome::Refused(Refusal::NotValid { version: number(2), is: State::Rejected }));
    publish(&registry, "recs-3", VerdictOutcome::Passed, 20).await;
    let pointer = registry.pointer(&recs(), &PointerName::live()).await.unwrap().unwrap();
    assert_eq!((pointer.version, pointer.previous, pointer.generation), (number(3), Some(number(1)), 2));
    assert_eq!(invariants::broken(&snapshot(&registry).await, at(20)), Vec::<String>::new());
}

#[tokio::test]
async fn an_older_version_that_passes_late_is_never_promoted_over_a_newer_one() {
    let (_, registry) = with_contract().await;
    let (set, name) = (recs(), PointerName::live());
    let late = registry.announce(&set, &announcement("recs-1", "id-1"), &by(0)).await.unwrap();
    let late = late.into_result().unwrap().version;
    publish(&registry, "recs-2", VerdictOutcome::Passed, 1).await;
    registry.seal(&set, late, &readiness().into(), &by(2)).await.unwrap().into_result().unwrap();
    registry.begin_check(&set, late, &lease("w", 60), &by(2)).await.unwrap().into_result().unwrap();
    let passed = conclusion(VerdictOutcome::Passed, "late");
    let _ = registry.conclude(&set, late, "w", &passed, &by(3)).await.unwrap();
    let older = Refusal::Older { version: late, than: number(2) };
    assert_eq!(registry.promote(&set, &name, late, &by(3)).await.unwrap(), Outcome::Refused(older.clone()));
    let skipped = registry.skip_promotion(&set, late, &older.to_string(), &by(3)).await.unwrap();
    let state = skipped.into_result().unwrap().promotion_state;
    assert!(matches!(state, Some(PromotionState::Skipped(why)) if why.contains("older than version 2")));

    // Rolled back from 2, the pointer still refuses what is older than 2.
    let _ = registry.move_pointer(&set, &name, &to(1), &by(4)).await.unwrap().into_result().unwrap();
    assert_eq!(live(&registry).await, Some(1));
}

#[tokio::test]
async fn rollback_walks_back_holds_and_forward_undoes_it() {
    let (_, registry) = with_contract().await;
    let (set, name) = (recs(), PointerName::live());
    for night in 1..=3 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night * 10).await;
    }
    let back = request(Direction::Back(None));
    let forward = request(Direction::Forward);
    let go = async |request: &PointRequest, now| {
        registry.move_pointer(&recs(), &PointerName::live(), request, &by(now)).await.unwrap()
    };
    let pointer = go(&back, 40).await.into_result().unwrap();
    assert_eq!((pointer.version, pointer.previous), (number(2), Some(number(1))));
    assert_eq!(pointer.hold.unwrap().by, "tester");

    let fresh = publish(&registry, "recs-4", VerdictOutcome::Passed, 45).await;
    assert_eq!((fresh.state, live(&registry).await), (State::Valid, Some(2)), "the hold stops promotion");
    let held = registry.promote(&set, &name, number(4), &by(46)).await.unwrap();
    assert!(matches!(held, Outcome::Refused(Refusal::Held { .. })));

    assert_eq!(go(&back, 50).await.into_result().unwrap().version, number(1));
    let nowhere = go(&back, 55).await.into_result().unwrap_err();
    assert_eq!(
        nowhere,
        Refusal::NowhereToGo { pointer: name.clone(), candidates: vec![number(4)] },
        "what a rollback left is withdrawn"
    );
    assert_eq!(go(&forward, 60).await.into_result().unwrap().version, number(2));
    let undone = go(&forward, 65).await.into_result().unwrap();
    assert_eq!((undone.version, undone.hold, undone.previous), (number(3), None, Some(number(2))));
    assert!(matches!(go(&forward, 70).await, Outcome::Refused(Refusal::NowhereToGo { .. })));

    // All the way back in one step, and in one step forward again.
    assert_eq!(
        go(&request(Direction::Back(Some(number(1)))), 75).await.into_result().unwrap().version,
        number(1)
    );
    let half = go(&forward, 80).await.into_result().unwrap();
    assert_eq!((half.version, half.hold.is_some()), (number(2), true), "version 3 is left still");
    let whole = go(&forward, 82).await.into_result().unwrap();
    assert_eq!((whole.version, whole.hold), (number(3), None));
    let released = registry.release(&set, &name, &ReleaseRequest::own("done"), &by(85)).await.unwrap();
    assert_eq!(released, Outcome::Refused(Refusal::NotHeld { pointer: name.clone() }));
    assert_eq!(invariants::broken(&snapshot(&registry).await, at(85)), Vec::<String>::new());
}

#[tokio::test]
async fn a_hold_ends_by_release_and_by_its_own_time() {
    let (_, registry) = with_contract().await;
    let (set, name) = (recs(), PointerName::live());
    for night in 1..=3 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night).await;
    }
    let back = PointRequest { hold_until: Some(at(100)), ..request(Direction::Back(None)) };
    let _ = registry.move_pointer(&set, &name, &back, &by(10)).await.unwrap().into_result().unwrap();
    let fresh = publish(&registry, "recs-4", VerdictOutcome::Passed, 20).await;
    assert_eq!(live(&registry).await, Some(2));
    let promoted = registry.promote(&set, &name, fresh.version, &by(100)).await.unwrap();
    assert_eq!(promoted.into_result().unwrap().version, number(4), "the hold has ended");

    let _ = registry.move_pointer(&set, &name, &request(Direction::Back(None)), &by(110)).await.unwrap();
    let released = registry
        .release(&set, &name, &ReleaseRequest::own("mended"), &by(120))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    assert_eq!(released.hold, None);
    assert_eq!(publish(&registry, "recs-5", VerdictOutcome::Passed, 130).await.state, State::Valid);
    assert_eq!(live(&registry).await, Some(5));
}

#[tokio::test]
async fn a_target_with_the_very_same_content_needs_force() {
    let (_, registry) = with_contract().await;
    let (set, name) = (recs(), PointerName::live());
    for table in ["recs-1", "recs-2"] {
        publish(&registry, table, VerdictOutcome::Passed, 0).await;
    }
    let items = registry.versions(&set).await.unwrap();
    assert_ne!(items[0].digest, items[1].digest);
    let _ = publish_same(&registry).await;
    let same = registry.move_pointer(&set, &name, &to(3), &by(5)).await.unwrap();
    assert_eq!(same, Outcome::Refused(Refusal::Identical { version: number(3), to: number(2) }));
    let forced = PointRequest { force: true, ..to(3) };
    let moved = registry.move_pointer(&set, &name, &forced, &by(5)).await.unwrap();
    assert_eq!(moved.into_result().unwrap().version, number(3));
}

/// A version with the content of `recs-2` that nobody promotes.
async fn publish_same(registry: &Registry) {
    let set = recs();
    let made = registry.announce(&set, &announcement("recs-3", "recs-3"), &by(1)).await.unwrap();
    let version = made.into_result().unwrap().version;
    registry.seal(&set, version, &readiness().into(), &by(1)).await.unwrap().into_result().unwrap();
    registry.begin_check(&set, version, &lease("w", 60), &by(1)).await.unwrap().into_result().unwrap();
    let conclusion = conclusion(VerdictOutcome::Passed, "recs-2");
    registry.conclude(&set, version, "w", &conclusion, &by(1)).await.unwrap().into_result().unwrap();
}

#[tokio::test]
async fn a_check_belongs_to_one_invocation_until_its_lease_ends() {
    let (_, registry) = with_contract().await;
    let set = recs();
    let made = registry.announce(&set, &announcement("recs-1", "id"), &by(0)).await.unwrap();
    let version = made.into_result().unwrap().version;
    registry.seal(&set, version, &readiness().into(), &by(0)).await.unwrap().into_result().unwrap();
    let begin = async |owner: &str, now| {
        registry.begin_check(&recs(), version, &lease(owner, now + 60), &by(now)).await.unwrap()
    };
    assert!(begin("a", 0).await.is_done());
    assert!(matches!(begin("a", 1).await, Outcome::Already(_)), "the same invocation goes on");
    assert!(matches!(begin("b", 59).await, Outcome::Refused(Refusal::Leased { .. })));
    let taken = begin("b", 60).await.into_result().unwrap();
    assert_eq!((taken.attempts, taken.state), (2, State::Checking));
    let late = conclusion(VerdictOutcome::Passed, "x");
    let refused = registry.conclude(&set, version, "a", &late, &by(61)).await.unwrap();
    assert_eq!(refused, Outcome::Refused(Refusal::LeaseLost { version }));
    let done = registry.conclude(&set, version, "b", &late, &by(62)).await.unwrap();
    assert!(done.is_done());
    let actions: Vec<_> =
        registry.log(&set, None).await.unwrap().into_iter().rev().map(|it| it.action).collect();
    use Action::*;
    assert_eq!(actions, [PutContract, Announce, Seal, Check, TakeOver, Pass]);
}

#[tokio::test]
async fn a_check_that_broke_may_run_again_and_one_that_failed_may_not() {
    let (_, registry) = with_contract().await;
    let broke = publish(&registry, "recs-1", VerdictOutcome::Errored, 0).await;
    assert_eq!(broke.state, State::Rejected);
    let again = registry.begin_check(&recs(), broke.version, &lease("w", 60), &by(1)).await.unwrap();
    assert_eq!(again.into_result().unwrap().state, State::Checking);
    let failed = publish(&registry, "recs-2", VerdictOutcome::Failed, 2).await;
    let refused = registry.begin_check(&recs(), failed.version, &lease("w", 60), &by(3)).await.unwrap();
    assert!(matches!(refused, Outcome::Refused(Refusal::State { is: State::Rejected, .. })));
}

#[tokio::test]
async fn only_superfluous_versions_past_their_grace_are_retired() {
    let (_, registry) = with_contract().await;
    let set = recs();
    for night in 1..=4 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night).await;
    }
    let retire = async |version, now| {
        registry.retire(&recs(), number(version), "beyond the newest 2", &by(now)).await.unwrap()
    };
    assert!(matches!(retire(4, 500).await, Outcome::Refused(Refusal::Pointed { .. })));
    assert!(matches!(retire(3, 500).await, Outcome::Refused(Refusal::AmongNewest { keep: 2, .. })));
    assert!(matches!(retire(2, 4).await, Outcome::Refused(Refusal::InGrace { .. })));
    let retired = retire(2, 500).await.into_result().unwrap();
    assert_eq!((retired.state, retired.delete_after), (State::Retiring, Some(at(560))));
    let back = registry.move_pointer(&set, &PointerName::live(), &to(2), &by(501)).await.unwrap();
    assert!(matches!(back, Outcome::Refused(Refusal::NotValid { .. })));
    assert!(registry.delete(&set, number(2), &by(600)).await.unwrap().is_done());
    assert!(matches!(registry.delete(&set, number(2), &by(601)).await.unwrap(), Outcome::Already(_)));
    assert_eq!(invariants::broken(&snapshot(&registry).await, at(700)), Vec::<String>::new());
}

#[tokio::test]
async fn a_pointed_version_whose_table_vanished_is_lost_only_after_somebody_points_elsewhere() {
    let (_, registry) = with_contract().await;
    let set = recs();
    for night in 1..=2 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night).await;
    }
    let refused = registry.lose(&set, number(2), &by(5)).await.unwrap();
    assert!(matches!(refused, Outcome::Refused(Refusal::Pointed { .. })));
    let back = request(Direction::Back(None));
    let _ = registry.move_pointer(&set, &PointerName::live(), &back, &by(6)).await.unwrap();
    assert_eq!(
        registry.lose(&set, number(2), &by(7)).await.unwrap().into_result().unwrap().state,
        State::Lost
    );
}

#[tokio::test]
async fn an_answer_that_is_lost_is_told_from_a_request_that_is_lost() {
    use Fault::{Conflict, LostAnswer, LostRequest};
    for faults in [
        vec![LostAnswer],
        vec![LostRequest],
        vec![LostAnswer, LostRequest, Conflict],
        vec![LostRequest, LostAnswer, LostRequest],
        vec![Conflict, LostAnswer, Conflict],
    ] {
        let (memory, registry) = with_contract().await;
        memory.fail(faults.clone());
        let made = registry.announce(&recs(), &announcement("recs-1", "id"), &by(0)).await.unwrap();
        assert!(made.is_done(), "{faults:?}");
        memory.fail(faults.clone());
        let put = registry.put_contract(&next_contract(Promotion::Auto, "d2", 1), &by(1)).await.unwrap();
        assert_eq!(put, Outcome::Done(ContractNumber::new(2)), "{faults:?}");
        let records = registry.log(&recs(), None).await.unwrap();
        assert_eq!(records.len(), 3, "{faults:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn endless_contention_ends_in_an_error_that_may_be_tried_again() {
    let (memory, registry) = with_contract().await;
    memory.fail(vec![Fault::Conflict; 1000]);
    let error = registry.announce(&recs(), &announcement("recs-1", "id"), &by(0)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Conflict, true));
    memory.fail(vec![Fault::LostRequest; 1000]);
    let error = registry.announce(&recs(), &announcement("recs-1", "id"), &by(0)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    // Silence costs a client's whole patience each time, so it ends much sooner than contention does.
    memory.fail([vec![Fault::LostRequest; 4], vec![Fault::Conflict; 30]].concat());
    assert!(registry.announce(&recs(), &announcement("recs-2", "id-2"), &by(0)).await.unwrap().is_done());
    memory.fail(vec![Fault::LostRequest; 5]);
    registry.announce(&recs(), &announcement("recs-3", "id-3"), &by(0)).await.unwrap_err();
    memory.fail(vec![]);
    let tables: Vec<_> =
        registry.versions(&recs()).await.unwrap().into_iter().map(|it| it.table.to_string()).collect();
    assert_eq!(tables, ["recs-2"]);
}

#[tokio::test]
async fn every_way_to_break_a_registry_is_noticed() {
    let (_, registry) = with_contract().await;
    publish(&registry, "recs-1", VerdictOutcome::Passed, 0).await;
    publish(&registry, "recs-2", VerdictOutcome::Passed, 10).await;
    publish(&registry, "recs-3", VerdictOutcome::Failed, 20).await;
    let sound = snapshot(&registry).await;
    assert_eq!(invariants::broken(&sound, at(30)), Vec::<String>::new());

    type Break = fn(&mut Snapshot);
    let ways: [(&str, Break); 9] = [
        ("names version 3", |it| it.pointers[0].version = number(3)),
        ("names version 9: none", |it| it.pointers[0].version = number(9)),
        ("does not know of live", |it| it.versions[1].pointed_by.clear()),
        ("within its grace", |it| it.versions[1].state = State::Deleted),
        ("are one table", |it| it.versions[1].table_id = it.versions[0].table_id.clone()),
        ("the records end at", |it| drop(it.records.remove(0))),
        ("goes on from", |it| it.records.push(Record { id: uuid::Uuid::max(), ..it.records[0].clone() })),
        ("both led to", |it| it.records.push(Record { id: uuid::Uuid::max(), ..it.records[0].clone() })),
        ("the next version would be 3, which exists", |it| it.dataset.next_version = number(3)),
    ];
    for (says, breaks) in ways {
        let mut snapshot = sound.clone();
        breaks(&mut snapshot);
        let broken = invariants::broken(&snapshot, at(30));
        assert!(broken.iter().any(|it| it.contains(says)), "{says}: {broken:?}");
    }
}

#[tokio::test]
async fn every_way_to_break_an_invariant_of_commits_is_noticed() {
    let (_, registry) = with_contract().await;
    for night in 1..=4 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night * 10).await;
    }
    let _ = registry.move_pointer(&recs(), &PointerName::live(), &to(3), &by(50)).await.unwrap();
    let sound = snapshot(&registry).await;
    let record = |action, version| Record {
        action,
        version: Some(number(version)),
        pointer: Some(PointerName::live()),
        at: at(100),
        actor: "another".into(),
        ..sound.records[0].clone()
    };
    let hold = |until| Hold { by: "tester".into(), reason: "it is bad".into(), until };

    type Break<'a> = Box<dyn Fn(&mut Snapshot, &mut Snapshot) + 'a>;
    let nothing = || -> Break<'_> { Box::new(|_, _| ()) };
    let retire = |versions: &'static [usize]| -> Break<'_> {
        Box::new(|_, after| versions.iter().for_each(|at| after.versions[*at].state = State::Retiring))
    };
    let held: Break<'_> = Box::new(|before, _| before.pointers[0].hold = Some(hold(Some(at(101)))));
    let shortened: Break<'_> = Box::new(|before, after| {
        before.pointers[0].hold = Some(hold(None));
        after.pointers[0].hold = Some(hold(Some(at(900))));
    });
    let manual: Break<'_> = Box::new(|before, _| before.dataset.settings.promotion = Promotion::Manual);
    let unsealed: Break<'_> = Box::new(|before, _| before.versions[0].readiness = None);
    let shows_none: Break<'_> = Box::new(|_, after| {
        after.dataset.holds = vec![PointerHold {
            id: HoldId::parse("one").unwrap(),
            pointer: PointerName::live(),
            by: "tester".into(),
            reason: "it is bad".into(),
            at: at(60),
            until: None,
            left: None,
        }];
    });
    let ways = [
        ("live shows None", record(Action::Point, 3), shows_none),
        ("was promoted against hold 0.1.0 by tester", record(Action::Promote, 4), held),
        ("was promoted, contract 1 says manual", record(Action::Promote, 4), manual),
        ("version 3 was promoted although version 4 was live", record(Action::Promote, 3), nothing()),
        ("another ended hold 0.1.0 by tester", record(Action::RollForward, 4), shortened),
        ("version 1 was deleted and was never sealed", record(Action::Delete, 1), unsealed),
        ("was the last good version that is not live", record(Action::Retire, 4), retire(&[0, 1, 3])),
        ("version 4 was pruned and is among the newest", record(Action::Retire, 4), retire(&[3])),
    ];
    let broken = |before: &Snapshot, after: &Snapshot, record: &Record| -> Vec<String> {
        let commit = Commit { before, after, record };
        COMMIT_INVARIANTS.iter().flat_map(|(_, broken)| broken(&commit)).collect()
    };
    for (says, record, breaks) in &ways {
        let (mut before, mut after) = (sound.clone(), sound.clone());
        breaks(&mut before, &mut after);
        let broken = broken(&before, &after, record);
        assert!(broken.iter().any(|it| it.contains(says)), "{says}: {broken:?}");
    }
    for harmless in [record(Action::Promote, 4), record(Action::Delete, 1), record(Action::Retire, 1)] {
        assert_eq!(broken(&sound, &sound, &harmless), Vec::<String>::new());
    }
    assert_eq!(ways.len(), COMMIT_INVARIANTS.len());
}
