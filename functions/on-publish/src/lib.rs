//! A new table becomes a version: announced, sealed, checked, registered, and readers are pointed at it.
//!
//! [`Handler`] takes messages of the publish queue (CloudTrail records that EventBridge delivers, signals,
//! reminders) and looks at the table that each speaks of. It promises that a message handled twice, late,
//! out of order, or after its first handler was killed at any point, ends in the same state with one audit
//! record for each transition; that nothing half checked is reachable by readers; and that a bad message is
//! named with its fix and holds up no other.
//!
//! It leaves to the sweep of `prune`: tables that no record tells of, versions that are never completed.

mod capacity;
mod check;
mod complete;
mod config;
mod course;
mod error;
mod handler;
mod look;
mod message;
mod promote;
mod queue;
mod ready;
mod record;
mod segment;
mod share;
mod summary;

pub use capacity::{Capacity, Operations};
pub use config::{Config, Sharing};
pub use error::Error;
pub use handler::{Answer, Handler};
pub use message::{Ask, Cause, Input, Letter};
pub use queue::{DeadLetter, LONGEST_DELAY, Later, PublishQueue, Queue, QueueError};
pub use record::{Change, Record};
pub use summary::{Ending, Step, Summary};
