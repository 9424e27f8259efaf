//! When the live feed was silent, and what nobody brought back.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use septet_aws::Metric;
use septet_recovery::feed::{Feed, Sink};
use septet_recovery::{FeedName, Window, gaps};
use serde_json::json;

use super::status::length;
use crate::app::{App, now};
use crate::commands::feed::stored;
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, text, time};

/// CloudWatch keeps counts of five minutes for two months.
const PERIOD: SignedDuration = SignedDuration::from_mins(5);
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(14 * 24);

pub(super) async fn gaps(
    app: &App,
    name: &FeedName,
    since: Option<Timestamp>,
    longer_than: Duration,
    queue: Option<String>,
) -> Result<Answer, Failure> {
    let item = stored(app, name).await?;
    let feed = Feed::parse(&item.document);
    let feed =
        feed.map_err(|_| Failure::new(format!("failed to read the feed {name}"), "put the feed again"))?;
    let Some(queue) = queue.or_else(|| queue_of(&feed.sink)) else {
        let what = format!("failed to find the live queue of {name}: its sink is a table");
        return Err(Failure::new(what, "name the queue with --queue"));
    };
    let now = now();
    let since = since.unwrap_or(now - LOOK_BACK);
    let metric =
        Metric { namespace: "AWS/SQS", name: "NumberOfMessagesSent", dimension: ("QueueName", &queue) };
    let counts = app.services.caller().sums(metric, since, now, PERIOD).await?;
    let longer_than = SignedDuration::try_from(longer_than).unwrap_or(SignedDuration::MAX);
    let silent = gaps::silent(&counts, PERIOD, longer_than, now);
    let (done, wrong) = ledger(app, name, since).await?;
    let silent = gaps::without(&silent, &done);
    let wrong = gaps::without(&wrong, &[done, silent.clone()].concat());
    if counts.values().all(|count| *count == 0.0) {
        let what = format!("{queue} got no message since {}: nothing is known of the live feed", time(since));
        app.screen.call("warning", &what);
    }
    let silent = silent.iter().map(|window| (window, "the live queue was silent"));
    let found: Vec<_> =
        silent.chain(wrong.iter().map(|window| (window, "a run could not read it"))).collect();
    Ok(answer(app, name, &queue, &found))
}

fn answer(app: &App, name: &FeedName, queue: &str, found: &[(&Window, &str)]) -> Answer {
    let command =
        |window: &Window| format!("septet backfill plan {name} --from {} --to {}", window.start, window.end);
    let mut table = app.screen.table(&["FROM", "TO", "LENGTH", "WHY"]);
    let mut listed = Vec::new();
    for (window, why) in found {
        let seconds = window.end.duration_since(window.start).as_secs().unsigned_abs();
        table.add_row([time(window.start), time(window.end), length(seconds), (*why).to_owned()]);
        listed.push(json!({
            "from": window.start, "to": window.end, "why": why, "command": command(window),
        }));
    }
    if found.is_empty() {
        return Answer::new(
            listed,
            format!("{name} has no gap that the queue {queue} and the ledger know of."),
        );
    }
    let commands: Vec<_> = found.iter().map(|(window, _)| command(window)).collect();
    Answer::new(listed, format!("{}\n\n{}", text(&table), commands.join("\n"))).with_code(exit::NO)
}

fn queue_of(sink: &Sink) -> Option<String> {
    match sink {
        Sink::Sqs { queue_url } | Sink::SqsFifo { queue_url, .. } => {
            queue_url.rsplit('/').next().map(str::to_owned)
        }
        Sink::DynamoDb { .. } => None,
    }
}

/// What runs brought back since, and what they could not read.
async fn ledger(app: &App, feed: &FeedName, since: Timestamp) -> Result<(Vec<Window>, Vec<Window>), Failure> {
    let (mut done, mut wrong) = (Vec::new(), Vec::new());
    for run in app.ledger.runs(feed).await? {
        if run.dry_run || run.sink.is_some() || run.to <= since {
            continue;
        }
        let windows = app.ledger.windows(feed, run.run).await?;
        for held in windows {
            let window = Window { start: held.value.from, end: held.value.to };
            if held.value.state.is_done() {
                done.push(window);
            } else if run.state.is_over() {
                wrong.push(window);
            }
        }
    }
    Ok((done, wrong))
}
