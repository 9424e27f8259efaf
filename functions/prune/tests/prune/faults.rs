//! What goes wrong during a sweep, and who comes in between.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use septet_emulator::Fault;
use septet_registry::*;
use serde_json::json;
use tokio::sync::Notify;

use crate::world::*;
use VerdictOutcome::{Failed, Passed};

/// Something of everything a sweep may have to do: at second 1000 it reminds of two tables, loses one
/// version, abandons one, retires two and deletes one.
async fn busy() -> World {
    let world = World::with_recs().await;
    world.nights(4).await;
    world.sweep(400).await;
    assert_eq!(world.state(1).await, State::Retiring);
    world.night("recs-5", Passed, 300).await;
    world.night("recs-6", Failed, 300).await;
    world.announce("recs-7", -100_000).await;
    world.announce("recs-8", 300).await;
    world.night("recs-9", Failed, 300).await;
    world.vanish("recs-9").await;
    world.emulator.create_dataset_table("recs-new", "id", None).await;
    world.emulator.clear_calls();
    world
}

/// Holds when everything that [`busy`] asks for is done, once.
async fn assert_done(world: &World, context: &str) {
    use State::*;
    assert_eq!(
        world.states().await,
        [Deleted, Retiring, Valid, Valid, Valid, Retiring, Abandoned, Announced, Lost],
        "{context}"
    );
    let reminded: std::collections::BTreeSet<_> = world.reminders().into_iter().map(|it| it.0).collect();
    assert!(reminded.contains("recs-8") && reminded.contains("recs-new"), "{context}: {reminded:?}");
    assert!(!world.existing().await.contains(&"recs-1".to_owned()), "{context}");
    assert_eq!(world.existing().await.len(), 8, "{context}");
    let records = world.registry.log(&recs(), None).await.unwrap();
    let ours = records.iter().filter(|record| record.actor == prune::ACTOR && record.at == at(1000));
    assert_eq!(ours.count(), 5, "{context}: one record for each change");
    world.assert_sound(1000).await;
}

#[tokio::test]
async fn a_busy_sweep_does_all_of_it() {
    let world = busy().await;
    let summary = world.sweep(1000).await;
    assert_done(&world, &format!("{summary:#?}")).await;
    assert_eq!((summary.done.len(), summary.failed.len(), summary.skipped.len()), (7, 0, 0));
}

/// How often a sweep of [`busy`] calls each operation.
async fn calls() -> septet_emulator::Calls {
    let world = busy().await;
    world.sweep(1000).await;
    world.emulator.calls()
}

#[tokio::test]
async fn an_answer_lost_or_a_call_throttled_anywhere_changes_nothing_of_the_outcome() {
    let calls = calls().await;
    for operation in ["TransactWriteItems", "DeleteTable", "UpdateTable", "SendMessage"] {
        for (fault, nth) in (1..=calls[operation])
            .flat_map(|nth| [(Fault::lost_answer(operation), nth), (Fault::throttle(operation), nth)])
        {
            let world = busy().await;
            world.emulator.inject(fault.from(nth));
            let summary = world.sweep(1000).await;
            let context = format!("{operation} {nth}: {summary:#?}");
            assert_eq!(world.emulator.fired(), 1, "{context}");
            // What failed is said, and the same sweep again does the rest.
            if !summary.failed.is_empty() {
                let expected = ["Queue.Unavailable", "Tables.Unavailable", "Tables.Throttled"];
                assert!(expected.contains(&summary.failed[0].kind), "{context}");
                world.sweep(1000).await;
            }
            assert_done(&world, &context).await;
        }
    }
}

#[tokio::test]
async fn a_sweep_killed_before_any_of_its_calls_is_finished_by_the_next() {
    let calls = calls().await;
    for (operation, first) in [
        ("ListTables", 1),
        // Those before are looks that nothing was done before.
        ("DescribeTable", 9),
        ("TransactWriteItems", 1),
        ("UpdateTable", 1),
        ("DeleteTable", 1),
        ("SendMessage", 1),
    ] {
        assert!(first <= calls[operation], "{calls:?}");
        for nth in first..=calls[operation] {
            let world = busy().await;
            let reached = Arc::new(Notify::new());
            let signal = reached.clone();
            let kill = Fault::meanwhile(operation, move || {
                signal.notify_one();
                std::future::pending()
            });
            world.emulator.inject(kill.from(nth));
            let prune = world.prune();
            tokio::select! {
                () = reached.notified() => {}
                done = prune.handle(json!({}), &INVOCATION) => panic!("not killed: {done:?}"),
            }
            let summary = world.sweep(1000).await;
            assert_done(&world, &format!("killed before {operation} {nth}: {summary:#?}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pruners_at_the_same_time_do_each_thing_once() {
    let world = busy().await;
    let prunes: Vec<_> = (0..8).map(|seed| world.prune_with(world.emulator.client(), seed, at(0))).collect();
    let sweeps = prunes.iter().map(|prune| prune.handle(json!({}), &INVOCATION));
    let summaries = futures::future::join_all(sweeps).await;
    let failed: Vec<_> = summaries.iter().flat_map(|summary| &summary.as_ref().unwrap().failed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_done(&world, "eight pruners").await;
}

static INVOCATION: std::sync::LazyLock<septet_telemetry::Invocation> =
    std::sync::LazyLock::new(|| invocation(1000));

#[tokio::test]
async fn what_somebody_points_at_between_plan_and_deed_is_not_retired() {
    let world = World::with_recs().await;
    world.nights(5).await;
    let registry = world.registry.clone();
    let meanwhile = Fault::meanwhile("TransactWriteItems", move || {
        let registry = registry.clone();
        async move {
            let to = PointRequest::new(Direction::To(number(1)), "the nights after it are bad");
            let _ = registry.move_pointer(&recs(), &PointerName::live(), &to, &by(9_999)).await.unwrap();
        }
    });
    world.emulator.inject(meanwhile.containing("retiring"));
    let summary = world.sweep(10_000).await;
    use State::*;
    assert_eq!(world.states().await, [Valid, Retiring, Valid, Valid, Valid]);
    assert_eq!(summary.skipped[0].reason, "version 1 is named by live", "{summary:#?}");
    world.assert_sound(10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pruners_and_pointers_at_the_same_time_break_no_invariant() {
    let world = World::with_recs().await;
    world.nights(7).await;
    let before = world.snapshot().await;
    let prunes: Vec<_> = (0..4).map(|seed| world.prune_with(world.emulator.client(), seed, at(0))).collect();
    let sweeps = prunes.iter().map(|prune| prune.handle(json!({}), &INVOCATION));
    let (registry, live) = (&world.registry, PointerName::live());
    let points = (0..12).map(async |turn: u64| {
        let to =
            PointRequest { force: true, ..PointRequest::new(Direction::To(number(turn % 7 + 1)), "turn") };
        registry.move_pointer(&recs(), &live, &to, &by(1000)).await.map(drop)
    });
    let (sweeps, points) =
        futures::future::join(futures::future::join_all(sweeps), futures::future::join_all(points)).await;
    assert!(sweeps.iter().all(|summary| summary.as_ref().unwrap().failed.is_empty()));
    assert!(points.iter().all(Result::is_ok), "{points:?}");
    world.assert_sound(1000).await;
    let after = world.snapshot().await;
    assert_eq!(invariants::pruning_leaves_the_newest_valid(&before, &after), Vec::<String>::new());
    assert!(after.records.len() > before.records.len());
}

#[tokio::test]
async fn a_dataset_that_cannot_be_read_stops_no_other() {
    let world = World::with_recs().await;
    world.dataset("broken", 3).await;
    world.nights(5).await;
    let put = world.emulator.backdoor().put_item().table_name(REGISTRY);
    let s = |text: &str| AttributeValue::S(text.into());
    let put = put.item("pk", s("DATASET#broken")).item("sk", s("VERSION#0000000001"));
    put.item("format", AttributeValue::N("3".into())).send().await.unwrap();
    let summary = world.sweep(10_000).await;
    assert_eq!(world.state(1).await, State::Retiring);
    let [failure] = summary.failed.as_slice() else { panic!("{summary:#?}") };
    assert_eq!((failure.dataset.clone(), failure.kind), (Some(set("broken")), "Registry.Unreadable"));
    assert!(
        failure.error.contains("it has format 3, this Septet knows formats up to 2"),
        "{}",
        failure.error
    );
    assert_eq!(world.measured(prune::FAILURES), [(None, 1.0)]);
}

#[tokio::test]
async fn what_cannot_be_listed_or_looked_at_is_not_taken_for_gone() {
    let world = World::with_recs().await;
    world.nights(5).await;
    world.emulator.inject(Fault::access_denied("ListTables"));
    world.emulator.inject(Fault::throttle("DescribeTable").containing("recs-4").always());
    let summary = world.sweep(10_000).await;
    use State::*;
    assert_eq!(world.states().await, [Retiring, Retiring, Valid, Valid, Valid]);
    let failed: Vec<_> = summary.failed.iter().map(|it| (it.what.as_str(), it.kind)).collect();
    assert_eq!(
        failed,
        [("list the tables of DynamoDB", "Tables.Denied"), ("look at table recs-4", "Tables.Throttled")]
    );
    assert!(summary.failed[0].error.contains("dynamodb:ListTables"), "{}", summary.failed[0].error);
}

#[tokio::test]
async fn a_queue_that_refuses_stops_nothing_else() {
    let world = busy().await;
    world.emulator.inject(Fault::access_denied("SendMessage").always());
    let summary = world.sweep(1000).await;
    let kinds: Vec<_> = summary.failed.iter().map(|failure| failure.kind).collect();
    assert_eq!(kinds, ["Queue.Denied", "Queue.Denied"]);
    assert!(summary.failed[0].error.contains("sqs:SendMessage"), "{}", summary.failed[0].error);
    assert_eq!(summary.done.len(), 5);
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_an_error_that_names_it() {
    let world = World::new().await;
    world.vanish(REGISTRY).await;
    let error = world.prune().handle(json!({}), &invocation(0)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), ("Registry.NotFound", false));
    assert!(error.to_string().contains(REGISTRY), "{error}");
}

#[tokio::test]
async fn out_of_time_nothing_is_begun_and_the_next_sweep_goes_on() {
    let world = busy().await;
    let late =
        world.prune_with(world.emulator.client(), 7, invocation(1000).deadline - Duration::from_secs(9));
    let summary = late.handle(json!({}), &invocation(1000)).await.unwrap();
    assert_eq!((summary.done.len(), summary.failed[0].kind), (0, "Invocation.OutOfTime"));
    assert_eq!(world.emulator.count("TransactWriteItems"), 0);
    world.sweep(1000).await;
    assert_done(&world, "after a sweep without time").await;
}
