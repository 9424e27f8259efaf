//! What comes of a dead letter that is moved back: what `backfill` would do with it now, as far as the ledger shows it.

use septet_recovery::feed::Sink;
use septet_recovery::ledger::decide::{Refusal, Turn};
use septet_recovery::ledger::{Run, RunState};
use septet_recovery::sink::{RecordLetter, unfit};
use septet_recovery::worker::LaneOrder;
use septet_recovery::{Feed, Message, RangeRequest};
use serde::Serialize;

use crate::app::{App, now};
use crate::failure::Failure;

/// What comes of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "comes_to", rename_all = "snake_case")]
pub(super) enum Outlook {
    /// It is followed.
    Work { what: String },
    /// Nothing is done, and it is gone.
    Nothing { why: String },
    /// It comes back to the dead letters, unless something is mended first.
    Back { why: String, mend: String },
}

impl Outlook {
    fn work(what: impl Into<String>) -> Self {
        Self::Work { what: what.into() }
    }

    fn nothing(why: impl Into<String>) -> Self {
        Self::Nothing { why: why.into() }
    }

    fn back(why: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Back { why: why.into(), mend: mend.into() }
    }
}

impl std::fmt::Display for Outlook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Work { what } => f.write_str(what),
            Self::Nothing { why } => write!(f, "does nothing: {why}"),
            Self::Back { why, mend } => write!(f, "comes back: {why}; mend first: {mend}"),
        }
    }
}

pub(super) async fn of(app: &App, message: &Message) -> Result<Outlook, Failure> {
    match message {
        Message::Range(request) => range(app, request).await,
        Message::Lane(order) => lane(app, order).await,
        Message::Record(letter) => record(app, letter).await,
        Message::Unreadable { .. } => Ok(Outlook::back(
            "it cannot be read, however often it is moved",
            "`septet backfill start` asks for a range; the letter itself goes only when it is too old",
        )),
    }
}

async fn range(app: &App, request: &RangeRequest) -> Result<Outlook, Failure> {
    if let Some(run) = app.ledger.run(&request.feed, request.run()).await? {
        return Ok(match run.state {
            RunState::Planned => Outlook::work("begins its run"),
            state => Outlook::nothing(format!("its run is {}", state.as_str())),
        });
    }
    Ok(match app.ledger.plan(request, &app.by_in_ledger()).await? {
        Ok(run) => Outlook::work(format!("starts a run of {} windows", run.todo().count())),
        Err(refusal @ Refusal::NothingToDo) => Outlook::nothing(refusal.to_string()),
        Err(refusal) => Outlook::back("it would be refused", refusal.to_string()),
    })
}

async fn lane(app: &App, order: &LaneOrder) -> Result<Outlook, Failure> {
    Ok(match app.ledger.run(&order.feed, order.run).await? {
        None => Outlook::nothing("there is no such run"),
        Some(run) if run.state.works() => Outlook::work(format!("goes on in lane {}", order.lane)),
        Some(run) => Outlook::nothing(format!("the run is {}", run.state.as_str())),
    })
}

async fn record(app: &App, letter: &RecordLetter) -> Result<Outlook, Failure> {
    let unknown = || {
        Outlook::back("the ledger has no such run", "look into the registry: it is not the one of the run")
    };
    let Some(run) = app.ledger.run(&letter.feed, letter.run).await? else { return Ok(unknown()) };
    if run.is_cancelled() {
        return Ok(Outlook::nothing("the run is cancelled"));
    }
    let Some(window) = app.ledger.window(&letter.feed, letter.run, letter.window).await? else {
        return Ok(unknown());
    };
    let window = window.value;
    let turn = app.ledger.turn(&run, &window, letter, &app.actor, now()).await?;
    if let Turn::Never(why) = turn {
        return Ok(Outlook::nothing(why));
    }
    if !letter.is_whole() {
        let why = format!("only {} of its {} bytes are kept", letter.record.len(), letter.bytes);
        return Ok(Outlook::back(why, format!("`{}` reads its window again", window.read_again(&run))));
    }
    let feed = app.ledger.feed(&letter.feed).await?.and_then(|item| Feed::parse(&item.document).ok());
    let Some(feed) = feed else {
        return Ok(Outlook::back("the feed cannot be read", "`septet feed put` puts it again"));
    };
    Ok(match run.sink_in(&feed) {
        None => {
            let name = run.sink.as_deref().unwrap_or_default();
            Outlook::back(
                format!("the feed has no sink {name:?} any more"),
                "`septet feed put` puts one that has",
            )
        }
        Some(sink) => into(sink, &run, letter, turn),
    })
}

fn into(sink: &Sink, run: &Run, letter: &RecordLetter, turn: Turn) -> Outlook {
    let stamp = letter.stamp();
    if let Some(why) = unfit(sink, &letter.parcel(&stamp)) {
        let mend = format!("`septet feed put` puts {} with a sink that takes it", run.feed);
        return Outlook::back(why, mend);
    }
    let named = match sink {
        Sink::Sqs { queue_url } | Sink::SqsFifo { queue_url, .. } => {
            format!("the queue {}", queue_url.rsplit('/').next().unwrap_or_default())
        }
        Sink::DynamoDb { table, .. } => format!("the table {table}"),
    };
    let when = if turn == Turn::Now { "" } else { ", once its window is over" };
    Outlook::work(format!("goes into {named} if it takes it by now{when}"))
}
