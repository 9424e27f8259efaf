//! Brings back ranges of feeds, as messages of the recovery queue ask for them.
//!
//! [`Backfill`] takes messages that ask for a range and start a run, orders by which a worker takes a lane of a run
//! and which it sends on to itself when its time is over, records that come back from the dead letters, and the
//! schedule's sweep, which begins anew what nobody works on. It promises that a message handled twice, late, or after its first handler was killed starts nothing
//! twice, and that a range message that cannot be followed ends in the dead letters with the field and the fix, on
//! record, and holds up no other.
//!
//! It leaves to others: what is read and when a window is done (`septet_recovery`).

mod config;
mod error;
mod handler;
mod message;
mod redrive;
mod work;

pub use config::Config;
pub use error::Error;
pub use handler::{ACTOR, Answer, Backfill, Ending};
pub use message::Letter;
