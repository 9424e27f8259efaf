//! Recoveries: plan, start, follow, steer.

mod status;

use septet_recovery::ledger::decide::Order;
use septet_recovery::ledger::{Outcome, Run};
use septet_recovery::worker::LaneOrder;
use septet_recovery::{Feed, FeedName, RangeRequest, Reprocess, budget};
use serde_json::{Value, json};

use super::feed::stored;
use crate::app::App;
use crate::args::{BackfillCommand, Ordered, Ranged};
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, or_dash, text, time};

pub(crate) async fn run(app: &App, command: BackfillCommand) -> Result<Answer, Failure> {
    match command {
        BackfillCommand::Plan(range) => plan(app, range).await,
        BackfillCommand::Start { range, reason } => start(app, range, reason).await,
        BackfillCommand::Status { feed, run, follow } => status::status(app, &feed, run, follow).await,
        BackfillCommand::Pause(ordered) => order(app, ordered, Order::Pause).await,
        BackfillCommand::Resume(ordered) => order(app, ordered, Order::Resume).await,
        BackfillCommand::Cancel(ordered) => order(app, ordered, Order::Cancel).await,
        BackfillCommand::Set { order: ordered, rate, concurrency } => {
            order(app, ordered, Order::Set { rate, concurrency }).await
        }
        BackfillCommand::Retry { order: ordered, page_size } => {
            let document = stored(app, &ordered.feed).await?.document;
            order(app, ordered, Order::Retry { document, page_size }).await
        }
        BackfillCommand::List { feed } => list(app, &feed).await,
        BackfillCommand::Log { feed, limit } => log(app, &feed, limit).await,
    }
}

fn request(range: Ranged, reason: String) -> RangeRequest {
    RangeRequest {
        feed: range.feed,
        from: range.from,
        to: range.to,
        reason,
        step: range.step,
        page_size: range.page_size,
        rate: range.rate,
        concurrency: range.concurrency,
        sink: range.sink,
        dry_run: range.dry_run,
        reprocess: match range.reprocess.as_str() {
            "failed" => Reprocess::Failed,
            "completed" => Reprocess::Completed,
            _ => Reprocess::None,
        },
    }
}

fn refused(app: &App, why: &str) -> Answer {
    app.screen.call("no", why);
    Answer::new(json!({"outcome": "refused", "why": why}), "").with_code(exit::NO)
}

async fn plan(app: &App, range: Ranged) -> Result<Answer, Failure> {
    let request = request(range, String::new());
    let run = match app.ledger.plan(&request, &app.by_in_ledger()).await? {
        Ok(run) => run,
        Err(refusal) => return Ok(refused(app, &refusal.to_string())),
    };
    let Some(feed) = run.feed() else {
        return Err(Failure::new("failed to read the feed of the plan", "put the feed again"));
    };
    let (json, page) = planned(app, &run, &feed);
    Ok(Answer::new(json, page))
}

/// A plan as it is shown: how much at least, for how many pages a window has only the source knows.
fn planned(app: &App, run: &Run, feed: &Feed) -> (Value, String) {
    let windows = run.todo().count();
    let calls = windows * if feed.evidence.counts_rows() { 1 } else { 2 };
    let rate = budget::rate(&feed.budget, run.rate);
    let seconds = (calls as f64 / rate).ceil() as u64;
    let page = app.screen.facts(vec![
        ("feed", run.feed.to_string()),
        ("range", format!("from {} to before {}", time(run.from), time(run.to))),
        (
            "windows",
            format!("{windows} of {} ({})", run.windows, run.step.as_deref().unwrap_or("the range is one")),
        ),
        ("read before", (run.windows as usize - windows).to_string()),
        ("at a time", run.concurrency.to_string()),
        ("calls", format!("{calls} at least, {rate} a second at most")),
        ("takes", format!("{} at least", status::length(seconds))),
        ("sink", run.sink.clone().unwrap_or_else(|| "the feed's".into())),
        ("dry run", if run.dry_run { "yes: nothing is injected".into() } else { String::new() }),
    ]);
    (
        json!({"run": run.run, "windows": windows, "of": run.windows, "least_calls": calls, "least_seconds": seconds}),
        page,
    )
}

async fn start(app: &App, range: Ranged, reason: String) -> Result<Answer, Failure> {
    // Looked up first, so that no run is started whose orders cannot be sent.
    let url = app.recovery_queue.url().await?;
    let request = request(range, reason);
    let (run, said) = match app.ledger.start(&request, &app.by_in_ledger()).await? {
        Outcome::Done(run) => (run, "is started"),
        Outcome::Already(run) => (run, "was started before"),
        Outcome::Refused(refusal) => return Ok(refused(app, &refusal.to_string())),
    };
    let orders = send(app, &url, &run).await?;
    let follow = format!("septet backfill status {} {} --follow", run.feed, run.run);
    let page = format!("Run {} of {} {said}: {} windows.\n{follow}", run.run, run.feed, run.todo().count());
    Ok(Answer::new(json!({"run": run, "orders": orders, "follow": follow}), page))
}

/// Sends what begins a run, or begins it anew; a lane that somebody has takes no harm.
async fn send(app: &App, url: &str, run: &Run) -> Result<usize, Failure> {
    if !run.state.works() {
        return Ok(0);
    }
    let orders = LaneOrder::all(run);
    for order in &orders {
        app.recovery_queue.send_body(url, json!(order).to_string()).await?;
    }
    Ok(orders.len())
}

async fn order(app: &App, ordered: Ordered, order: Order) -> Result<Answer, Failure> {
    let Ordered { feed, run, reason } = ordered;
    if let Order::Set { rate: Some(rate), .. } = &order
        && !(rate.is_finite() && *rate > 0.0)
    {
        return Err(Failure::new(
            "failed to read --rate: it is no number above zero",
            "write calls a second, such as 2.5",
        ));
    }
    // Pausing and cancelling send nothing, and work without a queue.
    let quiet = matches!(order, Order::Pause | Order::Cancel);
    let url = if quiet { None } else { Some(app.recovery_queue.url().await?) };
    let (run, said) = match app.ledger.order(&feed, run, &order, &reason, &app.by_in_ledger()).await? {
        Outcome::Done(run) => (run, "is"),
        Outcome::Already(run) => (run, "was before, and is,"),
        Outcome::Refused(refusal) => return Ok(refused(app, &refusal.to_string())),
    };
    let orders = match url {
        Some(url) => send(app, &url, &run).await?,
        None => 0,
    };
    let page = format!("Run {} of {feed} {said} {}.", run.run, run.state.as_str());
    Ok(Answer::new(json!({"run": run, "orders": orders}), page))
}

async fn list(app: &App, feed: &FeedName) -> Result<Answer, Failure> {
    stored(app, feed).await?;
    let mut runs = app.ledger.runs(feed).await?;
    runs.reverse();
    if runs.is_empty() {
        app.screen.say(&format!("{feed} has no run yet."));
        return Ok(Answer::new(runs, ""));
    }
    let mut table = app.screen.table(&["RUN", "STATE", "FROM", "TO", "WINDOWS", "STARTED", "BY", "WHY"]);
    for run in &runs {
        table.add_row([
            run.run.to_string(),
            run.state.as_str().to_owned(),
            time(run.from),
            time(run.to),
            run.todo().count().to_string(),
            time(run.started_at),
            run.started_by.clone(),
            run.reason.clone(),
        ]);
    }
    Ok(Answer::new(&runs, text(&table)))
}

async fn log(app: &App, feed: &FeedName, limit: usize) -> Result<Answer, Failure> {
    let records = app.ledger.log(feed, Some(limit)).await?;
    let mut table = app.screen.table(&["TIME", "WHO", "ACTION", "RUN", "WINDOW", "CHANGE", "WHY"]);
    for record in &records {
        let action = serde_json::to_value(record.action).ok();
        let action = action.as_ref().and_then(Value::as_str).unwrap_or("-").replace('_', " ");
        let change = match (&record.before, &record.after) {
            (Some(before), Some(after)) => format!("{before} -> {after}"),
            (None, Some(after)) => format!("-> {after}"),
            _ => "-".into(),
        };
        table.add_row([
            time(record.at),
            record.actor.clone(),
            action,
            or_dash(record.run),
            or_dash(record.window.map(time)),
            change,
            or_dash(record.reason.as_ref()),
        ]);
    }
    Ok(Answer::new(&records, text(&table)))
}
