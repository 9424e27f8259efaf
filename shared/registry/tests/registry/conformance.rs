//! What every store is held to.

use std::sync::Arc;

use septet_registry::*;
use uuid::Uuid;

use crate::store::*;

fn record(id: u128) -> Record {
    Record {
        id: Uuid::from_u128(id),
        at: at(0),
        dataset: recs(),
        actor: "tester".into(),
        action: Action::Announce,
        version: Some(number(1)),
        pointer: None,
        before: None,
        after: Some("announced".into()),
        revision: Some(1),
        reason: None,
    }
}

fn pointer(generation: u64) -> Pointer {
    Pointer {
        dataset: recs(),
        pointer: PointerName::live(),
        version: number(1),
        table: TableName::parse("recs-1").unwrap(),
        table_arn: "arn:aws:dynamodb:eu-west-1:333333333333:table/recs-1".into(),
        generation,
        previous: None,
        hold: Some(Hold { by: "me".into(), reason: "it is bad".into(), until: Some(at(9)) }),
        moved_at: at(1),
        moved_by: "me".into(),
        reason: "because".into(),
        poll_seconds: 300,
        trail: vec![number(3), number(2)],
        ahead: vec![],
        carried: Default::default(),
    }
}

fn write(pointer: Pointer, expect: Expect, id: u128) -> Transaction {
    Transaction {
        writes: vec![Write { item: Item::Pointer(pointer), expect }],
        witnesses: vec![],
        record: record(id),
    }
}

/// Holds a fresh, empty store to the contract of [`Store`].
pub(crate) async fn holds(store: Arc<dyn Store>) {
    commits_are_conditional(&*store).await;
    what_was_written_is_read_back(&store).await;
    lists_keep_their_order(&*store).await;
    documents_are_kept_by_name(&*store).await;
    entries_are_put_under_conditions(&*store).await;
    documents_and_items_are_kept_apart(&*store).await;
    malformed_transactions_are_refused(&*store).await;
}

async fn commits_are_conditional(store: &dyn Store) {
    let key = Item::Pointer(pointer(1)).key();
    assert_eq!(store.get(&key).await.unwrap(), None);
    let commit = async |transaction: Transaction| store.commit(&transaction).await.unwrap();
    assert_eq!(commit(write(pointer(1), Expect::Revision(0), 1)).await, Committed::Conflict);
    assert_eq!(commit(write(pointer(1), Expect::Absent, 1)).await, Committed::Done);
    assert_eq!(commit(write(pointer(1), Expect::Absent, 2)).await, Committed::Conflict);
    assert_eq!(
        commit(write(pointer(2), Expect::Revision(1), 1)).await,
        Committed::Conflict,
        "a record stays"
    );
    assert_eq!(commit(write(pointer(2), Expect::Revision(1), 2)).await, Committed::Done);
    assert_eq!(commit(write(pointer(2), Expect::Revision(1), 3)).await, Committed::Conflict);
    assert_eq!(store.get(&key).await.unwrap(), Some(Item::Pointer(pointer(2))));
    let all = store.list("DATASET#recs", "LOG#", Order::Rising, None).await.unwrap();
    assert_eq!(all, [Item::Record(record(1)), Item::Record(record(2))], "a refused commit leaves nothing");

    let witness = |revision| Witness {
        key: Key { pk: "DATASET#recs".into(), sk: "VERSION#0000000009".into() },
        revision,
    };
    let unwitnessed =
        Transaction { witnesses: vec![witness(1)], ..write(pointer(3), Expect::Revision(2), 4) };
    assert_eq!(commit(unwitnessed).await, Committed::Conflict);
}

async fn what_was_written_is_read_back(store: &Arc<dyn Store>) {
    let registry = Registry::new(store.clone(), Entropy::from_seed(3));
    let put = registry.put_contract(&new_contract(Promotion::Auto, "d1"), &by(0)).await.unwrap();
    assert!(put.is_done());
    let version = publish(&registry, "recs-9", VerdictOutcome::Errored, 5).await;
    assert_eq!(version.reason(), Some("user_id: is absent in 3 of 9 items"));
    assert_eq!(registry.datasets().await.unwrap()[0].table_pattern, "recs-*");
    assert_eq!(registry.contracts(&recs()).await.unwrap()[0].document, "{}");
    assert_eq!(registry.claims(&version.table).await.unwrap()[0].version, version.version);
    let beat = Heartbeat {
        dataset: recs(),
        reader: "api-1".into(),
        pointer: PointerName::live(),
        version: version.version,
        since: at(0),
        seen_at: at(60),
        expires_at: at(120).as_second(),
    };
    registry.beat(&beat).await.unwrap();
    assert_eq!(registry.readers(&recs(), at(119)).await.unwrap(), [beat]);
    assert_eq!(registry.readers(&recs(), at(120)).await.unwrap(), [], "an expired reader is gone");
}

async fn lists_keep_their_order(store: &dyn Store) {
    for id in 10..60 {
        let claim = Claim {
            table: TableName::parse("recs-many").unwrap(),
            table_id: TableId::parse(format!("id-{id}")).unwrap(),
            dataset: recs(),
            version: number(1),
        };
        let writes = vec![Write { item: Item::Claim(claim), expect: Expect::Absent }];
        let transaction = Transaction { writes, witnesses: vec![], record: record(id) };
        assert_eq!(store.commit(&transaction).await.unwrap(), Committed::Done);
    }
    let ids = async |order, limit| -> Vec<String> {
        let items = store.list("TABLE#recs-many", "id-", order, limit).await.unwrap();
        items.iter().map(|item| item.key().sk).collect()
    };
    let rising = ids(Order::Rising, None).await;
    assert_eq!((rising.len(), rising[0].as_str(), rising[49].as_str()), (50, "id-10", "id-59"));
    assert_eq!(ids(Order::Falling, Some(3)).await, ["id-59", "id-58", "id-57"]);
    assert_eq!(ids(Order::Rising, Some(41)).await, rising[..41]);
}

async fn documents_are_kept_by_name(store: &dyn Store) {
    let (set, version) = (recs(), number(1));
    for (name, document) in [
        (
            "PROFILE",
            serde_json::json!({"items": 3, "mean": 0.25, "none": null, "list": [1, "a", {"b": true}]}),
        ),
        ("CHECK#rowCount", serde_json::json!({"outcome": "passed"})),
        ("CHECK#rowCount", serde_json::json!({"outcome": "failed"})),
    ] {
        store.put_document(&set, version, name, &document).await.unwrap();
    }
    let checks = store.documents(&set, version, "CHECK#").await.unwrap();
    assert_eq!(checks, [("CHECK#rowCount".into(), serde_json::json!({"outcome": "failed"}))]);
    let all = store.documents(&set, version, "").await.unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(all[1].1["list"][2]["b"], true);
}

#[tokio::test]
async fn the_store_in_memory_conforms() {
    holds(Arc::new(Memory::default())).await;
}

fn entry(sk: &str, revision: u64) -> Write {
    let body = serde_json::json!({
        "state": "running", "counts": {"pages": 3, "bytes": 18_446_744_073_709_551_615_u64}, "share": 0.25, "cursor": {"after": [7, null, true]},
    });
    let key = Key { pk: "FEED#plays#RUN#1".into(), sk: sk.into() };
    Write { item: Item::Entry(Entry { key, revision, body }), expect: Expect::Absent }
}

async fn entries_are_put_under_conditions(store: &dyn Store) {
    let (first, second) = (entry("WINDOW#1", 1), entry("WINDOW#2", 1));
    let key = first.item.key();
    assert_eq!(store.put(std::slice::from_ref(&first)).await.unwrap(), Committed::Done);
    assert_eq!(store.put(std::slice::from_ref(&first)).await.unwrap(), Committed::Conflict);
    assert_eq!(store.get(&key).await.unwrap().as_ref(), Some(&first.item));
    assert_eq!(store.put(&[second.clone(), first.clone()]).await.unwrap(), Committed::Conflict);
    assert_eq!(store.get(&second.item.key()).await.unwrap(), None, "all or none");

    let next = Write { expect: Expect::Revision(1), ..entry("WINDOW#1", 2) };
    assert_eq!(store.put(&[second.clone(), next.clone()]).await.unwrap(), Committed::Done);
    assert_eq!(store.put(std::slice::from_ref(&next)).await.unwrap(), Committed::Conflict);
    assert_eq!(
        store.put(&[Write { expect: Expect::Anything, ..next.clone() }]).await.unwrap(),
        Committed::Done
    );
    let all = store.list("FEED#plays#RUN#1", "WINDOW#", Order::Rising, None).await.unwrap();
    assert_eq!(all, [next.item, second.item]);
}

async fn documents_and_items_are_kept_apart(store: &dyn Store) {
    let (set, version) = (recs(), number(2));
    store.put_document(&set, version, "PROFILE", &serde_json::json!({"items": 3})).await.unwrap();
    let key = |sk: &str| Key { pk: "DATASET#recs#V#0000000002".into(), sk: sk.into() };
    assert_eq!(store.get(&key("PROFILE")).await.unwrap(), None);
    let part = Entry { key: key("SEGMENT#1"), revision: 1, body: serde_json::json!({"done": false}) };
    let write = Write { item: Item::Entry(part.clone()), expect: Expect::Absent };
    assert_eq!(store.put(&[write]).await.unwrap(), Committed::Done);
    let listed = store.list(&part.key.pk, "", Order::Rising, None).await.unwrap();
    assert_eq!(listed, [Item::Entry(part)]);
    assert_eq!(store.documents(&set, version, "PROFILE").await.unwrap().len(), 1);
    let error = store.documents(&set, version, "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable, "{error}");
}

async fn malformed_transactions_are_refused(store: &dyn Store) {
    let name = |nth: u32| PointerName::parse(format!("canary-{nth}")).unwrap();
    let moved = |nth| Pointer { pointer: name(nth), ..pointer(1) };
    let write = |nth| Write { item: Item::Pointer(moved(nth)), expect: Expect::Absent };
    let commit = async |writes: Vec<Write>, witnesses: Vec<Witness>, id| {
        store.commit(&Transaction { writes, witnesses, record: record(id) }).await
    };
    let witness = Witness { key: Item::Pointer(moved(1)).key(), revision: 1 };
    for refused in [
        commit(vec![write(1), write(1)], vec![], 100).await,
        commit(vec![write(1)], vec![witness], 100).await,
        commit((1..=100).map(write).collect(), vec![], 100).await,
        store.put(&[write(1), write(1)]).await,
    ] {
        let error = refused.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false), "{error}");
    }
    assert_eq!(store.get(&Item::Pointer(moved(1)).key()).await.unwrap(), None, "none of it was written");
    let most = commit((1..=99).map(write).collect(), vec![], 100).await;
    assert_eq!(most.unwrap(), Committed::Done, "with its record it has 100 actions");
}
