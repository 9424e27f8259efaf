//! What Septet asks of AWS beside tables.
//!
//! [`Queue`] sends messages, and says of each failure whether permission is missing and whether sending again may
//! help. [`Caller`] makes single calls of services of which Septet needs one or two operations, with the SDK's own
//! signer, credentials, region and endpoint setting: an SDK crate of some hundreds of operations for each would cost
//! every build minutes, and where calls are made by the hundred thousand, what an SDK does around each is half of the
//! time.
//!
//! It leaves to others: what a message says, and what an answer means.

mod call;
mod queue;
mod sums;

pub use call::{Call, CallError, Caller};
pub use queue::{LONGEST_DELAY, Queue, QueueError};
pub use sums::Metric;
