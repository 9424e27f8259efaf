//! What goes wrong, and that it ends well or is told and comes again.

use std::time::Duration;

use jiff::SignedDuration;
use on_publish::{Ending, Error, Step};
use septet_emulator::Fault;
use septet_registry::{
    Action, By, Direction, PointRequest, PointerName, PromotionState, State, VerdictOutcome,
};
use septet_telemetry::Clock;
use serde_json::json;

use crate::support::{REGISTRY, TABLE, World, letter_of, name, record, recs, reminder, signal};

const ALL: [Action; 5] = [Action::Announce, Action::Seal, Action::Check, Action::Pass, Action::Promote];

/// Calls on dataset tables that the path of a good table makes, with what tells them from calls on the registry.
const TABLE_CALLS: [&str; 8] = [
    "DescribeTable",
    "ListImports",
    "PutResourcePolicy",
    "UpdateTable",
    "GetResourcePolicy",
    "UpdateItem",
    "Scan",
    "DescribeTimeToLive",
];

/// Fails unless the one version there is went all the way, with one record for each transition.
async fn assert_published(world: &World, context: &str) {
    let version = world.version().await;
    assert_eq!(version.state, State::Valid, "{context}: {version:?}");
    let mut actions = world.actions(&version).await;
    actions.retain(|action| !matches!(action, Action::TakeOver | Action::Share));
    assert_eq!(actions, ALL, "{context}");
    assert_eq!(world.live().await.unwrap().version, version.version, "{context}");
    assert!(world.is_sealed(TABLE).await, "{context}");
    world.assert_sound().await;
}

/// Delivers the message again, as the queue does once its visibility timeout is over, until it is done with.
async fn deliver_until_done(world: &World) -> usize {
    for tries in 1..=5 {
        let ended = world.say(&signal(TABLE)).await;
        world.drain().await;
        if ended.is_ok() && world.version().await.state == State::Valid {
            return tries;
        }
        world.clock.on(Duration::from_secs(90));
    }
    panic!("never done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_goes_wrong_once_is_made_once() {
    type Make = fn(&str) -> Fault;
    let faults: [(&str, Make); 5] = [
        ("lost answer", Fault::lost_answer),
        ("refused", Fault::refuse),
        ("throttled", Fault::throttle),
        ("failed", Fault::internal_server_error),
        ("conflict", Fault::transaction_conflict),
    ];
    for (what, fault) in faults {
        let world = World::with_table().await;
        // Every one of the five commits, one after the other, goes wrong once or twice.
        let id = world.emulator.inject(fault("TransactWriteItems").from(1).times(2));
        let more = world.emulator.inject(fault("TransactWriteItems").from(4).times(3));
        world.say(&signal(TABLE)).await.unwrap();
        assert_eq!((world.emulator.fired_by(id), world.emulator.fired_by(more)), (2, 3), "{what}");
        assert_published(&world, what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_at_any_commit_past_all_retries_is_settled_by_reading_back() {
    for nth in 1..=5 {
        let world = World::with_table().await;
        let client = world.emulator.client_with(|config| {
            config.retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
        });
        let id = world.emulator.inject(Fault::lost_answer("TransactWriteItems").from(nth));
        let seen =
            world.process(client).one(&world.letter(&signal(TABLE)), &world.invocation()).await.unwrap();
        assert_eq!(world.emulator.fired_by(id), 1);
        let steps = [Step::Announced, Step::Sealed, Step::CheckBegun, Step::Passed, Step::Promoted];
        assert_eq!(seen.steps, steps, "commit {nth}: what landed was done by this very call");
        assert_published(&world, &format!("commit {nth}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_answer_is_lost_or_that_is_throttled_for_good_is_made_good_by_the_next_delivery() {
    for operation in TABLE_CALLS {
        for fault in [Fault::lost_answer(operation), Fault::throttle(operation), Fault::refuse(operation)] {
            let world = World::with_table().await;
            let context = format!("{fault:?}");
            let id = world.emulator.inject(fault.containing(TABLE).always());
            let error = world.say(&signal(TABLE)).await.unwrap_err();
            assert!(world.emulator.fired_by(id) > 0, "{context}");
            assert!(error.is_retryable(), "{context}: {error}");
            assert!(error.to_string().contains(TABLE), "{context}: {error}");
            world.emulator.clear_faults();
            world.clock.on(Duration::from_secs(90));
            assert_eq!(deliver_until_done(&world).await, 1, "{context}");
            assert_published(&world, &context).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named_with_the_table_and_publishes_nothing() {
    for operation in TABLE_CALLS {
        let world = World::with_table().await;
        world.emulator.inject(Fault::access_denied(operation).containing(TABLE).always());
        let error = world.say(&signal(TABLE)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), ("Tables.Denied", false), "{operation}: {error}");
        let text = error.to_string();
        assert!(text.contains(&format!("dynamodb:{operation}")) && text.contains(TABLE), "{text}");
        assert_eq!(world.live().await, None);
        world.assert_sound().await;
        world.emulator.clear_faults();
        world.clock.on(Duration::from_secs(90));
        deliver_until_done(&world).await;
        assert_published(&world, operation).await;
    }
    for operation in ["GetItem", "Query", "TransactWriteItems", "PutItem"] {
        let world = World::with_table().await;
        world.emulator.inject(Fault::access_denied(operation).containing(REGISTRY).always());
        let error = world.say(&signal(TABLE)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), ("Registry.Denied", false), "{operation}: {error}");
        let text = error.to_string();
        assert!(text.contains(operation) && text.contains(REGISTRY), "{text}");
        world.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_registry_fails_the_message_and_leaves_no_half_of_anything() {
    for operation in ["GetItem", "Query", "PutItem"] {
        let world = World::with_table().await;
        let id = world.emulator.inject(Fault::throttle(operation).containing(REGISTRY).always());
        let error = world.say(&signal(TABLE)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), ("Registry.Throttled", true), "{operation}");
        assert!(world.emulator.fired_by(id) > 0);
        world.assert_sound().await;
        world.emulator.clear_faults();
        world.clock.on(Duration::from_secs(90));
        deliver_until_done(&world).await;
        assert_published(&world, operation).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_deliveries_at_once_publish_once() {
    let world = World::with_table().await;
    let bodies = [signal(TABLE), record("CreateTable", TABLE), reminder(TABLE), record("TagResource", TABLE)];
    let letters: Vec<_> = (0..20).map(|at| world.letter(&bodies[at % bodies.len()])).collect();
    let processes: Vec<_> =
        (0..20).map(|_| (world.process(world.emulator.client()), world.invocation())).collect();
    let all =
        letters.iter().zip(&processes).map(|(letter, (process, invocation))| process.one(letter, invocation));
    for ended in futures::future::join_all(all).await {
        ended.unwrap();
    }
    for ended in world.drain().await {
        ended.unwrap();
    }
    assert_published(&world, "twenty at once").await;
    assert!(!world.actions(&world.version().await).await.contains(&Action::TakeOver));
    assert_eq!(world.metric("VersionsValid"), 1.0);
}

async fn delete_past_protection(client: aws_sdk_dynamodb::Client) {
    client.update_table().table_name(TABLE).deletion_protection_enabled(false).send().await.unwrap();
    client.delete_table().table_name(TABLE).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_vanishes_while_it_is_checked_is_lost() {
    // Time to live is looked at before the seal, too.
    for (operation, nth) in [("Scan", 1), ("DescribeTimeToLive", 2)] {
        let world = World::with_table().await;
        let client = world.emulator.backdoor();
        let fault = Fault::meanwhile(operation, move || delete_past_protection(client.clone()));
        let id = world.emulator.inject(fault.from(nth));
        let seen = world.say(&signal(TABLE)).await.unwrap();
        assert_eq!(world.emulator.fired_by(id), 1);
        assert_eq!(seen.steps, [Step::Announced, Step::Sealed, Step::CheckBegun, Step::Lost], "{operation}");
        assert_eq!(world.version().await.state, State::Lost);
        assert_eq!(world.live().await, None);
        world.assert_sound().await;
    }
}

async fn replace(client: aws_sdk_dynamodb::Client) {
    use aws_sdk_dynamodb::types::*;
    delete_past_protection(client.clone()).await;
    let key = KeySchemaElement::builder().attribute_name("user_id").key_type(KeyType::Hash);
    let kind =
        AttributeDefinition::builder().attribute_name("user_id").attribute_type(ScalarAttributeType::S);
    let create = client.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    let create = create.key_schema(key.build().unwrap()).attribute_definitions(kind.build().unwrap());
    create.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_replaced_while_it_is_checked_is_lost_and_its_successor_is_a_version_of_its_own() {
    for operation in ["Scan", "DescribeTimeToLive"] {
        let world = World::with_table().await;
        let client = world.emulator.backdoor();
        world.emulator.inject(Fault::meanwhile(operation, move || replace(client.clone())));
        world.say(&signal(TABLE)).await.unwrap();
        assert_eq!(world.version().await.state, State::Lost, "{operation}");
        world.say(&reminder(TABLE)).await.unwrap();
        let states: Vec<_> = world.versions().await.iter().map(|version| version.state).collect();
        assert_eq!(states, [State::Lost, State::Announced], "{operation}");
        world.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_table_is_lost_once_and_only_when_it_is_gone() {
    let world = World::with_table().await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    let seen = world.say(&record("DeleteTable", TABLE)).await.unwrap();
    assert_eq!(world.version().await.state, State::Announced, "it is still there: {seen}");
    world.emulator.client().delete_table().table_name(TABLE).send().await.unwrap();
    let early = world.say(&record("DeleteTable", TABLE)).await.unwrap();
    assert_eq!(early.ending, Ending::Later, "so young a table may only be unknown yet");
    assert_eq!(world.version().await.state, State::Announced);
    world.clock.on(Duration::from_secs(60));
    world.drain().await;
    assert_eq!(world.version().await.state, State::Lost);
    let records = world.records().await;
    let again = world.say(&record("DeleteTable", TABLE)).await.unwrap();
    assert_eq!((again.ending, world.records().await), (Ending::Already, records));
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_being_deleted_is_waited_for() {
    let world = World::with_table().await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    world.clock.on(Duration::from_secs(120));
    world.emulator.settings(|settings| settings.deleting = Duration::from_secs(3600));
    world.emulator.client().delete_table().table_name(TABLE).send().await.unwrap();
    let seen = world.say(&record("DeleteTable", TABLE)).await.unwrap();
    assert_eq!((seen.ending, world.version().await.state), (Ending::Later, State::Announced));
    let seen = world.drain().await.pop().unwrap().unwrap();
    assert_eq!(seen.ending, Ending::Waiting, "the sweep goes on");

    let world = World::with_table().await;
    world.emulator.settings(|settings| settings.deleting = Duration::from_secs(3600));
    world.emulator.client().delete_table().table_name(TABLE).send().await.unwrap();
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    assert!(world.versions().await.is_empty(), "what is on its way out is not announced");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_table_that_vanished_is_shouted_about_and_the_pointer_stays() {
    let world = World::with_table().await;
    world.say(&signal(TABLE)).await.unwrap();
    delete_past_protection(world.emulator.backdoor()).await;
    world.clock.on(Duration::from_secs(120));
    let seen = world.say(&record("DeleteTable", TABLE)).await.unwrap();
    assert_eq!(seen.reason.as_deref(), Some("version 1 is named by live"));
    assert_eq!(world.metric("PointedTablesVanished"), 1.0);
    assert_eq!(world.version().await.state, State::Valid);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_a_dead_invocation_brings_the_message_back_when_it_ends() {
    let world = World::with_table().await;
    world.emulator.inject(Fault::access_denied("Scan").always());
    world.say(&signal(TABLE)).await.unwrap_err();
    world.emulator.clear_faults();
    let lease = world.version().await.lease.unwrap();
    let seen = world.say(&signal(TABLE)).await.unwrap();
    assert_eq!(seen.ending, Ending::Later);
    let later = world.shelf.take().unwrap();
    world.clock.on(later.delay);
    let after = world.clock.now().duration_since(lease.until);
    assert!(after > SignedDuration::ZERO && after < SignedDuration::from_secs(5), "{after}");
    world.hand(&letter_of(&later)).await.unwrap();
    assert_published(&world, "taken over").await;
    assert!(world.actions(&world.version().await).await.contains(&Action::TakeOver));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_stops_each_time_is_errored_in_the_end_and_can_be_done_again() {
    let world = World::with_table().await;
    world.emulator.inject(Fault::internal_server_error("Scan").always());
    let letter = world.letter(&signal(TABLE));
    for _ in 0..5 {
        assert_eq!(world.hand(&letter).await.unwrap_err().kind(), "Tables.Unavailable");
        world.clock.on(Duration::from_secs(90));
    }
    assert_eq!(world.hand(&letter).await.unwrap().steps, [Step::CheckBegun, Step::Rejected]);
    let version = world.version().await;
    assert_eq!(version.verdict.as_ref().unwrap().outcome, VerdictOutcome::Errored);
    assert!(version.reason().unwrap().contains("5 times and never came to an end"), "{version:?}");
    assert_eq!((version.attempts, world.live().await), (6, None));
    world.assert_sound().await;

    // Not by what was sent before it broke, nor by anything that is no signal.
    world.emulator.clear_faults();
    let old = on_publish::Letter { sent_at: letter.sent_at, ..world.letter(&signal(TABLE)) };
    assert_eq!(world.hand(&old).await.unwrap().ending, Ending::Already);
    assert_eq!(world.say(&reminder(TABLE)).await.unwrap().ending, Ending::Already);
    world.say(&signal(TABLE)).await.unwrap();
    assert_eq!(world.version().await.state, State::Valid);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_hangs_does_not_take_the_invocation_with_it() {
    let world = World::with_table().await;
    let id = world.emulator.inject(Fault::delay("Scan", Duration::from_secs(20)).always());
    let mut invocation = world.invocation();
    invocation.deadline = invocation.now + SignedDuration::from_secs(3);
    let process = world.process(world.emulator.client());
    let letter = world.letter(&signal(TABLE));
    let one = process.one(&letter, &invocation);
    let seen = tokio::time::timeout(Duration::from_secs(6), one).await.unwrap().unwrap();
    assert!(world.emulator.fired_by(id) > 0);
    assert_eq!((seen.ending, seen.steps.last()), (Ending::Waiting, Some(&Step::Shared)));
    world.emulator.clear_faults();
    world.drain().await;
    assert_published(&world, "hung").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_that_is_not_in_force_yet_is_waited_for_and_the_signal_is_not_lost() {
    let world = World::with_table().await;
    world.emulator.settings(|settings| settings.policy_in_force_after = Duration::from_secs(3600));
    let mut invocation = world.invocation();
    invocation.deadline = invocation.now + SignedDuration::from_secs(3);
    let process = world.process(world.emulator.client());
    let seen = process.one(&world.letter(&signal(TABLE)), &invocation).await.unwrap();
    assert_eq!((seen.ending, world.version().await.state), (Ending::Later, State::Announced));
    assert!(seen.reason.unwrap().starts_with("sealing has to wait: "));
    world.emulator.settings(|settings| settings.policy_in_force_after = Duration::ZERO);
    world.drain().await;
    assert_published(&world, "sealed late").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_takes_nothing_fails_the_message_so_that_it_comes_again() {
    let world = World::empty().await;
    world.shelf.close();
    let error = world.say(&signal(TABLE)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), ("Queue.Unavailable", true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_a_newer_septet_is_left_as_it_is() {
    let world = World::with_table().await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    let before = world.emulator.items(REGISTRY).await;
    let set = world.emulator.backdoor().update_item().table_name(REGISTRY);
    let set = set.key("pk", s("DATASET#recs")).key("sk", s("VERSION#0000000001"));
    let set = set.update_expression("SET #f = :two").expression_attribute_names("#f", "format");
    let two = aws_sdk_dynamodb::types::AttributeValue::N("3".into());
    set.expression_attribute_values(":two", two).send().await.unwrap();
    let changed = world.emulator.items(REGISTRY).await;
    assert_ne!(before, changed);
    let error = world.say(&signal(TABLE)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), ("Registry.Unreadable", false));
    assert!(error.to_string().contains("format 3") && error.to_string().contains("VERSION#0000000001"));
    assert_eq!(world.emulator.items(REGISTRY).await, changed);
    assert_eq!(world.emulator.resource_policy(TABLE), None);
}

fn s(text: &str) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::S(text.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_cannot_be_read_stops_the_version_and_names_itself() {
    let world = World::with_table().await;
    let set = world.emulator.backdoor().update_item().table_name(REGISTRY);
    let set = set.key("pk", s("DATASET#recs")).key("sk", s("CONTRACT#0000000001"));
    let set = set.update_expression("SET #d = :d").expression_attribute_names("#d", "document");
    set.expression_attribute_values(":d", s(&json!({"kind": "DataContract"}).to_string()))
        .send()
        .await
        .unwrap();
    let error = world.say(&signal(TABLE)).await.unwrap_err();
    assert_eq!(error.kind(), "Contract.Unreadable");
    assert!(error.to_string().starts_with("read contract 1 of recs: "), "{error}");
    assert_eq!(world.version().await.state, State::Announced);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_version_is_sealed_by_a_late_signal_and_by_nothing_else() {
    let world = World::with_table().await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    let by = By::new("septet:prune", world.clock.now());
    let number = world.version().await.version;
    assert!(world.registry.abandon(&recs(), number, &by).await.unwrap().is_done());
    let seen = world.say(&reminder(TABLE)).await.unwrap();
    assert_eq!((seen.ending, seen.state), (Ending::Already, Some(State::Abandoned)));
    assert_eq!(world.emulator.resource_policy(TABLE), None);
    let seen = world.say(&signal(TABLE)).await.unwrap();
    assert_eq!((seen.ending, seen.state), (Ending::Done, Some(State::Valid)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_abandoned_while_its_table_is_sealed_goes_on_for_its_signal_is_not_lost() {
    let world = World::with_table().await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    let (registry, clock) = (world.registry.clone(), world.clock.clone());
    let number = world.version().await.version;
    world.emulator.inject(Fault::meanwhile("PutResourcePolicy", move || {
        let (registry, clock) = (registry.clone(), clock.clone());
        async move {
            let by = By::new("septet:prune", clock.now());
            assert!(registry.abandon(&recs(), number, &by).await.unwrap().is_done());
        }
    }));
    let seen = world.say(&signal(TABLE)).await.unwrap();
    assert_eq!(seen.state, Some(State::Valid));
    world.assert_sound().await;
}

#[test]
fn the_name_of_a_table_is_in_every_error_about_it() {
    let table = name(TABLE);
    for error in [
        Error::NoSuchTable { table: table.clone() },
        Error::Unclaimed { table: table.clone(), patterns: "there is none yet".into() },
        Error::ClaimedBySeveral { table: table.clone(), datasets: vec![recs()] },
        Error::BadPattern { table: table.clone(), dataset: recs(), pattern: "*".into() },
        Error::SignalNotTaken { table, why: "so".into() },
    ] {
        assert!(error.to_string().contains(TABLE) && !error.is_retryable(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_that_was_broken_before_the_check_was_over_is_made_anew_and_all_is_checked() {
    let world = World::with_table().await;
    world.emulator.inject(Fault::access_denied("Scan").always());
    world.say(&signal(TABLE)).await.unwrap_err();
    world.emulator.clear_faults();
    let client = world.emulator.client();
    let described = client.describe_table().table_name(TABLE).send().await.unwrap();
    let arn = described.table.unwrap().table_arn.unwrap();
    client.delete_resource_policy().resource_arn(arn).send().await.unwrap();
    world.emulator.put_items(TABLE, [crate::support::good_item(99)]).await;
    world.clock.on(Duration::from_secs(90));
    world.say(&reminder(TABLE)).await.unwrap();
    assert_published(&world, "sealed anew").await;
    assert_eq!(world.version().await.counts.unwrap().items, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_somebody_pointed_at_before_it_was_promoted_is_left_to_them() {
    let world = World::with_table().await;
    // All commits but the last: it passed, and its promotion is pending.
    world.emulator.inject(Fault::access_denied("TransactWriteItems").from(5).always());
    world.say(&signal(TABLE)).await.unwrap_err();
    world.emulator.clear_faults();
    let version = world.version().await;
    assert_eq!((version.state, version.promotion_state), (State::Valid, Some(PromotionState::Pending)));
    let to = PointRequest::new(Direction::To(version.version), "cannot wait");
    let by = By::new("operator", world.clock.now());
    let moved = world.registry.move_pointer(&recs(), &PointerName::live(), &to, &by).await.unwrap();
    assert!(moved.is_done());
    world.say(&reminder(TABLE)).await.unwrap();
    let why = "an operator pointed readers at it before".to_owned();
    assert_eq!(world.version().await.promotion_state, Some(PromotionState::Skipped(why)));
    assert_eq!(world.live().await.unwrap().moved_by, "operator");
    world.assert_sound().await;
}
