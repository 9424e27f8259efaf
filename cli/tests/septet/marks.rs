//! Marks on versions: withdrawn, reinstated, discarded.

use septet_emulator::Fault;
use septet_registry::*;
use serde_json::json;

use crate::world::*;
use VerdictOutcome::{Errored, Failed, Passed};

#[tokio::test]
async fn a_withdrawn_version_is_no_target_until_it_is_reinstated() {
    let world = World::with_recs().await;
    world.nights(3).await;
    insta::assert_snapshot!(world.run(&["withdraw", "recs", "2", "--reason", "half of it is missing"]));
    insta::assert_snapshot!(world.run(&["withdraw", "recs", "2", "--reason", "again"]));
    insta::assert_snapshot!(world.run(&["point", "recs", "2", "--reason", "x", "--yes", "--force"]));
    assert_eq!(
        world.run(&["rollback", "recs", "--to", "2", "--reason", "x", "--yes"]).code,
        1,
        "a rollback is no way round it"
    );
    let listed = world.run(&["versions", "recs"]);
    assert!(listed.stdout.contains("withdrawn by ann@desk: half of it is missing"), "{listed}");
    // A relative move goes past it.
    let back = world.json(&["rollback", "recs", "--reason", "bad", "--yes"]);
    assert_eq!((&back["pointer"]["version"], &back["withdrawn"]), (&json!(1), &json!(3)));
    insta::assert_snapshot!(world.run(&["reinstate", "recs", "2", "--reason", "it was the cache"]));
    insta::assert_snapshot!(world.run(&["reinstate", "recs", "2", "--reason", "again"]));
    assert_eq!(world.run(&["point", "recs", "2", "--reason", "x", "--yes"]).code, 0);
    let log = world.run(&["log", "recs"]);
    assert!(log.stdout.contains("withdraw") && log.stdout.contains("reinstate"), "{log}");
}

#[tokio::test]
async fn only_a_valid_version_that_no_pointer_names_is_withdrawn() {
    let world = World::with_recs().await;
    world.nights(2).await;
    world.night("recs-3", Failed, "recs-3", 20_000).await;
    insta::assert_snapshot!(world.run(&["withdraw", "recs", "2", "--reason", "x"]));
    insta::assert_snapshot!(world.run(&["withdraw", "recs", "3", "--reason", "x"]));
    for verb in ["withdraw", "reinstate"] {
        let unknown = world.run(&[verb, "recs", "9", "--reason", "x"]);
        assert!(unknown.code == 2 && unknown.stderr.contains("hint: `septet versions recs`"), "{unknown}");
        let unknown = world.run(&[verb, "plays", "1", "--reason", "x"]);
        assert!(unknown.code == 2 && unknown.stderr.contains("there are: recs"), "{unknown}");
    }
    assert_eq!(world.run(&["reinstate", "recs", "3", "--reason", "x"]).code, 0, "it is not withdrawn");
    assert_eq!(world.count(Action::Withdraw).await, 0);
}

#[tokio::test]
async fn the_page_of_a_withdrawn_version_says_until_when_its_table_stays() {
    let world = World::with_recs().await;
    world.nights(4).await;
    let kept = |world: &World, version: &str, more: &[&str]| {
        let run = world.run(&[["show", "recs", version].as_slice(), more].concat());
        let line = run.stdout.lines().find(|line| line.starts_with("withdrawn"));
        line.unwrap_or_else(|| panic!("{run}")).trim_start_matches("withdrawn").trim().to_owned()
    };
    let until = |world: &World, version: &str, more: &[&str]| -> jiff::Timestamp {
        let shown = world.json(&[["show", "recs", version].as_slice(), more].concat());
        shown["kept_until"]["at"].as_str().unwrap().parse().unwrap()
    };
    let hours = |end: jiff::Timestamp| end.duration_since(SystemClock.now()).as_secs_f64() / 3600.0;
    // By hand: the stack's time.
    assert_eq!(world.run(&["withdraw", "recs", "1", "--reason", "bad"]).code, 0);
    assert!((47.9..48.0).contains(&hours(until(&world, "1", &[]))));
    assert!((1.9..2.0).contains(&hours(until(&world, "1", &["--rejected-keep-hours", "2"]))));
    // Never a panic, whatever the stack says.
    assert_eq!(world.run(&["show", "recs", "1", "--rejected-keep-hours", "4294967295"]).code, 0);
    // By a rollback: while its hold lasts.
    let back = |until: &str| {
        world.run(&["rollback", "recs", "--reason", "bad", "--yes", "--hold-until", until]).code
    };
    assert_eq!(back("5d"), 0);
    assert!((119.9..120.0).contains(&hours(until(&world, "4", &[]))));
    assert!(!kept(&world, "4", &[]).contains("while hold"));
    assert_eq!(world.run(&["rollback", "recs", "--reason", "worse", "--yes"]).code, 0);
    for version in ["3", "4"] {
        let line = kept(&world, version, &[]);
        let holds = world.holds().await;
        assert!(
            line.contains(&format!("kept while hold {} of ann@desk lasts, and until", holds[1])),
            "{line}"
        );
        assert_eq!(world.json(&["show", "recs", version])["kept_until"]["hold"], holds[1].as_str());
    }
    // Once the holds are ended, the stack's time again.
    assert_eq!(world.run(&["release", "recs", "--reason", "good"]).code, 0);
    assert!((47.9..48.0).contains(&hours(until(&world, "4", &[]))));
    assert_eq!(world.json(&["show", "recs", "2"]).get("kept_until"), None);
}

async fn with_unsealed() -> World {
    let world = World::with_recs().await;
    world.nights(1).await;
    for table in ["recs-2", "recs-3"] {
        world.emulator.create_dataset_table(table, "user_id", None).await;
        world.announce(table, 20_000).await;
    }
    world.emulator.create_dataset_table("recs-4", "user_id", None).await;
    world
}

#[tokio::test]
async fn a_table_that_was_never_sealed_is_discarded_after_a_confirmation() {
    let world = with_unsealed().await;
    insta::assert_snapshot!(world.run(&["discard", "recs-2", "--reason", "a test"]));
    insta::assert_snapshot!(
        world.run(&["discard", "recs-2", "recs-3", "recs-2", "--reason", "a test", "--yes"])
    );
    assert_eq!(world.count(Action::Abandon).await, 2);
    let again = world.run(&["discard", "recs-2", "--reason", "another", "--yes"]);
    assert!(again.code == 0 && again.stdout.contains("discarded already, by ann@desk: a test"), "{again}");
    let listed = world.run(&["versions", "recs"]);
    assert!(listed.stdout.contains("discarded by ann@desk: a test; prune deletes its table"), "{listed}");
    // It is never sealed any more.
    for arguments in [["publish", "recs-2"], ["adopt", "recs-2"]] {
        let run = world.run(&arguments);
        assert!(run.code == 2 && run.stderr.contains("it was discarded by ann@desk: a test"), "{run}");
    }
    assert!(world.emulator.sent(QUEUE).is_empty() && world.emulator.has_table("recs-2").await);
}

#[tokio::test]
async fn what_was_sealed_or_is_no_version_is_not_discarded() {
    let world = with_unsealed().await;
    insta::assert_snapshot!(world.run(&["discard", "recs-2", "recs-1", "--reason", "x", "--yes"]));
    insta::assert_snapshot!(world.run(&["discard", "recs-4", "--reason", "x", "--yes"]));
    let foreign = "arn:aws:dynamodb:us-east-1:999999999999:table/recs-2";
    insta::assert_snapshot!(world.run(&["discard", foreign, "--reason", "x", "--yes"]));
    world.night("recs-5", Errored, "recs-5", 30_000).await;
    assert_eq!(world.run(&["discard", "recs-5", "--reason", "x", "--yes"]).code, 1);
    // Another table of that name is no version.
    world.emulator.backdoor().delete_table().table_name("recs-3").send().await.unwrap();
    world.emulator.create_dataset_table("recs-3", "user_id", None).await;
    let run = world.run(&["discard", "recs-3", "--reason", "x", "--yes"]);
    assert!(run.code == 2 && run.stderr.contains("it is no version"), "{run}");
    assert_eq!(world.count(Action::Abandon).await, 0, "all of it, or none");
}

#[tokio::test]
async fn a_table_that_is_sealed_while_it_is_discarded_stays() {
    let world = with_unsealed().await;
    let registry = world.elsewhere();
    world.emulator.inject(Fault::meanwhile("TransactWriteItems", move || {
        let registry = registry.clone();
        async move {
            let readiness = Readiness { rung: Rung::Signal, items: None, digest: None, by: None };
            let sealed = registry.seal(&recs(), number(2), &readiness.into(), &by(20_100)).await;
            let _ = sealed.unwrap().into_result().unwrap();
        }
    }));
    insta::assert_snapshot!(world.run(&["discard", "recs-2", "recs-3", "--reason", "x", "--yes"]));
    assert_eq!(world.registry.version(&recs(), number(2)).await.unwrap().state, State::Sealed);
}

#[tokio::test]
async fn a_reason_says_something() {
    let world = World::with_recs().await;
    world.night("recs-1", Passed, "recs-1", 0).await;
    world.file("recs.json", &contract("recs", "recs-*", &[]));
    let run = "0194a1d5-0000-7000-8000-000000000000";
    let range = ["--from", "2026-11-18", "--to", "2026-11-19"];
    let start = [["backfill", "start", "plays"].as_slice(), &range].concat();
    for command in [
        &["point", "recs", "1"][..],
        &["rollback", "recs"],
        &["forward", "recs"],
        &["release", "recs"],
        &["withdraw", "recs", "1"],
        &["reinstate", "recs", "1"],
        &["discard", "recs-1"],
        &["contract", "put", "recs.json"],
        &["backfill", "pause", "plays", run],
        &["backfill", "resume", "plays", run],
        &["backfill", "cancel", "plays", run],
        &start,
    ] {
        for reason in ["", "  \t"] {
            let run = world.run(&[command, &["--reason", reason]].concat());
            assert!(run.code == 2 && run.stderr.contains("say why in a few words"), "{run}");
        }
    }
    assert_eq!(world.live().await, 1);
}
