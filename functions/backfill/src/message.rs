//! What arrives on the queue: a range to bring back, or a lane to work in.

use aws_lambda_events::event::sqs::SqsMessage;
use septet_contract::Diagnostic;
use septet_recovery::worker::LaneOrder;
use septet_recovery::{FeedName, RangeRequest};
use serde_json::Value;

use crate::handler::ACTOR;

/// A message with what the queue says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The message, as it came.
    pub body: String,
    /// Who sent it, as far as the queue knows.
    pub sender: String,
}

impl Letter {
    /// A message of a batch.
    pub fn from_queue(message: &SqsMessage) -> Self {
        let sender = message.attributes.get("SenderId").cloned();
        Self {
            body: message.body.clone().unwrap_or_default(),
            sender: sender.unwrap_or_else(|| ACTOR.into()),
        }
    }
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// To start a run.
    Range(RangeRequest),
    /// To work.
    Lane(LaneOrder),
    /// Nothing that can be followed.
    Unreadable {
        /// The feed it speaks of, if it names one.
        feed: Option<FeedName>,
        /// Which fields are wrong, why, and how to mend them.
        reason: String,
    },
}

impl Message {
    /// Reads a message: whoever says `lane` means a worker, everybody else wants a range.
    pub fn read(body: &str) -> Self {
        let value: Option<Value> = serde_json::from_str(body).ok();
        let feed = || FeedName::parse(value.as_ref()?.get("feed")?.as_str()?).ok();
        if value.as_ref().is_some_and(|value| value.get("lane").is_some()) {
            return serde_json::from_str(body).map(Self::Lane).unwrap_or_else(|error| Self::Unreadable {
                feed: feed(),
                reason: format!("the order: {error}"),
            });
        }
        RangeRequest::parse(body)
            .map(Self::Range)
            .unwrap_or_else(|found| Self::Unreadable { feed: feed(), reason: reason(&found) })
    }
}

fn reason(found: &[Diagnostic]) -> String {
    let told = found.iter().map(|it| match it.path.as_str() {
        "" => format!("{} ({})", it.message, it.hint),
        path => format!("{path}: {} ({})", it.message, it.hint),
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable(body: &str) -> (Option<String>, String) {
        match Message::read(body) {
            Message::Unreadable { feed, reason } => (feed.map(String::from), reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_range_and_an_order_are_told_apart() {
        let range =
            r#"{"feed":"plays","from":"2026-11-18T00:00:00Z","to":"2026-11-22T00:00:00Z","reason":"r"}"#;
        assert!(matches!(Message::read(range), Message::Range(_)));
        let order =
            r#"{"feed":"plays","run":"00000000-0000-8000-8000-000000000007","lane":3,"hop":2,"idle":1}"#;
        let Message::Lane(order) = Message::read(order) else { panic!("{order}") };
        assert_eq!((order.lane, order.hop, order.idle), (3, 2, 1));
    }

    #[test]
    fn what_cannot_be_followed_says_field_and_fix_and_keeps_the_feed() {
        let (feed, reason) =
            unreadable(r#"{"feed":"plays","from":"yesterday","to":"2026-11-22","reason":"r"}"#);
        assert_eq!(feed.as_deref(), Some("plays"));
        assert!(reason.contains("from: \"yesterday\" is no time with a zone (write a time"), "{reason}");
        assert!(reason.contains("; to: "), "{reason}");
        assert_eq!(unreadable("no JSON").0, None);
        let (feed, reason) = unreadable(r#"{"feed":"plays","lane":"first"}"#);
        assert_eq!(feed.as_deref(), Some("plays"));
        assert!(reason.starts_with("the order: invalid type"), "{reason}");
    }
}
