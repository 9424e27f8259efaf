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
        ["rollback", "recs", "--to", "1", "--hold-until", "2001-12-24 18:00", "--reason", "bad", "--yes"];
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
    let registry = world.registry.clone();
    world.emulator.inject(Fault::meanwhile("TransactWriteItems", move || {
        let registry = registry.clone();
        async move {
            let back = PointRequest {
                direction: Direction::Back(None),
                reason: "first".into(),
                force: false,
                hold_until: None,
            };
            let _ = registry.move_pointer(&recs(), &PointerName::live(), &back, &by(20_000)).await.unwrap();
        }
    }));
    let run = world.run(&["rollback", "recs", "--reason", "second", "--yes"]);
    assert!(run.code == 0 && run.stdout.contains("names version 2 (recs-2) already"), "{run}");
    assert_eq!(world.live().await, 2);
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
