//! The check of a sealed table: scan, profile, verdict.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use septet_checks::{Checker, Profile};
use septet_contract::Contract;
use septet_registry::{
    Conclusion, Lease, Outcome, Promotion, Refusal, State, Verdict, VerdictOutcome, Version,
};
use septet_tables::{Consistency, Error as TablesError, Key, Page, Segment, TableFacts, Tables};
use septet_telemetry::Clock;
use septet_verdict::{Judged, PROFILE, Seen, Subject};
use tokio::task::JoinSet;
use tracing::info;

use crate::complete::Sealed;
use crate::error::Error;
use crate::look::{Visit, until};
use crate::summary::Step;

/// How many parts of a table are read at the same time.
const SEGMENTS: u32 = 4;

/// After so many attempts without a verdict the next one is not made: it gives the verdict `errored`.
const MOST_ATTEMPTS: u32 = 5;

/// Documents written at the same time.
const DOCUMENTS_AT_ONCE: usize = 8;

/// How long a seal was in force before the scan trusts every copy of the data to have the last write.
///
/// DynamoDB answers strong reads from the copy that took all writes, eventual ones, at half the price, from any
/// copy. Once no write can come any more the copies are alike as soon as the last one has arrived everywhere:
/// usually within a second, says AWS, which gives no bound. Until then each page is read strongly.
const SETTLED: SignedDuration = SignedDuration::from_secs(15);

/// What came of a check.
pub(crate) enum Checked {
    /// The version stands where it says now.
    Settled(Box<Version>),
    /// It could not be done now; look again after so long.
    Later(Duration, String),
    /// Others go on with it, and this is how far it is.
    Shared(String),
}

/// How a scan ended.
enum Scan {
    Whole(Box<Profile>),
    /// The invocation ends before the table does.
    OutOfTime,
    /// The table vanished.
    Gone,
}

impl Visit<'_> {
    /// Checks a version under a lease, or takes over from whoever did not come to an end.
    ///
    /// The lease ends with the invocation, so that a dead one stands in nobody's way for long.
    pub(crate) async fn check(&mut self, version: &Version, facts: &TableFacts) -> Result<Checked, Error> {
        if version.state == State::Checking
            && let Some(sharing) = &version.sharing
        {
            return self.remind(version, sharing).await;
        }
        let contract = &self.contract(version).await?;
        let registry = &self.handler.registry;
        let lease = Lease { owner: self.invocation.id.clone(), until: self.invocation.deadline };
        let begun = match registry.begin_check(&version.dataset, version.version, &lease, &self.by()).await? {
            Outcome::Done(begun) => {
                self.step(Step::CheckBegun, &begun, "ChecksBegun");
                begun
            }
            Outcome::Already(begun) => begun,
            Outcome::Refused(Refusal::Leased { owner, until: ends, .. }) => {
                let delay = until(ends, self.handler.clock.now());
                return Ok(Checked::Later(delay, format!("{owner} is checking it until {ends}")));
            }
            // Another invocation was faster.
            Outcome::Refused(_) => return Ok(Checked::Settled(Box::new(self.reread(version).await?))),
        };
        if begun.attempts % (MOST_ATTEMPTS + 1) == 0 {
            let reason = format!(
                "the check began {MOST_ATTEMPTS} times and never came to an end: something stops it each time; \
                 see the function's log"
            );
            let owner = &self.invocation.id;
            return self.conclude(&begun, contract, owner, &Judged::errored(reason)).await;
        }
        // Whatever happened since it was sealed: what is checked is what will be served.
        let sealed_since = match self.seal(&begun, facts).await? {
            // Writes were possible until now.
            Sealed::Anew => self.handler.clock.now(),
            Sealed::AsBefore => begun.entered_at,
            Sealed::Gone => return Ok(Checked::Settled(Box::new(self.lose(&begun).await?))),
            Sealed::Never(why) => {
                let reason = format!("the table cannot be sealed any more: {}", why.join("; "));
                let owner = &self.invocation.id;
                return self.conclude(&begun, contract, owner, &Judged::errored(reason)).await;
            }
            Sealed::NotYet(delay, reason) => {
                let delay = delay.max(until(self.invocation.deadline, self.handler.clock.now()));
                return Ok(Checked::Later(delay, reason));
            }
        };
        let ceiling = contract.settings().max_scan_units;
        let items = begun.readiness.as_ref().and_then(|it| it.items);
        if ceiling.is_some() || items >= Some(self.handler.config.sharing.from_items) {
            return self.share(&begun, ceiling).await;
        }
        let checker = Arc::new(Checker::new(contract));
        let profile = match self.scan(&checker, sealed_since).await? {
            Scan::Whole(profile) => *profile,
            Scan::Gone => return self.gone(&begun).await,
            Scan::OutOfTime => return self.share(&begun, ceiling).await,
        };
        let owner = &self.invocation.id;
        self.settle(&begun, contract, facts, &checker, Seen::Whole(profile), owner).await
    }

    /// Judges what was seen of a table, keeps it and ends the check, as this owner of it.
    pub(crate) async fn settle(
        &mut self,
        begun: &Version,
        contract: &Contract,
        facts: &TableFacts,
        checker: &Checker,
        seen: Seen,
        owner: &str,
    ) -> Result<Checked, Error> {
        let ttl = match self.handler.tables.ttl(&self.table).await {
            Err(TablesError::NotFound { .. }) => return self.gone(begun).await,
            ttl => ttl?,
        };
        // The scan went by name: it must have been this table to its end.
        match self.handler.tables.describe(&self.table).await? {
            Some(now) if now.id == begun.table_id => {}
            _ => return self.gone(begun).await,
        }
        // Whichever invocation judges a shared check, it does so as of the same time.
        let now = begun.sharing.as_ref().map_or_else(|| self.handler.clock.now(), |sharing| sharing.since);
        let (registry, appeared) = (&self.handler.registry, begun.announced_at);
        let (dataset, number) = (&begun.dataset, Some(begun.version));
        let mut history = septet_verdict::history(registry, dataset, number, appeared, now, checker).await?;
        let table = Some((&self.table, facts.arn.as_str()));
        let subject = Subject { contract, version: number, table, seen: &seen };
        let (functions, now) = (self.handler.functions.as_ref(), self.handler.clock.now());
        let left = stop_at(self.invocation.now, self.invocation.deadline).duration_since(now);
        let left = left.max(SignedDuration::ZERO).unsigned_abs();
        history.answers = septet_verdict::ask(functions, checker, subject, now, left).await;
        let readiness = begun.readiness.as_ref();
        let judged = septet_verdict::judge(checker, &seen, &history, facts, &ttl, readiness);
        self.keep(begun, seen, &judged).await?;
        self.conclude(begun, contract, owner, &judged).await
    }

    /// Ends the check of a table that vanished.
    pub(crate) async fn gone(&mut self, version: &Version) -> Result<Checked, Error> {
        match self.handler.tables.describe(&self.table).await? {
            Some(facts) if facts.id == version.table_id => {
                Err(Error::Broken { table: self.table.clone(), message: "it vanished and is back".into() })
            }
            _ => Ok(Checked::Settled(Box::new(self.lose(version).await?))),
        }
    }

    async fn scan(&self, checker: &Arc<Checker>, sealed_since: Timestamp) -> Result<Scan, Error> {
        let mut segments = JoinSet::new();
        for index in 0..SEGMENTS {
            let segment = Segment { index, total: SEGMENTS };
            segments.spawn(self.reader(sealed_since).read(segment, checker.clone()));
        }
        let mut whole = checker.profile();
        while let Some(ended) = segments.join_next().await {
            let part = ended.map_err(|error| Error::Broken {
                table: self.table.clone(),
                message: format!("a part of the scan stopped: {error}"),
            })?;
            // The others are stopped when the set is dropped.
            match part? {
                Scan::Whole(part) => whole.merge(*part),
                other => return Ok(other),
            }
        }
        Ok(Scan::Whole(Box::new(whole)))
    }

    /// Reads the table, which was sealed then, until this invocation is about to end.
    pub(crate) fn reader(&self, sealed_since: Timestamp) -> Reader {
        Reader {
            tables: self.handler.tables.clone(),
            clock: self.handler.clock.clone(),
            stop_at: stop_at(self.invocation.now, self.invocation.deadline),
            deadline: self.invocation.deadline,
            settled_at: sealed_since + SETTLED,
            slowest: SignedDuration::ZERO,
            table: self.table.clone(),
        }
    }

    /// Keeps the profile and every answer, for people and for later versions.
    async fn keep(&self, version: &Version, seen: Seen, judged: &Judged) -> Result<(), Error> {
        let mut documents = vec![(PROFILE.to_owned(), septet_verdict::document(seen))];
        for (at, result) in judged.results.iter().enumerate() {
            let id: String = result.id.chars().take(200).collect();
            let document = serde_json::to_value(result).map_err(|error| Error::Broken {
                table: self.table.clone(),
                message: format!("the answer of {} cannot be kept: {error}", result.id),
            })?;
            documents.push((format!("CHECK#{at:04}#{id}"), document));
        }
        let (registry, dataset, number) = (&self.handler.registry, &version.dataset, version.version);
        let mut puts = futures::stream::iter(&documents)
            .map(|(name, document)| registry.put_document(dataset, number, name, document))
            .buffer_unordered(DOCUMENTS_AT_ONCE);
        while let Some(put) = puts.next().await {
            put?;
        }
        Ok(())
    }

    pub(crate) async fn conclude(
        &mut self,
        version: &Version,
        contract: &Contract,
        owner: &str,
        judged: &Judged,
    ) -> Result<Checked, Error> {
        let by = self.by();
        let conclusion = Conclusion {
            verdict: Verdict {
                outcome: judged.outcome,
                reasons: judged.reasons.clone(),
                warnings: judged.warnings.clone(),
                at: by.now,
            },
            counts: judged.counts.clone(),
            digest: judged.digest.clone(),
            promotion: match contract.settings().promotion {
                septet_contract::Promotion::Auto => Promotion::Auto,
                septet_contract::Promotion::Manual => Promotion::Manual,
            },
        };
        let registry = &self.handler.registry;
        let concluded = registry.conclude(&version.dataset, version.version, owner, &conclusion, &by).await?;
        Ok(Checked::Settled(Box::new(match concluded {
            Outcome::Done(version) => {
                let passed = judged.outcome == VerdictOutcome::Passed;
                let (step, metric) = match passed {
                    true => (Step::Passed, "VersionsValid"),
                    false => (Step::Rejected, "VersionsRejected"),
                };
                info!(
                    dataset = %version.dataset, version = version.version.get(), table = %self.table,
                    verdict = judged.outcome.as_str(), reason = judged.reasons.first(), "the check is over"
                );
                self.step(step, &version, metric);
                version
            }
            Outcome::Already(version) => version,
            // Another invocation took over, or was faster: the verdict is its.
            Outcome::Refused(_) => self.reread(version).await?,
        })))
    }
}

/// Reads pages of a table.
pub(crate) struct Reader {
    tables: Tables,
    clock: Arc<dyn Clock>,
    stop_at: Timestamp,
    deadline: Timestamp,
    /// From when on reads need not be strong.
    settled_at: Timestamp,
    slowest: SignedDuration,
    table: septet_registry::TableName,
}

/// What comes of asking for a page.
pub(crate) enum Asked {
    Page(Page),
    /// The invocation ends before it would come.
    OutOfTime,
    /// The table vanished.
    Gone,
}

impl Reader {
    async fn read(mut self, segment: Segment, checker: Arc<Checker>) -> Result<Scan, TablesError> {
        let mut profile = checker.profile();
        let mut start = None;
        loop {
            let page = match self.page(segment, start.as_ref()).await? {
                Asked::Page(page) => page,
                Asked::OutOfTime => return Ok(Scan::OutOfTime),
                Asked::Gone => return Ok(Scan::Gone),
            };
            start = page.observe(&checker, &mut profile)?.next;
            if start.is_none() {
                return Ok(Scan::Whole(Box::new(profile)));
            }
        }
    }

    /// Reads the page of a segment that begins at a key, or the first one.
    pub(crate) async fn page(&mut self, segment: Segment, start: Option<&Key>) -> Result<Asked, TablesError> {
        let began = self.clock.now();
        if began + self.slowest * 2 >= self.stop_at {
            return Ok(Asked::OutOfTime);
        }
        // A call that hangs must not take the whole invocation with it.
        let left = self.deadline.duration_since(began).unsigned_abs();
        let consistency = if began < self.settled_at { Consistency::Strong } else { Consistency::Eventual };
        let page = self.tables.scan_page(&self.table, segment, start, consistency);
        let page = match tokio::time::timeout(left.mul_f64(0.9), page).await {
            Ok(Ok(page)) => page,
            Ok(Err(TablesError::NotFound { .. })) => return Ok(Asked::Gone),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Ok(Asked::OutOfTime),
        };
        self.slowest = self.slowest.max(self.clock.now().duration_since(began));
        Ok(Asked::Page(page))
    }
}

/// When a scan stops, so that there is time for what comes after it.
fn stop_at(now: Timestamp, deadline: Timestamp) -> Timestamp {
    let length = deadline.duration_since(now).max(SignedDuration::ZERO);
    let margin = (length / 10).clamp(SignedDuration::from_secs(1), SignedDuration::from_secs(10));
    deadline.checked_sub(margin).unwrap_or(now)
}
