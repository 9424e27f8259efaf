//! Ids and jitter from one generator that is passed in.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

/// Where ids and jitter come from; a seed makes them repeat.
#[derive(Debug)]
pub struct Entropy(Mutex<(fastrand::Rng, i64, u16)>);

impl Entropy {
    /// Begins at a seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(Mutex::new((fastrand::Rng::with_seed(seed), i64::MIN, 0)))
    }

    /// Begins somewhere else in every process.
    #[expect(clippy::disallowed_methods, reason = "the one place where a process takes its randomness")]
    pub fn from_system() -> Self {
        Self::from_seed(fastrand::Rng::new().u64(..))
    }

    /// A version 7 UUID (RFC 9562, section 5.7) at `now`, later than every one made here before at that
    /// millisecond: `rand_a` counts.
    pub fn id(&self, now: Timestamp) -> Uuid {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (rng, last, count) = &mut *state;
        let millis = now.as_millisecond().max(0);
        if millis == *last {
            *count = (*count + 1) & 0xfff;
        } else {
            (*last, *count) = (millis, 0);
        }
        let mut random = [0; 10];
        random[..2].copy_from_slice(&count.to_be_bytes());
        random[2..].copy_from_slice(&rng.u64(..).to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis.unsigned_abs(), &random).into_uuid()
    }

    /// Anything from nothing to `most`.
    pub fn jitter(&self, most: Duration) -> Duration {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        most.mul_f64(state.0.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_millisecond_keep_their_order() {
        let entropy = Entropy::from_seed(7);
        let now = Timestamp::from_millisecond(1_763_604_600_000).unwrap();
        let ids: Vec<_> = (0..4000).map(|_| entropy.id(now)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        let later = entropy.id(Timestamp::from_millisecond(1_763_604_600_001).unwrap());
        assert!(ids.iter().all(|id| *id < later));
        assert_eq!(later.get_version_num(), 7);
    }

    #[test]
    fn two_seeds_give_two_ids() {
        let now = Timestamp::UNIX_EPOCH;
        assert_ne!(Entropy::from_seed(1).id(now), Entropy::from_seed(2).id(now));
    }
}
