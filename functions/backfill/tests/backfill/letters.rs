//! Records that no sink took, as they come back from the dead letters.

use septet_emulator::Fault;
use septet_recovery::ledger::decide::Order;
use septet_recovery::ledger::{Action, By, FeedRecord, Outcome};
use septet_telemetry::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::world::{UNRANKED, World, lost, plays, range};

/// A world in which a range came back but for the records that the sink cannot take, and the letters of those.
async fn with_poison() -> (World, Vec<String>) {
    let world = World::new().await;
    world.put(&world.feed().replace("version_attribute: played_at", "version_attribute: rank")).await;
    assert!(world.deliver(&[&range("")]).await.is_empty());
    world.drain().await;
    let letters = bodies(&world);
    assert_eq!(letters.len(), UNRANKED.len());
    assert!(letters.iter().all(|body| reason(body) == "it has no text or number rank"), "{letters:?}");
    (world, letters)
}

fn bodies(world: &World) -> Vec<String> {
    world.buried().into_iter().map(|(body, _)| body).collect()
}

fn value(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

fn reason(body: &str) -> String {
    value(body)["reason"].as_str().unwrap().to_owned()
}

fn with(body: &str, member: &str, to: Value) -> String {
    let mut value = value(body);
    value[member] = to;
    value.to_string()
}

async fn deliver(world: &World, bodies: &[String]) -> Vec<String> {
    world.deliver(&bodies.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// Records that the windows of the only run count as injected, and as poison.
async fn counted(world: &World) -> (u64, u64) {
    let run = world.runs().await.remove(0);
    let windows = world.backfill.ledger.windows(&plays(), run.run).await.unwrap();
    let counts = windows.iter().map(|held| held.value.progress.counts);
    counts.fold((0, 0), |all, one| (all.0 + one.injected, all.1 + one.poison))
}

async fn records(world: &World, action: Action) -> Vec<FeedRecord> {
    let log = world.backfill.ledger.log(&plays(), None).await.unwrap();
    log.into_iter().filter(|record| record.action == action).collect()
}

async fn mend(world: &World) {
    world.put(&world.feed()).await;
}

#[tokio::test]
async fn a_record_whose_sink_was_mended_is_brought_in_once_and_counted_so_and_on_record() {
    let (world, letters) = with_poison().await;
    let all = lost().len() as u64;
    assert_eq!(counted(&world).await, (all - 3, 3));
    mend(&world).await;
    // Each twice, in one batch.
    let twice: Vec<_> = letters.iter().chain(&letters).cloned().collect();
    assert!(deliver(&world, &twice).await.is_empty());
    world.drain().await;
    assert_eq!(world.found().await, lost());
    assert_eq!(counted(&world).await, (all, 0));
    let injected = records(&world, Action::Inject).await;
    assert_eq!(injected.len(), 3);
    assert_eq!(injected[0].actor, "AIDA:ann");
    let says = injected[0].reason.as_deref().unwrap();
    assert!(says.ends_with("which no sink took before: it has no text or number rank"), "{says}");
    assert_eq!(bodies(&world), letters);

    let puts = world.emulator.count("PutItem");
    assert!(deliver(&world, &letters).await.is_empty());
    assert_eq!((world.emulator.count("PutItem"), counted(&world).await), (puts, (all, 0)));
}

#[tokio::test]
async fn a_record_that_no_sink_takes_still_goes_back_with_the_reason_once_however_often_it_comes() {
    let (world, letters) = with_poison().await;
    world.put(&world.feed().replace("version_attribute: played_at", "version_attribute: likes")).await;
    for _ in 0..2 {
        assert!(deliver(&world, &letters).await.is_empty());
    }
    let back = bodies(&world).split_off(letters.len());
    assert_eq!(back.len(), letters.len());
    assert!(back.iter().all(|body| reason(body) == "it has no text or number likes"), "{back:?}");
    assert!(back.iter().all(|body| value(body)["redrives"] == 1));
    assert_eq!(counted(&world).await.1, 3);
    assert_eq!(records(&world, Action::Inject).await, []);
    // What went back comes in when the sink is mended; what went back before that does nothing any more.
    mend(&world).await;
    assert!(deliver(&world, &letters).await.is_empty());
    assert_ne!(world.found().await, lost());
    assert!(deliver(&world, &back).await.is_empty());
    assert_eq!((world.found().await, counted(&world).await.1), (lost(), 0));
}

#[tokio::test]
async fn a_record_of_a_cancelled_run_or_of_a_window_that_was_read_again_does_nothing() {
    let (world, letters) = with_poison().await;
    mend(&world).await;
    let again = range(r#","reprocess":"completed","occasion":"once more""#);
    assert!(world.deliver(&[&again]).await.is_empty());
    world.orders();
    let run = world.runs().await.pop().unwrap().run;
    let by = By { actor: "ann".into(), now: SystemClock.now() };
    let cancelled = world.backfill.ledger.order(&plays(), run, &Order::Cancel, "the wrong days", &by).await;
    assert!(matches!(cancelled.unwrap(), Outcome::Done(_)));
    let of_cancelled: Vec<_> = letters.iter().map(|body| with(body, "run", json!(run))).collect();
    let before: Vec<_> = letters.iter().map(|body| with(body, "generation", json!(0))).collect();
    let puts = world.emulator.count("PutItem");
    assert!(deliver(&world, &of_cancelled).await.is_empty());
    assert!(deliver(&world, &before).await.is_empty());
    assert_eq!((world.emulator.count("PutItem"), bodies(&world)), (puts, letters));
    assert!(UNRANKED.iter().all(|id| lost().contains(id)));
    assert_eq!(world.found().await.len(), lost().len() - UNRANKED.len());
}

#[tokio::test]
async fn of_a_record_that_is_not_whole_nothing_is_injected_and_it_says_how_it_comes_back() {
    let (world, letters) = with_poison().await;
    mend(&world).await;
    let cut = with(&letters[0], "bytes", json!(2_000_000));
    for _ in 0..2 {
        assert!(world.deliver(&[&cut]).await.is_empty());
    }
    let back = bodies(&world).split_off(letters.len());
    assert_eq!(back.len(), 1);
    let says = reason(&back[0]);
    assert!(says.starts_with("only ") && says.contains(" of its 2000000 bytes are kept"), "{says}");
    let command = "`septet backfill start plays --from 2023-11-14T22:13:20Z --to 2023-11-14T22:28:20Z \
                   --reprocess completed --reason WHY` reads its window again";
    assert!(says.contains(command), "{says}");
    assert_eq!(counted(&world).await.1, 3);
}

#[tokio::test]
async fn a_record_of_no_run_and_one_without_a_sink_are_kept() {
    let (world, letters) = with_poison().await;
    let unknown = with(&letters[0], "window", json!("2023-11-14T22:13:21Z"));
    assert!(world.deliver(&[&unknown]).await.is_empty());
    let (body, why) = world.buried().pop().unwrap();
    assert_eq!(body, unknown);
    assert!(why.contains("that read a window from 2023-11-14T22:13:21Z"), "{why}");

    world.put(&world.feed().replace("table: plays", "table: septet-registry")).await;
    assert!(world.deliver(&[&letters[0]]).await.is_empty());
    let back = bodies(&world).pop().unwrap();
    assert_eq!(reason(&back), "septet-registry is the registry; put a corrected feed");
}

#[tokio::test]
async fn a_message_whose_handler_was_killed_is_handled_after_its_lease_and_counted_once() {
    let (world, letters) = with_poison().await;
    mend(&world).await;
    let letter = backfill::Letter { body: letters[0].clone(), sender: "ann".into() };
    // The sink took it, and nobody could note that.
    world.emulator.inject(Fault::internal_server_error("TransactWriteItems").always());
    let killed = world.invocation(8);
    assert!(world.backfill.one(&letter, "m", &killed).await.is_err());
    world.emulator.clear_faults();
    assert_eq!(counted(&world).await.1, 3);
    assert!(deliver(&world, &letters[..1]).await.is_empty());
    let put_off = world.orders();
    assert_eq!((put_off.as_slice(), counted(&world).await.1), (&letters[..1], 3));
    while SystemClock.now() < killed.deadline {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(deliver(&world, &put_off).await.is_empty());
    assert_eq!((counted(&world).await.1, records(&world, Action::Inject).await.len()), (2, 1));
}

#[tokio::test]
async fn while_the_sink_takes_nothing_the_message_comes_again() {
    let (world, letters) = with_poison().await;
    mend(&world).await;
    world.emulator.inject(Fault::throttle("PutItem").containing("\"TableName\":\"plays\"").always());
    assert_eq!(deliver(&world, &letters[..1]).await, ["m-0"]);
    assert_eq!((counted(&world).await.1, bodies(&world).len()), (3, 3));
}
