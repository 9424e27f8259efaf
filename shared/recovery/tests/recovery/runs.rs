//! What people do to runs.

use septet_recovery::RangeRequest;
use septet_recovery::ledger::decide::{Order, Refusal};
use septet_recovery::ledger::*;
use septet_recovery::worker::{LaneOrder, sweep};

use crate::world::*;

fn rows() -> Vec<(u64, i64)> {
    (0..360).map(|n| (n + 1, at(-7200 + n as i64 * 10).as_second())).collect()
}

async fn order(world: &World, run: &Run, order: Order) -> Outcome<Run> {
    world.ledger.order(&run.feed, run.run, &order, "because", &by(world)).await.unwrap()
}

fn done(outcome: Outcome<Run>) -> Run {
    match outcome {
        Outcome::Done(run) => run,
        other => panic!("{other:?}"),
    }
}

async fn actions(world: &World) -> Vec<String> {
    let mut log = world.ledger.log(&name(), None).await.unwrap();
    log.reverse();
    let shown = log.iter().map(|record| {
        let action = serde_json::to_value(record.action).unwrap();
        format!("{} {}", action.as_str().unwrap(), record.after.as_deref().unwrap_or_default())
    });
    shown.filter(|line| !line.starts_with("put_feed")).collect()
}

#[tokio::test(start_paused = true)]
async fn the_same_request_twice_is_one_run() {
    let world = World::new(rows());
    let run = world.start(10, &request("")).await;
    let again = world.ledger.start(&request(""), &by(&world)).await.unwrap();
    assert_eq!(again, Outcome::Already(run.clone()));
    world.drain(LaneOrder::all(&run), 60, false).await;
    let again = world.ledger.start(&request(""), &by(&world)).await.unwrap();
    assert!(matches!(again, Outcome::Already(run) if run.state == RunState::Succeeded));
    assert_eq!(world.sunk().len(), 360);
    assert_eq!(actions(&world).await, ["start planned", "settle succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_not_read_again_unless_asked_for() {
    let world = World::new(rows());
    let run = world.start(10, &request("")).await;
    world.drain(LaneOrder::all(&run), 60, false).await;
    let same = request(r#""page_size":7"#);
    let refused = world.ledger.start(&same, &by(&world)).await.unwrap();
    assert_eq!(refused, Outcome::Refused(Refusal::NothingToDo));
    let wider = RangeRequest { from: at(-7800), ..same.clone() };
    let more = world.start(10, &wider).await;
    assert_eq!(more.stretches, [(0, 1)], "ten minutes are missing");
    world.drain(LaneOrder::all(&more), 60, false).await;
    assert!(world.sunk().values().all(|times| *times == 1));
    let all = world.start(10, &request(r#""reprocess":"completed""#)).await;
    assert_eq!(all.todo().count(), 12);
    let refused =
        world.ledger.start(&request(r#""reprocess":"failed","page_size":7"#), &by(&world)).await.unwrap();
    assert!(
        matches!(refused, Outcome::Refused(Refusal::Overlaps { run, .. }) if run == all.run),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_is_refused_by_field() {
    let world = World::new(rows());
    let unknown = world.ledger.start(&request(""), &by(&world)).await.unwrap();
    assert!(matches!(unknown, Outcome::Refused(Refusal::UnknownFeed { .. })));
    let _ = world.ledger.put_feed(&feed(10), &by(&world)).await.unwrap();
    let future = RangeRequest { to: at(60), ..request("") };
    for (request, field) in [
        (future, "to"),
        (request(r#""sink":"nowhere""#), "sink"),
        (request(r#""rate":1001"#), "rate"),
        (request(r#""step":"100ms""#), "step"),
    ] {
        let refused = world.ledger.start(&request, &by(&world)).await.unwrap();
        assert!(
            matches!(&refused, Outcome::Refused(Refusal::Field { field: found, .. }) if *found == field),
            "{refused:?}"
        );
    }
    world.ledger.refuse(&name(), "to: the range ends before it begins", &by(&world)).await.unwrap();
    assert_eq!(actions(&world).await, ["refuse "]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_finishes_its_page_and_goes_on_when_resumed() {
    let world = World::new(rows());
    let run = world.start(5, &request(r#""concurrency":1"#)).await;
    let orders = LaneOrder::all(&run);
    let (report, paused) = futures::join!(world.invoke(&orders[0], 60), async {
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        order(&world, &run, Order::Pause).await
    });
    assert_eq!(done(paused).state, RunState::Pausing);
    let report = report.unwrap();
    assert!(report.again.is_none() && report.pages < 10, "{report:?}");
    assert_eq!(world.run(&run).await.state, RunState::Paused);
    assert_eq!(world.invoke(&orders[0], 60).await.unwrap().pages, 0);
    assert_eq!(sweep(&world.ledger, &by(&world)).await.unwrap(), []);
    assert_eq!(done(order(&world, &run, Order::Resume).await).state, RunState::Running);
    world.drain(orders, 60, false).await;
    let sunk = world.sunk();
    assert!(sunk.len() == 360 && sunk.values().all(|times| *times == 1));
    assert_eq!(
        actions(&world).await,
        ["start planned", "pause pausing", "settle paused", "resume running", "settle succeeded"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_stays_cancelled_whatever_messages_come() {
    let world = World::new(rows());
    let run = world.start(5, &request(r#""concurrency":2"#)).await;
    let orders = LaneOrder::all(&run);
    let (one, _, cancelled) =
        futures::join!(world.invoke(&orders[0], 60), world.invoke(&orders[1], 60), async {
            tokio::time::sleep(std::time::Duration::from_millis(350)).await;
            order(&world, &run, Order::Cancel).await
        });
    assert_eq!(done(cancelled).state, RunState::Cancelling);
    assert!(one.unwrap().again.is_none());
    assert_eq!(world.run(&run).await.state, RunState::Cancelled);
    let sunk = world.sunk();
    for order in &orders {
        let report = world.invoke(order, 60).await.unwrap();
        assert_eq!((report.pages, report.again), (0, None), "a redrive does nothing");
    }
    assert_eq!(world.sunk(), sunk);
    assert_eq!(sweep(&world.ledger, &by(&world)).await.unwrap(), []);
    for refused in [Order::Resume, Order::Pause, Order::Set { rate: Some(1.0), concurrency: None }] {
        assert!(matches!(order(&world, &run, refused).await, Outcome::Refused(Refusal::State { .. })));
    }
    let windows = world.ledger.windows(&run.feed, run.run).await.unwrap();
    assert!(windows.iter().any(|held| held.value.state == WindowState::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn fewer_windows_at_a_time_take_effect_while_it_runs() {
    let world = World::new(rows());
    let run = world.start(5, &request(r#""concurrency":4"#)).await;
    let orders = LaneOrder::all(&run);
    let workers = orders.iter().map(|order| world.invoke(order, 600));
    let (reports, set) = futures::join!(futures::future::join_all(workers), async {
        tokio::time::sleep(std::time::Duration::from_millis(350)).await;
        order(&world, &run, Order::Set { rate: Some(7.0), concurrency: Some(1) }).await
    });
    assert_eq!((done(set).concurrency, world.run(&run).await.rate), (1, Some(7.0)));
    let reports: Vec<_> = reports.into_iter().flatten().collect();
    assert!(reports[1..].iter().all(|report| report.pages <= 4), "{reports:?}");
    assert_eq!(world.run(&run).await.state, RunState::Succeeded, "the one that is left does the rest");
    assert_eq!(world.sunk().len(), 360);
}

#[tokio::test(start_paused = true)]
async fn a_retry_reads_only_what_is_not_done() {
    let world = World::new(rows());
    let run = world.start(10, &request("")).await;
    // One window fails, and the rest goes on.
    let mut first = LaneOrder::all(&run);
    first.truncate(1);
    world.lose_answers_of(at(-7200).as_second());
    world.drain(first.clone(), 300, false).await;
    assert_eq!(world.run(&run).await.state, RunState::Failed);
    let before = world.sunk();
    assert_eq!(before.len(), 330);
    world.lose_answers_of(0);
    let retry = Order::Retry { document: run.document.clone(), page_size: Some(3) };
    let again = done(order(&world, &run, retry).await);
    assert_eq!((again.generation, again.state, again.page_size), (2, RunState::Running, Some(3)));
    world.drain(LaneOrder::all(&again), 300, false).await;
    assert_eq!(world.run(&run).await.state, RunState::Succeeded);
    let sunk = world.sunk();
    assert!(sunk.len() == 360 && sunk.values().all(|times| *times == 1));
    let log = actions(&world).await;
    assert_eq!(log, ["start planned", "fail failed", "settle failed", "retry running", "settle succeeded"]);
}
