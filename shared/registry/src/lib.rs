//! Versions, pointers and the audit log of every dataset.

mod names;

pub use names::{ContractNumber, DatasetName, NameError, PointerName, TableId, TableName, VersionNumber};
