//! Feeds and their recoveries.

use std::sync::Arc;

use septet_emulator::Fault;
use septet_recovery::ledger::By;
use septet_recovery::{FeedName, Ledger};
use septet_registry::{DynamoDb, Entropy};
use serde_json::Value;

use crate::world::*;

const FEED: &str = include_str!("../../../feeds/plays.yaml");
const RECOVERY: &str = "septet-recovery";
const RANGE: [&str; 6] = ["plays", "--from", "2025-11-18", "--to", "2025-11-19", "--step=1h"];

async fn with_plays() -> World {
    let world = World::new().await;
    world.emulator.create_queue(RECOVERY);
    world.file("plays.yaml", FEED);
    assert_eq!(world.run(&["feed", "put", "plays.yaml"]).code, 0);
    world
}

fn start(world: &World) -> Value {
    world.json(&[&["backfill", "start"], &RANGE[..], &["--reason", "it was silent"]].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_is_put_once_and_shown() {
    let world = with_plays().await;
    let again = world.run(&["feed", "put", "plays.yaml"]);
    assert!(again.code == 0 && again.stdout.contains("Nothing changed"), "{again}");
    let shown = world.json(&["feed", "show", "plays"]);
    assert_eq!(shown["document"]["feed"], "plays");
    assert_eq!(world.json(&["feed", "list"])[0]["feed"], "plays");
    let unknown = world.run(&["feed", "show", "likes"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("septet feed list"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_with_mistakes_is_refused_at_its_place_and_not_put() {
    let world = World::new().await;
    world.file("bad.yaml", &FEED.replace("https://api.example.com", "http://api.example.com"));
    for command in ["lint", "put"] {
        let run = world.run(&["feed", command, "bad.yaml"]);
        assert_eq!(run.code, 1, "{run}");
        assert!(run.stderr.contains("bad.yaml:5:") && run.stderr.contains("http would show"), "{run}");
    }
    assert_eq!(world.json(&["feed", "list"]), serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_starts_nothing_and_the_same_start_twice_is_one_run() {
    let world = with_plays().await;
    let plan = world.json(&[&["backfill", "plan", "--offline"], &RANGE[..]].concat());
    assert_eq!((&plan["windows"], &plan["estimate"]["calls"]["low"]), (&24.into(), &24.0.into()));
    assert_eq!(world.json(&["backfill", "list", "plays"]), serde_json::json!([]));
    let (one, two) = (start(&world), start(&world));
    assert_eq!(one["run"]["run"], two["run"]["run"]);
    assert_eq!(one["run"]["run"], plan["run"]);
    assert_eq!(one["orders"], 4);
    let orders = world.emulator.sent_bodies(RECOVERY);
    assert_eq!((&orders[0]["run"], &orders[3]["lane"]), (&one["run"]["run"], &3.into()));
    assert_eq!(world.json(&["backfill", "list", "plays"]).as_array().unwrap().len(), 1);
    let log = world.run(&["backfill", "log", "plays"]);
    assert!(log.stdout.contains("ann@desk") && log.stdout.contains("it was silent"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_cannot_be_is_refused_with_its_field() {
    let world = with_plays().await;
    let range = ["plays", "--from", "2025-11-18", "--to", "2125-11-19", "--reason", "r"];
    let run = world.run(&[&["backfill", "start"], &range[..]].concat());
    assert!(run.code == 1 && run.stderr.contains("to: 2125-11-19T00:00:00Z is still to come"), "{run}");
    assert!(world.emulator.sent_bodies(RECOVERY).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_paused_resumed_set_and_cancelled_and_stays_so() {
    let world = with_plays().await;
    let id = start(&world)["run"]["run"].as_str().unwrap().to_owned();
    let order = |what: &str, more: &[&str]| {
        world.run(&[&["backfill", what, "plays", &id, "--reason", "a test asks"], more].concat())
    };
    assert!(order("pause", &[]).stdout.contains("is pausing"));
    assert!(order("resume", &[]).stdout.contains("is running"));
    assert_eq!(order("set", &["--rate", "2", "--concurrency", "6"]).code, 0);
    assert_eq!(order("set", &["--rate", "0"]).code, 2);
    assert_eq!(order("set", &[]).code, 2);
    let status = world.json(&["backfill", "status", "plays"]);
    assert_eq!((&status["run"]["rate"], &status["run"]["concurrency"]), (&2.0.into(), &6.into()));
    let sent = world.emulator.sent_bodies(RECOVERY).len();
    assert!(order("cancel", &[]).stdout.contains("is cancelling"));
    let no = order("resume", &[]);
    assert!(no.code == 1 && no.stderr.contains("cannot be resumed"), "{no}");
    assert_eq!(world.emulator.sent_bodies(RECOVERY).len(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_a_run_is_a_page_with_a_strip_of_its_windows() {
    let world = with_plays().await;
    start(&world);
    let status = world.run(&["backfill", "status", "plays"]);
    assert_eq!(status.code, 0, "{status}");
    assert!(status.stdout.contains(&format!("[{}]", ".".repeat(24))), "{status}");
    assert!(status.stdout.contains("0 of 24 over"), "{status}");
    let unknown = world.run(&["backfill", "status", "likes"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("septet backfill list likes"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_of_the_live_queue_is_a_gap_with_the_command_that_plans_its_recovery() {
    let world = with_plays().await;
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
    let (first, last) = (at("2025-11-17T00:00:00Z"), at("2025-11-24T00:00:00Z"));
    let silent = at("2025-11-18T00:00:00Z")..at("2025-11-22T00:00:00Z");
    let counts = (first..last).step_by(1800).filter(|at| !silent.contains(at)).map(|at| (at, 3.0));
    world.emulator.count_messages("plays", counts);
    let gaps = ["backfill", "gaps", "plays", "--since", "2025-11-17"];
    let shown = world.run(&gaps);
    assert_eq!(shown.code, 1, "{shown}");
    let command = "septet backfill plan plays --from 2025-11-17T23:30:00Z --to 2025-11-22T00:05:00Z";
    assert!(shown.stdout.contains(command) && shown.stdout.contains("the live queue was silent"), "{shown}");
    let found = world.run(&[&gaps[..], &["--json"]].concat());
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    // The second lasts until now.
    assert_eq!((found[0]["command"].as_str(), found.as_array().unwrap().len()), (Some(command), 2));
    let longer = world.run(&[&gaps[..], &["--longer-than", "4000000h"]].concat());
    assert!(longer.code == 0 && longer.stdout.contains("has no gap"), "{longer}");

    world.emulator.inject(Fault::access_denied("GetMetricData"));
    let denied = world.run(&gaps);
    assert!(denied.code == 2 && denied.stderr.contains("cloudwatch:GetMetricData"), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn following_a_run_ends_when_it_is_paused_or_over() {
    let world = with_plays().await;
    let id = start(&world)["run"]["run"].as_str().unwrap().to_owned();
    let follow = ["backfill", "status", "plays", &id, "--follow"];
    let mut following = world.command(&follow).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(following.try_wait().unwrap().is_none(), "it stays");
    world.run(&["backfill", "cancel", "plays", &id, "--reason", "a test asks"]);
    // What workers and sweeps do once nobody works any more.
    let store = Arc::new(DynamoDb::new(world.emulator.client(), REGISTRY));
    let ledger = Ledger::new(store, Arc::new(Entropy::from_seed(5)));
    let by = By { actor: "ann".into(), now: jiff::Timestamp::from_second(1_800_000_000).unwrap() };
    let plays = FeedName::parse("plays").unwrap();
    let settled = ledger.settle(&plays, id.parse().unwrap(), &by).await.unwrap();
    assert_eq!(settled.unwrap().state.as_str(), "cancelled");
    assert_eq!(following.wait().unwrap().code(), Some(1));
}
