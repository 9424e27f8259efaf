//! Seals that release 0.1.0 put on tables.

use aws_sdk_dynamodb::types::AttributeValue;
use septet_emulator::{Emulator, recorded};
use septet_registry::TableName;
use septet_tables::{SealPolicy, SealState, Sealing, Tables};
use serde_json::Value;

use crate::support::{PATIENCE, seal_id, stranger};

/// A table under a seal that 0.1.0 put on it.
async fn sealed_by_0_1_0() -> (Emulator, TableName, String) {
    let policies = recorded::file("0.1.0/seal-policies.json");
    let (table, policy) = policies.as_object().unwrap().iter().next().unwrap();
    let (table, policy) = (TableName::parse(table).unwrap(), policy.as_str().unwrap().to_owned());
    let emulator = Emulator::start().await;
    emulator.create_dataset_table(table.as_str(), "user_id", None).await;
    let client = emulator.client();
    let arn = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{table}");
    client.put_resource_policy().resource_arn(arn).policy(&policy).send().await.unwrap();
    client.update_table().table_name(table.as_str()).deletion_protection_enabled(true).send().await.unwrap();
    (emulator, table, policy)
}

/// Septet's tables as 0.1.0 had them, with one role.
fn tables(emulator: &Emulator) -> Tables {
    Tables::new(emulator.client(), SealPolicy::new([Emulator::PRINCIPAL]).unwrap())
}

#[tokio::test]
async fn a_seal_of_0_1_0_is_intact() {
    let (emulator, table, _) = sealed_by_0_1_0().await;
    for policy in [SealPolicy::new([Emulator::PRINCIPAL]).unwrap(), SealPolicy::of_whoever()] {
        let tables = Tables::new(emulator.client(), policy);
        let facts = tables.describe(&table).await.unwrap().unwrap();
        assert_eq!(tables.seal_of(&facts, None).await.unwrap(), SealState::Intact);
    }
}

#[tokio::test]
async fn sealing_a_table_that_0_1_0_sealed_keeps_its_statements_and_lets_no_write_through() {
    let (emulator, table, before) = sealed_by_0_1_0().await;
    let facts = tables(&emulator).describe(&table).await.unwrap().unwrap();
    let sealing = tables(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap();
    assert!(matches!(sealing, Sealing::Sealed(_)), "{sealing:?}");
    let statements = |text: &str| -> Vec<Value> {
        let policy: Value = serde_json::from_str(text).unwrap();
        policy["Statement"].as_array().unwrap().clone()
    };
    let after = statements(&emulator.resource_policy(table.as_str()).unwrap());
    for statement in statements(&before) {
        assert!(after.contains(&statement), "{statement}");
    }
    let put = stranger(&emulator).put_item().table_name(table.as_str());
    put.item("user_id", AttributeValue::S("intruder".into())).send().await.unwrap_err();
}
