//! A record that no sink took and that comes back from the dead letters.

use std::time::Duration;

use jiff::Timestamp;
use septet_recovery::Feed;
use septet_recovery::ledger::decide::Turn;
use septet_recovery::ledger::{By, Lease, Run, WindowItem};
use septet_recovery::sink::RecordLetter;
use septet_telemetry::Invocation;
use tracing::warn;

use crate::error::Error;
use crate::handler::{ACTOR, Backfill, Ending};
use crate::message::Letter;

/// A message is looked at again no sooner than this.
const SOONEST: Duration = Duration::from_secs(1);

impl Backfill {
    /// Tries a record again, in the sink of its run as the feed names it now. One that is still taken by no sink goes
    /// back to the dead letters with the reason, once however often the message comes.
    pub(crate) async fn redeliver(
        &self,
        record: &RecordLetter,
        letter: &Letter,
        invocation: &Invocation,
    ) -> Result<Ending, Error> {
        let Some(run) = self.ledger.run(&record.feed, record.run).await? else {
            return self.unknown(record, letter).await;
        };
        if run.is_cancelled() {
            return Ok(Ending::Nothing { run: run.run, why: "the run is cancelled" });
        }
        let Some(window) = self.ledger.window(&record.feed, record.run, record.window).await? else {
            return self.unknown(record, letter).await;
        };
        let window = window.value;
        let now = self.clock.now();
        let lease = Lease { owner: format!("{ACTOR}/{}", invocation.id), until: invocation.deadline };
        match self.ledger.take_letter(&run, &window, record, &lease, now).await? {
            Turn::Now => {}
            Turn::Never(why) => return Ok(Ending::Nothing { run: run.run, why }),
            Turn::Later(at) => return self.put_off(letter, at, now).await,
        }
        match self.deliver(&run, &window, record).await? {
            Ok(()) => {
                let by = By { actor: letter.sender.clone(), now: self.clock.now() };
                self.ledger.bring_in(&run, record, &by).await?;
                self.count("RecoveryRecordsInjected", 1);
                Ok(Ending::Injected { run: run.run })
            }
            Err(reason) => {
                let message = record.back(&reason).to_message();
                self.dead_letters.send(&message, Duration::ZERO, &[]).await?;
                self.ledger.give_letter_back(&run, record, self.clock.now()).await?;
                warn!(feed = %run.feed, run = %run.run, window = %window.from, reason, "no sink takes a record, again");
                Ok(Ending::Refused { reason })
            }
        }
    }

    /// Has the sink take a record, or gives the reason why it never will.
    async fn deliver(
        &self,
        run: &Run,
        window: &WindowItem,
        record: &RecordLetter,
    ) -> Result<Result<(), String>, Error> {
        if !record.is_whole() {
            let RecordLetter { record: kept, bytes, .. } = record;
            return Ok(Err(format!(
                "only {} of its {bytes} bytes are kept; `{}` reads its window again",
                kept.len(),
                window.read_again(run)
            )));
        }
        let feed = self.ledger.feed(&run.feed).await?;
        let Some(feed) = feed.and_then(|item| Feed::parse(&item.document).ok()) else {
            return Ok(Err(format!("the feed {} cannot be read; put it again", run.feed)));
        };
        let sink = match self.sink_of(run, &feed) {
            Ok(sink) => sink,
            Err(problem) => return Ok(Err(format!("{problem}; put a corrected feed"))),
        };
        let stamp = record.stamp();
        let delivery = sink.send(&[record.parcel(&stamp)]).await;
        let mut delivery =
            delivery.map_err(|source| Error::Undelivered { feed: feed.name.clone(), source })?;
        Ok(delivery.poison.pop().map_or(Ok(()), |(_, reason)| Err(reason)))
    }

    async fn unknown(&self, record: &RecordLetter, letter: &Letter) -> Result<Ending, Error> {
        let RecordLetter { feed, run, window, .. } = record;
        let reason = format!("the ledger has no run {run} of {feed} that read a window from {window}");
        self.refuse(Some(feed), reason, letter).await
    }

    /// Has the message come again at a time, as a copy: this one may be another's too, who is killed over it.
    async fn put_off(&self, letter: &Letter, at: Timestamp, now: Timestamp) -> Result<Ending, Error> {
        let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default().max(SOONEST);
        self.queue.send(&letter.body, wait, &[]).await?;
        Ok(Ending::Later)
    }
}
