//! Records into a DynamoDB table, none over a newer one.

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
        let Ok(Value::Object(members)) = serde_json::from_str::<Value>(body) else {
            return Ok(poison("the record is no object".into()));
        };
        let item: HashMap<String, AttributeValue> =
            members.into_iter().map(|(name, value)| (name, attribute(value))).collect();
        let version = match item.get(&self.version_attribute) {
            Some(version @ (AttributeValue::S(_) | AttributeValue::N(_))) => version.clone(),
            _ => return Ok(poison(format!("it has no text or number {}", self.version_attribute))),
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
