//! Every transition of a run and of a window, decided by pure functions: what is there in, what shall be out.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::model::*;
use crate::feed::{Feed, Incremental};
use crate::grid::Window;
use crate::progress::Progress;
use crate::reading::Step as ReadingStep;
use crate::request::{RangeRequest, Reprocess};
use crate::sink::RecordLetter;

/// When a record is tried whose window is still read.
const UNTIL_OVER: SignedDuration = SignedDuration::from_mins(5);

/// What a decision comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision<T> {
    /// It shall be so.
    Commit(T),
    /// It is so already.
    Already(T),
    /// It may not be.
    Refuse(Refusal),
}

/// Why something is refused: a normal answer, after which everything is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nobody put the feed.
    #[error("there is no feed {feed}; put it with `septet feed put`")]
    UnknownFeed {
        /// The feed asked for.
        feed: String,
    },
    /// There is no such run.
    #[error("there is no run {run} of {feed}")]
    UnknownRun {
        /// The feed.
        feed: String,
        /// The run asked for.
        run: Uuid,
    },
    /// A field of the request cannot be.
    #[error("{field}: {problem}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong, and the fix.
        problem: String,
    },
    /// Another run is reading the same stretch of time.
    #[error("run {run} is reading {from} to {to}; wait for it, or cancel it")]
    Overlaps {
        /// The other run.
        run: Uuid,
        /// Its first moment.
        from: Timestamp,
        /// The moment after its last.
        to: Timestamp,
    },
    /// Every window of the range was read before.
    #[error("every window of the range is done; to read them again, set reprocess to completed")]
    NothingToDo,
    /// The run is where this cannot be done.
    #[error("run {run} is {} and cannot be {to}", .is.as_str())]
    State {
        /// The run.
        run: Uuid,
        /// Where it stands.
        is: RunState,
        /// What was to be done.
        to: &'static str,
    },
}

/// Stretches of time that earlier runs read, and how that ended.
#[derive(Debug, Clone, Default)]
pub struct Covered {
    /// Runs of the feed that are not over.
    pub active: Vec<(Uuid, Window)>,
    /// Windows of runs that injected.
    pub windows: Vec<(Window, WindowState)>,
}

/// Plans a run: which windows of the range it reads.
pub fn plan(
    feed: &Feed,
    request: &RangeRequest,
    covered: &Covered,
    actor: &str,
    now: Timestamp,
) -> Result<Run, Refusal> {
    let field = |field, problem: String| Err(Refusal::Field { field, problem });
    let incremental = &feed.incremental;
    if request.to > now {
        return field("to", format!("{} is still to come: end the range now or before", request.to));
    }
    if let Some(sink) = request.sink.as_ref().filter(|sink| !feed.other_sinks.contains_key(*sink)) {
        let known: Vec<_> = feed.other_sinks.keys().map(String::as_str).collect();
        return field("sink", format!("the feed has no sink {sink:?}; it has: {}", known.join(", ")));
    }
    if incremental.is_client_side_incremental && request.step.is_some() {
        return field("step", "the feed has no time filter: a range is one window; remove step".into());
    }
    if let Some(rate) = request.rate.filter(|rate| *rate > feed.budget.calls_per_second) {
        let most = feed.budget.calls_per_second;
        return field("rate", format!("{rate} calls a second are more than the feed allows: at most {most}"));
    }
    if request.page_size.is_some() && feed.limit_param.is_none() {
        return field("page_size", "the feed has no limit_param: remove page_size".into());
    }
    let range = Window { start: request.from, end: request.to };
    let overlaps = |other: &Window| other.start < range.end && range.start < other.end;
    let run = request.run();
    let busy = covered.active.iter().find(|(other, window)| *other != run && overlaps(window));
    if let Some((run, window)) = busy.filter(|_| !request.dry_run) {
        return Err(Refusal::Overlaps { run: *run, from: window.start, to: window.end });
    }
    let step = (!incremental.is_client_side_incremental).then(|| request.step.unwrap_or(incremental.step));
    let mut planned = Run {
        run,
        feed: feed.name.clone(),
        document: feed.to_json().to_owned(),
        state: RunState::Planned,
        generation: 1,
        from: request.from,
        to: request.to,
        step: step.map(|step| step.to_string()),
        windows: 0,
        stretches: Vec::new(),
        page_size: request.page_size,
        rate: request.rate,
        concurrency: request.concurrency.unwrap_or(feed.concurrency),
        sink: request.sink.clone(),
        dry_run: request.dry_run,
        reprocess: request.reprocess,
        reason: request.reason.clone(),
        started_by: actor.to_owned(),
        started_at: now,
        updated_at: now,
    };
    let grid = planned.grid(incremental.time_zone.clone());
    let grid = grid.map_err(|problem| Refusal::Field { field: "step", problem })?;
    planned.windows = grid.len();
    let shut = Shut::new(covered, request.reprocess);
    for (index, window) in (0..).zip(grid.windows()) {
        if shut.contains(window) {
            continue;
        }
        match planned.stretches.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => planned.stretches.push((index, index)),
        }
    }
    if planned.stretches.is_empty() { Err(Refusal::NothingToDo) } else { Ok(planned) }
}

/// Stretches of time that are not read again, merged and in order.
struct Shut(Vec<Window>);

impl Shut {
    fn new(covered: &Covered, reprocess: Reprocess) -> Self {
        let counts = |state: &WindowState| match reprocess {
            Reprocess::Completed => false,
            Reprocess::Failed => state.is_done(),
            Reprocess::None => state.is_done() || matches!(state, WindowState::Suspect | WindowState::Failed),
        };
        let mut windows: Vec<_> =
            covered.windows.iter().filter(|(_, state)| counts(state)).map(|(window, _)| *window).collect();
        windows.sort();
        let mut merged: Vec<Window> = Vec::new();
        for window in windows {
            match merged.last_mut() {
                Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
                _ => merged.push(window),
            }
        }
        Self(merged)
    }

    fn contains(&self, window: Window) -> bool {
        let after = self.0.partition_point(|it| it.start <= window.start);
        after > 0 && self.0[after - 1].end >= window.end
    }
}

/// What somebody wants of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Read nothing more for now.
    Pause,
    /// Go on.
    Resume,
    /// Read nothing more.
    Cancel,
    /// Read faster or slower.
    Set {
        /// Calls per second.
        rate: Option<f64>,
        /// Windows at the same time.
        concurrency: Option<u32>,
    },
    /// Read again what is not done, with the feed as it is now.
    Retry {
        /// The feed, as JSON.
        document: String,
        /// Rows of a page.
        page_size: Option<u64>,
    },
}

impl Order {
    /// What goes on record.
    pub fn action(&self) -> Action {
        match self {
            Self::Pause => Action::Pause,
            Self::Resume => Action::Resume,
            Self::Cancel => Action::Cancel,
            Self::Set { .. } => Action::Set,
            Self::Retry { .. } => Action::Retry,
        }
    }
}

/// Does to a run what somebody wants.
pub fn order(run: &Run, order: &Order, now: Timestamp) -> Decision<Run> {
    use RunState::*;
    let to = |state| Decision::Commit(Run { state, updated_at: now, ..run.clone() });
    let refuse = |to| Decision::Refuse(Refusal::State { run: run.run, is: run.state, to });
    match (order, run.state) {
        (Order::Pause, Pausing | Paused) | (Order::Resume, Planned | Running | Interrupted) => {
            Decision::Already(run.clone())
        }
        (Order::Pause, Planned | Running | Interrupted) => to(Pausing),
        (Order::Pause, _) => refuse("paused"),
        (Order::Resume, Pausing | Paused) => to(Running),
        (Order::Resume, _) => refuse("resumed"),
        (Order::Cancel, Cancelling | Cancelled) => Decision::Already(run.clone()),
        (Order::Cancel, Succeeded | Failed) => refuse("cancelled"),
        (Order::Cancel, _) => to(Cancelling),
        (Order::Set { .. }, Cancelling | Cancelled | Succeeded | Failed) => refuse("set"),
        (Order::Set { rate, concurrency }, _) => {
            let set = Run {
                rate: rate.or(run.rate),
                concurrency: concurrency.unwrap_or(run.concurrency),
                ..run.clone()
            };
            if set == *run {
                Decision::Already(set)
            } else {
                Decision::Commit(Run { updated_at: now, ..set })
            }
        }
        (Order::Retry { .. }, Cancelling | Cancelled | Succeeded) => refuse("retried"),
        (Order::Retry { document, page_size }, _) => Decision::Commit(Run {
            state: Running,
            generation: run.generation + 1,
            document: document.clone(),
            page_size: page_size.or(run.page_size),
            updated_at: now,
            ..run.clone()
        }),
    }
}

/// Brings a run to where it was going, once nobody works on it: nothing if it stays where it is.
pub fn settle(run: &Run, windows: &[WindowItem], lanes: &[Lane], now: Timestamp) -> Option<RunState> {
    let busy = lanes.iter().any(|lane| lane.lease.as_ref().is_some_and(|lease| lease.holds(now)));
    if busy || run.state.is_over() {
        return None;
    }
    match run.state {
        RunState::Pausing => Some(RunState::Paused),
        RunState::Cancelling => Some(RunState::Cancelled),
        RunState::Paused => None,
        _ => {
            let over = windows.iter().filter(|window| window.is_over(run)).count();
            if over < run.todo().count() {
                return (run.state == RunState::Running).then_some(RunState::Interrupted);
            }
            let done = windows.iter().all(|window| window.state.is_done());
            Some(if done { RunState::Succeeded } else { RunState::Failed })
        }
    }
}

/// Takes a lane; none if somebody has it, or the run has fewer.
pub fn take_lane(run: &Run, held: Option<&Lane>, lane: u32, lease: &Lease, now: Timestamp) -> Option<Lane> {
    let free = held.is_none_or(|held| {
        held.lease.as_ref().is_none_or(|held| !held.holds(now) || held.owner == lease.owner)
    });
    (run.state.works() && lane < run.concurrency && free).then(|| Lane { lane, lease: Some(lease.clone()) })
}

/// Takes a window that waits to be read; its reading goes on where it stopped, unless the parameters changed.
pub fn claim(
    run: &Run,
    incremental: &Incremental,
    held: Option<&WindowItem>,
    index: u32,
    window: Window,
    lease: &Lease,
    now: Timestamp,
) -> Option<WindowItem> {
    if held.is_some_and(|held| !held.is_open(run, now)) {
        return None;
    }
    let same = held.filter(|held| held.generation == run.generation);
    let settled = now.checked_sub(incremental.settle_delay).unwrap_or(now);
    Some(WindowItem {
        index,
        from: window.start,
        to: window.end,
        state: WindowState::Running,
        generation: run.generation,
        fence: held.map_or(1, |held| held.fence + 1),
        lease: Some(lease.clone()),
        progress: same.map_or_else(Progress::default, |held| held.progress.clone()),
        doubt: None,
        failure: None,
        unsettled: window.end > settled,
        updated_at: now,
    })
}

/// Whether a record that comes back from the dead letters is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Now,
    /// Not before: somebody tries it, or its window is not over.
    Later(Timestamp),
    /// No more, and why.
    Never(&'static str),
}

/// Whether a record that comes back from the dead letters is tried by `owner`: never twice, and never for a run that
/// does not want it.
pub fn turn(
    run: &Run,
    window: &WindowItem,
    held: Option<&LetterItem>,
    letter: &RecordLetter,
    owner: &str,
    now: Timestamp,
) -> Turn {
    if run.is_cancelled() {
        return Turn::Never("the run is cancelled");
    }
    if window.generation > letter.generation {
        return Turn::Never("its window was read again since");
    }
    if held.is_some_and(|held| held.injected) {
        return Turn::Never("it was brought in before");
    }
    if held.is_some_and(|held| held.redrives > letter.redrives) {
        return Turn::Never("it was tried before and is in the dead letters again");
    }
    let tried = held.and_then(|held| held.lease.as_ref()).filter(|it| it.holds(now) && it.owner != owner);
    if let Some(lease) = tried {
        return Turn::Later(lease.until);
    }
    // Whoever reads the window writes its counts, and would lose it to whoever writes them beside.
    if window.is_over(run) { Turn::Now } else { Turn::Later(now + UNTIL_OVER) }
}

/// What a window becomes when a record of it that no sink took is brought in.
pub fn brought_in(window: &WindowItem, now: Timestamp) -> WindowItem {
    let mut next = WindowItem { updated_at: now, ..window.clone() };
    let counts = &mut next.progress.counts;
    counts.injected += 1;
    counts.poison = counts.poison.saturating_sub(1);
    next
}

/// What a window becomes after a page.
pub fn after_page(held: &WindowItem, progress: &Progress, step: &ReadingStep, now: Timestamp) -> WindowItem {
    let mut next = WindowItem { progress: progress.clone(), updated_at: now, ..held.clone() };
    match step {
        ReadingStep::Next => return next,
        ReadingStep::Done => next.state = WindowState::Done,
        ReadingStep::Suspect(doubt) => {
            next.state = WindowState::Suspect;
            next.doubt = Some(doubt.clone());
        }
        ReadingStep::Failed(failure) => {
            next.state = WindowState::Failed;
            next.failure = Some(failure.clone());
        }
    }
    next.lease = None;
    next
}

/// Gives a window back as it is: to be read on later, or never if the run is cancelled.
pub fn give_back(held: &WindowItem, cancelled: bool, now: Timestamp) -> WindowItem {
    let state = if cancelled { WindowState::Cancelled } else { WindowState::Pending };
    WindowItem { state, lease: None, updated_at: now, ..held.clone() }
}
