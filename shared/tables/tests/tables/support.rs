//! What the tests of dataset tables share.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use septet_emulator::Emulator;
use septet_registry::{SealId, TableId, TableName};
use septet_tables::{Deletion, DeletionTarget, Error, SealPolicy, Sealing, TableFacts, Tables};
use serde_json::{Value, json};

pub(crate) const TABLE: &str = "recs-2026-11-21";

/// Longer than anything here takes: a test that needs it all has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// No pause at all: only what can be done at once.
pub(crate) const NONE: Duration = Duration::ZERO;

pub(crate) fn name() -> TableName {
    TableName::parse(TABLE).unwrap()
}

/// The seal of the tables that the tests seal.
pub(crate) fn seal_id() -> SealId {
    SealId::parse("0123456789abcdef0123456789abcdef").unwrap()
}

/// A seal of another installation.
pub(crate) fn other_seal() -> SealId {
    SealId::parse("fedcba9876543210fedcba9876543210").unwrap()
}

/// Septet's tables, with the role of the emulator's own client and one more.
pub(crate) fn policy() -> SealPolicy {
    SealPolicy::new([Emulator::PRINCIPAL, "arn:aws:iam::000000000000:role/septet-prune"]).unwrap()
}

pub(crate) fn tables(emulator: &Emulator) -> Tables {
    Tables::new(emulator.client(), policy())
}

/// As [`tables`], without a second try for any call.
pub(crate) fn hasty(emulator: &Emulator) -> Tables {
    let client = emulator.client_with(|config| config.retry_config(RetryConfig::disabled()));
    Tables::new(client, policy())
}

/// A client of somebody who has no part in the seal.
pub(crate) fn stranger(emulator: &Emulator) -> Client {
    emulator.client_of("arn:aws:iam::000000000000:role/admin")
}

/// An emulator with a table of three items.
pub(crate) async fn with_table() -> Emulator {
    let emulator = Emulator::start().await;
    emulator.create_dataset_table(TABLE, "id", None).await;
    emulator.put_items(TABLE, (0..3).map(|n| json!({"id": n.to_string()}))).await;
    emulator
}

pub(crate) async fn facts(emulator: &Emulator) -> TableFacts {
    tables(emulator).describe(&name()).await.unwrap().unwrap()
}

pub(crate) async fn sealed(emulator: &Emulator) -> TableFacts {
    let before = facts(emulator).await;
    let sealing = tables(emulator).seal(&before, &seal_id(), PATIENCE).await.unwrap();
    assert!(matches!(sealing, Sealing::Sealed(_)), "{sealing:?}");
    facts(emulator).await
}

/// The policy with which Septet 0.1.0 seals [`TABLE`] for the roles of [`policy`], as it was stored.
pub(crate) fn release_0_1_0() -> Value {
    serde_json::from_str(include_str!("release-0.1.0-policy.json")).unwrap()
}

/// Puts a resource policy, as the roles of Septet may.
pub(crate) async fn put_policy(emulator: &Emulator, policy: &Value) {
    let facts = facts(emulator).await;
    let put = emulator.client().put_resource_policy().resource_arn(&facts.arn).policy(policy.to_string());
    put.send().await.unwrap();
}

/// The statements of the table's resource policy.
pub(crate) fn statements(emulator: &Emulator) -> Vec<Value> {
    let policy: Value = serde_json::from_str(&emulator.resource_policy(TABLE).unwrap()).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

/// Deletes the table of an id that Septet sealed and protected itself.
pub(crate) async fn delete(tables: &Tables, id: &TableId, patience: Duration) -> Result<Deletion, Error> {
    let (table, seal) = (name(), seal_id());
    let target = DeletionTarget { table: &table, id, seal: &seal, owner_protected: false };
    tables.delete(target, patience).await
}

/// Deletes the table and creates another of that name, as nobody could with a sealed one.
pub(crate) async fn replace(client: Client) {
    client.update_table().table_name(TABLE).deletion_protection_enabled(false).send().await.unwrap();
    client.delete_table().table_name(TABLE).send().await.unwrap();
    create(client).await;
}

pub(crate) async fn create(client: Client) {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap();
    let definition =
        AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
    let create = client.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    let create = create.key_schema(key).attribute_definitions(definition.build().unwrap());
    create.send().await.unwrap();
}
