//! Dataset tables as DynamoDB holds them: describe, list, seal, prove the seal, scan, delete.
//!
//! [`Tables`] is the only place that calls DynamoDB about dataset tables. It promises that every change can be
//! repeated, resumed after a crash at any point, and concerns the table of the expected [`TableId`] only: a new
//! table of the same name is never touched.
//!
//! A sealed table has deletion protection and a resource policy that denies every write to everyone. An
//! explicit denial binds administrators too. The seal does not stop items from expiring (time to live is
//! therefore to be looked at, see [`Tables::ttl`]), nor `StartBulkPutItems`, which policies cannot name yet.
//!
//! When to seal and what to delete is decided elsewhere.
//!
//! [`TableId`]: septet_registry::TableId

mod dynamodb;
mod error;
mod facts;
mod key;
mod outcome;
mod patience;
mod policy;

pub use dynamodb::{Page, Tables};
pub use error::{Error, ErrorKind};
pub use facts::{
    Import, ImportStatus, KeyAttribute, KeyType, Keys, TableFacts, TableStatus, TtlState, WarmThroughput,
};
pub use key::{Key, KeyValue};
pub use outcome::{Consistency, Deletion, Flaw, NotYet, PageEnd, Seal, SealState, Sealing, Segment};
pub use policy::SealPolicy;
