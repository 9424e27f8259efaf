//! Existing tables: left alone until an operator hands them over.

use septet_emulator::Fault;
use septet_registry::*;
use serde_json::json;

use crate::world::*;
use VerdictOutcome::Passed;

/// Tables `recs-a` to `recs-c`, the last one the oldest, and one of another name; all are older than any contract.
async fn with_older() -> World {
    let world = World::new().await;
    for (table, before) in [("recs-a", 100), ("recs-b", 200), ("recs-c", 300), ("users", 400)] {
        world.older_table(table, before).await;
    }
    world
}

async fn adopted(world: &World) -> Vec<(u64, String)> {
    let versions = world.registry.versions(&recs()).await.unwrap();
    versions.iter().map(|version| (version.version.get(), version.table.to_string())).collect()
}

#[tokio::test]
async fn a_first_contract_shows_the_existing_tables_that_it_claims_and_leaves_them_alone() {
    let world = with_older().await;
    world.file("recs.json", &contract("recs", "recs-*", &[]));
    insta::assert_snapshot!(world.run(&["contract", "put", "recs.json"]));
    assert!(adopted(&world).await.is_empty() && world.emulator.sent(QUEUE).is_empty());
    // Only the put that changes the pattern says so.
    let again = world.run(&["contract", "put", "recs.json"]);
    assert!(again.code == 0 && !again.stdout.contains("existing table"), "{again}");
    world.file("recs.json", &contract("recs", "recs-*", &[("septet.keepNewest", "3")]));
    let other = world.run(&["contract", "put", "recs.json"]);
    assert!(other.code == 0 && !other.stdout.contains("existing table"), "{other}");
    world.file("recs.json", &contract("recs", "recs-b*", &[]));
    let put = world.json(&["contract", "put", "recs.json"]);
    assert_eq!(put["existing_tables"], json!(["recs-b"]));
}

#[tokio::test]
async fn existing_tables_are_adopted_in_order_of_creation_after_a_confirmation() {
    let world = with_older().await;
    world.dataset("recs", "recs-*", &[]).await;
    insta::assert_snapshot!(world.run(&["adopt", "--list"]));
    assert_eq!(world.json(&["adopt", "--list", "--dataset", "recs"]).as_array().unwrap().len(), 3);
    insta::assert_snapshot!(world.run(&["adopt", "recs-a", "recs-c"]));
    assert!(adopted(&world).await.is_empty() && world.emulator.sent(QUEUE).is_empty());
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/recs-c";
    insta::assert_snapshot!(world.run(&["adopt", "recs-a", arn, "recs-c", "--yes"]));
    assert_eq!(adopted(&world).await, [(1, "recs-c".into()), (2, "recs-a".into())]);
    let version = world.registry.version(&recs(), number(1)).await.unwrap();
    assert_eq!((version.created_at, version.as_of), (Some(at(-300)), None));
    let signal = version.signal.unwrap();
    assert_eq!((signal.adopted, signal.by.as_deref()), (true, Some("ann@desk")));
    assert_eq!(
        world.emulator.sent_bodies(QUEUE),
        [json!({"table": "recs-c", "by": "ann@desk"}), json!({"table": "recs-a", "by": "ann@desk"})]
    );
    let listed = world.run(&["versions", "recs"]);
    assert!(listed.stdout.contains("adopted by ann@desk, and waits for its seal"), "{listed}");
    // What is left is listed; the same again does no harm.
    assert_eq!(world.json(&["adopt", "--list"])[0]["table"], "recs-b");
    let again = world.run(&["adopt", "recs-a", "--yes"]);
    assert!(again.code == 0 && again.stdout.contains("recs-a is version 2 of recs."), "{again}");
    assert_eq!(adopted(&world).await.len(), 2);
    assert_eq!(world.run(&["adopt", "recs-b", "--yes"]).code, 0);
    insta::assert_snapshot!(world.run(&["adopt", "--list"]));
}

#[tokio::test]
async fn a_contract_that_takes_no_plain_signal_gets_a_reminder() {
    // The adoption is on record; a signal that the contract does not take would end in the dead letters.
    for settings in [
        ("septet.readiness", r#"["manifest"]"#),
        ("septet.readiness", r#"["tag"]"#),
        ("septet.order", "asOf"),
    ] {
        let world = with_older().await;
        world.dataset("recs", "recs-*", &[settings]).await;
        let run = world.run(&["adopt", "recs-a", "--yes"]);
        assert_eq!(run.code, 0, "{run}");
        assert_eq!(run.stderr.contains("ordered by as-of time"), settings.1 == "asOf", "{run}");
        let sent = world.emulator.sent_bodies(QUEUE);
        assert_eq!(sent, [json!({"look_at": "recs-a", "reason": "adopted by ann@desk"})]);
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_adopted_stops_all_of_them_before_the_question() {
    let world = with_older().await;
    world.dataset("recs", "recs-*", &[]).await;
    world.emulator.set_replicas("recs-a", &["eu-west-1"]);
    world.emulator.set_ttl("recs-c", "expires").await;
    insta::assert_snapshot!(world.run(&["adopt", "recs-a", "recs-b", "recs-c", "--yes"]));
    insta::assert_snapshot!(world.run(&["adopt", "recs-b", "users", "--yes"]));
    insta::assert_snapshot!(world.run(&["adopt", "recs-b", "recs-x", "--yes"]));
    let foreign = "arn:aws:dynamodb:us-east-1:999999999999:table/recs-b";
    assert_eq!(world.run(&["adopt", "recs-b", foreign, "--yes"]).code, 2);
    world.emulator.create_table("recs-n", &[("user_id", "N")]).await;
    let keys = world.run(&["adopt", "recs-n", "--yes"]);
    assert!(keys.code == 2 && keys.stderr.contains("user_id"), "{keys}");
    assert!(adopted(&world).await.is_empty() && world.emulator.sent(QUEUE).is_empty());
}

#[tokio::test]
async fn wrong_uses_of_adopt_and_discard_have_hints() {
    let world = with_older().await;
    world.dataset("recs", "recs-*", &[]).await;
    for (name, arguments) in [
        ("nothing", vec!["adopt"]),
        ("both", vec!["adopt", "--list", "recs-a"]),
        ("dataset", vec!["adopt", "recs-a", "--dataset", "recs"]),
        ("name", vec!["adopt", "a b"]),
        ("unknown", vec!["adopt", "--list", "--dataset", "plays"]),
        ("no_table", vec!["discard", "--reason", "x"]),
        ("no_reason", vec!["discard", "recs-a"]),
    ] {
        let run = world.run(&arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run}");
        assert!(run.stderr.trim_end().lines().last().unwrap().starts_with("hint: "), "{run}");
        insta::assert_snapshot!(format!("wrong_adoption_{name}"), run);
    }
}

#[tokio::test]
async fn an_adoption_that_breaks_off_says_how_far_it_came() {
    let world = with_older().await;
    world.dataset("recs", "recs-*", &[]).await;
    world.emulator.inject(Fault::access_denied("SendMessage").from(2).always());
    insta::assert_snapshot!(world.run(&["adopt", "recs-a", "recs-b", "recs-c", "--yes"]));
    world.emulator.clear_faults();
    assert_eq!(world.run(&["adopt", "recs-a", "recs-b", "recs-c", "--yes"]).code, 0);
    let expected = [(1, "recs-c".into()), (2, "recs-b".into()), (3, "recs-a".into())];
    assert_eq!(adopted(&world).await, expected);
    // A queue that is not there is found before anything is done.
    world.older_table("recs-d", 50).await;
    let run = world.run(&["adopt", "recs-d", "--yes", "--publish-queue", "nowhere"]);
    assert_eq!((run.code, adopted(&world).await.len()), (2, 3), "{run}");
}

#[tokio::test]
async fn what_septet_sealed_is_not_adopted_again() {
    let world = World::with_recs().await;
    world.nights(3).await;
    insta::assert_snapshot!(world.run(&["adopt", "recs-1", "recs-2"]));
    let retired = world.registry.retire(&recs(), number(1), "old", &by(50_000)).await;
    let _ = retired.unwrap().into_result().unwrap();
    let run = world.run(&["adopt", "recs-1", "recs-2", "--yes"]);
    assert!(run.code == 2 && run.stderr.contains("it is version 1, which is retiring"), "{run}");
    assert!(run.stderr.contains("leave out what is named above: septet adopt recs-2"), "{run}");
    assert!(world.emulator.sent(QUEUE).is_empty());
}

#[tokio::test]
async fn a_version_that_only_its_name_handed_over_is_adopted_by_a_signal_on_record() {
    let world = World::new().await;
    world.older_table("recs-1", 100).await;
    world.dataset("recs", "recs-*", &[]).await;
    // Release 0.1.0 announced it by its name.
    let version = world.announce("recs-1", 0).await;
    assert_eq!(world.json(&["adopt", "--list"])[0]["table"], "recs-1");
    insta::assert_snapshot!(world.run(&["adopt", "recs-1", "--yes"]));
    let version = world.registry.version(&recs(), version.version).await.unwrap();
    assert!(version.signal.is_some_and(|signal| signal.adopted));
    assert_eq!(world.json(&["adopt", "--list"]), json!([]));
}

#[tokio::test]
async fn a_table_that_is_younger_than_the_contract_is_not_listed() {
    let world = with_older().await;
    world.dataset("recs", "recs-?", &[]).await;
    world.emulator.create_dataset_table("recs-y", "user_id", None).await;
    world.emulator.create_dataset_table("recs-young", "user_id", None).await;
    let listed = world.json(&["adopt", "--list"]);
    assert!(listed.as_array().unwrap().iter().all(|it| it["table"] != "recs-y"), "{listed}");
    // A pattern that is put later claims tables from then on.
    world.file("recs.json", &contract("recs", "recs-*", &[]));
    let put = world.json(&["contract", "put", "recs.json"]);
    assert_eq!(put["existing_tables"], json!(["recs-c", "recs-b", "recs-a", "recs-young"]));
}

#[tokio::test]
async fn a_contract_may_be_put_and_its_tables_adopted_in_one_command() {
    let world = with_older().await;
    world.file("recs.json", &contract("recs", "recs-*", &[]));
    let put = ["contract", "put", "recs.json", "--adopt"];
    insta::assert_snapshot!(world.run(&put));
    assert!(world.registry.find_dataset(&recs()).await.unwrap().is_none());
    insta::assert_snapshot!(world.run(&[put.as_slice(), &["--yes"]].concat()));
    assert_eq!(adopted(&world).await.len(), 3);
    // With nothing left it does nothing.
    let again = world.run(&[put.as_slice(), &["--yes"]].concat());
    assert!(again.code == 0 && again.stdout.contains("in force already. Nothing changed."), "{again}");
}

#[tokio::test]
async fn a_contract_is_put_though_its_tables_cannot_be_listed_or_adopted() {
    let world = with_older().await;
    world.file("recs.json", &contract("recs", "recs-*", &[]));
    world.emulator.inject(Fault::access_denied("ListTables").always());
    insta::assert_snapshot!(world.run(&["contract", "put", "recs.json"]));
    assert!(world.registry.find_dataset(&recs()).await.unwrap().is_some());
    world.emulator.clear_faults();
    world.emulator.set_replicas("recs-a", &["eu-west-1"]);
    insta::assert_snapshot!(world.run(&["contract", "put", "recs.json", "--adopt", "--yes"]));
    assert!(adopted(&world).await.is_empty());
}

#[tokio::test]
async fn a_new_contract_names_the_versions_under_way() {
    let world = World::with_recs().await;
    world.night("recs-1", Passed, "recs-1", 0).await;
    for (table, now) in [("recs-2", 3600), ("recs-3", 7200)] {
        world.emulator.create_dataset_table(table, "user_id", None).await;
        let version = world.announce(table, now).await;
        if table == "recs-2" {
            world.seal(&version, now).await;
        }
    }
    world.file("recs.json", &contract("recs", "recs-*", &[("septet.keepNewest", "3")]));
    insta::assert_snapshot!(world.run(&["contract", "put", "recs.json"]));
}
