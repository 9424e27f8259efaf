//! Brings back what a third party's feed lost.
//!
//! A [`Feed`] says how a third party is asked. A [`RangeRequest`] names a feed and a stretch of time, which a
//! [`Grid`] cuts into windows. The one outcome that must not be is a window called done whose records are not
//! those of the source: where the answers leave a doubt, the window is suspect, and the doubt has a name.
//!
//! Inside, a range is always `[start, end)` in UTC; what an API means by its parameters is translated at the edge.

mod answer;
mod ask;
pub mod budget;
pub mod feed;
pub mod gaps;
mod grid;
pub mod http;
pub mod ledger;
mod message;
mod origin;
mod page;
pub mod port;
mod progress;
mod read;
mod reading;
mod reason;
mod request;
mod scan;
pub mod secrets;
pub mod sink;
mod time;
pub mod verify;
pub mod worker;

pub use answer::{Answer, Meaning, meaning, pause};
pub use ask::{Ask, ask};
pub use feed::{Feed, FeedName};
pub use grid::{Grid, Window};
pub use ledger::Ledger;
pub use message::Message;
pub use page::{Page, PageReader, Row, Unreadable};
pub use progress::{Counts, Next, Progress, SetDigest};
pub use reading::{Reading, Step as ReadingStep, Taken};
pub use reason::{Doubt, Failure};
pub use request::{RangeRequest, Reprocess};
pub use time::{Step, TimeFormat};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
