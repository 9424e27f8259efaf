//! What a failed call means.

use std::fmt::Display;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;

use crate::Error;

/// The code of a modelled or unmodelled error; empty when there was no answer.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> &str {
    error.code().unwrap_or_default()
}

/// Whether the call surely has not landed or surely has failed: the service said so.
pub(super) fn is_answered<E>(error: &SdkError<E>) -> bool {
    error.raw_response().is_some_and(|response| response.status().as_u16() < 500)
}

/// Converts a failed call: what is known of the service first, the rest keeps code and request id.
pub(super) fn failed<E>(operation: &str, subject: impl Display, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    SdkError<E>: RequestId,
{
    let action = format!("dynamodb:{operation}");
    let subject = subject.to_string();
    let message = error.message().unwrap_or_default().to_owned();
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = match (error.code(), status) {
        (Some(code), _) => code.to_owned(),
        (None, Some(status)) => format!("status {status}"),
        (None, None) => "no answer".to_owned(),
    };
    let detail = match error.request_id() {
        Some(id) => format!("{code}, request {id}"),
        None => code.clone(),
    };
    match code.as_str() {
        "AccessDeniedException" => {
            let by_table_policy =
                message.contains("explicit deny") && message.contains("resource-based policy");
            Error::Denied { action, subject, by_table_policy, message }
        }
        "ResourceNotFoundException" | "TableNotFoundException" => Error::NotFound { action, subject },
        "ResourceInUseException" => Error::InUse { action, subject, message },
        // LimitExceeded: too many operations on tables at once.
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "LimitExceededException" => Error::Throttled { action, subject, code: detail },
        // An answer that is none (cut, garbled) says nothing of the call.
        _ if matches!(error, SdkError::ResponseError(_)) || status.is_none_or(|status| status >= 500) => {
            Error::Unavailable { action, subject, code: detail, source: Box::new(error) }
        }
        _ => Error::Refused { action, subject, code: detail, message },
    }
}

/// An answer that cannot be made sense of.
pub(super) fn about(subject: impl Display, problem: String) -> Error {
    Error::Malformed { subject: subject.to_string(), problem }
}
