//! Tables and items for tests, and what a test can say about a table.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, PutRequest,
    ScalarAttributeType, TimeToLiveSpecification, WriteRequest,
};
use serde_json::{Value, json};

use crate::state::{Import, StoredImport, TableStatus};
use crate::{Emulator, json as plain};

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
        self.create_table_with(name, keys, |create| create).await;
    }

    /// As [`Emulator::create_table`], with indexes, a billing mode or whatever else CreateTable takes.
    pub async fn create_table_with(
        &self,
        name: &str,
        keys: &[(&str, &str)],
        settings: impl FnOnce(CreateTableFluentBuilder) -> CreateTableFluentBuilder,
    ) {
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
        settings(create).send().await.expect("the table is created");
    }

    /// Puts items given as plain JSON objects, past every policy and fault.
    ///
    /// Text becomes S, a number N, truth BOOL, null NULL, an array L, an object M.
    pub async fn put_items(&self, table: &str, items: impl IntoIterator<Item = Value>) {
        self.put_raw_items(table, items.into_iter().map(plain::item)).await;
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

    /// Merges members into what DescribeTable shows of a table: features of DynamoDB that dynoxide lacks. A null
    /// takes a member away.
    ///
    /// # Panics
    /// When the members are no JSON object.
    pub fn set_description(&self, table: &str, members: Value) {
        let Value::Object(members) = members else { panic!("members are a JSON object, not {members}") };
        self.state.lock().extras(table).description.extend(members);
    }

    /// Lets DescribeTable show replicas in these regions, as of a global table.
    pub fn set_replicas(&self, table: &str, regions: &[&str]) {
        let replica = |region: &&str| json!({"RegionName": region, "ReplicaStatus": "ACTIVE"});
        let replicas: Vec<_> = regions.iter().map(replica).collect();
        self.set_description(table, json!({"GlobalTableVersion": "2019.11.21", "Replicas": replicas}));
    }

    /// Lets items expire at the time of an attribute, past every policy and fault.
    pub async fn set_ttl(&self, table: &str, attribute: &str) {
        let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name(attribute);
        let call = self.backdoor().update_time_to_live().table_name(table);
        let call = call.time_to_live_specification(ttl.build().expect("a specification"));
        call.send().await.expect("items expire");
    }

    /// Switches deletion protection on or off as the owner of the table, past every policy and fault.
    pub async fn set_deletion_protection(&self, table: &str, on: bool) {
        let call = self.backdoor().update_table().table_name(table).deletion_protection_enabled(on);
        call.send().await.expect("deletion protection is set");
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

    /// Takes the id out of the seal of a table: release 0.1.0 gave seals none.
    pub async fn forget_seal_id(&self, table: &str) {
        let text = self.resource_policy(table).expect("a policy");
        let mut policy: Value = serde_json::from_str(&text).expect("a policy is JSON");
        let statements = policy["Statement"].as_array_mut().expect("statements");
        statements.retain(|one| !one["Sid"].as_str().is_some_and(|sid| sid.starts_with("SeptetSealId")));
        let client = self.client();
        let description = client.describe_table().table_name(table).send().await.expect("the table exists");
        let arn = description.table.and_then(|table| table.table_arn).expect("an ARN");
        let put = client.put_resource_policy().resource_arn(arn).policy(policy.to_string());
        put.send().await.expect("the policy is put");
    }

    /// The text of the newest resource policy of a table, in force or not.
    pub fn resource_policy(&self, table: &str) -> Option<String> {
        let state = self.state.lock();
        let change = state.extras.get(table)?.policies.last()?;
        change.policy.as_ref().map(|policy| policy.text.clone())
    }
}
