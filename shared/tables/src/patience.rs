//! Waiting for DynamoDB, as long as the caller gives it.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Pauses that grow, and an end to them. Time is the runtime's, which tests can pause.
#[derive(Debug)]
pub(crate) struct Patience {
    end: Instant,
    pause: Duration,
}

impl Patience {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(2);

    pub(crate) fn of(length: Duration) -> Self {
        Self { end: Instant::now() + length, pause: Self::FIRST }
    }

    /// Waits a little, or says that the time is up.
    pub(crate) async fn wait(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.end {
            return false;
        }
        // The last look is taken when the time is up, however long the pause would be.
        sleep_until((now + self.pause).min(self.end)).await;
        self.pause = (self.pause * 2).min(Self::LONGEST);
        true
    }
}
