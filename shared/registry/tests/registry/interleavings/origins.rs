//! Registries with a past, from which cases begin.

use std::sync::Arc;

use fastrand::Rng;
use jiff::SignedDuration;
use septet_registry::invariants::Snapshot;
use septet_registry::*;

use crate::store::*;

/// A registry from which cases begin.
pub(super) struct Origin {
    pub(super) name: &'static str,
    pub(super) memory: Memory,
    pub(super) snapshot: Snapshot,
    /// The time at which cases begin.
    pub(super) now: i64,
    /// The number of tables that it knows, `recs-1` to `recs-<tables>`; table and version have the same number.
    pub(super) tables: u64,
}

impl Origin {
    /// Draws the number of a version, most often of a valid one.
    pub(super) fn version(&self, rng: &mut Rng) -> u64 {
        let valid = self.snapshot.versions.iter().filter(|version| version.state == State::Valid);
        let valid: Vec<_> = valid.map(|version| version.version.get()).collect();
        match rng.choice(&valid) {
            Some(valid) if rng.u8(..3) > 0 => *valid,
            _ => rng.u64(1..=self.tables + 2),
        }
    }
}

/// Builds every origin.
pub(super) fn build() -> Vec<Origin> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        vec![
            new_dataset().await,
            three_nights().await,
            rolled_back().await,
            ready_to_prune().await,
            keeps_one().await,
        ]
    })
}

async fn contract() -> (Memory, Registry) {
    let memory = Memory::default();
    let registry = Registry::new(Arc::new(memory.clone()), Entropy::from_seed(1));
    let _ = registry.put_contract(&new_contract(Promotion::Auto, "first"), &by(0)).await.unwrap();
    (memory, registry)
}

fn origin(name: &'static str, memory: Memory, now: i64) -> Origin {
    let snapshot = memory.snapshot(&recs()).unwrap();
    assert_eq!(invariants::broken(&snapshot, at(now)), Vec::<String>::new(), "{name}");
    Origin { name, memory, now, tables: snapshot.versions.len() as u64, snapshot }
}

async fn new_dataset() -> Origin {
    let (memory, _) = contract().await;
    origin("a new dataset", memory, 1)
}

async fn three_nights() -> Origin {
    let (memory, registry) = contract().await;
    for night in 1..=3 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night * 10).await;
    }
    // The first one is past its grace and superfluous.
    origin("three nights", memory, 100)
}

/// One version is superfluous, and the last to which an operator could go back.
async fn keeps_one() -> Origin {
    let (memory, registry) = contract().await;
    let mut contract = next_contract(Promotion::Auto, "keeps one", 1);
    contract.settings.keep_newest = 1;
    let _ = registry.put_contract(&contract, &by(1)).await.unwrap();
    for night in 1..=2 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night * 10).await;
    }
    origin("keeps one", memory, 100)
}

async fn rolled_back() -> Origin {
    let (memory, registry) = contract().await;
    for night in 1..=4 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night * 10).await;
    }
    let back = PointRequest { hold_until: Some(at(250)), ..request(Direction::Back(None)) };
    let _ = registry.move_pointer(&recs(), &PointerName::live(), &back, &by(50)).await.unwrap();
    // It passed under the hold and waits for promotion.
    publish(&registry, "recs-5", VerdictOutcome::Passed, 60).await;
    origin("rolled back", memory, 130)
}

async fn ready_to_prune() -> Origin {
    let (memory, registry) = contract().await;
    let set = recs();
    for night in 1..=3 {
        publish(&registry, &format!("recs-{night}"), VerdictOutcome::Passed, night).await;
    }
    // Two never load, and their deadline passes.
    for night in 4..=5 {
        let table = format!("recs-{night}");
        let stuck = Announcement { patience: SignedDuration::from_secs(5), ..announcement(&table, &table) };
        let _ = registry.announce(&set, &stuck, &by(night)).await.unwrap();
    }
    publish(&registry, "recs-6", VerdictOutcome::Failed, 7).await;
    // It is announced before the next one and checked after it.
    let _ = registry.announce(&set, &announcement("recs-7", "recs-7"), &by(8)).await.unwrap();
    publish(&registry, "recs-8", VerdictOutcome::Passed, 9).await;
    let _ = registry.seal(&set, number(7), &readiness().into(), &by(10)).await.unwrap();
    let _ = registry.abandon(&set, number(4), &by(11)).await.unwrap();
    for version in [1, 4] {
        let _ = registry.retire(&set, number(version), "superfluous", &by(140)).await.unwrap();
    }
    origin("ready to prune", memory, 210)
}
