//! One invocation's facts.

use jiff::{SignedDuration, Timestamp};

/// One invocation of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The request id that Lambda gave it; a retry has another.
    pub id: String,
    /// When it began.
    pub now: Timestamp,
    /// When Lambda stops it.
    pub deadline: Timestamp,
}

impl Invocation {
    /// Takes the facts from the runtime's context.
    pub fn from_context(context: &lambda_runtime::Context, now: Timestamp) -> Self {
        let deadline =
            i64::try_from(context.deadline).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Self { id: context.request_id.clone(), now, deadline: deadline.unwrap_or(Timestamp::MAX) }
    }

    /// How much time is left at `now`; nothing once the deadline is over.
    pub fn left(&self, now: Timestamp) -> SignedDuration {
        self.deadline.duration_since(now).max(SignedDuration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_the_runtimes() {
        let mut context = lambda_runtime::Context::default();
        context.request_id = "r-1".into();
        context.deadline = 1_763_604_610_500;
        let now = Timestamp::from_second(1_763_604_600).unwrap();
        let invocation = Invocation::from_context(&context, now);
        assert_eq!((invocation.id.as_str(), invocation.now), ("r-1", now));
        assert_eq!(invocation.left(now), SignedDuration::from_millis(10_500));
        assert_eq!(invocation.left(Timestamp::from_second(1_763_604_700).unwrap()), SignedDuration::ZERO);
    }

    #[test]
    fn a_deadline_beyond_all_time_is_the_end_of_time() {
        let mut context = lambda_runtime::Context::default();
        context.deadline = u64::MAX;
        assert_eq!(Invocation::from_context(&context, Timestamp::UNIX_EPOCH).deadline, Timestamp::MAX);
    }
}
