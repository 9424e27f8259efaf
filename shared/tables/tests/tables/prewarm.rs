//! Warming tables up.

use std::time::Duration;

use septet_emulator::{Fault, TableStatus as Status};
use septet_tables::{ErrorKind, NotYet, Prewarming, WarmThroughput};

use crate::support::{TABLE, facts, hasty, replace, sealed, stranger, tables, with_table};

#[tokio::test]
async fn a_table_is_warmed_up_once_and_keeps_its_writes() {
    let emulator = with_table().await;
    emulator.set_warm_throughput(TABLE, 12_000, 4_500);
    let facts = sealed(&emulator).await;
    let tables = tables(&emulator);
    emulator.settings(|settings| settings.warming = Duration::from_secs(600));
    emulator.clear_calls();
    assert_eq!(tables.prewarm(&facts, 12_000).await.unwrap(), Prewarming::Warm);
    assert_eq!(tables.prewarm(&facts, 20_000).await.unwrap(), Prewarming::Started);
    let now = crate::support::facts(&emulator).await;
    assert_eq!(now.warm, Some(WarmThroughput { reads: 20_000, writes: 4_500, active: false }));
    assert_eq!(tables.prewarm(&facts, 20_000).await.unwrap(), Prewarming::NotYet(NotYet::Updating));
    emulator.settings(|settings| settings.warming = Duration::ZERO);
    assert_eq!(tables.prewarm(&facts, 20_000).await.unwrap(), Prewarming::Warm);
    assert_eq!(emulator.count("UpdateTable"), 1);
    let now = crate::support::facts(&emulator).await;
    assert_eq!(now.warm, Some(WarmThroughput { reads: 20_000, writes: 4_500, active: true }));
}

#[tokio::test]
async fn a_table_in_use_is_not_warmed_up_yet() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    let tables = tables(&emulator);
    for (status, reason) in [(Status::Creating, NotYet::Creating), (Status::Updating, NotYet::Updating)] {
        emulator.set_status(TABLE, status);
        assert_eq!(tables.prewarm(&facts, 20_000).await.unwrap(), Prewarming::NotYet(reason));
    }
    assert_eq!(emulator.count("UpdateTable"), 0);
    // It was changed between the look and the call.
    emulator.set_status(TABLE, Status::Active);
    let other = emulator.client();
    emulator.settings(|settings| settings.warming = Duration::from_secs(600));
    emulator.inject(Fault::meanwhile("UpdateTable", move || {
        let warm = aws_sdk_dynamodb::types::WarmThroughput::builder().read_units_per_second(30_000).build();
        let update = other.update_table().table_name(TABLE).warm_throughput(warm);
        async move { drop(update.send().await.unwrap()) }
    }));
    assert_eq!(tables.prewarm(&facts, 20_000).await.unwrap(), Prewarming::NotYet(NotYet::Updating));
    assert_eq!(emulator.fired(), 1);
}

#[tokio::test]
async fn only_the_table_of_the_id_is_warmed_up_and_only_by_roles_of_the_seal() {
    let emulator = with_table().await;
    let first = sealed(&emulator).await;
    let others = septet_tables::Tables::new(stranger(&emulator), crate::support::policy());
    assert_eq!(others.prewarm(&first, 20_000).await.unwrap_err().kind(), ErrorKind::Denied);
    replace(emulator.backdoor()).await;
    let second = facts(&emulator).await;
    emulator.clear_calls();
    let gone = tables(&emulator).prewarm(&first, 20_000).await.unwrap();
    assert_eq!(gone, Prewarming::Gone { successor: Some(second.id) });
    assert_eq!(emulator.count("UpdateTable"), 0);
}

#[tokio::test]
async fn failures_are_errors_of_their_kind() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    for (fault, kind) in [
        (Fault::access_denied("UpdateTable"), ErrorKind::Denied),
        (Fault::throttle("UpdateTable"), ErrorKind::Throttled),
        (Fault::refuse("UpdateTable"), ErrorKind::Unavailable),
    ] {
        emulator.inject(fault);
        assert_eq!(hasty(&emulator).prewarm(&facts, 20_000).await.unwrap_err().kind(), kind);
    }
    let error = tables(&emulator).prewarm(&facts, u64::MAX).await.unwrap_err();
    assert!(error.to_string().contains("18446744073709551615"), "{error}");
}
