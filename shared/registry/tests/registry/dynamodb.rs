//! The registry on DynamoDB: the store's conformance, faults, and many parties at once.

use std::sync::Arc;

use septet_emulator::{Emulator, Fault};
use septet_registry::*;

use crate::store::*;

const TABLE: &str = "septet-registry";

async fn emulator() -> Emulator {
    let emulator = Emulator::start().await;
    emulator.create_registry_table(TABLE).await;
    emulator
}

fn registry(emulator: &Emulator, seed: u64) -> Registry {
    Registry::in_dynamodb(emulator.client(), TABLE, Entropy::from_seed(seed))
}

#[tokio::test]
async fn the_store_in_dynamodb_conforms() {
    let emulator = emulator().await;
    crate::conformance::holds(Arc::new(DynamoDb::new(emulator.client(), TABLE))).await;
}

#[tokio::test]
async fn the_store_in_dynamodb_conforms_on_pages_of_seven_items() {
    let emulator = emulator().await;
    emulator.settings(|settings| settings.page_items = Some(7));
    crate::conformance::holds(Arc::new(DynamoDb::new(emulator.client(), TABLE))).await;
    assert!(emulator.count("Query") > 16, "{:?}", emulator.calls());
}

#[tokio::test]
async fn a_lost_answer_a_throttle_or_a_conflict_at_any_commit_changes_nothing_of_the_outcome() {
    for fault in [Fault::lost_answer, Fault::refuse, Fault::throttle, Fault::transaction_conflict] {
        for nth in 1..=6 {
            let emulator = emulator().await;
            let registry = registry(&emulator, nth);
            emulator.inject(fault("TransactWriteItems").from(nth as usize).times(1));
            let put = registry.put_contract(&new_contract(Promotion::Auto, "d1"), &by(0)).await.unwrap();
            assert!(put.is_done());
            publish(&registry, "recs-1", VerdictOutcome::Passed, 1).await;
            assert_eq!(emulator.fired(), 1);
            assert_eq!(live(&registry).await, Some(1));
            let now = snapshot(&registry).await;
            assert_eq!(now.records.len(), 6);
            assert_eq!(invariants::broken(&now, at(2)), Vec::<String>::new());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_announcers_pointers_and_pruners_break_no_invariant_and_lose_nothing() {
    let emulator = Arc::new(emulator().await);
    let first = registry(&emulator, 0);
    let _ = first.put_contract(&new_contract(Promotion::Auto, "d1"), &by(0)).await.unwrap();
    for night in 1..=6 {
        publish(&first, &format!("recs-{night}"), VerdictOutcome::Passed, night).await;
    }
    // Every fifth commit loses its answer.
    for nth in 0..12 {
        emulator.inject(Fault::lost_answer("TransactWriteItems").from(5 * nth + 3).times(1));
    }
    let parties = (0..50u64).map(|party| {
        let emulator = emulator.clone();
        tokio::spawn(async move {
            let registry = registry(&emulator, 100 + party);
            let (set, live) = (recs(), PointerName::live());
            match party % 5 {
                // Each table is announced by two parties.
                0 | 1 => {
                    let table = format!("recs-new-{}", party / 5);
                    let made = registry.announce(&set, &announcement(&table, &table), &by(20)).await?;
                    Ok((made.is_done(), format!("announced {table}")))
                }
                2 => {
                    let moved = registry.move_pointer(&set, &live, &to(4 + party % 3), &by(20)).await?;
                    Ok((moved.is_done(), "moved".into()))
                }
                3 => {
                    let request = request(Direction::Back(None));
                    let moved = registry.move_pointer(&set, &live, &request, &by(20)).await?;
                    Ok((moved.is_done(), "moved".into()))
                }
                _ => {
                    let version = number(1 + party % 6);
                    let retired = registry.retire(&set, version, "superfluous", &by(400)).await?;
                    Ok((retired.is_done(), format!("retired {version}")))
                }
            }
        })
    });
    let mut done = Vec::new();
    for party in parties.collect::<Vec<_>>() {
        let (changed, what): (bool, String) =
            party.await.unwrap().unwrap_or_else(|error: Error| panic!("{error}"));
        if changed {
            done.push(what);
        }
    }
    assert!(emulator.fired() >= 5, "only {} answers were lost", emulator.fired());
    emulator.clear_faults();
    let after = snapshot(&first).await;
    assert_eq!(invariants::broken(&after, at(400)), Vec::<String>::new());

    let said = |what: &str| done.iter().filter(|it| it.starts_with(what)).count();
    let recorded = |action| after.records.iter().filter(|record| record.action == action).count();
    assert_eq!(said("announced"), 10, "each table was announced by exactly one party: {done:?}");
    assert_eq!(recorded(Action::Announce), 16);
    assert_eq!(recorded(Action::Point) + recorded(Action::RollBack), said("moved"));
    assert_eq!(recorded(Action::Retire), said("retired"));
    let tables: std::collections::BTreeSet<_> = after.versions.iter().map(|it| &it.table).collect();
    assert_eq!(tables.len(), 16);
}

#[tokio::test]
async fn an_item_of_a_newer_format_is_refused_and_left_alone() {
    let emulator = emulator().await;
    let registry = registry(&emulator, 1);
    let _ = registry.put_contract(&new_contract(Promotion::Auto, "d1"), &by(0)).await.unwrap();
    let mut item = emulator.items(TABLE).await.into_iter().find(|it| it["sk"].as_s().unwrap() == "DATASET");
    let newer = item.as_mut().unwrap();
    newer.insert("format".into(), aws_sdk_dynamodb::types::AttributeValue::N("3".into()));
    let put = emulator.client().put_item().table_name(TABLE).set_item(item.clone());
    put.send().await.unwrap();
    let error = registry.put_contract(&new_contract(Promotion::Auto, "d2"), &by(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unreadable, false));
    assert_eq!(
        error.to_string(),
        "read the registry item DATASET#recs / DATASET: it has format 3, this Septet knows formats up to 2; \
         update this Septet"
    );
    assert!(emulator.items(TABLE).await.contains(&item.unwrap()));
}

/// Formats of the dataset, its pointer and its versions.
async fn formats(emulator: &Emulator) -> std::collections::BTreeMap<String, String> {
    let items = emulator.items(TABLE).await.into_iter().map(|item| {
        let [pk, sk] = ["pk", "sk"].map(|name| item[name].as_s().unwrap().clone());
        (pk, sk, item["format"].as_n().unwrap().clone())
    });
    let own = items.filter(|(pk, sk, _)| pk == "DATASET#recs" && !sk.starts_with("LOG#"));
    own.filter(|(_, sk, format)| !sk.starts_with("CONTRACT#") && format != "1")
        .map(|it| (it.1, it.2))
        .collect()
}

#[tokio::test]
async fn only_holds_and_valid_withdrawn_versions_are_kept_from_programs_of_0_1_0() {
    let emulator = emulator().await;
    let registry = registry(&emulator, 1);
    let _ = registry.put_contract(&new_contract(Promotion::Auto, "d1"), &by(0)).await.unwrap();
    for night in 1..=4 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night).await;
    }
    assert_eq!(formats(&emulator).await.len(), 0);
    let live = PointerName::live();
    let back = request(Direction::Back(None));
    let _ = registry.move_pointer(&recs(), &live, &back, &by(10)).await.unwrap().into_result().unwrap();
    let two = |key: &str| (key.to_owned(), "2".to_owned());
    assert_eq!(formats(&emulator).await, [two("DATASET"), two("VERSION#0000000004")].into());
    let own = ReleaseRequest::own("mended");
    let _ = registry.release(&recs(), &live, &own, &by(20)).await.unwrap().into_result().unwrap();
    assert_eq!(formats(&emulator).await, [two("VERSION#0000000004")].into());
    let retired = registry.retire(&recs(), number(4), "withdrawn", &by(10_000)).await.unwrap();
    assert!(retired.into_result().unwrap().withdrawn.is_some());
    assert_eq!(formats(&emulator).await.len(), 0);
}

#[tokio::test]
async fn a_missing_table_a_missing_permission_and_a_dead_endpoint_are_told_apart() {
    let emulator = Emulator::start().await;
    let registry = registry(&emulator, 1);
    let error = registry.datasets().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::NotFound, false));
    assert!(error.to_string().contains("does not exist"), "{error}");
    emulator.create_registry_table(TABLE).await;

    emulator.inject(Fault::access_denied("TransactWriteItems").always());
    let error = registry.put_contract(&new_contract(Promotion::Auto, "d"), &by(0)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Denied, false));
    emulator.clear_faults();

    emulator.inject(Fault::throttle("Query").always());
    let error = registry.datasets().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Throttled, true));
    emulator.clear_faults();

    emulator.inject(Fault::refuse("Query").always());
    let error = registry.datasets().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
}

#[tokio::test]
async fn a_dataset_may_keep_more_versions_than_a_transaction_has_room_for() {
    let emulator = emulator().await;
    let registry = registry(&emulator, 1);
    let mut contract = new_contract(Promotion::Auto, "d1");
    contract.settings.keep_newest = 100;
    let _ = registry.put_contract(&contract, &by(0)).await.unwrap();
    for night in 1..=101 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night).await;
    }
    let retired = registry.retire(&recs(), number(1), "superfluous", &by(10_000)).await.unwrap();
    assert_eq!(retired.into_result().unwrap().state, State::Retiring);
}
