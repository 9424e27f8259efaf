//! Contracts.

use septet_registry::*;
use serde_json::json;

use crate::world::*;

const BAD: &str = "\
apiVersion: v3.1.0
kind: DataContract
id: x
name: recs
version: 1.0.0
status: active
shcema: []
customProperties:
  - property: septet.tablePattern
    value: \"*\"
  - property: septet.promotion
    value: sometimes
";

#[tokio::test]
async fn a_contract_is_put_once_and_what_it_changes_is_shown() {
    let world = World::new().await;
    let file = world.file("recs.json", &contract("recs", "recs-*", &[]));
    let file = file.to_str().unwrap();
    insta::assert_snapshot!(world.run(&["contract", "put", file, "--reason", "first"]));
    insta::assert_snapshot!(world.run(&["contract", "put", file]));
    world.file(
        "recs.json",
        &contract("recs", "recs-*", &[("septet.keepNewest", "3"), ("septet.promotion", "manual")]),
    );
    insta::assert_snapshot!(world.run(&["contract", "put", file]));
    let stored = world.registry.contracts(&recs()).await.unwrap();
    assert_eq!(stored.len(), 2);
    let read = septet_contract::Contract::parse(&stored[1].document).unwrap();
    assert_eq!((read.digest(), stored[1].put_by.as_str()), (stored[1].digest.clone(), "ann@desk"));
    let settings = world.registry.dataset(&recs()).await.unwrap().settings;
    assert_eq!((settings.keep_newest, settings.promotion), (3, Promotion::Manual));
    let log = world.registry.log(&recs(), None).await.unwrap();
    assert_eq!(log.last().unwrap().reason.as_deref(), Some("first"));
    insta::assert_snapshot!(world.run(&["contract", "show", "recs", "--number", "1"]));
    insta::assert_snapshot!(world.run(&["contract", "show", "recs", "--number", "9"]));
    assert_eq!(world.json(&["contract", "show", "recs"])["contract"], 2);
}

#[tokio::test]
async fn a_contract_with_problems_is_refused_with_each_at_its_place() {
    let world = World::new().await;
    world.file("bad.yaml", BAD);
    insta::assert_snapshot!(world.run(&["contract", "put", "bad.yaml"]));
    assert_eq!(world.registry.datasets().await.unwrap(), []);
    let linted = world.json(&["contract", "lint", "bad.yaml"]);
    assert_eq!(linted["ok"], false);
    assert!(linted["findings"].as_array().unwrap().iter().any(|it| it["line"] == 7), "{linted}");
    insta::assert_snapshot!(world.run(&["contract", "lint", "nowhere.yaml"]));
}

#[tokio::test]
async fn the_example_is_sound_and_all_of_it_is_enforced() {
    let world = World::new().await;
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../contracts/recs.odcs.yaml");
    world.file("recs.odcs.yaml", &std::fs::read_to_string(example).unwrap());
    // Needs no AWS at all.
    let mut command = world.command(&["contract", "lint", "recs.odcs.yaml"]);
    let output = command.env_remove("AWS_REGION").env_remove("AWS_ACCESS_KEY_ID").output().unwrap();
    insta::assert_snapshot!(Run::of(&["contract", "lint", "recs.odcs.yaml"], output));
    let linted = world.json(&["contract", "lint", "recs.odcs.yaml"]);
    assert_eq!((&linted["ok"], &linted["dataset"]), (&json!(true), &json!("recs")));
}

#[tokio::test]
async fn two_datasets_never_claim_the_same_tables() {
    let world = World::with_recs().await;
    world.file("eu.json", &contract("recs-eu", "recs-eu-*", &[]));
    insta::assert_snapshot!(world.run(&["contract", "put", "eu.json"]));
    assert_eq!(world.json(&["contract", "put", "eu.json"])["ok"], false);
    assert_eq!(world.registry.datasets().await.unwrap().len(), 1);
    world.file("eu.json", &contract("recs-eu", "recseu-*", &[]));
    assert_eq!(world.run(&["contract", "put", "eu.json"]).code, 0);
}

#[tokio::test]
async fn a_contract_may_come_from_standard_input() {
    let world = World::new().await;
    let file = world.file("recs.json", &contract("recs", "recs-*", &[]));
    let open = std::fs::File::open(world.folder.path().join(file)).unwrap();
    let run = world.command(&["contract", "put", "-"]).stdin(open).output().unwrap();
    assert_eq!((run.status.code(), world.registry.datasets().await.unwrap().len()), (Some(0), 1));
}

/// The contract of `recs` with one more property.
fn with(name: &str, property: serde_json::Value, settings: &[(&str, &str)]) -> String {
    let mut document: serde_json::Value = serde_json::from_str(&contract(name, "recs-*", settings)).unwrap();
    document["schema"][0]["properties"].as_array_mut().unwrap().push(property);
    document.to_string()
}

#[tokio::test]
async fn a_contract_that_breaks_readers_or_versions_is_refused_unless_it_is_meant() {
    let world = World::with_recs().await;
    world.night("recs-1", VerdictOutcome::Passed, "one", 10).await;
    world.file("recs.json", &with("recs", json!({"name": "score", "logicalType": "number"}), &[]));
    assert_eq!(world.run(&["contract", "put", "recs.json"]).code, 0);
    world.night("recs-2", VerdictOutcome::Passed, "two", 20).await;
    // Fits the contract in force and not the first one, of which version 1 is kept.
    let required = json!({"name": "score", "logicalType": "number", "required": true});
    world.file("recs.json", &with("recs", required, &[]));
    insta::assert_snapshot!(world.run(&["contract", "put", "recs.json"]));
    assert_eq!(world.registry.contracts(&recs()).await.unwrap().len(), 2);
    let refused = world.json(&["contract", "put", "recs.json"]);
    assert_eq!(refused["compatibility"]["unsafe_versions"], json!([1, 2]));
    assert_eq!(refused["ok"], false);
    insta::assert_snapshot!(world.run(&["contract", "put", "recs.json", "--breaking"]));
    insta::assert_snapshot!(world.run(&["contract", "put", "recs.json", "--breaking", "--reason", "agreed"]));
    let log = world.registry.log(&recs(), Some(1)).await.unwrap();
    assert_eq!(log[0].reason.as_deref(), Some("breaking: agreed"));
}

#[tokio::test]
async fn a_version_stays_safe_to_roll_back_to_if_its_data_happens_to_keep_the_new_contract() {
    let world = World::with_recs().await;
    let score = |rule| with("recs", json!({"name": "score", "logicalType": "number", "required": rule}), &[]);
    world.file("recs.json", &score(false));
    assert_eq!(world.run(&["contract", "put", "recs.json"]).code, 0);
    let loose = septet_contract::Contract::parse(&score(false)).unwrap();
    let checker = septet_checks::Checker::new(&loose);
    for (night, all) in [(1, true), (2, false)] {
        world
            .night(&format!("recs-{night}"), VerdictOutcome::Passed, &format!("digest {night}"), night * 10)
            .await;
        let mut profile = checker.profile();
        for has_it in [true, all] {
            let score = septet_checks::Value::N("1".into());
            let item = has_it.then(|| ("score".to_owned(), score)).into_iter().collect();
            checker.observe(&mut profile, &item);
        }
        let number = septet_registry::VersionNumber::new(night as u64);
        let document = septet_verdict::document(septet_verdict::Seen::Whole(profile));
        world.registry.put_document(&recs(), number, septet_verdict::PROFILE, &document).await.unwrap();
    }
    world.file("recs.json", &score(true));
    let refused = world.json(&["contract", "put", "recs.json"]);
    assert_eq!(refused["compatibility"]["unsafe_versions"], json!([2]));
    assert_eq!(refused["compatibility"]["safe_by_data"], json!([1]));
    insta::assert_snapshot!(world.run(&["contract", "diff", "recs:current", "recs.json"]));
}

#[tokio::test]
async fn a_contract_is_judged_by_the_mode_in_force_not_by_its_own() {
    let world = World::with_recs().await;
    let number = json!({"name": "user", "logicalType": "number", "required": true});
    world.file("recs.json", &with("recs", number, &[("septet.compatibility", "NONE")]));
    assert_eq!(world.run(&["contract", "put", "recs.json"]).code, 1);
    world.file("none.json", &contract("recs", "recs-*", &[("septet.compatibility", "NONE")]));
    assert_eq!(world.run(&["contract", "put", "none.json"]).code, 0);
    // Nothing is forbidden, so that the flag says nothing.
    assert_eq!(world.run(&["contract", "put", "recs.json", "--breaking", "--reason", "why"]).code, 0);
    let log = world.registry.log(&recs(), Some(1)).await.unwrap();
    assert_eq!(log[0].reason.as_deref(), Some("why"));
}

#[tokio::test]
async fn two_contracts_are_compared_from_files_and_from_the_registry() {
    let world = World::with_recs().await;
    world.night("recs-1", VerdictOutcome::Passed, "one", 10).await;
    world.file("old.json", &contract("recs", "recs-*", &[]));
    let score = json!({"name": "score", "logicalType": "number", "required": true, "logicalTypeOptions": {"minimum": 0}});
    world.file("new.json", &with("recs", score, &[("septet.keepNewest", "3")]));
    // Files need no AWS.
    let args = ["contract", "diff", "old.json", "new.json"];
    let mut command = world.command(&args);
    let output = command.env_remove("AWS_REGION").env_remove("AWS_ACCESS_KEY_ID").output().unwrap();
    insta::assert_snapshot!(Run::of(&args, output));
    let forward = world.run(&["contract", "diff", "old.json", "new.json", "--mode", "forward"]);
    assert_eq!(forward.code, 0);
    insta::assert_snapshot!(world.run(&["contract", "diff", "recs:1", "new.json"]));
    let json = world.json(&["contract", "diff", "recs:current", "new.json"]);
    assert_eq!((&json["ok"], &json["compatibility"]["unsafe_versions"]), (&json!(false), &json!([1])));
    let broken = &json["compatibility"]["breaks"][0];
    assert_eq!((&broken["attribute"], &broken["rule"]), (&json!("score"), &json!("required")));
    insta::assert_snapshot!(world.run(&["contract", "diff", "recs:1", "recs:current"]));
    insta::assert_snapshot!(world.run(&["contract", "diff", "recs:9", "new.json"]));
    world.file("bad.yaml", BAD);
    assert_eq!(world.run(&["contract", "diff", "bad.yaml", "new.json"]).code, 2);
}

#[tokio::test]
async fn a_first_contract_is_inferred_from_all_items_or_a_sample() {
    let world = World::new().await;
    world.emulator.create_dataset_table("recs-2026-11-21", "user_id", Some("day")).await;
    let items = (0..30).map(|number| {
        let mut item = json!({
            "user_id": format!("u-{number:03}"),
            "day": "2026-11-21",
            "at": format!("2026-11-21T02:00:{number:02}Z"),
            "plan": if number % 2 == 0 { "free" } else { "paid" },
            "age": number,
            "score": f64::from(number) / 4.0,
            "odd: \"name\" # é": true,
            "recs": (0..=number % 3).map(|n| json!({"track": format!("t{n}"), "n": n})).collect::<Vec<_>>(),
            "counts": (0..5).map(|n| (format!("t-{number}-{n}"), json!(n))).collect::<serde_json::Map<_, _>>(),
            "gone": null,
        });
        if number < 10 {
            item["mixed"] = if number == 0 { json!("x") } else { json!(1) };
            item["note"] = json!({"text": "hi", "from": null});
        }
        item
    });
    world.emulator.put_items("recs-2026-11-21", items).await;
    let run = world.run(&["contract", "infer", "recs-2026-11-21"]);
    insta::assert_snapshot!(run);
    let all = world.json(&["contract", "infer", "recs-2026-11-21"]);
    assert_eq!((&all["items"], &all["sampled"]), (&json!(30), &json!(false)));
    // What it infers is a contract that the very table keeps.
    let contract = septet_contract::Contract::parse(all["document"].as_str().unwrap()).unwrap();
    let checker = septet_checks::Checker::new(&contract);
    let name = TableName::parse("recs-2026-11-21").unwrap();
    let page = world.tables.scan_page(
        &name,
        septet_tables::Segment::WHOLE,
        None,
        septet_tables::Consistency::Strong,
    );
    let mut profile = checker.profile();
    page.await.unwrap().observe(&checker, &mut profile).unwrap();
    let report = checker.evaluate(&profile, &septet_checks::History::default());
    assert_eq!(report.reasons(), Vec::<String>::new());
    let part = world.run(&["contract", "infer", "recs-2026-11-21", "--items", "7"]).to_string();
    assert!(part.contains("a sample of 7 items of the table recs-2026-11-21, which holds more"), "{part}");
    insta::assert_snapshot!(world.run(&["contract", "infer", "nowhere"]));
}

#[tokio::test]
async fn a_contract_of_a_table_without_a_date_says_that_a_nightly_name_needs_one() {
    let world = World::new().await;
    world.emulator.create_dataset_table("users", "user_id", None).await;
    world.emulator.put_items("users", [json!({"user_id": "u-1"})]).await;
    let run = world.run(&["contract", "infer", "users"]);
    insta::assert_snapshot!(run);
    let document = world.json(&["contract", "infer", "users"])["document"].clone();
    let inferred = septet_contract::Contract::parse(document.as_str().unwrap()).unwrap();
    assert_eq!(inferred.settings().table_pattern.as_str(), "users");
}

#[tokio::test]
async fn lint_shows_settings_that_few_contracts_have_where_they_are_set() {
    let world = World::new().await;
    let settings = [
        ("septet.readiness", "[\"signal\", \"quiet\"]"),
        ("septet.quietMinutes", "45"),
        ("septet.order", "asOf"),
        ("septet.indexes", "[\"by-artist\", \"by-day\"]"),
        ("septet.prewarm", "30000"),
    ];
    world.file("recs.json", &contract("recs", "recs-????-??-??", &settings));
    insta::assert_snapshot!(world.run(&["contract", "lint", "recs.json"]));
    let shown = &world.json(&["contract", "lint", "recs.json"])["settings"];
    assert_eq!(shown["readiness"], json!(["signal", {"quiet": {"minutes": 45}}]));
    assert_eq!((&shown["order"], &shown["prewarm"]), (&json!("asOf"), &json!(30_000)));
    world.file("recs.json", &contract("recs", "recs-????-??-??", &[]));
    let shown = world.json(&["contract", "lint", "recs.json"])["settings"].clone();
    for setting in ["order", "indexes", "prewarm"] {
        assert_eq!(shown.get(setting), None, "{shown}");
    }
}
