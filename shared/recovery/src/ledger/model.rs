//! What the ledger holds: feeds, runs, windows, lanes, the budget, and the record of who did what.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use septet_registry::{Entry, Key};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::feed::{Feed, FeedName, Sink};
use crate::grid::{Grid, Window};
use crate::page::hash;
use crate::progress::Progress;
use crate::reason::{Doubt, Failure};
use crate::request::Reprocess;
use crate::sink::RecordLetter;
use crate::time::Step;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Nobody has begun.
    Planned,
    /// Windows are read.
    Running,
    /// Windows that are being read finish their page.
    Pausing,
    /// Nothing is read until somebody resumes it.
    Paused,
    /// Nobody reads although there is work; the sweep begins it anew.
    Interrupted,
    /// Windows that are being read finish their page.
    Cancelling,
    /// Nothing will be read any more.
    Cancelled,
    /// Every window is done.
    Succeeded,
    /// Every window is over, and not all are done.
    Failed,
}

impl RunState {
    /// The state as the ledger writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Interrupted => "interrupted",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Whether windows may be begun.
    pub fn works(self) -> bool {
        matches!(self, Self::Planned | Self::Running | Self::Interrupted)
    }

    /// Whether nothing happens any more unless somebody asks for it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Cancelled | Self::Succeeded | Self::Failed)
    }
}

/// One recovery of a range of a feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Says what was asked for: the same again is the same run.
    pub run: Uuid,
    /// The feed.
    pub feed: FeedName,
    /// The feed as it was when the generation began, as JSON.
    pub document: String,
    /// Where it stands.
    pub state: RunState,
    /// Grows when windows that are not done begin anew under other parameters.
    pub generation: u32,
    /// The first moment.
    pub from: Timestamp,
    /// The moment after the last.
    pub to: Timestamp,
    /// Length of a window; none if the range is one.
    pub step: Option<String>,
    /// How many windows the range has.
    pub windows: u32,
    /// Which of them are read: first and last index of each stretch.
    pub stretches: Vec<(u32, u32)>,
    /// Rows of a page, if not the feed's.
    pub page_size: Option<u64>,
    /// Calls per second, if fewer than the feed's.
    pub rate: Option<f64>,
    /// How many windows are read at the same time.
    pub concurrency: u32,
    /// Another sink of the feed.
    pub sink: Option<String>,
    /// Whether nothing is injected.
    pub dry_run: bool,
    /// What is read again.
    pub reprocess: Reprocess,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub started_by: String,
    /// When.
    pub started_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Run {
    /// The feed as the run reads it.
    pub fn feed(&self) -> Option<Feed> {
        Feed::parse(&self.document).ok()
    }

    /// The run's windows, done or not.
    pub fn grid(&self, zone: TimeZone) -> Result<Grid, String> {
        let range = Window { start: self.from, end: self.to };
        match &self.step {
            Some(step) => Grid::new(range, Step::parse(step)?, zone),
            None => Grid::new(range, Step::Elapsed(self.to.duration_since(self.from)), zone),
        }
    }

    /// Where the run's records go, by a feed that may have been put since it began.
    pub fn sink_in<'a>(&self, feed: &'a Feed) -> Option<&'a Sink> {
        match &self.sink {
            None => Some(&feed.sink),
            Some(name) => feed.other_sinks.get(name),
        }
    }

    /// Whether nothing of it is wanted any more.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.state, RunState::Cancelling | RunState::Cancelled)
    }

    /// Indexes of the windows that are read.
    pub fn todo(&self) -> impl Iterator<Item = u32> {
        self.stretches.iter().flat_map(|(first, last)| *first..=*last)
    }
}

/// Where a window stands. One that nobody began is in no ledger; it is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowState {
    /// Nobody reads it.
    Pending,
    /// Somebody reads it, or did until the lease ended.
    Running,
    /// Everything in it was read and injected.
    Done,
    /// Done, and read again with the same result.
    Verified,
    /// It was read and is not believed.
    Suspect,
    /// It cannot be read.
    Failed,
    /// The run was cancelled.
    Cancelled,
}

impl WindowState {
    /// Whether its records are all there.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Done | Self::Verified)
    }
}

/// Whose a window, or a lane, is for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who.
    pub owner: String,
    /// Until when.
    pub until: Timestamp,
}

impl Lease {
    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// A window in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowItem {
    /// Its index in the run.
    pub index: u32,
    /// The first moment.
    pub from: Timestamp,
    /// The moment after the last.
    pub to: Timestamp,
    /// Where it stands.
    pub state: WindowState,
    /// The generation of the run in which it was read.
    pub generation: u32,
    /// Grows with every worker that takes it.
    pub fence: u64,
    /// Who reads it.
    pub lease: Option<Lease>,
    /// How far it got.
    pub progress: Progress,
    /// Why it is suspect.
    pub doubt: Option<Doubt>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Whether records may still arrive: its end was too near when it was read.
    pub unsettled: bool,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl WindowItem {
    /// Whether it waits to be read, by the run as it is now.
    pub fn is_open(&self, run: &Run, now: Timestamp) -> bool {
        match self.state {
            WindowState::Pending => true,
            WindowState::Running => !self.lease.as_ref().is_some_and(|lease| lease.holds(now)),
            WindowState::Done | WindowState::Verified => false,
            WindowState::Suspect | WindowState::Failed | WindowState::Cancelled => {
                self.generation < run.generation
            }
        }
    }

    /// The command that reads it again, injecting all of its records.
    pub fn read_again(&self, run: &Run) -> String {
        let sink = run.sink.as_ref().map(|name| format!(" --sink {name}")).unwrap_or_default();
        let Self { from, to, .. } = self;
        format!(
            "septet backfill start {} --from {from} --to {to} --reprocess completed{sink} --reason WHY",
            run.feed
        )
    }

    /// Whether it is over, for the run as it is now.
    pub fn is_over(&self, run: &Run) -> bool {
        match self.state {
            WindowState::Pending | WindowState::Running => false,
            WindowState::Done | WindowState::Verified => true,
            WindowState::Suspect | WindowState::Failed | WindowState::Cancelled => {
                self.generation == run.generation
            }
        }
    }
}

/// One of a run's workers: there are never more of them than the run's concurrency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// From 0 on.
    pub lane: u32,
    /// Who works.
    pub lease: Option<Lease>,
}

/// A feed in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedItem {
    /// Its name.
    pub feed: FeedName,
    /// The feed, as JSON.
    pub document: String,
    /// The document's digest.
    pub digest: String,
    /// Runs that are not over.
    pub active: Vec<Uuid>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Who did what, when and why; never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRecord {
    /// Sorts by time.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// The feed.
    pub feed: FeedName,
    /// Who.
    pub actor: String,
    /// What.
    pub action: Action,
    /// The run it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Uuid>,
    /// The window it was done to, by its first moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Timestamp>,
    /// The state before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The state after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// A feed was put.
    PutFeed,
    /// A run was started.
    Start,
    /// Somebody pauses a run.
    Pause,
    /// Somebody resumes a run.
    Resume,
    /// Somebody cancels a run.
    Cancel,
    /// Somebody sets a run's rate or concurrency.
    Set,
    /// Somebody has what is not done read again.
    Retry,
    /// A run came to where it was going.
    Settle,
    /// A window is not believed.
    Suspect,
    /// A window cannot be read.
    Fail,
    /// A range message was refused.
    Refuse,
    /// Somebody has dead letters moved back to the recovery queue.
    Redrive,
    /// A record that no sink took was brought in after all.
    Inject,
    /// A run was held against its source.
    Verify,
}

/// A record that no sink took and that came back from the dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterItem {
    /// How often it came back and went to the dead letters again: a letter that says fewer was tried before.
    pub redrives: u32,
    /// Whether a sink took it.
    pub injected: bool,
    /// Who tries.
    pub lease: Option<Lease>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

pub(crate) fn key(pk: impl Into<String>, sk: impl Into<String>) -> Key {
    Key { pk: pk.into(), sk: sk.into() }
}

pub(crate) fn feed_partition(feed: &FeedName) -> String {
    format!("{}{feed}", Entry::FEED)
}

pub(crate) fn run_partition(feed: &FeedName, run: Uuid) -> String {
    format!("{}#RUN#{run}", feed_partition(feed))
}

pub(crate) fn feed_key(feed: &FeedName) -> Key {
    key(feed_partition(feed), "FEED")
}

pub(crate) fn listing_key(feed: &FeedName) -> Key {
    key(Entry::FEEDS, feed.as_str())
}

pub(crate) fn budget_key(feed: &FeedName) -> Key {
    key(feed_partition(feed), "BUDGET")
}

pub(crate) fn run_key(feed: &FeedName, run: Uuid) -> Key {
    key(feed_partition(feed), format!("RUN#{run}"))
}

pub(crate) fn record_key(feed: &FeedName, id: Uuid) -> Key {
    key(feed_partition(feed), format!("LOG#{id}"))
}

pub(crate) fn window_key(feed: &FeedName, run: Uuid, from: Timestamp) -> Key {
    // Nine digits of a second always, so that keys sort as the times.
    key(run_partition(feed, run), format!("WINDOW#{from:.9}"))
}

pub(crate) fn letter_key(feed: &FeedName, letter: &RecordLetter) -> Key {
    let RecordLetter { run, window, generation, record_id, record, .. } = letter;
    let it = hash(&format!("{generation}/{record_id}/{record}"));
    key(run_partition(feed, *run), format!("LETTER#{window:.9}#{it:032x}"))
}

pub(crate) fn lane_key(feed: &FeedName, run: Uuid, lane: u32) -> Key {
    key(run_partition(feed, run), format!("LANE#{lane:04}"))
}
