//! The body of an answer to `Scan` as it came over the wire, through the SDK.
//!
//! The SDK signs, retries and times out as ever, but what it would make of the items is left out: an interceptor
//! puts a deserialiser of ours in place of the operation's. Unlike the SDK it holds the body against its checksum;
//! a body that differs is an answer that was garbled, and is asked for again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::{BoxError, ErrorMetadata};
use aws_sdk_dynamodb::operation::scan::{ScanError, ScanOutput};
use aws_smithy_runtime_api::client::interceptors::context::{Error as OperationError, Output};
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse, SharedResponseDeserializer};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

/// Keeps the body of the last attempt that succeeded.
#[derive(Debug, Clone, Default)]
pub(super) struct RawBody(Arc<Mutex<Option<SdkBody>>>);

impl RawBody {
    /// The body, once the call has succeeded.
    pub(super) fn take(&self) -> Option<SdkBody> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[dyn_dispatch_hint]
impl Intercept for RawBody {
    fn name(&self) -> &'static str {
        "RawBody"
    }

    fn modify_before_serialization(
        &self,
        _context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(SharedResponseDeserializer::new(self.clone()));
        Ok(())
    }
}

impl DeserializeResponse for RawBody {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _config: &ConfigBag,
    ) -> Result<Output, OrchestratorError<OperationError>> {
        let body = response.body().bytes().unwrap_or_default();
        if !response.status().is_success() {
            let error = ScanError::generic(metadata(response, body));
            return Err(OrchestratorError::operation(OperationError::erase(error)));
        }
        let problem = match response.headers().get("x-amz-crc32") {
            Some(sum) => (sum.parse() != Ok(crc32fast::hash(body))).then_some(Garbled::Checksum),
            // Something between DynamoDB and here took it away: read the page to see whether it is whole.
            None => septet_checks::read_page(body, drop).err().map(|_| Garbled::NoPage),
        };
        if let Some(problem) = problem {
            return Err(OrchestratorError::response(Box::new(problem)));
        }
        // Shares the bytes.
        let copy = response.body().try_clone().unwrap_or_else(|| SdkBody::from(body));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy);
        Ok(Output::erase(ScanOutput::builder().build()))
    }
}

/// Code and message of an error, for those who decide whether to try again.
fn metadata(response: &HttpResponse, body: &[u8]) -> ErrorMetadata {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |names: &[&str]| names.iter().find_map(|name| body[*name].as_str());
    let mut metadata = ErrorMetadata::builder();
    if let Some(code) = response.headers().get("x-amzn-errortype").or_else(|| text(&["code", "__type"])) {
        // `namespace#Code:address`, and any part but the code may be missing.
        let code = code.split(':').next().unwrap_or_default();
        metadata = metadata.code(code.rsplit('#').next().unwrap_or_default());
    }
    if let Some(message) = text(&["message", "Message"]) {
        metadata = metadata.message(message);
    }
    metadata.build()
}

/// An answer that is not what DynamoDB sent.
#[derive(Debug, PartialEq)]
enum Garbled {
    Checksum,
    NoPage,
}

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checksum => "the body is not the one of its x-amz-crc32",
            Self::NoPage => "the body has no x-amz-crc32 and is no page of a scan",
        })
    }
}

impl std::error::Error for Garbled {}
