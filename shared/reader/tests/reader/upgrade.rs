//! A pointer that release 0.1.0 wrote, and one with what a newer release adds.

use septet_emulator::{Emulator, recorded};
use septet_reader::Reader;
use septet_registry::PointerName;
use serde_json::json;

use crate::nights::*;

/// Follows the pointer `live` of a registry.
async fn reader_of(items: Vec<recorded::Item>) -> (Emulator, Reader) {
    let emulator = Emulator::start().await;
    emulator.create_registry_table(REGISTRY).await;
    emulator.put_raw_items(REGISTRY, items).await;
    emulator.create_dataset_table("recs-2026-11-17", "user_id", None).await;
    emulator.put_items("recs-2026-11-17", [json!({"user_id": "1", "night": 10})]).await;
    let reader = Reader::builder("recs").registry_table(REGISTRY).client(emulator.client());
    let reader = reader.start().await.unwrap();
    (emulator, reader)
}

#[tokio::test]
async fn a_reader_follows_a_pointer_of_0_1_0_whatever_a_newer_release_adds_to_it() {
    let mut items = recorded::items("0.1.0/registry.json");
    items.retain(|item| matches!(item["sk"].as_s().unwrap().as_str(), "POINTER#live" | "VERSION#0000000010"));
    let pointer = recorded::items("0.1.0/pointer.json").remove(0);
    assert!(items.contains(&pointer), "it is the pointer of that registry");
    for _ in 0..2 {
        let (_emulator, reader) = reader_of(items.clone()).await;
        let current = reader.current();
        assert_eq!((current.version, current.generation), (number(10), 12));
        assert_eq!(current.pointer, PointerName::live());
        assert_eq!(night_of(&reader.get(key(1)).await.unwrap().unwrap()), 10);
        items.iter_mut().for_each(recorded::extend);
    }
}
