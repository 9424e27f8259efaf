//! The states of a version and the ways between them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a version stands between the night its table appeared and the day the table is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// The table was seen and is loading.
    Announced,
    /// The table is complete and nobody can change it any more.
    Sealed,
    /// Somebody is checking it, under a lease.
    Checking,
    /// It passed: readers may be pointed at it.
    Valid,
    /// It did not pass, or its check broke.
    Rejected,
    /// It was never completed within its deadline.
    Abandoned,
    /// Its table is going to be deleted.
    Retiring,
    /// Its table was deleted by us.
    Deleted,
    /// Its table vanished by other hands.
    Lost,
}

impl State {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 9] = [
        Self::Announced,
        Self::Sealed,
        Self::Checking,
        Self::Valid,
        Self::Rejected,
        Self::Abandoned,
        Self::Retiring,
        Self::Deleted,
        Self::Lost,
    ];

    /// Whether one transition leads from this state to `next`.
    pub fn may_become(self, next: Self) -> bool {
        use State::*;
        matches!(
            (self, next),
            // A table that can never be sealed is rejected as it is.
            (Announced, Sealed | Rejected | Abandoned | Lost)
                | (Sealed, Checking | Lost)
                | (Checking, Valid | Rejected | Lost)
                | (Valid, Retiring | Lost)
                // A check that broke may be run again; the decision asks for an errored verdict.
                // One whose table was never sealed is sealed once its table was mended and signalled again.
                | (Rejected, Sealed | Checking | Retiring | Lost)
                | (Abandoned, Sealed | Rejected | Retiring | Lost)
                | (Retiring, Deleted | Lost)
        )
    }

    /// Whether the version's table should still be there.
    pub fn has_table(self) -> bool {
        !matches!(self, Self::Deleted | Self::Lost)
    }

    /// Whether the version waits for on-publish to take its next step.
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Announced | Self::Sealed | Self::Checking)
    }

    /// The state as the registry stores it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Sealed => "sealed",
            Self::Checking => "checking",
            Self::Valid => "valid",
            Self::Rejected => "rejected",
            Self::Abandoned => "abandoned",
            Self::Retiring => "retiring",
            Self::Deleted => "deleted",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_but_the_first_is_reached_and_the_last_two_are_never_left() {
        for state in State::ALL {
            let reached = State::ALL.iter().any(|from| from.may_become(state));
            let left = State::ALL.iter().any(|to| state.may_become(*to));
            assert_eq!(reached, state != State::Announced, "{state} reached");
            assert_eq!(left, state.has_table(), "{state} left");
        }
    }

    #[test]
    fn only_a_checked_version_becomes_valid() {
        let ways: Vec<_> = State::ALL.iter().filter(|from| from.may_become(State::Valid)).collect();
        assert_eq!(ways, [&State::Checking]);
    }

    #[test]
    fn the_stored_text_is_the_serde_text() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
