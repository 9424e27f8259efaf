//! What the command shows.

use septet_registry::*;
use serde_json::json;

use crate::world::*;
use VerdictOutcome::{Errored, Failed};

/// A dataset with a version in every state that pages speak of.
async fn eventful() -> World {
    let world = World::with_recs().await;
    world.nights(4).await;
    world.night("recs-5", Failed, "recs-5", 20_000).await;
    world.night("recs-6", Errored, "recs-6", 20_100).await;
    world.emulator.create_dataset_table("recs-7", "user_id", None).await;
    world.announce("recs-7", 20_200).await;
    let why = "2 newer good versions are kept";
    let retired = world.registry.retire(&recs(), number(1), why, &by(20_300)).await;
    let _ = retired.unwrap().into_result().unwrap();
    let back = PointRequest::new(Direction::Back(None), "listeners complain");
    let _ = world.registry.move_pointer(&recs(), &PointerName::live(), &back, &by(20_400)).await.unwrap();
    world
}

#[tokio::test]
async fn the_versions_of_a_dataset_are_listed_with_where_they_stand_and_why() {
    let world = eventful().await;
    insta::assert_snapshot!(world.run(&["versions", "recs"]));
    let listed = world.json(&["versions", "recs", "--limit", "3"]);
    let states: Vec<_> = listed.as_array().unwrap().iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, [json!("announced"), json!("rejected"), json!("rejected")]);
}

#[tokio::test]
async fn a_dataset_without_versions_says_what_to_do() {
    let world = World::with_recs().await;
    insta::assert_snapshot!(world.run(&["versions", "recs"]));
    assert_eq!(world.json(&["versions", "recs"]), json!([]));
}

#[tokio::test]
async fn a_version_is_shown_with_its_story() {
    let world = eventful().await;
    insta::assert_snapshot!(world.run(&["show", "recs", "5"]));
    insta::assert_snapshot!(world.run(&["show", "recs", "live"]));
    let shown = world.json(&["show", "recs", "5"]);
    assert_eq!((&shown["version"]["state"], shown["log"].as_array().unwrap().len()), (&json!("rejected"), 4));
}

#[tokio::test]
async fn a_version_is_shown_with_what_its_table_offers_and_who_protects_it() {
    let world = World::with_recs().await;
    world.emulator.create_dataset_table("recs-1", "user_id", None).await;
    let version = world.announce("recs-1", 0).await;
    let protected = world.registry.see_protection(&recs(), version.version, &by(1)).await;
    let _ = protected.unwrap().into_result().unwrap();
    let offers = json!({
        "keys": {"partition": {"name": "user_id", "kind": "S"}, "sort": null},
        "indexes": [{"name": "by-artist", "kind": "GLOBAL"}, {"name": "by-day", "kind": "LOCAL"}],
        "reads": {"provisioned": null, "maximum": 4000},
    });
    let sealed = SealFacts {
        readiness: Readiness { rung: Rung::Signal, items: None, digest: None, by: Some("ds".into()) },
        as_of: Some(at(-86_400)),
        offers: Some(offers),
        created_at: Some(at(0)),
    };
    let sealed = world.registry.seal(&recs(), version.version, &sealed, &by(2)).await;
    let _ = sealed.unwrap().into_result().unwrap();
    insta::assert_snapshot!(world.run(&["show", "recs", "1"]));
    // What a later release wrote there is left out.
    world.night("recs-2", VerdictOutcome::Passed, "recs-2", 10).await;
    let shown = world.run(&["show", "recs", "2"]);
    assert!(shown.code == 0 && !shown.stdout.contains("offers"), "{shown}");
}

#[tokio::test]
async fn the_reasons_why_versions_wait_are_listed() {
    let world = World::with_recs().await;
    for table in ["recs-1", "recs-2"] {
        world.emulator.create_dataset_table(table, "user_id", None).await;
        world.announce(table, 0).await;
    }
    let why = "the table is older than the contract that claims it: `septet adopt recs-1` hands it over";
    let waits = world.registry.wait(&recs(), number(1), why, &by(10)).await;
    let _ = waits.unwrap().into_result().unwrap();
    insta::assert_snapshot!(world.run(&["versions", "recs"]));
    let shown = world.run(&["show", "recs", "1"]);
    assert!(shown.stdout.contains(why), "{shown}");
    assert_eq!(world.json(&["versions", "recs"])[1]["waits"]["reason"], why);
}

#[tokio::test]
async fn a_version_that_passed_says_why_it_is_not_live() {
    let world = World::with_recs().await;
    world.nights(2).await;
    assert_eq!(world.run(&["rollback", "recs", "--reason", "bad", "--yes"]).code, 0);
    world.night("recs-3", VerdictOutcome::Passed, "recs-3", 20_000).await;
    let why = |world: &World| {
        let listed = world.run(&["versions", "recs", "--limit", "1"]);
        listed.stdout.lines().nth(1).unwrap().to_owned()
    };
    assert!(why(&world).contains("waits for its promotion"), "{}", why(&world));
    let waits = world.registry.wait(&recs(), number(3), "its table is being warmed up", &by(20_001)).await;
    let _ = waits.unwrap().into_result().unwrap();
    assert!(why(&world).contains("its table is being warmed up (since "), "{}", why(&world));
    let held = "pointer live is on hold by ann@desk: bad";
    let skipped = world.registry.skip_promotion(&recs(), number(3), held, &by(20_002)).await;
    let _ = skipped.unwrap().into_result().unwrap();
    assert!(why(&world).contains(&format!("not promoted: {held}")), "{}", why(&world));
}

#[tokio::test]
async fn the_log_shows_who_did_what_when_and_why() {
    let world = eventful().await;
    insta::assert_snapshot!(world.run(&["log", "recs", "--limit", "8"]));
    assert_eq!(world.json(&["log", "recs", "--limit", "2"]).as_array().unwrap().len(), 2);
    assert_eq!(world.json(&["log", "recs"])[0]["action"], "roll_back");
}

#[tokio::test]
async fn history_answers_what_was_live_when() {
    let world = eventful().await;
    insta::assert_snapshot!(world.run(&["history", "recs"]));
    insta::assert_snapshot!(world.run(&["history", "recs", "--at", "2001-09-09 04:00"]));
    for (at, live) in [
        ("2001-09-09T02:46:40Z", 1),
        ("2001-09-09T03:46:39Z", 1),
        ("2001-09-09T03:46:40Z", 2),
        ("2001-09-09T06:30:00Z", 4),
        ("2001-09-10", 3),
    ] {
        let found = world.json(&["history", "recs", "--at", at]);
        let versions: Vec<_> = found.as_array().unwrap().iter().map(|it| it["version"].clone()).collect();
        assert_eq!(versions, [json!(live)], "{at}");
    }
    insta::assert_snapshot!(world.run(&["history", "recs", "--at", "2001-09-09"]));
    insta::assert_snapshot!(world.run(&["history", "recs", "--pointer", "canary"]));
}

#[tokio::test]
async fn the_plan_of_pruning_is_shown_and_not_carried_out() {
    let world = eventful().await;
    world.dataset("plays", "plays-*", &[]).await;
    let before = world.registry.log(&recs(), None).await.unwrap();
    insta::assert_snapshot!(world.run(&["prune", "--plan"]));
    let plans = world.json(&["prune", "--plan", "recs", "--rejected-keep-hours", "300000"]);
    let acts: Vec<_> =
        plans[0]["plan"]["steps"].as_array().unwrap().iter().map(|it| it["act"].clone()).collect();
    assert_eq!((acts, &plans[0]["refused"]), (vec![json!("delete")], &json!(false)));
    assert_eq!(world.registry.log(&recs(), None).await.unwrap(), before);
}

#[tokio::test]
async fn a_plan_that_prune_would_refuse_is_shown_with_the_way_to_let_it_through() {
    let world = World::with_recs().await;
    world.nights(8).await;
    insta::assert_snapshot!(world.run(&["prune", "--plan", "recs"]));
}

#[tokio::test]
async fn colour_is_only_for_terminals_and_those_who_want_it() {
    let world = World::with_recs().await;
    world.nights(1).await;
    let shown = |settings: &[(&str, &str)]| {
        let output = world.command(&["versions", "recs"]).envs(settings.iter().copied()).output().unwrap();
        Run::of(&[], output).stdout
    };
    let plain = shown(&[]);
    assert!(!plain.contains('\x1b'), "{plain:?}");
    let coloured = shown(&[("CLICOLOR_FORCE", "1")]);
    assert!(coloured.contains("\x1b["), "{coloured:?}");
    assert_eq!(shown(&[("NO_COLOR", "1")]), plain);
    assert_eq!(shown(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]), plain);
    let stripped = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap().replace_all(&coloured, "").into_owned();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&stripped), words(&plain));
}

#[tokio::test]
async fn help_shows_the_commands_and_each_shows_examples() {
    let world = World::new().await;
    insta::assert_snapshot!(world.run(&["--help"]));
    let commands: [&[&str]; 18] = [
        &["contract", "put"],
        &["contract", "show"],
        &["contract", "lint"],
        &["publish"],
        &["versions"],
        &["show"],
        &["point"],
        &["rollback"],
        &["forward"],
        &["release"],
        &["withdraw"],
        &["reinstate"],
        &["adopt"],
        &["discard"],
        &["check"],
        &["log"],
        &["history"],
        &["prune"],
    ];
    for command in commands {
        let help = world.run(&[command, &["--help"]].concat());
        assert!(
            help.code == 0 && help.stdout.contains(&format!("  septet {} ", command.join(" "))),
            "{help}"
        );
        assert!(help.stdout.contains("Example"), "{help}");
    }
}
