//! Records into a DynamoDB table, none over a newer one, and back out of it.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;

use crate::port::{Delivery, Parcel, Sink, Undelivered};

const IN_FLIGHT: usize = 16;

/// A DynamoDB table whose items are the records, member by member.
#[derive(Debug, Clone)]
pub struct DynamoDbSink {
    client: Client,
    table: String,
    version_attribute: String,
}

impl DynamoDbSink {
    /// The table, and the attribute that tells a newer item from an older one: a number or a text that sorts.
    pub fn new(client: Client, table: impl Into<String>, version_attribute: impl Into<String>) -> Self {
        Self { client, table: table.into(), version_attribute: version_attribute.into() }
    }

    async fn put(&self, parcels: &[Parcel<'_>], index: usize) -> Result<Delivery, Undelivered> {
        let done = || Delivery { injected: 1, poison: Vec::new() };
        let poison = |reason: String| Delivery { injected: 0, poison: vec![(index, reason)] };
        let body = parcels.get(index).map(|parcel| parcel.body).unwrap_or_default();
        let (item, version) = match item(body, &self.version_attribute) {
            Ok(item) => item,
            Err(reason) => return Ok(poison(reason)),
        };
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#version) OR #version < :version")
            .expression_attribute_names("#version", &self.version_attribute)
            .expression_attribute_values(":version", version);
        let Err(error) = call.send().await else { return Ok(done()) };
        match error.code() {
            // It is there already, or a newer one is.
            Some("ConditionalCheckFailedException") => Ok(done()),
            Some("ValidationException") => {
                Ok(poison(error.message().unwrap_or("it is no item of the table").to_owned()))
            }
            code => Err(Undelivered(format!("PutItem: {}", code.unwrap_or("no answer")))),
        }
    }
}

/// An item with the value of its version attribute, or why a record is none.
pub(super) fn item(
    body: &str,
    version_attribute: &str,
) -> Result<(HashMap<String, AttributeValue>, AttributeValue), String> {
    let Ok(Value::Object(members)) = serde_json::from_str::<Value>(body) else {
        return Err("the record is no object".into());
    };
    let item: HashMap<_, _> = members.into_iter().map(|(name, value)| (name, attribute(value))).collect();
    match item.get(version_attribute) {
        Some(version @ (AttributeValue::S(_) | AttributeValue::N(_))) => {
            let version = version.clone();
            Ok((item, version))
        }
        _ => Err(format!("it has no text or number {version_attribute}")),
    }
}

/// Why a table could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read the table {table}: {code} ({message})")]
pub struct Unread {
    /// The table.
    pub table: String,
    /// The error code.
    pub code: String,
    /// What the service says.
    pub message: String,
}

/// A table that records went to, by whoever's hands.
#[derive(Debug, Clone)]
pub struct DynamoDbTable {
    client: Client,
    table: String,
}

impl DynamoDbTable {
    /// The table of that name or ARN.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Gives every item, as the record that it is, to `take`.
    pub async fn read(&self, mut take: impl FnMut(Value)) -> Result<(), Unread> {
        let scan = self.client.scan().table_name(&self.table).consistent_read(true);
        let mut pages = scan.into_paginator().items().send();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| Unread {
                table: self.table.clone(),
                code: error.code().unwrap_or("no answer").to_owned(),
                message: error.message().unwrap_or_default().to_owned(),
            })?;
            take(Value::Object(item.into_iter().map(|(name, value)| (name, plain(value))).collect()));
        }
        Ok(())
    }
}

/// The value that [`attribute`] makes an attribute of; a number that JSON cannot hold is text.
fn plain(value: AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(flag) => Value::Bool(flag),
        AttributeValue::N(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(list) => list.into_iter().map(plain).collect(),
        AttributeValue::M(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, plain(value))).collect())
        }
        _ => Value::Null,
    }
}

fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(flag),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(list) => AttributeValue::L(list.into_iter().map(attribute).collect()),
        Value::Object(members) => {
            AttributeValue::M(members.into_iter().map(|(name, value)| (name, attribute(value))).collect())
        }
    }
}

#[async_trait]
impl Sink for DynamoDbSink {
    async fn send(&self, parcels: &[Parcel<'_>]) -> Result<Delivery, Undelivered> {
        let puts = (0..parcels.len()).map(|index| self.put(parcels, index));
        let done = futures::stream::iter(puts).buffer_unordered(IN_FLIGHT);
        done.try_fold(Delivery::default(), async |all, one| Ok(all.and(one))).await
    }
}
