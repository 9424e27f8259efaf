//! Clients, tables and policies that the tests of the emulator share.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use septet_emulator::Emulator;
use serde_json::json;

pub(crate) const TABLE: &str = "recs-2026-11-21";

/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(600);

pub(crate) fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(crate) fn code<T: std::fmt::Debug, E: ProvideErrorMetadata, R>(
    answer: Result<T, SdkError<E, R>>,
) -> String {
    match answer {
        Ok(answer) => panic!("not an error: {answer:?}"),
        Err(SdkError::ServiceError(error)) => error.err().code().unwrap_or("no code").into(),
        Err(SdkError::DispatchFailure(_)) => "no answer".into(),
        Err(SdkError::TimeoutError(_)) => "time-out".into(),
        Err(_) => "another error".into(),
    }
}

pub(crate) async fn put(client: &Client, id: &str) -> String {
    let put = client.put_item().table_name(TABLE).item("id", s(id)).send().await;
    put.map_or_else(|error| code::<(), _, _>(Err(error)), |_| "ok".into())
}

pub(crate) fn once(emulator: &Emulator) -> Client {
    emulator.client_with(|config| config.retry_config(RetryConfig::disabled()))
}

pub(crate) async fn with_table() -> Emulator {
    let emulator = Emulator::start().await;
    emulator.create_dataset_table(TABLE, "id", None).await;
    emulator
}

pub(crate) fn deny(actions: &[&str], but: &[&str]) -> String {
    let mut statement =
        json!({"Sid": "T", "Effect": "Deny", "Principal": "*", "Action": actions, "Resource": "*"});
    if !but.is_empty() {
        statement["Condition"] = json!({"ArnNotLike": {"aws:PrincipalArn": but}});
    }
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

pub(crate) fn arn() -> String {
    format!("arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}")
}

pub(crate) async fn put_policy(client: &Client, text: &str) -> String {
    let answer = client.put_resource_policy().resource_arn(arn()).policy(text).send().await;
    answer.unwrap().revision_id.unwrap()
}
