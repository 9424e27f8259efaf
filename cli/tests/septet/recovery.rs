//! Feeds and their recoveries.

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
    let plan = world.json(&[&["backfill", "plan"], &RANGE[..]].concat());
    assert_eq!((&plan["windows"], &plan["least_calls"]), (&24.into(), &24.into()));
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
