//! Any operations of any parties in any order, with faults: the invariants hold after each.

use crate::store::*;
use proptest::prelude::*;
use septet_registry::invariants::{self, Snapshot};
use septet_registry::*;

#[derive(Debug, Clone)]
enum Step {
    PutContract(bool),
    Announce(u8),
    Seal(u64),
    BeginCheck(u64, u8),
    Conclude(u64, u8, u8),
    Promote(u64),
    Skip(u64),
    Point(u8, u64, bool),
    Back(Option<u64>),
    Forward,
    Release,
    Abandon(u64),
    Lose(u64),
    Retire(u64),
    Delete(u64),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let version = 1..8u64;
    prop_oneof![
        1 => any::<bool>().prop_map(Step::PutContract),
        6 => (0..9u8).prop_map(Step::Announce),
        6 => version.clone().prop_map(Step::Seal),
        6 => (version.clone(), 0..3u8).prop_map(|(version, owner)| Step::BeginCheck(version, owner)),
        8 => (version.clone(), 0..3u8, 0..6u8).prop_map(|(version, owner, how)| Step::Conclude(version, owner, how)),
        6 => version.clone().prop_map(Step::Promote),
        2 => version.clone().prop_map(Step::Skip),
        3 => (0..2u8, version.clone(), any::<bool>()).prop_map(|(name, to, force)| Step::Point(name, to, force)),
        3 => proptest::option::of(version.clone()).prop_map(Step::Back),
        2 => Just(Step::Forward),
        2 => Just(Step::Release),
        1 => version.clone().prop_map(Step::Abandon),
        1 => version.clone().prop_map(Step::Lose),
        4 => version.clone().prop_map(Step::Retire),
        3 => version.prop_map(Step::Delete),
        4 => (1..90i64).prop_map(Step::Wait),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::LostAnswer),
        1 => Just(Fault::LostRequest),
        1 => Just(Fault::Conflict),
        1 => Just(Fault::Throttled),
    ]
}

async fn take(registry: &Registry, step: &Step, now: &mut i64) -> Result<(), Error> {
    let (set, live) = (recs(), PointerName::live());
    let by = by(*now);
    match step {
        Step::Wait(seconds) => *now += seconds,
        Step::PutContract(auto) => {
            let promotion = if *auto { Promotion::Auto } else { Promotion::Manual };
            let over = registry.find_dataset(&set).await?.map(|known| known.contract);
            let new = NewContract { over, ..new_contract(promotion, &format!("d{auto}")) };
            let _ = registry.put_contract(&new, &by).await?;
        }
        Step::Announce(table) => {
            let new = announcement(&format!("recs-{table}"), &format!("id-{table}"));
            let _ = registry.announce(&set, &new, &by).await?;
        }
        Step::Seal(version) => {
            let _ = registry.seal(&set, number(*version), &readiness().into(), &by).await?;
        }
        Step::BeginCheck(version, owner) => {
            let lease = lease(&owner.to_string(), *now + 60);
            let _ = registry.begin_check(&set, number(*version), &lease, &by).await?;
        }
        Step::Conclude(version, owner, how) => {
            let outcome = match how {
                0 => VerdictOutcome::Failed,
                1 => VerdictOutcome::Errored,
                _ => VerdictOutcome::Passed,
            };
            let conclusion = conclusion(outcome, &format!("digest {}", version % 3));
            let _ = registry.conclude(&set, number(*version), &owner.to_string(), &conclusion, &by).await?;
        }
        Step::Promote(version) => {
            let _ = registry.promote(&set, &live, number(*version), &by).await?;
        }
        Step::Skip(version) => {
            let _ = registry.skip_promotion(&set, number(*version), "said so", &by).await?;
        }
        Step::Point(name, version, force) => {
            let name = PointerName::parse(["live", "canary"][usize::from(*name)]).unwrap();
            let request = PointRequest { force: *force, ..to(*version) };
            let _ = registry.move_pointer(&set, &name, &request, &by).await?;
        }
        Step::Back(version) => {
            let back = request(Direction::Back(version.map(number)));
            let _ = registry.move_pointer(&set, &live, &back, &by).await?;
        }
        Step::Forward => {
            let _ = registry.move_pointer(&set, &live, &request(Direction::Forward), &by).await?;
        }
        Step::Release => {
            let _ = registry.release(&set, &live, &ReleaseRequest::own("said so"), &by).await?;
        }
        Step::Abandon(version) => {
            let _ = registry.abandon(&set, number(*version), &by).await?;
        }
        Step::Lose(version) => {
            let _ = registry.lose(&set, number(*version), &by).await?;
        }
        Step::Retire(version) => {
            let _ = registry.retire(&set, number(*version), "superfluous", &by).await?;
        }
        Step::Delete(version) => {
            let _ = registry.delete(&set, number(*version), &by).await?;
        }
    }
    Ok(())
}

/// What may never happen between two snapshots, whatever was done in between.
fn moved_backwards(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let mut broken = Vec::new();
    for record in &before.records {
        if !after.records.contains(record) {
            broken.push(format!("record {} was changed", record.id));
        }
    }
    for version in &before.versions {
        let now = after.versions.iter().find(|it| it.version == version.version);
        if now.is_none_or(|now| now.revision < version.revision) {
            broken.push(format!("version {} went back", version.version));
        }
    }
    for pointer in &before.pointers {
        let now = after.pointers.iter().find(|it| it.pointer == pointer.pointer);
        if now.is_none_or(|now| now.generation < pointer.generation) {
            broken.push(format!("pointer {} went back", pointer.pointer));
        }
    }
    broken
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_whatever_is_done(
        steps in proptest::collection::vec((step(), fault()), 1..120),
        seed in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let memory = Faulty::default();
            let registry = Registry::new(std::sync::Arc::new(memory.clone()), Entropy::from_seed(seed));
            let mut now = 0;
            let _ = registry.put_contract(&new_contract(Promotion::Auto, "first"), &by(now)).await.unwrap();
            let mut before = snapshot(&registry).await;
            for (step, fault) in steps {
                memory.fail(vec![fault]);
                match take(&registry, &step, &mut now).await {
                    Ok(()) | Err(Error::UnknownVersion { .. }) => {}
                    Err(error) => panic!("{step:?}: {error}"),
                }
                memory.fail(vec![]);
                let after = snapshot(&registry).await;
                assert_eq!(invariants::broken(&after, at(now)), Vec::<String>::new(), "after {step:?}");
                assert_eq!(invariants::pruning_leaves_the_newest_valid(&before, &after), Vec::<String>::new());
                assert_eq!(moved_backwards(&before, &after), Vec::<String>::new(), "after {step:?}");
                assert!(after.records.len() <= before.records.len() + 1, "{step:?} wrote several records");
                let unchanged = before.versions == after.versions
                    && before.pointers == after.pointers
                    && before.dataset == after.dataset;
                assert_eq!(unchanged, before.records == after.records, "{step:?}: a change and its record");
                before = after;
            }
        });
    }

    #[test]
    fn doing_anything_twice_is_doing_it_once(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let memory = Faulty::default();
            let registry = Registry::new(std::sync::Arc::new(memory.clone()), Entropy::from_seed(1));
            let mut now = 0;
            let _ = registry.put_contract(&new_contract(Promotion::Auto, "first"), &by(now)).await.unwrap();
            for step in steps {
                // Walking back or forward twice is meant to go two steps.
                let walks = matches!(step, Step::Back(_) | Step::Forward | Step::Wait(_));
                let _ = take(&registry, &step, &mut now).await;
                let once = memory.items();
                if !walks {
                    let _ = take(&registry, &step, &mut now).await;
                    assert_eq!(memory.items(), once, "{step:?}");
                }
            }
        });
    }
}
