//! Versions compared with those before them, and how tables are read.

use std::time::Duration;

use septet_emulator::Fault;
use septet_registry::{By, Direction, PointRequest, PointerName, State, VerdictOutcome};
use serde_json::Value;

use crate::support::{CONTRACT, World, record, recs, signal};

/// The contract with a rule beside its own.
fn with_rule(implementation: &str) -> String {
    let rule = format!(
        "      - {{id: drift, type: custom, engine: septet, implementation: {{{implementation}}}}}\n"
    );
    CONTRACT.replace("customProperties:", &format!("{rule}customProperties:"))
}

async fn world(implementation: &str) -> World {
    let world = World::empty().await;
    world.put_contract(&with_rule(implementation)).await;
    world
}

async fn night(world: &World, table: &str, users: usize) -> (State, Vec<String>, Vec<String>) {
    world.clock.on(Duration::from_secs(24 * 3600));
    world.table(table, users).await;
    world.say(&record("CreateTable", table)).await.unwrap();
    world.say(&signal(table)).await.unwrap();
    let version = world.versions().await.pop().unwrap();
    let verdict = version.verdict.unwrap();
    (version.state, verdict.reasons, verdict.warnings)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_compared_with_the_live_one_by_its_kept_profile() {
    let world = world("check: rowCountChange, against: live, mustBeLessOrEqualTo: 20").await;
    let first = night(&world, "recs-1", 20).await;
    assert_eq!(
        (first.0, first.2.as_slice()),
        (State::Valid, &["rowCountChange: no baseline: no version is live".to_owned()][..])
    );
    let second = night(&world, "recs-2", 12).await;
    let reason = "rowCountChange: 12 items, in version 1 20: 40 % fewer, at most 20 % expected";
    assert_eq!((second.0, second.1.as_slice()), (State::Rejected, &[reason.to_owned()][..]));
    let third = night(&world, "recs-3", 18).await;
    assert_eq!((third.0, third.2.len()), (State::Valid, 0));
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_night_that_was_rolled_back_blocks_none_of_the_next() {
    for against in ["previous", "live", "'median:7'"] {
        let world = World::empty().await;
        for (table, users) in [("recs-1", 100), ("recs-2", 60)] {
            assert_eq!(night(&world, table, users).await.0, State::Valid);
        }
        let back = PointRequest::new(Direction::Back(None), "forty are missing");
        let by = By::new("ann", world.clock_now());
        let moved = world.registry.move_pointer(&recs(), &PointerName::live(), &back, &by).await.unwrap();
        assert!(moved.is_done());
        world
            .put_contract(&with_rule(&format!(
                "check: rowCountChange, against: {against}, mustBeLessOrEqualTo: 20"
            )))
            .await;
        for next in 3..=8 {
            let (state, reasons, _) = night(&world, &format!("recs-{next}"), 100).await;
            assert_eq!((state, reasons), (State::Valid, Vec::new()), "{against}");
        }
        world.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_less_each_night_is_found_by_the_median_of_the_nights() {
    let world = world("check: rowCountChange, against: 'median:7', mustBeLessOrEqualTo: 25").await;
    let mut states = Vec::new();
    for (night_of, users) in [100, 100, 100, 90, 81, 73, 66].into_iter().enumerate() {
        states.push(night(&world, &format!("recs-{night_of}"), users).await.0);
    }
    let valid = State::Valid;
    assert_eq!(states, [valid, valid, valid, valid, valid, State::Rejected, State::Rejected]);
}

/// A good week, then a tenth less each night for a week.
const WEEKS: [usize; 14] = [100, 100, 100, 100, 100, 100, 100, 90, 81, 73, 66, 59, 53, 48];

/// The states of those nights under the contract with these rules, and the reasons of the last.
async fn weeks(least: u32, rules: &[&str]) -> (Vec<State>, Vec<String>) {
    let world = World::empty().await;
    let rules: String = rules
        .iter()
        .enumerate()
        .map(|(at, rule)| {
            format!("      - {{id: drift{at}, type: custom, engine: septet, implementation: {{{rule}}}}}\n")
        })
        .collect();
    let contract = CONTRACT.replace("customProperties:", &format!("{rules}customProperties:"));
    world
        .put_contract(
            &contract.replace("mustBeBetween: [3, 1000]", &format!("mustBeBetween: [{least}, 1000]")),
        )
        .await;
    let (mut states, mut reasons) = (Vec::new(), Vec::new());
    for (number, users) in WEEKS.into_iter().enumerate() {
        let night = night(&world, &format!("recs-{number:02}"), users).await;
        states.push(night.0);
        reasons = night.1;
    }
    world.assert_sound().await;
    (states, reasons)
}

fn rejected(states: &[State]) -> Vec<usize> {
    let rejected = states.iter().enumerate().filter(|(_, state)| **state == State::Rejected);
    rejected.map(|(night, _)| WEEKS[night]).collect()
}

const PREVIOUS: &str = "check: rowCountChange, against: previous, mustBeLessOrEqualTo: 15";
const LIVE: &str = "check: rowCountChange, against: live, mustBeLessOrEqualTo: 15";
const MEDIAN: &str = "check: rowCountChange, against: 'median:7', mustBeLessOrEqualTo: 15";

#[tokio::test(flavor = "multi_thread")]
async fn a_week_of_a_tenth_less_each_night_passes_rules_that_look_one_night_back() {
    let (states, _) = weeks(3, &[PREVIOUS, LIVE]).await;
    assert_eq!(rejected(&states), [0; 0], "{states:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_of_a_tenth_less_each_night_is_caught_by_the_median_of_seven() {
    let (states, reasons) = weeks(3, &[PREVIOUS, LIVE, MEDIAN]).await;
    assert_eq!(rejected(&states), [81, 73, 66, 59, 53, 48]);
    assert!(reasons.iter().any(|it| it.contains("the median of 7 versions 100")), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_of_a_tenth_less_each_night_is_caught_by_an_absolute_floor() {
    let (states, reasons) = weeks(60, &[PREVIOUS]).await;
    assert_eq!(rejected(&states), [59, 53, 48]);
    assert!(reasons[0].starts_with("rowCount: 48 items"), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_version_is_the_baseline_even_if_a_newer_one_passed() {
    let world = world("check: rowCountChange, against: live, mustBeLessOrEqualTo: 20").await;
    night(&world, "recs-1", 20).await;
    night(&world, "recs-2", 24).await;
    let (by, live) = (By::new("ann", world.clock_now()), PointerName::live());
    let back = PointRequest::new(Direction::Back(None), "bad");
    let back = world.registry.move_pointer(&recs(), &live, &back, &by).await.unwrap();
    assert!(back.is_done());
    // Of the 24 of version 2 it is more than a fifth, of the 20 that are live it is not.
    assert_eq!(night(&world, "recs-3", 17).await.0, State::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_cannot_be_read_is_no_baseline() {
    let world = world("check: keyChurn, change: removed, against: previous, mustBe: 0").await;
    night(&world, "recs-1", 8).await;
    let first = world.version().await.version;
    world
        .registry
        .put_document(&recs(), first, "PROFILE", &serde_json::json!({"profile": "{\"format\":2}"}))
        .await
        .unwrap();
    let second = night(&world, "recs-2", 8).await;
    assert_eq!(
        (second.0, second.2.as_slice()),
        (State::Valid, &["keyChurn: no baseline: no profile is kept of version 1".to_owned()][..])
    );
    let third = night(&world, "recs-3", 7).await;
    assert_eq!(third.1, ["keyChurn: 12.5 % of the keys of version 2 are gone, none expected"]);
    let documents =
        world.registry.documents(&recs(), world.versions().await[1].version, "PROFILE").await.unwrap();
    let summary: &Value = &documents[0].1["summary"];
    assert_eq!((&summary["items"], &summary["attributes"][0]["attribute"]), (&8.into(), &"user_id".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_read_strongly_until_its_seal_is_some_seconds_old() {
    let world = World::with_table().await;
    let scans = |strong: bool| {
        let text = format!("\"ConsistentRead\":{strong}");
        world.emulator.inject(Fault::delay("Scan", Duration::ZERO).containing(&text).always())
    };
    let broken = world
        .emulator
        .inject(Fault::internal_server_error("Scan").containing("\"ConsistentRead\":true").always());
    let signal = signal(crate::support::TABLE);
    world.say(&signal).await.unwrap_err();
    assert!(world.emulator.fired_by(broken) > 0);
    // A page that the failed invocation asked for may still be on its way.
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.emulator.clear_faults();
    let (strong, eventual) = (scans(true), scans(false));
    // Beyond the lease of the one that failed.
    world.clock.on(Duration::from_secs(3600));
    world.say(&signal).await.unwrap();
    assert_eq!(world.version().await.verdict.unwrap().outcome, VerdictOutcome::Passed);
    assert_eq!((world.emulator.fired_by(strong), world.emulator.fired_by(eventual)), (0, 4));
}
