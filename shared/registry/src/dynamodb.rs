//! The registry in a DynamoDB table.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};

use crate::error::Error;
use crate::item::{self, Attributes};
use crate::store::{Committed, Order, Store};
use crate::transaction::{Expect, Item, Key, Transaction, Write};
use crate::{DatasetName, Heartbeat, VersionNumber};

/// A [`Store`] in a DynamoDB table with the string keys `pk` and `sk`.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    client: Client,
    table: String,
}

impl DynamoDb {
    /// The store in `table`, through `client`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    fn put_action(&self, write: &Write) -> Result<Put, Error> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item::encode(&write.item)?));
        let put = match write.expect {
            Expect::Anything => put,
            Expect::Absent => put.condition_expression("attribute_not_exists(pk)"),
            Expect::Revision(revision) => put
                .condition_expression("#revision = :revision")
                .expression_attribute_names("#revision", item::revision_attribute(&write.item))
                .expression_attribute_values(":revision", AttributeValue::N(revision.to_string())),
        };
        put.build().map_err(|error| self.malformed_request(&write.item.key(), error))
    }

    async fn transact(&self, actions: Vec<TransactWriteItem>) -> Result<Committed, Error> {
        match self.client.transact_write_items().set_transact_items(Some(actions)).send().await {
            Ok(_) => Ok(Committed::Done),
            Err(error) => match cancellation(&error) {
                Some(Cancellation::Conflict) => Ok(Committed::Conflict),
                Some(Cancellation::Throttled) => {
                    Err(Error::Throttled { table: self.table.clone(), operation: "TransactWriteItems" })
                }
                None => Err(self.failed("TransactWriteItems", error)),
            },
        }
    }

    /// Writes one item: half the price of a transaction, and no other writer of it is in the way for longer.
    async fn put_one(&self, write: &Write) -> Result<Committed, Error> {
        let put = self.put_action(write)?;
        let sent = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_names(put.expression_attribute_names)
            .set_expression_attribute_values(put.expression_attribute_values)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Committed::Done),
            Err(error) => match error.code() {
                Some("ConditionalCheckFailedException" | "TransactionConflictException") => {
                    Ok(Committed::Conflict)
                }
                _ => Err(self.failed("PutItem", error)),
            },
        }
    }

    fn malformed_request(&self, key: &Key, error: impl std::fmt::Display) -> Error {
        Error::Malformed { key: key.to_string(), message: error.to_string() }
    }

    async fn rows(
        &self,
        partition: &str,
        prefix: &str,
        order: Order,
        limit: Option<usize>,
    ) -> Result<Vec<Attributes>, Error> {
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .scan_index_forward(order == Order::Rising)
            .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()));
        query = if prefix.is_empty() {
            query.key_condition_expression("pk = :pk")
        } else {
            query
                .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
                .expression_attribute_values(":sk", AttributeValue::S(prefix.to_owned()))
        };
        let mut rows = Vec::new();
        let mut start = None;
        loop {
            let left = limit.map(|limit| limit - rows.len());
            let page = query
                .clone()
                .set_exclusive_start_key(start)
                .set_limit(left.map(|left| i32::try_from(left).unwrap_or(i32::MAX)))
                .send()
                .await
                .map_err(|error| self.failed("Query", error))?;
            rows.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() || limit.is_some_and(|limit| rows.len() >= limit) {
                return Ok(rows);
            }
        }
    }

    /// Converts a failed call: what is known of the service first, the rest keeps code and request id.
    fn failed<E>(&self, operation: &'static str, error: SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        SdkError<E>: RequestId,
    {
        let table = self.table.clone();
        let message = error.message().unwrap_or_default().to_owned();
        let code = error.code().unwrap_or_default().to_owned();
        match code.as_str() {
            "ResourceNotFoundException" => return Error::NoTable { table },
            "AccessDeniedException" | "UnrecognizedClientException" => {
                return Error::Denied { table, operation, message };
            }
            "ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded" => {
                return Error::Throttled { table, operation };
            }
            _ => {}
        }
        let answered = error.raw_response().map(|response| response.status().as_u16());
        let retryable = answered.is_none_or(|status| status >= 500)
            || code == "TransactionInProgressException"
            || code.is_empty();
        let code = match (answered, code.is_empty()) {
            (None, _) => "no answer".to_owned(),
            (Some(status), true) => format!("status {status}"),
            (Some(_), false) => code,
        };
        let code = match error.request_id() {
            Some(id) => format!("{code}, request {id}"),
            None => code,
        };
        Error::Store { table, operation, code, retryable, source: Box::new(error) }
    }
}

#[async_trait]
impl Store for DynamoDb {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(true)
            .set_key(Some(item::keys(key)))
            .send()
            .await
            .map_err(|error| self.failed("GetItem", error))?;
        answer.item.map_or(Ok(None), item::decode)
    }

    async fn list(
        &self,
        partition: &str,
        prefix: &str,
        order: Order,
        limit: Option<usize>,
    ) -> Result<Vec<Item>, Error> {
        let rows = self.rows(partition, prefix, order, limit).await?;
        rows.into_iter().filter_map(|row| item::decode(row).transpose()).collect()
    }

    async fn commit(&self, transaction: &Transaction) -> Result<Committed, Error> {
        let mut actions = Vec::with_capacity(transaction.writes.len() + transaction.witnesses.len() + 1);
        for write in &transaction.writes {
            actions.push(TransactWriteItem::builder().put(self.put_action(write)?).build());
        }
        for witness in &transaction.witnesses {
            let check = ConditionCheck::builder()
                .table_name(&self.table)
                .set_key(Some(item::keys(&witness.key)))
                .condition_expression("#revision = :revision")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_values(":revision", AttributeValue::N(witness.revision.to_string()))
                .build()
                .map_err(|error| self.malformed_request(&witness.key, error))?;
            actions.push(TransactWriteItem::builder().condition_check(check).build());
        }
        let record = Write { item: Item::Record(transaction.record.clone()), expect: Expect::Absent };
        actions.push(TransactWriteItem::builder().put(self.put_action(&record)?).build());
        self.transact(actions).await
    }

    async fn put(&self, writes: &[Write]) -> Result<Committed, Error> {
        if let [only] = writes {
            return self.put_one(only).await;
        }
        let mut actions = Vec::with_capacity(writes.len());
        for write in writes {
            actions.push(TransactWriteItem::builder().put(self.put_action(write)?).build());
        }
        self.transact(actions).await
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), Error> {
        let item = item::encode(&Item::Heartbeat(heartbeat.clone()))?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| self.failed("PutItem", error))
    }

    async fn put_document(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        name: &str,
        document: &serde_json::Value,
    ) -> Result<(), Error> {
        let item = item::encode_document(&Key::document(dataset, version, name), document)?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| self.failed("PutItem", error))
    }

    async fn documents(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        prefix: &str,
    ) -> Result<Vec<(String, serde_json::Value)>, Error> {
        let partition = Key::document(dataset, version, "").pk;
        let rows = self.rows(&partition, prefix, Order::Rising, None).await?;
        rows.into_iter().map(item::decode_document).collect()
    }
}

enum Cancellation {
    Conflict,
    Throttled,
}

/// Why a transaction was cancelled, where nothing worse than losing a race stands behind it.
fn cancellation(error: &SdkError<TransactWriteItemsError>) -> Option<Cancellation> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error.as_service_error()? else {
        return None;
    };
    let codes: Vec<_> = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
    let known = |code: &&str| {
        matches!(
            *code,
            "None"
                | "ConditionalCheckFailed"
                | "TransactionConflict"
                | "ThrottlingError"
                | "ProvisionedThroughputExceeded"
        )
    };
    if codes.is_empty() || !codes.iter().all(known) {
        return None;
    }
    let lost = codes.iter().any(|code| matches!(*code, "ConditionalCheckFailed" | "TransactionConflict"));
    Some(if lost { Cancellation::Conflict } else { Cancellation::Throttled })
}
