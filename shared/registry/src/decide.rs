//! Every transition of the registry, decided by pure functions.
//!
//! A decision takes items as they were read and gives the transaction that makes the change, under the
//! condition that the items have not changed since. Deciding the same again after it was done changes
//! nothing. Nothing here reads a clock, a store or a generator.

mod marks;
mod parts;
mod pointers;
mod pruning;
mod versions;

use jiff::Timestamp;
use uuid::Uuid;

pub use marks::{discard, reinstate, withdraw};
pub use parts::{After, Taking, keep_part, take_part};
pub use pointers::{
    Direction, PointRequest, ReleaseRequest, move_pointer, newest_live, promote, release, skip_promotion,
};
pub(crate) use pruning::distinct_good;
pub use pruning::{delete, lose, retire, superfluous};
pub(crate) use versions::later;
pub use versions::{
    Announcement, SealFacts, abandon, announce, begin_check, conclude, name_seal, record_signal,
    reject_unsealed, seal, see_protection, see_untagged, share, wait,
};

use crate::audit::{Action, Record};
use crate::dataset::{Contract, Dataset, Listing, PatternSince, Settings};
use crate::error::Refusal;
use crate::transaction::{Decision, Expect, Item, Transaction, Write};
use crate::version::Version;
use crate::{ContractNumber, DatasetName, VersionNumber};

/// Who acts, when, and the id under which the act goes on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The audit record's id.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
}

impl Act {
    fn record(&self, dataset: &DatasetName, action: Action) -> Record {
        Record {
            id: self.id,
            at: self.at,
            dataset: dataset.clone(),
            actor: self.actor.clone(),
            action,
            version: None,
            pointer: None,
            before: None,
            after: None,
            revision: None,
            reason: None,
        }
    }
}

/// A contract to put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContract {
    /// The dataset, new or known.
    pub dataset: DatasetName,
    /// What the contract says about how the dataset is kept.
    pub settings: Settings,
    /// The document, as JSON text.
    pub document: String,
    /// The document's digest.
    pub digest: String,
    /// The contract in force that it was judged against; none if the dataset is new.
    pub over: Option<ContractNumber>,
    /// Why it is put.
    pub reason: Option<String>,
}

/// Puts a contract: the first one makes the dataset, a later one replaces the one in force.
///
/// Putting the contract that is in force again changes nothing. If another came in force since this one was judged,
/// it is refused.
///
/// A dataset claims tables by its pattern from the time at which the contract with that pattern came in force.
pub fn put_contract(
    known: Option<&Dataset>,
    listed: Option<&Listing>,
    new: &NewContract,
    act: &Act,
) -> Decision<ContractNumber> {
    let number = match known {
        Some(known) if known.contract_digest == new.digest => return Decision::Already(known.contract),
        Some(known) if new.over != Some(known.contract) => {
            return Decision::Refuse(Refusal::OtherContract { judged: new.over, is: known.contract });
        }
        Some(known) => known.contract.next(),
        None => ContractNumber::new(1),
    };
    let dataset = Dataset {
        dataset: new.dataset.clone(),
        settings: new.settings.clone(),
        contract: number,
        contract_digest: new.digest.clone(),
        next_version: known.map_or(VersionNumber::new(1), |known| known.next_version),
        revision: known.map_or(1, |known| known.revision + 1),
        created_at: known.map_or(act.at, |known| known.created_at),
        updated_at: act.at,
        patterns: patterns(known, new, act),
        holds: known.map(|known| known.holds.clone()).unwrap_or_default(),
        holds_ended_at: known.and_then(|known| known.holds_ended_at),
        carried: known.map(|known| known.carried.clone()).unwrap_or_default(),
    };
    let record = Record {
        before: known.map(|known| known.contract.to_string()),
        after: Some(number.to_string()),
        reason: new.reason.clone(),
        ..act.record(&new.dataset, Action::PutContract)
    };
    let listing = Listing {
        dataset: new.dataset.clone(),
        table_pattern: new.settings.table_pattern.clone(),
        carried: listed.map(|listed| listed.carried.clone()).unwrap_or_default(),
    };
    let contract = Contract {
        dataset: new.dataset.clone(),
        contract: number,
        document: new.document.clone(),
        digest: new.digest.clone(),
        put_at: act.at,
        put_by: act.actor.clone(),
    };
    let writes = vec![
        Write {
            item: Item::Dataset(dataset),
            expect: known.map_or(Expect::Absent, |known| Expect::Revision(known.revision)),
        },
        Write { item: Item::Contract(contract), expect: Expect::Absent },
        Write { item: Item::Listing(listing), expect: Expect::Anything },
    ];
    Decision::Commit(Box::new(Transaction { writes, witnesses: Vec::new(), record }), number)
}

/// Patterns that claimed tables, with the new contract's as the last one.
fn patterns(known: Option<&Dataset>, new: &NewContract, act: &Act) -> Vec<PatternSince> {
    let mut patterns = known.map(Dataset::patterns).unwrap_or_default();
    let pattern = &new.settings.table_pattern;
    if patterns.last().is_none_or(|last| last.pattern != *pattern) {
        patterns.push(PatternSince { pattern: pattern.clone(), since: act.at });
    }
    let excess = patterns.len().saturating_sub(Dataset::MOST_PATTERNS);
    patterns.drain(..excess);
    patterns
}

/// Versions by the order of their dataset, the newest first.
pub(crate) fn newest_first<'a>(dataset: &Dataset, versions: &'a [Version]) -> Vec<&'a Version> {
    let mut versions: Vec<_> = versions.iter().collect();
    versions.sort_by_key(|version| std::cmp::Reverse(dataset.rank(version)));
    versions
}
