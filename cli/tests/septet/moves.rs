//! Pointing, rolling back, going forward, releasing.

use std::io::Write;
use std::process::Stdio;

use septet_emulator::Fault;
use septet_registry::*;
use serde_json::json;

use crate::world::*;
use VerdictOutcome::{Failed, Passed};

#[tokio::test]
async fn a_rollback_goes_back_holds_and_says_how_to_release() {
    let world = World::with_recs().await;
    world.nights(3).await;
    insta::assert_snapshot!(world.run(&["rollback", "recs", "--reason", "listeners complain", "--yes"]));
    let pointer = world.registry.pointer(&recs(), &PointerName::live()).await.unwrap().unwrap();
    assert_eq!((pointer.version.get(), pointer.moved_by.as_str()), (2, "ann@desk"));
    assert!(pointer.hold.is_some());
    world.night("recs-4", Passed, "recs-4", 20_000).await;
    assert_eq!(world.live().await, 2, "the hold stops promotion");

    insta::assert_snapshot!(world.run(&["release", "recs", "--reason", "the job is mended"]));
    insta::assert_snapshot!(world.run(&["release", "recs", "--reason", "again"]));
    insta::assert_snapshot!(world.run(&["forward", "recs", "--reason", "it was the cache", "-y"]));
    assert_eq!(world.live().await, 3);
    insta::assert_snapshot!(world.run(&["forward", "recs", "--reason", "further", "--yes"]));
    let until =
        ["rollback", "recs", "--to", "1", "--hold-until", "2101-12-24 18:00", "--reason", "bad", "--yes"];
    insta::assert_snapshot!(world.run(&until));
    assert_eq!(world.live().await, 1);
    insta::assert_snapshot!(world.run(&["rollback", "recs", "--reason", "further", "--yes"]));
}

#[tokio::test]
async fn without_a_terminal_nothing_is_done_that_nobody_agreed_to() {
    let world = World::with_recs().await;
    world.nights(2).await;
    insta::assert_snapshot!(world.run(&["rollback", "recs", "--reason", "bad"]));
    assert_eq!(world.live().await, 2);
    // A yes that is piped in is nobody's.
    let mut child = world.command(&["rollback", "recs", "--reason", "bad"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"y\n");
    assert_eq!((child.wait().unwrap().code(), world.live().await), (Some(2), 2));
}

#[tokio::test]
async fn only_a_valid_version_is_pointed_at() {
    let world = World::with_recs().await;
    world.nights(2).await;
    world.night("recs-3", Failed, "recs-3", 20_000).await;
    insta::assert_snapshot!(world.run(&["point", "recs", "3", "--reason", "try", "--yes", "--force"]));
    insta::assert_snapshot!(world.run(&["point", "recs", "9", "--reason", "try", "--yes"]));
    insta::assert_snapshot!(world.run(&["point", "recs", "2", "--reason", "try"]));
    insta::assert_snapshot!(world.run(&["rollback", "recs", "--pointer", "canary", "--reason", "try"]));
    assert_eq!(world.live().await, 2);
    insta::assert_snapshot!(world.run(&[
        "point",
        "recs",
        "1",
        "--pointer",
        "canary",
        "--reason",
        "try",
        "--yes"
    ]));
    let done = world.json(&["point", "recs", "1", "--reason", "approved", "--yes"]);
    assert_eq!((&done["outcome"], &done["pointer"]["version"]), (&json!("done"), &json!(1)));
    assert_eq!(world.json(&["point", "recs", "3", "--reason", "try", "--yes"])["outcome"], "refused");
}

#[tokio::test]
async fn a_version_whose_table_is_gone_or_another_is_never_pointed_at() {
    let world = World::with_recs().await;
    world.nights(3).await;
    world.vanish("recs-1").await;
    world.vanish("recs-2").await;
    world.emulator.create_dataset_table("recs-2", "user_id", None).await;
    insta::assert_snapshot!(world.run(&["point", "recs", "1", "--reason", "try", "--yes", "--force"]));
    insta::assert_snapshot!(world.run(&["rollback", "recs", "--reason", "try", "--yes", "--force"]));
    assert_eq!(world.live().await, 3);
}

#[tokio::test]
async fn the_same_content_and_a_broken_seal_need_force() {
    let world = World::with_recs().await;
    world.night("recs-1", Passed, "same", 0).await;
    world.night("recs-2", Passed, "same", 3600).await;
    let backdoor = world.emulator.backdoor();
    let update = backdoor.update_table().table_name("recs-1").deletion_protection_enabled(false);
    update.send().await.unwrap();
    insta::assert_snapshot!(world.run(&["rollback", "recs", "--reason", "bad", "--yes"]));
    assert_eq!(world.live().await, 2);
    insta::assert_snapshot!(world.run(&["rollback", "recs", "--reason", "bad", "--yes", "--force"]));
    assert_eq!(world.live().await, 1);
}

#[tokio::test]
async fn a_table_that_is_not_sealed_any_more_needs_force() {
    let world = World::with_recs().await;
    world.nights(2).await;
    let client = world.emulator.client();
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/recs-1";
    client.delete_resource_policy().resource_arn(arn).send().await.unwrap();
    let update = client.update_table().table_name("recs-1").deletion_protection_enabled(false);
    update.send().await.unwrap();
    let run = world.run(&["rollback", "recs", "--reason", "bad", "--yes"]);
    assert!(
        run.code == 1 && run.stderr.contains("no: version 1: its table recs-1 is not sealed any more"),
        "{run}"
    );
    assert_eq!(world.live().await, 2);
}

#[tokio::test]
async fn two_operators_who_roll_back_at_once_go_back_once() {
    let world = World::with_recs().await;
    world.nights(3).await;
    let registry = world.elsewhere();
    world.emulator.inject(Fault::meanwhile("TransactWriteItems", move || {
        let registry = registry.clone();
        async move {
            let back = PointRequest::new(Direction::Back(None), "first");
            let _ = registry.move_pointer(&recs(), &PointerName::live(), &back, &by(20_000)).await.unwrap();
        }
    }));
    insta::assert_snapshot!(world.run(&["rollback", "recs", "--reason", "second", "--yes"]));
    assert_eq!((world.live().await, world.count(Action::RollBack).await), (2, 1));
}

#[tokio::test]
async fn a_seal_that_spares_others_than_septets_roles_is_broken() {
    let world = World::with_recs().await;
    world.nights(2).await;
    let run = |roles: &str| {
        let arguments = ["rollback", "recs", "--reason", "bad", "--seal-roles", roles];
        world.run(&arguments)
    };
    let other = run("arn:aws:iam::000000000000:role/other");
    assert!(
        other.code == 1 && other.stderr.contains("the statement SeptetSealTable of the policy was changed"),
        "{other}"
    );
    let own = run(septet_emulator::Emulator::PRINCIPAL);
    assert!(own.code == 2 && own.stderr.contains("there is no terminal"), "{own}");
}

#[tokio::test]
async fn a_colder_table_than_the_one_being_left_is_warned_of() {
    let world = World::with_recs().await;
    world.nights(2).await;
    world.emulator.set_warm_throughput("recs-1", 12_000, 4_000);
    world.emulator.set_warm_throughput("recs-2", 40_000, 4_000);
    let run = world.run(&["rollback", "recs", "--reason", "bad", "--yes"]);
    assert!(
        run.code == 0 && run.stderr.contains("warning: its table serves 12000 reads a second at once"),
        "{run}"
    );
}

#[tokio::test]
async fn a_relative_move_skips_where_the_pointer_stands() {
    let world = World::with_recs().await;
    world.nights(3).await;
    // The trail names version 1 twice now, and version 1 is where it stands.
    assert_eq!(world.run(&["point", "recs", "1", "--reason", "x", "--yes"]).code, 0);
    let back = world.json(&["rollback", "recs", "--reason", "bad", "--yes"]);
    assert_eq!((&back["outcome"], &back["pointer"]["version"]), (&json!("done"), &json!(3)));
    // Back at version 1 after a promotion: what was before is version 3 still.
    assert_eq!(world.run(&["point", "recs", "1", "--reason", "x", "--yes", "--force"]).code, 1, "withdrawn");
    assert_eq!(world.run(&["reinstate", "recs", "1", "--reason", "good"]).code, 0);
    assert_eq!(world.run(&["point", "recs", "1", "--reason", "x", "--yes"]).code, 0);
    assert_eq!(world.run(&["point", "recs", "3", "--reason", "x", "--yes"]).code, 0);
    let back = world.json(&["rollback", "recs", "--reason", "bad", "--yes"]);
    assert_eq!(back["pointer"]["version"], 1);
    // Where nothing else is good, the answer is no and lists what there is.
    for version in ["2", "3"] {
        let _ = world.run(&["withdraw", "recs", version, "--reason", "bad"]);
    }
    insta::assert_snapshot!(world.run(&["rollback", "recs", "--reason", "bad", "--yes"]));
    assert_eq!(world.live().await, 1);
}

#[tokio::test]
async fn a_forward_without_a_rollback_is_a_no() {
    let world = World::with_recs().await;
    let none = world.run(&["forward", "recs", "--reason", "x", "--yes"]);
    assert!(none.code == 1 && none.stderr.contains("there is no pointer live yet"), "{none}");
    world.nights(3).await;
    assert_eq!(world.run(&["forward", "recs", "--reason", "x", "--yes"]).code, 1);
    // A move to a version ends what forward would undo.
    assert_eq!(world.run(&["rollback", "recs", "--reason", "x", "--yes"]).code, 0);
    assert_eq!(world.run(&["point", "recs", "1", "--reason", "x", "--yes"]).code, 0);
    assert_eq!(world.run(&["forward", "recs", "--reason", "x", "--yes"]).code, 1);
    assert_eq!(world.live().await, 1);
}

#[tokio::test]
async fn a_rollback_to_where_the_pointer_stands_is_done_only_if_it_is_held_there() {
    let world = World::with_recs().await;
    world.nights(2).await;
    let to_2 = ["rollback", "recs", "--to", "2", "--reason", "x", "--yes"];
    insta::assert_snapshot!(world.run(&to_2));
    let to_1 = ["rollback", "recs", "--to", "1", "--reason", "x", "--yes"];
    assert_eq!(world.run(&to_1).code, 0);
    let again = world.run(&to_1);
    assert!(again.code == 0 && again.stdout.contains("already. Nothing changed.\n  hold "), "{again}");
    assert_eq!((world.live().await, world.count(Action::RollBack).await), (1, 1));
}

#[tokio::test]
async fn a_move_is_refused_if_a_version_went_live_in_between() {
    let world = World::with_recs().await;
    world.nights(2).await;
    world.emulator.create_dataset_table("recs-3", "user_id", None).await;
    let version = world.announce("recs-3", 20_000).await;
    world.seal(&version, 20_000).await;
    let lease = Lease { owner: "worker".into(), until: at(20_060) };
    let begun = world.registry.begin_check(&recs(), version.version, &lease, &by(20_000)).await;
    let _ = begun.unwrap().into_result().unwrap();
    let conclusion = septet_registry::Conclusion {
        verdict: Verdict { outcome: Passed, reasons: vec![], warnings: vec![], at: at(20_000) },
        counts: None,
        digest: Some("recs-3".into()),
        promotion: Promotion::Auto,
    };
    let passed = world.registry.conclude(&recs(), number(3), "worker", &conclusion, &by(20_000)).await;
    let _ = passed.unwrap().into_result().unwrap();
    let registry = world.elsewhere();
    world.emulator.inject(Fault::meanwhile("TransactWriteItems", move || {
        let registry = registry.clone();
        async move {
            let promoted = registry.promote(&recs(), &PointerName::live(), number(3), &by(20_000)).await;
            let _ = promoted.unwrap().into_result().unwrap();
        }
    }));
    let run = world.run(&["rollback", "recs", "--reason", "bad", "--yes"]);
    assert!(run.code == 1 && run.stdout.contains("live of recs names version 3 (recs-3)"), "{run}");
    assert_eq!((world.live().await, world.count(Action::RollBack).await), (3, 0));
}

#[tokio::test]
async fn a_first_point_is_refused_if_the_pointer_was_set_in_between() {
    let world = World::with_recs().await;
    world.nights(2).await;
    let registry = world.elsewhere();
    world.emulator.inject(Fault::meanwhile("TransactWriteItems", move || {
        let registry = registry.clone();
        async move {
            let canary = PointerName::parse("canary").unwrap();
            let to = PointRequest::new(Direction::To(number(2)), "first");
            let _ = registry.move_pointer(&recs(), &canary, &to, &by(20_000)).await.unwrap();
        }
    }));
    let run = world.run(&["point", "recs", "1", "--pointer", "canary", "--reason", "second", "--yes"]);
    assert!(run.code == 1 && run.stdout.contains("canary of recs names version 2 (recs-2)"), "{run}");
}

#[tokio::test]
async fn a_rollback_withdraws_what_it_leaves_unless_another_pointer_names_it() {
    let world = World::with_recs().await;
    world.nights(3).await;
    let canary = ["point", "recs", "3", "--pointer", "canary", "--reason", "x", "--yes"];
    assert_eq!(world.run(&canary).code, 0);
    insta::assert_snapshot!(world.run(&["rollback", "recs", "--reason", "bad", "--yes"]));
    assert_eq!(world.registry.version(&recs(), number(3)).await.unwrap().withdrawn, None);
    // Of another pointer only if that is wanted.
    let back =
        ["rollback", "recs", "--pointer", "canary", "--to", "1", "--reason", "bad", "--withdraw", "--yes"];
    insta::assert_snapshot!(world.run(&back));
    let left = world.registry.version(&recs(), number(3)).await.unwrap();
    assert_eq!(left.withdrawn.unwrap().reason, "bad");
}

#[tokio::test]
async fn a_preview_names_what_the_target_breaks_in_the_contract_in_force() {
    let world = World::with_recs().await;
    world.nights(2).await;
    let mut document: serde_json::Value = serde_json::from_str(&contract("recs", "recs-*", &[])).unwrap();
    let score = json!({"name": "score", "logicalType": "number", "required": true});
    document["schema"][0]["properties"].as_array_mut().unwrap().push(score);
    world.file("recs.json", &document.to_string());
    assert_eq!(world.run(&["contract", "put", "recs.json", "--breaking", "--reason", "agreed"]).code, 0);
    world.night("recs-3", Passed, "recs-3", 20_000).await;
    insta::assert_snapshot!(world.run(&["rollback", "recs", "--reason", "bad"]));
    // Any other move to it says so, too.
    let run = world.run(&["point", "recs", "1", "--reason", "x"]);
    assert!(run.stderr.contains("warning: version 1 breaks contract 2 for score"), "{run}");
    // A contract that cannot be read keeps no readers on bad data.
    let key = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.into());
    let delete = world.emulator.backdoor().delete_item().table_name(REGISTRY);
    let delete = delete.key("pk", key("DATASET#recs")).key("sk", key("CONTRACT#0000000001"));
    delete.send().await.unwrap();
    let run = world.run(&["rollback", "recs", "--reason", "bad", "--yes"]);
    assert!(run.stderr.contains("what version 2 breaks in contract 2 is not known"), "{run}");
    assert_eq!((run.code, world.live().await), (0, 2));
}

#[tokio::test]
async fn a_read_that_fails_after_the_move_takes_nothing_of_it_back() {
    let world = World::with_recs().await;
    world.nights(2).await;
    // What is read before the move, by a run that stops there.
    world.emulator.clear_calls();
    assert_eq!(world.run(&["rollback", "recs", "--reason", "bad"]).code, 2);
    let before = world.emulator.count("GetItem");
    world.emulator.clear_calls();
    // The decision reads the dataset and the pointer again.
    world.emulator.inject(Fault::access_denied("GetItem").from(before + 3).always());
    let run = world.run(&["rollback", "recs", "--reason", "bad", "--yes"]);
    assert!(run.code == 0 && run.stdout.contains("live of recs names version 1"), "{run}");
    assert!(run.stderr.contains("it is done, but the holds in force are not known"), "{run}");
    world.emulator.clear_faults();
    assert_eq!(world.live().await, 1);
}
