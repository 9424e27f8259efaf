//! The dead letters of recoveries: shown, and moved back.

use std::sync::Arc;

use septet_emulator::Fault;
use septet_recovery::ledger::decide::Order;
use septet_recovery::ledger::{Action, By, Outcome, Run, WindowItem, WindowState};
use septet_recovery::sink::RecordLetter;
use septet_recovery::{FeedName, Ledger, RangeRequest};
use septet_registry::{
    Clock, Committed, DynamoDb, Entropy, Entry, Expect, Item, Key, Store, SystemClock, Write,
};
use serde_json::{Value, json};

use crate::world::{REGISTRY, World};

const FEED: &str = include_str!("../../../feeds/plays.yaml");
const RECOVERY: &str = "septet-recovery";
const LETTERS: &str = "septet-recovery-dead-letters";

fn plays() -> FeedName {
    FeedName::parse("plays").unwrap()
}

/// A feed, and the recovery queue with its dead letters.
async fn with_plays() -> World {
    let world = World::new().await;
    world.emulator.create_dead_letters(LETTERS, RECOVERY);
    world.file("plays.yaml", FEED);
    assert_eq!(world.run(&["feed", "put", "plays.yaml"]).code, 0);
    world
}

fn store(world: &World) -> DynamoDb {
    DynamoDb::new(world.emulator.client(), REGISTRY)
}

fn ledger(world: &World) -> Ledger {
    Ledger::new(Arc::new(store(world)), Arc::new(Entropy::from_seed(5)))
}

fn range(day: u32) -> String {
    let (from, to) = (format!("2025-11-{day}T00:00:00Z"), format!("2025-11-{day}T02:00:00Z"));
    json!({"feed": "plays", "from": from, "to": to, "reason": "it was silent", "step": "1h"}).to_string()
}

/// A run of that range whose first window is done.
async fn run_of(world: &World, range: &str) -> Run {
    let by = By { actor: "ann".into(), now: SystemClock.now() };
    let started = ledger(world).start(&RangeRequest::parse(range).unwrap(), &by).await.unwrap();
    let Outcome::Done(run) = started else { panic!("{started:?}") };
    let mut window = WindowItem {
        index: 0,
        from: run.from,
        to: run.from + jiff::SignedDuration::from_hours(1),
        state: WindowState::Done,
        generation: 1,
        fence: 1,
        lease: None,
        progress: Default::default(),
        doubt: None,
        failure: None,
        unsettled: false,
        updated_at: by.now,
    };
    window.progress.counts.poison = 4;
    let key = Key { pk: format!("FEED#plays#RUN#{}", run.run), sk: format!("WINDOW#{:.9}", run.from) };
    let entry = Entry { key, revision: 1, body: serde_json::to_value(&window).unwrap() };
    let write = Write { item: Item::Entry(entry), expect: Expect::Absent };
    assert_eq!(store(world).put(&[write]).await.unwrap(), Committed::Done);
    run
}

fn record(run: &Run, id: &str, record: &str) -> RecordLetter {
    RecordLetter {
        reason: "InvalidMessageContents: it is odd".into(),
        feed: plays(),
        run: run.run,
        window: run.from,
        generation: 1,
        record_id: id.into(),
        event_time: None,
        bytes: record.len(),
        record: record.into(),
        redrives: 0,
    }
}

/// Four hundred days ago, so that ages in days do not change while a test runs.
fn long_ago() -> i64 {
    (SystemClock.now() - jiff::SignedDuration::from_hours(9600)).as_millisecond()
}

/// One of each: ranges, an order, records and what cannot be read.
async fn with_letters() -> World {
    let world = with_plays().await;
    let run = run_of(&world, &range(18)).await;
    let other = run_of(&world, &range(20)).await;
    let by = By { actor: "ann".into(), now: SystemClock.now() };
    let cancelled = ledger(&world).order(&plays(), other.run, &Order::Cancel, "the wrong day", &by).await;
    assert!(matches!(cancelled.unwrap(), Outcome::Done(_)));
    let malformed = range(22).replace("2025-11-22T00:00:00Z", "yesterday");
    let bury = |body: &str, refused| world.emulator.bury(LETTERS, body, refused, long_ago());
    bury(&malformed, Some("from: \"yesterday\" is no time with a zone (write a time)"));
    bury("no JSON", Some("expected a value (write JSON)"));
    bury(&range(24).replace("plays", "likes"), Some("there is no feed likes; put it with `septet feed put`"));
    bury(&range(26), None);
    bury(&range(20), Some("a reason that is over"));
    bury(&json!({"feed": "plays", "run": run.run, "lane": 1}).to_string(), None);
    bury(&json!({"feed": "plays", "run": other.run, "lane": 0}).to_string(), None);
    bury(&record(&run, "17", "{\"id\":17}").to_message(), None);
    bury(&record(&run, "18", "{\"id\":18,\"x\":\"\u{fffe}\"}").to_message(), None);
    bury(&RecordLetter { bytes: 2_000_000, ..record(&run, "19", "{\"id\":19") }.to_message(), None);
    let unread = other.from + jiff::SignedDuration::from_hours(1);
    bury(&RecordLetter { window: unread, ..record(&other, "20", "{\"id\":20}") }.to_message(), None);
    world
}

fn bodies(world: &World, queue: &str) -> Vec<Value> {
    world.emulator.sent_bodies(queue)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_the_dead_letters_is_shown_with_the_reasons_and_given_back() {
    let world = with_letters().await;
    let before = bodies(&world, LETTERS);
    insta::assert_snapshot!(world.run(&["backfill", "letters"]));
    let shown = world.json(&["backfill", "letters"]);
    assert_eq!((&shown["all"], &shown["about"]), (&true.into(), &11.into()));
    assert_eq!(
        shown["reasons"][0],
        json!({"count": 4, "kind": "record", "reason": "InvalidMessageContents: it is odd"})
    );
    assert_eq!(shown["letters"][7]["record"], "17");
    let status = world.run(&["backfill", "status", "plays", shown["letters"][7]["run"].as_str().unwrap()]);
    assert!(status.stderr.contains("hint: septet backfill letters"), "{status}");
    assert_eq!((world.emulator.held(LETTERS), bodies(&world, LETTERS)), (0, before));
    assert!(bodies(&world, RECOVERY).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_asked_for_is_looked_at_and_it_says_so() {
    let world = with_letters().await;
    let some = world.run(&["backfill", "letters", "--limit", "3"]);
    assert!(some.stderr.contains("warning: 3 of about 11 letters are shown; --limit shows more"), "{some}");
    assert_eq!(world.json(&["backfill", "letters", "--limit", "3"])["all"], false);
    assert_eq!(world.emulator.held(LETTERS), 0);
    assert_eq!(world.run(&["backfill", "letters", "--limit", "0"]).code, 2);
    let none = with_plays().await.run(&["backfill", "letters"]);
    assert!(none.code == 0 && none.stderr.contains("Nothing lies in the dead letters."), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_comes_of_each_letter_and_moves_nothing() {
    let world = with_letters().await;
    let before = bodies(&world, LETTERS);
    insta::assert_snapshot!(world.run(&["backfill", "redrive", "--plan"]));
    let planned = world.json(&["backfill", "redrive", "--plan"]);
    let comes_to = |n: usize| planned["letters"][n]["outlook"]["comes_to"].as_str().unwrap().to_owned();
    let all: Vec<_> = (0..11).map(comes_to).collect();
    assert_eq!(
        all,
        ["back", "back", "back", "work", "nothing", "work", "nothing", "work", "back", "back", "nothing"]
    );
    assert_eq!((world.emulator.count("StartMessageMoveTask"), bodies(&world, LETTERS)), (0, before));
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_moved_once_somebody_agreed_and_it_is_on_record() {
    let world = with_letters().await;
    let declined = world.run(&["backfill", "redrive"]);
    assert!(declined.code == 2 && declined.stderr.contains("hint: say --yes to go on"), "{declined}");
    assert_eq!(world.emulator.count("StartMessageMoveTask"), 0);
    insta::assert_snapshot!(world.run(&["backfill", "redrive", "--rate", "20", "--yes"]));
    assert_eq!((bodies(&world, LETTERS).len(), bodies(&world, RECOVERY).len()), (0, 11));
    assert_eq!(world.emulator.rate_of_move(LETTERS), Some(20));
    let log = ledger(&world).log(&plays(), Some(1)).await.unwrap();
    assert_eq!((log[0].action, log[0].actor.as_str()), (Action::Redrive, "ann@desk"));
    let what = "dead letters moved back: 3 of kind range, 2 of kind order, 4 of kind record";
    assert_eq!(log[0].reason.as_deref(), Some(what));
    let again = world.run(&["backfill", "redrive", "--yes"]);
    assert!(again.code == 0 && again.stderr.contains("Nothing lies in the dead letters."), "{again}");
    assert_eq!(world.emulator.count("StartMessageMoveTask"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_that_fails_or_is_under_way_says_how_far_it_is() {
    let world = with_letters().await;
    world.emulator.fail_moves(LETTERS, "AWS.SimpleQueueService.NonExistentQueue");
    insta::assert_snapshot!(world.run(&["backfill", "redrive", "--yes"]));
    assert_eq!(bodies(&world, RECOVERY).len(), 2);

    let world = with_letters().await;
    let mut first = world.command(&["backfill", "redrive", "--yes"]).spawn().unwrap();
    while world.emulator.count("StartMessageMoveTask") == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let second = world.run(&["backfill", "redrive", "--yes"]);
    assert!(second.code == 1 && second.stderr.contains("no: another redrive is under way: "), "{second}");
    assert_eq!(first.wait().unwrap().code(), Some(0));
    assert_eq!(world.emulator.count("StartMessageMoveTask"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_of_letters_that_come_back_is_stopped() {
    let world = with_letters().await;
    world.emulator.return_moved(LETTERS);
    insta::assert_snapshot!(world.run(&["backfill", "redrive", "--yes"]));
    assert_eq!(bodies(&world, LETTERS).len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_under_way_is_stopped_by_hand() {
    let world = with_letters().await;
    let mut moving = world.command(&["backfill", "redrive", "--yes"]).spawn().unwrap();
    while world.emulator.count("StartMessageMoveTask") == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let stopped = world.json(&["backfill", "redrive", "--stop"]);
    assert_eq!(stopped["outcome"], "stopped");
    assert!(stopped["moved"].as_u64().unwrap() < 11, "{stopped}");
    assert_eq!(moving.wait().unwrap().code(), Some(1));
    assert!(!bodies(&world, LETTERS).is_empty());
    let again = world.run(&["backfill", "redrive", "--stop"]);
    assert!(again.code == 0 && again.stderr.contains("No redrive is under way."), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_names_itself_and_a_queue_without_dead_letters_is_named() {
    let world = with_letters().await;
    for operation in [
        "GetQueueAttributes",
        "ReceiveMessage",
        "ChangeMessageVisibilityBatch",
        "ListMessageMoveTasks",
        "StartMessageMoveTask",
    ] {
        world.emulator.inject(Fault::access_denied(operation).always());
        let run = world.run(&["backfill", "redrive", "--yes"]);
        world.emulator.clear_faults();
        let action = format!("sqs:{}", operation.trim_end_matches("Batch"));
        assert!(run.code == 2 && run.stderr.contains(&format!("failed to call {action} on the ")), "{run}");
        assert!(
            run.stderr.contains("permission is missing") && run.stderr.contains("hint: ask for sqs:"),
            "{run}"
        );
    }
    assert!(bodies(&world, RECOVERY).is_empty());
    world.emulator.create_queue("alone");
    insta::assert_snapshot!(world.run(&["backfill", "letters", "--recovery-queue", "alone"]));
    insta::assert_snapshot!(world.run(&["backfill", "letters", "--recovery-queue", "nowhere"]));
    assert_eq!(world.run(&["backfill", "redrive", "--rate", "501"]).code, 2);
}
