//! What is kept of a record that no sink took, until somebody brings it in after all.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::pack::MOST_BYTES;
use crate::feed::FeedName;
use crate::port::{Parcel, Stamp};

/// Bytes that are kept of a record which no message holds.
const SHOWN: usize = 65_536;

/// A record that no sink took, as it lies in the dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordLetter {
    /// Why no sink took it.
    pub reason: String,
    /// The feed.
    pub feed: FeedName,
    /// The run that read it.
    pub run: Uuid,
    /// The first moment of the window that it was read with.
    pub window: Timestamp,
    /// The run's generation.
    pub generation: u32,
    /// What tells it from all others.
    pub record_id: String,
    /// Its event time, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<Timestamp>,
    /// How long the record is, in bytes.
    pub bytes: usize,
    /// The record, or its beginning if no message holds it.
    pub record: String,
    /// How often it was moved out of the dead letters and came back to them.
    #[serde(default)]
    pub redrives: u32,
}

impl RecordLetter {
    /// The letter of a record; an error if its stamp is of no feed.
    pub fn of(parcel: &Parcel<'_>, reason: &str) -> Result<Self, String> {
        let Parcel { body, id, time, stamp } = *parcel;
        Ok(Self {
            reason: reason.to_owned(),
            feed: FeedName::parse(&stamp.feed)?,
            run: stamp.run,
            window: stamp.window,
            generation: stamp.generation,
            record_id: id.to_owned(),
            event_time: time,
            bytes: body.len(),
            record: body.to_owned(),
            redrives: 0,
        })
    }

    /// The letter by which it goes back to the dead letters.
    pub fn back(&self, reason: &str) -> Self {
        Self { reason: reason.to_owned(), redrives: self.redrives + 1, ..self.clone() }
    }

    /// Whether it holds all of the record.
    pub fn is_whole(&self) -> bool {
        self.record.len() == self.bytes
    }

    /// What the record comes with.
    pub fn stamp(&self) -> Stamp {
        let Self { feed, run, window, generation, .. } = self;
        Stamp { feed: feed.to_string(), run: *run, window: *window, generation: *generation }
    }

    /// The record on its way again.
    pub fn parcel<'a>(&'a self, stamp: &'a Stamp) -> Parcel<'a> {
        Parcel { body: &self.record, id: &self.record_id, time: self.event_time, stamp }
    }

    /// The letter as a message, which holds the whole record if it can.
    pub fn to_message(&self) -> String {
        let whole = self.written();
        if whole.len() <= MOST_BYTES {
            return whole;
        }
        let end = (0..=SHOWN.min(self.record.len())).rev().find(|end| self.record.is_char_boundary(*end));
        let record = self.record[..end.unwrap_or(0)].to_owned();
        Self { record, ..self.clone() }.written()
    }

    /// As JSON, with the two characters escaped that JSON takes as they are and queues do not.
    fn written(&self) -> String {
        json!(self).to_string().replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(body: &str) -> RecordLetter {
        let (window, run) = (Timestamp::UNIX_EPOCH, Uuid::nil());
        let stamp = Stamp { feed: "plays".into(), run, window, generation: 3 };
        let parcel = Parcel { body, id: "a\u{ffff}\u{1}", time: Some(window), stamp: &stamp };
        RecordLetter::of(&parcel, "too \"odd\"").unwrap()
    }

    #[test]
    fn a_record_comes_out_of_a_message_as_it_went_in() {
        for body in ["{}", "{\"x\":\"\u{fffe}é😀\\u0001\"}", &"\"".repeat(500_000)] {
            let letter = letter(body);
            let message = letter.to_message();
            assert!(!message.contains(['\u{fffe}', '\u{ffff}', '\u{1}']));
            let read: RecordLetter = serde_json::from_str(&message).unwrap();
            assert_eq!(read, letter);
            assert!(read.is_whole());
            let stamp = read.stamp();
            assert_eq!(read.parcel(&stamp).body, body);
            assert_eq!(RecordLetter::of(&read.parcel(&stamp), &letter.reason).as_ref(), Ok(&letter));
        }
    }

    #[test]
    fn of_a_record_that_no_message_holds_the_beginning_is_kept() {
        let body = "é".repeat(600_000);
        let message = letter(&body).to_message();
        assert!(message.len() < 100_000);
        let read: RecordLetter = serde_json::from_str(&message).unwrap();
        assert!(!read.is_whole() && read.bytes == 1_200_000 && body.starts_with(&read.record));
        assert_eq!(read.record.len(), SHOWN);
    }

    #[test]
    fn what_goes_back_has_the_new_reason_and_says_how_often_it_did() {
        let back = letter("{}").back("still odd").back("as odd as ever");
        assert_eq!((back.reason.as_str(), back.redrives), ("as odd as ever", 2));
        assert_eq!(back.record, "{}");
    }
}
