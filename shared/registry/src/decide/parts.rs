//! Who works on a part of a shared check, and how far it is.

use jiff::Timestamp;

use crate::part::{Kept, Part};
use crate::version::Lease;

/// What comes of asking for a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taking {
    /// It may be had: the part as it shall be.
    Free(Part),
    /// It is read to its end.
    Done,
    /// Somebody else works on it.
    Held(Lease),
}

/// What becomes of a part after what was read of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Its worker goes on.
    Hold,
    /// Anybody may go on.
    Release,
    /// Nothing is left to be read.
    Done,
}

/// Takes a part under a lease, if nobody else holds it; counts how often that led to nothing.
pub fn take_part(part: &Part, lease: Lease, now: Timestamp) -> Taking {
    if part.progress.done {
        return Taking::Done;
    }
    if let Some(held) =
        part.progress.lease.as_ref().filter(|held| held.owner != lease.owner && now < held.until)
    {
        return Taking::Held(held.clone());
    }
    let mut taken = part.clone();
    taken.revision += 1;
    taken.progress.lease = Some(lease);
    taken.progress.tries += 1;
    Taking::Free(taken)
}

/// Goes on with a part that the caller holds: what was read is kept, and the next page begins at the cursor.
pub fn keep_part(part: &Part, cursor: Option<String>, kept: Option<Kept>, after: After) -> Part {
    let mut changed = part.clone();
    changed.revision += 1;
    let progress = &mut changed.progress;
    progress.cursor = cursor;
    if kept.is_some() {
        progress.tries = 0;
    }
    progress.kept.extend(kept);
    progress.done = after == After::Done;
    if after != After::Hold {
        progress.lease = None;
    }
    changed
}
