//! Describing, listing and scanning tables.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::support::{TABLE, facts, hasty, name, replace, tables, with_table};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Tag, TimeToLiveSpecification};
use septet_checks::Value;
use septet_emulator::{Emulator, Fault, Import as Set, TableStatus as Status};
use septet_registry::TableName;
use septet_tables::{
    Consistency, ErrorKind, ImportStatus, Key, KeyType, Segment, TableStatus, TtlState, WarmThroughput,
};
use serde_json::json;

#[tokio::test]
async fn a_table_is_described_with_its_id_keys_and_protection() {
    let emulator = Emulator::start().await;
    emulator.create_table(TABLE, &[("user", "N"), ("slot", "B")]).await;
    emulator.set_warm_throughput(TABLE, 12_000, 4_000);
    let facts = tables(&emulator).describe(&name()).await.unwrap().unwrap();
    assert_eq!((facts.name, facts.status), (name(), TableStatus::Active));
    assert_eq!(facts.arn, format!("arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}"));
    let keys: Vec<_> = facts.keys.iter().map(|key| (key.name.as_str(), key.kind)).collect();
    assert_eq!(keys, [("user", KeyType::N), ("slot", KeyType::B)]);
    assert_eq!(facts.warm, Some(WarmThroughput { reads: 12_000, writes: 4_000, active: true }));
    assert!(!facts.deletion_protected);
    assert!(facts.created_at.as_second() > 1_600_000_000);

    let described = emulator.client().describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    assert_eq!(described.table_id.unwrap(), facts.id.as_str());
    let protect = emulator.client().update_table().table_name(TABLE).deletion_protection_enabled(true);
    protect.send().await.unwrap();
    emulator.set_status(TABLE, Status::Updating);
    let facts = tables(&emulator).describe(&name()).await.unwrap().unwrap();
    assert_eq!((facts.deletion_protected, facts.status), (true, TableStatus::Updating));
}

#[tokio::test]
async fn a_table_that_is_not_there_is_no_error_and_one_that_cannot_be_seen_is() {
    let emulator = Emulator::start().await;
    assert_eq!(tables(&emulator).describe(&name()).await.unwrap(), None);
    emulator.settings(|settings| settings.hidden = Duration::from_secs(60));
    emulator.create_dataset_table(TABLE, "id", None).await;
    assert_eq!(tables(&emulator).describe(&name()).await.unwrap(), None);

    for (fault, kind, retryable) in [
        (Fault::access_denied("DescribeTable"), ErrorKind::Denied, false),
        (Fault::throttle("DescribeTable"), ErrorKind::Throttled, true),
        (Fault::internal_server_error("DescribeTable"), ErrorKind::Unavailable, true),
        (Fault::lost_answer("DescribeTable"), ErrorKind::Unavailable, true),
    ] {
        let fault = emulator.inject(fault);
        let error = hasty(&emulator).describe(&name()).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{error}");
        assert!(error.to_string().contains("dynamodb:DescribeTable"), "{error}");
        assert_eq!(emulator.fired_by(fault), 1);
    }
}

#[tokio::test]
async fn an_error_keeps_its_code_and_request_id() {
    let emulator = with_table().await;
    emulator.inject(Fault::internal_server_error("Scan"));
    let scan = hasty(&emulator).scan_page(&name(), Segment::WHOLE, None, Consistency::Strong).await;
    let text = scan.unwrap_err().to_string();
    assert!(text.contains("InternalServerError") && text.contains("request SEPTETEMULATOR"), "{text}");
}

#[tokio::test]
async fn expiring_items_are_seen() {
    let emulator = with_table().await;
    assert_eq!(tables(&emulator).ttl(&name()).await.unwrap(), TtlState::Off);
    let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name("until").build().unwrap();
    let update = emulator.client().update_time_to_live().table_name(TABLE).time_to_live_specification(ttl);
    update.send().await.unwrap();
    assert_eq!(tables(&emulator).ttl(&name()).await.unwrap(), TtlState::On { attribute: "until".into() });
    let nowhere = TableName::parse("nowhere").unwrap();
    assert_eq!(tables(&emulator).ttl(&nowhere).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn tags_are_read_from_every_page() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    assert!(tables(&emulator).tags(&facts.arn).await.unwrap().is_empty());
    let tags = ["septet:ready", "team", "x"].map(|key| Tag::builder().key(key).value("1").build().unwrap());
    let tag = emulator.client().tag_resource().resource_arn(&facts.arn).set_tags(Some(tags.to_vec()));
    tag.send().await.unwrap();
    emulator.settings(|settings| settings.page_tags = Some(2));
    emulator.clear_calls();
    let tags = tables(&emulator).tags(&facts.arn).await.unwrap();
    assert_eq!(tags, ["septet:ready", "team", "x"].map(|key| (key.into(), "1".into())).into());
    assert_eq!(emulator.count("ListTagsOfResource"), 2);
}

#[tokio::test]
async fn tables_are_listed_from_every_page() {
    let emulator = Emulator::start().await;
    let names: BTreeSet<_> = (0..120).map(|n| format!("recs-{n:03}")).collect();
    for name in &names {
        emulator.create_dataset_table(name, "id", None).await;
    }
    emulator.clear_calls();
    // A list that always starts anew would not end.
    emulator.inject(Fault::access_denied("ListTables").from(3));
    let listed = tables(&emulator).list().await.unwrap();
    assert_eq!(listed.len(), 120);
    assert_eq!(listed.iter().map(|name| name.as_str().to_owned()).collect::<BTreeSet<_>>(), names);
    assert_eq!(emulator.count("ListTables"), 2);
}

fn import(status: &str) -> Set {
    Set { status: status.into(), processed: 10, imported: 8, errors: 2, failure: None }
}

#[tokio::test]
async fn an_import_belongs_to_the_table_of_its_id() {
    let emulator = with_table().await;
    let first = facts(&emulator).await;
    assert_eq!(tables(&emulator).import_of(&first).await.unwrap(), None);
    emulator.set_import(TABLE, import("COMPLETED")).await;
    replace(emulator.backdoor()).await;
    let second = facts(&emulator).await;
    assert_eq!(tables(&emulator).import_of(&second).await.unwrap(), None, "it was the first table's import");

    // DynamoDB lists the newest first, 25 on a page.
    for _ in 0..30 {
        let failure = Some(("S3NoSuchBucket".to_owned(), "no bucket".to_owned()));
        emulator.set_import(TABLE, Set { failure, ..import("FAILED") }).await;
    }
    emulator.clear_calls();
    let found = tables(&emulator).import_of(&first).await.unwrap().unwrap();
    assert_eq!((found.status, found.failure), (ImportStatus::Completed, None));
    assert_eq!((found.processed, found.imported, found.errors), (10, 8, 2));
    assert_eq!(emulator.count("ListImports"), 2);
    let found = tables(&emulator).import_of(&second).await.unwrap().unwrap();
    assert_eq!(found.status, ImportStatus::Failed);
    assert_eq!(found.failure.unwrap(), "S3NoSuchBucket: no bucket");
}

#[tokio::test]
async fn every_item_is_in_exactly_one_segment_and_on_one_page() {
    let emulator = Emulator::start().await;
    emulator.create_dataset_table(TABLE, "id", Some("at")).await;
    let items = (0..100).map(|n| json!({"id": format!("u{}", n % 40), "at": n.to_string(), "rank": n}));
    emulator.put_items(TABLE, items).await;
    emulator.settings(|settings| settings.page_items = Some(7));
    let tables = tables(&emulator);
    let mut seen = BTreeMap::new();
    let mut pages = 0;
    for index in 0..3 {
        let segment = Segment { index, total: 3 };
        let mut start = None;
        loop {
            let page = tables.scan_page(&name(), segment, start.as_ref(), Consistency::Strong).await.unwrap();
            pages += 1;
            assert!(pages <= 50, "the scan does not end");
            let (items, end) = page.items().unwrap();
            assert!(items.len() <= 7);
            assert_eq!(end.items, items.len() as u64);
            assert!(end.read_units > 0.0);
            for item in items {
                let Value::N(rank) = &item["rank"] else { panic!("{item:?}") };
                *seen.entry(rank.clone()).or_insert(0) += 1;
            }
            // A checkpoint goes through JSON.
            let Some(next) = end.next else { break };
            let json = serde_json::to_string(&next).unwrap();
            start = Some(serde_json::from_str::<Key>(&json).unwrap());
        }
    }
    assert_eq!(seen.len(), 100);
    assert!(seen.values().all(|times| *times == 1));
    assert!(pages >= 15, "{pages}");
}

#[tokio::test]
async fn a_strong_read_costs_twice_an_eventual_one() {
    let emulator = with_table().await;
    let tables = tables(&emulator);
    let name = name();
    let page = |consistency| tables.scan_page(&name, Segment::WHOLE, None, consistency);
    let strong = page(Consistency::Strong).await.unwrap().items().unwrap().1.read_units;
    let eventual = page(Consistency::Eventual).await.unwrap().items().unwrap().1.read_units;
    assert_eq!(strong, 2.0 * eventual);
}

#[tokio::test]
async fn values_of_every_type_arrive_as_they_are() {
    let emulator = Emulator::start().await;
    emulator.create_table(TABLE, &[("b", "B"), ("n", "N")]).await;
    let blob = |bytes: &[u8]| Blob::new(bytes);
    let item: HashMap<String, AttributeValue> = [
        ("b", AttributeValue::B(blob(&[0, 255]))),
        ("n", AttributeValue::N("1.50".into())),
        ("s", AttributeValue::S("é".into())),
        ("t", AttributeValue::Bool(true)),
        ("z", AttributeValue::Null(true)),
        ("l", AttributeValue::L(vec![AttributeValue::M([("x".into(), AttributeValue::Bool(false))].into())])),
        ("ss", AttributeValue::Ss(vec!["a".into()])),
        ("ns", AttributeValue::Ns(vec!["7".into()])),
        ("bs", AttributeValue::Bs(vec![blob(b"q")])),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let other = HashMap::from([
        ("b".into(), AttributeValue::B(blob(&[1]))),
        ("n".into(), AttributeValue::N("2".into())),
    ]);
    emulator.put_raw_items(TABLE, [item, other]).await;
    emulator.settings(|settings| settings.page_items = Some(1));
    let tables = tables(&emulator);
    let first = tables.scan_page(&name(), Segment::WHOLE, None, Consistency::Strong).await.unwrap();
    let (first, end) = first.items().unwrap();
    let next = end.next.unwrap();
    let second = tables.scan_page(&name(), Segment::WHOLE, Some(&next), Consistency::Strong).await.unwrap();
    let items: Vec<_> = first.into_iter().chain(second.items().unwrap().0).collect();
    assert_eq!(items.len(), 2);
    let item = items.iter().find(|item| item.len() > 2).unwrap();
    let expected = [
        ("b", Value::B(vec![0, 255])),
        ("n", Value::N("1.5".into())),
        ("s", Value::S("é".into())),
        ("t", Value::Bool(true)),
        ("z", Value::Null),
        ("l", Value::L(vec![Value::M([("x".into(), Value::Bool(false))].into())])),
        ("ss", Value::SS(vec!["a".into()])),
        ("ns", Value::NS(vec!["7".into()])),
        ("bs", Value::BS(vec![b"q".to_vec()])),
    ];
    assert_eq!(*item, expected.map(|(name, value)| (name.to_owned(), value)).into());
}

#[tokio::test]
async fn a_scan_of_a_table_that_is_gone_says_so() {
    let emulator = Emulator::start().await;
    let scan = tables(&emulator).scan_page(&name(), Segment::WHOLE, None, Consistency::Eventual).await;
    assert_eq!(scan.unwrap_err().kind(), ErrorKind::NotFound);
}
