//! Versions, pointers and the audit log of every dataset.
//!
//! One DynamoDB table holds, for each dataset, its contracts, its versions, the pointers that readers
//! follow and a log of every action. Each transition is decided by a pure function in [`decide`] and
//! executed by [`Registry`] as one conditional transaction: the change, under the condition that what it
//! was decided on has not changed, its audit record, and what else it touches. The same event twice
//! changes nothing the second time, several writers lose no update and never wait on each other, and a
//! commit whose answer was lost is settled by reading its record back. What always holds is written down
//! as functions in [`invariants`].
//!
//! Which versions are due for pruning is planned in [`retention`] and left to others to carry out.
//!
//! It leaves to others: what a contract says, what is in a table.

pub mod audit;
mod carried;
mod clock;
pub mod dataset;
pub mod decide;
mod dynamodb;
mod entropy;
mod error;
mod hold;
pub mod invariants;
mod item;
mod memory;
mod names;
mod part;
mod pointer;
mod registry;
pub mod retention;
mod signal;
mod state;
mod store;
mod transaction;
mod unknown;
mod version;

pub use audit::{Action, Record};
pub use carried::Carried;
pub use clock::{Clock, SystemClock};
pub use dataset::{Claim, Contract, Dataset, DatasetOrder, Listing, PatternSince, Promotion, Settings};
pub use decide::{Announcement, Direction, NewContract, PointRequest, ReleaseRequest, SealFacts};
pub use dynamodb::DynamoDb;
pub use entropy::Entropy;
pub use error::{Error, ErrorKind, Outcome, Refusal};
pub use hold::PointerHold;
pub use memory::{Landed, Memory};
pub use names::{
    ContractNumber, DatasetName, HoldId, NameError, PointerName, SealId, TableId, TableName, TableReference,
    VersionNumber,
};
pub use part::{Kept, Part, PartKey, Progress, Taken};
pub use pointer::{Heartbeat, Hold, Pointer};
pub use registry::{By, Conclusion, Registry};
pub use signal::{Message, MessageError, Reminder, Segment, Signal};
pub use state::State;
pub use store::{Committed, Order, Store};
pub use transaction::{Decision, Entry, Expect, Item, Key, Transaction, Witness, Write};
pub use unknown::Unknown;
pub use version::{
    Counts, KnownSignal, Lease, Mark, PromotionState, Rank, Readiness, Rung, Sharing, Verdict,
    VerdictOutcome, Version, Wait,
};
