//! Dataset tables as DynamoDB holds them: describe, compare, list, seal, prove the seal, scan, delete.
//!
//! [`Tables`] is the only place that calls DynamoDB about dataset tables. It promises that every change can be
//! repeated, resumed after a crash at any point, and concerns the table of the expected [`TableId`] only: a new
//! table of the same name is never touched.
//!
//! A sealed table has deletion protection and a resource policy that denies every write to everyone. An
//! explicit denial binds administrators too. The policy carries the id of the seal: a table that carries another seal
//! is neither sealed nor deleted, and deletion protection that Septet did not switch on is never switched off. The
//! seal does not stop items from expiring (time to live is therefore to be looked at, see [`Tables::ttl`]), nor
//! `StartBulkPutItems`, which policies cannot name yet.
//!
//! When to seal and what to delete is decided elsewhere.
//!
//! [`TableId`]: septet_registry::TableId

mod dynamodb;
mod error;
mod facts;
mod features;
mod key;
mod offers;
mod outcome;
mod patience;
mod policy;

pub use dynamodb::{DeletionTarget, Page, Tables};
pub use error::{Error, ErrorKind};
pub use facts::{
    Import, ImportStatus, KeyAttribute, KeyType, Keys, TableFacts, TableStatus, TtlState, WarmThroughput,
};
pub use features::Features;
pub use key::{Key, KeyValue};
pub use offers::{
    Comparison, Index, IndexKeys, IndexKind, Offers, Projection, ProjectionType, ReadLimits, compare_offers,
};
pub use outcome::{
    Consistency, Deletion, Flaw, KeptBecause, NotYet, PageEnd, Prewarming, Seal, SealState, Sealing, Segment,
    TakeOver,
};
pub use policy::{SealMark, SealPolicy};
