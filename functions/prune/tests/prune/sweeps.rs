//! What a sweep finds and does.

use septet_registry::*;
use serde_json::json;

use crate::world::*;
use VerdictOutcome::{Failed, Passed};

fn point(direction: Direction) -> PointRequest {
    PointRequest::new(direction, "because")
}

#[tokio::test]
async fn tables_that_a_pattern_claims_are_announced_by_reminder_and_others_are_not_touched() {
    let world = World::with_recs().await;
    world.dataset("septet", 3).await;
    for table in ["recs-a", "recs-b", "other-a", "septet-own"] {
        world.emulator.create_dataset_table(table, "id", None).await;
    }
    world.announce_existing("recs-b", 0).await;
    let summary = world.sweep(0).await;
    let found = "found by the sweep".to_owned();
    let announced = "announced and not known to be complete".to_owned();
    let mut reminders = world.reminders();
    reminders.sort();
    assert_eq!(
        reminders,
        [("recs-a".into(), found.clone()), ("recs-b".into(), announced), ("septet-own".into(), found)]
    );
    assert_eq!((summary.done.len(), summary.found.tables, summary.found.versions), (3, 5, 1));
}

#[tokio::test]
async fn tables_on_every_page_of_the_list_are_found() {
    let world = World::with_recs().await;
    for table in 0..120 {
        world.emulator.create_dataset_table(&format!("aaa-{table:03}"), "id", None).await;
    }
    world.emulator.create_dataset_table("recs-last", "id", None).await;
    world.emulator.clear_calls();
    let summary = world.sweep(0).await;
    assert_eq!((world.emulator.count("ListTables"), summary.found.tables), (2, 122));
    assert_eq!(world.reminders(), [("recs-last".into(), "found by the sweep".into())]);
    assert_eq!(world.emulator.count("DescribeTable"), 1, "only what somebody claims is looked at");
}

#[tokio::test]
async fn a_version_whose_table_vanished_is_lost_and_prunes_no_other() {
    let world = World::with_recs().await;
    world.nights(5).await;
    world.vanish("recs-3").await;
    world.vanish("recs-4").await;
    let summary = world.sweep(10_000).await;
    use State::*;
    assert_eq!(world.states().await, [Valid, Valid, Lost, Lost, Valid], "{summary:#?}");
    assert_eq!(world.existing().await, ["recs-1", "recs-2", "recs-5"]);
    world.assert_sound(10_000).await;
}

#[tokio::test]
async fn a_table_created_anew_under_the_name_of_a_version_is_another_table() {
    let world = World::with_recs().await;
    world.nights(2).await;
    world.vanish("recs-1").await;
    world.emulator.create_dataset_table("recs-1", "user_id", None).await;
    world.sweep(10_000).await;
    assert_eq!(world.state(1).await, State::Lost);
    assert_eq!(world.reminders(), [("recs-1".into(), "found by the sweep".into())]);
    let anew = world.announce_existing("recs-1", 10_001).await;
    assert_eq!(anew.version, number(3));
}

#[tokio::test]
async fn a_live_table_that_vanished_is_an_alarm_until_somebody_points_elsewhere() {
    let world = World::with_recs().await;
    world.nights(2).await;
    world.vanish("recs-2").await;
    let summary = world.sweep(10_000).await;
    assert_eq!(world.state(2).await, State::Valid);
    let gone: Vec<_> = summary.live_table_gone.iter().map(|gone| gone.what.to_string()).collect();
    assert_eq!(gone, ["version 2 is named by live, and its table recs-2 vanished"]);
    assert_eq!(world.measured(prune::LIVE_TABLE_GONE), [(Some("recs".into()), 1.0)]);
    let back = point(Direction::Back(None));
    let moved = world.registry.move_pointer(&recs(), &PointerName::live(), &back, &by(10_010)).await;
    assert_eq!(moved.unwrap().into_result().unwrap().version, number(1));
    let summary = world.sweep(10_020).await;
    assert_eq!((world.state(2).await, summary.live_table_gone.len()), (State::Lost, 0));
}

#[tokio::test]
async fn whatever_waits_is_reminded_of_and_what_is_overdue_is_given_up() {
    let world = World::with_recs().await;
    world.announce("recs-1", -100_000).await;
    world.announce("recs-2", 0).await;
    let sealed = world.announce("recs-3", 0).await;
    world.seal(&sealed, 0).await;
    for (table, begun) in [("recs-4", 0), ("recs-5", 100)] {
        let version = world.announce(table, 0).await;
        world.seal(&version, 0).await;
        world.begin_check(&version, begun).await;
    }
    let passed = world.announce("recs-6", 0).await;
    world.seal(&passed, 0).await;
    world.begin_check(&passed, 0).await;
    world.conclude(&passed, Passed, 0).await;
    let shared = world.announce("recs-7", 0).await;
    world.seal(&shared, 0).await;
    world.begin_check(&shared, 100).await;
    let _ = world
        .registry
        .share(&recs(), shared.version, "worker", 4, &by(100))
        .await
        .unwrap()
        .into_result()
        .unwrap();

    world.sweep(101).await;
    let reminders: Vec<_> = world.reminders();
    let reminders: Vec<_> = reminders.iter().map(|(table, why)| (table.as_str(), why.as_str())).collect();
    assert_eq!(
        reminders,
        [
            ("recs-2", "announced and not known to be complete"),
            ("recs-3", "sealed and not checked"),
            ("recs-4", "its check stopped"),
            ("recs-6", "passed and not promoted"),
            ("recs-7", "many invocations check it, and some part may wait"),
        ]
    );
    assert_eq!(world.state(1).await, State::Abandoned);
    let log = world.registry.log(&recs(), Some(1)).await.unwrap();
    assert_eq!((log[0].action, log[0].actor.as_str()), (Action::Abandon, prune::ACTOR));
}

#[tokio::test]
async fn superfluous_versions_retire_and_after_the_grace_their_sealed_tables_are_deleted() {
    let world = World::with_recs().await;
    world.nights(5).await;
    world.night("recs-6", Failed, 300).await;
    use State::*;
    let summary = world.sweep(400).await;
    assert_eq!(world.states().await, [Retiring, Retiring, Valid, Valid, Valid, Rejected]);
    assert_eq!(summary.done.len(), 2);
    world.sweep(459).await;
    assert_eq!(world.existing().await.len(), 6, "readers may not have left yet");
    let summary = world.sweep(460).await;
    assert_eq!(world.states().await, [Deleted, Deleted, Valid, Valid, Valid, Retiring], "{summary:#?}");
    assert_eq!(world.existing().await, ["recs-3", "recs-4", "recs-5", "recs-6"]);
    world.sweep(600).await;
    assert_eq!(world.existing().await, ["recs-3", "recs-4", "recs-5"]);
    let before = world.registry.log(&recs(), None).await.unwrap();
    let summary = world.sweep(1000).await;
    assert_eq!(summary.done, []);
    assert_eq!(
        world.registry.log(&recs(), None).await.unwrap(),
        before,
        "a sweep with nothing to do does nothing"
    );
    world.assert_sound(1000).await;
}

#[tokio::test]
async fn a_table_that_is_still_being_deleted_is_confirmed_by_a_later_sweep() {
    let world = World::with_recs().await;
    world.nights(4).await;
    world.sweep(400).await;
    world.emulator.settings(|settings| settings.deleting = std::time::Duration::from_secs(3));
    let prune = world.prune_with(world.emulator.client(), 7, at(0));
    let soon = septet_telemetry::Invocation {
        deadline: at(10) + std::time::Duration::from_millis(1),
        ..invocation(500)
    };
    let summary = prune.handle(json!({}), &soon).await.unwrap();
    assert_eq!(world.state(1).await, State::Retiring);
    assert!(summary.skipped[0].reason.contains("is being deleted; the next sweep goes on"), "{summary:#?}");
    let summary = prune.handle(json!({}), &soon).await.unwrap();
    assert!(summary.skipped[0].what.starts_with("confirm 1 recs-1"), "{summary:#?}");
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    world.sweep(501).await;
    assert_eq!(world.state(1).await, State::Deleted);
}

#[tokio::test]
async fn a_table_of_the_same_name_but_another_id_is_never_deleted() {
    let world = World::with_recs().await;
    world.nights(4).await;
    world.sweep(400).await;
    assert_eq!(world.state(1).await, State::Retiring);
    world.vanish("recs-1").await;
    world.emulator.create_dataset_table("recs-1", "user_id", None).await;
    world.sweep(10_000).await;
    assert_eq!(world.state(1).await, State::Deleted);
    assert!(world.existing().await.contains(&"recs-1".to_owned()));
    assert_eq!(world.reminders(), [("recs-1".into(), "found by the sweep".into())]);
}

#[tokio::test]
async fn a_plan_that_goes_too_far_is_refused_and_an_operator_may_let_it_through() {
    let world = World::with_recs().await;
    world.dataset("other", 3).await;
    world.nights(9).await;
    world.night("other-1", Failed, 0).await;
    let summary = world.sweep(10_000).await;
    assert!(world.states().await.iter().all(|state| *state == State::Valid));
    let refused = &summary.refused[0];
    assert_eq!((refused.dataset.as_str(), refused.steps, refused.at_most), ("recs", 6, 5));
    assert!(refused.hint.contains(r#"{"dataset":"recs","max_deletions":6}"#), "{}", refused.hint);
    assert_eq!(world.measured(prune::PLAN_REFUSED), [(Some("recs".into()), 1.0)]);
    let other = world.registry.version(&set("other"), number(1)).await.unwrap();
    assert_eq!(other.state, State::Retiring, "the others are pruned all the same");

    let allow = json!({"dataset": "recs", "max_deletions": 6});
    let summary = world.sweep_with(allow.clone(), 10_010).await;
    assert_eq!((summary.done.len(), summary.refused.len(), summary.found.datasets), (6, 0, 1));
    assert_eq!(world.sweep(10_080).await.refused.len(), 1, "deleting as many is asked about again");
    world.sweep_with(allow, 10_090).await;
    assert_eq!(world.existing().await, ["recs-7", "recs-8", "recs-9"]);
    world.assert_sound(10_100).await;
}

#[tokio::test]
async fn a_dry_run_gives_the_plan_and_changes_nothing() {
    let world = World::with_recs().await;
    world.nights(5).await;
    world.announce("recs-6", 250).await;
    world.emulator.create_dataset_table("recs-7", "id", None).await;
    let before = world.emulator.items(REGISTRY).await.len();
    let log = world.registry.log(&recs(), None).await.unwrap();
    world.emulator.clear_calls();
    let summary = world.sweep_with(json!({"dry_run": true}), 400).await;
    let calls = world.emulator.calls();
    let read = ["DescribeTable", "GetItem", "ListTables", "Query"];
    assert!(calls.keys().all(|call| read.contains(&call.as_str())), "{calls:?}");
    assert_eq!((world.emulator.items(REGISTRY).await.len(), world.reminders().len()), (before, 0));
    assert_eq!(world.registry.log(&recs(), None).await.unwrap(), log);
    assert_eq!(world.measured(prune::VERSIONS_KEPT), []);
    insta::assert_snapshot!(summary.plans[0]);
    insta::assert_json_snapshot!(summary);
}

#[tokio::test]
async fn a_sweep_sends_heartbeats_for_each_dataset_whether_or_not_there_is_anything_to_do() {
    let world = World::new().await;
    world.sweep(0).await;
    assert_eq!(world.measured(prune::LIVE_VERSION_AGE), [(None, 0.0)], "silence would alarm");
    world.dataset("recs", 3).await;
    world.dataset("none", 3).await;
    world.nights(2).await;
    world.night("recs-3", Failed, 120).await;
    let late = world.announce("recs-4", 180).await;
    world.seal(&late, 180).await;
    world.begin_check(&late, 180).await;
    world.conclude(&late, Passed, 240).await;
    let promoted = world.registry.promote(&recs(), &PointerName::live(), late.version, &by(300)).await;
    assert!(promoted.unwrap().is_done());
    world.sweep(7440).await;
    let of = |name: &str, value| (Some(name.to_owned()), value);
    assert_eq!(world.measured(prune::LIVE_VERSION_AGE)[1..], [of("recs", 7260.0)]);
    assert_eq!(
        world.measured(prune::HOURS_SINCE_PUBLICATION),
        [of("none", 7440.0 / 3600.0), of("recs", 2.0)]
    );
    assert_eq!(world.measured(prune::VERSIONS_KEPT), [of("none", 0.0), of("recs", 3.0)]);
}

#[tokio::test]
async fn a_bad_event_or_an_unknown_dataset_is_an_error_and_nothing_is_done() {
    let world = World::with_recs().await;
    world.nights(5).await;
    for (event, kind) in [
        (json!({"detail": "{}"}), "Request.Malformed"),
        (json!({"max_deletions": 9}), "Request.Malformed"),
        (json!({"dataset": "unknown"}), "Registry.NotFound"),
    ] {
        let error = world.prune().handle(event, &invocation(10_000)).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        let shown = lambda_runtime::Diagnostic::from(error);
        assert_eq!((shown.error_type.as_str(), shown.error_message.starts_with("failed to ")), (kind, true));
    }
    assert!(world.states().await.iter().all(|state| *state == State::Valid));
}

#[test]
fn every_metric_of_a_sweep_that_somebody_must_act_on_has_its_alarm() {
    let template = include_str!("../../../../template.yaml");
    for metric in [
        prune::LIVE_VERSION_AGE,
        prune::LIVE_TABLE_GONE,
        prune::PLAN_REFUSED,
        prune::FAILURES,
        prune::VERSIONS_ABANDONED,
        prune::PROMOTIONS_PENDING,
        prune::TABLES_KEPT,
        prune::HOLD_REMINDERS,
    ] {
        assert!(template.contains(&format!("MetricName: {metric}\n")), "{metric}");
    }
}
