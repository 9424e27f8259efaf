//! Checks that many invocations share, on the store in memory.

use crate::store::*;
use septet_registry::decide::After;
use septet_registry::*;

async fn checking() -> (Faulty, Registry, VersionNumber) {
    let memory = Faulty::default();
    let registry = Registry::new(std::sync::Arc::new(memory.clone()), Entropy::from_seed(1));
    assert!(registry.put_contract(&new_contract(Promotion::Auto, "d1"), &by(0)).await.unwrap().is_done());
    let version = registry.announce(&recs(), &announcement("recs-1", "id-1"), &by(0)).await.unwrap();
    let version = version.into_result().unwrap().version;
    registry.seal(&recs(), version, &readiness().into(), &by(1)).await.unwrap().into_result().unwrap();
    registry.begin_check(&recs(), version, &lease("w", 60), &by(2)).await.unwrap().into_result().unwrap();
    (memory, registry, version)
}

fn key(part: u32) -> PartKey {
    PartKey { dataset: recs(), version: number(1), sharing: "shared-1".into(), part }
}

async fn take(registry: &Registry, owner: &str, until: i64, now: i64) -> Taken {
    registry.take_part(&key(0), &lease(owner, until), at(now)).await.unwrap()
}

fn mine(taken: Taken) -> Part {
    match taken {
        Taken::Mine(part) => part,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn only_the_holder_shares_a_check_and_then_only_the_sharing_ends_it() {
    let (memory, registry, version) = checking().await;
    let lost = Outcome::Refused(Refusal::LeaseLost { version });
    assert_eq!(registry.share(&recs(), version, "other", 4, &by(3)).await.unwrap(), lost);
    let shared = registry.share(&recs(), version, "w", 4, &by(3)).await.unwrap();
    let Outcome::Done(shared) = shared else { panic!("{shared:?}") };
    let sharing = Sharing { id: "shared-1".into(), parts: 4, since: at(3) };
    assert_eq!((shared.sharing, shared.lease, shared.state), (Some(sharing), None, State::Checking));
    let before = memory.items();
    let again = registry.share(&recs(), version, "w", 9, &by(4)).await.unwrap();
    assert!(matches!(again, Outcome::Already(_)), "{again:?}");
    let begun = registry.begin_check(&recs(), version, &lease("w", 999), &by(100)).await.unwrap();
    assert_eq!(begun, Outcome::Refused(Refusal::Shared { version }));
    let passed = conclusion(VerdictOutcome::Passed, "d");
    assert_eq!(registry.conclude(&recs(), version, "w", &passed, &by(5)).await.unwrap(), lost);
    assert_eq!(registry.conclude(&recs(), version, "shared-2", &passed, &by(5)).await.unwrap(), lost);
    assert_eq!(memory.items(), before);
    let valid = registry.conclude(&recs(), version, "shared-1", &passed, &by(6)).await.unwrap();
    assert!(valid.is_done());
    assert_eq!(registry.version(&recs(), version).await.unwrap().sharing, None);
    let twice = registry.conclude(&recs(), version, "shared-1", &passed, &by(7)).await.unwrap();
    assert!(matches!(twice, Outcome::Already(_)), "{twice:?}");
    assert_eq!(invariants::broken(&snapshot(&registry).await, at(8)), Vec::<String>::new());
}

#[tokio::test]
async fn a_check_that_is_done_again_is_shared_under_another_name() {
    let (_, registry, version) = checking().await;
    let _ = registry.share(&recs(), version, "w", 4, &by(3)).await.unwrap();
    let errored = conclusion(VerdictOutcome::Errored, "d");
    assert!(registry.conclude(&recs(), version, "shared-1", &errored, &by(4)).await.unwrap().is_done());
    assert!(registry.begin_check(&recs(), version, &lease("v", 60), &by(5)).await.unwrap().is_done());
    let shared = registry.share(&recs(), version, "v", 4, &by(6)).await.unwrap().into_result().unwrap();
    assert_eq!(shared.sharing.unwrap().id, "shared-2");
    let passed = conclusion(VerdictOutcome::Passed, "d");
    let stale = registry.conclude(&recs(), version, "shared-1", &passed, &by(7)).await.unwrap();
    assert_eq!(stale, Outcome::Refused(Refusal::LeaseLost { version }));
}

#[tokio::test]
async fn a_part_has_one_worker_and_what_one_that_lost_it_keeps_is_nowhere() {
    let (_, registry, _) = checking().await;
    let first = mine(take(&registry, "a", 60, 0).await);
    assert_eq!(take(&registry, "b", 90, 59).await, Taken::Held(Some(lease("a", 60))));
    let second = mine(take(&registry, "b", 90, 60).await);
    assert_eq!(second.progress.tries, 2);
    let next = Some("cursor".to_owned());
    let stale = registry.keep_part(&first, next.clone(), Some("stale"), After::Done, at(61)).await.unwrap();
    assert_eq!(stale, None);
    let text = "é".repeat(400_000);
    let kept = registry.keep_part(&second, next.clone(), Some(&text), After::Release, at(62)).await.unwrap();
    let kept = kept.unwrap();
    assert_eq!((kept.progress.tries, &kept.progress.cursor, &kept.progress.lease), (0, &next, &None));
    assert_eq!(registry.part(&key(0)).await.unwrap(), kept);
    let third = mine(take(&registry, "c", 90, 62).await);
    let done = registry.keep_part(&third, None, Some("last"), After::Done, at(63)).await.unwrap().unwrap();
    assert_eq!(registry.seen(&done).await.unwrap(), [text, "last".into()]);
    assert_eq!(take(&registry, "d", 99, 64).await, Taken::Done);
    let parts = registry.parts(&key(3)).await.unwrap();
    assert_eq!(parts.iter().map(|part| part.progress.done).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(parts[0], done);
}
