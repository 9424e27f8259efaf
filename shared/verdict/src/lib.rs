//! What a table is judged by, the same wherever it is judged: by `on-publish` when it is published, by
//! `septet check` before.
//!
//! [`judge`] gives the verdict on a table from its profile, its keys and time to live, what its publisher promised,
//! and the [`history`] of the dataset that the registry holds. [`ask`] lets the publisher's own functions answer the
//! rules of engine `lambda`. The crate promises that nothing that could not be checked passes, and that a function
//! that crashes, hangs or talks nonsense harms no other check. It changes nothing: reading the table, sealing it,
//! and what follows from a verdict are left to others.

mod fitness;
mod functions;
mod history;
mod judge;
mod lambda;

pub use fitness::{expiry, key_problems, missing_indexes};
pub use functions::{Functions, InvokeError, Subject, ask};
pub use history::{PROFILE, document, earlier, history};
pub use judge::{Judged, Seen, judge};
pub use lambda::Lambda;
