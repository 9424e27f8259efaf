//! What the recovery queue carries: ranges to bring back, lanes to work in, and records that come back to it from the
//! dead letters.

use septet_contract::Diagnostic;
use serde_json::Value;

use crate::feed::FeedName;
use crate::request::RangeRequest;
use crate::sink::RecordLetter;
use crate::worker::LaneOrder;

/// What a message asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// To start a run.
    Range(RangeRequest),
    /// To work.
    Lane(LaneOrder),
    /// To bring in a record that no sink took.
    Record(Box<RecordLetter>),
    /// Nothing that can be followed.
    Unreadable {
        /// The feed it speaks of, if it names one.
        feed: Option<FeedName>,
        /// Which fields are wrong, why, and how to mend them.
        reason: String,
    },
}

impl Message {
    /// Reads a message: whoever says `lane` means a worker, whoever says `record` has one, everybody else wants a
    /// range.
    pub fn read(body: &str) -> Self {
        let value: Option<Value> = serde_json::from_str(body).ok();
        let feed = || FeedName::parse(value.as_ref()?.get("feed")?.as_str()?).ok();
        let says = |name| value.as_ref().is_some_and(|value| value.get(name).is_some());
        let unreadable = |what: &str, error: serde_json::Error| Self::Unreadable {
            feed: feed(),
            reason: format!("{what}: {error}"),
        };
        if says("lane") {
            let order = serde_json::from_str(body).map(Self::Lane);
            return order.unwrap_or_else(|error| unreadable("the order", error));
        }
        if says("record") {
            let letter = serde_json::from_str(body).map(|letter| Self::Record(Box::new(letter)));
            return letter.unwrap_or_else(|error| unreadable("the record's letter", error));
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
    fn a_range_an_order_and_a_record_are_told_apart() {
        let range =
            r#"{"feed":"plays","from":"2026-11-18T00:00:00Z","to":"2026-11-22T00:00:00Z","reason":"r"}"#;
        assert!(matches!(Message::read(range), Message::Range(_)));
        let order =
            r#"{"feed":"plays","run":"00000000-0000-8000-8000-000000000007","lane":3,"hop":2,"idle":1}"#;
        let Message::Lane(order) = Message::read(order) else { panic!("{order}") };
        assert_eq!((order.lane, order.hop, order.idle), (3, 2, 1));
        let record = r#"{"feed":"plays","run":"00000000-0000-8000-8000-000000000007","reason":"r","generation":1,
                         "window":"2026-11-18T00:00:00Z","record_id":"9","bytes":2,"record":"{}"}"#;
        let Message::Record(letter) = Message::read(record) else { panic!("{record}") };
        assert_eq!((letter.record.as_str(), letter.redrives), ("{}", 0));
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
        let (feed, reason) = unreadable(r#"{"feed":"plays","record":"{}"}"#);
        assert_eq!(feed.as_deref(), Some("plays"));
        assert!(reason.starts_with("the record's letter: missing field"), "{reason}");
    }
}
