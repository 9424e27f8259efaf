//! A ledger in memory, a source, a sink and a clock of virtual time; each call may be lost, refused, or the last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use septet_recovery::ledger::{By, Outcome, Run};
use septet_recovery::port::*;
use septet_recovery::worker::{LaneOrder, Report, Worker};
use septet_recovery::{Answer, Ask, Feed, FeedName, Ledger, RangeRequest};
use septet_registry::*;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is done and answered.
    None,
    /// It is done, and the answer is lost.
    LostAnswer,
    /// It is not done, and nobody says so.
    LostRequest,
    /// It is refused: too many calls, or a race that is lost.
    Refused,
    /// It is done, and the worker dies.
    KilledAfter,
    /// The worker dies first.
    KilledBefore,
}

#[derive(Default)]
struct State {
    items: BTreeMap<(String, String), Item>,
    faults: BTreeMap<u64, Fault>,
    calls: u64,
    sink: Vec<(String, String)>,
    buried: Vec<(String, String)>,
    rows: Vec<(u64, i64)>,
    fetches: Vec<Timestamp>,
    limited: Option<(u64, String)>,
    lost: i64,
    reading: BTreeSet<String>,
    most_reading: usize,
}

#[derive(Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    pub(crate) ledger: Ledger,
    start: tokio::time::Instant,
}

/// The clock of virtual time.
pub(crate) struct Virtual(tokio::time::Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.0.elapsed()).unwrap();
        at(0) + passed
    }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).unwrap()
}

struct Memory(Arc<Mutex<State>>);

fn unanswered() -> Error {
    Error::Store {
        table: "memory".into(),
        operation: "PutItem",
        code: "no answer".into(),
        retryable: true,
        source: "the answer is lost".into(),
    }
}

/// What is to happen to the next call; a worker that is killed never comes back from it.
fn fault(state: &Mutex<State>) -> Fault {
    let mut state = state.lock().unwrap();
    state.calls += 1;
    let calls = state.calls;
    state.faults.remove(&calls).unwrap_or(Fault::None)
}

async fn died<T>() -> T {
    std::future::pending().await
}

#[async_trait]
impl Store for Memory {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Error> {
        Ok(self.0.lock().unwrap().items.get(&(key.pk.clone(), key.sk.clone())).cloned())
    }

    async fn list(
        &self,
        partition: &str,
        prefix: &str,
        order: Order,
        limit: Option<usize>,
    ) -> Result<Vec<Item>, Error> {
        let state = self.0.lock().unwrap();
        let found = state.items.iter().filter(|((pk, sk), _)| pk == partition && sk.starts_with(prefix));
        let mut found: Vec<_> = found.map(|(_, item)| item.clone()).collect();
        if order == Order::Falling {
            found.reverse();
        }
        found.truncate(limit.unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn put(&self, writes: &[Write]) -> Result<Committed, Error> {
        let fault = fault(&self.0);
        match fault {
            Fault::KilledBefore => return died().await,
            Fault::LostRequest => return Err(unanswered()),
            Fault::Refused => return Err(Error::Throttled { table: "memory".into(), operation: "PutItem" }),
            _ => {}
        }
        let committed = {
            let mut state = self.0.lock().unwrap();
            let at = |key: &Key| state.items.get(&(key.pk.clone(), key.sk.clone()));
            let expected = writes.iter().all(|write| match (write.expect, at(&write.item.key())) {
                (Expect::Anything, _) | (Expect::Absent, None) => true,
                (Expect::Revision(revision), Some(item)) => item.revision() == Some(revision),
                _ => false,
            });
            if expected {
                for write in writes {
                    let key = write.item.key();
                    state.items.insert((key.pk, key.sk), write.item.clone());
                }
            }
            expected
        };
        match fault {
            Fault::KilledAfter => died().await,
            Fault::LostAnswer => Err(unanswered()),
            _ if committed => Ok(Committed::Done),
            _ => Ok(Committed::Conflict),
        }
    }

    async fn commit(&self, _: &Transaction) -> Result<Committed, Error> {
        unreachable!("the ledger writes its own records")
    }

    async fn put_heartbeat(&self, _: &Heartbeat) -> Result<(), Error> {
        unreachable!("no readers here")
    }

    async fn put_document(
        &self,
        _: &DatasetName,
        _: VersionNumber,
        _: &str,
        _: &serde_json::Value,
    ) -> Result<(), Error> {
        unreachable!("no versions here")
    }

    async fn documents(
        &self,
        _: &DatasetName,
        _: VersionNumber,
        _: &str,
    ) -> Result<Vec<(String, serde_json::Value)>, Error> {
        unreachable!("no versions here")
    }
}

/// Asks, and fills, on behalf of one worker.
struct Hand(World);

#[async_trait]
impl Source for Hand {
    async fn fetch(&self, ask: &Ask, _: Duration) -> Result<Answer, NoAnswer> {
        let fault = fault(&self.0.state);
        if matches!(fault, Fault::KilledBefore | Fault::KilledAfter) {
            return died().await;
        }
        let lost =
            ask.url.query_pairs().any(|(_, value)| value == self.0.state.lock().unwrap().lost.to_string());
        if fault != Fault::None || lost {
            return Err(NoAnswer::Again("the answer is lost".into()));
        }
        let query: BTreeMap<String, String> = ask.url.query_pairs().into_owned().collect();
        let number = |name: &str| query.get(name).map(|text| text.parse::<i64>().unwrap());
        let (since, until) = (number("since").unwrap(), number("until").unwrap());
        {
            let mut state = self.0.state.lock().unwrap();
            let now = Virtual(self.0.start).now();
            state.fetches.push(now);
            state.reading.insert(format!("{since}"));
            state.most_reading = state.most_reading.max(state.reading.len());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut state = self.0.state.lock().unwrap();
        state.reading.remove(&format!("{since}"));
        if let Some((times, retry_after)) = state.limited.take() {
            if times > 1 {
                state.limited = Some((times - 1, retry_after.clone()));
            }
            let headers = vec![("retry-after".to_owned(), retry_after)];
            return Ok(Answer { status: 429, headers, body: vec![] });
        }
        let rows: Vec<_> = state.rows.iter().filter(|(_, time)| (since..until).contains(time)).collect();
        let (start, size) = (number("cursor").unwrap_or(0) as usize, number("limit").unwrap() as usize);
        let end = (start + size).min(rows.len());
        let page: Vec<_> = rows[start.min(end)..end]
            .iter()
            .map(|(id, time)| serde_json::json!({"id": id, "played_at": time}))
            .collect();
        let body = serde_json::json!({
            "plays": page,
            "meta": {"total": rows.len(), "next": (end < rows.len()).then_some(end), "has_more": end < rows.len()},
        });
        Ok(Answer { status: 200, headers: vec![], body: body.to_string().into_bytes() })
    }
}

#[async_trait]
impl Sink for Hand {
    async fn send(&self, parcels: &[Parcel<'_>]) -> Result<Delivery, Undelivered> {
        let fault = fault(&self.0.state);
        match fault {
            Fault::KilledBefore => return died().await,
            Fault::LostRequest | Fault::Refused => return Err(Undelivered("throttled".into())),
            _ => {}
        }
        let mut delivery = Delivery::default();
        {
            let mut state = self.0.state.lock().unwrap();
            for (index, parcel) in parcels.iter().enumerate() {
                if parcel.body.contains("\"id\":666,") {
                    delivery.poison.push((index, "too large".into()));
                    continue;
                }
                state.sink.push((parcel.id.to_owned(), parcel.body.to_owned()));
                delivery.injected += 1;
            }
        }
        match fault {
            Fault::KilledAfter => died().await,
            Fault::LostAnswer => Err(Undelivered("the answer is lost".into())),
            _ => Ok(delivery),
        }
    }
}

#[async_trait]
impl DeadLetters for Hand {
    async fn bury(&self, parcel: &Parcel<'_>, reason: &str) -> Result<(), Undelivered> {
        self.0.state.lock().unwrap().buried.push((parcel.id.to_owned(), reason.to_owned()));
        Ok(())
    }
}

pub(crate) const FEED: &str = include_str!("../../../../feeds/plays.yaml");

pub(crate) fn feed(limit: u64) -> Feed {
    let text = FEED
        .replace("datetime_format: rfc3339", "datetime_format: epoch_s")
        .replace("cursor_granularity: 1ms", "cursor_granularity: 1s")
        .replace("  lookback_window: 5m\n", "")
        .replace("limit: 500", &format!("limit: {limit}"))
        .replace("calls: 10", "calls: 1000");
    Feed::parse(&text).unwrap()
}

pub(crate) fn name() -> FeedName {
    FeedName::parse("plays").unwrap()
}

pub(crate) fn by(world: &World) -> By {
    By { actor: "tester".into(), now: world.now() }
}

/// Asks for the hour that ended an hour ago, in windows of a minute.
pub(crate) fn request(more: &str) -> RangeRequest {
    let (from, to) = (at(-7200), at(-3600));
    let more = if more.is_empty() { String::new() } else { format!(",{more}") };
    let step = if more.contains("step") { "" } else { ",\"step\":\"5m\"" };
    let text =
        format!(r#"{{"feed":"plays","from":"{from}","to":"{to}","reason":"it was silent"{step}{more}}}"#);
    RangeRequest::parse(&text).unwrap()
}

impl World {
    pub(crate) fn new(rows: Vec<(u64, i64)>) -> Self {
        let state = Arc::new(Mutex::new(State { rows, ..State::default() }));
        let ledger = Ledger::new(Arc::new(Memory(state.clone())), Arc::new(Entropy::from_seed(7)));
        Self { state, ledger, start: tokio::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Virtual(self.start).now()
    }

    /// What happens to calls, by how many there will have been from now on.
    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = (u64, Fault)>) {
        let mut state = self.state.lock().unwrap();
        let calls = state.calls;
        state.faults = faults.into_iter().map(|(call, fault)| (calls + call, fault)).collect();
    }

    pub(crate) fn limit(&self, times: u64, retry_after: &str) {
        self.state.lock().unwrap().limited = Some((times, retry_after.to_owned()));
    }

    /// Answers about the window that begins at this second are lost.
    pub(crate) fn lose_answers_of(&self, since: i64) {
        // The API is asked a second early.
        self.state.lock().unwrap().lost = since - 1;
    }

    /// Ids that the sink has, with how often.
    pub(crate) fn sunk(&self) -> BTreeMap<u64, u64> {
        let mut sunk = BTreeMap::new();
        for (id, _) in &self.state.lock().unwrap().sink {
            *sunk.entry(id.parse().unwrap()).or_insert(0) += 1;
        }
        sunk
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        self.state.lock().unwrap().sink.iter().map(|(_, body)| body.clone()).collect()
    }

    pub(crate) fn buried(&self) -> Vec<(String, String)> {
        self.state.lock().unwrap().buried.clone()
    }

    pub(crate) fn fetches(&self) -> Vec<Timestamp> {
        self.state.lock().unwrap().fetches.clone()
    }

    pub(crate) fn most_reading(&self) -> usize {
        self.state.lock().unwrap().most_reading
    }

    pub(crate) async fn start(&self, limit: u64, request: &RangeRequest) -> Run {
        let _ = self.ledger.put_feed(&feed(limit), &by(self)).await.unwrap();
        match self.ledger.start(request, &by(self)).await.unwrap() {
            Outcome::Done(run) => run,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn run(&self, run: &Run) -> Run {
        self.ledger.run(&run.feed, run.run).await.unwrap().unwrap()
    }

    /// One invocation of so many seconds; none if it is killed.
    pub(crate) async fn invoke(&self, order: &LaneOrder, seconds: i64) -> Option<Report> {
        let owner = format!("worker-{}", self.state.lock().unwrap().calls);
        let run = self.ledger.run(&order.feed, order.run).await.unwrap().unwrap();
        let feed = run.feed().unwrap();
        let (hand, clock) = (Hand(self.clone()), Virtual(self.start));
        let deadline = self.now() + SignedDuration::from_secs(seconds);
        let worker = Worker {
            ledger: &self.ledger,
            source: &hand,
            sink: &hand,
            dead: &hand,
            clock: &clock,
            entropy: Arc::new(Entropy::from_seed(9)),
            owner,
            deadline,
        };
        let left = Duration::from_secs(seconds.unsigned_abs());
        match tokio::time::timeout(left, worker.work(&run, &feed, order.lane)).await {
            Ok(Ok(report)) => Some(report),
            // The queue brings the message again.
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// Delivers orders, each twice at times, until there are none and the sweep finds nothing.
    pub(crate) async fn drain(&self, orders: Vec<LaneOrder>, seconds: i64, doubled: bool) {
        let mut next: Vec<(LaneOrder, Duration)> =
            orders.into_iter().map(|it| (it, Duration::ZERO)).collect();
        for _ in 0..400 {
            while !next.is_empty() {
                let batch = std::mem::take(&mut next);
                let work = batch.into_iter().map(|(order, delay)| async move {
                    tokio::time::sleep(delay).await;
                    let (one, two) = futures::join!(self.invoke(&order, seconds), async {
                        if doubled { self.invoke(&order, seconds).await } else { None }
                    });
                    [one, two].into_iter().flatten().filter_map(|it| order.after(&it)).collect::<Vec<_>>()
                });
                next = futures::future::join_all(work).await.concat();
                assert!(next.len() < 1000, "messages multiply");
            }
            tokio::time::sleep(Duration::from_secs(300)).await;
            let now = by(self);
            let sweep = septet_recovery::worker::sweep(&self.ledger, &now);
            let swept = tokio::time::timeout(Duration::from_secs(60), sweep).await;
            let swept = swept.ok().and_then(Result::ok).unwrap_or_default();
            next = swept.into_iter().map(|order| (order, Duration::ZERO)).collect();
            let over = self.ledger.feed(&name()).await.unwrap().unwrap().active.is_empty();
            if next.is_empty() && over {
                return;
            }
        }
        panic!("it never ends");
    }
}
