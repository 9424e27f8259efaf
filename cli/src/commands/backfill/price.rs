//! What a recovery takes: how much the source says there is, how long that is read, what AWS asks for it.

use std::time::Duration;

use septet_recovery::feed::{Feed, Sink};
use septet_recovery::http::HttpSource;
use septet_recovery::ledger::Run;
use septet_recovery::port::{NoAnswer, Source};
use septet_recovery::secrets::Secrets;
use septet_recovery::{Meaning, PageReader, Progress, Reading, Window, budget, meaning};
use serde::Serialize;

use crate::app::{App, now};

/// Windows that the source is asked about, from the first to the last.
const SAMPLES: usize = 5;

// Prices of us-east-1 in US dollars, 2026, without the free tier.
const SQS_REQUEST: f64 = 0.40e-6;
const SQS_FIFO_REQUEST: f64 = 0.50e-6;
/// Bytes of a message that one request pays for.
const SQS_CHUNK: f64 = 65_536.0;
const LAMBDA_REQUEST: f64 = 0.20e-6;
const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
const MEMORY_GB: f64 = 0.5;
/// How long a worker works before it goes on in another message, as the template has it.
const INVOCATION_SECONDS: f64 = 600.0;
const DYNAMODB_READ: f64 = 0.125e-6;
const DYNAMODB_WRITE: f64 = 0.625e-6;
/// Units that a page costs in the ledger: the run is looked at, the budget and the window are written.
const LEDGER_READS: f64 = 2.0;
const LEDGER_WRITES: f64 = 4.0;
/// Units that beginning a window costs beside its pages.
const WINDOW_WRITES: f64 = 2.0;

/// What one window of the sample holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// Rows; at least these where `whole` is not so.
    rows: u64,
    /// Whether the source said how many there are, or gave all.
    whole: bool,
    /// Bytes of a row.
    bytes: f64,
    /// How long the answer took.
    took: Duration,
}

/// From the least to the most that is to be expected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Span {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// What a recovery takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Estimate {
    /// Windows that were asked about.
    pub(super) sampled: usize,
    /// Whether there may be more than `high`: nobody said how much there is.
    pub(super) open: bool,
    pub(super) rows: Span,
    pub(super) calls: Span,
    pub(super) seconds: Span,
    pub(super) messages: Span,
    pub(super) gb_seconds: Span,
    pub(super) price: Span,
}

/// Asks the source about some windows of a run.
pub(super) async fn sample(app: &App, run: &Run, feed: &Feed) -> Result<Vec<Sample>, String> {
    let secret =
        Secrets::new(app.services.caller().into()).of(feed).await.map_err(|error| error.to_string())?;
    let source = HttpSource::new(feed, secret, app.loopback).map_err(|failure| failure.to_string())?;
    let grid = run.grid(feed.incremental.time_zone.clone())?;
    let todo: Vec<u32> = run.todo().collect();
    let last = todo.len().saturating_sub(1);
    let mut places: Vec<usize> = (0..SAMPLES).map(|n| last * n / (SAMPLES - 1)).collect();
    places.dedup();
    let mut samples = Vec::with_capacity(SAMPLES);
    for window in places.iter().filter_map(|place| grid.get(*todo.get(*place)?)) {
        samples.push(one(&source, run, feed, window).await?);
    }
    Ok(samples)
}

async fn one(source: &HttpSource, run: &Run, feed: &Feed, window: Window) -> Result<Sample, String> {
    let mut reading = Reading::new(feed, window, run.page_size, Progress::default());
    let ask = reading.ask().map_err(|failure| failure.to_string())?;
    let timeout = Duration::try_from(feed.call.timeout).unwrap_or(Duration::from_secs(20));
    let began = now();
    let answer = source.fetch(&ask, timeout).await.map_err(|error| match error {
        NoAnswer::Again(why) => why,
        NoAnswer::Never(failure) => failure.to_string(),
    })?;
    let took = Duration::try_from(now().duration_since(began)).unwrap_or_default();
    match meaning(feed, &answer, false, now()) {
        Meaning::Page | Meaning::Empty => {}
        Meaning::Fail(failure) => return Err(failure.to_string()),
        _ => return Err(format!("it answers with status {}", answer.status)),
    }
    let page = PageReader::new(feed).read(&answer);
    let page = page.map_err(|_| "its answer is no page as the feed says".to_owned())?;
    let (given, total) = (page.rows.len() as u64, page.total);
    let bytes: usize = page.rows.iter().map(|row| row.raw.len()).sum();
    let ends = matches!(reading.take(&ask.url, page).step, septet_recovery::ReadingStep::Done);
    Ok(Sample {
        rows: total.unwrap_or(given),
        whole: total.is_some() || ends,
        bytes: if given == 0 { 0.0 } else { bytes as f64 / given as f64 },
        took,
    })
}

/// What a run takes by what windows of it hold.
pub(super) fn estimate(run: &Run, feed: &Feed, samples: &[Sample]) -> Estimate {
    let windows = run.todo().count() as f64;
    let limit = run.page_size.or(feed.limit).map(|limit| limit as f64);
    let readings = if feed.evidence.counts_rows() { 1.0 } else { 2.0 };
    let rate = budget::rate(&feed.budget, run.rate);
    let took = samples.iter().map(|it| it.took.as_secs_f64()).fold(0.0, f64::max);
    let bytes = samples.iter().map(|it| it.bytes).fold(0.0, f64::max);
    let fewest = samples.iter().map(|it| it.rows).min().unwrap_or(0) as f64;
    let most = samples.iter().map(|it| it.rows).max().unwrap_or(0) as f64;
    let both = |of: &dyn Fn(f64) -> f64| Span { low: of(fewest), high: of(most) };
    let rows = both(&|rows| rows * windows);
    let calls = both(&|rows| {
        let pages = limit.map_or(1.0, |limit| (rows / limit).ceil()).max(1.0);
        pages * readings * windows
    });
    let workers = f64::from(run.concurrency).min(windows).max(1.0);
    let seconds = Span { low: calls.low / rate, high: (calls.high / rate).max(calls.high * took / workers) };
    let injects = |rows: f64| if run.dry_run { 0.0 } else { rows };
    let messages = Span { low: injects(rows.low), high: injects(rows.high) };
    let gb_seconds =
        Span { low: seconds.low * workers * MEMORY_GB, high: seconds.high * workers * MEMORY_GB };
    let sink = |rows: f64| match &feed.sink {
        Sink::Sqs { .. } => (rows / 10.0).max(rows * bytes / SQS_CHUNK) * SQS_REQUEST,
        Sink::SqsFifo { .. } => (rows / 10.0).max(rows * bytes / SQS_CHUNK) * SQS_FIFO_REQUEST,
        Sink::DynamoDb { .. } => rows * (bytes / 1024.0).ceil().max(1.0) * DYNAMODB_WRITE,
    };
    let price = |rows: f64, calls: f64, seconds: f64, gb_seconds: f64| {
        let invocations = (seconds / INVOCATION_SECONDS).ceil() * workers;
        let ledger = calls * (LEDGER_READS * DYNAMODB_READ + LEDGER_WRITES * DYNAMODB_WRITE)
            + windows * WINDOW_WRITES * DYNAMODB_WRITE;
        // A message of ours is sent, received and deleted.
        let queue = invocations * 3.0 * SQS_REQUEST;
        sink(rows) + ledger + queue + invocations * LAMBDA_REQUEST + gb_seconds * LAMBDA_GB_SECOND
    };
    Estimate {
        sampled: samples.len(),
        open: samples.is_empty() || samples.iter().any(|it| !it.whole),
        rows,
        calls,
        seconds,
        messages,
        gb_seconds,
        price: Span {
            low: price(messages.low, calls.low, seconds.low, gb_seconds.low),
            high: price(messages.high, calls.high, seconds.high, gb_seconds.high),
        },
    }
}

/// A span as people say it.
pub(super) fn span(span: Span, open: bool, say: impl Fn(f64) -> String) -> String {
    let (low, high) = (say(span.low), say(span.high));
    match (low == high, open) {
        (true, false) => low,
        (true, true) => format!("{low} at least"),
        (false, false) => format!("{low} to {high}"),
        (false, true) => format!("{low} to {high} at least"),
    }
}

#[cfg(test)]
mod tests {
    use septet_recovery::{RangeRequest, ledger};

    use super::*;

    fn of(rows: u64, whole: bool) -> Sample {
        Sample { rows, whole, bytes: 200.0, took: Duration::from_millis(100) }
    }

    fn plan(feed: &Feed) -> Run {
        let text =
            r#"{"feed":"plays","from":"2025-11-18T00:00:00Z","to":"2025-11-22T00:00:00Z","reason":"r"}"#;
        let request = RangeRequest::parse(text).unwrap();
        let now = "2025-12-01T00:00:00Z".parse().unwrap();
        ledger::decide::plan(feed, &request, &ledger::decide::Covered::default(), "ann", now).unwrap()
    }

    #[test]
    fn an_estimate_spans_what_the_sampled_windows_hold() {
        let feed = Feed::parse(include_str!("../../../../feeds/plays.yaml")).unwrap();
        let estimate = estimate(&plan(&feed), &feed, &[of(100, true), of(1200, true)]);
        assert_eq!(estimate.rows, Span { low: 9600.0, high: 115_200.0 });
        assert_eq!(estimate.calls, Span { low: 96.0, high: 288.0 });
        assert_eq!(estimate.seconds, Span { low: 12.0, high: 36.0 });
        assert!(!estimate.open && estimate.price.low > 0.0001 && estimate.price.high < 0.02, "{estimate:?}");
    }

    #[test]
    fn where_nobody_says_how_much_there_is_the_estimate_is_open() {
        let feed = Feed::parse(include_str!("../../../../feeds/plays.yaml")).unwrap();
        let run = plan(&feed);
        assert!(estimate(&run, &feed, &[of(500, false)]).open);
        let blind = estimate(&run, &feed, &[]);
        assert_eq!((blind.open, blind.calls.low), (true, 96.0));
        let say = |value: f64| value.to_string();
        assert_eq!(span(blind.calls, true, say), "96 at least");
        assert_eq!(span(Span { low: 1.0, high: 2.0 }, false, say), "1 to 2");
    }
}
