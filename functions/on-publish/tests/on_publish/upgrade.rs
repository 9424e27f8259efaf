//! What release 0.1.0 left unfinished, finished by this one.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use on_publish::{Answer, Step};
use septet_emulator::recorded;
use septet_registry::{PromotionState, State, Version, VersionNumber};
use serde_json::{Value, json};

use crate::support::*;

/// A table of `recs` at the time that the registry of 0.1.0 was recorded, and its items.
struct Table {
    version: u64,
    name: &'static str,
    users: std::ops::Range<usize>,
}

const ANNOUNCED: Table = Table { version: 13, name: "recs-2026-11-20", users: 70..78 };
const SEALED: Table = Table { version: 14, name: "recs-2026-11-21", users: 80..88 };
const CHECKING: Table = Table { version: 15, name: "recs-2026-11-22", users: 80..88 };
const SHARED: Table = Table { version: 16, name: "recs-2026-11-23", users: 100..112 };

fn user(number: usize) -> Value {
    let rec = json!({"track_id": format!("t-{}", number % 3), "score": number as f64 / 8.0});
    json!({"user_id": format!("u-{number:03}"), "recs": [rec]})
}

/// A world as 0.1.0 left it, days later: its registry, and one of its tables.
async fn left_by_0_1_0(table: &Table) -> World {
    let world = World::empty().await;
    world.clock.on(Duration::from_secs(3 * 24 * 3600));
    create(&world, table.name, table.users.clone()).await;
    let client = world.emulator.backdoor();
    let described = client.describe_table().table_name(table.name).send().await.unwrap().table.unwrap();
    let id = AttributeValue::S(described.table_id.unwrap());
    let mut items = recorded::items("0.1.0/registry.json");
    // The table is another than then, so the registry names this one.
    for item in items.iter_mut().filter(|item| item.contains_key("table_id")) {
        if item["table"].as_s().unwrap() == table.name {
            item.insert("table_id".into(), id.clone());
            if item["pk"].as_s().unwrap().starts_with("TABLE#") {
                item.insert("sk".into(), id.clone());
            }
        }
    }
    world.emulator.put_raw_items(REGISTRY, items).await;
    if table.version > ANNOUNCED.version {
        let seal = recorded::file("0.1.0/seal-policies.json")["recs-2026-11-12"].as_str().unwrap().to_owned();
        let client = world.emulator.client();
        let arn = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{}", table.name);
        let policy = seal.replace("recs-2026-11-12", table.name);
        client.put_resource_policy().resource_arn(arn).policy(policy).send().await.unwrap();
        let protect = client.update_table().table_name(table.name).deletion_protection_enabled(true);
        protect.send().await.unwrap();
    }
    world
}

async fn create(world: &World, name: &str, users: std::ops::Range<usize>) {
    world.emulator.create_dataset_table(name, "user_id", None).await;
    world.emulator.put_items(name, users.map(user)).await;
}

async fn version(world: &World, number: u64) -> Version {
    world.registry.version(&recs(), VersionNumber::new(number)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_0_1_0_left_on_its_way_goes_on() {
    for (table, message) in [
        (ANNOUNCED, signal(ANNOUNCED.name)),
        (SEALED, reminder(SEALED.name)),
        (CHECKING, reminder(CHECKING.name)),
    ] {
        let world = left_by_0_1_0(&table).await;
        world.say(&message).await.unwrap();
        let version = version(&world, table.version).await;
        assert_eq!(version.state, State::Valid, "{version:?}");
        assert_eq!(version.counts.as_ref().unwrap().items, 8);
        assert!(
            matches!(version.promotion_state, Some(PromotionState::Skipped(_))),
            "the hold of 0.1.0 holds"
        );
        assert!(world.is_sealed(table.name).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_check_that_0_1_0_left_half_done_goes_on_from_where_it_stopped() {
    let world = left_by_0_1_0(&SHARED).await;
    let id = version(&world, SHARED.version).await.table_id.to_string();
    let bodies = recorded::bodies("0.1.0/publish-queue.json");
    let part = bodies.iter().find(|body| body.contains("segment")).unwrap();
    let mut part: Value = serde_json::from_str(part).unwrap();
    part["segment"]["table_id"] = id.into();
    let seen = world.say(&part).await.unwrap();
    assert_eq!(seen.reason.as_deref(), Some("1 of 2 parts of the table are read"));
    part["segment"]["part"] = 1.into();
    world.emulator.clear_calls();
    let seen = world.say(&part).await.unwrap();
    assert_eq!(seen.steps, [Step::PartRead]);
    world.drain().await;
    let finished = version(&world, SHARED.version).await;
    assert_eq!((finished.state, finished.sharing), (State::Valid, None));

    create(&world, "recs-2026-11-24", SHARED.users.clone()).await;
    world.say(&signal("recs-2026-11-24")).await.unwrap();
    let anew = version(&world, SHARED.version + 1).await;
    assert_eq!((finished.digest, finished.counts), (anew.digest, anew.counts));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_of_0_1_0_is_read_with_its_attributes() {
    let world = left_by_0_1_0(&SEALED).await;
    let file = recorded::file("0.1.0/publish-queue.json");
    let messages = file.as_array().unwrap().iter().enumerate().map(|(at, message)| {
        let attributes = message["MessageAttributes"].as_object().into_iter().flatten();
        let attributes: serde_json::Map<_, _> = attributes
            .map(|(name, value)| {
                let value = json!({"stringValue": value["StringValue"], "dataType": value["DataType"]});
                (name.clone(), value)
            })
            .collect();
        json!({"messageId": format!("m-{at}"), "body": message["MessageBody"], "eventSource": "aws:sqs",
            "attributes": {"SentTimestamp": start().as_millisecond().to_string()},
            "messageAttributes": attributes})
    });
    let batch = json!({"Records": messages.collect::<Vec<_>>()});
    let answer = world.process(world.emulator.client()).handle(batch, &world.invocation()).await.unwrap();
    let Answer::Batch(answer) = answer else { panic!("a batch is answered as a batch") };
    assert_eq!(answer.batch_item_failures.len(), 0, "{answer:?}");
    assert_eq!(version(&world, SEALED.version).await.state, State::Valid);
}
