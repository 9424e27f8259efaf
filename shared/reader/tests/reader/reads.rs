//! What reads answer, and that each stays on one version.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use septet_emulator::Fault;
use septet_reader::{Error, ErrorKind, Item, Reader};

use crate::nights::*;

fn users(items: &[Item]) -> BTreeSet<usize> {
    items.iter().map(|item| item["user_id"].as_s().unwrap().parse().unwrap()).collect()
}

fn nights_in(items: &[Item]) -> BTreeSet<u64> {
    items.iter().map(night_of).collect()
}

/// Lets the pointer move and the reader follow in the middle of the n-th call of `operation`.
fn move_meanwhile(nights: &Nights, reader: &Reader, operation: &str, nth: usize) {
    let (publisher, reader) = (nights.publisher.clone(), reader.clone());
    let act = move || {
        let (publisher, reader) = (publisher.clone(), reader.clone());
        async move {
            publisher.forge_pointer(1, 3).await;
            while reader.current().version != number(1) {
                tokio::time::sleep(SOON / 4).await;
            }
        }
    };
    nights.emulator.inject(Fault::meanwhile(operation, act).from(nth));
}

#[tokio::test]
async fn a_key_that_the_version_does_not_have_gives_nothing() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().start().await.unwrap();
    assert_eq!(reader.get(key(999)).await.unwrap(), None);
    assert_eq!(reader.batch_get([key(999)]).await.unwrap(), Vec::<Item>::new());
    assert_eq!(reader.batch_get([]).await.unwrap(), Vec::<Item>::new());
}

#[tokio::test]
async fn reads_name_the_table_by_its_arn() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().poll_every(NEVER).start().await.unwrap();
    let calls = ["GetItem", "BatchGetItem", "Query"];
    let named = calls.map(|call| {
        nights.emulator.inject(Fault::delay(call, Duration::ZERO).containing(&arn("recs-1")).always())
    });
    reader.get(key(1)).await.unwrap().unwrap();
    assert_eq!(reader.batch_get([key(1)]).await.unwrap().len(), 1);
    let found = reader.query(|query| {
        query
            .key_condition_expression("user_id = :user")
            .expression_attribute_values(":user", AttributeValue::S("1".into()))
    });
    assert_eq!(found.await.unwrap().len(), 1);
    assert_eq!(named.map(|id| nights.emulator.fired_by(id)), [1, 1, 1]);
}

#[tokio::test]
async fn a_call_that_is_wrong_says_so_and_is_not_tried_again() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().poll_every(NEVER).start().await.unwrap();
    nights.emulator.clear_calls();
    let wrong = [("nobody".to_owned(), AttributeValue::S("1".into()))].into();
    let error = reader.get(wrong).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Invalid, false));
    assert!(error.to_string().contains("ValidationException (The provided key element"), "{error}");
    assert_eq!(nights.emulator.count("GetItem"), 1);
}

#[tokio::test]
async fn failed_reads_say_of_what_kind_they_are() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().poll_every(NEVER).start().await.unwrap();
    for (fault, kind, retryable) in [
        (Fault::throttle("GetItem"), ErrorKind::Throttled, true),
        (Fault::access_denied("GetItem"), ErrorKind::Denied, false),
        (Fault::internal_server_error("GetItem"), ErrorKind::Unavailable, true),
        (Fault::refuse("GetItem"), ErrorKind::Unavailable, true),
    ] {
        nights.emulator.inject(fault.always());
        let error = reader.get(key(1)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{error}");
        nights.emulator.clear_faults();
    }
    reader.get(key(1)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_batch_is_read_a_hundred_keys_at_a_time_each_once() {
    let nights = Nights::new(0, 300).await;
    nights.pass(250).await;
    let reader = nights.reader().poll_every(NEVER).start().await.unwrap();
    nights.emulator.clear_calls();
    let items = reader.batch_get((0..250).chain(100..200).map(key)).await.unwrap();
    assert_eq!(items.len(), 250);
    assert_eq!(users(&items), (0..250).collect());
    assert_eq!(nights.emulator.count("BatchGetItem"), 3);
}

#[tokio::test]
async fn keys_left_unprocessed_are_asked_for_again() {
    let nights = Nights::new(0, 300).await;
    nights.pass(120).await;
    let reader = nights.reader().poll_every(NEVER).start().await.unwrap();
    nights.emulator.clear_calls();
    nights.emulator.inject(Fault::unprocessed("BatchGetItem", 7).times(3));
    nights.emulator.inject(Fault::unprocessed("BatchGetItem", 0).from(4).times(2));
    let items = reader.batch_get((0..120).map(key)).await.unwrap();
    assert_eq!((items.len(), users(&items)), (120, (0..120).collect()));
    assert_eq!(nights.emulator.fired(), 5);
}

#[tokio::test]
async fn keys_left_unprocessed_for_ever_are_an_error() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().poll_every(NEVER).start().await.unwrap();
    nights.emulator.clear_calls();
    nights.emulator.inject(Fault::unprocessed("BatchGetItem", 1).times(1));
    nights.emulator.inject(Fault::unprocessed("BatchGetItem", 0).from(2).always());
    let error = reader.batch_get((0..3).map(key)).await.unwrap_err();
    assert!(matches!(error, Error::Unprocessed { left: 2, .. }), "{error}");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Throttled, true));
    assert_eq!(nights.emulator.count("BatchGetItem"), 9, "the one that gave something does not count");
}

#[tokio::test]
async fn a_batch_is_of_one_version_though_the_pointer_moves_meanwhile() {
    let nights = Nights::new(0, 300).await;
    nights.pass(700).await;
    nights.pass(700).await;
    let reader = nights.reader().start().await.unwrap();
    move_meanwhile(&nights, &reader, "BatchGetItem", 1);
    let items = reader.batch_get((0..700).map(key)).await.unwrap();
    assert_eq!((items.len(), nights_in(&items)), (700, BTreeSet::from([2])));
    assert_eq!(reader.current().version, number(1));
    let items = reader.batch_get((0..700).map(key)).await.unwrap();
    assert_eq!((items.len(), nights_in(&items)), (700, BTreeSet::from([1])));
}

/// Nights whose table has a sort key, so that a query has several items.
async fn with_sort_key(nights: &Nights) {
    for night in 1..=2 {
        let table = format!("recs-{night}");
        nights.emulator.create_dataset_table(&table, "user_id", Some("rank")).await;
        let item =
            |rank: u32| serde_json::json!({"user_id": "1", "rank": format!("{rank:02}"), "night": night});
        nights.emulator.put_items(&table, (0..10).map(item)).await;
        let version = nights.publisher.announce(&table).await;
        nights.publisher.check(version, septet_registry::VerdictOutcome::Passed).await;
        nights.publisher.promote(version).await;
    }
    nights.emulator.settings(|settings| settings.page_items = Some(4));
}

fn ranks(items: &[Item]) -> Vec<String> {
    items.iter().map(|item| item["rank"].as_s().unwrap().clone()).collect()
}

async fn ranking(reader: &Reader) -> Result<Vec<Item>, Error> {
    reader
        .query(|query| {
            query
                .key_condition_expression("user_id = :user")
                .expression_attribute_values(":user", AttributeValue::S("1".into()))
                .scan_index_forward(false)
        })
        .await
}

#[tokio::test]
async fn a_query_gives_all_pages_of_one_version_though_the_pointer_moves_meanwhile() {
    let nights = Nights::new(0, 300).await;
    with_sort_key(&nights).await;
    let reader = nights.reader().start().await.unwrap();
    move_meanwhile(&nights, &reader, "Query", 2);
    let falling: Vec<_> = (0..10).rev().map(|rank| format!("{rank:02}")).collect();
    let items = ranking(&reader).await.unwrap();
    assert_eq!((ranks(&items), nights_in(&items)), (falling.clone(), BTreeSet::from([2])));
    assert_eq!(nights.emulator.count("Query"), 3);
    let items = ranking(&reader).await.unwrap();
    assert_eq!((ranks(&items), nights_in(&items)), (falling, BTreeSet::from([1])));
}

#[tokio::test]
async fn a_query_whose_table_vanishes_between_pages_begins_again_on_the_new_version() {
    let nights = Nights::new(0, 300).await;
    with_sort_key(&nights).await;
    let reader = nights.reader().poll_every(NEVER).start().await.unwrap();
    let publisher = nights.publisher.clone();
    let vanish = move || {
        let publisher = publisher.clone();
        async move {
            publisher.forge_pointer(1, 3).await;
            publisher.drop_table("recs-2").await;
        }
    };
    nights.emulator.inject(Fault::meanwhile("Query", vanish).from(2));
    let items = ranking(&reader).await.unwrap();
    assert_eq!((items.len(), nights_in(&items)), (10, BTreeSet::from([1])));
}

#[tokio::test]
async fn the_reads_of_a_snapshot_agree_until_its_table_is_gone() {
    let nights = Nights::new(2, 300).await;
    let reader = nights.reader().start().await.unwrap();
    let snapshot = reader.snapshot();
    nights.publisher.roll_back().await;
    until_serving(&reader, 1).await;
    assert_eq!(snapshot.current().version, number(2));
    assert_eq!(night_of(&snapshot.get(key(1)).await.unwrap().unwrap()), 2);
    assert_eq!(nights_in(&snapshot.batch_get([key(1)]).await.unwrap()), BTreeSet::from([2]));
    nights.drop_table("recs-2").await;
    assert_eq!(snapshot.get(key(1)).await.unwrap_err().kind(), ErrorKind::TableGone);
    assert_eq!(night_of(&reader.get(key(1)).await.unwrap().unwrap()), 1);
}
