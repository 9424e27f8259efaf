//! Deleting sealed tables: that one and no other, whatever interrupts it.

use std::time::Duration;

use crate::support::{
    NONE, PATIENCE, TABLE, create, delete, facts, hasty, policy, replace, sealed, stranger, tables,
    with_table,
};
use septet_emulator::{Emulator, Fault, TableStatus as Status};
use septet_registry::TableId;
use septet_tables::{Deletion, Error, ErrorKind, NotYet, Tables};

#[tokio::test]
async fn a_sealed_table_is_deleted_and_then_it_is_gone() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    let tables = tables(&emulator);
    assert_eq!(delete(&tables, &facts.id, NONE).await.unwrap(), Deletion::Deleted);
    assert!(!emulator.has_table(TABLE).await);
    let again = delete(&tables, &facts.id, NONE).await.unwrap();
    assert_eq!(again, Deletion::Gone { successor: None });
    assert_eq!(emulator.count("DeleteTable"), 1);
}

#[tokio::test]
async fn a_table_of_another_id_is_never_touched() {
    let emulator = with_table().await;
    let first = sealed(&emulator).await;
    replace(emulator.backdoor()).await;
    let second = sealed(&emulator).await;
    emulator.clear_calls();
    for expected in [first.id, TableId::parse("0").unwrap()] {
        let deletion = delete(&tables(&emulator), &expected, PATIENCE).await.unwrap();
        assert_eq!(deletion, Deletion::Gone { successor: Some(second.id.clone()) });
    }
    assert_eq!(facts(&emulator).await, second);
    assert_eq!((emulator.count("UpdateTable"), emulator.count("DeleteTable")), (0, 0));
}

#[tokio::test]
async fn at_no_point_before_it_is_gone_can_the_table_be_written_to() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    // Killed between switching protection off and deleting.
    emulator.inject(Fault::refuse("DeleteTable").always());
    delete(&hasty(&emulator), &facts.id, NONE).await.unwrap_err();
    assert!(!crate::support::facts(&emulator).await.deletion_protected);
    let write = stranger(&emulator).put_item().table_name(TABLE).send().await.unwrap_err();
    assert!(format!("{write:?}").contains("explicit deny"), "{write:?}");
    assert!(stranger(&emulator).delete_table().table_name(TABLE).send().await.is_err());
    emulator.clear_faults();
    assert_eq!(delete(&hasty(&emulator), &facts.id, NONE).await.unwrap(), Deletion::Deleted);
}

#[tokio::test]
async fn lost_answers_refusals_and_throttling_at_any_step_do_no_harm() {
    for step in ["DescribeTable", "GetResourcePolicy", "UpdateTable", "DeleteTable"] {
        for fault in [Fault::lost_answer, Fault::refuse, Fault::throttle, Fault::internal_server_error] {
            let emulator = with_table().await;
            let facts = sealed(&emulator).await;
            emulator.inject(fault(step));
            let deletion = delete(&tables(&emulator), &facts.id, PATIENCE).await.unwrap();
            assert_eq!(deletion, Deletion::Deleted, "{step}");
            assert_eq!(emulator.fired(), 1, "{step}");
            assert!(!emulator.has_table(TABLE).await);
        }
    }
}

#[tokio::test]
async fn deleting_interrupted_at_any_call_goes_on_from_there() {
    for (step, calls) in
        [("DescribeTable", 3), ("GetResourcePolicy", 2), ("UpdateTable", 1), ("DeleteTable", 1)]
    {
        for nth in 1..=calls {
            for fault in [Fault::lost_answer, Fault::refuse] {
                let emulator = with_table().await;
                let facts = sealed(&emulator).await;
                let fault = emulator.inject(fault(step).from(nth).always());
                let error = delete(&hasty(&emulator), &facts.id, NONE).await;
                assert!(emulator.fired_by(fault) > 0, "{step} {nth}");
                let settled = step == "DeleteTable" && !emulator.has_table(TABLE).await;
                match error {
                    // The lost answer was settled by looking.
                    Ok(deletion) => assert!(settled && deletion == Deletion::Deleted, "{step} {nth}"),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{step} {nth}"),
                }
                emulator.clear_faults();
                let again = delete(&hasty(&emulator), &facts.id, PATIENCE).await.unwrap();
                let gone = Deletion::Gone { successor: None };
                assert!(again == Deletion::Deleted || again == gone, "{step} {nth}: {again:?}");
                assert!(!emulator.has_table(TABLE).await);
            }
        }
    }
}

#[tokio::test]
async fn a_table_created_after_a_lost_answer_is_not_deleted_by_a_second_try() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    emulator.inject(Fault::lost_answer("DeleteTable"));
    let other = emulator.backdoor();
    // The third look is the one after the deletion.
    emulator.inject(Fault::meanwhile("DescribeTable", move || create(other.clone())).from(3));
    let deletion = delete(&tables(&emulator), &facts.id, PATIENCE).await.unwrap();
    assert_eq!((deletion, emulator.fired()), (Deletion::Deleted, 2));
    assert!(emulator.has_table(TABLE).await);
    assert_eq!(emulator.count("DeleteTable"), 1);
}

#[tokio::test]
async fn a_table_replaced_in_the_very_moment_is_reported() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    let other = emulator.backdoor();
    emulator.inject(Fault::meanwhile("DeleteTable", move || replace(other.clone())));
    let error = delete(&tables(&emulator), &facts.id, PATIENCE).await.unwrap_err();
    assert!(matches!(&error, Error::WrongTable { expected, .. } if *expected == facts.id), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn protection_that_was_switched_on_again_is_switched_off_again() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    let other = emulator.backdoor();
    emulator.inject(Fault::meanwhile("DeleteTable", move || {
        let other = other.clone();
        async move {
            let protect = other.update_table().table_name(TABLE).deletion_protection_enabled(true);
            protect.send().await.unwrap();
        }
    }));
    assert_eq!(delete(&tables(&emulator), &facts.id, PATIENCE).await.unwrap(), Deletion::Deleted);
    assert_eq!((emulator.count("DeleteTable"), emulator.fired()), (2, 1));
}

#[tokio::test]
async fn a_table_that_is_deleting_is_waited_for() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    emulator.settings(|settings| settings.deleting = Duration::from_secs(600));
    let tables = tables(&emulator);
    let deletion = delete(&tables, &facts.id, NONE).await.unwrap();
    assert_eq!(deletion, Deletion::NotYet(NotYet::Deleting));
    emulator.settings(|settings| settings.deleting = Duration::from_millis(200));
    let deletion = delete(&tables, &facts.id, PATIENCE).await.unwrap();
    assert_eq!(deletion, Deletion::Deleted);
    assert_eq!(emulator.count("DeleteTable"), 1);
}

#[tokio::test]
async fn a_table_in_use_is_not_deleted_yet() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    let tables = tables(&emulator);
    for (status, reason) in [(Status::Creating, NotYet::Creating), (Status::Updating, NotYet::Updating)] {
        emulator.set_status(TABLE, status);
        let deletion = delete(&tables, &facts.id, Duration::from_millis(100)).await.unwrap();
        assert_eq!(deletion, Deletion::NotYet(reason));
        assert_eq!(emulator.count("DeleteTable"), 0);
    }
    assert_eq!(emulator.count("UpdateTable"), 1, "the one that sealed it");
    emulator.set_status(TABLE, Status::Active);
    assert!(crate::support::facts(&emulator).await.deletion_protected);
    assert_eq!(delete(&tables, &facts.id, NONE).await.unwrap(), Deletion::Deleted);
}

#[tokio::test]
async fn a_role_that_the_seal_does_not_spare_is_denied_by_it() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    let tables = Tables::new(stranger(&emulator), policy());
    let error = delete(&tables, &facts.id, PATIENCE).await.unwrap_err();
    assert!(matches!(&error, Error::Denied { by_table_policy: true, .. }), "{error}");
    assert!(error.to_string().contains("the table's own policy denies it"), "{error}");
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    for step in ["DescribeTable", "GetResourcePolicy", "UpdateTable", "DeleteTable"] {
        let emulator: Emulator = with_table().await;
        let facts = sealed(&emulator).await;
        emulator.inject(Fault::access_denied(step).always());
        let error = delete(&tables(&emulator), &facts.id, PATIENCE).await.unwrap_err();
        assert!(error.to_string().contains(&format!("dynamodb:{step}")), "{error}");
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(emulator.has_table(TABLE).await);
    }
}
