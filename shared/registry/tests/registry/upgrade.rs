//! What release 0.1.0 wrote, read and rewritten by this one; and what a newer release adds, kept by this one.

use std::collections::BTreeSet;

use jiff::Timestamp;
use septet_emulator::{Emulator, recorded};
use septet_registry::decide::After;
use septet_registry::*;

const TABLE: &str = "septet-registry";

/// The registry as a release left it.
struct World {
    emulator: Emulator,
    registry: Registry,
    before: Vec<recorded::Item>,
}

impl World {
    /// The registry of 0.1.0.
    async fn recorded() -> Self {
        Self::of(recorded::items("0.1.0/registry.json")).await
    }

    /// The same after a newer release added attributes of every type, at the top and inside maps.
    async fn extended() -> Self {
        let mut items = recorded::items("0.1.0/registry.json");
        for item in &mut items {
            let [pk, sk] = ["pk", "sk"].map(|name| item[name].as_s().unwrap().clone());
            // Records, contracts, claims and documents about versions are never rewritten.
            if !(sk.starts_with("LOG#")
                || sk.starts_with("CONTRACT#")
                || pk.starts_with("TABLE#")
                || pk.contains("#V#"))
                || sk.contains("#PART#")
            {
                recorded::extend(item);
            }
        }
        Self::of(items).await
    }

    async fn of(before: Vec<recorded::Item>) -> Self {
        let emulator = Emulator::start().await;
        emulator.create_registry_table(TABLE).await;
        emulator.put_raw_items(TABLE, before.clone()).await;
        let registry = Registry::in_dynamodb(emulator.client(), TABLE, Entropy::from_seed(1));
        Self { emulator, registry, before }
    }

    /// Fails unless all is there that was there but for what the operation changes.
    async fn assert_kept(&self, changes: &[(&str, &str)]) {
        let after = self.emulator.items(TABLE).await;
        assert_eq!(recorded::lost(&self.before, &after, changes), Vec::<String>::new());
    }
}

fn set(name: &str) -> DatasetName {
    DatasetName::parse(name).unwrap()
}

fn number(number: u64) -> VersionNumber {
    VersionNumber::new(number)
}

/// Some time after all that was recorded.
fn now() -> Timestamp {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

fn by() -> By {
    By::new("upgrade", now())
}

fn conclusion() -> Conclusion {
    let verdict = Verdict { outcome: VerdictOutcome::Passed, reasons: vec![], warnings: vec![], at: now() };
    let counts = Some(Counts { items: 12, bytes: 900 });
    Conclusion { verdict, counts, digest: Some("other".into()), promotion: Promotion::Auto }
}

fn lease(owner: &str) -> Lease {
    Lease { owner: owner.into(), until: now() + jiff::SignedDuration::from_mins(1) }
}

fn request(direction: Direction) -> PointRequest {
    PointRequest::new(direction, "to see")
}

/// Ends the hold of 0.1.0, whoever set it.
fn named() -> ReleaseRequest {
    ReleaseRequest { hold: Some(HoldId::unnamed()), ..ReleaseRequest::own("mended") }
}

fn part(number: u32) -> PartKey {
    PartKey {
        dataset: set("recs"),
        version: VersionNumber::new(16),
        sharing: "shared-1".into(),
        part: number,
    }
}

const DATASET: &str = "DATASET#recs / DATASET";
const LIVE: &str = "DATASET#recs / POINTER#live";
const STATE: &str = "state entered_at";
const MOVE: &str = "version table table_arn previous moved_at moved_by reason trail ahead hold";
const POINTED: &str = "pointed_by last_pointed_at";
const PART: &str = "DATASET#recs#V#0000000016 / SEGMENT#shared-1#PART#000001";

/// A step of today's release, as it changes the registry of 0.1.0.
#[derive(Debug, Clone, Copy)]
enum Step {
    PutContract,
    Announce,
    Seal,
    BeginCheck,
    TakeOver,
    Share,
    Conclude,
    CheckAgain,
    Abandon,
    Lose,
    Retire,
    RetireUnsealed,
    Delete,
    Promote,
    SkipPromotion,
    Point,
    RollBack,
    RollForward,
    PointAnother,
    Release,
    TakePart,
    KeepPart,
}

const STEPS: [Step; 22] = [
    Step::PutContract,
    Step::Announce,
    Step::Seal,
    Step::BeginCheck,
    Step::TakeOver,
    Step::Share,
    Step::Conclude,
    Step::CheckAgain,
    Step::Abandon,
    Step::Lose,
    Step::Retire,
    Step::RetireUnsealed,
    Step::Delete,
    Step::Promote,
    Step::SkipPromotion,
    Step::Point,
    Step::RollBack,
    Step::RollForward,
    Step::PointAnother,
    Step::Release,
    Step::TakePart,
    Step::KeepPart,
];

fn version(number: u64) -> String {
    format!("DATASET#recs / VERSION#{number:010}")
}

fn done<T: std::fmt::Debug>(outcome: Result<Outcome<T>, Error>) -> T {
    match outcome.unwrap() {
        Outcome::Done(value) => value,
        other => panic!("{other:?}"),
    }
}

/// Takes a step, and names the attributes that it changes.
async fn take(world: &World, step: Step) -> Vec<(String, String)> {
    let (registry, recs, live) = (&world.registry, set("recs"), PointerName::live());
    let of = |number: u64, names: &str| vec![(version(number), names.to_owned())];
    let at = |key: &str, names: &str| (key.to_owned(), names.to_owned());
    match step {
        Step::PutContract => {
            let known = registry.dataset(&recs).await.unwrap();
            let new = NewContract {
                dataset: recs,
                settings: known.settings,
                document: "{}".into(),
                digest: "other".into(),
                over: Some(known.contract),
                reason: None,
            };
            done(registry.put_contract(&new, &by()).await);
            // Settings are those of the contract in force, and go with it.
            vec![at(DATASET, "contract contract_digest settings updated_at")]
        }
        Step::Announce => {
            done(registry.announce(&recs, &crate::store::announcement("recs-new", "id"), &by()).await);
            vec![at(DATASET, "next_version updated_at")]
        }
        Step::Seal => {
            done(registry.seal(&recs, number(13), &crate::store::readiness().into(), &by()).await);
            of(13, STATE)
        }
        Step::BeginCheck => {
            done(registry.begin_check(&recs, number(14), &lease("me"), &by()).await);
            of(14, &format!("{STATE} attempts"))
        }
        Step::TakeOver => {
            done(registry.begin_check(&recs, number(15), &lease("me"), &by()).await);
            of(15, "lease attempts")
        }
        Step::Share => {
            done(registry.share(&recs, number(15), "invocation-c", 4, &by()).await);
            of(15, "lease")
        }
        Step::Conclude => {
            done(registry.conclude(&recs, number(16), "shared-1", &conclusion(), &by()).await);
            of(16, &format!("{STATE} sharing"))
        }
        Step::CheckAgain => {
            done(registry.begin_check(&recs, number(7), &lease("me"), &by()).await);
            of(7, &format!("{STATE} attempts verdict"))
        }
        Step::Abandon => {
            done(registry.abandon(&recs, number(13), &by()).await);
            of(13, STATE)
        }
        Step::Lose => {
            done(registry.lose(&recs, number(13), &by()).await);
            of(13, STATE)
        }
        Step::Retire => {
            done(registry.retire(&recs, number(8), "superfluous", &by()).await);
            of(8, &format!("{STATE} promotion_state"))
        }
        Step::RetireUnsealed => {
            done(registry.discard(&recs, number(1), "abandoned long ago", &by()).await);
            done(registry.retire(&recs, number(1), "abandoned long ago", &by()).await);
            of(1, STATE)
        }
        Step::Delete => {
            done(registry.delete(&recs, number(5), &by()).await);
            of(5, STATE)
        }
        Step::Promote => {
            done(registry.release(&recs, &live, &named(), &by()).await);
            done(registry.conclude(&recs, number(16), "shared-1", &conclusion(), &by()).await);
            done(registry.promote(&recs, &live, number(16), &by()).await);
            let moved = vec![at(LIVE, MOVE), at(DATASET, "updated_at")];
            let changes = [of(16, &format!("{STATE} sharing")), of(10, POINTED), moved];
            changes.concat()
        }
        Step::SkipPromotion => {
            done(registry.conclude(&recs, number(16), "shared-1", &conclusion(), &by()).await);
            done(registry.skip_promotion(&recs, number(16), "held", &by()).await);
            of(16, &format!("{STATE} sharing"))
        }
        Step::Point => {
            let to = request(Direction::To(number(12)));
            done(registry.move_pointer(&recs, &live, &to, &by()).await);
            let mut changes = [of(12, POINTED), of(10, POINTED)].concat();
            changes.push(at(LIVE, &MOVE.replace(" hold", "")));
            changes
        }
        Step::RollBack => {
            let back = request(Direction::Back(Some(number(9))));
            done(registry.move_pointer(&recs, &live, &back, &by()).await);
            // The version that is left is withdrawn: 10, or 16 after its promotion.
            let withdrawn = [of(10, "format"), of(16, "format")].concat();
            let moved = vec![at(LIVE, MOVE), at(DATASET, "format updated_at")];
            [of(9, POINTED), of(10, POINTED), withdrawn, moved].concat()
        }
        Step::RollForward => {
            let forward = request(Direction::Forward);
            done(registry.move_pointer(&recs, &live, &forward, &by()).await);
            [of(11, POINTED), of(10, POINTED), vec![at(LIVE, MOVE), at(DATASET, "format updated_at")]]
                .concat()
        }
        Step::PointAnother => {
            let canary = PointerName::parse("canary").unwrap();
            let to = request(Direction::To(number(11)));
            done(registry.move_pointer(&recs, &canary, &to, &by()).await);
            let mut changes = [of(11, POINTED), of(10, POINTED)].concat();
            changes.push(at("DATASET#recs / POINTER#canary", MOVE));
            changes
        }
        Step::Release => {
            let plays = set("plays");
            let until = registry.pointer(&plays, &live).await.unwrap().unwrap().hold.unwrap().until.unwrap();
            let in_time = By::new("upgrade", until - jiff::SignedDuration::from_mins(1));
            done(registry.release(&plays, &live, &named(), &in_time).await);
            vec![
                at("DATASET#plays / POINTER#live", "hold"),
                at("DATASET#plays / DATASET", "format updated_at"),
            ]
        }
        Step::TakePart => {
            let taken = registry.take_part(&part(1), &lease("me"), now()).await.unwrap();
            assert!(matches!(taken, Taken::Mine(_)), "{taken:?}");
            vec![at(PART, "lease tries expires_at")]
        }
        Step::KeepPart => {
            let Taken::Mine(mine) = registry.take_part(&part(1), &lease("me"), now()).await.unwrap() else {
                panic!("part 1 is free");
            };
            let kept = registry.keep_part(&mine, None, Some("seen"), After::Hold, now()).await.unwrap();
            assert!(
                registry.keep_part(&kept.unwrap(), None, None, After::Done, now()).await.unwrap().is_some()
            );
            vec![at(PART, "lease tries expires_at cursor kept done")]
        }
    }
}

async fn assert_kept_by_every_step(world: impl AsyncFn() -> World) {
    let mut lost = Vec::new();
    for step in STEPS {
        let world = world().await;
        let changes = take(&world, step).await;
        let changes: Vec<_> = changes.iter().map(|(key, names)| (key.as_str(), names.as_str())).collect();
        let after = world.emulator.items(TABLE).await;
        let of_step = recorded::lost(&world.before, &after, &changes);
        lost.extend(of_step.into_iter().map(|what| format!("{step:?}: {what}")));
    }
    assert_eq!(lost, Vec::<String>::new());
}

#[tokio::test]
async fn everything_that_0_1_0_wrote_is_read() {
    let world = World::recorded().await;
    let (registry, recs) = (&world.registry, set("recs"));
    let names: Vec<_> =
        registry.datasets().await.unwrap().into_iter().map(|it| it.dataset.to_string()).collect();
    assert_eq!(names, ["plays", "recs"]);
    let states: Vec<_> = registry.versions(&recs).await.unwrap().into_iter().map(|it| it.state).collect();
    use State::*;
    assert_eq!(
        states,
        [
            Abandoned, Retiring, Lost, Deleted, Retiring, Rejected, Rejected, Valid, Valid, Valid, Valid,
            Valid, Announced, Sealed, Checking, Checking,
        ]
    );
    assert_eq!(registry.contracts(&recs).await.unwrap().len(), 2);
    assert_eq!(registry.readers(&recs, "2026-11-22T06:00:00Z".parse().unwrap()).await.unwrap().len(), 2);
    let table = registry.version(&recs, number(9)).await.unwrap().table;
    assert_eq!(registry.claims(&table).await.unwrap()[0].version, number(9));

    let live = registry.pointer(&recs, &PointerName::live()).await.unwrap().unwrap();
    assert_eq!((live.version, live.previous), (number(10), Some(number(5))));
    let hold = live.hold.unwrap();
    assert_eq!((hold.by.as_str(), hold.until), ("ann@desk", None));
    let other = registry.pointer(&set("plays"), &PointerName::live()).await.unwrap().unwrap();
    assert!(other.hold.unwrap().until.is_some());

    let records = registry.log(&recs, None).await.unwrap();
    let actions: BTreeSet<_> = records.iter().map(|record| record.action.as_str()).collect();
    assert_eq!(actions.len(), 18, "{actions:?}");

    let profile = registry.documents(&recs, number(10), "PROFILE").await.unwrap();
    assert_eq!(profile[0].1["summary"]["items"], 8);
    let failed = registry.documents(&recs, number(6), "CHECK#").await.unwrap();
    assert_eq!(failed[0].1["outcome"], "failed");
    let parts = registry.parts(&part(2)).await.unwrap();
    assert_eq!(parts.iter().map(|part| part.progress.done).collect::<Vec<_>>(), [true, false]);
    for part in &parts {
        assert_eq!(registry.seen(part).await.unwrap().len(), part.progress.kept.len());
    }
}

#[tokio::test]
async fn the_registry_of_0_1_0_breaks_no_invariant() {
    let world = World::recorded().await;
    for dataset in ["recs", "plays"] {
        let snapshot = invariants::Snapshot::read(&world.registry, &set(dataset)).await.unwrap();
        assert_eq!(invariants::broken(&snapshot, now()), Vec::<String>::new(), "{dataset}");
    }
}

#[tokio::test]
async fn every_step_keeps_what_0_1_0_wrote() {
    assert_kept_by_every_step(World::recorded).await;
}

#[tokio::test]
async fn every_step_keeps_what_a_newer_release_added() {
    assert_kept_by_every_step(World::extended).await;
}

#[tokio::test]
async fn steps_one_after_the_other_keep_what_a_newer_release_added() {
    let world = World::extended().await;
    let mut changes = Vec::new();
    for step in
        [Step::Promote, Step::Retire, Step::RollBack, Step::TakeOver, Step::KeepPart, Step::PutContract]
    {
        changes.extend(take(&world, step).await);
    }
    let changes: Vec<_> = changes.iter().map(|(key, names)| (key.as_str(), names.as_str())).collect();
    world.assert_kept(&changes).await;
}
