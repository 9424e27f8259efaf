//! How far the reading of a window got: what a checkpoint keeps, small whatever the window.

use serde::{Deserialize, Serialize};

use crate::reason::Doubt;

/// Where the next request begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// At the window's first page.
    #[default]
    Start,
    /// At this page.
    Page(u64),
    /// After so many rows.
    Offset(u64),
    /// Where this token says, which is JSON text.
    Token(String),
    /// At this URL.
    Link(String),
}

/// An order-free digest of a set of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SetDigest {
    /// How many.
    pub count: u64,
    /// Sum of the halves of the SHA-256 of their ids, as 32 hexadecimal digits.
    #[serde(with = "hexadecimal")]
    pub sum: u128,
}

impl SetDigest {
    /// Adds a record by the hash of its id.
    pub fn add(&mut self, hash: u128) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash);
    }
}

mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(sum: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{sum:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        u128::from_str_radix(&String::deserialize(from)?, 16).map_err(D::Error::custom)
    }
}

/// What was counted of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Pages that were read.
    pub pages: u64,
    /// Rows on them.
    pub rows: u64,
    /// Rows that lie outside the window.
    pub outside: u64,
    /// Rows without an event time that were left out.
    pub timeless: u64,
    /// Records that the sink took.
    pub injected: u64,
    /// Records that the sink can never take.
    pub poison: u64,
    /// Rows that were asked for where the source gives fewer, at most as many as this; 0 if it gives them.
    pub clamped_to: u64,
}

/// How far the reading of a window got.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Where the next request begins.
    pub next: Next,
    /// What was counted, of every reading together.
    pub counts: Counts,
    /// The records that lie in the window, of this reading.
    pub found: SetDigest,
    /// What the reading before found, if this is the second.
    pub before: Option<SetDigest>,
    /// The first doubt.
    pub doubt: Option<Doubt>,
    /// How often the window was begun anew because its cursor was refused.
    pub restarts: u32,
    pub(crate) pages: u64,
    pub(crate) rows: u64,
    pub(crate) total: Option<u64>,
    pub(crate) largest: u64,
    pub(crate) short: bool,
    pub(crate) ragged: bool,
    pub(crate) empties: u32,
    /// Hashes of some rows of the first page, and of the last.
    pub(crate) first: Vec<u64>,
    pub(crate) last: Vec<u64>,
    /// The last row's key, as JSON text, the rows that have it, and whether keys rise.
    pub(crate) edge: Option<String>,
    pub(crate) ties: Vec<u64>,
    pub(crate) rising: Option<bool>,
    /// The latest event time, by which the order of rows is held.
    pub(crate) latest: Option<jiff::Timestamp>,
}

impl Progress {
    /// The window, from its first page; what was counted and doubted is kept.
    pub(crate) fn again(&self) -> Self {
        Self {
            counts: self.counts,
            before: self.before,
            doubt: self.doubt.clone(),
            restarts: self.restarts,
            ..Self::default()
        }
    }
}
