//! Every transition of the registry, decided by pure functions.
//!
//! A decision takes items as they were read and gives the transaction that makes the change, under the
//! condition that the items have not changed since. Deciding the same again after it was done changes
//! nothing. Nothing here reads a clock, a store or a generator.

mod parts;
mod pointers;
mod versions;

use jiff::Timestamp;
use uuid::Uuid;

pub use parts::{After, Taking, keep_part, take_part};
pub use pointers::{Direction, PointRequest, move_pointer, promote, release, skip_promotion};
pub(crate) use versions::later;
pub use versions::{
    Announcement, abandon, announce, begin_check, conclude, delete, lose, retire, seal, share,
};

use crate::audit::{Action, Record};
use crate::dataset::{Contract, Dataset, Listing, Settings};
use crate::error::Refusal;
use crate::transaction::{Decision, Expect, Item, Transaction, Write};
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
pub fn put_contract(known: Option<&Dataset>, new: &NewContract, act: &Act) -> Decision<ContractNumber> {
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
    };
    let record = Record {
        before: known.map(|known| known.contract.to_string()),
        after: Some(number.to_string()),
        reason: new.reason.clone(),
        ..act.record(&new.dataset, Action::PutContract)
    };
    let listing = Listing { dataset: new.dataset.clone(), table_pattern: new.settings.table_pattern.clone() };
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
