//! Recoveries: plan, start, follow, steer.

mod gaps;
mod letters;
mod outlook;
mod price;
mod redrive;
mod status;
mod verify;

use price::{Estimate, span};
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
        BackfillCommand::Plan { range, offline } => plan(app, range, offline).await,
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
        BackfillCommand::Verify { feed, run, table } => verify::verify(app, &feed, run, table).await,
        BackfillCommand::Gaps { feed, since, longer_than, queue } => {
            gaps::gaps(app, &feed, since, longer_than, queue).await
        }
        BackfillCommand::Letters { look } => letters::letters(app, look).await,
        BackfillCommand::Redrive { stop: true, .. } => redrive::stop(app).await,
        BackfillCommand::Redrive { plan, rate, look, .. } => redrive::redrive(app, plan, rate, look).await,
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
        occasion: range.occasion,
    }
}

fn refused(app: &App, why: &str) -> Answer {
    app.screen.call("no", why);
    Answer::new(json!({"outcome": "refused", "why": why}), "").with_code(exit::NO)
}

async fn plan(app: &App, range: Ranged, offline: bool) -> Result<Answer, Failure> {
    let request = request(range, String::new());
    let run = match app.ledger.plan(&request, &app.by_in_ledger()).await? {
        Ok(run) => run,
        Err(refusal) => return Ok(refused(app, &refusal.to_string())),
    };
    let Some(feed) = run.feed() else {
        return Err(Failure::new("failed to read the feed of the plan", "put the feed again"));
    };
    let samples = if offline { Ok(Vec::new()) } else { price::sample(app, &run, &feed).await };
    let samples = samples.unwrap_or_else(|why| {
        app.screen.call("warning", &format!("the source could not be asked how much there is: {why}"));
        Vec::new()
    });
    let (json, page) = planned(app, &run, &feed, &price::estimate(&run, &feed, &samples));
    Ok(Answer::new(json, page))
}

fn planned(app: &App, run: &Run, feed: &Feed, estimate: &Estimate) -> (Value, String) {
    let windows = run.todo().count();
    let rate = budget::rate(&feed.budget, run.rate);
    let open = estimate.open;
    let whole = |value: f64| value.round().to_string();
    let time_taken = |seconds: f64| status::length(seconds.ceil() as u64);
    let money = |dollars: f64| format!("${dollars:.4}");
    let asked = match estimate.sampled {
        0 => "nobody: there may be any number".into(),
        sampled => format!("the source, about {sampled} of {windows} windows"),
    };
    let rows = match estimate.sampled {
        0 => String::new(),
        _ => span(estimate.rows, open, whole),
    };
    let page = app.screen.facts(vec![
        ("feed", run.feed.to_string()),
        ("range", format!("from {} to before {}", time(run.from), time(run.to))),
        (
            "windows",
            format!("{windows} of {} ({})", run.windows, run.step.as_deref().unwrap_or("the range is one")),
        ),
        ("read before", (run.windows as usize - windows).to_string()),
        ("at a time", run.concurrency.to_string()),
        ("was asked", asked),
        ("records", rows),
        ("calls", format!("{}, {rate} a second at most", span(estimate.calls, open, whole))),
        ("takes", span(estimate.seconds, open, time_taken)),
        ("Lambda", format!("{} GB-seconds", span(estimate.gb_seconds, open, whole))),
        (
            "costs",
            format!("{} (us-east-1; what consumers do with it is theirs)", span(estimate.price, open, money)),
        ),
        ("sink", run.sink.clone().unwrap_or_else(|| "the feed's".into())),
        ("dry run", if run.dry_run { "yes: nothing is injected".into() } else { String::new() }),
    ]);
    (json!({"run": run.run, "windows": windows, "of": run.windows, "estimate": estimate}), page)
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
