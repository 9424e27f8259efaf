//! Reads of one version.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures::stream::{StreamExt, TryStreamExt};
use septet_registry::Entropy;

use crate::error::Error;
use crate::{Current, dynamodb};

/// An item of a table, as the SDK gives it.
pub type Item = HashMap<String, AttributeValue>;

/// A key: every key attribute of the table, and nothing else.
pub type Key = HashMap<String, AttributeValue>;

/// As many keys as one `BatchGetItem` takes.
const BATCH: usize = 100;
/// Batches under way at a time.
const BATCHES: usize = 4;
/// Rounds in a row in which DynamoDB may process none of a batch's keys.
const ROUNDS: u32 = 8;
const BASE: Duration = Duration::from_millis(25);
const CAP: Duration = Duration::from_secs(1);

/// Reads of one version, whatever becomes of the pointer meanwhile: several reads agree with each other.
///
/// It is cheap to take and meant to be short-lived: take one for each piece of work, such as a request.
/// Its table is there for as long as the contract's grace (`septet.graceMinutes`) after the pointer has left
/// the version; then its reads fail with [`Error::TableGone`].
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) client: Client,
    pub(crate) current: Arc<Current>,
    pub(crate) entropy: Arc<Entropy>,
}

impl Snapshot {
    /// The version that is read.
    pub fn current(&self) -> &Current {
        &self.current
    }

    /// Reads one item, eventually consistent; nothing if the version has no such item.
    pub async fn get(&self, key: Key) -> Result<Option<Item>, Error> {
        get(&self.client, &self.current, key).await
    }

    /// Reads the items of these keys, in no particular order; a key that the version does not have gives
    /// none, and a key that is given twice gives one.
    ///
    /// It asks in batches of 100, some at a time. Keys that DynamoDB leaves unprocessed are asked for again
    /// with growing pauses, until DynamoDB has processed none of a batch for eight rounds in a row.
    pub async fn batch_get(&self, keys: impl IntoIterator<Item = Key>) -> Result<Vec<Item>, Error> {
        let batches = futures::stream::iter(batches(keys));
        batches.map(|batch| self.batch(batch)).buffer_unordered(BATCHES).try_concat().await
    }

    async fn batch(&self, mut keys: Vec<Key>) -> Result<Vec<Item>, Error> {
        let current = &self.current;
        let mut found = Vec::with_capacity(keys.len());
        let mut in_vain = 0;
        loop {
            let asked = keys.len();
            let request = KeysAndAttributes::builder().set_keys(Some(keys)).build();
            let request = request.map_err(|error| {
                dynamodb::failed::<aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError>(
                    "BatchGetItem",
                    current,
                    aws_sdk_dynamodb::error::SdkError::construction_failure(error),
                )
            })?;
            let answer = self.client.batch_get_item().request_items(&current.table_arn, request).send().await;
            let answer = answer.map_err(|error| dynamodb::failed("BatchGetItem", current, error))?;
            // One table was asked, so whatever is answered is of that table, by whichever name.
            found.extend(answer.responses.into_iter().flat_map(HashMap::into_values).flatten());
            let left = answer.unprocessed_keys.into_iter().flat_map(HashMap::into_values);
            keys = left.flat_map(|request| request.keys).collect();
            if keys.is_empty() {
                return Ok(found);
            }
            in_vain = if keys.len() < asked { 0 } else { in_vain + 1 };
            if in_vain >= ROUNDS {
                let (version, table) = (current.version, current.table.clone());
                return Err(Error::Unprocessed { version, table, left: keys.len() });
            }
            let most = CAP.min(BASE * 2u32.pow(in_vain));
            tokio::time::sleep(self.entropy.jitter(most)).await;
        }
    }

    /// Queries the version's table, or an index of it, and gives the items of all pages in order.
    ///
    /// `build` adds everything but the table, such as `key_condition_expression`; a `limit` is the size of a
    /// page, not of the answer.
    pub async fn query(
        &self,
        build: impl FnOnce(QueryFluentBuilder) -> QueryFluentBuilder,
    ) -> Result<Vec<Item>, Error> {
        let query = build(self.client.query()).table_name(&self.current.table_arn);
        let mut items = Vec::new();
        let mut start = query.get_exclusive_start_key().clone();
        loop {
            let page = query.clone().set_exclusive_start_key(start).send().await;
            let page = page.map_err(|error| dynamodb::failed("Query", &self.current, error))?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
    }
}

pub(crate) async fn get(client: &Client, current: &Current, key: Key) -> Result<Option<Item>, Error> {
    let answer = client.get_item().table_name(&current.table_arn).set_key(Some(key)).send().await;
    answer.map(|answer| answer.item).map_err(|error| dynamodb::failed("GetItem", current, error))
}

/// Parts the keys into batches, each key once.
fn batches(keys: impl IntoIterator<Item = Key>) -> Vec<Vec<Key>> {
    let mut seen = HashSet::new();
    let mut batches: Vec<Vec<Key>> = Vec::new();
    for key in keys.into_iter().filter(|key| seen.insert(identity(key))) {
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH => batch.push(key),
            _ => batches.push(vec![key]),
        }
    }
    batches
}

/// What makes a key itself; DynamoDB takes text, numbers and bytes for keys and refuses the rest.
#[derive(PartialEq, Eq, Hash)]
enum Part {
    Text(String),
    Number(String),
    Bytes(Blob),
    Other,
}

fn identity(key: &Key) -> BTreeMap<String, Part> {
    let part = |value: &AttributeValue| match value {
        AttributeValue::S(text) => Part::Text(text.clone()),
        AttributeValue::N(number) => Part::Number(number.clone()),
        AttributeValue::B(bytes) => Part::Bytes(bytes.clone()),
        _ => Part::Other,
    };
    key.iter().map(|(name, value)| (name.clone(), part(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: AttributeValue) -> Key {
        HashMap::from([("user_id".into(), value)])
    }

    #[test]
    fn keys_go_into_batches_of_a_hundred_each_once() {
        let keys = (0..250).chain(0..250).map(|n| key(AttributeValue::N(n.to_string())));
        let batches = batches(keys);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 50]);
        let all: HashSet<_> = batches.iter().flatten().map(identity).collect();
        assert_eq!(all.len(), 250);
    }

    #[test]
    fn keys_of_different_types_are_different() {
        let texts = [AttributeValue::S("1".into()), AttributeValue::N("1".into())];
        let bytes = AttributeValue::B(Blob::new("1"));
        assert_eq!(batches(texts.into_iter().chain([bytes]).map(key)).concat().len(), 3);
    }
}
