//! A `SendMessageBatch` as it goes over the wire.
//!
//! The SDK finds the endpoint, signs, sends and reads the answer as ever, but what it would make of the messages
//! first, a map of attributes for each and a text of its own for every value, is left out: an interceptor puts a
//! serialiser of ours in place of the operation's.

use aws_sdk_sqs::config::interceptors::BeforeSerializationInterceptorContextMut;
use aws_sdk_sqs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sqs::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::ser_de::{SerializeRequest, SharedRequestSerializer};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use super::pack::{EVENT_TIME, RECORD_ID, of_stamp};
use crate::port::{Parcel, Stamp};

/// A call that is being written.
pub(super) struct Batch<'a> {
    body: Vec<u8>,
    /// What the last entry's stamp says, written.
    stamped: Option<(&'a Stamp, Vec<u8>)>,
    entries: usize,
}

impl<'a> Batch<'a> {
    /// A call to this queue.
    pub(super) fn new(queue_url: &str) -> Result<Self, serde_json::Error> {
        let mut body = b"{\"QueueUrl\":".to_vec();
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
