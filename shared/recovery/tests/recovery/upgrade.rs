//! What release 0.1.0 wrote into the ledger, read and rewritten by this one; and what a newer release adds, kept.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use septet_emulator::{Emulator, recorded};
use septet_recovery::ledger::decide::{self, Turn};
use septet_recovery::ledger::{By, Lease, Outcome, Run, RunState, WindowState};
use septet_recovery::port::{DeadLetters, Delivery, NoAnswer, Parcel, Sink, Source, Undelivered};
use septet_recovery::sink::RecordLetter;
use septet_recovery::worker::{LaneOrder, Worker};
use septet_recovery::{Answer, Ask, Feed, FeedName, Ledger, Message, RangeRequest};
use septet_registry::{Clock, DynamoDb, Entropy};
use uuid::Uuid;

const TABLE: &str = "septet-registry";

const SUCCEEDED: &str = "725bdde6-4ed2-8d7c-a2b8-ea7a2c0a29f9";
const FAILED: &str = "7c3f57b3-e98d-8157-bd6b-a4aff234d0ba";
const PAUSED: &str = "103e11f7-7771-8ed2-81c4-86c2a849b35b";
const PLANNED: &str = "2c2d9acf-d7e7-8a8c-b315-34cc79bb523e";
const RUNNING: &str = "8c2f70d5-81db-8ba0-9467-ba63b2965092";

/// The ledger as a release left it.
struct World {
    emulator: Emulator,
    ledger: Ledger,
    before: Vec<recorded::Item>,
}

impl World {
    /// The ledger of 0.1.0.
    async fn recorded() -> Self {
        Self::of(recorded::items("0.1.0/ledger.json")).await
    }

    /// The same after a newer release added attributes of every type, at the top and inside maps.
    async fn extended() -> Self {
        let mut items = recorded::items("0.1.0/ledger.json");
        items.iter_mut().filter(|item| !is_record(item)).for_each(recorded::extend);
        Self::of(items).await
    }

    async fn of(before: Vec<recorded::Item>) -> Self {
        let emulator = Emulator::start().await;
        emulator.create_registry_table(TABLE).await;
        emulator.put_raw_items(TABLE, before.clone()).await;
        let store = Arc::new(DynamoDb::new(emulator.client(), TABLE));
        Self { emulator, ledger: Ledger::new(store, Arc::new(Entropy::from_seed(1))), before }
    }

    async fn run(&self, id: &str) -> Run {
        self.ledger.run(&plays(), run(id)).await.unwrap().unwrap()
    }

    /// Lets a worker take lane 0 of a run, and a source answer so.
    async fn work(&self, id: &str, source: Third) {
        let run = self.run(id).await;
        let worker = Worker {
            ledger: &self.ledger,
            source: &source,
            sink: &source,
            dead: &source,
            clock: &Stands,
            entropy: Arc::new(Entropy::from_seed(9)),
            owner: "worker".into(),
            deadline: now() + SignedDuration::from_mins(1),
        };
        let report = worker.work(&run, &run.feed().unwrap(), 0).await.unwrap();
        assert!(report.progressed(), "{report:?}");
    }
}

fn is_record(item: &recorded::Item) -> bool {
    item["sk"].as_s().unwrap().starts_with("LOG#")
}

struct Stands;

impl Clock for Stands {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// A source that has no rows and says that there are so many.
#[derive(Clone, Copy)]
struct Third {
    total: u32,
}

#[async_trait]
impl Source for Third {
    async fn fetch(&self, _: &Ask, _: Duration) -> Result<Answer, NoAnswer> {
        let meta = serde_json::json!({"total": self.total, "next": null, "has_more": false});
        let body = serde_json::json!({"plays": [], "meta": meta}).to_string().into_bytes();
        Ok(Answer { status: 200, headers: vec![], body })
    }
}

#[async_trait]
impl Sink for Third {
    async fn send(&self, _: &[Parcel<'_>]) -> Result<Delivery, Undelivered> {
        Ok(Delivery::default())
    }
}

#[async_trait]
impl DeadLetters for Third {
    async fn bury(&self, _: &Parcel<'_>, _: &str) -> Result<(), Undelivered> {
        Ok(())
    }
}

fn plays() -> FeedName {
    FeedName::parse("plays").unwrap()
}

fn run(id: &str) -> Uuid {
    id.parse().unwrap()
}

/// Some time after all that was recorded.
fn now() -> Timestamp {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

fn by() -> By {
    By { actor: "upgrade".into(), now: now() }
}

/// The letter of a record that 0.1.0 gave back to the dead letters once.
fn letter() -> RecordLetter {
    match Message::read(&recorded::bodies("0.1.0/recovery-dead-letters.json")[0]) {
        Message::Record(letter) => letter.back("still odd"),
        other => panic!("{other:?}"),
    }
}

/// A step of today's release, as it changes the ledger of 0.1.0.
#[derive(Debug, Clone, Copy)]
enum Step {
    PutFeed,
    Start,
    Pause,
    Resume,
    Set,
    Cancel,
    Retry,
    Settle,
    Work,
    Suspect,
    Verify,
    TakeLetter,
    GiveLetterBack,
    BringIn,
}

const STEPS: [Step; 14] = [
    Step::PutFeed,
    Step::Start,
    Step::Pause,
    Step::Resume,
    Step::Set,
    Step::Cancel,
    Step::Retry,
    Step::Settle,
    Step::Work,
    Step::Suspect,
    Step::Verify,
    Step::TakeLetter,
    Step::GiveLetterBack,
    Step::BringIn,
];

const FEED: &str = "FEED#plays / FEED";
const LETTER: &str = "LETTER#2023-11-14T22:13:20.000000000Z#993ab39e77551692b880cd341687dd2d";
const READ: &str = "state generation fence lease progress doubt unsettled updated_at";

fn of_run(id: &str, names: &str) -> (String, String) {
    (format!("FEED#plays / RUN#{id}"), names.to_owned())
}

fn within(id: &str, sk: &str, names: &str) -> (String, String) {
    (format!("FEED#plays#RUN#{id} / {sk}"), names.to_owned())
}

fn done<T: std::fmt::Debug>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Done(value) => value,
        other => panic!("{other:?}"),
    }
}

/// Takes a step, and names the attributes that it changes.
async fn take(world: &World, step: Step) -> Vec<(String, String)> {
    let ledger = &world.ledger;
    let order = async |id: &str, order: decide::Order| {
        done(ledger.order(&plays(), run(id), &order, "to see", &by()).await.unwrap());
    };
    let feed = |names: &str| (FEED.to_owned(), names.to_owned());
    let state = "state updated_at";
    let window = "WINDOW#2023-11-14T22:13:20.000000000Z";
    let letter_item = || within(SUCCEEDED, LETTER, "redrives injected lease updated_at");
    match step {
        Step::PutFeed => {
            done(ledger.put_feed(&Feed::parse(crate::world::FEED).unwrap(), &by()).await.unwrap());
            vec![feed("document digest updated_at")]
        }
        Step::Start => {
            let text =
                r#"{"feed":"plays","from":"2023-11-10T00:00:00Z","to":"2023-11-10T01:00:00Z","reason":"r"}"#;
            done(ledger.start(&RangeRequest::parse(text).unwrap(), &by()).await.unwrap());
            vec![feed("active")]
        }
        Step::Pause => {
            order(RUNNING, decide::Order::Pause).await;
            vec![of_run(RUNNING, state)]
        }
        Step::Resume => {
            order(PAUSED, decide::Order::Resume).await;
            vec![of_run(PAUSED, state)]
        }
        Step::Set => {
            order(PAUSED, decide::Order::Set { rate: Some(3.0), concurrency: None }).await;
            vec![of_run(PAUSED, "rate updated_at")]
        }
        Step::Cancel => {
            order(PLANNED, decide::Order::Cancel).await;
            ledger.settle(&plays(), run(PLANNED), &by()).await.unwrap();
            vec![of_run(PLANNED, state), feed("active")]
        }
        Step::Retry => {
            let document = world.run(FAILED).await.document;
            order(FAILED, decide::Order::Retry { document, page_size: None }).await;
            vec![of_run(FAILED, "state generation updated_at"), feed("active")]
        }
        Step::Settle => {
            ledger.settle(&plays(), run(RUNNING), &by()).await.unwrap();
            assert_eq!(world.run(RUNNING).await.state, RunState::Interrupted);
            vec![of_run(RUNNING, state)]
        }
        Step::Work | Step::Suspect => {
            let total = if matches!(step, Step::Suspect) { 3 } else { 0 };
            world.work(RUNNING, Third { total }).await;
            let windows = ledger.windows(&plays(), run(RUNNING)).await.unwrap();
            let is = if total == 0 { WindowState::Done } else { WindowState::Suspect };
            assert!(windows.iter().all(|held| held.value.state == is), "{windows:?}");
            vec![
                of_run(RUNNING, state),
                feed("active"),
                within(RUNNING, "LANE#0000", "lease"),
                within(RUNNING, "WINDOW#2023-11-14T12:13:20.000000000Z", READ),
                ("FEED#plays / BUDGET".to_owned(), "free_at paused_until".to_owned()),
            ]
        }
        Step::Verify => {
            let windows = ledger.windows(&plays(), run(SUCCEEDED)).await.unwrap();
            let marked =
                ledger.verify(&world.run(SUCCEEDED).await, windows, "all agree", &by()).await.unwrap();
            assert_eq!(marked, 4);
            let froms = ["22:13:20", "22:28:20", "22:43:20", "22:58:20"];
            froms
                .iter()
                .map(|from| within(SUCCEEDED, &format!("WINDOW#2023-11-14T{from}.000000000Z"), state))
                .collect()
        }
        Step::TakeLetter => {
            let (run, letter) = (world.run(SUCCEEDED).await, letter());
            let of = ledger.window(&plays(), run.run, letter.window).await.unwrap().unwrap().value;
            let lease = Lease { owner: "me".into(), until: now() + SignedDuration::from_mins(1) };
            let turn = ledger.take_letter(&run, &of, &letter, &lease, now()).await.unwrap();
            assert_eq!(turn, Turn::Now);
            vec![letter_item()]
        }
        Step::GiveLetterBack => {
            ledger.give_letter_back(&world.run(SUCCEEDED).await, &letter(), now()).await.unwrap();
            vec![letter_item()]
        }
        Step::BringIn => {
            ledger.bring_in(&world.run(SUCCEEDED).await, &letter(), &by()).await.unwrap();
            vec![letter_item(), within(SUCCEEDED, window, "progress updated_at")]
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
        assert_ne!(after, world.before, "{step:?} changes something");
        let of_step = recorded::lost(&world.before, &after, &changes);
        lost.extend(of_step.into_iter().map(|what| format!("{step:?}: {what}")));
    }
    assert_eq!(lost, Vec::<String>::new());
}

#[tokio::test]
async fn everything_that_0_1_0_wrote_is_read() {
    let world = World::recorded().await;
    let ledger = &world.ledger;
    assert_eq!(ledger.feeds().await.unwrap(), [plays()]);
    let feed = ledger.feed(&plays()).await.unwrap().unwrap();
    assert_eq!(Feed::parse(&feed.document).unwrap().digest(), feed.digest);
    assert_eq!(feed.active.len(), 3);

    use RunState::*;
    let runs = ledger.runs(&plays()).await.unwrap();
    let states: Vec<_> = runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [Succeeded, Failed, Failed, Cancelled, Paused, Planned, Running]);
    let mut windows = BTreeSet::new();
    for run in &runs {
        assert!(run.feed().is_some(), "{}", run.run);
        for held in ledger.windows(&plays(), run.run).await.unwrap() {
            windows.insert(format!("{:?}", held.value.state));
        }
        ledger.lanes(&plays(), run.run).await.unwrap();
    }
    assert_eq!(
        windows.into_iter().collect::<Vec<_>>(),
        ["Done", "Failed", "Pending", "Running", "Suspect", "Verified"]
    );
    let log = ledger.log(&plays(), None).await.unwrap();
    let actions: BTreeSet<_> = log.iter().map(|record| format!("{:?}", record.action)).collect();
    assert_eq!(actions.len(), 14, "{actions:?}");
}

#[test]
fn every_message_of_0_1_0_is_read() {
    let read: Vec<_> = ["0.1.0/recovery-queue.json", "0.1.0/recovery-dead-letters.json"]
        .iter()
        .flat_map(|file| recorded::bodies(file))
        .map(|body| match Message::read(&body) {
            Message::Range(range) => format!("range {}", range.run()),
            Message::Lane(LaneOrder { lane, hop, idle, .. }) => format!("lane {lane} {hop} {idle}"),
            Message::Record(letter) => format!("record {}", letter.record_id),
            Message::Unreadable { reason, .. } => format!("unreadable {}", &reason[..5]),
        })
        .collect();
    let range = format!("range {SUCCEEDED}");
    assert_eq!(read, [range.as_str(), "lane 0 0 0", "lane 0 1 0", "record 12", "unreadable from:"]);
}

#[tokio::test]
async fn every_step_keeps_what_0_1_0_wrote() {
    assert_kept_by_every_step(World::recorded).await;
}

#[tokio::test]
async fn every_step_keeps_what_a_newer_release_added() {
    assert_kept_by_every_step(World::extended).await;
}
