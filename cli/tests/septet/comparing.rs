//! `septet check` on tables, and against versions, files and tables.

use std::process::Stdio;
use std::time::Duration;

use septet_checks::Checker;
use septet_contract::Contract;
use septet_registry::VerdictOutcome;
use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::world::*;

const FUNCTION: &str = "arn:aws:lambda:eu-west-1:111122223333:function:septet-check-flat";

/// The contract of the dataset `recs` with scores, models and rules that compare them with the live version.
fn contract() -> Value {
    let mut contract: Value = serde_json::from_str(&crate::world::contract("recs", "recs-*", &[])).unwrap();
    let rule = |id: &str, check: &str, more: Value| {
        let mut implementation = json!({"check": check, "against": "live"});
        implementation.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"id": id, "type": "custom", "engine": "septet", "implementation": implementation})
    };
    let schema = &mut contract["schema"][0];
    let properties = schema["properties"].as_array_mut().unwrap();
    properties.push(json!({"name": "score", "logicalType": "number", "physicalType": "N", "quality": [
        rule("drift", "distributionChange", json!({"measure": "psi", "mustBeLessThan": 0.2}))]}));
    properties[1]["quality"] =
        json!([rule("models", "distributionChange", json!({"measure": "psi", "mustBeLessThan": 0.2}))]);
    schema["quality"] = json!([rule("rows", "rowCountChange", json!({"mustBeLessOrEqualTo": 20}))]);
    contract
}

/// So many users, whose scores are up to `most`.
fn items(users: usize, most: f64, model: &str) -> Vec<Value> {
    let item = |at: usize| {
        let score = most * at as f64 / users as f64;
        json!({"user_id": format!("u-{at:04}"), "score": score, "model": model})
    };
    (0..users).map(item).collect()
}

fn lines(items: &[Value]) -> String {
    items.iter().map(|item| format!("{item}\n")).collect()
}

/// The dataset `recs`, whose live version 1 has 100 users with scores up to 1.
async fn world() -> World {
    let world = World::new().await;
    world.put("recs", "recs-*", &contract()).await;
    world.night("recs-1", VerdictOutcome::Passed, "d", 10).await;
    keep_profile(&world, 1, &items(100, 1.0, "als-v3")).await;
    world
}

/// What on-publish keeps of a version.
async fn keep_profile(world: &World, version: u64, items: &[Value]) {
    let checker = Checker::new(&Contract::parse(&contract().to_string()).unwrap());
    let mut profile = checker.profile();
    for item in items {
        let value = |value: &Value| match value {
            Value::String(text) => septet_checks::Value::S(text.clone()),
            other => septet_checks::Value::N(other.to_string()),
        };
        let item = item.as_object().unwrap().iter().map(|(name, it)| (name.clone(), value(it))).collect();
        checker.observe(&mut profile, &item);
    }
    let document = json!({"profile": serde_json::to_string(&profile).unwrap()});
    world.registry.put_document(&recs(), number(version), "PROFILE", &document).await.unwrap();
}

async fn table(world: &World, name: &str, items: &[Value]) {
    world.emulator.create_dataset_table(name, "user_id", None).await;
    world.emulator.put_items(name, items.iter().cloned()).await;
}

#[tokio::test]
async fn a_file_is_judged_as_if_it_were_published_now() {
    let world = world().await;
    world.file("same.jsonl", &lines(&items(95, 1.0, "als-v3")));
    let run = world.run(&["check", "same.jsonl", "--dataset", "recs"]);
    assert!(run.code == 0 && run.stdout.contains("against   version 1"), "{run}");
    world.file("other.jsonl", &lines(&items(70, 0.5, "als-v4")));
    let run = world.run(&["check", "other.jsonl", "--dataset", "recs"]);
    assert_eq!(run.code, 1);
    insta::assert_snapshot!(run);
    let found = world.json(&["check", "other.jsonl", "--dataset", "recs"]);
    let drift = found["results"].as_array().unwrap().iter().find(|it| it["id"] == "drift").unwrap();
    assert_eq!(drift["compared"][0]["now"]["count"], 70);
    assert_eq!(
        drift["compared"][0]["bins"][0],
        json!({"span": {"range": [0.0, 0.1]}, "now": 14, "before": 10})
    );
    assert_eq!(found["against"], "version 1");
}

#[tokio::test]
async fn a_contract_that_is_not_put_compares_with_what_is_named() {
    let world = world().await;
    world.file("recs.odcs.json", &contract().to_string());
    world.file("now.jsonl", &lines(&items(70, 1.0, "als-v3")));
    world.file("before.jsonl", &lines(&items(200, 1.0, "als-v3")));
    table(&world, "recs-other", &items(71, 1.0, "als-v3")).await;
    let check = |against: &[&str]| {
        world.json(&[&["check", "now.jsonl", "--contract", "recs.odcs.json"], against].concat())
    };
    let rows = |answer: &Value| {
        let found = answer["results"].as_array().unwrap().iter().find(|it| it["id"] == "rows").unwrap();
        (found["outcome"].as_str().unwrap().to_owned(), found["seen"].as_str().unwrap().to_owned())
    };
    assert_eq!(rows(&check(&[])).0, "nobaseline");
    for against in ["live", "previous", "1", "registry"] {
        let found = rows(&check(&["--against", against]));
        assert_eq!(found, ("failed".into(), "70 items, in version 1 100: 30 % fewer".into()), "{against}");
    }
    assert_eq!(rows(&check(&["--against", "before.jsonl"])).1, "70 items, in before.jsonl 200: 65 % fewer");
    assert_eq!(rows(&check(&["--against", "recs-other"])).0, "passed");
    for (against, problem) in [
        ("7", "version 7"),
        ("recs-gone", "failed to find the table recs-gone"),
        ("gone/items.json", "there is no such file"),
    ] {
        let run = world.run(&["check", "now.jsonl", "--contract", "recs.odcs.json", "--against", against]);
        assert!(run.code == 2 && run.stderr.contains(problem) && run.stderr.contains("hint: "), "{run}");
    }
    world.night("recs-2", VerdictOutcome::Passed, "e", 20).await;
    let run = world.run(&["check", "now.jsonl", "--contract", "recs.odcs.json", "--against", "live"]);
    assert!(run.code == 2 && run.stderr.contains("version 2 of recs: no profile is kept of it"), "{run}");
}

#[tokio::test]
async fn a_table_is_judged_like_its_items_and_nothing_is_written() {
    let world = world().await;
    table(&world, "recs-2", &items(95, 1.0, "als-v3")).await;
    world.file("items.jsonl", &lines(&items(95, 1.0, "als-v3")));
    world.emulator.clear_calls();
    let run = world.run(&["check", "--table", "recs-2"]);
    assert!(run.code == 0 && run.stderr.contains("recs-2 is not sealed"), "{run}");
    insta::assert_snapshot!(run);
    let calls = world.emulator.calls();
    let allowed = ["DescribeTable", "DescribeTimeToLive", "GetItem", "GetResourcePolicy", "Query", "Scan"];
    assert!(calls.keys().all(|call| allowed.contains(&call.as_str())), "{calls:?}");
    let digest = |arguments: &[&str]| world.json(arguments)["digest"].clone();
    assert_eq!(
        digest(&["check", "--table", "recs-2"]),
        digest(&["check", "items.jsonl", "--dataset", "recs"]),
        "the same content"
    );
    // The live version is sealed, and is no baseline for itself.
    let run = world.run(&["check", "--table", "recs-1"]);
    assert!(run.code == 1 && !run.stderr.contains("is not sealed"), "{run}");
    assert!(run.stderr.contains("no baseline: no version is live"), "{run}");
}

#[tokio::test]
async fn what_is_wrong_with_a_table_as_a_whole_is_found() {
    let world = world().await;
    world.emulator.create_dataset_table("recs-keyed", "track_id", None).await;
    let run = world.run(&["check", "--table", "recs-keyed"]);
    assert!(run.code == 1 && run.stdout.contains("primaryKey"), "{run}");
}

#[tokio::test]
async fn files_and_tables_are_told_apart() {
    let world = world().await;
    world.file("recs.jsonl", "");
    for (arguments, problem, hint) in [
        (
            &["check", "recs-2", "--dataset", "recs"][..],
            "failed to open recs-2",
            "--table recs-2 checks a table",
        ),
        (
            &["check", "--table", "recs.jsonl", "--dataset", "recs"],
            "failed to find the table recs.jsonl",
            "`septet check recs.jsonl` checks it",
        ),
        (&["check", "--table", "plays-1"], "no dataset claims it", "septet.tablePattern"),
        (&["check", "--dataset", "recs"], "required", "<FILE>"),
        (&["check", "recs.jsonl", "--table", "recs-1"], "cannot be used with", ""),
    ] {
        let run = world.run(arguments);
        assert!(run.code == 2 && run.stderr.contains(problem) && run.stderr.contains(hint), "{run}");
    }
}

#[tokio::test]
async fn functions_are_asked_only_if_that_is_wanted() {
    let world = world().await;
    let mut contract = contract();
    contract["schema"][0]["quality"] =
        json!([{"id": "flat", "type": "custom", "engine": "lambda", "implementation": FUNCTION}]);
    world.file("recs.odcs.json", &contract.to_string());
    world.file("items.jsonl", &lines(&items(10, 1.0, "als-v3")));
    let lambda = MockServer::start().await;
    let answer = json!({"outcome": "failed", "message": "scores are flat"});
    let answer = ResponseTemplate::new(200).set_body_json(answer);
    Mock::given(method("POST")).respond_with(answer).mount(&lambda).await;
    let run = |more: &[&str]| {
        let arguments = [&["check", "items.jsonl", "--contract", "recs.odcs.json"], more].concat();
        let mut command = world.command(&arguments);
        Run::of(&arguments, command.env("AWS_ENDPOINT_URL_LAMBDA", lambda.uri()).output().unwrap())
    };
    let not_asked = run(&[]);
    let warning = "warning: lambda: septet-check-flat was not asked: --with-lambda asks it";
    assert!(not_asked.code == 0 && not_asked.stderr.contains(warning), "{not_asked}");
    let asked = run(&["--with-lambda"]);
    assert!(asked.code == 1 && asked.stdout.contains("scores are flat"), "{asked}");
    let told: Value = lambda.received_requests().await.unwrap()[0].body_json().unwrap();
    assert_eq!(
        (&told["version"], &told["table"], &told["rule"]["id"]),
        (&Value::Null, &Value::Null, &json!("flat"))
    );
}

#[tokio::test]
async fn a_check_that_is_stopped_says_so_and_answers_nothing() {
    let world = world().await;
    table(&world, "recs-2", &items(5, 1.0, "als-v3")).await;
    world.emulator.inject(septet_emulator::Fault::delay("Scan", Duration::from_secs(20)).always());
    let mut command = world.command(&["check", "--table", "recs-2"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while world.emulator.count("Scan") == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let id = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let run = Run::of(&["check"], child.wait_with_output().unwrap());
    assert!(run.code == 2 && run.stdout.is_empty() && run.stderr.contains("it was stopped"), "{run}");
}
