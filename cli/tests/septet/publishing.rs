//! Publishing, and waiting for the verdict.

use std::process::Stdio;
use std::time::Duration;

use septet_emulator::Fault;
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
    // The id goes beside the body: release 0.1.0 refuses fields that it does not know.
    let name = TableName::parse("recs-1").unwrap();
    let id = world.tables.describe(&name).await.unwrap().unwrap().id;
    for message in world.emulator.sent(QUEUE) {
        let attribute = &message["MessageAttributes"]["septet.table_id"];
        assert_eq!(attribute, &json!({"DataType": "String", "StringValue": id}));
    }
}

#[tokio::test]
async fn a_table_that_could_never_be_sealed_is_not_signalled() {
    let world = with_table().await;
    world.dataset("plays", "plays-*", &[("septet.indexes", r#"["by-day"]"#)]).await;
    for table in ["recs-2", "recs-3", "plays-1"] {
        world.emulator.create_dataset_table(table, "user_id", None).await;
    }
    world.emulator.set_replicas("recs-2", &["eu-west-1", "us-east-1"]);
    world.emulator.set_ttl("recs-3", "expires").await;
    for table in ["recs-2", "recs-3", "plays-1"] {
        insta::assert_snapshot!(format!("never_{table}"), world.run(&["publish", table]));
    }
    let elsewhere = "arn:aws:dynamodb:us-east-1:999999999999:table/recs-1";
    insta::assert_snapshot!("never_elsewhere", world.run(&["publish", elsewhere]));
    let region = world.run(&["publish", "arn:aws:dynamodb:eu-west-1:000000000000:table/recs-1"]);
    assert!(region.code == 2 && region.stderr.contains("the table of that name here is"), "{region}");
    let bucket = world.run(&["publish", "arn:aws:s3:::recs-1"]);
    assert!(bucket.code == 2 && bucket.stderr.contains("hint: "), "{bucket}");
    assert!(world.emulator.sent(QUEUE).is_empty());
    // On-publish looks, too, where the operator may not.
    world.emulator.inject(Fault::access_denied("DescribeTimeToLive").always());
    assert_eq!(world.run(&["publish", "recs-1"]).code, 0);
}

#[tokio::test]
async fn the_registry_is_no_table_of_a_dataset() {
    let world = World::new().await;
    world.dataset("all", "septet-*", &[]).await;
    for verb in ["publish", "adopt"] {
        let run = world.run(&[verb, REGISTRY]);
        assert!(run.code == 2 && run.stderr.contains("it is the registry"), "{run}");
    }
    assert!(world.emulator.sent(QUEUE).is_empty());
}

#[tokio::test]
async fn a_dataset_ordered_by_as_of_times_wants_one() {
    let world = World::new().await;
    world.dataset("recs", "recs-*", &[("septet.order", "asOf")]).await;
    world.emulator.create_dataset_table("recs-1", "user_id", None).await;
    insta::assert_snapshot!(world.run(&["publish", "recs-1"]));
    let wrong = world.run(&["publish", "recs-1", "--as-of", "last night"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("a time is written as"), "{wrong}");
    assert_eq!(world.run(&["publish", "recs-1", "--as-of", "2026-11-21"]).code, 0);
    let sent = world.emulator.sent_bodies(QUEUE);
    assert_eq!(sent, [json!({"table": "recs-1", "by": "ann@desk", "as_of": "2026-11-21T00:00:00Z"})]);
}

#[tokio::test]
async fn what_is_a_version_already_is_said_to_be_one() {
    let world = World::with_recs().await;
    world.nights(3).await;
    let again = world.run(&["publish", "recs-3"]);
    assert!(again.code == 0 && again.stdout.contains("it is version 3 of recs, valid."), "{again}");
    let retired = world.registry.retire(&recs(), number(1), "old", &by(50_000)).await;
    let _ = retired.unwrap().into_result().unwrap();
    let gone = world.run(&["publish", "recs-1"]);
    assert!(gone.code == 2 && gone.stderr.contains("it is version 1, which is retiring"), "{gone}");
    assert_eq!(world.emulator.sent(QUEUE).len(), 1);
}

#[tokio::test]
async fn a_version_that_was_given_up_is_waited_for_again() {
    let world = with_table().await;
    let version = world.announce("recs-1", 0).await;
    let abandoned = world.registry.abandon(&recs(), version.version, &by(90_000)).await;
    let _ = abandoned.unwrap().into_result().unwrap();
    let arguments = ["publish", "recs-1", "--wait", "--timeout", "20s"];
    let mut command = world.command(&arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while world.emulator.sent(QUEUE).is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(800)).await;
    // The table is busy: the signal is put on record first.
    let signal = KnownSignal {
        items: None,
        digest: None,
        by: Some("ann@desk".into()),
        as_of: None,
        sent_at: at(90_001),
        adopted: false,
    };
    let recorded = world.registry.record_signal(&recs(), version.version, &signal, &by(90_001)).await;
    let _ = recorded.unwrap().into_result().unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    world.seal(&version, 90_002).await;
    world.check(&version, Passed, "d", 90_003).await;
    let run = Run::of(&arguments, child.wait_with_output().unwrap());
    assert!(run.code == 0 && run.stdout.contains("is valid. It went live."), "{run}");
}

#[tokio::test]
async fn a_wait_says_what_the_version_waits_for() {
    let world = with_table().await;
    let version = world.announce("recs-1", 0).await;
    let waits = world.registry.wait(&recs(), version.version, "its import is still running", &by(1)).await;
    let _ = waits.unwrap().into_result().unwrap();
    let run = world.run(&["publish", "recs-1", "--wait", "--timeout", "1s"]);
    assert!(run.stderr.contains("version 1 is announced: its import is still running\n"), "{run}");
    assert!(
        run.stderr.contains("longer than 1s for the verdict on recs-1: it is announced: its import"),
        "{run}"
    );
    assert_eq!(run.code, 2);
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
    assert!(run.code == 2 && run.stderr.contains("for the verdict on recs-1: it is announced"), "{run}");
}
