//! Tables that were handed over, and tables that were not.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use on_publish::{Ending, Error, Letter, Operations, Step};
use septet_emulator::Import;
use septet_registry::{
    Announcement, By, KnownSignal, PromotionState, Rung, SealId, State, TableId, TableName, Version,
};
use serde_json::{Value, json};

use crate::support::{CONTRACT, TABLE, World, manifest, name, record, recs, reminder, signal, start};

/// A world in which tables that are created are older than the contract.
async fn with_older_table() -> World {
    let world = World::empty().await;
    world.create_from(start() - SignedDuration::from_hours(30));
    world.table(TABLE, 8).await;
    world
}

async fn table_id(world: &World, table: &str) -> TableId {
    let answer = world.emulator.client().describe_table().table_name(table).send().await.unwrap();
    TableId::parse(answer.table.unwrap().table_id.unwrap()).unwrap()
}

/// Nothing of the table was touched, and it is no version.
async fn assert_untouched(world: &World, table: &str) {
    assert_eq!(world.versions().await, Vec::<Version>::new());
    assert_eq!(world.emulator.resource_policy(table), None);
}

async fn tag(world: &World, table: &str, value: &str) {
    let client = world.emulator.backdoor();
    let arn =
        client.describe_table().table_name(table).send().await.unwrap().table.unwrap().table_arn.unwrap();
    let tag = aws_sdk_dynamodb::types::Tag::builder().key("septet:ready").value(value).build().unwrap();
    client.tag_resource().resource_arn(arn).tags(tag).send().await.unwrap();
}

fn tagged_at(table: &str, at: Timestamp) -> Value {
    let mut record = record("TagResource", table);
    record["detail"]["eventTime"] = json!(at.to_string());
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_older_than_the_contract_is_handed_over_by_a_signal_alone() {
    let world = with_older_table().await;
    let import = Import { status: "COMPLETED".into(), processed: 8, imported: 8, errors: 0, failure: None };
    world.emulator.set_import(TABLE, import).await;
    tag(&world, TABLE, table_id(&world, TABLE).await.as_str()).await;
    for message in [reminder(TABLE), record("CreateTable", TABLE), record("TagResource", TABLE)] {
        let seen = world.say(&message).await.unwrap();
        assert_eq!(seen.ending, Ending::Ignored);
        assert!(seen.reason.unwrap().contains("septet adopt recs-2026-11-21"), "{message}");
    }
    assert_untouched(&world, TABLE).await;
    world.say(&signal(TABLE)).await.unwrap();
    assert_eq!(world.version().await.state, State::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_an_older_table_that_release_0_1_0_announced_waits_for_a_signal() {
    let world = with_older_table().await;
    let import = Import { status: "COMPLETED".into(), processed: 8, imported: 8, errors: 0, failure: None };
    world.emulator.set_import(TABLE, import).await;
    let announcement = Announcement {
        table: name(TABLE),
        table_arn: format!("arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}"),
        table_id: table_id(&world, TABLE).await,
        created_by: "unknown".into(),
        noticed_by: "sweep".into(),
        patience: SignedDuration::from_hours(24),
        created_at: start(),
        signal: None,
    };
    let by = By::new("septet:on-publish", world.clock_now());
    assert!(world.registry.announce(&recs(), &announcement, &by).await.unwrap().is_done());
    let seen = world.say(&reminder(TABLE)).await.unwrap();
    assert_eq!((seen.ending, seen.state), (Ending::Waiting, Some(State::Announced)));
    assert_eq!(world.emulator.resource_policy(TABLE), None);
    assert!(world.version().await.waits.unwrap().reason.contains("septet adopt"));
    world.say(&manifest(TABLE, 8)).await.unwrap();
    assert_eq!(world.version().await.state, State::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_table_is_published_by_the_next_reminder() {
    let world = with_older_table().await;
    let signal = KnownSignal {
        items: None,
        digest: None,
        by: Some("ann@desk".into()),
        as_of: None,
        sent_at: world.clock_now(),
        adopted: true,
    };
    let announcement = Announcement {
        table: name(TABLE),
        table_arn: format!("arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}"),
        table_id: table_id(&world, TABLE).await,
        created_by: "unknown".into(),
        noticed_by: "ann@desk, who adopts it".into(),
        patience: SignedDuration::from_hours(24),
        created_at: start() - SignedDuration::from_hours(30),
        signal: Some(signal),
    };
    let by = By::new("ann@desk", world.clock_now());
    assert!(world.registry.announce(&recs(), &announcement, &by).await.unwrap().is_done());
    world.say(&reminder(TABLE)).await.unwrap();
    let version = world.version().await;
    assert_eq!((version.state, version.signal), (State::Valid, None));
    assert!(world.records().await.iter().any(|it| it.reason.as_deref() == Some("complete by adoption")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_speaks_of_one_table_of_its_name() {
    let world = World::with_table().await;
    let sent = world.letter(&manifest(TABLE, 8));
    // The table is deleted and created anew before the signal is handled.
    world.emulator.backdoor().delete_table().table_name(TABLE).send().await.unwrap();
    world.clock.on(Duration::from_secs(60));
    world.create_from(world.clock_now());
    world.table(TABLE, 1).await;
    let anew = table_id(&world, TABLE).await;

    let other = TableId::parse("00000000-0000-0000-0000-000000000000").unwrap();
    let by_attribute = Letter { table_id: Some(other.clone()), ..world.letter(&signal(TABLE)) };
    let by_field = world.letter(&json!({"table": TABLE, "table_id": other}));
    let redriven = Letter { is_redriven: true, ..world.letter(&signal(TABLE)) };
    for (letter, kind) in [
        (&sent, "Signal.Outdated"),
        (&redriven, "Signal.Outdated"),
        (&by_attribute, "Signal.OtherTable"),
        (&by_field, "Signal.OtherTable"),
    ] {
        let error = world.hand(letter).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (kind, false));
        assert!(error.to_string().contains("septet publish recs-2026-11-21"), "{error}");
        assert_untouched(&world, TABLE).await;
    }
    let redriven = Letter { table_id: Some(anew), ..redriven };
    let done = world.hand(&redriven).await.unwrap();
    assert!(done.steps.contains(&Step::Sealed), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doubled_signal_whose_table_was_replaced_meanwhile_is_done_before() {
    let world = World::with_table().await;
    let sent = Letter { table_id: Some(table_id(&world, TABLE).await), ..world.letter(&manifest(TABLE, 8)) };
    let plain = Letter { table_id: None, ..sent.clone() };
    world.hand(&sent).await.unwrap();
    world.emulator.set_deletion_protection(TABLE, false).await;
    world.emulator.backdoor().delete_table().table_name(TABLE).send().await.unwrap();
    world.clock.on(Duration::from_secs(60));
    world.create_from(world.clock_now());
    world.table(TABLE, 1).await;
    for letter in [sent, plain] {
        assert_eq!(world.hand(&letter).await.unwrap().ending, Ending::Already);
    }
    assert_eq!(world.versions().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_from_before_the_contract_hands_nothing_over() {
    let world = with_older_table().await;
    let letter = Letter { sent_at: start() - SignedDuration::from_hours(1), ..world.letter(&signal(TABLE)) };
    let error = world.hand(&letter).await.unwrap_err();
    assert_eq!(error.kind(), "Signal.BeforeContract");
    assert_untouched(&world, TABLE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_arn_of_another_account_or_region_is_no_table_of_ours() {
    let world = World::with_table().await;
    for arn in [
        format!("arn:aws:dynamodb:us-east-1:999999999999:table/{TABLE}"),
        format!("arn:aws:dynamodb:eu-west-1:000000000000:table/{TABLE}"),
    ] {
        let error = world.say(&signal(&arn)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), ("Signal.OtherTable", false), "{error}");
        assert_eq!(world.say(&reminder(&arn)).await.unwrap().ending, Ending::Ignored);
        let mut record = record("TagResource", TABLE);
        record["detail"]["requestParameters"]["resourceArn"] = json!(arn);
        assert_eq!(world.say(&record).await.unwrap().ending, Ending::Ignored);
        assert_untouched(&world, TABLE).await;
    }
    let own = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}");
    world.say(&signal(&own)).await.unwrap();
    assert_eq!(world.version().await.state, State::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_no_repetition_helps_goes_to_the_dead_letters_at_once() {
    let world = World::with_table().await;
    let foreign = format!("arn:aws:dynamodb:us-east-1:999999999999:table/{TABLE}");
    let failed = world.batch(&[signal(&foreign).to_string(), "no JSON".into()]).await;
    assert_eq!(failed, Vec::<String>::new());
    assert_eq!(world.shelf.buried(), ["Signal.OtherTable", "Message.Malformed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_features_break_a_promise_is_rejected_and_stays_as_it_is() {
    for what in ["replicas", "ttl", "keys"] {
        let world = World::empty().await;
        match what {
            "keys" => world.emulator.create_dataset_table(TABLE, "id", None).await,
            _ => world.table(TABLE, 8).await,
        }
        match what {
            "replicas" => world.emulator.set_replicas(TABLE, &["eu-central-1"]),
            "ttl" => world.emulator.set_ttl(TABLE, "expires").await,
            _ => {}
        }
        let done = world.say(&signal(TABLE)).await.unwrap();
        assert_eq!((done.steps.last(), done.state), (Some(&Step::Rejected), Some(State::Rejected)));
        let version = world.version().await;
        assert!(version.reason().unwrap().starts_with("not sealed: "), "{:?}", version.reason());
        assert_eq!(world.emulator.resource_policy(TABLE), None, "{what}");
        assert!(!version.was_sealed());
        world.assert_sound().await;
        // The same again changes nothing; once it is mended, a new signal seals it.
        let before = world.records().await;
        world.say(&reminder(TABLE)).await.unwrap();
        assert_eq!(world.records().await, before);
        if what == "replicas" {
            world.emulator.set_description(TABLE, json!({"Replicas": []}));
            world.clock.on(Duration::from_secs(60));
            world.say(&signal(TABLE)).await.unwrap();
            assert_eq!(world.version().await.state, State::Valid);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_counts_if_it_names_the_table_or_came_after_its_creation() {
    let world = World::empty().await;
    let later = Duration::from_secs(3600);
    for (table, value, sealed) in
        [("recs-no", "no", false), ("recs-true", "true", false), ("recs-id", "", true)]
    {
        world.create_from(world.clock_now());
        world.table(table, 8).await;
        let value = if value.is_empty() { table_id(&world, table).await.to_string() } else { value.into() };
        tag(&world, table, &value).await;
        world.say(&record("CreateTable", table)).await.unwrap();
        world.clock.on(later);
        world.say(&reminder(table)).await.unwrap();
        let version = world.versions().await.pop().unwrap();
        assert_eq!(version.was_sealed(), sealed, "{table}");
        if !sealed {
            let reason = version.waits.unwrap().reason;
            assert!(reason.contains(&format!("septet:ready is {value:?}")), "{reason}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn true_counts_by_its_record_and_after_a_look_that_saw_no_tag() {
    for by_record in [true, false] {
        let world = World::with_table().await;
        world.say(&record("CreateTable", TABLE)).await.unwrap();
        world.clock.on(Duration::from_secs(3600));
        if !by_record {
            world.say(&reminder(TABLE)).await.unwrap();
            assert!(world.version().await.untagged_at.is_some());
        }
        tag(&world, TABLE, "true").await;
        if by_record {
            // A record of an earlier table of that name says nothing.
            world.say(&tagged_at(TABLE, start() - SignedDuration::from_hours(1))).await.unwrap();
            assert!(!world.version().await.was_sealed());
        }
        let message = if by_record { tagged_at(TABLE, world.clock_now()) } else { reminder(TABLE) };
        world.say(&message).await.unwrap();
        assert_eq!(world.version().await.readiness.unwrap().rung, Rung::Tag, "{by_record}");
    }
}

fn with_settings(settings: &[(&str, &str)]) -> String {
    let lines: String = settings
        .iter()
        .map(|(property, value)| format!("  - {{property: {property}, value: {value}}}\n"))
        .collect();
    format!("{CONTRACT}{lines}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_table_is_complete_once_its_last_write_is_long_enough_ago() {
    let world = World::empty().await;
    world
        .put_contract(&with_settings(&[("septet.readiness", "[quiet]"), ("septet.quietMinutes", "10")]))
        .await;
    world.create_from(world.clock_now());
    world.table(TABLE, 8).await;
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    // An earlier table of that name was written to.
    world.capacity.add(TABLE, Operations::Writes, start() - SignedDuration::from_hours(2), 9.0);
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    world.clock.on(minutes(600));
    world.say(&reminder(TABLE)).await.unwrap();
    let version = world.version().await;
    assert_eq!(version.state, State::Announced, "an empty table is never complete by itself");
    assert!(version.waits.unwrap().reason.contains("no write to the table was measured yet"));

    world.capacity.add(TABLE, Operations::Writes, world.clock_now(), 4.0);
    world.clock.on(minutes(15));
    world.say(&reminder(TABLE)).await.unwrap();
    assert_eq!(world.version().await.state, State::Announced, "the metric may be late");
    world.clock.on(minutes(2));
    world.say(&reminder(TABLE)).await.unwrap();
    let version = world.version().await;
    assert_eq!((version.state, version.readiness.unwrap().rung), (State::Valid, Rung::Quiet));
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_the_minute_of_the_creation_count_if_the_table_has_items() {
    for (users, state) in [(8, State::Valid), (0, State::Announced)] {
        let world = World::empty().await;
        world
            .put_contract(&with_settings(&[("septet.readiness", "[quiet]"), ("septet.quietMinutes", "10")]))
            .await;
        world.create_from(world.clock_now());
        world.table(TABLE, users).await;
        world.capacity.add(TABLE, Operations::Writes, start(), 4.0);
        world.clock.on(Duration::from_secs(60 * 60));
        world.say(&record("CreateTable", TABLE)).await.unwrap();
        assert_eq!(world.version().await.state, state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_for_an_abandoned_version_is_honoured_and_one_for_a_discarded_is_refused() {
    let world = World::with_table().await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    let number = world.version().await.version;
    let by = By::new("septet:prune", world.clock_now());
    assert!(world.registry.abandon(&recs(), number, &by).await.unwrap().is_done());
    assert_eq!(world.say(&reminder(TABLE)).await.unwrap().state, Some(State::Abandoned));
    world.say(&signal(TABLE)).await.unwrap();
    assert_eq!(world.version().await.state, State::Valid);

    let world = World::with_table().await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    let number = world.version().await.version;
    let by = By::new("ann@desk", world.clock_now());
    assert!(world.registry.discard(&recs(), number, "never completed", &by).await.unwrap().is_done());
    let error = world.say(&signal(TABLE)).await.unwrap_err();
    assert!(matches!(error, Error::Discarded { .. }), "{error}");
    assert_eq!(world.emulator.resource_policy(TABLE), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn protection_that_was_on_before_the_seal_is_its_owners_and_septets_own_is_not() {
    let world = World::with_table().await;
    world.emulator.set_deletion_protection(TABLE, true).await;
    world.say(&signal(TABLE)).await.unwrap();
    assert!(world.version().await.owner_protected);

    // An attempt that was killed after it switched protection on leaves Septet's own.
    let world = World::with_table().await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    let version = world.version().await;
    let seal: SealId = version.seal_id.clone().unwrap();
    let config = World::config();
    let tables = septet_tables::Tables::new(world.emulator.client(), config.seal_policy);
    let facts = tables.describe(&TableName::parse(TABLE).unwrap()).await.unwrap().unwrap();
    tables.seal(&facts, &seal, Duration::ZERO).await.unwrap();
    world.say(&signal(TABLE)).await.unwrap();
    let version = world.version().await;
    assert_eq!((version.state, version.owner_protected), (State::Valid, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_in_force_at_the_seal_decides() {
    let world = World::with_table().await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    world.put_contract(&CONTRACT.replace("[3, 1000]", "[30, 1000]")).await;
    world.say(&signal(TABLE)).await.unwrap();
    let version = world.version().await;
    assert_eq!((version.state, version.contract.get()), (State::Rejected, 2));
    assert!(version.reason().unwrap().contains("rowCount"), "{version:?}");
}

/// A first night that is live, and a second table whose live predecessor offers what `live` says.
async fn two_nights(live: Value, new: Value, settings: &[(&str, &str)]) -> World {
    let world = World::empty().await;
    if !settings.is_empty() {
        world.put_contract(&with_settings(settings)).await;
    }
    world.create_from(world.clock_now());
    world.table("recs-1", 8).await;
    world.emulator.set_description("recs-1", live);
    world.say(&signal("recs-1")).await.unwrap();
    world.clock.on(Duration::from_secs(3600));
    world.create_from(world.clock_now());
    world.table("recs-2", 9).await;
    world.emulator.set_description("recs-2", new);
    world.say(&signal("recs-2")).await.unwrap();
    world
}

fn index(status: &str) -> Value {
    json!([{
        "IndexName": "by-model", "IndexStatus": status, "Projection": {"ProjectionType": "ALL"},
        "KeySchema": [{"AttributeName": "user_id", "KeyType": "HASH"}],
    }])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_table_offers_less_than_the_live_one_waits_for_a_person() {
    let with_index = json!({"GlobalSecondaryIndexes": index("ACTIVE")});
    let world = two_nights(with_index, json!({}), &[]).await;
    let version = world.versions().await.pop().unwrap();
    assert_eq!(world.live().await.unwrap().table.as_str(), "recs-1");
    let Some(PromotionState::Skipped(why)) = &version.promotion_state else { panic!("{version:?}") };
    assert!(why.contains("the index by-model is missing"), "{why}");
    assert_eq!(version.offers.unwrap()["indexes"], json!([]));

    let one_unit = json!({"BillingModeSummary": {"BillingMode": "PROVISIONED"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}});
    let world = two_nights(json!({}), one_unit, &[]).await;
    assert_eq!(world.live().await.unwrap().table.as_str(), "recs-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_index_is_being_built_goes_live_once_it_is() {
    let live = json!({"GlobalSecondaryIndexes": index("ACTIVE")});
    let world = two_nights(live, json!({"GlobalSecondaryIndexes": index("CREATING")}), &[]).await;
    let version = world.versions().await.pop().unwrap();
    assert_eq!(version.promotion_state, Some(PromotionState::Pending));
    assert!(version.waits.unwrap().reason.contains("by-model"));
    world.emulator.set_description("recs-2", json!({"GlobalSecondaryIndexes": index("ACTIVE")}));
    world.say(&reminder("recs-2")).await.unwrap();
    assert_eq!(world.live().await.unwrap().table.as_str(), "recs-2");
    assert_eq!(world.versions().await.pop().unwrap().waits, None);
}

fn warm(reads: u64) -> Value {
    json!({"WarmThroughput": {"ReadUnitsPerSecond": reads, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_warm_enough_for_what_readers_really_asked() {
    // The live table's value grew; its readers never asked so much.
    let world = two_nights(warm(40_000), warm(12_000), &[]).await;
    assert_eq!(world.live().await.unwrap().table.as_str(), "recs-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_too_cold_stays_pending_until_it_is_warm() {
    for settings in [&[][..], &[("septet.prewarm", "50000")][..]] {
        let world = World::empty().await;
        if !settings.is_empty() {
            world.put_contract(&with_settings(settings)).await;
        }
        world.create_from(world.clock_now());
        world.table("recs-1", 8).await;
        world.emulator.set_description("recs-1", warm(40_000));
        world.say(&signal("recs-1")).await.unwrap();
        world.capacity.add("recs-1", Operations::Reads, world.clock_now(), 300.0 * 30_000.0);
        world.clock.on(Duration::from_secs(3600));
        world.create_from(world.clock_now());
        world.table("recs-2", 9).await;
        world.emulator.set_warm_throughput("recs-2", 12_000, 4_000);
        world.say(&signal("recs-2")).await.unwrap();
        assert_eq!(world.live().await.unwrap().table.as_str(), "recs-1");
        let version = world.versions().await.pop().unwrap();
        assert_eq!(version.promotion_state, Some(PromotionState::Pending));
        let reason = version.waits.unwrap().reason;
        assert!(reason.contains("12000 read units a second at once"), "{reason}");
        if settings.is_empty() {
            assert!(reason.contains("WarmThroughput of 27000"), "{reason}");
            world.emulator.set_warm_throughput("recs-2", 30_000, 4_000);
        }
        world.say(&reminder("recs-2")).await.unwrap();
        assert_eq!(world.live().await.unwrap().table.as_str(), "recs-2", "{settings:?}");
    }
}
