//! What DynamoDB's answers mean to a reader.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::Current;
use crate::error::{Error, ErrorKind};

/// Whether a table can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Probe {
    Readable,
    /// There is no such table, for this reason.
    Gone(String),
    /// It cannot be read, or it is not known whether it can, for this reason.
    Unreadable(String),
}

/// Asks a table for a key that it cannot have.
///
/// DynamoDB looks at a key's schema after it has found the table and allowed the call, so a complaint about
/// the key is a good answer. It takes the very permission that reads need and no other, no knowledge of the
/// table's keys, and no read capacity.
pub(crate) async fn probe(client: &Client, table: &str) -> Probe {
    let key = AttributeValue::S("septet.probe".into());
    let Err(error) = client.get_item().table_name(table).key("septet.probe", key).send().await else {
        return Probe::Readable;
    };
    match error.code() {
        Some("ValidationException") => Probe::Readable,
        Some("ResourceNotFoundException") => Probe::Gone(code_of(&error)),
        _ => Probe::Unreadable(code_of(&error)),
    }
}

/// Converts a failed read: what a reader can act on first, the rest keeps code, message and request id.
pub(crate) fn failed<E>(operation: &'static str, current: &Current, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    SdkError<E>: RequestId,
{
    let (version, table) = (current.version, current.table.clone());
    let (kind, retryable) = match error.code() {
        Some("ResourceNotFoundException") => return Error::TableGone { operation, version, table },
        Some("AccessDeniedException" | "UnrecognizedClientException" | "ExpiredTokenException") => {
            (ErrorKind::Denied, false)
        }
        Some("ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded") => {
            (ErrorKind::Throttled, true)
        }
        Some("ValidationException") => (ErrorKind::Invalid, false),
        _ if matches!(error, SdkError::ConstructionFailure(_)) => (ErrorKind::Invalid, false),
        _ => {
            let status = error.raw_response().map(|response| response.status().as_u16());
            (ErrorKind::Unavailable, status.is_none_or(|status| status >= 500))
        }
    };
    let code = code_of(&error);
    Error::Read { operation, version, table, code, kind, retryable, source: Box::new(error) }
}

/// Code and message where the service answered, with the request id where there is one.
fn code_of<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata,
    SdkError<E>: RequestId,
{
    let mut text = match (error.code(), error.raw_response()) {
        (Some(code), _) => code.to_owned(),
        (None, Some(response)) => format!("status {}", response.status().as_u16()),
        (None, None) => "no answer".into(),
    };
    if let Some(message) = error.message() {
        text = format!("{text} ({message})");
    }
    if let Some(id) = error.request_id() {
        text = format!("{text}, request {id}");
    }
    text
}
