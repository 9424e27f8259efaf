//! The path of a good table, by every sign that it is complete.

use on_publish::{Answer, Ending, Step};
use septet_emulator::{Import, TableStatus};
use septet_registry::{Action, PointRequest, PromotionState, Rung, State, VersionNumber};
use serde_json::json;

use crate::support::{CONTRACT, TABLE, World, manifest, name, record, recs, reminder, signal, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_table_is_sealed_checked_and_goes_live() {
    let world = World::with_table().await;
    let seen = world.say(&record("CreateTable", TABLE)).await.unwrap();
    assert_eq!((seen.ending, seen.steps.as_slice()), (Ending::Waiting, [Step::Announced].as_slice()));
    assert_eq!(seen.reason.unwrap(), "septet.readiness waits for manifest, import, signal, tag");
    assert_eq!(world.emulator.resource_policy(TABLE), None);

    let done = world.say(&manifest(TABLE, 8)).await.unwrap();
    let steps = [Step::Sealed, Step::CheckBegun, Step::Passed, Step::Promoted];
    assert_eq!(
        (done.ending, done.steps.as_slice(), done.state),
        (Ending::Done, &steps[..], Some(State::Valid))
    );
    let version = world.version().await;
    assert_eq!(version.announced_by, "arn:aws:iam::1:role/job (nightly)");
    assert_eq!(version.readiness.as_ref().unwrap().rung, Rung::Manifest);
    assert_eq!(version.counts.as_ref().unwrap().items, 8);
    assert_eq!(version.promotion_state, Some(PromotionState::Promoted));
    assert!(world.is_sealed(TABLE).await);

    let live = world.live().await.unwrap();
    assert_eq!((live.version, live.table), (version.version, name(TABLE)));
    let actions = [Action::Announce, Action::Seal, Action::Check, Action::Pass, Action::Promote];
    assert_eq!(world.actions(&version).await, actions);
    let records = world.records().await;
    let actors: Vec<_> = records.iter().skip(1).map(|record| record.actor.as_str()).collect();
    let septet = "septet:on-publish";
    assert_eq!(actors, [septet, "nightly job", septet, septet, septet]);
    for metric in ["VersionsAnnounced", "VersionsSealed", "VersionsValid", "VersionsPromoted"] {
        assert_eq!(world.metric(metric), 1.0, "{metric}");
    }
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_and_every_answer_are_kept() {
    let world = World::with_table().await;
    world.say(&signal(TABLE)).await.unwrap();
    let version = world.version().await;
    let profile = world.registry.documents(&recs(), version.version, "PROFILE").await.unwrap();
    assert_eq!(profile.len(), 1);
    assert_eq!(profile[0].1["summary"]["items"], json!(8));
    assert_eq!(profile[0].1["summary"]["digest"].as_str(), version.digest.as_deref());
    let kept: serde_json::Value = serde_json::from_str(profile[0].1["profile"].as_str().unwrap()).unwrap();
    assert_eq!((&kept["format"], &kept["items"]), (&json!(1), &json!(8)));
    let checks = world.registry.documents(&recs(), version.version, "CHECK#").await.unwrap();
    let ids: Vec<_> = checks.iter().map(|(_, check)| check["id"].as_str().unwrap()).collect();
    assert_eq!(ids[..2], ["table:primaryKey", "table:timeToLive"]);
    assert!(ids.contains(&"enough_users") && ids.len() > 6, "{ids:?}");
    assert!(checks.iter().all(|(_, check)| check["outcome"] == json!("passed")), "{checks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_many_pages_is_read_to_its_end() {
    let world = World::empty().await;
    world.table(TABLE, 100).await;
    world.emulator.settings(|settings| settings.page_items = Some(7));
    world.emulator.clear_calls();
    world.say(&manifest(TABLE, 100)).await.unwrap();
    let version = world.version().await;
    assert_eq!((version.state, version.counts.unwrap().items), (State::Valid, 100));
    assert!(world.emulator.count("Scan") > 14, "{:?}", world.emulator.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_import_is_complete_and_one_with_errors_is_not() {
    let world = World::with_table().await;
    let import = Import { status: "IN_PROGRESS".into(), processed: 8, imported: 8, errors: 0, failure: None };
    world.emulator.set_import(TABLE, import.clone()).await;
    let seen = world.say(&record("ImportTable", TABLE)).await.unwrap();
    assert!(seen.reason.unwrap().starts_with("its import is still running"));

    world
        .emulator
        .set_import(TABLE, Import { status: "COMPLETED".into(), errors: 2, ..import.clone() })
        .await;
    let seen = world.say(&reminder(TABLE)).await.unwrap();
    assert_eq!(seen.ending, Ending::Waiting);
    assert!(seen.reason.unwrap().contains("2 errors and imported 8 of 8 items"));

    world.emulator.set_import(TABLE, Import { status: "COMPLETED".into(), ..import }).await;
    world.say(&reminder(TABLE)).await.unwrap();
    let version = world.version().await;
    assert_eq!((version.state, version.readiness.unwrap().rung), (State::Valid, Rung::Import));
}

#[tokio::test(flavor = "multi_thread")]
async fn items_that_an_import_lost_to_equal_keys_reject_the_version() {
    let world = World::with_table().await;
    let import = Import { status: "COMPLETED".into(), processed: 9, imported: 9, errors: 0, failure: None };
    world.emulator.set_import(TABLE, import).await;
    world.say(&record("ImportTable", TABLE)).await.unwrap();
    let version = world.version().await;
    assert_eq!(version.state, State::Rejected);
    assert_eq!(
        version.reason().unwrap(),
        "manifestItems: the import wrote 9 items, the table has 8: items with the same key overwrote each other"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_signal_says_is_in_the_table_is_checked_though_it_was_imported() {
    for said in [json!({"table": TABLE, "items": 7}), json!({"table": TABLE, "digest": "ab12"})] {
        let world = World::with_table().await;
        let import =
            Import { status: "COMPLETED".into(), processed: 8, imported: 8, errors: 0, failure: None };
        world.emulator.set_import(TABLE, import).await;
        world.say(&said).await.unwrap();
        assert_eq!(world.version().await.state, State::Rejected, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_the_contract_does_not_take_fails_with_what_it_takes() {
    let world = World::empty().await;
    let strict = format!("{CONTRACT}  - {{property: septet.readiness, value: [manifest]}}\n");
    world.put_contract(&strict).await;
    world.table(TABLE, 8).await;
    let error = world.say(&signal(TABLE)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), ("Signal.NotTaken", false));
    assert!(error.to_string().contains("takes manifest; say in field `items`"), "{error}");
    assert_eq!(world.version().await.state, State::Announced);
    world.say(&manifest(TABLE, 8)).await.unwrap();
    assert_eq!(world.version().await.state, State::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_checked_even_where_a_mere_signal_would_do() {
    let world = World::empty().await;
    world.put_contract(&format!("{CONTRACT}  - {{property: septet.readiness, value: [signal]}}\n")).await;
    world.table(TABLE, 8).await;
    world.say(&manifest(TABLE, 7)).await.unwrap();
    let version = world.version().await;
    assert_eq!((version.state, version.readiness.unwrap().rung), (State::Rejected, Rung::Signal));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_nobody_claims_is_left_alone_but_a_signal_for_it_fails() {
    let world = World::empty().await;
    world.emulator.create_dataset_table("orders", "user_id", None).await;
    let seen = world.say(&record("CreateTable", "orders")).await.unwrap();
    assert_eq!((seen.ending, seen.reason.as_deref()), (Ending::Ignored, Some("no contract claims it")));
    let error = world.say(&signal("orders")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), ("Table.Unclaimed", false));
    assert!(error.to_string().contains("recs: recs-*"), "{error}");
    assert!(world.versions().await.is_empty());
    assert!(!world.is_sealed("orders").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_two_datasets_claim_is_refused_by_their_names() {
    let world = World::with_table().await;
    let other = CONTRACT.replace("name: recs\nversion", "name: films\nversion").replace("recs-*", "re*");
    world.put_contract(&other).await;
    let error = world.say(&record("CreateTable", TABLE)).await.unwrap_err();
    assert_eq!(error.kind(), "Table.Ambiguous");
    assert!(error.to_string().contains("films, recs claim it"), "{error}");
    assert!(world.versions().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_stays_its_datasets_when_the_pattern_changes() {
    let world = World::with_table().await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    world.put_contract(&CONTRACT.replace("recs-*", "other-*")).await;
    world.say(&signal(TABLE)).await.unwrap();
    let version = world.version().await;
    assert_eq!((version.state, version.contract.get()), (State::Valid, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_is_never_a_version_whatever_a_pattern_says() {
    let world = World::empty().await;
    world.put_contract(&CONTRACT.replace("recs-*", "septet-*")).await;
    let seen = world.say(&signal(crate::support::REGISTRY)).await.unwrap();
    assert_eq!(seen.reason.as_deref(), Some("it is the registry itself"));
    assert!(world.emulator.resource_policy(crate::support::REGISTRY).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_event_is_handled_and_answered_with_its_summary() {
    let world = World::with_table().await;
    let handler = world.process(world.emulator.client());
    let answer = handler.handle(record("CreateTable", TABLE), &world.invocation()).await.unwrap();
    let Answer::Single(summary) = answer else { panic!("{answer:?}") };
    assert_eq!(summary.steps, [Step::Announced]);
    assert_eq!(serde_json::to_value(&summary).unwrap()["ending"], json!("waiting"));
    let error = handler.handle(json!({"detail-type": "x"}), &world.invocation()).await.unwrap_err();
    let diagnostic = lambda_runtime::Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, "Message.Unknown");
    assert!(diagnostic.error_message.starts_with("failed to read the event"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_messages_of_a_batch_go_to_the_dead_letters_alone() {
    let world = World::with_table().await;
    let bodies = [
        "recs is ready".to_owned(),
        json!({"tabel": TABLE}).to_string(),
        signal(TABLE).to_string(),
        signal("recs-none").to_string(),
    ];
    assert_eq!(world.batch(&bodies).await, Vec::<String>::new());
    assert_eq!(world.shelf.buried(), ["Message.Malformed", "Message.Malformed"]);
    assert_eq!(world.version().await.state, State::Valid);
    assert_eq!(world.shelf.len(), 1, "the table may not be known yet");
    assert_eq!(world.metric("Errors"), 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_is_begun_at_the_end_of_an_invocation() {
    let world = World::with_table().await;
    let mut invocation = world.invocation();
    invocation.deadline = world.clock_now() + jiff::SignedDuration::from_secs(1);
    let letter = world.letter(&signal(TABLE));
    let error = world.process(world.emulator.client()).one(&letter, &invocation).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), ("Invocation.OutOfTime", true));
    assert!(world.versions().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_the_making_is_announced_and_its_signal_waits_until_it_is_there() {
    let world = World::with_table().await;
    world.emulator.set_status(TABLE, TableStatus::Creating);
    let sent_at = world.clock_now();
    let seen = world.say(&signal(TABLE)).await.unwrap();
    assert_eq!((seen.ending, seen.steps.as_slice()), (Ending::Later, [Step::Announced].as_slice()));
    for _ in 0..5 {
        let later = world.shelf.take().unwrap();
        assert!(later.sent_at - sent_at.as_millisecond() < 1000, "it keeps the time it was sent first");
        world.clock.on(later.delay);
        assert_eq!(world.hand(&crate::support::letter_of(&later)).await.unwrap().ending, Ending::Later);
    }
    assert!(
        world.clock_now().duration_since(start()) > jiff::SignedDuration::from_secs(60),
        "the waits grow"
    );
    let last = world.shelf.take().unwrap();
    assert_eq!(world.hand(&crate::support::letter_of(&last)).await.unwrap().ending, Ending::Waiting);
    // The signal is on record: whatever looks at the table next goes on with it.
    world.emulator.set_status(TABLE, TableStatus::Active);
    world.say(&reminder(TABLE)).await.unwrap();
    let version = world.version().await;
    assert_eq!(
        (version.state, version.readiness.unwrap().by.as_deref()),
        (State::Valid, Some("nightly job"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_table_in_the_making_comes_back_a_few_times_and_leaves_the_rest_to_the_sweep() {
    let world = World::with_table().await;
    world.emulator.set_status(TABLE, TableStatus::Creating);
    world.say(&record("ImportTable", TABLE)).await.unwrap();
    let ends = world.drain().await;
    assert_eq!(ends.len(), 6);
    assert_eq!(ends.last().unwrap().as_ref().unwrap().ending, Ending::Waiting);
    assert_eq!(world.version().await.state, State::Announced);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_not_found_straight_after_its_creation_is_looked_for_again() {
    let world = World::empty().await;
    let seen = world.say(&record("CreateTable", TABLE)).await.unwrap();
    assert_eq!(seen.ending, Ending::Later);
    world.table(TABLE, 8).await;
    let ends = world.drain().await;
    assert_eq!(ends.len(), 1);
    assert_eq!(world.version().await.announced_by, "arn:aws:iam::1:role/job (nightly)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_never_appears_is_given_up_and_a_signal_for_it_fails() {
    let world = World::empty().await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    let ends = world.drain().await;
    assert_eq!(ends.last().unwrap().as_ref().unwrap().ending, Ending::Ignored);
    world.say(&signal(TABLE)).await.unwrap();
    let mut ends = world.drain().await;
    let error = ends.pop().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), ("Table.Missing", false));
    assert!(world.clock_now().duration_since(start()) < jiff::SignedDuration::from_mins(10));
    let seen = world.say(&reminder(TABLE)).await.unwrap();
    assert_eq!(seen.reason.as_deref(), Some("there is no such table"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_promoted_where_people_decide() {
    let world = World::empty().await;
    world.put_contract(&CONTRACT.replace("value: auto", "value: manual")).await;
    world.table(TABLE, 8).await;
    let seen = world.say(&signal(TABLE)).await.unwrap();
    assert_eq!(seen.steps.last(), Some(&Step::Passed));
    let version = world.version().await;
    assert_eq!((version.state, version.promotion_state), (State::Valid, None));
    assert_eq!(world.live().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_pointer_stays_and_the_version_says_why_it_is_not_live() {
    let world = World::empty().await;
    for (night, table) in ["recs-1", "recs-2", "recs-3"].iter().enumerate() {
        world.table(table, 8 + night).await;
        if night == 2 {
            let back = PointRequest::new(septet_registry::Direction::Back(None), "bad night");
            let by = septet_registry::By::new("operator", world.clock_now());
            let live = septet_registry::PointerName::live();
            let _ = world.registry.move_pointer(&recs(), &live, &back, &by).await.unwrap();
        }
        world.say(&signal(table)).await.unwrap();
    }
    assert_eq!(world.live().await.unwrap().version, VersionNumber::new(1));
    let third = world.versions().await.remove(2);
    assert_eq!(third.state, State::Valid);
    let Some(PromotionState::Skipped(why)) = third.promotion_state else { panic!("{third:?}") };
    assert_eq!(why, "pointer live is on hold by operator: bad night");
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_that_passes_late_is_not_promoted_over_a_newer_one() {
    let world = World::empty().await;
    for table in ["recs-1", "recs-2"] {
        world.table(table, 8).await;
        world.say(&record("CreateTable", table)).await.unwrap();
    }
    world.say(&signal("recs-2")).await.unwrap();
    world.say(&signal("recs-1")).await.unwrap();
    assert_eq!(world.live().await.unwrap().version, VersionNumber::new(2));
    let first = world.versions().await.remove(0);
    let why = "version 1 is older than version 2, which is or was live".to_owned();
    assert_eq!((first.state, first.promotion_state), (State::Valid, Some(PromotionState::Skipped(why))));
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_colder_than_one_that_is_hardly_read_goes_live() {
    let world = World::empty().await;
    for (table, reads) in [("recs-1", 20_000), ("recs-2", 12_000), ("recs-3", 20_000)] {
        world.table(table, 8).await;
        world.emulator.set_warm_throughput(table, reads, 4_000);
        world.say(&signal(table)).await.unwrap();
    }
    let versions = world.versions().await;
    assert_eq!(
        versions[1].promotion_state,
        Some(PromotionState::Promoted),
        "nothing was read of the live one"
    );
    assert_eq!(world.live().await.unwrap().version, VersionNumber::new(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_created_anew_under_its_old_name_is_another_version() {
    let world = World::with_table().await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    world.emulator.client().delete_table().table_name(TABLE).send().await.unwrap();
    world.table(TABLE, 5).await;
    world.say(&signal(TABLE)).await.unwrap();
    let versions = world.versions().await;
    let states: Vec<_> = versions.iter().map(|version| version.state).collect();
    assert_eq!(states, [State::Lost, State::Valid]);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_slipped_in_before_the_seal_is_checked_with_the_rest() {
    let world = World::with_table().await;
    let backdoor = world.emulator.backdoor();
    world.emulator.inject(septet_emulator::Fault::meanwhile("PutResourcePolicy", move || {
        let backdoor = backdoor.clone();
        async move {
            let put = backdoor.put_item().table_name(TABLE);
            let put = put.item("user_id", aws_sdk_dynamodb::types::AttributeValue::S("late".into()));
            put.send().await.unwrap();
        }
    }));
    world.say(&signal(TABLE)).await.unwrap();
    let version = world.version().await;
    assert_eq!(version.state, State::Rejected);
    assert!(version.reason().unwrap().starts_with("recs: required"), "{version:?}");
}
