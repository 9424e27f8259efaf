//! Messages: ranges, orders, what cannot be followed, and the sweep.

use septet_recovery::ledger::{Action, RunState};
use serde_json::json;

use crate::world::{World, lost, plays, range};

#[tokio::test]
async fn a_range_comes_back_exactly_and_a_message_that_comes_again_starts_nothing() {
    let world = World::new().await;
    assert!(world.deliver(&[&range("")]).await.is_empty());
    assert!(world.deliver(&[&range("")]).await.is_empty());
    world.drain().await;
    assert_eq!(world.found().await, lost());
    assert!(world.deliver(&[&range("")]).await.is_empty());
    assert_eq!(world.orders(), Vec::<String>::new());
    let runs = world.runs().await;
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].state, runs[0].started_by.as_str()), (RunState::Succeeded, "AIDA:ann"));
    assert_eq!(world.buried(), []);
}

#[tokio::test]
async fn a_dry_run_injects_nothing() {
    let world = World::new().await;
    assert!(world.deliver(&[&range(r#","dry_run":true"#)]).await.is_empty());
    world.drain().await;
    assert_eq!(world.runs().await[0].state, RunState::Succeeded);
    assert!(world.found().await.is_empty());
}

#[tokio::test]
async fn a_malformed_range_ends_in_the_dead_letters_and_on_record_and_holds_up_no_other() {
    let world = World::new().await;
    let malformed = range("").replace("15m", "1w");
    let nameless = r#"{"feed":7}"#;
    let unknown = range("").replace("plays", "likes");
    assert!(world.deliver(&[&malformed, nameless, &unknown, &range("")]).await.is_empty());
    world.drain().await;
    assert_eq!(world.found().await, lost());

    let buried = world.buried();
    let reason_of = |body: &str| buried.iter().find(|it| it.0 == body).unwrap().1.clone();
    assert_eq!(buried.len(), 3);
    let reason = reason_of(&malformed);
    assert!(reason.contains("step: \"1w\" is no length of time") && reason.contains("write 1d"), "{reason}");
    assert!(reason_of(nameless).contains("feed"));
    assert!(reason_of(&unknown).contains("there is no feed likes; put it with"));

    let log = world.backfill.ledger.log(&plays(), None).await.unwrap();
    let refused: Vec<_> = log.iter().filter(|record| record.action == Action::Refuse).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (refused[0].reason.as_deref(), refused[0].actor.as_str()),
        (Some(reason.as_str()), "AIDA:ann")
    );
}

#[tokio::test]
async fn a_run_whose_orders_were_lost_is_begun_by_the_message_that_comes_again() {
    let world = World::new().await;
    world.deliver(&[&range("")]).await;
    // As if the first had been killed before it sent them.
    assert!(!world.orders().is_empty());
    world.deliver(&[&range("")]).await;
    world.drain().await;
    assert_eq!(world.found().await, lost());
}

#[tokio::test]
async fn a_message_without_time_comes_again_and_a_lane_goes_on_in_another_message() {
    let world = World::new().await;
    let batch = json!({"Records": [{"messageId": "m-1", "body": range(""), "attributes": {}, "messageAttributes": {}}]});
    let answer = world.backfill.handle(batch, &world.invocation(1)).await.unwrap();
    assert_eq!(
        serde_json::to_value(answer).unwrap(),
        json!({"batchItemFailures": [{"itemIdentifier": "m-1"}]})
    );

    world.deliver(&[&range("")]).await;
    let order = world.orders().remove(0);
    let batch =
        json!({"Records": [{"messageId": "m-2", "body": order, "attributes": {}, "messageAttributes": {}}]});
    let answer = world.backfill.handle(batch, &world.invocation(4)).await.unwrap();
    assert_eq!(serde_json::to_value(answer).unwrap(), json!({"batchItemFailures": []}));
    let next: serde_json::Value = serde_json::from_str(&world.orders()[0]).unwrap();
    assert_eq!((&next["hop"], &next["idle"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_feed_never_fills_the_registry() {
    let world = World::new().await;
    world.put(&world.feed().replace("table: plays", "table: septet-registry")).await;
    world.deliver(&[&range("")]).await;
    assert_eq!(world.deliver(&[&world.orders()[0]]).await, ["m-0"]);
}

#[tokio::test]
async fn a_sweep_begins_nothing_anew_that_is_only_just_begun_and_other_events_are_refused() {
    let world = World::new().await;
    world.deliver(&[&range("")]).await;
    world.orders();
    let answer = world.backfill.handle(json!({"sweep": true}), &world.invocation(20)).await.unwrap();
    assert_eq!(serde_json::to_value(answer).unwrap(), json!({"orders": 0}));
    let error = world.backfill.handle(json!({"sweeps": true}), &world.invocation(20)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), ("Message.Malformed", false));
}
