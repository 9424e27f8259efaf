//! Publishing, and waiting for the verdict.

use std::process::Stdio;
use std::time::Duration;

use septet_registry::*;
use serde_json::json;

use crate::world::*;
use VerdictOutcome::{Errored, Failed, Passed};

async fn with_table() -> World {
    let world = World::with_recs().await;
    world.emulator.create_dataset_table("recs-1", "user_id", None).await;
    world
}

#[tokio::test]
async fn publishing_sends_one_signal_and_does_not_wait() {
    let world = with_table().await;
    insta::assert_snapshot!(world.run(&["publish", "recs-1", "--items", "9", "--digest", "ab12"]));
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/recs-1";
    let sent = world.json(&["publish", arn]);
    assert_eq!((&sent["dataset"], &sent["table"]), (&json!("recs"), &json!("recs-1")));
    assert_eq!(
        world.emulator.sent_bodies(QUEUE),
        [
            json!({"table": "recs-1", "items": 9, "digest": "ab12", "by": "ann@desk"}),
            json!({"table": "recs-1", "by": "ann@desk"}),
        ]
    );
}

#[tokio::test]
async fn what_cannot_become_a_version_is_not_signalled() {
    let world = with_table().await;
    world.dataset("counted", "counted-*", &[("septet.readiness", r#"["manifest"]"#)]).await;
    world.dataset("tagged", "tagged-*", &[("septet.readiness", r#"["tag"]"#)]).await;
    world.emulator.create_dataset_table("counted-1", "user_id", None).await;
    world.emulator.create_dataset_table("tagged-1", "user_id", None).await;
    world.emulator.create_table("recs-2", &[("user", "N"), ("day", "S")]).await;
    for table in ["plays-1", "recs-9", "recs-2", "counted-1", "tagged-1", "a b"] {
        insta::assert_snapshot!(format!("unfit_{}", table.replace(' ', "_")), world.run(&["publish", table]));
    }
    assert_eq!(world.emulator.sent_bodies(QUEUE), Vec::<serde_json::Value>::new());
    assert_eq!(world.run(&["publish", "counted-1", "--items", "7"]).code, 0);
    insta::assert_snapshot!(world.run(&["publish", "recs-1", "--publish-queue", "nowhere"]));
}

/// Publishes with `--wait` while the version goes its way.
async fn waited(outcome: VerdictOutcome) -> Run {
    let world = with_table().await;
    let arguments = ["publish", "recs-1", "--items", "9", "--wait"];
    let mut command = world.command(&arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while world.emulator.sent(QUEUE).is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let version = world.announce("recs-1", 0).await;
    world.seal(&version, 1).await;
    // Long enough to be seen.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    world.check(&version, outcome, "d", 2).await;
    let mut run = Run::of(&arguments, child.wait_with_output().unwrap());
    assert!(run.stderr.contains("version 1 is sealed\n"), "{run}");
    // Which of these are seen depends on when the command looks.
    let on_the_way = |line: &&str| {
        ["announced", "sealed", "checking"].iter().any(|it| *line == format!("version 1 is {it}"))
    };
    run.stderr =
        run.stderr.lines().filter(|line| !on_the_way(line)).map(|line| format!("{line}\n")).collect();
    run
}

#[tokio::test]
async fn a_check_that_broke_is_waited_for_again() {
    let world = World::with_recs().await;
    world.night("recs-1", Errored, "d", 0).await;
    let arguments = ["publish", "recs-1", "--wait", "--timeout", "20s"];
    let mut command = world.command(&arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while world.emulator.sent(QUEUE).is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(800)).await;
    let version = world.registry.version(&recs(), number(1)).await.unwrap();
    world.check(&version, Passed, "d", 100).await;
    let run = Run::of(&arguments, child.wait_with_output().unwrap());
    assert!(run.code == 0 && run.stdout.contains("is valid. It went live."), "{run}");
}

#[tokio::test]
async fn waiting_ends_well_when_the_version_is_live() {
    let run = waited(Passed).await;
    insta::assert_snapshot!(run);
}

#[tokio::test]
async fn waiting_ends_with_the_reasons_when_the_version_is_rejected() {
    let run = waited(Failed).await;
    insta::assert_snapshot!(run);
}

#[tokio::test]
async fn a_check_that_broke_is_no_answer() {
    let run = waited(Errored).await;
    insta::assert_snapshot!(run);
}

#[tokio::test]
async fn waiting_for_what_has_its_verdict_answers_at_once() {
    let world = World::with_recs().await;
    world.night("recs-1", Failed, "d", 0).await;
    let shown = world.json(&["publish", "recs-1", "--wait"]);
    assert_eq!(shown["version"]["state"], "rejected");
    assert_eq!(world.run(&["publish", "recs-1", "--wait"]).code, 1);
}

#[tokio::test]
async fn waiting_has_an_end() {
    let world = with_table().await;
    insta::assert_snapshot!(world.run(&["publish", "recs-1", "--wait", "--timeout", "1s"]));
    world.announce("recs-1", 0).await;
    let run = world.run(&["publish", "recs-1", "--wait", "--timeout", "1s"]);
    assert!(run.code == 2 && run.stderr.contains("it is announced after 1s"), "{run}");
}
