//! What the tests of dataset tables share.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use septet_emulator::Emulator;
use septet_registry::TableName;
use septet_tables::{SealPolicy, Sealing, TableFacts, Tables};
use serde_json::json;

pub(crate) const TABLE: &str = "recs-2026-11-21";

/// Longer than anything here takes: a test that needs it all has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// No pause at all: only what can be done at once.
pub(crate) const NONE: Duration = Duration::ZERO;

pub(crate) fn name() -> TableName {
    TableName::parse(TABLE).unwrap()
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
    let sealing = tables(emulator).seal(&before, PATIENCE).await.unwrap();
    assert!(matches!(sealing, Sealing::Sealed(_)), "{sealing:?}");
    facts(emulator).await
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
