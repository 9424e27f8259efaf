//! How often a feed is asked, by all workers of all runs together, less what the live feed needs.
//!
//! Workers take calls in advance, a few at a time, each from the same item; no call is taken twice, so however
//! many workers there are, the calls lie evenly in time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::feed::Budget;

/// Where the budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// When the next call may be made.
    pub free_at: Timestamp,
    /// Until when the source wants to be left alone.
    pub paused_until: Timestamp,
}

/// Calls that a worker may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The first.
    pub first: Timestamp,
    /// The time between two.
    pub apart: SignedDuration,
    /// How many.
    pub calls: u32,
}

/// Calls per second that recoveries may make of a feed.
pub fn rate(budget: &Budget, set: Option<f64>) -> f64 {
    let most = budget.calls_per_second * (1.0 - budget.reserve);
    set.map_or(most, |set| set.min(most)).max(1e-6)
}

/// Takes calls for about a second, or one; gives the account as it then is.
pub fn reserve(account: Account, rate: f64, workers: u32, now: Timestamp) -> (Account, Grant) {
    let calls = (rate / f64::from(workers.max(1))).clamp(1.0, 100.0) as u32;
    let apart = SignedDuration::try_from_secs_f64(1.0 / rate).unwrap_or(SignedDuration::from_hours(1));
    let first = account.free_at.max(account.paused_until).max(now);
    let free_at = first.checked_add(apart * i32::try_from(calls).unwrap_or(1)).unwrap_or(first);
    (Account { free_at, ..account }, Grant { first, apart, calls })
}

/// Leaves the source alone for so long.
pub fn pause(account: Account, wait: Duration, now: Timestamp) -> Account {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_hours(24));
    let until = now.checked_add(wait).unwrap_or(now);
    Account { paused_until: account.paused_until.max(until), ..account }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(calls_per_second: f64, reserve: f64) -> Budget {
        Budget { calls_per_second, reserve, remaining_header: None, reset_header: None }
    }

    #[test]
    fn the_live_feed_keeps_its_share() {
        assert_eq!(rate(&budget(10.0, 0.2), None), 8.0);
        assert_eq!(rate(&budget(10.0, 0.2), Some(3.0)), 3.0);
        assert_eq!(rate(&budget(10.0, 0.2), Some(9.0)), 8.0);
    }

    #[test]
    fn a_pause_holds_everybody_and_is_never_shortened() {
        let now = Timestamp::from_second(1000).unwrap();
        let account =
            pause(pause(Account::default(), Duration::from_secs(90), now), Duration::from_secs(5), now);
        let (_, grant) = reserve(account, 8.0, 4, now);
        assert_eq!(grant.first, Timestamp::from_second(1090).unwrap());
    }

    proptest! {
        #[test]
        fn calls_never_lie_closer_than_the_rate(
            rate in 0.01_f64..500.0, waits in prop::collection::vec(0_i64..3000, 1..40), workers in 1_u32..40,
        ) {
            let (mut account, mut now) = (Account::default(), Timestamp::from_second(1000).unwrap());
            let mut calls = Vec::new();
            for wait in waits {
                now += SignedDuration::from_millis(wait);
                let (next, grant) = reserve(account, rate, workers, now);
                prop_assert!(grant.first >= now);
                calls.extend((0..grant.calls).map(|n| grant.first + grant.apart * n as i32));
                account = next;
            }
            for pair in calls.windows(2) {
                prop_assert!((pair[1].duration_since(pair[0])).as_secs_f64() >= 1.0 / rate - 1e-6);
            }
        }
    }
}
