//! Workers that are killed, doubled, throttled and told too late.

use std::collections::BTreeSet;

use proptest::prelude::*;
use septet_recovery::ledger::*;
use septet_recovery::worker::LaneOrder;

use crate::world::*;

fn block<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

fn second(offset: i64) -> i64 {
    at(offset).as_second()
}

/// Ids in no order of time, many on one second, on every edge, and outside of the range.
fn rows() -> Vec<(u64, i64)> {
    let mut rows: Vec<_> = (0..200).map(|n| (n * 7 % 200 + 1, second(-7200 + n as i64 * 20))).collect();
    rows.extend((0..60).map(|n| (1000 + n, second(-5000))));
    rows.extend(
        (0..13).flat_map(|n| (0..3).map(move |k| (2000 + n * 3 + k, second(-7200 + n as i64 * 300)))),
    );
    rows
}

fn truth(rows: &[(u64, i64)]) -> BTreeSet<u64> {
    rows.iter().filter(|(_, time)| (second(-7200)..second(-3600)).contains(time)).map(|(id, _)| *id).collect()
}

async fn counted(world: &World, run: &Run) -> (u64, u64) {
    let windows = world.ledger.windows(&run.feed, run.run).await.unwrap();
    let injected = windows.iter().map(|held| held.value.progress.counts.injected).sum();
    (windows.iter().map(|held| held.value.progress.found.count).sum(), injected)
}

#[test]
fn a_range_comes_back_as_it_was_sent_and_once() {
    block(async {
        let world = World::new(rows());
        let run = world.start(10, &request("")).await;
        world.drain(LaneOrder::all(&run), 60, false).await;
        let run = world.run(&run).await;
        assert_eq!(run.state, RunState::Succeeded);
        let sunk = world.sunk();
        assert_eq!(sunk.keys().copied().collect::<BTreeSet<_>>(), truth(&rows()));
        assert!(sunk.values().all(|times| *times == 1));
        assert_eq!(counted(&world, &run).await, (sunk.len() as u64, sunk.len() as u64));
        assert!(world.bodies().contains(&format!(r#"{{"id":1,"played_at":{}}}"#, second(-7200))));
        assert!(world.most_reading() <= 4, "{}", world.most_reading());
        let windows = world.ledger.windows(&run.feed, run.run).await.unwrap();
        assert_eq!(windows.len(), 12);
        assert!(
            windows.iter().all(|held| held.value.state == WindowState::Done && held.value.lease.is_none())
        );
    });
}

#[test]
fn a_short_invocation_goes_on_where_the_one_before_stopped() {
    block(async {
        let world = World::new(rows());
        let run = world.start(3, &request(r#""concurrency":1"#)).await;
        world.drain(LaneOrder::all(&run), 6, false).await;
        assert_eq!(world.run(&run).await.state, RunState::Succeeded);
        let sunk = world.sunk();
        assert_eq!(sunk.keys().copied().collect::<BTreeSet<_>>(), truth(&rows()));
        assert!(sunk.values().all(|times| *times == 1), "stopping at a page doubles nothing");
    });
}

#[test]
fn a_message_that_brings_nothing_is_not_sent_for_ever() {
    let order = LaneOrder { feed: name(), run: uuid::Uuid::nil(), lane: 0, hop: 0, idle: 0 };
    let idle =
        septet_recovery::worker::Report { again: Some(std::time::Duration::ZERO), ..Default::default() };
    let mut next = Some(order.clone());
    let mut hops = 0;
    while let Some(order) = next {
        next = order.after(&idle).map(|(order, _)| order);
        hops += 1;
    }
    assert_eq!(hops, 6);
    let busy = septet_recovery::worker::Report { pages: 1, ..idle };
    assert_eq!(LaneOrder { idle: 5, ..order }.after(&busy).unwrap().0.idle, 0);
}

#[test]
fn a_doubled_message_adds_no_worker() {
    block(async {
        let world = World::new(rows());
        let run = world.start(2, &request(r#""concurrency":3"#)).await;
        world.drain(LaneOrder::all(&run), 60, true).await;
        assert!(world.most_reading() <= 3, "{}", world.most_reading());
        assert!(world.sunk().values().all(|times| *times == 1));
    });
}

#[test]
fn poison_is_buried_and_the_rest_goes_on() {
    block(async {
        let mut rows = rows();
        rows.push((666, second(-7000)));
        let world = World::new(rows.clone());
        let run = world.start(10, &request("")).await;
        world.drain(LaneOrder::all(&run), 60, false).await;
        assert_eq!(world.buried(), [("666".to_owned(), "too large".to_owned())]);
        assert_eq!(world.sunk().len() + 1, truth(&rows).len());
        assert_eq!(world.run(&run).await.state, RunState::Succeeded);
        let windows = world.ledger.windows(&run.feed, run.run).await.unwrap();
        assert_eq!(windows.iter().map(|held| held.value.progress.counts.poison).sum::<u64>(), 1);
    });
}

#[test]
fn a_dry_run_injects_nothing_and_hides_nothing_from_the_next() {
    block(async {
        let world = World::new(rows());
        let dry = world.start(10, &request(r#""dry_run":true"#)).await;
        world.drain(LaneOrder::all(&dry), 60, false).await;
        assert!(world.sunk().is_empty());
        assert_eq!(counted(&world, &dry).await, (truth(&rows()).len() as u64, 0));
        let run = world.start(10, &request("")).await;
        world.drain(LaneOrder::all(&run), 60, false).await;
        assert_eq!(world.sunk().len(), truth(&rows()).len());
    });
}

#[test]
fn a_long_retry_after_holds_every_worker_and_sleeps_nowhere() {
    block(async {
        let world = World::new(rows());
        let run = world.start(10, &request(r#""concurrency":2"#)).await;
        world.limit(1, "600");
        let began = world.now();
        let orders = LaneOrder::all(&run);
        let report = world.invoke(&orders[0], 60).await.unwrap();
        assert!(report.again.unwrap().as_secs() >= 595, "{report:?}");
        assert!(world.now().duration_since(began).as_secs() < 5, "it sleeps in the queue");
        let other = world.invoke(&orders[1], 60).await.unwrap();
        assert_eq!((other.pages, other.again.is_some()), (0, true), "the others are held as well");
        let (next, delay) = orders[0].after(&report).unwrap();
        tokio::time::sleep(delay).await;
        world.drain(vec![next], 60, false).await;
        assert_eq!(world.run(&run).await.state, RunState::Succeeded);
        assert_eq!(world.sunk().len(), truth(&rows()).len());
    });
}

#[test]
fn all_workers_together_keep_the_rate() {
    block(async {
        let world = World::new(rows());
        let run = world.start(5, &request(r#""concurrency":8,"rate":4"#)).await;
        world.drain(LaneOrder::all(&run), 600, false).await;
        assert_eq!(world.run(&run).await.state, RunState::Succeeded);
        let fetches = world.fetches();
        for pair in fetches.windows(9) {
            let passed = pair[8].duration_since(pair[0]).as_secs_f64();
            assert!(passed >= 1.4, "nine calls in {passed} s");
        }
    });
}

fn faults() -> impl Strategy<Value = Vec<(u64, Fault)>> {
    let fault = prop::sample::select(vec![
        Fault::LostAnswer,
        Fault::LostRequest,
        Fault::Refused,
        Fault::KilledAfter,
        Fault::KilledBefore,
    ]);
    prop::collection::vec((1_u64..400, fault), 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_is_missing_and_a_kill_doubles_one_page(faults in faults(), doubled: bool, limit in 3_u64..20) {
        block(async {
            let world = World::new(rows());
            let run = world.start(limit, &request("")).await;
            let distinct: std::collections::BTreeMap<u64, Fault> = faults.iter().copied().collect();
            world.fail(faults);
            world.drain(LaneOrder::all(&run), 30, doubled).await;
            let run = world.run(&run).await;
            let sunk = world.sunk();
            prop_assert_eq!(run.state, RunState::Succeeded);
            let found: BTreeSet<u64> = sunk.keys().copied().collect();
            prop_assert_eq!(&found, &truth(&rows()));
            // A fault leaves one page at most whose injection is not in the ledger.
            let again: u64 = sunk.values().map(|times| times - 1).sum();
            prop_assert!(again <= limit * distinct.len() as u64, "{} again, {} faults", again, distinct.len());
            let (counted, _) = counted(&world, &run).await;
            prop_assert_eq!(counted, found.len() as u64);
            Ok(())
        })?;
    }
}
