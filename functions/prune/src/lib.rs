//! Sweeps over all datasets, every few minutes.
//!
//! A sweep holds the tables that DynamoDB lists against the versions that the registry holds, reminds
//! on-publish of what is unfinished, gives up what is overdue, retires and deletes what is not needed any more,
//! and sends heartbeats. It promises that nothing depends on a single sweep: each may be killed anywhere, run
//! twice or run beside another, and the next one goes on. It never touches a table other than the one whose id
//! the registry holds, never what a pointer names, and never more than a few tables of a dataset at once.
//!
//! It leaves to others: what on-publish does with a reminder, and which versions go
//! ([`septet_registry::retention`]).

mod config;
mod error;
mod execute;
mod gauges;
mod handler;
pub mod plan;
mod queue;
mod request;
mod summary;

pub use config::Config;
pub use error::Error;
pub use gauges::{
    FAILURES, HOLD_REMINDERS, HOURS_SINCE_PUBLICATION, LIVE_TABLE_GONE, LIVE_VERSION_AGE, PLAN_REFUSED,
    PROMOTIONS_PENDING, TABLES_KEPT, VERSIONS_ABANDONED, VERSIONS_KEPT,
};
pub use handler::{ACTOR, Prune};
pub use queue::{Queue, QueueError};
pub use request::Request;
pub use summary::{Entry, Failure, Found, Gone, KeptTable, Older, Skipped, Summary, TooMuch};
