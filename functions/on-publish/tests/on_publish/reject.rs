//! Tables that do not pass, and why.

use septet_registry::{PromotionState, State, VerdictOutcome};
use serde_json::json;

use crate::support::{TABLE, World, manifest, record, recs, signal};

async fn rejected(world: &World) -> Vec<String> {
    let version = world.version().await;
    assert_eq!(version.state, State::Rejected);
    let verdict = version.verdict.unwrap();
    assert_eq!((verdict.outcome, version.promotion_state), (VerdictOutcome::Failed, None::<PromotionState>));
    assert_eq!(world.live().await, None);
    assert_eq!((world.metric("VersionsRejected"), world.metric("VersionsValid")), (1.0, 0.0));
    assert!(world.is_sealed(TABLE).await, "what was checked stays as it was");
    world.assert_sound().await;
    verdict.reasons
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_type_is_named_with_its_attribute_and_both_types() {
    let world = World::empty().await;
    world.emulator.create_dataset_table(TABLE, "user_id", None).await;
    let items = (0..8)
        .map(|user| json!({"user_id": format!("u-{user}"), "recs": [{"track_id": "t", "score": "0.5"}]}));
    world.emulator.put_items(TABLE, items).await;
    world.say(&signal(TABLE)).await.unwrap();
    let reasons = rejected(&world).await;
    assert!(
        reasons[0].starts_with("recs[].score: physicalType N expected, S seen in 8 of 8 items"),
        "{reasons:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_users_are_named_by_rule_and_count() {
    let world = World::empty().await;
    world.table(TABLE, 2).await;
    world.say(&signal(TABLE)).await.unwrap();
    let reasons = rejected(&world).await;
    assert!(reasons[0].contains("rowCount") && reasons[0].contains("2 items"), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_table_is_rejected_as_empty() {
    let world = World::empty().await;
    world.table(TABLE, 0).await;
    world.say(&signal(TABLE)).await.unwrap();
    let reasons = rejected(&world).await;
    assert!(reasons[0].to_lowercase().contains("empty") || reasons[0].contains("no items"), "{reasons:?}");
    assert_eq!(world.version().await.counts.unwrap().items, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_named_with_the_right_ones() {
    for (keys, expected) in [
        (&[("id", "S")][..], "not sealed: partition key: user_id (S) expected, id (S) seen"),
        (&[("user_id", "N")], "not sealed: partition key: user_id (S) expected, user_id (N) seen"),
        (&[("user_id", "S"), ("day", "S")], "not sealed: sort key: none expected, day (S) seen"),
    ] {
        let world = World::empty().await;
        world.emulator.create_table(TABLE, keys).await;
        world.say(&signal(TABLE)).await.unwrap();
        let version = world.version().await;
        assert_eq!((version.state, version.reason()), (State::Rejected, Some(expected)));
        assert_eq!(world.emulator.resource_policy(TABLE), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_what_its_manifest_says_is_rejected() {
    let world = World::with_table().await;
    let wrong = json!({"table": TABLE, "items": 9, "digest": "ab12"});
    world.say(&wrong).await.unwrap();
    let reasons = rejected(&world).await;
    assert_eq!(reasons[0], "manifestItems: the manifest says 9 items, the table has 8");
    assert!(reasons[1].starts_with("manifestDigest: the manifest says content digest ab12, the table has "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_with_the_right_digest_passes() {
    let world = World::with_table().await;
    world.table("recs-twin", 8).await;
    world.say(&manifest(TABLE, 8)).await.unwrap();
    let digest = world.version().await.digest.unwrap().to_uppercase();
    world.say(&json!({"table": "recs-twin", "items": 8, "digest": digest})).await.unwrap();
    assert_eq!(world.versions().await[1].state, State::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_night_does_not_hold_up_the_next() {
    let world = World::empty().await;
    for (table, users) in [("recs-1", 8), ("recs-2", 1), ("recs-3", 9)] {
        world.table(table, users).await;
        world.say(&record("CreateTable", table)).await.unwrap();
        world.say(&signal(table)).await.unwrap();
    }
    let states: Vec<_> = world.versions().await.iter().map(|version| version.state).collect();
    assert_eq!(states, [State::Valid, State::Rejected, State::Valid]);
    assert_eq!(world.live().await.unwrap().version.get(), 3);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_stands_however_often_a_signal_comes() {
    let world = World::empty().await;
    world.table(TABLE, 2).await;
    world.say(&signal(TABLE)).await.unwrap();
    let before = (world.version().await, world.records().await);
    world.clock.on(std::time::Duration::from_secs(3600));
    let again = world.say(&signal(TABLE)).await.unwrap();
    assert_eq!(again.ending, on_publish::Ending::Already);
    assert!(again.reason.unwrap().contains("rowCount"));
    assert_eq!((world.version().await, world.records().await), before);
    assert!(world.registry.documents(&recs(), before.0.version, "PROFILE").await.unwrap().len() == 1);
}
