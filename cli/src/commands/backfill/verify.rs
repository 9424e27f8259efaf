//! Whether what a run brought is what the source has.
//!
//! The source is read again by a dry run, with the budget, the secret and the care of any other run, so that nothing
//! but the ledger has to be compared here.

use septet_recovery::ledger::{Held, Outcome, Run, WindowItem};
use septet_recovery::verify::{Census, Compared, Verdict, compare, stretches};
use septet_recovery::{FeedName, RangeRequest, Reprocess, Step, Window};
use serde_json::{Value, json};
use uuid::Uuid;

use super::status::{look, until_over};
use super::{refused, send};
use crate::app::{App, now};
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, text, time};

/// Windows that are shown with what is wrong with them.
const SHOWN: usize = 20;

pub(super) async fn verify(
    app: &App,
    feed: &FeedName,
    run: Option<Uuid>,
    table: Option<String>,
) -> Result<Answer, Failure> {
    let run = match run {
        Some(_) => look(app, feed, run).await?.0,
        None => latest(app, feed).await?,
    };
    if run.state.works() {
        return Ok(refused(
            app,
            &format!("run {} is {}; wait until it is over", run.run, run.state.as_str()),
        ));
    }
    let url = app.recovery_queue.url().await?;
    let request = again(&run);
    let second = match app.ledger.start(&request, &app.by_in_ledger()).await? {
        Outcome::Done(second) | Outcome::Already(second) => second,
        Outcome::Refused(refusal) => return Ok(refused(app, &refusal.to_string())),
    };
    send(app, &url, &second).await?;
    app.screen.say(&format!("Reading the source again, injecting nothing: run {}.", second.run));
    let (second, reread) = until_over(app, feed, Some(second.run)).await?;
    let windows = app.ledger.windows(feed, run.run).await?;
    let of_source = compare(&values(&windows), &reread);
    let of_table = match &table {
        Some(name) => Some(counted(app, &run, &values(&windows), name).await?),
        None => None,
    };
    let same = |at: &Held<WindowItem>| {
        of_source.iter().any(|one| one.from == at.value.from && one.verdict == Verdict::Same)
    };
    let sound: Vec<_> = windows.into_iter().filter(same).collect();
    let result = format!("{} of {} windows hold what the source has", sound.len(), of_source.len());
    let marked = app.ledger.verify(&run, sound, &result, &app.by_in_ledger()).await?;
    Ok(answer(app, &run, &second, &of_source, of_table.as_deref(), marked))
}

async fn latest(app: &App, feed: &FeedName) -> Result<Run, Failure> {
    let runs = app.ledger.runs(feed).await?;
    runs.into_iter().rev().find(|run| !run.dry_run).ok_or_else(|| {
        let hint = format!("`septet backfill list {feed}` shows those there are");
        Failure::new(format!("failed to find a run of {feed} that injected: there is none"), hint)
    })
}

/// A dry run over the same windows, another one each time.
fn again(run: &Run) -> RangeRequest {
    RangeRequest {
        feed: run.feed.clone(),
        from: run.from,
        to: run.to,
        reason: format!("verify run {}", run.run),
        step: run.step.as_deref().and_then(|step| Step::parse(step).ok()),
        page_size: run.page_size,
        rate: run.rate,
        concurrency: Some(run.concurrency),
        sink: run.sink.clone(),
        dry_run: true,
        reprocess: Reprocess::Completed,
        occasion: Some(now().to_string()),
    }
}

fn values(windows: &[Held<WindowItem>]) -> Vec<WindowItem> {
    windows.iter().map(|held| held.value.clone()).collect()
}

async fn counted(app: &App, run: &Run, windows: &[WindowItem], name: &str) -> Result<Vec<Compared>, Failure> {
    let Some(feed) = run.feed() else {
        return Err(Failure::new(
            "failed to read the feed as the run keeps it",
            "put the feed, and retry the run",
        ));
    };
    let of_run = windows.iter().map(|window| Window { start: window.from, end: window.to });
    let mut census = Census::new(&feed, of_run);
    app.services.table(name).read(|record| census.add(&record)).await?;
    if census.unreadable > 0 {
        let what = format!("{} items of {name} have no id or no time that the feed knows", census.unreadable);
        app.screen.call("warning", &what);
    }
    Ok(census.compare(windows))
}

fn counts(compared: &[Compared]) -> (usize, usize, usize) {
    let count = |which: fn(&Verdict) -> bool| compared.iter().filter(|one| which(&one.verdict)).count();
    (
        count(|it| matches!(it, Verdict::Same)),
        count(|it| matches!(it, Verdict::Differs { .. })),
        count(|it| matches!(it, Verdict::Unknown { .. })),
    )
}

fn answer(
    app: &App,
    run: &Run,
    second: &Run,
    of_source: &[Compared],
    of_table: Option<&[Compared]>,
    marked: usize,
) -> Answer {
    let (same, differs, unknown) = counts(of_source);
    let said = |compared: &[Compared]| {
        let (same, differs, unknown) = counts(compared);
        format!("{same} windows the same, {differs} differ, {unknown} cannot be told")
    };
    let page = app.screen.facts(vec![
        ("run", format!("{} of {}", run.run, run.feed)),
        ("read again", format!("by run {}, {}", second.run, second.state.as_str())),
        ("source", said(of_source)),
        ("table", of_table.map(said).unwrap_or_default()),
    ]);
    let mut all: Vec<&Compared> = of_source.iter().chain(of_table.unwrap_or_default()).collect();
    all.sort_by_key(|one| one.from);
    all.retain(|one| one.verdict != Verdict::Same);
    let mut table = app.screen.table(&["WINDOW", "INJECTED", "IS", "WHY"]);
    for one in all.iter().take(SHOWN) {
        let row = match &one.verdict {
            Verdict::Differs { found, is } => {
                [found.count.to_string(), is.count.to_string(), "other records".into()]
            }
            Verdict::Unknown { why } => ["-".into(), "-".into(), why.clone()],
            Verdict::Same => continue,
        };
        table.add_row([vec![time(one.from)], row.to_vec()].concat());
    }
    let shown = if all.is_empty() { page } else { format!("{page}\n\n{}", text(&table)) };
    all.dedup_by_key(|one| one.from);
    let commands: Vec<_> = stretches(all.iter().copied())
        .iter()
        .map(|stretch| {
            format!(
                "septet backfill start {} --from {} --to {} --reprocess completed --reason 'it differs'",
                run.feed, stretch.start, stretch.end
            )
        })
        .collect();
    if let Some(command) = commands.first() {
        app.screen.say(&format!("hint: {command}"));
    }
    let wrong = |compared: &[Compared]| -> Vec<Value> {
        compared.iter().filter(|one| one.verdict != Verdict::Same).map(|one| json!(one)).collect()
    };
    let json = json!({
        "run": run.run, "again": second.run, "windows": of_source.len(), "same": same, "differs": differs,
        "unknown": unknown, "verified": marked, "wrong": wrong(of_source),
        "table": of_table.map(|compared| {
            let (same, differs, _) = counts(compared);
            json!({"same": same, "differs": differs, "wrong": wrong(compared)})
        }),
        "commands": commands,
    });
    let table_differs = of_table.is_some_and(|compared| counts(compared).1 > 0);
    let code = match (differs > 0 || table_differs, unknown > 0 || of_source.is_empty()) {
        (true, _) => exit::NO,
        (false, true) => exit::UNKNOWN,
        (false, false) => exit::DONE,
    };
    Answer::new(json, shown).with_code(code)
}
