//! A `SendMessageBatch` as it goes over the wire and comes back: written from parcels without a value of its own for
//! each attribute, read for what the sink looks at.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;

use super::pack::{EVENT_TIME, RECORD_ID, of_stamp};
use crate::port::{Parcel, Stamp};

/// Bytes that a call has room for besides its messages: ten times what is said of one.
const ATTRIBUTES: usize = 8_192;

/// A call that is being written.
pub(super) struct Batch<'a> {
    body: Vec<u8>,
    /// What the last entry's stamp says, written.
    stamped: Option<(&'a Stamp, Vec<u8>)>,
    entries: usize,
}

impl<'a> Batch<'a> {
    /// A call to this queue, whose messages have so many bytes together, or somewhat more.
    pub(super) fn new(queue_url: &str, bytes: usize) -> Result<Self, serde_json::Error> {
        let mut body = Vec::with_capacity(bytes + bytes / 4 + ATTRIBUTES);
        body.extend_from_slice(b"{\"QueueUrl\":");
        text(&mut body, queue_url)?;
        body.extend(b",\"Entries\":[");
        Ok(Self { body, stamped: None, entries: 0 })
    }

    /// Adds a message by its number, and in a queue that keeps order the group it is of and what makes it the same.
    pub(super) fn entry(
        &mut self,
        index: usize,
        parcel: &Parcel<'a>,
        fifo: Option<(&str, &str)>,
    ) -> Result<(), serde_json::Error> {
        let stamped = match self.stamped.take().filter(|(stamp, _)| *stamp == parcel.stamp) {
            Some((_, stamped)) => stamped,
            None => written(parcel.stamp)?,
        };
        let body = &mut self.body;
        body.extend(if self.entries == 0 { b"{\"Id\":\"".iter() } else { b",{\"Id\":\"".iter() });
        body.extend(index.to_string().as_bytes());
        body.extend(b"\",\"MessageBody\":");
        text(body, parcel.body)?;
        body.extend(b",\"MessageAttributes\":{");
        body.extend(&stamped);
        if !parcel.id.is_empty() {
            body.push(b',');
            attribute(body, RECORD_ID, parcel.id)?;
        }
        if let Some(time) = parcel.time {
            body.push(b',');
            attribute(body, EVENT_TIME, &time.to_string())?;
        }
        body.push(b'}');
        if let Some((group, once)) = fifo {
            body.extend(b",\"MessageGroupId\":");
            text(body, group)?;
            body.extend(b",\"MessageDeduplicationId\":");
            text(body, once)?;
        }
        body.push(b'}');
        self.stamped = Some((parcel.stamp, stamped));
        self.entries += 1;
        Ok(())
    }

    /// The body of the call.
    pub(super) fn written(mut self) -> Bytes {
        self.body.extend(b"]}");
        self.body.into()
    }
}

fn written(stamp: &Stamp) -> Result<Vec<u8>, serde_json::Error> {
    let mut written = Vec::with_capacity(320);
    for (name, value) in of_stamp(stamp) {
        if !written.is_empty() {
            written.push(b',');
        }
        attribute(&mut written, name, &value)?;
    }
    Ok(written)
}

fn attribute(body: &mut Vec<u8>, name: &str, value: &str) -> Result<(), serde_json::Error> {
    text(body, name)?;
    body.extend(b":{\"DataType\":\"String\",\"StringValue\":");
    text(body, value)?;
    body.push(b'}');
    Ok(())
}

fn text(body: &mut Vec<u8>, text: &str) -> Result<(), serde_json::Error> {
    serde_json::to_writer(body, text)
}

/// What was taken and what was not.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer<'a> {
    #[serde(borrow, default)]
    pub(super) successful: Option<Vec<Receipt<'a>>>,
    #[serde(borrow, default)]
    pub(super) failed: Option<Vec<Refusal<'a>>>,
}

/// Says that a message was taken.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receipt<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
}

/// Says why a message was not.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Refusal<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    /// It never will be.
    #[serde(default)]
    pub(super) sender_fault: bool,
    #[serde(borrow)]
    pub(super) code: Cow<'a, str>,
    #[serde(default)]
    pub(super) message: Option<String>,
}

/// Reads an answer; nothing if it is none of a queue, which then confirms nothing.
pub(super) fn read(body: &[u8]) -> Option<Answer<'_>> {
    serde_json::from_slice(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_was_taken_and_what_was_not() {
        let body = r#"{"Successful":[{"Id":"\u0037","MessageId":"m","MD5OfMessageBody":"0","SequenceNumber":"1"}],
            "Failed":[{"Id":"8","SenderFault":true,"Code":"no","Message":"n\"o"},{"Id":"9","Code":"busy"}],"New":[1]}"#;
        let Answer { successful, failed } = read(body.as_bytes()).unwrap();
        let taken = successful.unwrap();
        assert_eq!(taken.iter().map(|entry| entry.id.as_ref()).collect::<Vec<_>>(), ["7"]);
        let failed = failed.unwrap();
        let failed: Vec<_> = failed
            .iter()
            .map(|it| (it.id.as_ref(), it.sender_fault, it.code.as_ref(), it.message.as_deref()))
            .collect();
        assert_eq!(failed, [("8", true, "no", Some("n\"o")), ("9", false, "busy", None)]);
    }

    #[test]
    fn what_is_no_answer_confirms_nothing() {
        for body in ["{}", r#"{"Successful":null,"Failed":[]}"#] {
            let Answer { successful, failed } = read(body.as_bytes()).unwrap();
            let said = successful.map_or(0, |it| it.len()) + failed.map_or(0, |it| it.len());
            assert_eq!(said, 0, "{body}");
        }
        for body in ["", "<html>", r#"{"Successful":[{"Id":"7""#, r#"{"Successful":[{}]}"#] {
            assert!(read(body.as_bytes()).is_none(), "{body}");
        }
    }
}
