//! Holds: a list with ids and owners, each ended by its owner, by name, or by its time.

use septet_emulator::Fault;
use septet_registry::*;
use serde_json::json;

use crate::world::*;
use VerdictOutcome::Passed;

const BOB: &str = "bob@laptop";

fn rollback(reason: &str) -> [&str; 5] {
    ["rollback", "recs", "--reason", reason, "--yes"]
}

fn forward(reason: &str) -> [&str; 5] {
    ["forward", "recs", "--reason", reason, "--yes"]
}

fn release(reason: &str) -> [&str; 4] {
    ["release", "recs", "--reason", reason]
}

/// Four nights, rolled back by Ann and then by Bob: `live` names version 2 and two holds are in force.
async fn held_twice() -> World {
    let world = World::with_recs().await;
    world.nights(4).await;
    assert_eq!(world.run(&rollback("bad")).code, 0);
    assert_eq!(world.run_as(BOB, &rollback("worse")).code, 0);
    assert_eq!((world.live().await, world.holds().await.len()), (2, 2));
    world
}

#[tokio::test]
async fn a_bare_release_ends_ones_own_hold_and_names_those_of_others() {
    let world = held_twice().await;
    insta::assert_snapshot!(world.run(&release("mended")));
    insta::assert_snapshot!(world.run(&release("again")));
    let refused = world.json(&release("again"));
    assert_eq!((&refused["outcome"], &refused["holds"][0]["owner"]), (&json!("refused"), &json!(BOB)));
    assert_eq!(refused["pointer"]["version"], 2);
    let bobs = world.holds().await.remove(0);
    insta::assert_snapshot!(world.run(&["release", "recs", "--hold", &bobs, "--reason", "bob is on leave"]));
    assert_eq!((world.holds().await.len(), world.count(Action::Release).await), (0, 2));
    let again = world.run(&["release", "recs", "--hold", &bobs, "--reason", "bob is on leave"]);
    assert!(again.code == 1 && again.stderr.contains("pointer live is not on hold"), "{again}");
}

#[tokio::test]
async fn a_hold_that_is_not_in_force_is_not_guessed_at() {
    let world = held_twice().await;
    insta::assert_snapshot!(world.run(&["release", "recs", "--hold", "00000000", "--reason", "x"]));
    insta::assert_snapshot!(world.run(&["forward", "recs", "--hold", "00000000", "--reason", "x", "--yes"]));
    let wrong = world.run(&["release", "recs", "--hold", "a b", "--reason", "x"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("hint: "), "{wrong}");
    assert_eq!((world.live().await, world.holds().await.len()), (2, 2));
}

#[tokio::test]
async fn forward_ends_the_own_hold_of_the_rollback_that_it_undoes_and_restores_what_was_before() {
    let world = held_twice().await;
    // Ann undoes Bob's rollback: his hold stays, and hers, which belongs to another rollback.
    insta::assert_snapshot!(world.run(&forward("not worse")));
    assert_eq!((world.live().await, world.holds().await.len()), (3, 2));
    assert_eq!(world.run_as(BOB, &rollback("worse after all")).code, 0);
    let bobs = world.holds().await.pop().unwrap();
    insta::assert_snapshot!(world.run(&[
        "forward",
        "recs",
        "--hold",
        &bobs,
        "--reason",
        "bob agrees",
        "--yes"
    ]));
    assert_eq!(world.holds().await.len(), 2);
    // Her own rollback is the one before.
    let done = world.json(&forward("it was the cache"));
    assert_eq!((&done["pointer"]["version"], done["holds"].as_array().unwrap().len()), (&json!(4), 1));
    assert_eq!(done["holds"][0]["owner"], BOB);
    let version = world.registry.version(&recs(), number(4)).await.unwrap();
    assert_eq!(version.withdrawn, None);
}

#[tokio::test]
async fn a_second_forward_does_not_go_further_than_what_was_shown() {
    let world = World::with_recs().await;
    world.nights(3).await;
    assert_eq!(world.run(&rollback("bad")).code, 0);
    assert_eq!(world.run(&rollback("worse")).code, 0);
    let registry = world.elsewhere();
    world.emulator.inject(Fault::meanwhile("TransactWriteItems", move || {
        let registry = registry.clone();
        async move {
            let forward = PointRequest::new(Direction::Forward, "first");
            let live = PointerName::live();
            let _ = registry.move_pointer(&recs(), &live, &forward, &by(20_000)).await.unwrap();
        }
    }));
    let run = world.run(&forward("second"));
    assert!(run.code == 1 && run.stdout.contains("live of recs names version 2 (recs-2)"), "{run}");
    assert_eq!((world.live().await, world.count(Action::RollForward).await), (2, 1));
    // As JSON it says the same.
    let registry = world.elsewhere();
    world.emulator.inject(Fault::meanwhile("TransactWriteItems", move || {
        let registry = registry.clone();
        async move {
            let request = ReleaseRequest { hold: None, ..ReleaseRequest::own("third") };
            let ann = By::new("ann@desk", at(20_001));
            let _ = registry.release(&recs(), &PointerName::live(), &request, &ann).await.unwrap();
        }
    }));
    let refused = world.json(&forward("second"));
    assert_eq!((&refused["outcome"], &refused["pointer"]["version"]), (&json!("refused"), &json!(2)));
    assert_eq!(refused["holds"], json!([]));
}

#[tokio::test]
async fn a_release_is_refused_if_a_hold_was_set_in_between() {
    let world = World::with_recs().await;
    world.nights(3).await;
    assert_eq!(world.run(&rollback("bad")).code, 0);
    let registry = world.elsewhere();
    world.emulator.inject(Fault::meanwhile("TransactWriteItems", move || {
        let registry = registry.clone();
        async move {
            let back = PointRequest::new(Direction::Back(None), "worse");
            let _ = registry.move_pointer(&recs(), &PointerName::live(), &back, &by(20_000)).await.unwrap();
        }
    }));
    let run = world.run(&release("mended"));
    assert!(run.code == 1 && run.stdout.contains("live of recs names version 1 (recs-1)"), "{run}");
    assert_eq!((world.holds().await.len(), world.count(Action::Release).await), (2, 0));
}

#[tokio::test]
async fn a_release_offers_what_passed_while_it_was_held() {
    let world = World::with_recs().await;
    world.nights(2).await;
    assert_eq!(world.run(&rollback("bad")).code, 0);
    world.night("recs-3", Passed, "recs-3", 20_000).await;
    world.night("recs-4", Passed, "recs-4", 30_000).await;
    let promote = ["release", "recs", "--promote-newest", "--reason", "last night is good"];
    // Without a yes nothing is done.
    insta::assert_snapshot!(world.run(&promote));
    assert_eq!((world.live().await, world.holds().await.len()), (1, 1));
    insta::assert_snapshot!(world.run(&[promote.as_slice(), &["--yes"]].concat()));
    assert_eq!((world.live().await, world.holds().await.len()), (4, 0));
    let run = world.run(&[promote.as_slice(), &["--yes"]].concat());
    assert!(run.code == 1 && run.stderr.contains("is not on hold"), "{run}");
    // Version 3 never went live, and is newer than what was and is not withdrawn.
    assert_eq!(world.json(&rollback("bad again"))["pointer"]["version"], 1);
    let run = world.run(&release("mended"));
    assert!(run.stdout.contains("Version 3 passed and never went live."), "{run}");
    assert_eq!(world.run(&["withdraw", "recs", "3", "--reason", "bad, too"]).code, 0);
    assert_eq!(world.run(&["point", "recs", "2", "--reason", "x", "--yes"]).code, 1);
    assert_eq!(world.run(&["reinstate", "recs", "2", "--reason", "good"]).code, 0);
    assert_eq!(world.run(&["point", "recs", "2", "--reason", "x", "--yes"]).code, 0);
    assert_eq!(world.run(&rollback("bad again")).code, 0);
    let run = world.run(&[promote.as_slice(), &["--yes"]].concat());
    assert!(run.code == 1 && run.stderr.contains("no version that passed is newer"), "{run}");
    assert_eq!((world.live().await, world.holds().await.len()), (1, 1));
}

#[tokio::test]
async fn a_release_points_at_no_version_that_point_would_refuse() {
    let world = World::with_recs().await;
    world.nights(2).await;
    assert_eq!(world.run(&rollback("bad")).code, 0);
    world.night("recs-3", Passed, "recs-1", 20_000).await;
    let promote = ["release", "recs", "--promote-newest", "--reason", "x", "--yes"];
    insta::assert_snapshot!(world.run(&promote));
    world.night("recs-4", Passed, "recs-4", 30_000).await;
    world.vanish("recs-4").await;
    let run = world.run(&promote);
    assert!(run.code == 1 && run.stderr.contains("recs-4 does not exist any more"), "{run}");
    assert_eq!((world.live().await, world.holds().await.len()), (1, 1));
    // Holds of others stay, and stop a promotion.
    world.night("recs-5", Passed, "recs-5", 40_000).await;
    assert_eq!(world.run(&["point", "recs", "5", "--reason", "x", "--yes"]).code, 0);
    assert_eq!(world.run_as(BOB, &rollback("bad")).code, 0);
    world.night("recs-6", Passed, "recs-6", 50_000).await;
    let run = world.run(&promote);
    assert!(run.code == 1 && run.stderr.contains("on hold by bob@laptop: bad"), "{run}");
}

#[tokio::test]
async fn the_holds_of_another_pointer_are_its_own() {
    let world = World::with_recs().await;
    world.nights(3).await;
    let canary = |verb: &'static str| [verb, "recs", "--pointer", "canary", "--reason", "x", "--yes"];
    for version in ["1", "2"] {
        let arguments = ["point", "recs", version, "--pointer", "canary", "--reason", "x", "--yes"];
        assert_eq!(world.run(&arguments).code, 0);
    }
    // Version 2 is no baseline for its being left by a pointer that few readers follow.
    insta::assert_snapshot!(world.run(&canary("rollback")));
    assert_eq!(world.registry.version(&recs(), number(2)).await.unwrap().withdrawn, None);
    let run = world.run(&release("x"));
    assert!(run.code == 1 && run.stderr.contains("pointer live is not on hold"), "{run}");
    let run = world.run_as(BOB, &canary("release"));
    assert!(run.code == 1 && run.stdout.contains("--pointer canary --reason WHY"), "{run}");
    world.night("recs-4", Passed, "recs-4", 20_000).await;
    assert_eq!(world.live().await, 4, "a hold of another pointer stops no promotion of live");
    // What a hold of live keeps from going live is nothing to canary.
    assert_eq!(world.run(&rollback("bad")).code, 0);
    world.night("recs-5", Passed, "recs-5", 30_000).await;
    let run = world.run(&[canary("release").as_slice(), &["--promote-newest"]].concat());
    assert!(run.code == 1 && run.stderr.contains("no version goes to canary by itself"), "{run}");
    insta::assert_snapshot!(world.run(&canary("release")));
}

#[tokio::test]
async fn a_hold_of_release_0_1_0_has_no_id_and_is_ended_all_the_same() {
    let world = World::with_recs().await;
    world.nights(2).await;
    // Release 0.1.0 kept the hold on the pointer alone.
    let key = [("pk", "DATASET#recs"), ("sk", "POINTER#live")];
    let hold = [("by", "eve@old"), ("reason", "since last year")];
    let attribute = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.into());
    let hold = hold.map(|(name, text)| (name.to_owned(), attribute(text)));
    let update = world.emulator.backdoor().update_item().table_name(REGISTRY);
    let update = key.iter().fold(update, |update, (name, text)| update.key(*name, attribute(text)));
    let update = update.update_expression("SET #hold = :hold").expression_attribute_names("#hold", "hold");
    let hold = aws_sdk_dynamodb::types::AttributeValue::M(hold.into_iter().collect());
    update.expression_attribute_values(":hold", hold).send().await.unwrap();
    insta::assert_snapshot!(world.run(&release("mended")));
    let run = world.run(&["release", "recs", "--hold", "0.1.0", "--reason", "eve left"]);
    assert!(run.code == 0 && run.stdout.contains("live of recs is released"), "{run}");
}

#[tokio::test]
async fn a_hold_ends_by_its_time_or_after_a_duration() {
    let world = World::with_recs().await;
    world.nights(2).await;
    for (until, why) in [
        ("2001-12-24 18:00", "--hold-until is no time to come"),
        ("99999999d", "--hold-until is no time to come"),
        ("0d", "a duration as 12h or 3d"),
        ("0h", "a duration as 12h or 3d"),
        ("soon", "a duration as 12h or 3d"),
        ("", "a duration as 12h or 3d"),
    ] {
        let run = world.run(&[rollback("bad").as_slice(), &["--hold-until", until]].concat());
        assert!(run.code == 2 && run.stderr.contains(why) && run.stderr.contains("hint: "), "{run}");
    }
    assert_eq!((world.live().await, world.holds().await.len()), (2, 0));
    for (until, hours) in [("12h", 12), ("3d", 72), ("1h 30m", 2)] {
        let before = SystemClock.now();
        let done = world.json(&[rollback("bad").as_slice(), &["--hold-until", until]].concat());
        let end: jiff::Timestamp = done["holds"][0]["until"].as_str().unwrap().parse().unwrap();
        let length = end.duration_since(before).as_secs_f64() / 3600.0;
        assert!(length > f64::from(hours) - 1.0 && length < f64::from(hours) + 0.1, "{until}: {length}");
        assert_eq!(world.run(&forward("good")).code, 0);
        assert_eq!(world.holds().await.len(), 0);
    }
    assert_eq!(world.run(&[rollback("bad").as_slice(), &["--hold-until", "1s"]].concat()).code, 0);
    world.night("recs-3", Passed, "recs-3", 20_000).await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    // It ended by itself: there is nothing to release, and what passed meanwhile is offered.
    insta::assert_snapshot!(world.run(&release("mended")));
    let versions = world.run(&["versions", "recs"]);
    assert!(!versions.stdout.contains("is held"), "{versions}");
}

#[tokio::test]
async fn every_page_prints_the_holds_in_force() {
    let world = held_twice().await;
    let at_2 = |listed: &serde_json::Value| {
        let version = listed.as_array().unwrap().iter().find(|it| it["version"] == 2);
        version.unwrap()["holds"].as_array().unwrap().len()
    };
    assert_eq!(at_2(&world.json(&["versions", "recs"])), 2);
    assert_eq!(world.json(&["show", "recs", "live"])["holds"].as_array().unwrap().len(), 2);
    assert_eq!(world.json(&["history", "recs"])[0]["holds"].as_array().unwrap().len(), 2);
    assert_eq!(world.json(&["history", "recs"])[1].get("holds"), None);
    let already = world.json(&["point", "recs", "2", "--reason", "x", "--yes"]);
    assert_eq!((&already["outcome"], already["holds"].as_array().unwrap().len()), (&json!("already"), 2));
    insta::assert_snapshot!(world.run(&["point", "recs", "2", "--reason", "x", "--yes"]));
    insta::assert_snapshot!(world.run(&["point", "recs", "1", "--reason", "x", "--yes"]));
    for arguments in [vec!["versions", "recs"], vec!["show", "recs", "live"], vec!["history", "recs"]] {
        let run = world.run(&arguments);
        assert_eq!(run.stdout.matches("ends with: septet release recs").count(), 2, "{run}");
        assert!(run.stdout.lines().all(|line| line.len() < 100 || !line.contains("ends with")), "{run}");
    }
    let past = world.run(&["history", "recs", "--at", "2001-09-09 04:00"]);
    assert!(!past.stdout.contains("is held"), "{past}");
}
