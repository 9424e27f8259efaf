//! Starts with and without what was kept on disk.

use std::path::Path;
use std::time::Duration;

use septet_emulator::Fault;
use septet_reader::{Builder, Error, ErrorKind, Refusal};

use crate::nights::*;

/// Lets a reader keep this version in the file.
async fn keep(builder: Builder, path: &Path, version: u64) {
    let reader = builder.keep_on_disk(path).start().await.unwrap();
    until_serving(&reader, version).await;
    until_kept(path, version).await;
}

async fn until_kept(path: &Path, version: u64) {
    until("the version is kept", async || kept(path).is_some_and(|kept| kept == version)).await;
}

fn kept(path: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
    kept["version"].as_u64()
}

fn lose_registry(nights: &Nights) {
    nights.emulator.inject(Fault::refuse("GetItem").containing("POINTER#live").always());
}

#[tokio::test]
async fn without_the_registry_a_reader_starts_with_what_was_kept_and_follows_later() {
    let nights = Nights::new(1, 300).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recs.json");
    keep(nights.reader(), &path, 1).await;
    lose_registry(&nights);
    let reader = nights.reader().keep_on_disk(&path).start().await.unwrap();
    assert_eq!(reader.current().version, number(1));
    assert_eq!(night_of(&reader.get(key(1)).await.unwrap().unwrap()), 1);
    nights.pass(3).await;
    nights.emulator.clear_faults();
    until_serving(&reader, 2).await;
    until_kept(&path, 2).await;
}

#[tokio::test]
async fn a_registry_that_hangs_delays_such_a_start_no_longer_than_a_poll_may_take() {
    let nights = Nights::new(1, 300).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recs.json");
    keep(nights.reader(), &path, 1).await;
    nights.emulator.inject(Fault::delay("GetItem", NEVER).containing("POINTER#live").always());
    let patience = Duration::from_millis(200);
    let reader = nights.reader().poll_timeout(patience).keep_on_disk(&path).start().await.unwrap();
    assert_eq!(reader.current().version, number(1));
    let none = directory.path().join("none.json");
    let error = nights.reader().poll_timeout(patience).keep_on_disk(none).start().await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn without_the_registry_and_a_file_a_reader_does_not_start() {
    let nights = Nights::new(1, 300).await;
    let directory = tempfile::tempdir().unwrap();
    lose_registry(&nights);
    let error = nights.reader().keep_on_disk(directory.path().join("none")).start().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
}

#[tokio::test]
async fn a_file_that_is_not_this_readers_is_not_taken() {
    let nights = Nights::new(1, 300).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recs.json");
    keep(nights.reader(), &path, 1).await;
    let text = std::fs::read_to_string(&path).unwrap();
    lose_registry(&nights);
    for (mine, theirs) in [
        (r#""dataset":"recs""#, r#""dataset":"songs""#),
        (r#""pointer":"live""#, r#""pointer":"test""#),
        (REGISTRY, "another-registry"),
        (r#""format":1"#, r#""format":2"#),
        ("{", "["),
        ("}", ""),
    ] {
        let other = text.replacen(mine, theirs, 1);
        assert_ne!(other, text, "{mine}");
        std::fs::write(&path, other).unwrap();
        nights.reader().keep_on_disk(&path).start().await.expect_err(theirs);
    }
    std::fs::write(&path, text).unwrap();
    nights.reader().keep_on_disk(&path).start().await.unwrap();
}

#[tokio::test]
async fn a_kept_version_whose_table_is_gone_is_not_taken() {
    let nights = Nights::new(1, 300).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recs.json");
    keep(nights.reader(), &path, 1).await;
    nights.drop_table("recs-1").await;
    lose_registry(&nights);
    nights.reader().keep_on_disk(&path).start().await.unwrap_err();
}

#[tokio::test]
async fn when_everything_is_away_a_reader_starts_and_recovers() {
    let nights = Nights::new(1, 300).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recs.json");
    keep(nights.reader(), &path, 1).await;
    nights.emulator.inject(Fault::refuse("GetItem").always());
    let reader = nights.reader().keep_on_disk(&path).start().await.unwrap();
    assert_eq!(reader.get(key(1)).await.unwrap_err().kind(), ErrorKind::Unavailable);
    nights.emulator.clear_faults();
    until("reads succeed", async || reader.get(key(1)).await.is_ok()).await;
}

#[tokio::test]
async fn a_restart_does_not_go_back_a_generation_at_once() {
    let nights = Nights::new(3, 300).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recs.json");
    keep(nights.reader(), &path, 3).await;
    nights.publisher.forge_pointer(2, 2).await;
    let slow = Duration::from_secs(300);
    let reader = nights.reader().keep_on_disk(&path).poll_every(slow).start().await.unwrap();
    assert_eq!(reader.current().version, number(3));
    drop(reader);
    let reader = nights.reader().keep_on_disk(&path).start().await.unwrap();
    until_serving(&reader, 2).await;
    drop(reader);
    keep(nights.reader(), &path, 2).await;
    nights.publisher.forge_pointer(3, 3).await;
    keep(nights.reader(), &path, 3).await;
    nights.publisher.forge_pointer(2, 2).await;
    let reader = nights.reader().keep_on_disk(&path).poll_every(slow).start().await.unwrap();
    // With its version's table the file has lost its meaning, as after a registry was made anew.
    drop(reader);
    nights.drop_table("recs-3").await;
    let reader = nights.reader().keep_on_disk(&path).start().await.unwrap();
    assert_eq!(reader.current().version, number(2));
}

#[tokio::test]
async fn a_kept_version_that_is_no_longer_valid_is_not_taken() {
    let nights = Nights::new(1, 300).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recs.json");
    keep(nights.reader(), &path, 1).await;
    let lost = aws_sdk_dynamodb::types::AttributeValue::S("rejected".into());
    nights.publisher.set("VERSION#0000000001", "state", lost).await;
    let error = nights.reader().keep_on_disk(&path).start().await.unwrap_err();
    assert!(matches!(error, Error::Refused { refusal: Refusal::NotValid { .. }, .. }), "{error}");
    // What another version is does not speak against it.
    let sealed = nights.load(3).await;
    nights.publisher.forge_pointer(sealed.get(), 2).await;
    let reader = nights.reader().keep_on_disk(&path).start().await.unwrap();
    assert_eq!(reader.current().version, number(1));
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_matters_to_nothing() {
    let nights = Nights::new(1, 300).await;
    let directory = tempfile::tempdir().unwrap();
    let reader = nights.reader().keep_on_disk(directory.path().join("no/such/file")).start().await.unwrap();
    nights.pass(3).await;
    until_serving(&reader, 2).await;
    assert_eq!(night_of(&reader.get(key(1)).await.unwrap().unwrap()), 2);
}
