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
    let back = PointRequest {
        direction: Direction::Back(None),
        reason: "listeners complain".into(),
        force: false,
        hold_until: None,
    };
    let _ = world.registry.move_pointer(&recs(), &PointerName::live(), &back, &by(20_300)).await.unwrap();
    let why = "2 newer valid versions are kept";
    let retired = world.registry.retire(&recs(), number(1), why, &by(20_400)).await;
    let _ = retired.unwrap().into_result().unwrap();
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
async fn the_log_shows_who_did_what_when_and_why() {
    let world = eventful().await;
    insta::assert_snapshot!(world.run(&["log", "recs", "--limit", "8"]));
    assert_eq!(world.json(&["log", "recs", "--limit", "2"]).as_array().unwrap().len(), 2);
    assert_eq!(world.json(&["log", "recs"])[0]["action"], "retire");
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
    assert_eq!((acts, &plans[0]["refused"]), (vec![json!("delete"), json!("retire")], &json!(false)));
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
    let commands: [&[&str]; 13] = [
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
