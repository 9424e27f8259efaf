//! Tables and items for tests, and what a test can say about a table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, PutRequest,
    ScalarAttributeType, WriteRequest,
};

use crate::state::{Import, StoredImport, TableStatus};
use crate::{Emulator, json};

#[expect(clippy::expect_used, reason = "a test tool: the test cannot go on without what it asked for")]
impl Emulator {
    /// Creates the table of a registry: keys `pk` and `sk`, strings, on demand.
    pub async fn create_registry_table(&self, name: &str) {
        self.create_dataset_table(name, "pk", Some("sk")).await;
    }

    /// Creates a table with string keys, on demand.
    pub async fn create_dataset_table(&self, name: &str, partition_key: &str, sort_key: Option<&str>) {
        let keys = [Some((partition_key, "S")), sort_key.map(|key| (key, "S"))];
        self.create_table(name, &keys.into_iter().flatten().collect::<Vec<_>>()).await;
    }

    /// Creates a table, on demand; each key has a name and a type of `S`, `N` or `B`.
    pub async fn create_table(&self, name: &str, keys: &[(&str, &str)]) {
        let mut create =
            self.client().create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        for ((key, scalar), kind) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
            create = create
                .key_schema(
                    KeySchemaElement::builder().attribute_name(*key).key_type(kind).build().expect("a key"),
                )
                .attribute_definitions(
                    AttributeDefinition::builder()
                        .attribute_name(*key)
                        .attribute_type(ScalarAttributeType::from(*scalar))
                        .build()
                        .expect("a definition"),
                );
        }
        create.send().await.expect("the table is created");
    }

    /// Puts items given as plain JSON objects, past every policy and fault.
    ///
    /// Text becomes S, a number N, truth BOOL, null NULL, an array L, an object M.
    pub async fn put_items(&self, table: &str, items: impl IntoIterator<Item = serde_json::Value>) {
        self.put_raw_items(table, items.into_iter().map(json::item)).await;
    }

    /// Puts items, past every policy and fault.
    pub async fn put_raw_items(
        &self,
        table: &str,
        items: impl IntoIterator<Item = HashMap<String, AttributeValue>>,
    ) {
        let client = self.backdoor();
        let writes: Vec<_> = items
            .into_iter()
            .map(|item| PutRequest::builder().set_item(Some(item)).build().expect("a put"))
            .map(|put| WriteRequest::builder().put_request(put).build())
            .collect();
        for chunk in writes.chunks(25) {
            let answer = client.batch_write_item().request_items(table, chunk.to_vec()).send().await;
            let left = answer.expect("the items are put").unprocessed_items.unwrap_or_default();
            assert!(left.is_empty(), "items left unprocessed");
        }
    }

    /// Every item of a table, past every policy and fault.
    pub async fn items(&self, table: &str) -> Vec<HashMap<String, AttributeValue>> {
        let pages = self.backdoor().scan().table_name(table).consistent_read(true).into_paginator();
        pages.items().send().collect::<Result<_, _>>().await.expect("the items are read")
    }

    /// Whether the table exists.
    pub async fn has_table(&self, name: &str) -> bool {
        match self.backdoor().describe_table().table_name(name).send().await {
            Ok(_) => true,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                false
            }
            Err(error) => panic!("the table could not be described: {error:?}"),
        }
    }

    /// Lets DescribeTable show this warm throughput.
    pub fn set_warm_throughput(&self, table: &str, reads: i64, writes: i64) {
        self.state.lock().extras(table).warm = Some((reads, writes));
    }

    /// Puts a table into a state, until it is put into another.
    pub fn set_status(&self, table: &str, status: TableStatus) {
        let mut state = self.state.lock();
        let extras = state.extras(table);
        extras.created_until = None;
        extras.status = Some(status);
    }

    /// Lets a table have come from an import; the last one set for a table is the newest.
    pub async fn set_import(&self, table: &str, import: Import) {
        let answer = self.backdoor().describe_table().table_name(table).send().await;
        let description = answer.expect("the table exists").table.expect("a description");
        let table_arn = crate::front::public_arn(&description.table_arn.expect("an ARN"));
        let mut state = self.state.lock();
        let arn = format!("{table_arn}/import/{:014}-septet", state.imports.len());
        let table_id = description.table_id.expect("a table id");
        state.imports.push(StoredImport { arn, table_arn, table_id, import });
    }

    /// The text of the newest resource policy of a table, in force or not.
    pub fn resource_policy(&self, table: &str) -> Option<String> {
        let state = self.state.lock();
        let change = state.extras.get(table)?.policies.last()?;
        change.policy.as_ref().map(|policy| policy.text.clone())
    }
}
