//! The whole engine on a real server: workers, HTTP, the ledger, and a sink that keeps what it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use septet_recovery::http::{HttpSource, Loopback, Secret};
use septet_recovery::ledger::{By, Outcome, Run, WindowItem, WindowState};
use septet_recovery::port::*;
use septet_recovery::worker::{LaneOrder, Report, Worker};
use septet_recovery::{Feed, Ledger, RangeRequest};
use septet_registry::{Clock, Entropy, SystemClock};

/// Times that a lane is taken before a run is taken for endless.
const MOST_HOPS: u32 = 40;

/// How a range ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) run: Run,
    pub(crate) windows: Vec<WindowItem>,
    /// Ids by the window that sent them.
    sunk: Vec<(Timestamp, String)>,
}

impl Ended {
    /// Ids of records that the sink was given while this window was read.
    pub(crate) fn of(&self, window: &WindowItem) -> BTreeSet<&str> {
        self.sunk.iter().filter(|(start, _)| *start == window.from).map(|(_, id)| id.as_str()).collect()
    }

    /// Why windows are not done, each reason once, by its name.
    pub(crate) fn reasons(&self) -> BTreeSet<String> {
        let reason = |window: &WindowItem| match (&window.doubt, &window.failure) {
            (Some(doubt), _) => Some(doubt.name()),
            (None, Some(failure)) => Some(failure.name()),
            (None, None) => None,
        };
        self.windows.iter().filter_map(reason).collect()
    }

    /// Holds what must hold however a source behaves: what is done has the true set, and no record came twice.
    pub(crate) fn is_true_to(&self, records: &BTreeMap<String, Timestamp>, which: &str) {
        let mut left = self.run.todo().count();
        for window in &self.windows {
            let sent = self.of(window);
            let times = self.sunk.iter().filter(|(start, _)| *start == window.from).count();
            assert_eq!(times, sent.len(), "{which}: a record was sent twice in {}", window.from);
            match window.state {
                WindowState::Done => {
                    let within = |time: &Timestamp| window.from <= *time && *time < window.to;
                    let truth = records.iter().filter(|(_, time)| within(time)).map(|(id, _)| id.as_str());
                    assert_eq!(sent, truth.collect(), "{which}: {} is called done", window.from);
                    assert!(window.doubt.is_none() && window.failure.is_none(), "{which}");
                }
                WindowState::Suspect => assert!(window.doubt.is_some(), "{which}"),
                WindowState::Failed => assert!(window.failure.is_some(), "{which}"),
                other => panic!("{which}: {} is {other:?}", window.from),
            }
            left -= 1;
        }
        assert_eq!(left, 0, "{which}: windows that nobody read");
    }
}

#[derive(Default)]
struct Kept(Mutex<Vec<(Timestamp, String)>>);

#[async_trait]
impl Sink for Kept {
    async fn send(&self, parcels: &[Parcel<'_>]) -> Result<Delivery, Undelivered> {
        let mut kept = self.0.lock().unwrap();
        for parcel in parcels {
            let record: serde_json::Value = serde_json::from_str(parcel.body).unwrap();
            assert_eq!(record["id"].to_string().trim_matches('"'), parcel.id, "a record is sent as it is");
            kept.push((parcel.stamp.window, parcel.id.to_owned()));
        }
        Ok(Delivery { injected: parcels.len() as u64, poison: Vec::new() })
    }
}

struct NoPoison;

#[async_trait]
impl DeadLetters for NoPoison {
    async fn bury(&self, parcel: &Parcel<'_>, reason: &str) -> Result<(), Undelivered> {
        panic!("{} is no poison: {reason}", parcel.id)
    }
}

fn now() -> By {
    By { actor: "tester".into(), now: SystemClock.now() }
}

/// A feed and a run of it, and where its records go.
pub(crate) struct Recovery<'a> {
    ledger: &'a Ledger,
    feed: &'a Feed,
    source: HttpSource,
    pub(crate) run: Run,
    kept: Kept,
}

impl<'a> Recovery<'a> {
    pub(crate) async fn start(ledger: &'a Ledger, feed: &'a Feed, range: (&str, &str)) -> Self {
        let (from, to) = range;
        let text =
            format!(r#"{{"feed":"{}","from":"{from}","to":"{to}","reason":"it was silent"}}"#, feed.name);
        let _ = ledger.put_feed(feed, &now()).await.unwrap();
        let started = ledger.start(&RangeRequest::parse(&text).unwrap(), &now()).await.unwrap();
        let Outcome::Done(run) = started else { panic!("{} does not start: {started:?}", feed.name) };
        let source = HttpSource::new(feed, Some(Secret::new("hunter2")), Loopback::Allowed).unwrap();
        Self { ledger, feed, source, run, kept: Kept::default() }
    }

    /// One invocation of a minute.
    pub(crate) async fn invoke(&self, order: &LaneOrder) -> Report {
        let worker = Worker {
            ledger: self.ledger,
            source: &self.source,
            sink: &self.kept,
            dead: &NoPoison,
            clock: &SystemClock,
            entropy: Arc::new(Entropy::from_seed(order.hop.into())),
            owner: format!("worker-{}-{}", order.lane, order.hop),
            deadline: SystemClock.now() + SignedDuration::from_secs(60),
        };
        worker.work(&self.run, self.feed, order.lane).await.unwrap()
    }

    /// Takes every lane as often as it asks for.
    pub(crate) async fn drain(self) -> Ended {
        let lanes = LaneOrder::all(&self.run).into_iter().map(async |order| {
            let mut next = Some((order, Duration::ZERO));
            while let Some((order, delay)) = next {
                assert!(order.hop < MOST_HOPS, "it never ends");
                tokio::time::sleep(delay).await;
                next = order.after(&self.invoke(&order).await);
            }
        });
        futures::future::join_all(lanes).await;
        let run = self.ledger.settle(&self.run.feed, self.run.run, &now()).await.unwrap().unwrap();
        let windows = self.ledger.windows(&run.feed, run.run).await.unwrap();
        let windows = windows.into_iter().map(|held| held.value).collect();
        Ended { run, windows, sunk: self.kept.0.into_inner().unwrap() }
    }
}

/// Recovers a range of a feed as its functions would.
pub(crate) async fn recover(ledger: &Ledger, feed: &Feed, range: (&str, &str)) -> Ended {
    Recovery::start(ledger, feed, range).await.drain().await
}
