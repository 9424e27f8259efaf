//! How far a run is.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use septet_recovery::FeedName;
use septet_recovery::ledger::{Run, RunState, WindowItem, WindowState};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::app::{App, now};
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, text, time};

/// Between two looks at the ledger.
const PAUSE: Duration = Duration::from_secs(1);
/// Cells of the strip.
const STRIP: usize = 60;
/// Windows that are shown with what is wrong with them.
const STUCK: usize = 20;

/// Where the windows of a run stand, and what they brought.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Progress {
    windows: usize,
    done: usize,
    running: usize,
    suspect: usize,
    failed: usize,
    cancelled: usize,
    pages: u64,
    rows: u64,
    injected: u64,
    poison: u64,
    rows_per_second: f64,
    seconds_left: Option<u64>,
    strip: String,
}

impl Progress {
    fn of(run: &Run, windows: &[WindowItem], now: Timestamp) -> Self {
        let mut progress = Self { windows: run.todo().count(), ..Self::default() };
        for window in windows {
            match window.state {
                WindowState::Pending => {}
                WindowState::Running => progress.running += 1,
                WindowState::Done | WindowState::Verified => progress.done += 1,
                WindowState::Suspect => progress.suspect += 1,
                WindowState::Failed => progress.failed += 1,
                WindowState::Cancelled => progress.cancelled += 1,
            }
            let counts = &window.progress.counts;
            progress.pages += counts.pages;
            progress.rows += counts.rows;
            progress.injected += counts.injected;
            progress.poison += counts.poison;
        }
        let until = if run.state.is_over() { run.updated_at } else { now };
        let seconds = until.duration_since(run.started_at).as_secs_f64().max(1.0);
        progress.rows_per_second = (progress.rows as f64 / seconds * 10.0).round() / 10.0;
        let over = progress.over();
        if run.state.works() && over > 0 {
            let left = progress.windows.saturating_sub(over) as f64;
            progress.seconds_left = Some((left * seconds / over as f64).ceil() as u64);
        }
        progress.strip = strip(run, windows);
        progress
    }

    fn over(&self) -> usize {
        self.done + self.suspect + self.failed + self.cancelled
    }
}

/// The run's windows from left to right; a cell shows the worst of those that share it.
fn strip(run: &Run, windows: &[WindowItem]) -> String {
    const WORST: [char; 7] = [' ', '#', '.', '>', 'x', '?', '!'];
    let cells = STRIP.min(run.windows as usize).max(1);
    let mut strip = vec![0; cells];
    let mut mark = |index: u32, rank: usize| {
        let cell = index as usize * cells / (run.windows as usize).max(1);
        if let Some(cell) = strip.get_mut(cell) {
            *cell = rank.max(*cell);
        }
    };
    let rank = |state| match state {
        WindowState::Done | WindowState::Verified => 1,
        WindowState::Pending => 2,
        WindowState::Running => 3,
        WindowState::Cancelled => 4,
        WindowState::Suspect => 5,
        WindowState::Failed => 6,
    };
    let known: std::collections::HashMap<u32, WindowState> =
        windows.iter().map(|window| (window.index, window.state)).collect();
    for index in run.todo() {
        mark(index, rank(known.get(&index).copied().unwrap_or(WindowState::Pending)));
    }
    strip.into_iter().map(|rank| WORST[rank]).collect()
}

/// Seconds as people say them.
pub(super) fn length(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

pub(super) async fn status(
    app: &App,
    feed: &FeedName,
    run: Option<Uuid>,
    follow: bool,
) -> Result<Answer, Failure> {
    let (run, windows) =
        if follow { until_over(app, feed, run).await? } else { look(app, feed, run).await? };
    Ok(answer(app, &run, &windows, &Progress::of(&run, &windows, now())))
}

/// Stays until a run is over or paused, and shows how far it is.
pub(super) async fn until_over(
    app: &App,
    feed: &FeedName,
    run: Option<Uuid>,
) -> Result<(Run, Vec<WindowItem>), Failure> {
    let bar = app.screen.is_watched().then(bar);
    let mut said = None;
    loop {
        let (run, windows) = look(app, feed, run).await?;
        if run.state.is_over() || run.state == RunState::Paused {
            if let Some(bar) = &bar {
                bar.finish_and_clear();
            }
            return Ok((run, windows));
        }
        let progress = Progress::of(&run, &windows, now());
        let line = format!(
            "{}: {} of {} windows, {} rows/s, {} left",
            run.state.as_str(),
            progress.over(),
            progress.windows,
            progress.rows_per_second,
            progress.seconds_left.map_or_else(|| "?".into(), length),
        );
        match &bar {
            Some(bar) => {
                bar.set_length(progress.windows as u64);
                bar.set_position(progress.over() as u64);
                bar.set_message(format!("{line}\n[{}]", progress.strip));
            }
            // Where nobody looks, a line for each window that is over is enough.
            None if said != Some(progress.over()) => app.screen.say(&line),
            None => {}
        }
        said = Some(progress.over());
        tokio::time::sleep(PAUSE).await;
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(1);
    let style = ProgressStyle::with_template("{spinner} [{bar:40}] {percent}% {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

pub(super) async fn look(
    app: &App,
    feed: &FeedName,
    run: Option<Uuid>,
) -> Result<(Run, Vec<WindowItem>), Failure> {
    let found = match run {
        Some(run) => app.ledger.run(feed, run).await?,
        None => app.ledger.runs(feed).await?.pop(),
    };
    let Some(run) = found else {
        let which = run.map_or_else(|| "a run".into(), |run| format!("run {run}"));
        let hint = format!("`septet backfill list {feed}` shows those there are");
        return Err(Failure::new(format!("failed to find {which} of {feed}: there is none"), hint));
    };
    let windows = app.ledger.windows(feed, run.run).await?;
    Ok((run, windows.into_iter().map(|held| held.value).collect()))
}

fn answer(app: &App, run: &Run, windows: &[WindowItem], progress: &Progress) -> Answer {
    let left = progress.seconds_left.map(|seconds| format!("about {}", length(seconds)));
    let mut page = app.screen.facts(vec![
        ("run", format!("{} of {}", run.run, run.feed)),
        ("state", format!("{} since {}", run.state.as_str(), time(run.updated_at))),
        ("range", format!("from {} to before {}", time(run.from), time(run.to))),
        (
            "windows",
            format!(
                "{} of {} over: {} done, {} suspect, {} failed, {} running",
                progress.over(),
                progress.windows,
                progress.done,
                progress.suspect,
                progress.failed,
                progress.running
            ),
        ),
        (
            "records",
            format!(
                "{} injected, {} poison, of {} rows on {} pages",
                progress.injected, progress.poison, progress.rows, progress.pages
            ),
        ),
        ("rate", format!("{} rows a second", progress.rows_per_second)),
        ("left", left.unwrap_or_default()),
        ("started", format!("{} by {}: {}", time(run.started_at), run.started_by, run.reason)),
    ]);
    page = format!(
        "{page}\n\n[{}]\n # done  . pending  > running  x cancelled  ? suspect  ! failed",
        progress.strip
    );
    let wrong: Vec<_> = windows
        .iter()
        .filter_map(|window| {
            let doubt = window.doubt.as_ref().map(ToString::to_string);
            Some((window, doubt.or_else(|| window.failure.as_ref().map(ToString::to_string))?))
        })
        .collect();
    if !wrong.is_empty() {
        let mut table = app.screen.table(&["WINDOW", "STATE", "WHY"]);
        for (window, why) in wrong.iter().take(STUCK) {
            let state = if window.doubt.is_some() { "suspect" } else { "failed" };
            table.add_row([time(window.from), state.to_owned(), why.clone()]);
        }
        page = format!("{page}\n\n{}", text(&table));
        app.screen.say(&format!("hint: septet backfill retry {} {} --reason WHY", run.feed, run.run));
    }
    if progress.poison > 0 {
        app.screen.say("hint: septet backfill letters");
    }
    let code =
        if matches!(run.state, RunState::Failed | RunState::Cancelled) { exit::NO } else { exit::DONE };
    Answer::new(json!({"run": run, "progress": progress}), page).with_code(code)
}

#[cfg(test)]
mod tests {
    use septet_recovery::Reprocess;
    use septet_recovery::ledger::WindowState::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000_000 + seconds).unwrap()
    }

    fn run(windows: u32, state: RunState) -> Run {
        Run {
            run: Uuid::nil(),
            feed: FeedName::parse("plays").unwrap(),
            document: String::new(),
            state,
            generation: 1,
            from: at(0),
            to: at(i64::from(windows)),
            step: Some("1s".into()),
            windows,
            stretches: vec![(0, windows - 1)],
            page_size: None,
            rate: None,
            concurrency: 4,
            sink: None,
            dry_run: false,
            reprocess: Reprocess::None,
            reason: "it was silent".into(),
            started_by: "ann".into(),
            started_at: at(0),
            updated_at: at(50),
        }
    }

    fn window(index: u32, state: WindowState) -> WindowItem {
        let mut window = WindowItem {
            index,
            from: at(i64::from(index)),
            to: at(i64::from(index) + 1),
            state,
            generation: 1,
            fence: 1,
            lease: None,
            progress: Default::default(),
            doubt: None,
            failure: None,
            unsettled: false,
            updated_at: at(0),
        };
        window.progress.counts.rows = 100;
        window
    }

    #[test]
    fn the_strip_shows_each_window_and_the_worst_of_those_that_share_a_cell() {
        let windows: Vec<_> =
            (0..).zip([Done, Running, Suspect, Failed, Cancelled]).map(|(n, it)| window(n, it)).collect();
        assert_eq!(strip(&run(6, RunState::Running), &windows), "#>?!x.");
        let mut some = run(6, RunState::Running);
        some.stretches = vec![(1, 1), (5, 5)];
        assert_eq!(strip(&some, &windows), " >   .");
        let mut many: Vec<_> = (0..5760).map(|n| window(n, Done)).collect();
        many[2880].state = Suspect;
        assert_eq!(
            strip(&run(5760, RunState::Running), &many),
            format!("{}?{}", "#".repeat(30), "#".repeat(29))
        );
    }

    #[test]
    fn time_left_follows_from_the_windows_that_are_over_and_is_none_when_nothing_is_done() {
        let windows = [window(0, Done), window(1, Done), window(2, Running)];
        let progress = Progress::of(&run(10, RunState::Running), &windows, at(20));
        assert_eq!((progress.over(), progress.seconds_left, progress.rows_per_second), (2, Some(80), 15.0));
        assert_eq!(Progress::of(&run(10, RunState::Running), &[], at(20)).seconds_left, None);
        // Over since its last change, whenever somebody looks.
        let over = Progress::of(&run(3, RunState::Failed), &windows, at(9000));
        assert_eq!((over.seconds_left, over.rows_per_second), (None, 6.0));
    }

    #[test]
    fn a_length_of_time_is_said_in_its_two_largest_units() {
        assert_eq!([length(59), length(61), length(7320)], ["59 s", "1 min 1 s", "2 h 2 min"]);
        assert_eq!([length(86_399), length(180_000)], ["23 h 59 min", "2 d 2 h"]);
    }
}
