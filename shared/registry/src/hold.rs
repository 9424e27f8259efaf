//! Holds of a pointer: what stops automatic promotion.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Hold, HoldId, PointerName, VersionNumber};

/// One hold of a pointer, with its owner.
///
/// A dataset item has the list of the holds of all its pointers. A pointer item has the strictest one in its public
/// field `hold`, for programs that know no list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointerHold {
    /// Names the hold among those of its dataset.
    pub id: HoldId,
    /// The pointer.
    pub pointer: PointerName,
    /// Owner of the hold: the operator that set it.
    #[serde(rename = "owner")]
    pub by: String,
    /// Reason that the owner gave.
    pub reason: String,
    /// Time at which the hold was set.
    pub at: Timestamp,
    /// Time at which the hold ends by itself; without it, only `release` ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Version that the rollback left which set the hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<VersionNumber>,
}

impl PointerHold {
    /// Returns true while the hold stops promotion.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl From<&PointerHold> for Hold {
    fn from(hold: &PointerHold) -> Self {
        Self { by: hold.by.clone(), reason: hold.reason.clone(), until: hold.until }
    }
}

impl std::fmt::Display for PointerHold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "hold {} by {}", self.id, self.by)?;
        match self.until {
            Some(until) => write!(f, " until {until}")?,
            None => f.write_str(" until it is released")?,
        }
        write!(f, ": {}", self.reason)
    }
}

/// Returns the hold that stops promotion longest: one without an end, else the one that ends last.
pub(crate) fn strictest<'a>(holds: impl IntoIterator<Item = &'a PointerHold>) -> Option<Hold> {
    let rank = |hold: &&PointerHold| (hold.until.is_none(), hold.until, std::cmp::Reverse(hold.at));
    holds.into_iter().max_by_key(rank).map(Hold::from)
}
