//! Errors: each says what failed and what to do, and changes nothing.

use aws_sdk_dynamodb::types::AttributeValue;
use septet_emulator::Fault;
use septet_registry::*;

use crate::world::*;

#[tokio::test]
async fn an_unknown_dataset_is_answered_with_those_there_are() {
    let world = World::new().await;
    insta::assert_snapshot!(world.run(&["versions", "plays"]));
    world.dataset("recs", "recs-*", &[]).await;
    for arguments in [
        vec!["versions", "plays"],
        vec!["show", "plays", "1"],
        vec!["log", "plays"],
        vec!["history", "plays"],
        vec!["prune", "--plan", "plays"],
        vec!["contract", "show", "plays"],
        vec!["point", "plays", "1", "--reason", "x", "--yes"],
        vec!["rollback", "plays", "--reason", "x", "--yes"],
        vec!["forward", "plays", "--reason", "x", "--yes"],
        vec!["release", "plays", "--reason", "x", "--yes"],
    ] {
        let run = world.run(&arguments);
        assert_eq!(run.code, 2, "{run}");
        assert!(run.stderr.contains("find the dataset plays: it is unknown"), "{run}");
        assert!(run.stderr.contains("\nhint: there are: recs; `septet contract put FILE`"), "{run}");
        assert_eq!(run.stdout, "", "{run}");
    }
}

#[tokio::test]
async fn an_unknown_version_or_pointer_is_an_error() {
    let world = World::with_recs().await;
    insta::assert_snapshot!(world.run(&["show", "recs", "7"]));
    insta::assert_snapshot!(world.run(&["show", "recs", "live"]));
}

#[tokio::test]
async fn an_item_of_a_newer_septet_is_not_guessed_at() {
    let world = World::with_recs().await;
    let s = |text: &str| AttributeValue::S(text.into());
    let put = world.emulator.backdoor().put_item().table_name(REGISTRY);
    let put = put.item("pk", s("DATASET#recs")).item("sk", s("VERSION#0000000001"));
    put.item("format", AttributeValue::N("9".into())).send().await.unwrap();
    insta::assert_snapshot!(world.run(&["versions", "recs"]));
    assert_eq!(world.run(&["rollback", "recs", "--reason", "x", "--yes"]).code, 2);
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let world = World::with_recs().await;
    world.nights(2).await;
    let rollback = ["rollback", "recs", "--reason", "x", "--yes"];
    let publish = ["publish", "recs-1"];
    for (name, operation, arguments) in [
        ("query", "Query", rollback.as_slice()),
        ("write", "TransactWriteItems", &rollback),
        ("describe", "DescribeTable", &rollback),
        ("policy", "GetResourcePolicy", &rollback),
        ("url", "GetQueueUrl", &publish),
        ("send", "SendMessage", &publish),
    ] {
        world.emulator.inject(Fault::access_denied(operation).always());
        insta::assert_snapshot!(format!("denied_{name}"), world.run(arguments));
        world.emulator.clear_faults();
    }
    assert_eq!(world.live().await, 2);
    assert!(world.emulator.sent(QUEUE).is_empty());
}

#[tokio::test]
async fn throttling_is_no_answer() {
    let world = World::with_recs().await;
    world.nights(2).await;
    world.emulator.inject(Fault::throttle("GetItem").always());
    insta::assert_snapshot!(world.run(&["versions", "recs"]));
    world.emulator.clear_faults();
    world.emulator.inject(Fault::throttle("DescribeTable").always());
    insta::assert_snapshot!(world.run(&["rollback", "recs", "--reason", "x", "--yes"]));
    world.emulator.clear_faults();
    world.emulator.inject(Fault::throttle("SendMessage").always());
    insta::assert_snapshot!(world.run(&["publish", "recs-1"]));
    assert_eq!(world.live().await, 2);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_settled() {
    let world = World::with_recs().await;
    world.nights(2).await;
    world.emulator.inject(Fault::lost_answer("TransactWriteItems"));
    let run = world.run(&["rollback", "recs", "--reason", "x", "--yes"]);
    assert_eq!((run.code, world.live().await), (0, 1), "{run}");
    let moves = world.registry.log(&recs(), None).await.unwrap();
    assert_eq!(moves.iter().filter(|record| record.action == Action::RollBack).count(), 1);
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_named() {
    let world = World::new().await;
    insta::assert_snapshot!(world.run(&["versions", "recs", "--registry", "elsewhere"]));
}

#[tokio::test]
async fn without_region_credentials_or_network_the_hint_says_what_is_missing() {
    let world = World::with_recs().await;
    let arguments = ["versions", "recs"];
    let run = |command: &mut std::process::Command| Run::of(&arguments, command.output().unwrap());
    insta::assert_snapshot!(run(world.command(&arguments).env_remove("AWS_REGION")));
    insta::assert_snapshot!(run(world.command(&arguments).env_remove("AWS_ACCESS_KEY_ID")));
    insta::assert_snapshot!(run(world.command(&arguments).env("AWS_ACCESS_KEY_ID", "AKIAWRONG")));
    insta::assert_snapshot!(run(world.command(&arguments).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")));
}

#[tokio::test]
async fn wrong_use_is_told_from_a_no() {
    let world = World::new().await;
    for (name, arguments) in [
        ("no command", vec![]),
        ("unknown", vec!["publsh", "recs-1"]),
        ("no reason", vec!["rollback", "recs"]),
        ("no plan", vec!["prune"]),
        ("bad name", vec!["versions", "Recs"]),
        ("bad time", vec!["history", "recs", "--at", "yesterday"]),
        ("bad duration", vec!["publish", "recs-1", "--wait", "--timeout", "15"]),
        ("bad roles", vec!["versions", "recs", "--seal-roles", "admin"]),
    ] {
        let run = world.run(&arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run}");
        assert!(run.stderr.trim_end().lines().last().unwrap().starts_with("hint: "), "{run}");
        insta::assert_snapshot!(format!("wrong_use_{}", name.replace(' ', "_")), run);
    }
    let version = world.run(&["--version"]);
    assert_eq!((version.code, version.stdout.as_str()), (0, "septet 0.1.0\n"));
}

#[tokio::test]
async fn who_acts_is_the_user_at_this_host_unless_said_otherwise() {
    let world = World::with_recs().await;
    world.nights(3).await;
    let mut command = world.command(&["rollback", "recs", "--reason", "x", "--yes"]);
    command.env_remove("SEPTET_ACTOR").env_remove("USER");
    assert!(command.output().unwrap().status.success());
    // A variable that is set to nothing names nobody.
    let mut command = world.command(&["rollback", "recs", "--reason", "x", "--yes"]);
    command.env("SEPTET_ACTOR", " ").env_remove("USER");
    assert!(command.output().unwrap().status.success());
    let user = std::process::Command::new("id").arg("-un").output().unwrap();
    let user = format!("{}@", String::from_utf8(user.stdout).unwrap().trim());
    for record in world.registry.log(&recs(), Some(2)).await.unwrap() {
        assert!(record.actor.starts_with(&user) && record.actor.len() > user.len(), "{}", record.actor);
    }
}
