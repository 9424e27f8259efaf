//! Follows the pointer: polls, adopts what may be served, keeps it, gives signs of life.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use septet_registry::{Clock, Entropy, Heartbeat};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::Current;
use crate::disk::Kept;
use crate::error::{Error, Refusal, chain};
use crate::look::{Look, Lookout, Step};

/// The longest interval that a pointer item can ask for: a slip of the pen must not strand readers.
const MOST_SECONDS: u32 = 3600;
const SHORTEST: Duration = Duration::from_millis(10);
/// How soon a poll that failed is tried again at first; from there it doubles up to the interval.
const AGAIN: Duration = Duration::from_secs(5);
/// How long reads that miss their table leave between two polls of theirs.
const URGENT: SignedDuration = SignedDuration::from_secs(1);
/// Polls in a row that must find an earlier generation before the reader goes back to it. The registry is read strongly,
/// so an earlier generation is there because the registry was restored to an earlier time.
const RESTORED_AFTER: u32 = 3;
/// For how many polls a sign of life holds, and for how long at least.
const BEATS: u32 = 3;
const BEAT_AT_LEAST: Duration = Duration::from_secs(60);

/// Where the last known good version is kept.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) path: PathBuf,
    pub(crate) registry_table: String,
}

/// The state of a reader, shared by its task and its reads.
pub(crate) struct Follower {
    pub(crate) lookout: Lookout,
    pub(crate) reader_id: String,
    pub(crate) poll_every: Option<Duration>,
    pub(crate) shelf: Option<Shelf>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<Entropy>,
    current: watch::Sender<Arc<Current>>,
    poll_seconds: AtomicU32,
    polling: Mutex<Polling>,
}

/// What one poll leaves to the next.
#[derive(Debug, Default)]
struct Polling {
    failures: u32,
    /// What the latest poll failed for, without what differs each time.
    complaint: Option<String>,
    /// When the latest poll for the sake of a read ended.
    urgent: Option<Timestamp>,
    /// Polls in a row that found an earlier generation, or the known one naming another version.
    earlier: u32,
}

/// What a follower begins with.
pub(crate) struct Beginning {
    pub(crate) current: Current,
    pub(crate) poll_seconds: u32,
    /// Whether the registry has yet to be reached.
    pub(crate) from_disk: bool,
}

impl Follower {
    pub(crate) fn new(
        lookout: Lookout,
        reader_id: String,
        poll_every: Option<Duration>,
        shelf: Option<Shelf>,
        (clock, entropy): (Arc<dyn Clock>, Arc<Entropy>),
        beginning: Beginning,
    ) -> Self {
        let polling = Polling { failures: beginning.from_disk.into(), ..Polling::default() };
        Self {
            lookout,
            reader_id,
            poll_every,
            shelf,
            clock,
            entropy,
            current: watch::Sender::new(Arc::new(beginning.current)),
            poll_seconds: beginning.poll_seconds.into(),
            polling: Mutex::new(polling),
        }
    }

    pub(crate) fn current(&self) -> Arc<Current> {
        self.current.borrow().clone()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Current>> {
        self.current.subscribe()
    }

    fn interval(&self) -> Duration {
        interval(self.poll_every, self.poll_seconds.load(Ordering::Relaxed))
    }

    fn pause(&self, failures: u32) -> Duration {
        let longest = longest_pause(self.interval(), failures);
        longest - self.entropy.jitter(longest / 10)
    }

    /// Follows the pointer for as long as it is let.
    pub(crate) async fn run(self: Arc<Self>) -> Infallible {
        let failures = self.polling.lock().await.failures;
        // Readers that started together shall not poll together.
        let mut pause = self.entropy.jitter(self.pause(failures));
        let mut aftermath = Aftermath::new(self.subscribe());
        loop {
            // A registry or a disk that hangs must not put off the next poll.
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                never = aftermath.run(&self) => match never {},
            }
            let mut polling = self.polling.lock().await;
            self.poll(&mut polling).await;
            pause = self.pause(polling.failures);
        }
    }

    /// Polls at once because the table of `gone` is not there, and gives what is to be read instead, if
    /// anything. Reads that come together share a poll, and there is one a second at most.
    pub(crate) async fn poll_instead_of(&self, gone: &Current) -> Option<Arc<Current>> {
        let poll = async {
            let mut polling = self.polling.lock().await;
            let ago = |last: Timestamp| self.clock.now().duration_since(last).abs();
            let lately = polling.urgent.is_some_and(|last| ago(last) < URGENT);
            if self.current().serves_as(gone) && !lately {
                self.poll(&mut polling).await;
                polling.urgent = Some(self.clock.now());
            }
        };
        // The poll under way may be one that hangs.
        let _ = tokio::time::timeout(self.lookout.patience, poll).await;
        let current = self.current();
        (!current.serves_as(gone)).then_some(current)
    }

    async fn poll(&self, polling: &mut Polling) {
        let before = self.current();
        let is_restored = polling.earlier >= RESTORED_AFTER;
        let looked = self.lookout.look(Some(&before), is_restored).await;
        match looked {
            Ok(look) => {
                if polling.failures > 0 {
                    let failures = polling.failures;
                    tracing::info!(dataset = %before.dataset, pointer = %before.pointer, failures, "polls succeed again");
                }
                if is_restored {
                    let (known, found) = (before.generation, look.pointer.generation);
                    tracing::warn!(
                        dataset = %before.dataset, pointer = %before.pointer, known, found,
                        "the registry was restored to an earlier time: following what it says now"
                    );
                }
                (polling.failures, polling.complaint, polling.earlier) = (0, None, 0);
                self.adopt(&before, &look);
            }
            Err(error) => {
                polling.failures = polling.failures.saturating_add(1);
                if let Error::Refused {
                    refusal: Refusal::OlderGeneration { .. } | Refusal::SameGeneration { .. },
                    ..
                } = &error
                {
                    polling.earlier = polling.earlier.saturating_add(1);
                }
                self.complain(polling, &before, &error);
            }
        }
    }

    fn adopt(&self, before: &Current, look: &Look) {
        let Look { pointer, step } = look;
        self.poll_seconds.store(pointer.poll_seconds, Ordering::Relaxed);
        let goes = *step == Step::Go;
        if !goes && pointer.generation == before.generation {
            return;
        }
        let since = if goes { self.clock.now() } else { before.since };
        let after = Current::of(pointer, since);
        if goes {
            tracing::info!(
                dataset = %after.dataset,
                pointer = %after.pointer,
                version = %after.version,
                table = %after.table,
                previous_version = %before.version,
                previous_table = %before.table,
                generation = after.generation,
                moved_by = pointer.moved_by,
                reason = pointer.reason,
                "serving another version"
            );
        }
        self.current.send_replace(Arc::new(after));
    }

    /// Says what a poll failed for: aloud when it is new, quietly when it is the same again.
    fn complain(&self, polling: &mut Polling, at: &Current, error: &Error) {
        let complaint = match error {
            Error::Refused { refusal: Refusal::Unreachable { version, .. }, .. } => {
                format!("unreachable {version}")
            }
            Error::Refused { refusal, .. } => refusal.to_string(),
            error => error.kind().as_str().to_owned(),
        };
        let (dataset, version, kind) = (&at.dataset, at.version, error.kind().as_str());
        if polling.complaint.as_ref() == Some(&complaint) {
            tracing::debug!(%dataset, %version, kind, error = chain(error), "still serving the last known good version");
        } else {
            tracing::warn!(%dataset, %version, kind, error = chain(error), "serving the last known good version");
        }
        polling.complaint = Some(complaint);
    }

    async fn beat(&self) -> Result<(), septet_registry::Error> {
        let current = self.current();
        let now = self.clock.now();
        let holds = (self.interval() * BEATS).max(BEAT_AT_LEAST);
        let heartbeat = Heartbeat {
            dataset: current.dataset.clone(),
            reader: self.reader_id.clone(),
            pointer: current.pointer.clone(),
            version: current.version,
            since: current.since,
            seen_at: now,
            expires_at: now.as_second().saturating_add_unsigned(holds.as_secs()),
        };
        self.lookout.registry.beat(&heartbeat).await
    }
}

/// The time between two polls: as the builder says, else as the pointer item does.
fn interval(poll_every: Option<Duration>, poll_seconds: u32) -> Duration {
    let asked = || Duration::from_secs(poll_seconds.clamp(1, MOST_SECONDS).into());
    poll_every.unwrap_or_else(asked).max(SHORTEST)
}

/// How long to wait for the next poll at most: never longer than the interval, so that whoever moves a
/// pointer knows when every reader has followed.
fn longest_pause(interval: Duration, failures: u32) -> Duration {
    match failures {
        0 => interval,
        _ => interval.min(AGAIN.saturating_mul(2u32.saturating_pow(failures - 1))),
    }
}

/// What follows a poll, beside the wait for the next one; none of it matters for reads.
struct Aftermath {
    changed: watch::Receiver<Arc<Current>>,
    /// The generation that is on disk.
    kept: Option<u64>,
    /// The generation that is being written, one at a time: an older one must not come last.
    writing: Option<JoinHandle<(u64, std::io::Result<()>)>>,
    /// Whether the last write, and the last sign of life, went through.
    keeps: bool,
    beats: bool,
}

impl Aftermath {
    fn new(changed: watch::Receiver<Arc<Current>>) -> Self {
        Self { changed, kept: None, writing: None, keeps: true, beats: true }
    }

    /// After the poll, and again whenever the poll of a read found something new meanwhile.
    async fn run(&mut self, follower: &Follower) -> Infallible {
        loop {
            self.changed.mark_unchanged();
            self.keep(follower).await;
            self.beat(follower).await;
            if self.changed.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    async fn beat(&mut self, follower: &Follower) {
        let beat = follower.beat().await;
        if let Err(error) = &beat
            && self.beats
        {
            let (reader, error) = (&follower.reader_id, chain(error));
            tracing::warn!(reader, error, "the registry takes no sign of life; reads are not affected");
        }
        self.beats = beat.is_ok();
    }

    async fn keep(&mut self, follower: &Follower) {
        let Some(shelf) = &follower.shelf else { return };
        loop {
            if let Some(writing) = &mut self.writing {
                let ended = writing.await;
                self.writing = None;
                let written = match ended {
                    Ok((generation, Ok(()))) => Ok(generation),
                    Ok((_, Err(error))) => Err(error),
                    Err(error) => Err(std::io::Error::other(error)),
                };
                if let Err(error) = &written
                    && self.keeps
                {
                    let path = shelf.path.display();
                    tracing::warn!(%path, %error, "the version could not be kept on disk");
                }
                self.keeps = written.is_ok();
                let Ok(generation) = written else { return };
                self.kept = Some(generation);
            }
            let current = follower.current();
            if self.kept == Some(current.generation) {
                return;
            }
            let seconds = follower.poll_seconds.load(Ordering::Relaxed);
            let kept = Kept::new(&shelf.registry_table, &current, seconds);
            let path = shelf.path.clone();
            self.writing = Some(tokio::spawn(async move { (current.generation, kept.store(path).await) }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_the_builders_or_the_pointers_within_reason() {
        let millis = Duration::from_millis;
        assert_eq!(interval(None, 300), millis(300_000));
        assert_eq!(interval(Some(millis(50)), 300), millis(50));
        assert_eq!(interval(Some(Duration::ZERO), 300), millis(10));
        assert_eq!(interval(None, 0), millis(1000));
        assert_eq!(interval(None, u32::MAX), millis(3_600_000));
    }

    #[test]
    fn a_poll_that_fails_is_tried_again_sooner_at_first_and_never_later_than_the_interval() {
        let seconds = |failures| longest_pause(Duration::from_secs(300), failures).as_secs();
        assert_eq!([0, 1, 2, 3, 6, 7, 8, u32::MAX].map(seconds), [300, 5, 10, 20, 160, 300, 300, 300]);
        assert_eq!(longest_pause(Duration::from_secs(1), 1), Duration::from_secs(1));
    }
}
