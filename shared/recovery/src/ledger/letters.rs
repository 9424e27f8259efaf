//! Records that no sink took, once they come back from the dead letters.
//!
//! A message may come twice, and its handler may be killed. Whoever tries a record holds a lease for it; that it was
//! brought in is one write, of the letter, the window's counts and the log. So a record is counted once, and it is sent
//! again only where a handler was killed between the sink and that write, as a page is, with the same id.

use jiff::{SignedDuration, Timestamp};

use super::decide::{self, Refusal, Turn};
use super::model::letter_key;
use super::*;
use crate::sink::RecordLetter;

/// After how long a message is looked at again that lost a race.
const SOON: SignedDuration = SignedDuration::from_secs(5);
/// Characters of a record's id that go on record.
const SHOWN: usize = 200;

impl Ledger {
    /// Whether `owner` would be given a record to try now.
    pub async fn turn(
        &self,
        run: &Run,
        window: &WindowItem,
        letter: &RecordLetter,
        owner: &str,
        now: Timestamp,
    ) -> Result<Turn, Error> {
        let held = self.get::<LetterItem>(&letter_key(&run.feed, letter)).await?;
        Ok(decide::turn(run, window, held.as_ref().map(|held| &held.value), letter, owner, now))
    }

    /// Gives a record to whoever is to hold the lease, if it is its turn.
    pub async fn take_letter(
        &self,
        run: &Run,
        window: &WindowItem,
        letter: &RecordLetter,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Turn, Error> {
        let key = letter_key(&run.feed, letter);
        let held = self.get::<LetterItem>(&key).await?;
        let item = held.as_ref().map(|held| &held.value);
        let turn = decide::turn(run, window, item, letter, &lease.owner, now);
        if turn != Turn::Now {
            return Ok(turn);
        }
        let lease = Some(lease.clone());
        let next = LetterItem { redrives: letter.redrives, injected: false, lease, updated_at: now };
        let taken = self.swap(key, next, held.as_ref()).await?;
        Ok(taken.map_or(Turn::Later(now + SOON), |_| Turn::Now))
    }

    /// Notes that a record is in the dead letters again, so that the message that brought it does nothing any more.
    pub async fn give_letter_back(
        &self,
        run: &Run,
        letter: &RecordLetter,
        now: Timestamp,
    ) -> Result<(), Error> {
        let key = letter_key(&run.feed, letter);
        let held = self.get::<LetterItem>(&key).await?;
        let redrives = letter.redrives + 1;
        let next = LetterItem { redrives, injected: false, lease: None, updated_at: now };
        self.swap(key, next, held.as_ref()).await.map(drop)
    }

    /// Notes that a sink took a record: its window counts it so, and it is on record.
    pub async fn bring_in(&self, run: &Run, letter: &RecordLetter, by: &By) -> Result<(), Error> {
        let key = letter_key(&run.feed, letter);
        let mut record = self.record(&run.feed, Action::Inject, by);
        record.run = Some(run.run);
        record.window = Some(letter.window);
        let id: String = letter.record_id.chars().take(SHOWN).collect();
        record.reason = Some(format!("record {id}, which no sink took before: {}", letter.reason));
        let settled = self.settled(record, async |_| {
            let held = self.get::<LetterItem>(&key).await?;
            if held.as_ref().is_some_and(|held| held.value.injected) {
                return Ok(Decided::Already(()));
            }
            let Some(window) = self.window(&run.feed, run.run, letter.window).await? else {
                return Ok(Decided::Refuse(Refusal::UnknownRun { feed: run.feed.to_string(), run: run.run }));
            };
            let redrives = letter.redrives + 1;
            let item = LetterItem { redrives, injected: true, lease: None, updated_at: by.now };
            let window_key = window_key(&run.feed, run.run, letter.window);
            let writes = vec![
                write(key.clone(), &item, held.as_ref())?,
                write(window_key, &decide::brought_in(&window.value, by.now), Some(&window))?,
            ];
            Ok(Decided::Write(writes, ()))
        });
        settled.await.map(drop)
    }

    /// Keeps on record that somebody has dead letters of a feed moved back to the recovery queue.
    pub async fn redrive(&self, feed: &FeedName, what: &str, by: &By) -> Result<(), Error> {
        let mut record = self.record(feed, Action::Redrive, by);
        record.reason = Some(what.to_owned());
        self.store.put(&[write(record_key(feed, record.id), &record, None)?]).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reprocess;
    use crate::port::{Parcel, Stamp};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000_000 + seconds).unwrap()
    }

    fn lease(owner: &str, until: i64) -> Lease {
        Lease { owner: owner.into(), until: at(until) }
    }

    /// A run of one window that is done, and a letter of it.
    fn done() -> (Run, WindowItem, RecordLetter) {
        let feed = Feed::parse(crate::feed::EXAMPLE).unwrap();
        let request = RangeRequest {
            feed: feed.name.clone(),
            from: at(0),
            to: at(3600),
            reason: "silent".into(),
            step: None,
            page_size: None,
            rate: None,
            concurrency: None,
            sink: None,
            dry_run: false,
            reprocess: Reprocess::None,
            occasion: None,
        };
        let planned = decide::plan(&feed, &request, &Covered::default(), "ann", at(4000)).unwrap();
        let run = Run { state: RunState::Succeeded, ..planned };
        let window = Window { start: at(0), end: at(3600) };
        let claimed = decide::claim(&run, &feed.incremental, None, 0, window, &lease("w", 4100), at(4000));
        let window = WindowItem { state: WindowState::Done, lease: None, ..claimed.unwrap() };
        let stamp = Stamp { feed: "plays".into(), run: run.run, window: at(0), generation: 1 };
        let parcel = Parcel { body: "{}", id: "9", time: None, stamp: &stamp };
        let letter = RecordLetter::of(&parcel, "odd").unwrap();
        (run, window, letter)
    }

    #[test]
    fn a_record_is_tried_once_by_one_and_only_for_a_run_that_wants_it() {
        let (run, window, letter) = done();
        let held = |redrives, injected, lease| LetterItem { redrives, injected, lease, updated_at: at(5000) };
        let turn = |run: &Run, window: &WindowItem, held: Option<LetterItem>| {
            decide::turn(run, window, held.as_ref(), &letter, "me", at(5000))
        };
        let never = |turn| matches!(turn, Turn::Never(_));
        assert_eq!(turn(&run, &window, None), Turn::Now);
        assert_eq!(turn(&run, &window, Some(held(0, false, None))), Turn::Now);
        assert_eq!(turn(&run, &window, Some(held(0, false, Some(lease("me", 5001))))), Turn::Now);
        assert_eq!(turn(&run, &window, Some(held(0, false, Some(lease("other", 5000))))), Turn::Now);
        let busy = Some(held(0, false, Some(lease("other", 5001))));
        assert_eq!(turn(&run, &window, busy), Turn::Later(at(5001)));
        assert!(never(turn(&run, &window, Some(held(1, false, None)))));
        assert!(never(turn(&run, &window, Some(held(0, true, None)))));
        for state in [RunState::Cancelling, RunState::Cancelled] {
            assert!(never(turn(&Run { state, ..run.clone() }, &window, None)));
        }
        assert!(never(turn(&run, &WindowItem { generation: 2, ..window.clone() }, None)));
        for state in [WindowState::Pending, WindowState::Running] {
            let read = WindowItem { state, ..window.clone() };
            assert!(matches!(turn(&run, &read, None), Turn::Later(_)), "its worker would lose it");
        }
        let again = Run { generation: 2, state: RunState::Running, ..run.clone() };
        let suspect = WindowItem { state: WindowState::Suspect, ..window.clone() };
        assert!(matches!(turn(&again, &suspect, None), Turn::Later(_)), "it is to be read again");
        assert_eq!(turn(&again, &window, None), Turn::Now);
    }

    #[test]
    fn a_window_counts_what_was_brought_in() {
        let (_, mut window, _) = done();
        window.progress.counts.poison = 2;
        window.progress.counts.injected = 5;
        let after = decide::brought_in(&window, at(5000)).progress.counts;
        assert_eq!((after.injected, after.poison, after.rows), (6, 1, 0));
    }

    #[test]
    fn letters_of_different_records_or_generations_are_told_apart() {
        let (run, _, letter) = done();
        let key = |letter: &RecordLetter| letter_key(&run.feed, letter);
        assert_eq!(key(&letter), key(&letter.back("still odd")));
        for other in [
            RecordLetter { record: "[]".into(), ..letter.clone() },
            RecordLetter { record_id: "8".into(), ..letter.clone() },
            RecordLetter { generation: 2, ..letter.clone() },
            RecordLetter { window: at(1), ..letter.clone() },
        ] {
            assert_ne!(key(&letter), key(&other));
        }
    }
}
