//! Calls that pass through, fail, wait or are denied.

use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::RequestId;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, KeysAndAttributes, Put, PutRequest, ScalarAttributeType, TableStatus, Tag,
    TransactWriteItem, Update, WriteRequest,
};
use septet_emulator::{Emulator, Fault};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{LONG, TABLE, arn, code, deny, once, put, put_policy, s, with_table};

#[tokio::test]
async fn items_and_tables_pass_through() {
    let emulator = Emulator::start().await;
    emulator.create_registry_table("registry").await;
    emulator.create_dataset_table(TABLE, "id", None).await;
    let items = (0..30).map(|n| json!({"id": n.to_string(), "rank": n, "deep": [{"a": null}]}));
    emulator.put_items(TABLE, items).await;

    let client = emulator.client();
    let item = client.get_item().table_name(TABLE).key("id", s("7")).send().await.unwrap().item.unwrap();
    assert_eq!(item["rank"], AttributeValue::N("7".into()));
    assert_eq!(emulator.items(TABLE).await.len(), 30);
    let table = client.describe_table().table_name(arn()).send().await.unwrap().table.unwrap();
    assert_eq!((table.table_arn.unwrap(), table.table_status), (arn(), Some(TableStatus::Active)));
    let registry = client.describe_table().table_name("registry").send().await.unwrap().table.unwrap();
    let keys: Vec<_> = registry.key_schema().iter().map(|key| key.attribute_name()).collect();
    assert_eq!(keys, ["pk", "sk"]);
    let definitions = registry.attribute_definitions();
    assert!(definitions.iter().all(|key| *key.attribute_type() == ScalarAttributeType::S));
}

#[tokio::test]
async fn two_emulators_share_nothing_and_stop_when_dropped() {
    let (one, two) = (with_table().await, Emulator::start().await);
    assert!(one.has_table(TABLE).await);
    assert!(!two.has_table(TABLE).await);
    let client = once(&one);
    drop(one);
    assert_eq!(put(&client, "1").await, "no answer");
}

#[tokio::test]
async fn a_lost_answer_has_landed_and_a_refused_call_has_not() {
    let emulator = with_table().await;
    let client = once(&emulator);
    emulator.inject(Fault::lost_answer("PutItem"));
    assert_eq!(put(&client, "lost").await, "no answer");
    emulator.inject(Fault::refuse("PutItem"));
    assert_eq!(put(&client, "refused").await, "no answer");
    assert_eq!(put(&client, "plain").await, "ok");
    assert_eq!(emulator.fired(), 2);
    let items = emulator.items(TABLE).await;
    let mut ids: Vec<_> = items.iter().map(|item| item["id"].as_s().unwrap().clone()).collect();
    ids.sort();
    assert_eq!(ids, ["lost", "plain"]);
}

#[tokio::test]
async fn a_fault_fires_on_the_matching_calls_it_was_told_and_is_counted() {
    let emulator = with_table().await;
    let client = once(&emulator);
    let id = emulator.inject(Fault::internal_server_error("PutItem").containing("\"b").from(2).times(2));
    let mut answers = Vec::new();
    for id in ["a1", "b1", "a2", "b2", "b3", "b4"] {
        answers.push(put(&client, id).await);
    }
    let failed = "InternalServerError";
    assert_eq!(answers, ["ok", "ok", "ok", failed, failed, "ok"]);
    assert_eq!((emulator.fired_by(id), emulator.fired()), (2, 2));
    assert_eq!((emulator.count("PutItem"), emulator.calls()["CreateTable"]), (6, 1));
    let always = emulator.inject(Fault::throttle("PutItem").always());
    assert_eq!(put(&client, "c1").await, "ProvisionedThroughputExceededException");
    emulator.clear_faults();
    emulator.clear_calls();
    assert_eq!(put(&client, "c1").await, "ok");
    assert_eq!((emulator.fired_by(always), emulator.count("PutItem")), (1, 1));
}

#[tokio::test]
async fn the_client_retries_and_the_retries_are_counted() {
    let emulator = with_table().await;
    emulator.inject(Fault::throttle("PutItem").times(2));
    assert_eq!(put(&emulator.client(), "1").await, "ok");
    assert_eq!(emulator.count("PutItem"), 3);
}

#[tokio::test]
async fn transactions_are_cancelled_with_a_reason_for_each_action() {
    let emulator = with_table().await;
    let client = once(&emulator);
    let update = Update::builder().table_name(TABLE).key("id", s("1")).update_expression("SET a = :a");
    let update = update.expression_attribute_values(":a", s("x")).build().unwrap();
    let delete = Delete::builder().table_name(TABLE).key("id", s("2")).build().unwrap();
    let send = || {
        let items = client.transact_write_items();
        items
            .transact_items(TransactWriteItem::builder().update(update.clone()).build())
            .transact_items(TransactWriteItem::builder().delete(delete.clone()).build())
            .send()
    };
    for (fault, reason) in [
        (Fault::transaction_conflict("TransactWriteItems"), "TransactionConflict"),
        (Fault::throttle("TransactWriteItems"), "ThrottlingError"),
    ] {
        emulator.inject(fault);
        let error = send().await.unwrap_err().into_service_error();
        let TransactWriteItemsError::TransactionCanceledException(error) = error else {
            panic!("{error:?}");
        };
        let reasons = error.cancellation_reasons();
        let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap()).collect();
        assert_eq!(codes, [reason, "None"]);
    }
    send().await.unwrap();
    emulator.inject(Fault::transaction_conflict("PutItem"));
    assert_eq!(put(&client, "1").await, "TransactionConflictException");
}

#[tokio::test]
async fn a_delayed_call_outlives_the_patience_of_the_client() {
    let emulator = with_table().await;
    let hasty = emulator.client_with(|config| {
        let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_millis(50)).build();
        config.retry_config(RetryConfig::disabled()).timeout_config(timeouts)
    });
    emulator.inject(Fault::delay("PutItem", LONG));
    assert_eq!(put(&hasty, "1").await, "time-out");
    let start = Instant::now();
    emulator.inject(Fault::delay("PutItem", Duration::from_millis(100)));
    assert_eq!(put(&emulator.client(), "2").await, "ok");
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn another_party_acts_just_before_the_call_lands() {
    let emulator = with_table().await;
    let other = emulator.backdoor();
    emulator.inject(Fault::meanwhile("DeleteTable", move || {
        let other = other.clone();
        async move {
            other.delete_table().table_name(TABLE).send().await.unwrap();
        }
    }));
    let delete = once(&emulator).delete_table().table_name(TABLE).send().await;
    assert_eq!(code(delete), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_batch_is_done_in_part() {
    let emulator = with_table().await;
    let client = emulator.client();
    emulator.inject(Fault::unprocessed("BatchWriteItem", 2));
    let writes = ["1", "2", "3"].map(write);
    let answer = client.batch_write_item().request_items(TABLE, writes.to_vec()).send().await.unwrap();
    assert_eq!(answer.unprocessed_items.unwrap()[TABLE], [writes[2].clone()]);
    assert_eq!(emulator.items(TABLE).await.len(), 2);

    emulator.inject(Fault::unprocessed("BatchGetItem", 1));
    let keys = ["1", "2"].map(|id| [("id".to_owned(), s(id))].into());
    let keys = KeysAndAttributes::builder().set_keys(Some(keys.to_vec())).build().unwrap();
    let answer = client.batch_get_item().request_items(TABLE, keys).send().await.unwrap();
    assert_eq!(answer.responses.unwrap()[TABLE].len(), 1);
    assert_eq!(answer.unprocessed_keys.unwrap()[TABLE].keys()[0]["id"], s("2"));
}

#[tokio::test]
async fn a_batch_may_be_done_not_at_all() {
    let emulator = with_table().await;
    let client = emulator.client();
    emulator.inject(Fault::unprocessed("BatchWriteItem", 0));
    let answer = client.batch_write_item().request_items(TABLE, vec![write("1")]).send().await.unwrap();
    assert_eq!(answer.unprocessed_items.unwrap()[TABLE], [write("1")]);
    assert_eq!(emulator.items(TABLE).await.len(), 0);
}

#[tokio::test]
async fn a_batch_may_name_its_table_by_arn() {
    let emulator = with_table().await;
    let client = emulator.client();
    client.batch_write_item().request_items(arn(), vec![write("1")]).send().await.unwrap();
    let keys = KeysAndAttributes::builder().keys([("id".to_owned(), s("1"))].into()).build().unwrap();
    let answer = client.batch_get_item().request_items(arn(), keys).send().await.unwrap();
    assert_eq!(answer.responses.unwrap().into_values().flatten().count(), 1);
}

fn write(id: &str) -> WriteRequest {
    WriteRequest::builder().put_request(PutRequest::builder().item("id", s(id)).build().unwrap()).build()
}

#[tokio::test]
async fn pages_can_be_made_small() {
    let emulator = with_table().await;
    emulator.put_items(TABLE, (0..5).map(|n| json!({"id": n.to_string()}))).await;
    emulator.settings(|settings| settings.page_items = Some(2));
    let pages = emulator.client().scan().table_name(TABLE).into_paginator().send();
    let pages: Vec<_> = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(pages.iter().map(|page| page.count).collect::<Vec<_>>(), [2, 2, 1]);

    let client = emulator.client();
    let tags = ["a", "b", "c"].map(|key| Tag::builder().key(key).value("1").build().unwrap());
    client.tag_resource().resource_arn(arn()).set_tags(Some(tags.to_vec())).send().await.unwrap();
    emulator.settings(|settings| settings.page_tags = Some(2));
    let first = client.list_tags_of_resource().resource_arn(arn()).send().await.unwrap();
    let second = client.list_tags_of_resource().resource_arn(arn()).set_next_token(first.next_token.clone());
    let second = second.send().await.unwrap();
    let keys: Vec<_> = first.tags().iter().chain(second.tags()).map(|tag| tag.key()).collect();
    assert_eq!((first.tags().len(), keys, second.next_token.as_ref()), (2, vec!["a", "b", "c"], None));
}

#[tokio::test]
async fn a_denied_action_is_refused_by_every_way_to_it() {
    let emulator = with_table().await;
    emulator.put_items(TABLE, [json!({"id": "0"})]).await;
    let client = emulator.client();
    put_policy(&client, &deny(&["dynamodb:PutItem", "dynamodb:PartiQL*"], &[])).await;
    let denied = client.put_item().table_name(TABLE).item("id", s("1")).send().await.unwrap_err();
    assert!(denied.request_id().is_some());
    let message = denied.into_service_error().message().unwrap().to_owned();
    assert!(message.contains("dynamodb:PutItem") && message.contains("explicit deny"), "{message}");

    let action = Put::builder().table_name(TABLE).item("id", s("1")).build().unwrap();
    let action = TransactWriteItem::builder().put(action).build();
    let transaction = client.transact_write_items().transact_items(action).send().await;
    assert_eq!(code(transaction), "AccessDeniedException");
    for statement in [
        format!("INSERT INTO \"{TABLE}\" VALUE {{'id':'1'}}"),
        format!("UPDATE \"{TABLE}\" SET a=1 WHERE id='0'"),
        format!("DELETE FROM \"{TABLE}\" WHERE id='0'"),
    ] {
        assert_eq!(
            code(client.execute_statement().statement(statement).send().await),
            "AccessDeniedException"
        );
    }

    // BatchWriteItem is an action of its own, and deleting was not denied.
    let batch = || client.batch_write_item().request_items(TABLE, vec![write("2")]).send();
    let delete = |id: &str| client.delete_item().table_name(TABLE).key("id", s(id)).send();
    batch().await.unwrap();
    delete("0").await.unwrap();
    let denials = [
        "dynamodb:BatchWriteItem",
        "dynamodb:DeleteItem",
        "dynamodb:DeleteTable",
        "dynamodb:UpdateTable",
        "dynamodb:UpdateTimeToLive",
    ];
    put_policy(&client, &deny(&denials, &[])).await;
    assert_eq!(code(batch().await), "AccessDeniedException");
    assert_eq!(code(delete("2").await), "AccessDeniedException");
    assert_eq!(code(client.delete_table().table_name(TABLE).send().await), "AccessDeniedException");
    let protect = client.update_table().table_name(TABLE).deletion_protection_enabled(true).send().await;
    assert_eq!(code(protect), "AccessDeniedException");
    assert_eq!(put(&client, "3").await, "ok");
}

#[tokio::test]
async fn a_denial_spares_the_principals_it_excepts() {
    let emulator = with_table().await;
    let spared = emulator.client_of("arn:aws:iam::111111111111:role/septet/prune-x7");
    let text = deny(&["dynamodb:DeleteTable"], &["arn:aws:iam::111111111111:role/septet/*"]);
    put_policy(&spared, &text).await;
    let answer = emulator.client().delete_table().table_name(TABLE).send().await;
    assert_eq!(code(answer), "AccessDeniedException");
    spared.delete_table().table_name(TABLE).send().await.unwrap();
    // A new table of that name has no policy.
    emulator.create_dataset_table(TABLE, "id", None).await;
    assert_eq!(emulator.resource_policy(TABLE), None);
    emulator.client().delete_table().table_name(TABLE).send().await.unwrap();
}

#[tokio::test]
async fn policies_are_put_read_and_deleted_by_revision() {
    let emulator = with_table().await;
    let client = emulator.client();
    let get = || client.get_resource_policy().resource_arn(arn()).send();
    assert_eq!(code(get().await), "PolicyNotFoundException");
    let text = deny(&["dynamodb:PutItem"], &[]);
    let put = |text: &str, expected: &str| {
        client.put_resource_policy().resource_arn(arn()).policy(text).expected_revision_id(expected).send()
    };
    assert_eq!(code(put(&text, "1").await), "PolicyNotFoundException");
    let revision = put(&text, "NO_POLICY").await.unwrap().revision_id.unwrap();
    assert_eq!(code(put(&text, "NO_POLICY").await), "PolicyNotFoundException");
    let read = get().await.unwrap();
    assert_eq!((read.policy.unwrap(), read.revision_id.unwrap()), (text.clone(), revision.clone()));
    assert_eq!(put_policy(&client, &text).await, revision);
    let other = put(&deny(&["dynamodb:UpdateItem"], &[]), &revision).await.unwrap().revision_id.unwrap();
    assert_ne!(other, revision);
    let delete = |expected: &str| {
        client.delete_resource_policy().resource_arn(arn()).expected_revision_id(expected).send()
    };
    assert_eq!(code(delete(&revision).await), "PolicyNotFoundException");
    delete(&other).await.unwrap();
    assert_eq!(code(get().await), "PolicyNotFoundException");
    assert_eq!(code(put(&"x".repeat(20 * 1024 + 1), "NO_POLICY").await), "LimitExceededException");
    let nowhere = client.get_resource_policy().resource_arn(arn().replace(TABLE, "nowhere")).send().await;
    assert_eq!(code(nowhere), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_policy_takes_its_time() {
    let emulator = with_table().await;
    let client = once(&emulator);
    emulator.settings(|settings| {
        settings.policy_in_force_after = LONG;
        settings.policy_readable_after = LONG;
        settings.policy_blocked_for = LONG;
    });
    put_policy(&client, &deny(&["dynamodb:PutItem"], &[])).await;
    assert_eq!(put(&client, "1").await, "ok");
    let get = || client.get_resource_policy().resource_arn(arn()).send();
    assert_eq!(code(get().await), "PolicyNotFoundException");
    let other = deny(&["dynamodb:GetItem"], &[]);
    let again = client.put_resource_policy().resource_arn(arn()).policy(&other).send();
    assert_eq!(code(again.await), "ResourceInUseException");
    emulator.settings(|settings| settings.policy_readable_after = Duration::ZERO);
    get().await.unwrap();
    assert_eq!(put(&client, "2").await, "ok");
    emulator.settings(|settings| settings.policy_in_force_after = Duration::from_millis(1));
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(put(&client, "3").await, "AccessDeniedException");
    emulator.settings(|settings| settings.policy_blocked_for = Duration::ZERO);
    put_policy(&client, &other).await;
}

#[tokio::test]
async fn a_missing_permission_is_no_explicit_deny() {
    let emulator = with_table().await;
    emulator.inject(Fault::access_denied("PutItem"));
    let put = emulator.client().put_item().table_name(TABLE).item("id", s("1")).send().await;
    let message = put.unwrap_err().into_service_error().message().unwrap().to_owned();
    assert!(message.contains("dynamodb:PutItem") && !message.contains("explicit deny"), "{message}");
}
