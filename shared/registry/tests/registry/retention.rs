//! What a retention plan keeps and lets go, whatever the others do meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use septet_registry::retention::{Act, Holdings, Keep, Plan, Policy, Step, plan};
use septet_registry::*;

use crate::store::*;

const KEEP_REJECTED: SignedDuration = SignedDuration::from_secs(120);

fn policy(holdings: &Holdings) -> Policy {
    Policy::new(&holdings.dataset.settings, KEEP_REJECTED)
}

async fn registry() -> Registry {
    let registry = Registry::new(Arc::new(Memory::default()), Entropy::from_seed(1));
    let _ = registry.put_contract(&new_contract(Promotion::Auto, "d1"), &by(0)).await.unwrap();
    registry
}

async fn planned(registry: &Registry, now: i64) -> Plan {
    let holdings = Holdings::read(registry, &recs(), at(now)).await.unwrap();
    plan(&holdings, &policy(&holdings), at(now))
}

fn beat(reader: &str, version: u64, now: i64) -> Heartbeat {
    Heartbeat {
        dataset: recs(),
        reader: reader.into(),
        pointer: PointerName::live(),
        version: number(version),
        since: at(now),
        seen_at: at(now),
        expires_at: at(now).as_second() + 100,
    }
}

/// Carries a step out, and tells whether it was done.
async fn carry_out(registry: &Registry, step: &Step, now: i64) -> bool {
    let done = match step.act {
        Act::Retire => registry.retire(&recs(), step.version, &step.reason, &by(now)).await,
        Act::Delete => registry.delete(&recs(), step.version, &by(now)).await,
    };
    done.unwrap().is_done()
}

fn because(plan: &Plan, version: u64) -> Option<Vec<Keep>> {
    plan.keep.iter().find(|kept| kept.version == number(version)).map(|kept| kept.because.clone())
}

#[tokio::test]
async fn a_plan_names_everything_that_keeps_a_version() {
    let registry = registry().await;
    for (table, outcome, now) in [
        ("recs-1", VerdictOutcome::Passed, 0),
        ("recs-2", VerdictOutcome::Passed, 10),
        ("recs-3", VerdictOutcome::Failed, 20),
        ("recs-4", VerdictOutcome::Passed, 30),
        ("recs-5", VerdictOutcome::Passed, 1000),
        ("recs-6", VerdictOutcome::Failed, 1010),
        ("recs-7", VerdictOutcome::Passed, 1020),
    ] {
        publish(&registry, table, outcome, now).await;
    }
    let _ = registry.announce(&recs(), &announcement("recs-8", "id-8"), &by(1030)).await.unwrap();
    registry.beat(&beat("api-2", 2, 1035)).await.unwrap();
    registry.beat(&beat("api-1", 2, 1035)).await.unwrap();
    let plan = planned(&registry, 1040).await;
    insta::assert_snapshot!(plan);
    assert!(!plan.is_refused());
    let _ = registry.retire(&recs(), number(1), "superfluous", &by(1040)).await.unwrap();
    assert_eq!(because(&planned(&registry, 1099).await, 1), Some(vec![Keep::Waiting { until: at(1100) }]));
    insta::assert_json_snapshot!(planned(&registry, 1100).await.steps);
}

#[tokio::test]
async fn a_table_is_not_deleted_under_a_reader_that_still_serves_it() {
    let registry = registry().await;
    for night in 1..=4 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night).await;
    }
    let _ =
        registry.retire(&recs(), number(1), "superfluous", &by(500)).await.unwrap().into_result().unwrap();
    registry.beat(&beat("api", 1, 550)).await.unwrap();
    assert_eq!(
        because(&planned(&registry, 600).await, 1),
        Some(vec![Keep::Served { by: vec!["api".into()] }])
    );
    assert!(planned(&registry, 650).await.steps.iter().any(|step| step.act == Act::Delete));
}

#[tokio::test]
async fn a_plan_with_too_many_steps_is_refused_as_a_whole() {
    let registry = registry().await;
    for night in 1..=7 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Failed, night).await;
    }
    let refused = planned(&registry, 126).await;
    assert_eq!((refused.steps.len(), refused.allowed().count(), refused.is_refused()), (6, 0, true));
    insta::assert_snapshot!(refused);
    let holdings = Holdings::read(&registry, &recs(), at(126)).await.unwrap();
    let more = Policy { at_most: 6, ..policy(&holdings) };
    assert_eq!(plan(&holdings, &more, at(126)).allowed().count(), 6);
    assert_eq!(planned(&registry, 125).await.allowed().count(), 5);
}

#[tokio::test]
async fn a_policy_that_keeps_none_keeps_one() {
    let registry = registry().await;
    for night in 1..=3 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night).await;
    }
    let mut holdings = Holdings::read(&registry, &recs(), at(900)).await.unwrap();
    for version in &mut holdings.versions {
        version.pointed_by.clear();
    }
    holdings.pointers.clear();
    let none = Policy { keep_newest: 0, ..policy(&holdings) };
    let plan = plan(&holdings, &none, at(900));
    assert_eq!(plan.steps.iter().map(|step| step.version.get()).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn a_pointer_keeps_its_version_although_the_version_was_read_before_it_moved() {
    let registry = registry().await;
    for night in 1..=4 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night).await;
    }
    let early = Holdings::read(&registry, &recs(), at(900)).await.unwrap();
    let _ = registry.move_pointer(&recs(), &PointerName::live(), &to(1), &by(900)).await.unwrap();
    let late = Holdings::read(&registry, &recs(), at(900)).await.unwrap();
    let mixed = Holdings { pointers: late.pointers, ..early };
    let plan = plan(&mixed, &policy(&mixed), at(900));
    assert_eq!(because(&plan, 1), Some(vec![Keep::Named { by: PointerName::live() }]));
}

/// What publishers, operators, readers and time do.
#[derive(Debug, Clone)]
enum Deed {
    Wait(i64),
    Publish(VerdictOutcome),
    Announce,
    Point(&'static str, u64),
    Back,
    Forward,
    Beat(u8, u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    use VerdictOutcome::*;
    prop_oneof![
        4 => (1..90i64).prop_map(Deed::Wait),
        6 => prop_oneof![4 => Just(Passed), 1 => Just(Failed), 1 => Just(Errored)].prop_map(Deed::Publish),
        1 => Just(Deed::Announce),
        2 => (prop_oneof![Just("live"), Just("canary")], 1..16u64).prop_map(|(name, to)| Deed::Point(name, to)),
        1 => Just(Deed::Back),
        1 => Just(Deed::Forward),
        1 => (0..3u8, 1..16u64).prop_map(|(reader, version)| Deed::Beat(reader, version)),
    ]
}

/// A sweep: the plan is made, others act, then it is carried out.
#[derive(Debug, Clone)]
struct Round {
    before: Vec<Deed>,
    meanwhile: Vec<Deed>,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let deeds = |most| proptest::collection::vec(deed(), 0..most);
    let round = (deeds(8), deeds(5)).prop_map(|(before, meanwhile)| Round { before, meanwhile });
    proptest::collection::vec(round, 1..12)
}

async fn act(registry: &Registry, deed: &Deed, now: &mut i64) {
    *now += 1;
    let (set, live) = (recs(), PointerName::live());
    let table = format!("recs-{now}");
    match deed {
        Deed::Wait(seconds) => *now += seconds,
        Deed::Publish(outcome) => drop(publish(registry, &table, *outcome, *now).await),
        Deed::Announce => {
            drop(registry.announce(&set, &announcement(&table, &table), &by(*now)).await.unwrap());
        }
        Deed::Point(name, version) => {
            let name = PointerName::parse(*name).unwrap();
            match registry.move_pointer(&set, &name, &to(*version), &by(*now)).await {
                Ok(_) | Err(Error::UnknownVersion { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        Deed::Back => {
            drop(
                registry.move_pointer(&set, &live, &request(Direction::Back(None)), &by(*now)).await.unwrap(),
            );
        }
        Deed::Forward => {
            drop(registry.move_pointer(&set, &live, &request(Direction::Forward), &by(*now)).await.unwrap());
        }
        Deed::Beat(reader, version) => {
            registry.beat(&beat(&format!("api-{reader}"), *version, *now)).await.unwrap();
        }
    }
}

/// Everything that is known of one sweep.
struct Sweep {
    holdings: Holdings,
    plan: Plan,
    at: Timestamp,
    /// What the registry held just before the plan was carried out, and when that was.
    before: (invariants::Snapshot, Timestamp),
    after: invariants::Snapshot,
    /// The steps that were taken, and whether each was done.
    taken: Vec<(Step, bool)>,
    interfered: bool,
    /// What is planned right after.
    next: Plan,
}

impl Sweep {
    fn version(&self, number: VersionNumber) -> &Version {
        self.holdings.versions.iter().find(|it| it.version == number).unwrap()
    }

    fn planned(&self) -> BTreeSet<VersionNumber> {
        self.plan.steps.iter().map(|step| step.version).collect()
    }
}

/// Plays rounds and shows each sweep to `check`.
fn play(rounds: Vec<Round>, check: impl Fn(&Sweep)) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let registry = registry().await;
        let mut now = 0;
        for Round { before, meanwhile } in rounds {
            for deed in &before {
                act(&registry, deed, &mut now).await;
            }
            let holdings = Holdings::read(&registry, &recs(), at(now)).await.unwrap();
            let (plan, planned_at) = (plan(&holdings, &policy(&holdings), at(now)), at(now));
            for deed in &meanwhile {
                act(&registry, deed, &mut now).await;
            }
            let before = (snapshot(&registry).await, at(now));
            let mut taken = Vec::new();
            for step in plan.allowed() {
                taken.push((step.clone(), carry_out(&registry, step, now).await));
            }
            let after = snapshot(&registry).await;
            let next = planned(&registry, now).await;
            let interfered = !meanwhile.is_empty();
            check(&Sweep { holdings, plan, at: planned_at, before, after, taken, interfered, next });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_live_version_is_never_planned(rounds in rounds()) {
        play(rounds, |sweep| for pointer in &sweep.holdings.pointers {
            assert!(!sweep.planned().contains(&pointer.version), "{}", sweep.plan);
        });
    }

    #[test]
    fn the_newest_valid_versions_are_never_planned(rounds in rounds()) {
        play(rounds, |sweep| {
            let valid = sweep.holdings.versions.iter().rev().filter(|it| it.state == State::Valid);
            for newest in valid.take(sweep.holdings.dataset.settings.keep_newest as usize) {
                assert!(!sweep.planned().contains(&newest.version), "{}", sweep.plan);
            }
        });
    }

    #[test]
    fn what_a_pointer_left_within_the_grace_is_never_planned(rounds in rounds()) {
        play(rounds, |sweep| for number in sweep.planned() {
            let left = sweep.version(number).last_pointed_at;
            let grace = sweep.holdings.dataset.settings.grace();
            assert!(left.is_none_or(|left| sweep.at.duration_since(left) >= grace), "{}", sweep.plan);
        });
    }

    #[test]
    fn what_a_reader_serves_is_never_planned(rounds in rounds()) {
        play(rounds, |sweep| for reader in &sweep.holdings.readers {
            assert!(!sweep.planned().contains(&reader.version), "{}", sweep.plan);
        });
    }

    #[test]
    fn what_waits_for_its_check_is_never_planned(rounds in rounds()) {
        play(rounds, |sweep| for number in sweep.planned() {
            assert!(!sweep.version(number).state.is_unfinished(), "{}", sweep.plan);
        });
    }

    #[test]
    fn every_version_with_a_table_is_kept_for_a_reason_or_goes(rounds in rounds()) {
        play(rounds, |sweep| {
            let kept: BTreeSet<_> = sweep.plan.keep.iter().map(|kept| kept.version).collect();
            let with_table = sweep.holdings.versions.iter().filter(|it| it.state.has_table());
            let with_table: BTreeSet<_> = with_table.map(|it| it.version).collect();
            assert!(kept.is_disjoint(&sweep.planned()), "{}", sweep.plan);
            assert_eq!(&kept | &sweep.planned(), with_table, "{}", sweep.plan);
            assert!(sweep.plan.keep.iter().all(|kept| !kept.because.is_empty()), "{}", sweep.plan);
        });
    }

    #[test]
    fn only_retiring_versions_past_their_time_are_deleted(rounds in rounds()) {
        play(rounds, |sweep| for step in sweep.plan.steps.iter().filter(|step| step.act == Act::Delete) {
            let version = sweep.version(step.version);
            assert_eq!(version.state, State::Retiring);
            assert!(version.delete_after.is_some_and(|after| after <= sweep.at), "{}", sweep.plan);
        });
    }

    #[test]
    fn no_more_goes_at_once_than_the_policy_allows(rounds in rounds()) {
        play(rounds, |sweep| {
            assert!(sweep.taken.len() <= Policy::AT_MOST);
            assert_eq!(sweep.taken.is_empty(), sweep.plan.is_refused() || sweep.plan.steps.is_empty());
        });
    }

    #[test]
    fn a_plan_that_others_overtook_breaks_no_invariant(rounds in rounds()) {
        play(rounds, |sweep| {
            let (before, now) = &sweep.before;
            assert_eq!(invariants::broken(&sweep.after, *now), Vec::<String>::new(), "{}", sweep.plan);
            assert_eq!(invariants::pruning_leaves_the_newest_valid(before, &sweep.after), Vec::<String>::new());
        });
    }

    #[test]
    fn a_plan_that_nobody_overtook_is_done_in_whole_and_leaves_nothing_to_do(rounds in rounds()) {
        play(rounds, |sweep| if !sweep.interfered {
            assert!(sweep.taken.iter().all(|(_, done)| *done), "{}: {:?}", sweep.plan, sweep.taken);
            // What a hold held back goes a few at a time.
            let waits = |step: &Step| {
                let kept = sweep.plan.keep.iter().find(|kept| kept.version == step.version);
                kept.is_some_and(|kept| kept.because == [Keep::AfterHold])
            };
            assert!(sweep.plan.is_refused() || sweep.next.steps.iter().all(waits), "{}", sweep.next);
        });
    }
}
