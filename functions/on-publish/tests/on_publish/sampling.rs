//! Checks with a ceiling: tables of which only some segments are read.

use std::time::Duration;

use on_publish::Ending;
use septet_emulator::Fault;
use septet_registry::{State, VerdictOutcome, Version};
use serde_json::{Value, json};

use crate::support::{CONTRACT, TABLE, World, letter_of, manifest, recs, signal};

const USERS: usize = 640;

/// A world whose contract has a ceiling, and these rules too.
async fn world(ceiling: u32, rules: &str) -> World {
    let world = World::empty().await;
    let setting = format!("customProperties:\n  - {{property: septet.maxScanUnits, value: {ceiling}}}\n");
    let contract = CONTRACT.replacen("customProperties:\n", &setting, 1);
    let contract = contract.replacen("    quality:\n", &format!("    quality:\n{rules}"), 1);
    world.put_contract(&contract).await;
    world.table(TABLE, USERS).await;
    world
}

/// What is kept of what was seen: for people, and all of it.
async fn kept(world: &World, version: &Version) -> (Value, Value) {
    let kept = world.registry.documents(&recs(), version.version, "PROFILE").await.unwrap();
    let (_, document) = &kept[0];
    let profile = serde_json::from_str(document["profile"].as_str().unwrap()).unwrap();
    (document["summary"].clone(), profile)
}

async fn checked(world: &World, message: &Value) -> Version {
    world.say(message).await.unwrap();
    for end in world.drain().await {
        end.unwrap();
    }
    world.version().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_above_the_ceiling_is_sampled_and_the_verdict_says_so() {
    let world = world(36, "").await;
    world.emulator.clear_calls();
    let version = checked(&world, &signal(TABLE)).await;
    // Two segments for each of 16 parts, each a page of one unit; a third might be dearer.
    assert_eq!(world.emulator.count("Scan"), 32);
    assert_eq!(version.state, State::Valid, "{version:?}");
    assert_eq!(world.live().await.unwrap().version, version.version);
    let warning = &version.verdict.as_ref().unwrap().warnings[0];
    assert!(warning.starts_with("a sample was checked: 32 of 64 segments, "), "{warning}");
    assert!(
        warning.contains(" items, for 32 read units; the table has ")
            && warning.ends_with("(99 % confidence)")
    );
    // What is not known of the table is not said of it.
    assert_eq!((&version.counts, &version.digest), (&None, &None));
    let (summary, profile) = kept(&world, &version).await;
    assert_eq!(summary["sample"], json!({"segments": 32, "dropped": 0, "of": 64, "read_units": 32}));
    assert_eq!((&summary["items_read"], summary.get("digest")), (&profile["items"], None));
    let [least, most] = ["least", "most"].map(|end| summary["items"][end].as_f64().unwrap());
    assert!((200.0..=USERS as f64).contains(&least) && (USERS as f64..=1000.0).contains(&most), "{summary}");
    assert_eq!(profile["sampled"]["segments"], 32);
    let checks = world.registry.documents(&recs(), version.version, "CHECK#").await.unwrap();
    let rows =
        checks.iter().find(|(name, _)| name.ends_with("enough_users")).unwrap().1["message"].to_string();
    assert!(rows.contains(" that were read), between 3 and 1000"), "{rows}");
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_below_the_ceiling_is_checked_as_a_whole() {
    let exact = "      - {id: all, metric: rowCount, mustBe: 640, unit: rows}\n";
    let world = world(640, exact).await;
    let version = checked(&world, &manifest(TABLE, USERS as u64)).await;
    assert_eq!(version.state, State::Valid, "{version:?}");
    assert_eq!(version.verdict.as_ref().unwrap().warnings, Vec::<String>::new());
    assert_eq!(version.counts.as_ref().unwrap().items, USERS as u64);
    let (summary, profile) = kept(&world, &version).await;
    assert_eq!((summary.get("sample"), profile.get("sampled")), (None, None));
    assert_eq!(summary["digest"].as_str(), version.digest.as_deref());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_is_done_again_reads_the_same_segments_and_another_tables_reads_others() {
    let exact = "      - {id: all, metric: rowCount, mustBe: 640, unit: rows}\n";
    let world = world(36, exact).await;
    let mut digests = Vec::new();
    for attempt in 1..=2 {
        let version = checked(&world, &signal(TABLE)).await;
        let verdict = version.verdict.as_ref().unwrap();
        assert_eq!((version.attempts, verdict.outcome), (attempt, VerdictOutcome::Errored), "{version:?}");
        let reason = version.reason().unwrap();
        assert!(
            reason.starts_with("rowCount: ")
                && reason.ends_with("exactly 640 expected: a sample cannot tell"),
            "{reason}"
        );
        digests.push(kept(&world, &version).await.1["digest"].clone());
    }
    assert_eq!(world.live().await, None);
    assert_eq!(digests[0], digests[1]);
    world.table("recs-other", USERS).await;
    world.say(&signal("recs-other")).await.unwrap();
    world.drain().await;
    let other = world.versions().await.pop().unwrap();
    assert_ne!(kept(&world, &other).await.1["digest"], digests[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_publisher_says_of_all_items_is_not_taken_for_true_of_a_sample() {
    let right = world(36, "").await;
    let version = checked(&right, &manifest(TABLE, USERS as u64)).await;
    assert_eq!(version.verdict.as_ref().unwrap().outcome, VerdictOutcome::Errored);
    let reason = version.reason().unwrap();
    let said = "manifestItems: the manifest says 640 items, the table has ";
    assert!(reason.starts_with(said) && reason.ends_with(": a sample cannot tell"), "{reason}");
    let wrong = world(36, "").await;
    let version = checked(&wrong, &manifest(TABLE, 2 * USERS as u64)).await;
    assert_eq!(version.verdict.as_ref().unwrap().outcome, VerdictOutcome::Failed, "{version:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_that_ends_in_the_middle_of_a_segment_leaves_it_to_be_read_from_its_beginning() {
    let mut world = world(640, "").await;
    let (few, users) = ("recs-few", 160);
    world.table(few, users).await;
    world.sharing.keep_every = jiff::SignedDuration::from_millis(1);
    world.emulator.settings(|settings| settings.page_items = Some(1));
    let clock = world.clock.clone();
    let slow = Fault::meanwhile("Scan", move || {
        let clock = clock.clone();
        async move { clock.on(Duration::from_secs(7)) }
    });
    world.emulator.inject(slow.always());
    world.say(&manifest(few, users as u64)).await.unwrap();
    let mut stopped = 0;
    while let Some(later) = world.shelf.take() {
        let end = world.hand(&letter_of(&later)).await.unwrap();
        stopped += usize::from(end.ending == Ending::Later);
        assert!(stopped < 200, "{end:?}");
    }
    assert!(stopped >= 16, "{stopped}");
    // The ceiling was enough for all of it, and nothing is missing or there twice.
    let version = world.version().await;
    assert_eq!(version.state, State::Valid, "{version:?}");
    assert_eq!(version.counts.as_ref().unwrap().items, users as u64);
}
