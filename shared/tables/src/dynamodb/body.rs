//! The body of an answer beside what the SDK makes of it.
//!
//! The SDK drops members that it does not know. An interceptor keeps the body that the SDK has read and understood.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use serde_json::Value;

/// Keeps the body of the last attempt that succeeded.
#[derive(Debug, Clone, Default)]
pub(super) struct AnswerBody(Arc<Mutex<Option<Vec<u8>>>>);

impl AnswerBody {
    /// Returns the body as JSON, once the call has succeeded.
    pub(super) fn json(&self) -> Option<Value> {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        body.as_ref().and_then(|body| serde_json::from_slice(body).ok())
    }
}

#[dyn_dispatch_hint]
impl Intercept for AnswerBody {
    fn name(&self) -> &'static str {
        "AnswerBody"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.output_or_error().is_ok() {
            // The SDK has loaded the whole body by now.
            let body = context.response().body().bytes().map(<[u8]>::to_vec);
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = body;
        }
        Ok(())
    }
}
