//! The ledger of recoveries in the registry: feeds, runs, windows, lanes, the budget and their log.
//!
//! The ledger is the truth and queues only carry work: a message that is lost, doubled or late changes nothing
//! but who works when. Each change is one conditional write; the ones that somebody asked for are on record.

pub mod decide;
mod held;
mod letters;
mod model;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use septet_registry::{Committed, Entropy, Entry, Error, Key, Order as Sort, Store, Write};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::budget::{self, Account, Grant};
use crate::feed::{Feed, FeedName};
use crate::grid::Window;
use crate::request::RangeRequest;
use decide::{Covered, Decision, Order, Refusal};
pub use held::Held;
use held::{held, malformed, write, written};
pub use model::*;

const ATTEMPTS: u32 = 30;
/// Writes without an answer after which it is given up.
const FAILURES: u32 = 5;

/// What came of an operation.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Outcome<T> {
    /// It was done now.
    Done(T),
    /// It was so before.
    Already(T),
    /// It may not be; nothing changed.
    Refused(Refusal),
}

/// Who acts, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub actor: String,
    /// When.
    pub now: Timestamp,
}

/// The ledger.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn Store>,
    entropy: Arc<Entropy>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

impl Ledger {
    /// A ledger in the registry's store.
    pub fn new(store: Arc<dyn Store>, entropy: Arc<Entropy>) -> Self {
        Self { store, entropy }
    }

    async fn get<T: Serialize + DeserializeOwned>(&self, key: &Key) -> Result<Option<Held<T>>, Error> {
        self.store.get(key).await?.map(held).transpose()
    }

    async fn list<T: Serialize + DeserializeOwned>(
        &self,
        partition: &str,
        prefix: &str,
    ) -> Result<Vec<Held<T>>, Error> {
        let items = self.store.list(partition, prefix, Sort::Rising, None).await?;
        items.into_iter().map(held).collect()
    }

    /// A feed.
    pub async fn feed(&self, feed: &FeedName) -> Result<Option<FeedItem>, Error> {
        Ok(self.get(&feed_key(feed)).await?.map(|held| held.value))
    }

    /// Every feed, by name.
    pub async fn feeds(&self) -> Result<Vec<FeedName>, Error> {
        let listed = self.list::<Listing>(Entry::FEEDS, "").await?;
        Ok(listed.into_iter().map(|held| held.value.feed).collect())
    }

    /// A run.
    pub async fn run(&self, feed: &FeedName, run: Uuid) -> Result<Option<Run>, Error> {
        Ok(self.get(&run_key(feed, run)).await?.map(|held| held.value))
    }

    /// Every run of a feed, the earliest first.
    pub async fn runs(&self, feed: &FeedName) -> Result<Vec<Run>, Error> {
        let runs = self.list::<Run>(&feed_partition(feed), "RUN#").await?;
        let mut runs: Vec<_> = runs.into_iter().map(|held| held.value).collect();
        runs.sort_by_key(|run| (run.started_at, run.run));
        Ok(runs)
    }

    /// The windows of a run that somebody began, the earliest first.
    pub async fn windows(&self, feed: &FeedName, run: Uuid) -> Result<Vec<Held<WindowItem>>, Error> {
        self.list(&run_partition(feed, run), "WINDOW#").await
    }

    /// A window of a run, if somebody began it.
    pub async fn window(
        &self,
        feed: &FeedName,
        run: Uuid,
        from: Timestamp,
    ) -> Result<Option<Held<WindowItem>>, Error> {
        self.get(&window_key(feed, run, from)).await
    }

    /// The lanes of a run.
    pub async fn lanes(&self, feed: &FeedName, run: Uuid) -> Result<Vec<Lane>, Error> {
        let lanes = self.list::<Lane>(&run_partition(feed, run), "LANE#").await?;
        Ok(lanes.into_iter().map(|held| held.value).collect())
    }

    /// The log of a feed, the latest first, at most `limit` records.
    pub async fn log(&self, feed: &FeedName, limit: Option<usize>) -> Result<Vec<FeedRecord>, Error> {
        let items = self.store.list(&feed_partition(feed), "LOG#", Sort::Falling, limit).await?;
        items.into_iter().map(|item| held(item).map(|held| held.value)).collect()
    }

    fn record(&self, feed: &FeedName, action: Action, by: &By) -> FeedRecord {
        FeedRecord {
            id: self.entropy.id(by.now),
            at: by.now,
            feed: feed.clone(),
            actor: by.actor.clone(),
            action,
            run: None,
            window: None,
            before: None,
            after: None,
            reason: None,
        }
    }

    /// Puts a feed; the same again changes nothing. Runs go on with the feed as it was when they began.
    pub async fn put_feed(&self, feed: &Feed, by: &By) -> Result<Outcome<FeedItem>, Error> {
        let record = self.record(&feed.name, Action::PutFeed, by);
        self.settled(record, async |record| {
            let known = self.get::<FeedItem>(&feed_key(&feed.name)).await?;
            if let Some(known) = known.as_ref().filter(|known| known.value.digest == feed.digest()) {
                return Ok(Decided::Already(known.value.clone()));
            }
            let item = FeedItem {
                feed: feed.name.clone(),
                document: feed.to_json().to_owned(),
                digest: feed.digest(),
                active: known.as_ref().map(|known| known.value.active.clone()).unwrap_or_default(),
                updated_at: by.now,
            };
            record.before = known.as_ref().map(|known| known.value.digest.clone());
            record.after = Some(item.digest.clone());
            let listed = self.get::<Listing>(&listing_key(&feed.name)).await?;
            let listing = Listing { feed: feed.name.clone() };
            let writes = vec![
                write(feed_key(&feed.name), &item, known.as_ref())?,
                write(listing_key(&feed.name), &listing, listed.as_ref())?,
            ];
            Ok(Decided::Write(writes, item))
        })
        .await
    }

    /// Starts a run; the same request again is the same run.
    pub async fn start(&self, request: &RangeRequest, by: &By) -> Result<Outcome<Run>, Error> {
        let mut record = self.record(&request.feed, Action::Start, by);
        record.run = Some(request.run());
        record.reason = Some(request.reason.clone());
        self.settled(record, async |record| {
            if let Some(run) = self.run(&request.feed, request.run()).await? {
                return Ok(Decided::Already(run));
            }
            let unknown = || Refusal::UnknownFeed { feed: request.feed.to_string() };
            let Some(item) = self.get::<FeedItem>(&feed_key(&request.feed)).await? else {
                return Ok(Decided::Refuse(unknown()));
            };
            let run = match self.planned(request, &item.value, by).await? {
                Ok(run) => run,
                Err(refusal) => return Ok(Decided::Refuse(refusal)),
            };
            record.after = Some(run.state.as_str().into());
            let mut next = item.value.clone();
            next.active.push(run.run);
            let writes = vec![
                write(feed_key(&run.feed), &next, Some(&item))?,
                write(run_key(&run.feed, run.run), &run, None)?,
            ];
            Ok(Decided::Write(writes, run))
        })
        .await
    }

    /// The run that [`start`](Self::start) would make, or why it would not; nothing is written.
    pub async fn plan(&self, request: &RangeRequest, by: &By) -> Result<Result<Run, Refusal>, Error> {
        match self.feed(&request.feed).await? {
            Some(item) => self.planned(request, &item, by).await,
            None => Ok(Err(Refusal::UnknownFeed { feed: request.feed.to_string() })),
        }
    }

    async fn planned(
        &self,
        request: &RangeRequest,
        item: &FeedItem,
        by: &By,
    ) -> Result<Result<Run, Refusal>, Error> {
        let Ok(feed) = Feed::parse(&item.document) else {
            return Err(malformed(&feed_key(&request.feed), "the feed was written by another Septet"));
        };
        let covered = self.covered(request, item).await?;
        Ok(decide::plan(&feed, request, &covered, &by.actor, by.now))
    }

    /// What other runs of the feed read, or are reading, of the stretch of time.
    async fn covered(&self, request: &RangeRequest, item: &FeedItem) -> Result<Covered, Error> {
        let mut covered = Covered::default();
        for run in self.runs(&request.feed).await? {
            let apart = run.to <= request.from || request.to <= run.from;
            if run.dry_run || run.sink != request.sink || apart {
                continue;
            }
            if item.active.contains(&run.run) {
                covered.active.push((run.run, Window { start: run.from, end: run.to }));
            }
            let windows = self.windows(&run.feed, run.run).await?;
            covered.windows.extend(
                windows
                    .iter()
                    .map(|held| (Window { start: held.value.from, end: held.value.to }, held.value.state)),
            );
        }
        Ok(covered)
    }

    /// Does to a run what somebody wants.
    pub async fn order(
        &self,
        feed: &FeedName,
        run: Uuid,
        order: &Order,
        reason: &str,
        by: &By,
    ) -> Result<Outcome<Run>, Error> {
        let mut record = self.record(feed, order.action(), by);
        record.run = Some(run);
        record.reason = Some(reason.to_owned());
        self.settled(record, async |record| {
            let Some(found) = self.get::<Run>(&run_key(feed, run)).await? else {
                return Ok(Decided::Refuse(Refusal::UnknownRun { feed: feed.to_string(), run }));
            };
            let next = match decide::order(&found.value, order, by.now) {
                Decision::Commit(next) => next,
                Decision::Already(run) => return Ok(Decided::Already(run)),
                Decision::Refuse(refusal) => return Ok(Decided::Refuse(refusal)),
            };
            record.before = Some(found.value.state.as_str().into());
            record.after = Some(next.state.as_str().into());
            let writes = self.with_active(&next, &found).await?;
            Ok(Decided::Write(writes, next))
        })
        .await
    }

    /// Brings a run to where it was going, once nobody works on it.
    pub async fn settle(&self, feed: &FeedName, run: Uuid, by: &By) -> Result<Option<Run>, Error> {
        let mut record = self.record(feed, Action::Settle, by);
        record.run = Some(run);
        let outcome = self
            .settled(record, async |record| {
                let Some(found) = self.get::<Run>(&run_key(feed, run)).await? else {
                    return Ok(Decided::Refuse(Refusal::UnknownRun { feed: feed.to_string(), run }));
                };
                let windows = self.windows(feed, run).await?;
                let windows: Vec<_> = windows.into_iter().map(|held| held.value).collect();
                let lanes = self.lanes(feed, run).await?;
                let Some(state) = decide::settle(&found.value, &windows, &lanes, by.now) else {
                    return Ok(Decided::Already(found.value));
                };
                record.before = Some(found.value.state.as_str().into());
                record.after = Some(state.as_str().into());
                let next = Run { state, updated_at: by.now, ..found.value.clone() };
                let writes = self.with_active(&next, &found).await?;
                Ok(Decided::Write(writes, next))
            })
            .await?;
        Ok(match outcome {
            Outcome::Done(run) | Outcome::Already(run) => Some(run),
            Outcome::Refused(_) => None,
        })
    }

    /// The run, and the feed whose list of runs that are not over must agree with it.
    async fn with_active(&self, run: &Run, before: &Held<Run>) -> Result<Vec<Write>, Error> {
        let mut writes = vec![write(run_key(&run.feed, run.run), run, Some(before))?];
        let key = feed_key(&run.feed);
        let Some(item) = self.get::<FeedItem>(&key).await? else { return Ok(writes) };
        let listed = item.value.active.contains(&run.run);
        if listed == run.state.is_over() {
            let mut next = item.value.clone();
            if listed {
                next.active.retain(|active| *active != run.run);
            } else {
                next.active.push(run.run);
            }
            writes.push(write(key, &next, Some(&item))?);
        }
        Ok(writes)
    }

    /// Notes that a run is being worked on.
    pub(crate) async fn begin(&self, run: &Run, now: Timestamp) -> Result<(), Error> {
        let key = run_key(&run.feed, run.run);
        let Some(found) = self.get::<Run>(&key).await? else { return Ok(()) };
        if matches!(found.value.state, RunState::Planned | RunState::Interrupted) {
            let next = Run { state: RunState::Running, updated_at: now, ..found.value.clone() };
            // Who loses the race finds it done.
            let _ = self.store.put(&[write(key, &next, Some(&found))?]).await;
        }
        Ok(())
    }

    /// Takes a lane of a run; none if it is taken.
    pub(crate) async fn take_lane(
        &self,
        run: &Run,
        lane: u32,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Option<Held<Lane>>, Error> {
        let key = lane_key(&run.feed, run.run, lane);
        let found = self.get::<Lane>(&key).await?;
        let Some(next) = decide::take_lane(run, found.as_ref().map(|held| &held.value), lane, lease, now)
        else {
            return Ok(None);
        };
        self.swap(key, next, found.as_ref()).await
    }

    /// Gives a lane back.
    pub(crate) async fn leave_lane(&self, run: &Run, held: Held<Lane>) -> Result<(), Error> {
        let key = lane_key(&run.feed, run.run, held.value.lane);
        let left = Lane { lease: None, ..held.value };
        self.swap(key, left, Some(&held)).await.map(drop)
    }

    /// Writes a window over the one it was made of; none if it is another's by now.
    pub(crate) async fn put_window(
        &self,
        run: &Run,
        window: WindowItem,
        before: Option<&Held<WindowItem>>,
    ) -> Result<Option<Held<WindowItem>>, Error> {
        self.swap(window_key(&run.feed, run.run, window.from), window, before).await
    }

    /// Ends a window that is not done, with a record of why.
    pub(crate) async fn end_window(
        &self,
        run: &Run,
        window: WindowItem,
        before: &Held<WindowItem>,
        by: &By,
    ) -> Result<Option<Held<WindowItem>>, Error> {
        let (action, reason) = match (&window.doubt, &window.failure) {
            (Some(doubt), _) => (Action::Suspect, doubt.to_string()),
            (None, Some(failure)) => (Action::Fail, failure.to_string()),
            (None, None) => return self.put_window(run, window, Some(before)).await,
        };
        let mut record = self.record(&run.feed, action, by);
        record.run = Some(run.run);
        record.window = Some(window.from);
        record.before = Some("running".into());
        record.after = Some(if action == Action::Fail { "failed" } else { "suspect" }.into());
        record.reason = Some(reason);
        let key = window_key(&run.feed, run.run, window.from);
        let window_write = write(key, &window, Some(before))?;
        let record_write = write(record_key(&run.feed, record.id), &record, None)?;
        self.exchange(&[window_write, record_write], window).await
    }

    /// Keeps on record that a range message was refused.
    pub async fn refuse(&self, feed: &FeedName, reason: &str, by: &By) -> Result<(), Error> {
        let mut record = self.record(feed, Action::Refuse, by);
        record.reason = Some(reason.to_owned());
        let put = self.store.put(&[write(record_key(feed, record.id), &record, None)?]).await;
        put.map(drop)
    }

    /// Marks windows that were read again with the same result, and keeps `result` on record; gives how many of them
    /// nobody changed meanwhile.
    pub async fn verify(
        &self,
        run: &Run,
        windows: Vec<Held<WindowItem>>,
        result: &str,
        by: &By,
    ) -> Result<usize, Error> {
        let mut marked = 0;
        for held in windows.iter().filter(|held| held.value.state.is_done()) {
            let next = WindowItem { state: WindowState::Verified, updated_at: by.now, ..held.value.clone() };
            marked += usize::from(self.put_window(run, next, Some(held)).await?.is_some());
        }
        let mut record = self.record(&run.feed, Action::Verify, by);
        record.run = Some(run.run);
        record.reason = Some(result.to_owned());
        self.store.put(&[write(record_key(&run.feed, record.id), &record, None)?]).await?;
        Ok(marked)
    }

    /// Takes calls from the feed's budget.
    pub(crate) async fn reserve(
        &self,
        feed: &FeedName,
        rate: f64,
        workers: u32,
        now: Timestamp,
    ) -> Result<Grant, Error> {
        self.account(feed, |account| budget::reserve(account, rate, workers, now)).await
    }

    /// Leaves the source alone for so long, all of us.
    pub(crate) async fn pause(&self, feed: &FeedName, wait: Duration, now: Timestamp) -> Result<(), Error> {
        self.account(feed, |account| (budget::pause(account, wait, now), ())).await
    }

    async fn account<T>(
        &self,
        feed: &FeedName,
        change: impl Fn(Account) -> (Account, T),
    ) -> Result<T, Error> {
        let key = budget_key(feed);
        let mut failures = 0;
        for attempt in 0..ATTEMPTS {
            self.wait(attempt).await;
            let found = self.get::<Account>(&key).await?;
            let (account, value) = change(found.as_ref().map(|held| held.value).unwrap_or_default());
            match self.store.put(&[write(key.clone(), &account, found.as_ref())?]).await {
                Ok(Committed::Done) => return Ok(value),
                Ok(Committed::Conflict) => {}
                // Calls that were taken and whose answer is lost are not made: the rate is kept.
                Err(error) if error.is_retryable() && failures < FAILURES => failures += 1,
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended { action: "take calls from the budget", attempts: ATTEMPTS })
    }

    async fn wait(&self, attempt: u32) {
        if attempt > 0 {
            let most = Duration::from_millis(10 << attempt.min(6));
            tokio::time::sleep(self.entropy.jitter(most)).await;
        }
    }

    /// One conditional write, whose lost answer is settled by reading back.
    async fn swap<T>(&self, key: Key, value: T, before: Option<&Held<T>>) -> Result<Option<Held<T>>, Error>
    where
        T: Serialize + DeserializeOwned + PartialEq,
    {
        self.exchange(&[write(key, &value, before)?], value).await
    }

    /// Writes items, the first of which holds `value`.
    async fn exchange<T>(&self, writes: &[Write], value: T) -> Result<Option<Held<T>>, Error>
    where
        T: Serialize + DeserializeOwned + PartialEq,
    {
        let Some(first) = writes.first() else { return Ok(None) };
        let (key, ours) = (first.item.key(), written(value, first)?);
        let mut unanswered = 0;
        loop {
            self.wait(unanswered).await;
            let error = match self.store.put(writes).await {
                Ok(Committed::Done) => return Ok(Some(ours)),
                Ok(Committed::Conflict) if unanswered == 0 => return Ok(None),
                Ok(Committed::Conflict) => None,
                Err(error) if error.is_retryable() => Some(error),
                Err(error) => return Err(error),
            };
            unanswered += 1;
            let found = self.get::<T>(&key).await?;
            if let Some(found) = found.as_ref().filter(|found| found.revision >= ours.revision) {
                let landed = found.revision == ours.revision && found.value == ours.value;
                return Ok(landed.then_some(ours));
            }
            if let Some(error) = error.filter(|_| unanswered > FAILURES) {
                return Err(error);
            }
        }
    }

    /// Reads, decides and commits until it is known what happened; the record tells.
    async fn settled<T>(
        &self,
        record: FeedRecord,
        decide: impl AsyncFn(&mut FeedRecord) -> Result<Decided<T>, Error>,
    ) -> Result<Outcome<T>, Error> {
        let mut unanswered: Vec<(FeedRecord, T)> = Vec::new();
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            self.wait(attempt).await;
            let mut record = record.clone();
            let decided = decide(&mut record).await?;
            if let Some((first, _)) = unanswered.first() {
                let found = self.get::<FeedRecord>(&record_key(&first.feed, first.id)).await?;
                let at = unanswered
                    .iter()
                    .position(|(it, _)| found.as_ref().is_some_and(|found| found.value == *it));
                if let Some(at) = at {
                    return Ok(Outcome::Done(unanswered.swap_remove(at).1));
                }
            }
            let (mut writes, value) = match decided {
                Decided::Write(writes, value) => (writes, value),
                Decided::Already(value) => return Ok(Outcome::Already(value)),
                Decided::Refuse(refusal) => return Ok(Outcome::Refused(refusal)),
            };
            writes.push(write(record_key(&record.feed, record.id), &record, None)?);
            match self.store.put(&writes).await {
                Ok(Committed::Done) => return Ok(Outcome::Done(value)),
                Ok(Committed::Conflict) => {}
                Err(error) if error.is_retryable() => {
                    unanswered.push((record, value));
                    last = Some(error);
                    if unanswered.len() >= FAILURES as usize {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or(Error::Contended { action: "change the ledger", attempts: ATTEMPTS }))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
struct Listing {
    feed: FeedName,
}

/// A decision, with what to write.
enum Decided<T> {
    Write(Vec<Write>, T),
    Already(T),
    Refuse(Refusal),
}
