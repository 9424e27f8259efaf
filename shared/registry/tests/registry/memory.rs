//! What the store in memory offers beyond a store: forks, snapshots and observers.

use std::sync::{Arc, Mutex};

use septet_registry::*;

use crate::store::*;

type Seen = (Option<Record>, Vec<Option<Item>>);

async fn published() -> (Memory, Registry) {
    let memory = Memory::default();
    let registry = Registry::new(Arc::new(memory.clone()), Entropy::from_seed(1));
    let _ = registry.put_contract(&new_contract(Promotion::Auto, "d1"), &by(0)).await.unwrap();
    publish(&registry, "recs-1", VerdictOutcome::Passed, 1).await;
    publish(&registry, "recs-2", VerdictOutcome::Failed, 2).await;
    (memory, registry)
}

#[tokio::test]
async fn a_snapshot_is_what_the_registry_reads() {
    let (memory, registry) = published().await;
    assert_eq!(memory.snapshot(&recs()), Some(snapshot(&registry).await));
    assert_eq!(memory.snapshot(&DatasetName::parse("other").unwrap()), None);
}

#[tokio::test]
async fn a_fork_and_its_origin_do_not_share_changes() {
    let (memory, registry) = published().await;
    registry.put_document(&recs(), number(1), "PROFILE", &serde_json::json!(1)).await.unwrap();
    let fork = memory.fork();
    let before = memory.items();
    let forked = Registry::new(Arc::new(fork.clone()), Entropy::from_seed(2));
    publish(&forked, "recs-3", VerdictOutcome::Passed, 3).await;
    assert_eq!(memory.items(), before);
    assert!(fork.items().len() > before.len());
    assert_eq!(forked.documents(&recs(), number(1), "").await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_observer_sees_each_commit_that_landed_and_what_it_replaced() {
    let (memory, registry) = published().await;
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let mut tracked = snapshot(&registry).await;
    memory.observe({
        let seen = seen.clone();
        move |landed| {
            landed.writes.iter().for_each(|write| tracked.put(&write.item));
            landed.record.iter().for_each(|record| tracked.put(&Item::Record((*record).clone())));
            assert_eq!(landed.replaced.len(), landed.writes.len());
            seen.lock().unwrap().push((landed.record.cloned(), landed.replaced.to_vec()));
            assert!(tracked.versions.len() >= 2);
        }
    });
    let retired = registry.version(&recs(), number(2)).await.unwrap();
    let _ = registry.retire(&recs(), number(2), "rejected", &by(9)).await.unwrap();
    let _ = registry.retire(&recs(), number(2), "rejected", &by(9)).await.unwrap();
    let log = registry.log(&recs(), Some(1)).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [(log.first().cloned(), vec![Some(retired.into())])]);
}
