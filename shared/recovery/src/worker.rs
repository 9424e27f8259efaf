//! A worker: takes a lane of a run, reads windows one after the other, and stops at a page before its time is over.
//!
//! The order of things is what keeps records: a page is fetched, injected, confirmed, and only then is the window's
//! progress written, under the condition that the window is still this worker's. Killed anywhere, a worker leaves
//! at most one page that is injected again, with the same ids.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use septet_registry::{Clock, Entropy, Error};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::answer::{Answer, Meaning, meaning, pause};
use crate::budget::{self, Grant};
use crate::feed::{Feed, FeedName};
use crate::grid::Grid;
use crate::ledger::decide::{after_page, claim, give_back};
use crate::ledger::{By, Held, Lease, Ledger, Run, RunState, WindowItem, WindowState};
use crate::page::{PageReader, Unreadable};
use crate::port::{DeadLetters, NoAnswer, Parcel, Sink, Source, Stamp};
use crate::reading::{Reading, Step};
use crate::reason::Failure;

/// Answers that are no page, one after the other, before a window fails.
const TRIES: u32 = 6;
/// Answers that cannot be read, one after the other, before a window is suspect.
const UNREADABLE: u32 = 3;
/// A wait that is longer gives the window back instead.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Time that is kept for the last writes.
const FLUSH: Duration = Duration::from_secs(3);
/// Messages in a row that brought nothing.
const IDLE_HOPS: u32 = 5;
/// Messages of one lane.
const HOPS: u32 = 20_000;

/// Asks a worker to take a lane; what a queue carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneOrder {
    /// The feed.
    pub feed: FeedName,
    /// The run.
    pub run: Uuid,
    /// The lane.
    pub lane: u32,
    /// How many messages came before it.
    #[serde(default)]
    pub hop: u32,
    /// How many of the last of them brought nothing.
    #[serde(default)]
    pub idle: u32,
}

impl LaneOrder {
    /// The orders that begin a run.
    pub fn all(run: &Run) -> Vec<Self> {
        let lanes = run.concurrency.min(u32::try_from(run.todo().count()).unwrap_or(u32::MAX));
        (0..lanes).map(|lane| Self { feed: run.feed.clone(), run: run.run, lane, hop: 0, idle: 0 }).collect()
    }

    /// The message that goes on after this one, and how long it is delayed; none if nothing is to be gained.
    pub fn after(&self, report: &Report) -> Option<(Self, Duration)> {
        let delay = report.again?;
        let idle = if report.progressed() { 0 } else { self.idle + 1 };
        if idle > IDLE_HOPS || self.hop >= HOPS {
            // The sweep begins it anew: nothing is lost but time.
            return None;
        }
        Some((Self { hop: self.hop + 1, idle, ..self.clone() }, delay))
    }
}

/// What a worker did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// Windows that are done.
    pub done: u32,
    /// Windows that are suspect.
    pub suspect: u32,
    /// Windows that failed.
    pub failed: u32,
    /// Pages that were read.
    pub pages: u64,
    /// Rows on them.
    pub rows: u64,
    /// Records that the sink took.
    pub injected: u64,
    /// Records that it can never take.
    pub poison: u64,
    /// Somebody else has the lane.
    pub busy: bool,
    /// After how long the lane is to be taken again.
    pub again: Option<Duration>,
}

impl Report {
    /// Whether anything was gained.
    pub fn progressed(&self) -> bool {
        self.pages > 0 || self.done + self.suspect + self.failed > 0
    }
}

/// How the work on a window ended.
enum Left {
    /// It is over.
    Over,
    /// It is to be gone on with, after so long.
    Later(Duration),
    /// The run does not want it read, or not by this lane.
    Unwanted,
    /// It is another's.
    Lost,
}

/// Reads windows of one run.
pub struct Worker<'a> {
    /// The ledger.
    pub ledger: &'a Ledger,
    /// The third party.
    pub source: &'a dyn Source,
    /// Where records go.
    pub sink: &'a dyn Sink,
    /// Where poison goes.
    pub dead: &'a dyn DeadLetters,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// Where jitter comes from.
    pub entropy: Arc<Entropy>,
    /// Who works.
    pub owner: String,
    /// When the worker is stopped.
    pub deadline: Timestamp,
}

/// What goes with a worker from page to page.
struct Pace {
    slowest: Duration,
    grant: Option<Grant>,
}

impl Worker<'_> {
    /// Takes the lane and reads until there is nothing to read, no time, or nobody wants it any more.
    ///
    /// `run` is the run as it was when the worker's source and sink were made for it.
    pub async fn work(&self, run: &Run, feed: &Feed, lane: u32) -> Result<Report, Error> {
        let mut report = Report::default();
        let by = By { actor: self.owner.clone(), now: self.clock.now() };
        if !run.state.works() {
            self.ledger.settle(&run.feed, run.run, &by).await?;
            return Ok(report);
        }
        let lease = Lease { owner: self.owner.clone(), until: self.deadline };
        let Some(held) = self.ledger.take_lane(run, lane, &lease, by.now).await? else {
            report.busy = true;
            return Ok(report);
        };
        self.ledger.begin(run, by.now).await?;
        let result = self.read_windows(run, feed, lane, &lease, &mut report).await;
        self.ledger.leave_lane(run, held).await?;
        result?;
        let by = By { now: self.clock.now(), ..by };
        if report.again.is_none() {
            self.ledger.settle(&run.feed, run.run, &by).await?;
        }
        Ok(report)
    }

    async fn read_windows(
        &self,
        run: &Run,
        feed: &Feed,
        lane: u32,
        lease: &Lease,
        report: &mut Report,
    ) -> Result<(), Error> {
        let key = septet_registry::Key { pk: run.feed.to_string(), sk: run.run.to_string() };
        let malformed = |message: String| Error::Malformed { key: key.to_string(), message };
        let grid = run.grid(feed.incremental.time_zone.clone()).map_err(malformed)?;
        let pages = PageReader::new(feed);
        let mut pace = Pace { slowest: Duration::from_secs(1), grant: None };
        loop {
            let mut open = self.open(run, lane).await?;
            let (mut claimed, mut missed) = (false, 0);
            while let Some((index, before)) = open.pop_front() {
                if !self.has_time(&pace) {
                    report.again = Some(Duration::ZERO);
                    return Ok(());
                }
                let Some(held) = self.claim(run, feed, &grid, index, before, lease).await? else {
                    missed += 1;
                    // Others are at work here: what is left is read anew.
                    if missed > 2 {
                        break;
                    }
                    continue;
                };
                (claimed, missed) = (true, 0);
                match self.read_window(run, feed, &pages, lane, held, &mut pace, report).await? {
                    Left::Over | Left::Lost => {}
                    Left::Later(delay) => {
                        report.again = Some(delay);
                        return Ok(());
                    }
                    Left::Unwanted => return Ok(()),
                }
            }
            if !claimed && missed == 0 {
                return Ok(());
            }
        }
    }

    /// Windows that wait to be read; each lane begins at another place.
    async fn open(&self, run: &Run, lane: u32) -> Result<VecDeque<(u32, Option<Held<WindowItem>>)>, Error> {
        let now = self.clock.now();
        let held = self.ledger.windows(&run.feed, run.run).await?;
        let mut known: std::collections::HashMap<u32, Held<WindowItem>> =
            held.into_iter().map(|held| (held.value.index, held)).collect();
        let mut open: VecDeque<_> = run
            .todo()
            .map(|index| (index, known.remove(&index)))
            .filter(|(_, held)| held.as_ref().is_none_or(|held| held.value.is_open(run, now)))
            .collect();
        let apart = open.len() / run.concurrency.max(1) as usize;
        let at = apart * lane as usize;
        if at < open.len() {
            open.rotate_left(at);
        }
        Ok(open)
    }

    async fn claim(
        &self,
        run: &Run,
        feed: &Feed,
        grid: &Grid,
        index: u32,
        before: Option<Held<WindowItem>>,
        lease: &Lease,
    ) -> Result<Option<Held<WindowItem>>, Error> {
        let Some(window) = grid.get(index) else { return Ok(None) };
        let held = before.as_ref().map(|held| &held.value);
        let now = self.clock.now();
        let Some(next) = claim(run, &feed.incremental, held, index, window, lease, now) else {
            return Ok(None);
        };
        self.ledger.put_window(run, next, before.as_ref()).await
    }

    fn left(&self) -> Duration {
        Duration::try_from(self.deadline.duration_since(self.clock.now())).unwrap_or(Duration::ZERO)
    }

    /// Whether another page fits in before the deadline, and what comes after it.
    fn has_time(&self, pace: &Pace) -> bool {
        self.left() > pace.slowest * 2 + FLUSH
    }

    #[expect(clippy::too_many_arguments, reason = "each is another thing that one window's reading needs")]
    async fn read_window(
        &self,
        run: &Run,
        feed: &Feed,
        pages: &PageReader,
        lane: u32,
        mut held: Held<WindowItem>,
        pace: &mut Pace,
        report: &mut Report,
    ) -> Result<Left, Error> {
        let window = crate::Window { start: held.value.from, end: held.value.to };
        let stamp = Stamp {
            feed: run.feed.to_string(),
            run: run.run,
            window: window.start,
            generation: held.value.generation,
        };
        let mut reading = Reading::new(feed, window, run.page_size, held.value.progress.clone());
        let (mut tries, mut unreadable) = (0, 0);
        loop {
            if !self.has_time(pace) {
                return self.leave(run, held, false, Left::Later(Duration::ZERO)).await;
            }
            let now_is = self.ledger.run(&run.feed, run.run).await?;
            let wanted = now_is.as_ref().filter(|it| {
                it.state.works() && it.generation == held.value.generation && lane < it.concurrency
            });
            let Some(current) = wanted else {
                let cancelled = now_is.is_none_or(|it| it.is_cancelled());
                return self.leave(run, held, cancelled, Left::Unwanted).await;
            };
            let rate = budget::rate(&feed.budget, current.rate);
            if let Some(wait) = self.turn(&run.feed, rate, current.concurrency, pace).await? {
                return self.leave(run, held, false, Left::Later(wait)).await;
            }
            let began = self.clock.now();
            let asked = match reading.ask() {
                Ok(ask) => {
                    let timeout = Duration::try_from(feed.call.timeout).unwrap_or(LONGEST_SLEEP);
                    let timeout = timeout.min(self.left().saturating_sub(FLUSH));
                    self.source.fetch(&ask, timeout).await.map(|answer| (ask, answer))
                }
                Err(failure) => Err(NoAnswer::Never(failure)),
            };
            let (ask, answer) = match asked {
                Ok((ask, answer)) => (Some(ask), answer),
                Err(NoAnswer::Never(failure)) => {
                    return self.over(run, held, &reading, Step::Failed(failure), report).await;
                }
                Err(NoAnswer::Again(why)) => {
                    tracing::info!(feed = %run.feed, run = %run.run, window = %window.start, why, "the source did not answer");
                    (None, Answer::default())
                }
            };
            let now = self.clock.now();
            let meant = match &ask {
                Some(_) => meaning(feed, &answer, reading.has_cursor(), now),
                None => Meaning::Retry { after: None },
            };
            if let Some(wait) = pause(feed, &answer, now) {
                self.ledger.pause(&run.feed, wait, now).await?;
                pace.grant = None;
            }
            let step = match meant {
                Meaning::Fail(failure) => Step::Failed(failure),
                Meaning::PastEnd => reading.past_end(),
                Meaning::CursorRefused => reading.cursor_refused(),
                Meaning::RateLimited { after } => {
                    tries += 1;
                    let wait = after.unwrap_or_else(|| self.backoff(tries));
                    self.ledger.pause(&run.feed, wait, now).await?;
                    pace.grant = None;
                    continue;
                }
                Meaning::Retry { after } => {
                    tries += 1;
                    if tries >= TRIES {
                        let last = if ask.is_some() {
                            format!("status {}", answer.status)
                        } else {
                            "no answer".into()
                        };
                        Step::Failed(Failure::GaveUp { last })
                    } else {
                        let wait = after.unwrap_or_else(|| self.backoff(tries));
                        if wait > LONGEST_SLEEP || wait + FLUSH > self.left() {
                            return self.leave(run, held, false, Left::Later(wait)).await;
                        }
                        tokio::time::sleep(wait).await;
                        continue;
                    }
                }
                Meaning::Page | Meaning::Empty => {
                    let read = match meant {
                        Meaning::Empty => Ok(crate::Page::default()),
                        _ => pages.read(&answer),
                    };
                    let page = match read {
                        Ok(page) => page,
                        Err(Unreadable::Failure(failure)) => {
                            return self.over(run, held, &reading, Step::Failed(failure), report).await;
                        }
                        Err(Unreadable::Doubt(doubt)) => {
                            unreadable += 1;
                            if unreadable >= UNREADABLE {
                                return self.over(run, held, &reading, Step::Suspect(doubt), report).await;
                            }
                            tokio::time::sleep(self.backoff(unreadable).min(LONGEST_SLEEP)).await;
                            continue;
                        }
                    };
                    let Some(ask) = &ask else { continue };
                    report.pages += 1;
                    report.rows += page.rows.len() as u64;
                    let taken = reading.take(&ask.url, page);
                    let parcels: Vec<_> = taken
                        .rows
                        .iter()
                        .map(|row| Parcel { body: row.raw, id: &row.id, time: row.time, stamp: &stamp })
                        .collect();
                    if !run.dry_run && !parcels.is_empty() {
                        match self.deliver(&parcels).await {
                            Ok((injected, poison)) => {
                                reading.injected(injected, poison);
                                report.injected += injected;
                                report.poison += poison;
                            }
                            Err(why) => {
                                tracing::warn!(feed = %run.feed, run = %run.run, window = %window.start, %why, "the sink did not take a page");
                                return self
                                    .leave(run, held, false, Left::Later(Duration::from_secs(5)))
                                    .await;
                            }
                        }
                    }
                    taken.step
                }
            };
            (tries, unreadable) = (0, 0);
            let took = Duration::try_from(self.clock.now().duration_since(began)).unwrap_or_default();
            pace.slowest = pace.slowest.max(took);
            if step != Step::Next {
                return self.over(run, held, &reading, step, report).await;
            }
            let next = after_page(&held.value, reading.progress(), &step, self.clock.now());
            held = match self.ledger.put_window(run, next, Some(&held)).await? {
                Some(held) => held,
                None => return Ok(Left::Lost),
            };
        }
    }

    async fn deliver(&self, parcels: &[Parcel<'_>]) -> Result<(u64, u64), crate::port::Undelivered> {
        let delivery = self.sink.send(parcels).await?;
        for (index, reason) in &delivery.poison {
            if let Some(parcel) = parcels.get(*index) {
                self.dead.bury(parcel, reason).await?;
            }
        }
        Ok((delivery.injected, delivery.poison.len() as u64))
    }

    fn backoff(&self, tries: u32) -> Duration {
        let most = Duration::from_millis(500) * 2_u32.pow(tries.min(7));
        most / 2 + self.entropy.jitter(most / 2)
    }

    /// Waits for this worker's turn to call; gives how long it would have to wait if that is too long.
    async fn turn(
        &self,
        feed: &FeedName,
        rate: f64,
        workers: u32,
        pace: &mut Pace,
    ) -> Result<Option<Duration>, Error> {
        let now = self.clock.now();
        let mut grant = match pace.grant.take().filter(|grant| grant.calls > 0) {
            Some(grant) => grant,
            None => self.ledger.reserve(feed, rate, workers, now).await?,
        };
        let wait = Duration::try_from(grant.first.duration_since(now)).unwrap_or(Duration::ZERO);
        if wait > LONGEST_SLEEP || wait + pace.slowest * 2 + FLUSH > self.left() {
            return Ok(Some(wait));
        }
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        grant.first = grant.first.max(self.clock.now()).checked_add(grant.apart).unwrap_or(grant.first);
        grant.calls -= 1;
        pace.grant = Some(grant);
        Ok(None)
    }

    async fn over(
        &self,
        run: &Run,
        held: Held<WindowItem>,
        reading: &Reading<'_>,
        step: Step,
        report: &mut Report,
    ) -> Result<Left, Error> {
        let now = self.clock.now();
        let next = after_page(&held.value, reading.progress(), &step, now);
        let state = next.state;
        let by = By { actor: self.owner.clone(), now };
        if self.ledger.end_window(run, next, &held, &by).await?.is_none() {
            return Ok(Left::Lost);
        }
        match state {
            WindowState::Suspect => report.suspect += 1,
            WindowState::Failed => report.failed += 1,
            _ => report.done += 1,
        }
        Ok(Left::Over)
    }

    async fn leave(
        &self,
        run: &Run,
        held: Held<WindowItem>,
        cancelled: bool,
        left: Left,
    ) -> Result<Left, Error> {
        let next = give_back(&held.value, cancelled, self.clock.now());
        self.ledger.put_window(run, next, Some(&held)).await?;
        Ok(left)
    }
}

/// Finds runs that have work and nobody who does it, and gives the orders that begin them anew.
///
/// Runs that are over, paused or cancelled by now are brought there.
pub async fn sweep(ledger: &Ledger, by: &By) -> Result<Vec<LaneOrder>, Error> {
    let mut orders = Vec::new();
    for feed in ledger.feeds().await? {
        let Some(item) = ledger.feed(&feed).await? else { continue };
        for run in item.active {
            let Some(run) = ledger.settle(&feed, run, by).await?.filter(|run| run.state.works()) else {
                continue;
            };
            // An order that is only just on its way is not doubled.
            if run.state != RunState::Interrupted && by.now.duration_since(run.updated_at) < QUIET {
                continue;
            }
            let busy: Vec<u32> = ledger
                .lanes(&feed, run.run)
                .await?
                .iter()
                .filter(|lane| lane.lease.as_ref().is_some_and(|lease| lease.holds(by.now)))
                .map(|lane| lane.lane)
                .collect();
            orders.extend(LaneOrder::all(&run).into_iter().filter(|order| !busy.contains(&order.lane)));
        }
    }
    Ok(orders)
}

/// Time for a run's first messages to arrive.
const QUIET: SignedDuration = SignedDuration::from_mins(2);
