//! What lies in the dead letters.

use std::collections::BTreeMap;

use comfy_table::Table;
use jiff::Timestamp;
use septet_recovery::{FeedName, Message};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::status::length;
use crate::app::{App, now};
use crate::args::Look;
use crate::failure::Failure;
use crate::queue::{DeadLetters, Lying};
use crate::screen::{Answer, or_dash, text};

/// What is said of a message that nobody refused.
const FAILED: &str = "it failed again and again: the log of backfill says why";

/// What a dead letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A range to bring back that could not be followed.
    Range,
    /// An order to work in a lane that failed again and again.
    Order,
    /// A record that no sink took.
    Record,
    /// Nothing that can be read.
    Unreadable,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::Order => "order",
            Self::Record => "record",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A dead letter as it is shown.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Shown {
    pub(super) kind: Kind,
    pub(super) feed: Option<FeedName>,
    pub(super) run: Option<Uuid>,
    /// Which record it is.
    pub(super) record: Option<String>,
    pub(super) reason: String,
    pub(super) sent_at: Option<Timestamp>,
}

impl Shown {
    /// What both pages show of it, the reason last.
    pub(super) fn cells(&self) -> [String; 6] {
        let seconds = self.sent_at.map(|at| now().duration_since(at).as_secs());
        [
            self.kind.as_str().to_owned(),
            or_dash(self.feed.as_ref()),
            or_dash(self.run),
            or_dash(self.record.as_ref()),
            or_dash(seconds.map(|seconds| length(u64::try_from(seconds).unwrap_or_default()))),
            self.reason.clone(),
        ]
    }
}

/// Dead letters, as far as somebody looked at them.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) letters: Vec<(Shown, Message)>,
    /// About how many there are.
    pub(super) about: usize,
}

impl Seen {
    pub(super) async fn look(letters: &DeadLetters, look: &Look) -> Result<Self, Failure> {
        // Counted first: what is looked at is not counted for a while.
        let about = letters.count().await?;
        let found = letters.peek(look.limit as usize).await?;
        let letters: Vec<_> = found.into_iter().map(read).collect();
        Ok(Self { about: about.max(letters.len()), letters })
    }

    pub(super) fn is_all(&self) -> bool {
        self.letters.len() >= self.about
    }

    /// Says when others than those that are shown may lie there.
    pub(super) fn say_of_others(&self, app: &App, look: &Look) {
        if self.is_all() {
            return;
        }
        let (seen, about) = (self.letters.len(), self.about);
        let why = match seen >= look.limit as usize {
            true => "--limit shows more",
            false => "somebody holds the others, or they are gone: try again in half a minute",
        };
        app.screen.call("warning", &format!("{seen} of about {about} letters are shown; {why}"));
    }

    /// How many there are of each kind and reason, the most first.
    pub(super) fn reasons(&self) -> Vec<(usize, Kind, &str)> {
        let mut counts: BTreeMap<(Kind, &str), usize> = BTreeMap::new();
        for (letter, _) in &self.letters {
            *counts.entry((letter.kind, &letter.reason)).or_default() += 1;
        }
        let mut reasons: Vec<_> = counts.into_iter().map(|((kind, why), count)| (count, kind, why)).collect();
        reasons.sort_by_key(|(count, ..)| std::cmp::Reverse(*count));
        reasons
    }
}

fn read(letter: Lying) -> (Shown, Message) {
    let message = Message::read(&letter.body);
    let (kind, feed, run, record, known) = match &message {
        Message::Range(request) => (Kind::Range, Some(request.feed.clone()), Some(request.run()), None, None),
        Message::Lane(order) => (Kind::Order, Some(order.feed.clone()), Some(order.run), None, None),
        Message::Record(it) => {
            let known = Some(it.reason.clone());
            (Kind::Record, Some(it.feed.clone()), Some(it.run), Some(it.record_id.clone()), known)
        }
        Message::Unreadable { feed, reason } => {
            (meant(&letter.body), feed.clone(), None, None, Some(reason.clone()))
        }
    };
    let reason = letter.refused.or(known).unwrap_or_else(|| FAILED.into());
    (Shown { kind, feed, run, record, reason, sent_at: letter.sent_at }, message)
}

/// What a message was meant to be that cannot be read.
fn meant(body: &str) -> Kind {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let says = |name| body.get(name).is_some();
    if says("lane") {
        Kind::Order
    } else if says("record") {
        Kind::Record
    } else if says("from") || says("to") {
        Kind::Range
    } else {
        Kind::Unreadable
    }
}

pub(super) async fn letters(app: &App, look: Look) -> Result<Answer, Failure> {
    let seen = Seen::look(&app.recovery_queue.dead_letters().await?, &look).await?;
    seen.say_of_others(app, &look);
    if seen.letters.is_empty() && seen.is_all() {
        app.screen.say("Nothing lies in the dead letters.");
    }
    let shown: Vec<_> = seen.letters.iter().map(|(shown, _)| shown).collect();
    let reasons: Vec<_> = seen
        .reasons()
        .into_iter()
        .map(|(count, kind, reason)| json!({"count": count, "kind": kind, "reason": reason}))
        .collect();
    let json = json!({"letters": shown, "reasons": reasons, "about": seen.about, "all": seen.is_all()});
    if seen.letters.is_empty() {
        return Ok(Answer::new(json, ""));
    }
    let page = format!("{}\n\n{}", listed(app, &seen), text(&summary(app, &seen)));
    app.screen.say("hint: septet backfill redrive --plan");
    Ok(Answer::new(json, page))
}

fn listed(app: &App, seen: &Seen) -> String {
    let mut table = app.screen.table(&["KIND", "FEED", "RUN", "RECORD", "AGE", "REASON"]);
    for (letter, _) in &seen.letters {
        table.add_row(letter.cells());
    }
    text(&table)
}

fn summary(app: &App, seen: &Seen) -> Table {
    let mut table = app.screen.table(&["COUNT", "KIND", "REASON"]);
    for (count, kind, reason) in seen.reasons() {
        table.add_row([count.to_string(), kind.as_str().to_owned(), reason.to_owned()]);
    }
    table
}
