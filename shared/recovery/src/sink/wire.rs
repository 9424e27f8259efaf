//! A `SendMessageBatch` as it goes over the wire.
//!
//! The SDK finds the endpoint, signs and sends as ever, but what it would make of the messages first, a map of
//! attributes for each and a text of its own for every value, is left out: an interceptor puts a serialiser of ours in
//! place of the operation's, and a deserialiser of ours reads of an answer what the sink looks at. What is no success is
//! the SDK's to read.

use std::borrow::Cow;

use aws_sdk_sqs::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeSerializationInterceptorContextMut,
};
use aws_sdk_sqs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sqs::error::BoxError;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchResultEntry};
use aws_smithy_runtime_api::client::interceptors::context::{Error as OperationError, Input, Output};
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse, SerializeRequest, SharedRequestSerializer, SharedResponseDeserializer,
};
use aws_smithy_types::body::SdkBody;
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

    /// The call, to be sent in place of whatever the operation was given.
    pub(super) fn written(mut self) -> Written {
        self.body.extend(b"]}");
        Written(self.body.into())
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

/// The body of a call.
#[derive(Debug, Clone)]
pub(super) struct Written(Bytes);

#[dyn_dispatch_hint]
impl Intercept for Written {
    fn name(&self) -> &'static str {
        "Written"
    }

    fn modify_before_serialization(
        &self,
        _context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(SharedRequestSerializer::new(self.clone()));
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().status().is_success() {
            config.interceptor_state().store_put(SharedResponseDeserializer::new(Receipts));
        }
        Ok(())
    }
}

impl SerializeRequest for Written {
    fn serialize_input(&self, _input: Input, _config: &mut ConfigBag) -> Result<HttpRequest, BoxError> {
        let mut request = HttpRequest::new(SdkBody::from(self.0.clone()));
        request.set_method("POST")?;
        request.set_uri("/")?;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/x-amz-json-1.0");
        headers.insert("x-amz-target", "AmazonSQS.SendMessageBatch");
        // Errors then have the codes that they always had.
        headers.insert("x-amzn-query-mode", "true");
        headers.insert("content-length", self.0.len().to_string());
        Ok(request)
    }
}

/// Reads the answer to a call that was taken.
#[derive(Debug)]
struct Receipts;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    #[serde(borrow, default)]
    successful: Option<Vec<Receipt<'a>>>,
    #[serde(borrow, default)]
    failed: Option<Vec<Refusal<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Receipt<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(default)]
    sender_fault: bool,
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(default)]
    message: Option<String>,
}

/// An answer that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the answer is none of SQS")]
struct Garbled;

impl DeserializeResponse for Receipts {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _config: &ConfigBag,
    ) -> Result<Output, OrchestratorError<OperationError>> {
        // After a success whose body was cut, another attempt may have failed: it is tried again like that one.
        let success = response.status().is_success();
        let output = success.then(|| read(response.body().bytes().unwrap_or_default())).flatten();
        output.map(Output::erase).ok_or_else(|| OrchestratorError::response(Box::new(Garbled)))
    }
}

/// What was taken and what was not; digests and ids that the queue gave are left empty.
fn read(body: &[u8]) -> Option<SendMessageBatchOutput> {
    let Answer { successful, failed } = serde_json::from_slice(body).ok()?;
    let taken = successful.unwrap_or_default().into_iter().map(|receipt| {
        let entry = SendMessageBatchResultEntry::builder().id(receipt.id);
        entry.message_id(String::new()).md5_of_message_body(String::new()).build().ok()
    });
    let refused = failed.unwrap_or_default().into_iter().map(|refusal| {
        let entry = BatchResultErrorEntry::builder().id(refusal.id).code(refusal.code);
        entry.sender_fault(refusal.sender_fault).set_message(refusal.message).build().ok()
    });
    let (taken, refused) = (taken.collect::<Option<_>>()?, refused.collect::<Option<_>>()?);
    SendMessageBatchOutput::builder().set_successful(Some(taken)).set_failed(Some(refused)).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_was_taken_and_what_was_not() {
        let body = r#"{"Successful":[{"Id":"\u0037","MessageId":"m","MD5OfMessageBody":"0","SequenceNumber":"1"}],
            "Failed":[{"Id":"8","SenderFault":true,"Code":"no","Message":"n\"o"},{"Id":"9","Code":"busy"}],"New":[1]}"#;
        let output = read(body.as_bytes()).unwrap();
        assert_eq!(output.successful.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["7"]);
        let failed = output.failed.iter();
        let failed: Vec<_> = failed
            .map(|it| (it.id.as_str(), it.sender_fault, it.code.as_str(), it.message.as_deref()))
            .collect();
        assert_eq!(failed, [("8", true, "no", Some("n\"o")), ("9", false, "busy", None)]);
    }

    #[test]
    fn what_is_no_answer_confirms_nothing() {
        for body in ["{}", "[]", r#"{"Successful":null,"Failed":[]}"#] {
            let output = read(body.as_bytes()).unwrap();
            assert!(output.successful.is_empty() && output.failed.is_empty(), "{body}");
        }
        for body in ["", "<html>", r#"{"Successful":[{"Id":"7""#, r#"{"Successful":[{}]}"#] {
            assert!(read(body.as_bytes()).is_none(), "{body}");
        }
    }
}
