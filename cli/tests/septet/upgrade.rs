//! The command on a registry that release 0.1.0 wrote.

use septet_emulator::recorded;
use serde_json::json;

use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_0_1_0_wrote_is_shown() {
    let world = World::new().await;
    world.emulator.put_raw_items(REGISTRY, recorded::items("0.1.0/registry.json")).await;
    world.emulator.put_raw_items(REGISTRY, recorded::items("0.1.0/ledger.json")).await;

    let versions = world.json(&["versions", "recs"]);
    let numbers: Vec<_> = versions.as_array().unwrap().iter().map(|it| it["version"].clone()).collect();
    assert_eq!(numbers, (1..=16).rev().map(|number| json!(number)).collect::<Vec<_>>());
    for number in 1..=16 {
        let shown = world.json(&["show", "recs", &number.to_string()]);
        assert_eq!(shown["version"]["version"], number, "{shown}");
    }
    let log = world.json(&["log", "recs", "--limit", "1000"]);
    let records = recorded::items("0.1.0/registry.json");
    let records = records.iter().filter(|item| {
        let [pk, sk] = ["pk", "sk"].map(|name| item[name].as_s().unwrap());
        pk == "DATASET#recs" && sk.starts_with("LOG#")
    });
    assert_eq!(log.as_array().unwrap().len(), records.count());
    let history = world.json(&["history", "recs"]);
    let last = history.as_array().unwrap().iter().find(|entry| entry["until"].is_null());
    assert_eq!(last.unwrap()["version"], 10, "{history}");

    assert_eq!(world.json(&["backfill", "list", "plays"]).as_array().unwrap().len(), 7);
    let status = world.run(&["backfill", "status", "plays"]);
    assert_eq!(status.code, 0, "{status}");
}
