//! The plan of a sweep, whatever it finds.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use proptest::prelude::*;
use prune::plan::{Look, Plan, Scene, Step, plan};
use septet_registry::retention::{Holdings, Policy};
use septet_registry::*;

use crate::world::{at, number, recs};

fn table(number: u64) -> TableName {
    TableName::parse(format!("recs-{number}")).unwrap()
}

fn id(text: &str) -> TableId {
    TableId::parse(text).unwrap()
}

/// A version in some state, as far as a plan looks at it.
fn version() -> impl Strategy<Value = (State, bool, Option<i64>, Option<i64>)> {
    let state = proptest::sample::select(State::ALL.to_vec());
    let seconds = || proptest::option::of(0..400i64);
    (state, any::<bool>(), seconds(), seconds())
}

/// What a look at a version's table shows: it, another, it going, nothing; or nobody could look.
fn look() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0u8), 1 => Just(1), 1 => Just(2), 1 => Just(3), 1 => Just(4)]
}

prop_compose! {
    fn scene()(
        versions in proptest::collection::vec((version(), look()), 0..14),
        live in 1..20u64,
        canary in 1..20u64,
        unknown in 0..3u64,
    ) -> Scene {
        let mut tables = BTreeMap::new();
        let mut held = Vec::new();
        for (at_index, ((state, flag, first, second), look)) in versions.into_iter().enumerate() {
            let version = made(at_index as u64 + 1, state, flag, first, second);
            let there = |id, going| Some(Look::There { id, going, created_at: at(at_index as i64 % 2 - 1) });
            let seen = match look {
                0 => there(version.table_id.clone(), false),
                1 => there(id("another"), false),
                2 => there(version.table_id.clone(), true),
                3 => Some(Look::Gone),
                _ => None,
            };
            tables.extend(seen.map(|look| (version.table.clone(), look)));
            held.push(version);
        }
        for number in 0..unknown {
            tables.insert(table(100 + number), Look::There { id: id("unknown"), going: number == 1, created_at: at(0) });
        }
        let mut pointers = Vec::new();
        for (name, at) in [("live", live), ("canary", canary)] {
            if let Some(version) = held.iter_mut().find(|it| it.version.get() == at && it.state == State::Valid) {
                let name = PointerName::parse(name).unwrap();
                version.pointed_by.insert(name.clone());
                pointers.push(pointer(name, version));
            }
        }
        Scene { holdings: Holdings { dataset: dataset(), versions: held, pointers, readers: vec![] }, tables }
    }
}

fn dataset() -> Dataset {
    Dataset {
        dataset: recs(),
        settings: Settings {
            table_pattern: "recs-*".into(),
            promotion: Promotion::Auto,
            keep_newest: 3,
            grace_minutes: 1,
            poll_seconds: 300,
            order: DatasetOrder::Created,
        },
        contract: ContractNumber::new(1),
        contract_digest: "d".into(),
        next_version: number(99),
        revision: 1,
        created_at: at(0),
        updated_at: at(0),
        patterns: vec![],
        holds: vec![],
        holds_ended_at: None,
        carried: Default::default(),
    }
}

fn made(of: u64, state: State, flag: bool, first: Option<i64>, second: Option<i64>) -> Version {
    // Of what was abandoned or retired, some was never sealed.
    let sealed = flag && !matches!(state, State::Announced | State::Abandoned);
    Version {
        dataset: recs(),
        version: number(of),
        table: table(of),
        table_arn: format!("arn:aws:dynamodb:eu-west-1:333333333333:table/recs-{of}"),
        table_id: id(&format!("id-{of}")),
        state,
        revision: 1,
        contract: ContractNumber::new(1),
        announced_at: at(0),
        announced_by: "ds".into(),
        entered_at: at(0),
        deadline: at(first.unwrap_or(1000)),
        readiness: (sealed || matches!(state, State::Sealed | State::Checking | State::Valid))
            .then_some(Readiness { rung: Rung::Signal, items: None, digest: None, by: None }),
        sharing: None,
        lease: first.map(|until| Lease { owner: "worker".into(), until: at(until) }),
        attempts: 0,
        verdict: None,
        counts: None,
        digest: None,
        promotion_state: (state == State::Valid && flag).then_some(PromotionState::Pending),
        pointed_by: BTreeSet::new(),
        last_pointed_at: second.map(at),
        delete_after: (state == State::Retiring).then(|| at(first.unwrap_or(0))),
        seal_id: None,
        created_at: None,
        as_of: None,
        first_live_at: None,
        withdrawn: None,
        discard: None,
        owner_protected: false,
        signal: None,
        untagged_at: None,
        offers: None,
        waits: None,
        carried: Default::default(),
    }
}

fn pointer(name: PointerName, version: &Version) -> Pointer {
    Pointer {
        dataset: recs(),
        pointer: name,
        version: version.version,
        table: version.table.clone(),
        table_arn: version.table_arn.clone(),
        generation: 1,
        previous: None,
        hold: None,
        moved_at: at(0),
        moved_by: "tester".into(),
        reason: "because".into(),
        poll_seconds: 300,
        trail: vec![],
        ahead: vec![],
        carried: Default::default(),
    }
}

fn planned(scene: &Scene) -> Plan {
    let mut policy = Policy::new(&scene.holdings.dataset.settings, SignedDuration::from_secs(120));
    policy.at_most = 3;
    plan(scene, &policy, at(200))
}

fn of(step: &Step) -> Option<VersionNumber> {
    match step {
        Step::Remind { version, .. } => *version,
        Step::Lose { version, .. }
        | Step::Abandon { version, .. }
        | Step::Retire { version, .. }
        | Step::Confirm { version, .. }
        | Step::Delete { version, .. } => Some(*version),
    }
}

fn find(scene: &Scene, number: VersionNumber) -> &Version {
    scene.holdings.versions.iter().find(|version| version.version == number).unwrap()
}

fn is_gone(scene: &Scene, version: &Version) -> bool {
    match scene.tables.get(&version.table) {
        Some(Look::Gone) => true,
        Some(Look::There { id, going, .. }) => *id != version.table_id || *going,
        None => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_live_version_is_never_planned(scene in scene()) {
        let plan = planned(&scene);
        for step in &plan.steps {
            let pointed = of(step).is_some_and(|it| !find(&scene, it).pointed_by.is_empty());
            prop_assert!(!pointed || matches!(step, Step::Remind { .. }), "{plan}");
        }
    }

    #[test]
    fn every_transition_that_is_planned_is_one_that_the_states_allow(scene in scene()) {
        let plan = planned(&scene);
        for step in &plan.steps {
            let to = match step {
                Step::Remind { .. } => continue,
                Step::Lose { .. } => State::Lost,
                Step::Abandon { .. } => State::Abandoned,
                Step::Retire { .. } => State::Retiring,
                Step::Confirm { .. } | Step::Delete { .. } => State::Deleted,
            };
            let version = find(&scene, of(step).unwrap());
            prop_assert!(version.state.may_become(to), "{plan}");
        }
    }

    #[test]
    fn each_version_gets_at_most_one_step(scene in scene()) {
        let plan = planned(&scene);
        // One that waits for its promotion may at the same time be superfluous.
        let changes = plan.steps.iter().filter(|step| !matches!(step, Step::Remind { .. }));
        let versions: Vec<_> = changes.filter_map(of).collect();
        prop_assert_eq!(versions.iter().collect::<BTreeSet<_>>().len(), versions.len(), "{}", plan);
    }

    #[test]
    fn only_what_is_known_to_be_gone_is_lost_and_all_of_it_is_told(scene in scene()) {
        let plan = planned(&scene);
        for version in scene.holdings.versions.iter().filter(|version| version.state.has_table()) {
            let lost = plan.steps.iter().any(|step| {
                matches!(step, Step::Lose { version: it, .. } | Step::Confirm { version: it, .. } if *it == version.version)
            });
            let alarmed = plan.live_table_gone.iter().any(|gone| gone.version == version.version);
            prop_assert_eq!(lost || alarmed, is_gone(&scene, version), "{}", plan);
            prop_assert!(!alarmed || !version.pointed_by.is_empty(), "{}", plan);
        }
    }

    #[test]
    fn the_newest_valid_versions_that_still_have_a_table_are_never_retired(scene in scene()) {
        let plan = planned(&scene);
        let versions = scene.holdings.versions.iter().rev();
        let newest = versions.filter(|it| it.state == State::Valid && !is_gone(&scene, it)).take(3);
        for version in newest {
            let retired = plan.steps.iter().any(|step| {
                matches!(step, Step::Retire { .. } | Step::Delete { .. }) && of(step) == Some(version.version)
            });
            prop_assert!(!retired, "{plan}");
        }
    }

    #[test]
    fn a_table_is_deleted_only_by_the_id_that_the_registry_holds(scene in scene()) {
        let plan = planned(&scene);
        for step in &plan.steps {
            if let Step::Delete { version, id, .. } | Step::Confirm { version, id, .. } = step {
                let version = find(&scene, *version);
                prop_assert_eq!(id, &version.table_id);
                prop_assert_eq!(version.state, State::Retiring);
            }
        }
    }

    #[test]
    fn a_plan_that_goes_too_far_retires_and_deletes_nothing(scene in scene()) {
        let plan = planned(&scene);
        let gone = plan.steps.iter().filter(|it| matches!(it, Step::Retire { .. } | Step::Delete { .. })).count();
        prop_assert_eq!(gone, plan.retention.allowed().count());
        prop_assert!(gone <= 3);
    }

    #[test]
    fn every_listed_table_that_is_no_version_and_stays_is_reminded_of(scene in scene()) {
        let plan = planned(&scene);
        for (table, look) in &scene.tables {
            let Look::There { id, going, created_at } = look else { continue };
            let is_version = scene.holdings.versions.iter().any(|it| it.table == *table && it.table_id == *id);
            let reminded = plan.steps.iter().any(|step| {
                matches!(step, Step::Remind { table: it, version: None, .. } if it == table)
            });
            let is_new = !is_version && !going;
            prop_assert_eq!(reminded, is_new && *created_at >= at(0), "{}", plan);
            let listed = plan.older.iter().any(|older| older.table == *table);
            prop_assert_eq!(listed, is_new && *created_at < at(0), "{}", plan);
        }
    }
}
