//! Where a reader goes, and where it does not.

use std::time::Duration;

use jiff::Timestamp;
use septet_reader::{Error, ErrorKind, Reader, Refusal};
use septet_registry::*;

use crate::nights::*;

async fn served(reader: &Reader) -> u64 {
    night_of(&reader.get(key(1)).await.unwrap().unwrap())
}

#[tokio::test]
async fn a_new_reader_serves_what_the_pointer_names() {
    let nights = Nights::new(2, 300).await;
    let reader = nights.reader().start().await.unwrap();
    let current = reader.current();
    assert_eq!((current.dataset.clone(), current.pointer.clone()), (recs(), PointerName::live()));
    assert_eq!((current.version, current.generation), (number(2), 2));
    assert_eq!((current.table.as_str(), current.table_arn.clone()), ("recs-2", arn("recs-2")));
    assert_eq!(served(&reader).await, 2);
}

#[tokio::test]
async fn promotions_and_rollbacks_reach_the_reader_and_its_changes_tell() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().start().await.unwrap();
    let mut changes = reader.changes();
    nights.pass(3).await;
    let change = changes.next().await.unwrap();
    assert_eq!((change.previous.version, change.current.version), (number(1), number(2)));
    assert_eq!(served(&reader).await, 2);
    let pointer = nights.publisher.roll_back().await;
    let change = changes.next().await.unwrap();
    assert_eq!((change.previous.version, change.current.version), (number(2), number(1)));
    assert_eq!(change.current.generation, pointer.generation);
    assert_eq!(served(&reader).await, 1);
    drop(reader);
    let end = tokio::time::timeout(Duration::from_secs(20), changes.next()).await;
    assert_eq!(end.unwrap(), None);
}

#[tokio::test]
async fn the_interval_is_what_the_pointer_item_says() {
    let nights = Nights::new(2, 1).await;
    let reader = Reader::builder("recs").registry_table(REGISTRY).client(nights.emulator.client());
    let reader = reader.start().await.unwrap();
    // The first pause is shorter, so that readers that start together do not poll together.
    looks(&nights, 1).await;
    let begun = tokio::time::Instant::now();
    nights.publisher.roll_back().await;
    until_serving(&reader, 1).await;
    let took = begun.elapsed();
    assert!((500..10_000).contains(&took.as_millis()), "{took:?}");

    nights.publisher.set_in_pointer("poll_seconds", 3600).await;
    looks(&nights, 1).await;
    nights.publisher.release().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(reader.current().generation, 3, "it looks no more for an hour");
}

#[tokio::test]
async fn a_hold_is_no_change_of_version() {
    let nights = Nights::new(2, 300).await;
    nights.publisher.roll_back().await;
    let reader = nights.reader().start().await.unwrap();
    let before = reader.current();
    let mut changes = reader.changes();
    nights.publisher.release().await;
    until("the reader has seen it", async || reader.current().generation == 4).await;
    assert_eq!(reader.current().since, before.since);
    let change = tokio::time::timeout(Duration::from_millis(100), changes.next()).await;
    assert!(change.is_err(), "{change:?}");
}

#[tokio::test]
async fn a_pointer_that_goes_back_a_generation_is_followed_once_some_polls_in_a_row_found_it() {
    for generation in [2, 3] {
        let nights = Nights::new(3, 300).await;
        let reader = nights.reader().start().await.unwrap();
        // The registry was restored to an earlier time, and goes on from there.
        nights.publisher.forge_pointer(2, generation).await;
        until_serving(&reader, 2).await;
        assert_eq!(reader.current().generation, generation);
        nights.publisher.forge_pointer(3, generation + 1).await;
        until_serving(&reader, 3).await;
    }
}

#[tokio::test]
async fn a_version_that_is_not_valid_is_not_followed() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().start().await.unwrap();
    let mut generation = 1;
    let mut stays_away = async |version: u64| {
        generation += 1;
        nights.publisher.forge_pointer(version, generation).await;
        looks(&nights, 3).await;
        assert_eq!((reader.current().version, served(&reader).await), (number(1), 1), "{version}");
        let refused = nights.reader().start().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NoVersion);
        assert!(refused.is_retryable());
        match refused {
            Error::Refused { refusal, .. } => refusal,
            other => panic!("{other:?}"),
        }
    };
    let sealed = nights.load(3).await;
    let refusal = stays_away(2).await;
    assert_eq!(refusal, Refusal::NotValid { version: number(2), is: State::Sealed });
    nights.publisher.check(sealed, VerdictOutcome::Failed).await;
    let refusal = stays_away(2).await;
    assert_eq!(refusal, Refusal::NotValid { version: number(2), is: State::Rejected });
    let refusal = stays_away(9).await;
    assert_eq!(refusal, Refusal::UnknownVersion { version: number(9) });

    nights.publisher.forge_pointer(1, 5).await;
    nights.pass(3).await;
    until_serving(&reader, 3).await;
}

#[tokio::test]
async fn a_table_that_is_not_the_versions_is_not_followed() {
    let nights = Nights::new(2, 300).await;
    let elsewhere = aws_sdk_dynamodb::types::AttributeValue::S(arn("recs-1"));
    nights.publisher.set("POINTER#live", "table_arn", elsewhere).await;
    let refused = nights.reader().start().await.unwrap_err().to_string();
    assert_eq!(
        refused,
        "follow pointer live of recs: it names table arn:aws:dynamodb:us-east-1:000000000000:table/recs-1 for \
         version 2, whose table is arn:aws:dynamodb:us-east-1:000000000000:table/recs-2"
    );
}

#[tokio::test]
async fn a_table_of_another_region_is_not_followed() {
    let nights = Nights::new(1, 300).await;
    let frankfurt = aws_sdk_dynamodb::config::Region::new("eu-central-1");
    let client = nights.emulator.client_with(|config| config.region(frankfurt));
    let refused = nights.reader().client(client).start().await.unwrap_err();
    assert!(matches!(
        refused,
        Error::Refused { refusal: Refusal::OtherRegion { region, .. }, .. } if region == "eu-central-1"
    ));
}

#[tokio::test]
async fn another_pointer_can_be_followed() {
    let nights = Nights::new(2, 300).await;
    let canary = PointerName::parse("canary").unwrap();
    let request = PointRequest::new(Direction::To(number(1)), "try");
    let by = By::new("tester", Timestamp::UNIX_EPOCH);
    let _ = nights.publisher.registry.move_pointer(&recs(), &canary, &request, &by).await.unwrap();
    let reader = nights.reader().pointer("canary").start().await.unwrap();
    assert_eq!((reader.current().version, reader.current().pointer.clone()), (number(1), canary));
}

#[tokio::test]
async fn a_reader_gives_signs_of_life() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().reader_id("api-1").start().await.unwrap();
    let registry = &nights.publisher.registry;
    let beat = async || {
        let beats = registry.readers(&recs(), Timestamp::UNIX_EPOCH).await.unwrap();
        beats.into_iter().find(|beat| beat.reader == "api-1")
    };
    until("a sign of life", async || beat().await.is_some()).await;
    let first = beat().await.unwrap();
    assert_eq!((first.version, first.pointer.clone()), (number(1), PointerName::live()));
    assert_eq!(first.since, reader.current().since);
    assert_eq!(first.expires_at, first.seen_at.as_second() + 60);

    nights.pass(3).await;
    until("of the new version", async || beat().await.unwrap().version == number(2)).await;
    assert!(beat().await.unwrap().since >= first.seen_at);

    drop(reader);
    let rare = nights.reader().reader_id("api-2").poll_every(Duration::from_secs(300)).start().await.unwrap();
    let beats = async || registry.readers(&recs(), Timestamp::UNIX_EPOCH).await.unwrap();
    let found = async || beats().await.into_iter().find(|beat| beat.reader == "api-2");
    until("another reader", async || found().await.is_some()).await;
    let beat = found().await.unwrap();
    assert_eq!(beat.expires_at, beat.seen_at.as_second() + 900, "three polls");
    drop(rare);
}

#[tokio::test]
async fn a_dropped_reader_polls_no_more() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().start().await.unwrap();
    let clone = reader.clone();
    drop(reader);
    looks(&nights, 2).await;
    drop(clone);
    tokio::time::sleep(Duration::from_millis(50)).await;
    nights.emulator.clear_calls();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(nights.emulator.calls().values().sum::<usize>(), 0);
}

#[tokio::test]
async fn a_start_that_cannot_be_says_what_is_missing() {
    let nights = Nights::new(0, 300).await;
    let text = async |builder: septet_reader::Builder| builder.start().await.unwrap_err();
    let error = text(Reader::builder("recs").client(nights.emulator.client())).await;
    assert_eq!(error.kind(), ErrorKind::Settings);
    assert_eq!(
        error.to_string(),
        "start the reader of recs: registry_table is missing; call Builder::registry_table before start"
    );
    let error = text(Reader::builder("recs").registry_table(REGISTRY)).await;
    assert!(error.to_string().contains("client is missing"), "{error}");
    let error = text(nights.reader().pointer("No Such")).await;
    assert!(matches!(error, Error::Name(_)));
    let error = text(nights.reader()).await;
    assert!(matches!(error, Error::NoPointer { .. }) && error.is_retryable());
    let error = text(nights.reader().registry_table("no-such-table")).await;
    assert_eq!(error.kind(), ErrorKind::Settings);
    assert!(!error.is_retryable());
}
