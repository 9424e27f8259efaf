//! Tables: the states they pass through, and what a test adds to them.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    BillingMode, ProvisionedThroughput, TableDescription, TableStatus, WarmThroughput,
};
use septet_emulator::{Emulator, Import, TableStatus as Status};
use serde_json::json;

use crate::support::{LONG, TABLE, arn, code, deny, once, put, put_policy, with_table};

#[tokio::test]
async fn a_table_is_hidden_then_creating_then_active() {
    let emulator = Emulator::start().await;
    emulator.settings(|settings| {
        settings.hidden = LONG;
        settings.creating = LONG;
    });
    emulator.create_dataset_table(TABLE, "id", None).await;
    let client = once(&emulator);
    let describe = || client.describe_table().table_name(TABLE).send();
    assert_eq!(code(describe().await), "ResourceNotFoundException");
    emulator.settings(|settings| settings.hidden = Duration::ZERO);
    assert_eq!(describe().await.unwrap().table.unwrap().table_status, Some(TableStatus::Creating));
    assert_eq!(put(&client, "1").await, "ResourceNotFoundException");
    assert_eq!(code(client.delete_table().table_name(TABLE).send().await), "ResourceInUseException");
    emulator.settings(|settings| settings.creating = Duration::from_millis(1));
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(describe().await.unwrap().table.unwrap().table_status, Some(TableStatus::Active));
    assert_eq!(put(&client, "1").await, "ok");

    emulator.set_status(TABLE, Status::Updating);
    assert_eq!(describe().await.unwrap().table.unwrap().table_status, Some(TableStatus::Updating));
    assert_eq!(put(&client, "2").await, "ok");
    assert_eq!(code(client.delete_table().table_name(TABLE).send().await), "ResourceInUseException");
    emulator.set_status(TABLE, Status::Active);
    client.delete_table().table_name(TABLE).send().await.unwrap();
}

#[tokio::test]
async fn a_deleted_table_is_deleting_for_a_while() {
    let emulator = with_table().await;
    emulator.settings(|settings| settings.deleting = LONG);
    let client = once(&emulator);
    client.delete_table().table_name(TABLE).send().await.unwrap();
    let described = client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    assert_eq!(described.table_status, Some(TableStatus::Deleting));
    client.delete_table().table_name(TABLE).send().await.unwrap();
    assert_eq!(client.list_tables().send().await.unwrap().table_names(), [TABLE]);
    assert_eq!(put(&client, "1").await, "ResourceNotFoundException");
    emulator.settings(|settings| settings.deleting = Duration::from_millis(1));
    tokio::time::sleep(Duration::from_millis(5)).await;
    let gone = client.describe_table().table_name(TABLE).send().await;
    assert_eq!(code(gone), "ResourceNotFoundException");
    assert!(client.list_tables().send().await.unwrap().table_names().is_empty());
}

#[tokio::test]
async fn deletion_protection_and_warm_throughput_show_and_hold() {
    let emulator = with_table().await;
    let client = emulator.client();
    emulator.set_warm_throughput(TABLE, 12_000, 4_000);
    let protect = |on: bool| client.update_table().table_name(TABLE).deletion_protection_enabled(on).send();
    protect(true).await.unwrap();
    let table = client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    assert_eq!(table.deletion_protection_enabled, Some(true));
    let warm = table.warm_throughput.unwrap();
    assert_eq!((warm.read_units_per_second, warm.write_units_per_second), (Some(12_000), Some(4_000)));
    let refused = client.delete_table().table_name(TABLE).send().await;
    assert_eq!(code(refused), "ValidationException");
    protect(false).await.unwrap();
    client.delete_table().table_name(TABLE).send().await.unwrap();
}

#[tokio::test]
async fn a_table_is_warmed_up_for_a_while_and_never_cooled() {
    let emulator = with_table().await;
    let client = once(&emulator);
    emulator.settings(|settings| settings.warming = LONG);
    let warm = |reads: i64| {
        let warm = WarmThroughput::builder().read_units_per_second(reads).build();
        client.update_table().table_name(TABLE).warm_throughput(warm).send()
    };
    let shown = |table: Option<TableDescription>| {
        let table = table.unwrap();
        let warm = table.warm_throughput.unwrap();
        (warm.read_units_per_second, warm.write_units_per_second, warm.status, table.table_status)
    };
    assert_eq!(code(warm(11_999).await), "ValidationException");
    let updating = Some(TableStatus::Updating);
    let expected = (Some(20_000), Some(4_000), updating.clone(), updating);
    assert_eq!(shown(warm(20_000).await.unwrap().table_description), expected);
    let describe = || client.describe_table().table_name(TABLE).send();
    assert_eq!(shown(describe().await.unwrap().table), expected);
    assert_eq!(code(warm(30_000).await), "ResourceInUseException");
    emulator.settings(|settings| settings.warming = Duration::ZERO);
    let active = Some(TableStatus::Active);
    let expected = (Some(20_000), Some(4_000), active.clone(), active);
    assert_eq!(shown(describe().await.unwrap().table), expected);
    assert_eq!(code(warm(19_999).await), "ValidationException");
    // With something that dynoxide knows as well.
    let warm = WarmThroughput::builder().read_units_per_second(30_000).build();
    let both =
        client.update_table().table_name(TABLE).warm_throughput(warm).deletion_protection_enabled(true);
    let table = both.send().await.unwrap().table_description.unwrap();
    assert_eq!(table.deletion_protection_enabled, Some(true));
    assert_eq!(table.warm_throughput.unwrap().read_units_per_second, Some(30_000));
}

#[tokio::test]
async fn a_test_creates_tables_of_its_own_and_adds_to_their_descriptions() {
    let emulator = Emulator::start().await;
    let throughput = ProvisionedThroughput::builder().read_capacity_units(5).write_capacity_units(5);
    emulator
        .create_table_with(TABLE, &[("id", "S")], |create| {
            let throughput = throughput.build().unwrap();
            create.billing_mode(BillingMode::Provisioned).provisioned_throughput(throughput)
        })
        .await;
    let client = emulator.client();
    let describe = || async {
        let answer = client.describe_table().table_name(TABLE).send().await;
        answer.unwrap().table.unwrap()
    };
    let before = describe().await;
    assert_eq!(before.provisioned_throughput.unwrap().read_capacity_units, Some(5));
    emulator.set_replicas(TABLE, &["eu-west-1", "eu-west-2"]);
    emulator
        .set_description(TABLE, json!({"TableClassSummary": {"TableClass": "STANDARD"}, "ItemCount": null}));
    let table = describe().await;
    let regions: Vec<_> = table.replicas().iter().map(|replica| replica.region_name().unwrap()).collect();
    assert_eq!((regions, table.item_count), (vec!["eu-west-1", "eu-west-2"], None));
    assert!(table.table_class_summary.is_some() && table.table_id == before.table_id);
    // Another table of the name has none of it.
    client.delete_table().table_name(TABLE).send().await.unwrap();
    emulator.create_dataset_table(TABLE, "id", None).await;
    assert!(describe().await.replicas().is_empty());
}

#[tokio::test]
async fn the_owner_sets_protection_and_expiry_past_policies() {
    let emulator = with_table().await;
    let client = emulator.client();
    put_policy(&client, &deny(&["dynamodb:UpdateTable", "dynamodb:UpdateTimeToLive"], &[])).await;
    emulator.set_ttl(TABLE, "until").await;
    let ttl = client.describe_time_to_live().table_name(TABLE).send().await.unwrap();
    assert_eq!(ttl.time_to_live_description.unwrap().attribute_name.unwrap(), "until");
    for on in [true, false] {
        emulator.set_deletion_protection(TABLE, on).await;
        let table = client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
        assert_eq!(table.deletion_protection_enabled, Some(on));
    }
}

#[tokio::test]
async fn imports_are_listed_newest_first_in_pages_and_described() {
    let emulator = with_table().await;
    let import =
        |status: &str| Import { status: status.into(), processed: 3, imported: 2, errors: 1, failure: None };
    emulator.set_import(TABLE, import("FAILED")).await;
    emulator.set_import(TABLE, import("COMPLETED")).await;
    let client = emulator.client();
    let pages = client.list_imports().table_arn(arn()).page_size(1).into_paginator().send();
    let pages: Vec<_> = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    let listed: Vec<_> = pages.iter().flat_map(|page| page.import_summary_list()).collect();
    let statuses: Vec<_> =
        listed.iter().map(|import| import.import_status.as_ref().unwrap().as_str()).collect();
    assert_eq!((pages.len(), statuses), (2, vec!["COMPLETED", "FAILED"]));
    let arn = listed[0].import_arn().unwrap();
    let described = client.describe_import().import_arn(arn).send().await.unwrap();
    let import = described.import_table_description.unwrap();
    assert_eq!((import.processed_item_count, import.imported_item_count, import.error_count), (3, 2, 1));
    let table = client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    assert_eq!(import.table_id, table.table_id);
    let other = table.table_arn.unwrap().replace(TABLE, "nowhere");
    let none = client.list_imports().table_arn(other).send().await.unwrap();
    assert!(none.import_summary_list().is_empty());
}
