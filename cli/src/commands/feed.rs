//! Feeds: lint, put, show, list.

use std::io::Read;
use std::path::Path;

use septet_contract::Diagnostic;
use septet_recovery::ledger::{FeedItem, Outcome};
use septet_recovery::{Feed, FeedName};
use serde_json::{Value, json};

use crate::app::App;
use crate::args::FeedCommand;
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, Screen, text, time};

pub(crate) async fn run(app: &App, command: FeedCommand) -> Result<Answer, Failure> {
    match command {
        FeedCommand::Put { file } => put(app, &file).await,
        FeedCommand::Show { feed } => show(app, &feed).await,
        FeedCommand::List => list(app).await,
        FeedCommand::Lint { file } => lint(&file, &app.screen),
    }
}

/// Reads a feed of a file, and says what is wrong with it.
fn read(file: &Path, screen: &Screen) -> Result<(String, Result<Feed, Vec<Diagnostic>>), Failure> {
    let stdin = file == Path::new("-");
    let shown = if stdin { "<stdin>".into() } else { file.display().to_string() };
    let mut document = String::new();
    let read = match stdin {
        true => std::io::stdin().read_to_string(&mut document).map(drop),
        false => std::fs::read_to_string(file).map(|read| document = read),
    };
    read.map_err(|error| {
        let hint = "give the path of a feed, or - for standard input";
        Failure::new(format!("failed to read {shown}: {error}"), hint)
    })?;
    let feed = Feed::parse(&document);
    for finding in feed.as_ref().err().into_iter().flatten() {
        screen.say(&finding.in_file(&shown).to_string());
    }
    Ok((shown, feed))
}

fn refused(file: &str, findings: &[Diagnostic], so: &str) -> Answer {
    let many = if findings.len() == 1 { "1 error".into() } else { format!("{} errors", findings.len()) };
    let json = json!({"file": file, "ok": false, "findings": findings});
    Answer::new(json, format!("{file}: no, {many}{so}")).with_code(exit::NO)
}

pub(crate) fn lint(file: &Path, screen: &Screen) -> Result<Answer, Failure> {
    let (file, feed) = read(file, screen)?;
    Ok(match feed {
        Ok(feed) => {
            let json = json!({"file": file, "ok": true, "feed": feed.name, "digest": feed.digest()});
            Answer::new(json, format!("{file}: ok\n\n{}", facts(&feed, screen)))
        }
        Err(findings) => refused(&file, &findings, ""),
    })
}

async fn put(app: &App, file: &Path) -> Result<Answer, Failure> {
    let (file, feed) = read(file, &app.screen)?;
    let feed = match feed {
        Ok(feed) => feed,
        Err(findings) => return Ok(refused(&file, &findings, "; nothing was put")),
    };
    let (item, said) = match app.ledger.put_feed(&feed, &app.by_in_ledger()).await? {
        Outcome::Done(item) => (item, format!("The feed {} is put.", feed.name)),
        Outcome::Already(item) => (item, format!("The feed {} was put before. Nothing changed.", feed.name)),
        Outcome::Refused(refusal) => {
            return Err(Failure::new(refusal.to_string(), "read the feed that is put"));
        }
    };
    let page = format!("{said}\n\n{}", facts(&feed, &app.screen));
    Ok(Answer::new(json!({"feed": item.feed, "digest": item.digest, "put_at": item.updated_at}), page))
}

/// A feed that was put; an error if nobody did.
pub(super) async fn stored(app: &App, feed: &FeedName) -> Result<FeedItem, Failure> {
    app.ledger.feed(feed).await?.ok_or_else(|| {
        let hint = "`septet feed list` shows those there are; `septet feed put FILE` puts one";
        Failure::new(format!("failed to find the feed {feed}: nobody put it"), hint)
    })
}

async fn show(app: &App, feed: &FeedName) -> Result<Answer, Failure> {
    let item = stored(app, feed).await?;
    let document: Value = serde_json::from_str(&item.document).unwrap_or_default();
    let page = app.screen.facts(vec![
        ("feed", item.feed.to_string()),
        ("digest", item.digest.clone()),
        ("changed", time(item.updated_at)),
        ("active runs", item.active.len().to_string()),
    ]);
    let pretty = serde_json::to_string_pretty(&document).unwrap_or_default();
    let json = json!({
        "feed": item.feed, "digest": item.digest, "updated_at": item.updated_at, "active": item.active,
        "document": document,
    });
    Ok(Answer::new(json, format!("{page}\n\n{pretty}")))
}

async fn list(app: &App) -> Result<Answer, Failure> {
    let mut table = app.screen.table(&["FEED", "ACTIVE RUNS", "CHANGED", "DIGEST"]);
    let mut listed = Vec::new();
    for feed in app.ledger.feeds().await? {
        let item = stored(app, &feed).await?;
        let short: String = item.digest.chars().take(12).collect();
        table.add_row([feed.to_string(), item.active.len().to_string(), time(item.updated_at), short]);
        listed.push(json!({"feed": feed, "active": item.active, "updated_at": item.updated_at, "digest": item.digest}));
    }
    if listed.is_empty() {
        app.screen.say("There is no feed yet: septet feed put FILE.");
        return Ok(Answer::new(listed, ""));
    }
    Ok(Answer::new(listed, text(&table)))
}

fn facts(feed: &Feed, screen: &Screen) -> String {
    let incremental = &feed.incremental;
    let counted =
        if feed.evidence.counts_rows() { "counted by the source" } else { "read twice and compared" };
    screen.facts(vec![
        ("feed", feed.name.to_string()),
        ("digest", feed.digest()),
        ("asked at", feed.call.url.to_string()),
        ("ranges", "from the first moment to before the last, in UTC".into()),
        ("windows", format!("of {}, {} at the same time, {counted}", incremental.step, feed.concurrency)),
        (
            "calls",
            format!(
                "{} a second, {:.0} % of them for the live feed",
                feed.budget.calls_per_second,
                feed.budget.reserve * 100.0
            ),
        ),
    ])
}
