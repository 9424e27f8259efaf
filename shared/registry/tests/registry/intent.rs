//! What operators confirmed, what they hold, and what a bad version may not do to others.

use std::sync::Arc;

use septet_registry::retention::{Act, Holdings, Keep, Plan, Policy, plan};
use septet_registry::*;

use crate::store::*;
use VerdictOutcome::Passed;

async fn with_nights(nights: i64) -> Registry {
    let registry = Registry::new(Arc::new(Memory::default()), Entropy::from_seed(1));
    let put = registry.put_contract(&new_contract(Promotion::Auto, "d1"), &by(0)).await.unwrap();
    assert!(put.is_done());
    for night in 1..=nights {
        publish(&registry, &format!("recs-{night}"), Passed, night * 10).await;
    }
    registry
}

async fn move_live(
    registry: &Registry,
    who: &str,
    request: &PointRequest,
    now: i64,
) -> Result<Pointer, Refusal> {
    let moved = registry.move_pointer(&recs(), &PointerName::live(), request, &By::new(who, at(now))).await;
    moved.unwrap().into_result()
}

async fn release(
    registry: &Registry,
    who: &str,
    request: &ReleaseRequest,
    now: i64,
) -> Result<Pointer, Refusal> {
    let released = registry.release(&recs(), &PointerName::live(), request, &By::new(who, at(now))).await;
    released.unwrap().into_result()
}

fn back() -> PointRequest {
    request(Direction::Back(None))
}

async fn holds(registry: &Registry) -> Vec<PointerHold> {
    registry.dataset(&recs()).await.unwrap().holds
}

async fn planned(registry: &Registry, now: i64) -> Plan {
    let holdings = Holdings::read(registry, &recs(), at(now)).await.unwrap();
    let policy = Policy::new(&holdings.dataset.settings, jiff::SignedDuration::from_secs(120));
    plan(&holdings, &policy, at(now))
}

async fn sound(registry: &Registry, now: i64) {
    assert_eq!(invariants::broken(&snapshot(registry).await, at(now)), Vec::<String>::new());
}

#[tokio::test]
async fn of_two_operators_that_confirmed_the_same_move_one_moves() {
    let registry = with_nights(4).await;
    move_live(&registry, "ann", &back(), 50).await.unwrap();
    move_live(&registry, "ann", &back(), 60).await.unwrap();
    let shown = registry.pointer(&recs(), &PointerName::live()).await.unwrap().unwrap().generation;
    // Shown was a way to another version than the one that it leads to by now.
    let elsewhere = PointRequest { target: Some(number(4)), ..request(Direction::Forward) };
    assert!(matches!(move_live(&registry, "ann", &elsewhere, 65).await, Err(Refusal::MovedSince { .. })));
    let forward = PointRequest { shown: Some(shown), ..request(Direction::Forward) };
    assert_eq!(move_live(&registry, "ann", &forward, 70).await.unwrap().version, number(3));
    let refusal = move_live(&registry, "bob", &forward, 71).await.unwrap_err();
    assert!(matches!(refusal, Refusal::MovedSince { version: Some(version), .. } if version == number(3)));
    assert_eq!(live(&registry).await, Some(3));
    // A release, a first point and a pointer that was not there are moves like others.
    let old = ReleaseRequest { shown: Some(shown), ..ReleaseRequest::own("done") };
    assert!(matches!(release(&registry, "ann", &old, 72).await, Err(Refusal::MovedSince { .. })));
    let none = PointRequest { shown: Some(0), ..to(2) };
    assert!(matches!(move_live(&registry, "ann", &none, 73).await, Err(Refusal::MovedSince { .. })));
}

#[tokio::test]
async fn each_operator_ends_its_own_hold_and_those_it_names() {
    let registry = with_nights(4).await;
    move_live(&registry, "ann", &back(), 50).await.unwrap();
    let until = PointRequest { hold_until: Some(at(500)), ..back() };
    let pointer = move_live(&registry, "bob", &until, 60).await.unwrap();
    assert_eq!(pointer.hold.as_ref().unwrap().by, "ann", "the strictest is shown");
    assert_eq!(holds(&registry).await.len(), 2);

    // Carol has none; bob ends his; ann's goes on.
    let refusal = release(&registry, "carol", &ReleaseRequest::own("why not"), 70).await.unwrap_err();
    assert!(matches!(&refusal, Refusal::HeldByOthers { holds, .. } if holds.len() == 2), "{refusal}");
    release(&registry, "bob", &ReleaseRequest::own("done"), 71).await.unwrap();
    let night = publish(&registry, "recs-5", Passed, 80).await;
    assert_eq!((live(&registry).await, night.state), (Some(2), State::Valid));

    // A forward by another than its owner moves, and leaves the hold.
    let forward = request(Direction::Forward);
    let pointer = move_live(&registry, "bob", &forward, 90).await.unwrap();
    assert_eq!((pointer.version, pointer.hold.unwrap().by.as_str()), (number(3), "ann"));
    let pointer = move_live(&registry, "bob", &forward, 91).await.unwrap();
    assert_eq!((pointer.version, pointer.hold.unwrap().by.as_str()), (number(4), "ann"));
    let refused = registry.promote(&recs(), &PointerName::live(), night.version, &by(92)).await.unwrap();
    assert!(matches!(refused, Outcome::Refused(Refusal::Held { .. })));

    let id = holds(&registry).await[0].id.clone();
    let unknown = ReleaseRequest { hold: Some(HoldId::parse("none").unwrap()), ..ReleaseRequest::own("x") };
    assert!(matches!(release(&registry, "bob", &unknown, 93).await, Err(Refusal::UnknownHold { .. })));
    let named = ReleaseRequest { hold: Some(id), ..ReleaseRequest::own("ann is on leave") };
    assert_eq!(release(&registry, "bob", &named, 94).await.unwrap().hold, None);
    assert_eq!(holds(&registry).await, []);
    let promoted = registry.promote(&recs(), &PointerName::live(), night.version, &by(95)).await.unwrap();
    assert!(promoted.is_done());
    sound(&registry, 95).await;
}

#[tokio::test]
async fn a_release_may_promote_the_newest_in_the_same_transaction() {
    let registry = with_nights(3).await;
    move_live(&registry, "ann", &back(), 40).await.unwrap();
    publish(&registry, "recs-4", Passed, 50).await;
    publish(&registry, "recs-5", Passed, 60).await;
    let promote = ReleaseRequest { promote: Some(number(5)), ..ReleaseRequest::own("mended") };
    let pointer = release(&registry, "ann", &promote, 70).await.unwrap();
    assert_eq!((pointer.version, pointer.hold, pointer.previous), (number(5), None, Some(number(2))));
    sound(&registry, 70).await;

    move_live(&registry, "ann", &back(), 80).await.unwrap();
    move_live(&registry, "bob", &back(), 90).await.unwrap();
    publish(&registry, "recs-6", Passed, 100).await;
    let promote = ReleaseRequest { promote: Some(number(6)), ..ReleaseRequest::own("mended") };
    let refusal = release(&registry, "bob", &promote, 110).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Held { .. }), "{refusal}");
    assert_eq!(holds(&registry).await.len(), 2, "all of it, or nothing");
}

#[tokio::test]
async fn a_relative_move_skips_where_the_pointer_stands() {
    let registry = with_nights(2).await;
    // The trail ends with the version that is named now.
    move_live(&registry, "ann", &to(1), 30).await.unwrap();
    move_live(&registry, "ann", &to(2), 40).await.unwrap();
    move_live(&registry, "ann", &to(1), 50).await.unwrap();
    assert_eq!(move_live(&registry, "ann", &back(), 60).await.unwrap().version, number(2));
}

#[tokio::test]
async fn a_rollback_of_live_withdraws_what_it_leaves_and_forward_reinstates_it() {
    let registry = with_nights(3).await;
    move_live(&registry, "ann", &back(), 40).await.unwrap();
    let left = registry.version(&recs(), number(3)).await.unwrap();
    let mark = left.withdrawn.unwrap();
    assert_eq!((mark.by.as_str(), mark.reason.as_str()), ("ann", "because"));
    let refusal = move_live(&registry, "bob", &to(3), 41).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Withdrawn { .. }), "{refusal}");
    move_live(&registry, "ann", &request(Direction::Forward), 42).await.unwrap();
    assert_eq!(registry.version(&recs(), number(3)).await.unwrap().withdrawn, None);

    // What another pointer names stays as it is, and by hand only what no pointer names is withdrawn.
    let canary = PointerName::parse("canary").unwrap();
    let pointed = registry.move_pointer(&recs(), &canary, &to(3), &by(50)).await.unwrap();
    assert!(pointed.is_done());
    move_live(&registry, "ann", &back(), 51).await.unwrap();
    assert_eq!(registry.version(&recs(), number(3)).await.unwrap().withdrawn, None);
    let refused = registry.withdraw(&recs(), number(3), "bad", &by(52)).await.unwrap();
    assert!(matches!(refused, Outcome::Refused(Refusal::Pointed { .. })));
    // A rollback of another pointer withdraws nothing unless it is told to.
    let pointed = registry.move_pointer(&recs(), &canary, &to(1), &by(53)).await.unwrap();
    assert!(pointed.is_done());
    let pointed = registry.move_pointer(&recs(), &canary, &to(3), &by(54)).await.unwrap();
    assert!(pointed.is_done());
    for (withdraw, withdrawn) in [(false, false), (true, true)] {
        let back = PointRequest { withdraw, ..request(Direction::Back(Some(number(1)))) };
        assert!(registry.move_pointer(&recs(), &canary, &back, &by(55)).await.unwrap().is_done());
        assert_eq!(registry.version(&recs(), number(3)).await.unwrap().withdrawn.is_some(), withdrawn);
        let forward = request(Direction::Forward);
        assert!(registry.move_pointer(&recs(), &canary, &forward, &by(56)).await.unwrap().is_done());
    }
    sound(&registry, 60).await;
}

#[tokio::test]
async fn a_withdrawn_version_blocks_no_later_one_and_is_never_promoted() {
    let registry = with_nights(3).await;
    move_live(&registry, "ann", &back(), 40).await.unwrap();
    release(&registry, "ann", &ReleaseRequest::own("done"), 50).await.unwrap();
    publish(&registry, "recs-4", Passed, 60).await;
    assert_eq!(live(&registry).await, Some(4));
    // Withdrawn while its promotion is pending.
    let set = recs();
    let late = registry.announce(&set, &announcement("recs-5", "recs-5"), &by(70)).await.unwrap();
    let late = late.into_result().unwrap().version;
    registry.seal(&set, late, &readiness().into(), &by(70)).await.unwrap().into_result().unwrap();
    registry.begin_check(&set, late, &lease("w", 99), &by(70)).await.unwrap().into_result().unwrap();
    let concluded = conclusion(Passed, "late");
    registry.conclude(&set, late, "w", &concluded, &by(71)).await.unwrap().into_result().unwrap();
    assert!(registry.withdraw(&set, late, "half of it is missing", &by(72)).await.unwrap().is_done());
    let refused = registry.promote(&set, &PointerName::live(), late, &by(73)).await.unwrap();
    assert!(matches!(refused, Outcome::Refused(Refusal::Withdrawn { .. })));
    assert!(registry.reinstate(&set, late, "it was the cache", &by(74)).await.unwrap().is_done());
    assert!(matches!(registry.reinstate(&set, late, "again", &by(75)).await.unwrap(), Outcome::Already(_)));
    sound(&registry, 80).await;
}

#[tokio::test]
async fn the_order_of_datasets_is_their_creation_or_their_as_of_time() {
    for order in [DatasetOrder::Created, DatasetOrder::AsOf] {
        let registry = Registry::new(Arc::new(Memory::default()), Entropy::from_seed(1));
        let mut contract = new_contract(Promotion::Auto, "d1");
        contract.settings.order = order;
        assert!(registry.put_contract(&contract, &by(0)).await.unwrap().is_done());
        let (set, name) = (recs(), PointerName::live());
        let publish = async |table: &str, created: i64, as_of: i64, now: i64| {
            let new = Announcement { created_at: at(created), ..announcement(table, table) };
            let version =
                registry.announce(&set, &new, &by(now)).await.unwrap().into_result().unwrap().version;
            let facts = SealFacts { as_of: Some(at(as_of)), ..readiness().into() };
            registry.seal(&set, version, &facts, &by(now)).await.unwrap().into_result().unwrap();
            let lease = lease("w", now + 60);
            registry.begin_check(&set, version, &lease, &by(now)).await.unwrap().into_result().unwrap();
            let passed = conclusion(Passed, table);
            registry.conclude(&set, version, "w", &passed, &by(now)).await.unwrap().into_result().unwrap();
            let promoted = registry.promote(&set, &name, version, &by(now)).await.unwrap();
            (version, promoted)
        };
        let (newest, _) = publish("recs-28", 280, 28, 300).await;
        // The night of the 20th comes later: by its message, and in one of the cases by its table, too.
        let created = if order == DatasetOrder::Created { 200 } else { 310 };
        let (late, refused) = publish("recs-20", created, 20, 320).await;
        assert_eq!(refused, Outcome::Refused(Refusal::Older { version: late, than: newest }), "{order:?}");
        // An operator's choice of an older one opens no way to it either.
        move_live(&registry, "ann", &PointRequest { force: true, ..to(late.get()) }, 330).await.unwrap();
        move_live(&registry, "ann", &to(newest.get()), 340).await.unwrap();
        let (mid, refused) = publish("recs-24", created + 10, 24, 350).await;
        assert_eq!(refused, Outcome::Refused(Refusal::Older { version: mid, than: newest }), "{order:?}");
        // Of equal as-of times, the later-created one is the newer.
        let (_, promoted) = publish("recs-28b", 380, 28, 390).await;
        assert!(promoted.is_done(), "{order:?}: {promoted:?}");
        sound(&registry, 400).await;
    }
}

#[tokio::test]
async fn one_night_run_again_and_again_costs_no_rollback_target() {
    let registry = with_nights(3).await;
    for again in 4..=10 {
        let version = publish_as(&registry, &format!("recs-{again}"), "recs-3", again * 10).await;
        assert_eq!(version.state, State::Valid);
    }
    let plan = planned(&registry, 10_000).await;
    let kept: Vec<_> = plan.keep.iter().map(|kept| kept.version.get()).collect();
    assert!(kept.contains(&2), "{plan}");
    assert!(kept.contains(&10) && !kept.contains(&3), "{plan}");
    assert!(plan.steps.iter().all(|step| step.act == Act::Retire), "{plan}");
    let retired = registry.retire(&recs(), number(2), "superfluous", &by(10_000)).await.unwrap();
    assert!(matches!(retired, Outcome::Refused(Refusal::AmongNewest { .. })));
    let retired = registry.retire(&recs(), number(4), "the same content", &by(10_000)).await.unwrap();
    assert!(retired.is_done());
    sound(&registry, 10_000).await;
}

async fn publish_as(registry: &Registry, table: &str, digest: &str, now: i64) -> Version {
    let set = recs();
    let version = registry.announce(&set, &announcement(table, table), &by(now)).await.unwrap();
    let version = version.into_result().unwrap().version;
    registry.seal(&set, version, &readiness().into(), &by(now)).await.unwrap().into_result().unwrap();
    let lease = lease("worker", now + 60);
    registry.begin_check(&set, version, &lease, &by(now)).await.unwrap().into_result().unwrap();
    let conclusion = conclusion(Passed, digest);
    let done = registry.conclude(&set, version, "worker", &conclusion, &by(now)).await.unwrap();
    let _ = done.into_result().unwrap();
    let _ = registry.promote(&set, &PointerName::live(), version, &by(now)).await.unwrap();
    registry.version(&set, version).await.unwrap()
}

#[tokio::test]
async fn while_a_hold_is_in_force_what_was_live_before_stays_and_then_goes_a_few_at_a_time() {
    let registry = with_nights(9).await;
    move_live(&registry, "ann", &back(), 100).await.unwrap();
    for bad in 10..=14 {
        publish(&registry, &format!("recs-{bad}"), Passed, bad * 10).await;
    }
    let plan = planned(&registry, 10_000).await;
    let held: Vec<_> = plan.keep.iter().filter(|kept| kept.because.contains(&Keep::Held)).collect();
    assert_eq!(held.len(), 9, "{plan}");
    assert!(plan.steps.iter().all(|step| step.version.get() > 9), "{plan}");
    let refused = registry.retire(&recs(), number(1), "superfluous", &by(10_000)).await.unwrap();
    assert_eq!(refused, Outcome::Refused(Refusal::KeptByHold { version: number(1) }));

    release(&registry, "ann", &ReleaseRequest::own("done"), 10_001).await.unwrap();
    for sweep in 0..6 {
        let now = 20_000 + sweep * 300;
        let plan = planned(&registry, now).await;
        assert!(!plan.is_refused() && plan.counted() <= Policy::AT_MOST, "{plan}");
        for step in plan.allowed() {
            let done = match step.act {
                Act::Retire => registry.retire(&recs(), step.version, &step.reason, &by(now)).await,
                Act::Delete => registry.delete(&recs(), step.version, &by(now)).await,
            };
            assert!(done.unwrap().is_done(), "{step:?}");
        }
    }
    let good = registry.versions(&recs()).await.unwrap().into_iter().filter(Version::is_good).count();
    assert_eq!(good, 3, "the newest two and the live one");
    sound(&registry, 30_000).await;
}

#[tokio::test]
async fn what_was_never_sealed_is_neither_retired_nor_deleted_without_an_operators_word() {
    let registry = with_nights(1).await;
    let set = recs();
    let stuck = registry.announce(&set, &announcement("recs-2", "recs-2"), &by(20)).await.unwrap();
    let stuck = stuck.into_result().unwrap().version;
    assert!(registry.abandon(&set, stuck, &by(30)).await.unwrap().is_done());
    let plan = planned(&registry, 900_000).await;
    assert!(
        plan.keep.iter().any(|kept| kept.version == stuck && kept.because == [Keep::NeverSealed]),
        "{plan}"
    );
    let refused = registry.retire(&set, stuck, "abandoned", &by(900_000)).await.unwrap();
    assert_eq!(refused, Outcome::Refused(Refusal::NeverSealed { version: stuck }));

    assert!(registry.discard(&set, stuck, "a test", &By::new("ann", at(40))).await.unwrap().is_done());
    let discarded = registry.version(&set, stuck).await.unwrap();
    assert_eq!(discarded.discard.unwrap().by, "ann");
    let refused = registry.seal(&set, stuck, &readiness().into(), &by(41)).await.unwrap();
    assert!(matches!(refused, Outcome::Refused(Refusal::Discarded { .. })));
    assert!(registry.retire(&set, stuck, "discarded", &by(42)).await.unwrap().is_done());
    assert!(registry.delete(&set, stuck, &by(43)).await.unwrap().is_done());
    // What was sealed is retention's.
    let refused = registry.discard(&set, number(1), "why not", &by(44)).await.unwrap();
    assert_eq!(refused, Outcome::Refused(Refusal::Sealed { version: number(1) }));
    sound(&registry, 50).await;
}

#[tokio::test]
async fn the_claim_of_a_pattern_begins_with_its_contract() {
    let registry = with_nights(0).await;
    let put = async |pattern: &str, over: u64, now: i64| {
        let mut contract = next_contract(Promotion::Auto, &format!("{pattern}{now}"), over);
        contract.settings.table_pattern = pattern.into();
        assert!(registry.put_contract(&contract, &by(now)).await.unwrap().is_done());
        registry.dataset(&recs()).await.unwrap()
    };
    let since = |dataset: &Dataset, table: &str| {
        dataset.claims_since(|pattern| table.starts_with(pattern.trim_end_matches('*')))
    };
    let dataset = put("recs-*", 1, 100).await;
    assert_eq!(since(&dataset, "recs-1"), Some(at(0)), "the same pattern goes on");
    let dataset = put("re*", 2, 200).await;
    assert_eq!(since(&dataset, "recs-1"), Some(at(0)));
    assert_eq!(since(&dataset, "reco-1"), Some(at(200)), "nothing claimed it before");
    let dataset = put("reco-*", 3, 300).await;
    assert_eq!((since(&dataset, "recs-1"), since(&dataset, "reco-1")), (None, Some(at(200))));
    let dataset = put("recs-*", 4, 400).await;
    assert_eq!(since(&dataset, "recs-1"), Some(at(400)), "the claim was interrupted");
}
