//! One part of a shared check, by one invocation at a time: read on, keep what was seen, ask for the rest.
//!
//! Whoever works on a part holds its lease. What is seen is kept together with where the next page begins, under
//! the condition that nobody took the part meanwhile, so each page counts once however often it is read. A message
//! only says which part to look at: doubled ones find the lease, late ones the part or the check over, and for one
//! that was lost the sweep's reminder asks again.

use std::time::Duration;

use septet_checks::{Checker, Profile, Sample};
use septet_contract::Contract;
use septet_registry::decide::After;
use septet_registry::{
    Lease, Part, PartKey, PromotionState, Segment, Sharing, State, TableName, TableReference, Taken, Version,
};
use septet_telemetry::Invocation;
use septet_verdict::{Judged, Seen};

use crate::check::{Asked, Checked};
use crate::course::{Course, Passed, Place};
use crate::error::Error;
use crate::handler::Handler;
use crate::look::Visit;
use crate::message::{Cause, Letter};
use crate::share::end;
use crate::summary::{Ending, Step, Summary};

/// After so many times that a part was taken and nothing was kept, the check gives the verdict `errored`.
const MOST_TRIES: u32 = 5;

/// How an invocation's work on a part ended.
enum Read {
    ToItsEnd,
    /// Time is short.
    Partly,
    /// The table vanished.
    Gone,
    /// Somebody else has it.
    Lost,
}

impl Handler {
    /// Goes on with a part of a shared check.
    pub(crate) async fn read_segment(
        &self,
        table: TableName,
        segment: &Segment,
        letter: &Letter,
        invocation: &Invocation,
    ) -> Result<Summary, Error> {
        let cause = Cause::Reminder { reason: format!("part {} of its check", segment.part) };
        let summary = Summary::of(&table);
        let reference = TableReference { name: table.clone(), arn: None };
        let (handler, cause, signal) = (self, &cause, None);
        let visit = Visit { handler, invocation, letter, cause, reference, table, signal, summary };
        visit.go_on(segment).await
    }
}

impl Visit<'_> {
    async fn go_on(mut self, segment: &Segment) -> Result<Summary, Error> {
        let version = self.handler.registry.find_version(&segment.dataset, segment.version).await?;
        let Some(version) = version.filter(|version| version.table_id == segment.table_id) else {
            return Ok(Summary::ignored(Some(self.table), "there is no such version"));
        };
        self.summary.now(&version);
        let of_message = |sharing: &&Sharing| sharing.id == segment.sharing && segment.part <= sharing.parts;
        let Some(sharing) = version.sharing.as_ref().filter(of_message) else {
            // Whoever gave the verdict may have been killed before it promoted.
            if version.promotion_state == Some(PromotionState::Pending) {
                return self.go().await;
            }
            return Ok(self.summary.end(Some("that check is over".into())));
        };
        let key = PartKey { part: segment.part, ..end(&version, sharing) };
        let lease = Lease { owner: self.invocation.id.clone(), until: self.invocation.deadline };
        let taken = self.handler.registry.take_part(&key, &lease, self.handler.clock.now()).await?;
        let part = match taken {
            Taken::Mine(part) => part,
            // Whoever read the last part may have been killed before it asked for the verdict.
            Taken::Done => return self.gather(&version, sharing).await,
            Taken::Held(_) => return Ok(self.summary.end(Some("somebody works on this part".into()))),
        };
        let contract = self.contract(&version).await?;
        if part.progress.tries > MOST_TRIES {
            let reason = format!(
                "part {} of the check began {MOST_TRIES} times and came no further: something stops it each time; \
                 see the function's log",
                key.part
            );
            let concluded = self.conclude(&version, &contract, &sharing.id, &Judged::errored(reason)).await?;
            return self.after(concluded).await;
        }
        let checker = Checker::new(&contract);
        let seed = format!("{}#{}#{}", version.dataset, version.version, version.table_id);
        let course = Course::new(&seed, sharing.parts, contract.settings().max_scan_units, key.part);
        if key.part == sharing.parts {
            return self.merge(&version, sharing, part, &contract, &checker, course.total()).await;
        }
        match self.read(part, sharing, &course, &checker).await? {
            Read::ToItsEnd => {
                self.step(Step::PartRead, &version, "PartsRead");
                self.gather(&version, sharing).await
            }
            Read::Partly => {
                self.ask(&version, &key, Duration::ZERO).await?;
                Ok(self.summary.unfinished(Ending::Later, "time is short; another invocation goes on"))
            }
            Read::Gone => {
                let gone = self.gone(&version).await?;
                self.after(gone).await
            }
            Read::Lost => Ok(self.summary.end(Some("somebody else works on this part".into()))),
        }
    }

    /// Reads a part from where it was left, keeping what it sees now and then.
    async fn read(
        &self,
        mut part: Part,
        sharing: &Sharing,
        course: &Course,
        checker: &Checker,
    ) -> Result<Read, Error> {
        let mut reader = self.reader(sharing.since);
        let (clock, every) = (&self.handler.clock, self.handler.config.sharing.keep_every);
        let mut place = self.place(&part)?;
        // What was seen since the last time it was kept, and apart from it of a segment that may yet not count.
        let (mut seen, mut open) = (checker.profile(), checker.profile());
        let mut kept_at = clock.now();
        while let Some(segment) = course.segment(&place) {
            let page = match reader.page(segment, place.start.as_ref()).await? {
                Asked::Gone => return Ok(Read::Gone),
                Asked::OutOfTime => {
                    if course.has_ceiling() {
                        place.back();
                    }
                    let kept = self.keep_part(&part, &place, seen, After::Release).await?;
                    return Ok(if kept.is_some() { Read::Partly } else { Read::Lost });
                }
                Asked::Page(page) => page,
            };
            let end = page.observe(checker, if course.has_ceiling() { &mut open } else { &mut seen })?;
            match course.pass(&mut place, end.next, end.read_units) {
                Passed::Page if course.has_ceiling() => continue,
                Passed::Page => {}
                Passed::Segment => seen.merge(std::mem::replace(&mut open, checker.profile())),
                Passed::Ceiling => break,
            }
            if course.segment(&place).is_some() && clock.now().duration_since(kept_at) >= every {
                let seen = std::mem::replace(&mut seen, checker.profile());
                match self.keep_part(&part, &place, seen, After::Hold).await? {
                    Some(kept) => part = kept,
                    None => return Ok(Read::Lost),
                }
                kept_at = clock.now();
            }
        }
        let kept = self.keep_part(&part, &place, seen, After::Done).await?;
        Ok(if kept.is_some() { Read::ToItsEnd } else { Read::Lost })
    }

    /// How far along its course a part is.
    fn place(&self, part: &Part) -> Result<Place, Error> {
        match &part.progress.cursor {
            Some(cursor) => serde_json::from_str(cursor).map_err(|error| self.unreadable("cursor", &error)),
            None => Ok(Place::default()),
        }
    }

    /// Keeps what was seen since the last time, if anything was.
    async fn keep_part(
        &self,
        part: &Part,
        place: &Place,
        seen: Profile,
        after: After,
    ) -> Result<Option<Part>, Error> {
        let moved = *place != self.place(part)? || after == After::Done;
        let cursor = serde_json::to_string(place).map_err(|error| self.unreadable("cursor", &error))?;
        let seen = moved.then(|| serde_json::to_string(&seen)).transpose();
        let seen = seen.map_err(|error| self.unreadable("profile", &error))?;
        let now = self.handler.clock.now();
        Ok(self.handler.registry.keep_part(part, Some(cursor), seen.as_deref(), after, now).await?)
    }

    /// Asks for the verdict if every part is read.
    async fn gather(self, version: &Version, sharing: &Sharing) -> Result<Summary, Error> {
        let end = end(version, sharing);
        let parts = self.handler.registry.parts(&end).await?;
        let done = parts.iter().filter(|part| part.progress.done).count();
        if done == parts.len() {
            self.ask(version, &end, Duration::ZERO).await?;
        }
        Ok(self.summary.end(Some(format!("{done} of {} parts of the table are read", sharing.parts))))
    }

    /// Puts together what the parts saw and gives the verdict.
    async fn merge(
        mut self,
        version: &Version,
        sharing: &Sharing,
        held: Part,
        contract: &Contract,
        checker: &Checker,
        segments: u32,
    ) -> Result<Summary, Error> {
        let registry = &self.handler.registry;
        let parts = registry.parts(&held.key).await?;
        if !parts.iter().all(|part| part.progress.done) {
            let now = self.handler.clock.now();
            registry.keep_part(&held, None, None, After::Release, now).await?;
            return Ok(self.summary.end(Some("not all parts of the table are read".into())));
        }
        let (mut groups, mut dropped, mut units) = (Vec::new(), 0, 0.0);
        for part in &parts {
            let mut profile = checker.profile();
            for seen in registry.seen(part).await? {
                let seen = serde_json::from_str(&seen).map_err(|error| self.unreadable("profile", &error))?;
                profile.merge(seen);
            }
            let place = self.place(part)?;
            dropped += place.dropped;
            units += place.units;
            groups.push((place.read, profile));
        }
        let sample = Sample::new(segments, dropped, units, groups);
        let seen = if sample.is_whole() { Seen::Whole(sample.into_profile()) } else { Seen::Sample(sample) };
        let facts = self.handler.tables.describe(&self.table).await?;
        let checked = match facts.filter(|facts| facts.id == version.table_id) {
            Some(facts) => self.settle(version, contract, &facts, checker, seen, &sharing.id).await?,
            None => self.gone(version).await?,
        };
        self.after(checked).await
    }

    /// Goes on from where a check led to.
    async fn after(self, checked: Checked) -> Result<Summary, Error> {
        let version = match checked {
            Checked::Settled(version) => *version,
            Checked::Later(_, reason) | Checked::Shared(reason) => {
                return Ok(self.summary.unfinished(Ending::Waiting, reason));
            }
        };
        match self.handler.tables.describe(&self.table).await? {
            Some(facts) if facts.id == version.table_id && version.state != State::Checking => {
                self.walk(version, facts).await
            }
            _ => Ok(self.summary.end(version.reason().map(str::to_owned))),
        }
    }

    fn unreadable(&self, what: &str, error: &serde_json::Error) -> Error {
        let message = format!("the {what} of a part cannot be kept or read: {error}");
        Error::Broken { table: self.table.clone(), message }
    }
}
