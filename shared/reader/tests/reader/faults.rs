//! What goes wrong while a reader follows and reads.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use septet_emulator::{Fault, TableStatus};
use septet_reader::{Error, ErrorKind};
use septet_registry::VerdictOutcome;

use crate::nights::*;

/// Longer than anything takes on a busy machine, and short enough to wait for.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn reads_go_on_while_the_registry_fails_and_the_reader_follows_afterwards() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().poll_timeout(PATIENCE).start().await.unwrap();
    for (version, fault) in [
        (2, Fault::throttle("GetItem")),
        (3, Fault::refuse("GetItem")),
        (4, Fault::lost_answer("GetItem")),
        (5, Fault::internal_server_error("GetItem")),
        (6, Fault::access_denied("GetItem")),
        (7, Fault::delay("GetItem", NEVER)),
    ] {
        let id = nights.emulator.inject(fault.containing("POINTER#live").always());
        until("a look is hit", async || nights.emulator.fired_by(id) > 0).await;
        nights.pass(3).await;
        for _ in 0..20 {
            assert_eq!(night_of(&reader.get(key(1)).await.unwrap().unwrap()), version - 1);
        }
        assert_eq!(reader.current().version, number(version - 1));
        nights.emulator.clear_faults();
        until_serving(&reader, version).await;
    }
}

#[tokio::test]
async fn a_look_that_hangs_blocks_no_read() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().poll_timeout(NEVER).start().await.unwrap();
    let hang = Fault::delay("GetItem", NEVER).containing("POINTER#live").always();
    let id = nights.emulator.inject(hang);
    until("a look hangs", async || nights.emulator.fired_by(id) == 1).await;
    let reads = async {
        reader.get(key(1)).await.unwrap().unwrap();
        assert_eq!(reader.batch_get((0..3).map(key)).await.unwrap().len(), 3);
        assert_eq!(reader.query(by_user).await.unwrap().len(), 1);
    };
    tokio::time::timeout(PATIENCE * 4, reads).await.unwrap();
    assert_eq!(nights.emulator.fired_by(id), 1, "it hangs still");
}

#[tokio::test]
async fn a_table_that_cannot_be_read_is_not_followed_until_it_can() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().start().await.unwrap();
    let mut version = 1;
    let mut stays = async |obstacle: &dyn Fn(&str)| {
        let next = nights.load(3).await;
        nights.publisher.check(next, VerdictOutcome::Passed).await;
        obstacle(&format!("recs-{next}"));
        nights.publisher.promote(next).await;
        looks(&nights, 3).await;
        assert_eq!(reader.current().version, number(version));
        reader.get(key(1)).await.unwrap().unwrap();
        nights.emulator.clear_faults();
        nights.emulator.set_status(&format!("recs-{next}"), TableStatus::Active);
        version = next.get();
        until_serving(&reader, version).await;
    };
    stays(&|table| {
        nights.emulator.inject(Fault::access_denied("GetItem").containing(table).always());
    })
    .await;
    stays(&|table| {
        nights.emulator.inject(Fault::refuse("GetItem").containing(table).always());
    })
    .await;
    stays(&|table| nights.emulator.set_status(table, TableStatus::Creating)).await;
}

#[tokio::test]
async fn a_pointer_that_names_a_table_which_is_gone_is_not_followed() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().start().await.unwrap();
    let next = nights.load(3).await;
    nights.publisher.check(next, VerdictOutcome::Passed).await;
    nights.drop_table("recs-2").await;
    nights.publisher.promote(next).await;
    looks(&nights, 3).await;
    assert_eq!(reader.current().version, number(1));
    let error = nights.reader().start().await.unwrap_err().to_string();
    assert!(
        error.starts_with(
            "follow pointer live of recs: table recs-2 of version 2 cannot be read: ResourceNotFoundException"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn an_item_of_a_newer_septet_is_not_followed() {
    let nights = Nights::new(2, 300).await;
    let reader = nights.reader().start().await.unwrap();
    nights.publisher.roll_back().await;
    until_serving(&reader, 1).await;
    nights.publisher.set_in_pointer("format", 99).await;
    nights.publisher.forge_pointer(2, 9).await;
    looks(&nights, 3).await;
    assert_eq!(reader.current().version, number(1));
    reader.get(key(1)).await.unwrap().unwrap();
    let error = nights.reader().start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    nights.publisher.set_in_pointer("format", 1).await;
    until_serving(&reader, 2).await;
}

#[tokio::test]
async fn a_read_whose_table_is_gone_polls_at_once_and_answers_from_the_new_version() {
    let nights = Nights::new(1, 300).await;
    let lazy = || nights.reader().poll_every(NEVER);
    let (get, batch, query) =
        (lazy().start().await.unwrap(), lazy().start().await.unwrap(), lazy().start().await.unwrap());
    nights.pass(3).await;
    nights.drop_table("recs-1").await;
    assert_eq!(night_of(&get.get(key(1)).await.unwrap().unwrap()), 2);
    assert_eq!(get.current().version, number(2));
    let items = batch.batch_get((0..3).map(key)).await.unwrap();
    assert_eq!(items.iter().map(night_of).collect::<Vec<_>>(), [2, 2, 2]);
    let items = query.query(by_user).await.unwrap();
    assert_eq!(items.iter().map(night_of).collect::<Vec<_>>(), [2]);
}

fn by_user(
    query: aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder,
) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
    query
        .key_condition_expression("user_id = :user")
        .expression_attribute_values(":user", aws_sdk_dynamodb::types::AttributeValue::S("1".into()))
}

#[tokio::test]
async fn many_reads_whose_table_is_gone_share_a_poll() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().poll_every(NEVER).start().await.unwrap();
    nights.drop_table("recs-1").await;
    let looked = nights
        .emulator
        .inject(Fault::delay("GetItem", Duration::from_millis(1200)).containing("POINTER#live").always());
    let reads = (0..50).map(|_| reader.get(key(1)));
    for answer in futures::future::join_all(reads).await {
        let error = answer.unwrap_err();
        assert!(matches!(error, Error::TableGone { .. }), "{error}");
        assert_eq!(error.to_string(), "read version 1 by GetItem: its table recs-1 does not exist");
    }
    assert_eq!(nights.emulator.fired_by(looked), 1);

    nights.pass(3).await;
    until("the next look is allowed", async || reader.get(key(1)).await.is_ok()).await;
    assert_eq!(nights.emulator.fired_by(looked), 2);
}

#[tokio::test]
async fn a_registry_that_hangs_holds_up_a_read_without_a_table_no_longer_than_a_poll_may_take() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().poll_timeout(PATIENCE).start().await.unwrap();
    nights.drop_table("recs-1").await;
    let id = nights.emulator.inject(Fault::delay("GetItem", NEVER).containing("POINTER#live").always());
    until("a look hangs", async || nights.emulator.fired_by(id) == 1).await;
    let read = tokio::time::timeout(PATIENCE * 8 / 5, reader.get(key(1))).await;
    assert_eq!(read.expect("one look, not two").unwrap_err().kind(), ErrorKind::TableGone);
}

#[tokio::test]
async fn signs_of_life_that_fail_or_hang_matter_to_nothing() {
    let nights = Nights::new(1, 300).await;
    let reader = nights.reader().start().await.unwrap();
    for (version, fault) in [
        (2, Fault::access_denied("PutItem")),
        (3, Fault::throttle("PutItem")),
        (4, Fault::delay("PutItem", NEVER)),
    ] {
        let id = nights.emulator.inject(fault.always());
        until("a sign of life fails", async || nights.emulator.fired_by(id) > 0).await;
        nights.pass(3).await;
        until_serving(&reader, version).await;
        assert_eq!(night_of(&reader.get(key(1)).await.unwrap().unwrap()), version);
        nights.emulator.clear_faults();
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self, containing: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(containing)).map(Into::into).collect()
    }
}

#[tokio::test]
async fn the_log_tells_of_each_version_and_of_each_trouble_once() {
    let nights = Nights::new(1, 300).await;
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || written.clone())
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let reader = nights.reader().start().await.unwrap();
    nights.pass(3).await;
    until_serving(&reader, 2).await;
    let line = &log.lines("serving another version")[0];
    for part in ["version=2", "table=recs-2", "previous_version=1", "previous_table=recs-1", "generation=2"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    nights.emulator.inject(Fault::access_denied("GetItem").containing("POINTER#live").always());
    looks_denied(&log).await;
    nights.emulator.clear_faults();
    until("it is well again", async || !log.lines("polls succeed again").is_empty()).await;
    assert_eq!(log.lines("serving the last known good version").len(), 1);
    assert!(log.lines("serving the last known good version")[0].contains("permission is missing"));
}

async fn looks_denied(log: &Log) {
    until("the trouble is told", async || !log.lines("last known good").is_empty()).await;
    tokio::time::sleep(SOON * 8).await;
}
