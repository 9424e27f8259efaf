//! One look at a table: from wherever the registry says its version stands, as far as it goes.
//!
//! Every step is decided from what the registry and DynamoDB say now, never from what the message says was
//! before. So a message that comes twice, late or out of order, or after whoever handled it was killed, goes
//! on where things stand.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use septet_contract::{Contract, Pattern};
use septet_registry::{
    Announcement, By, DatasetName, Outcome, PromotionState, Readiness, Refusal, Rung, State, TableName,
    VerdictOutcome, Version,
};
use septet_tables::{NotYet, Sealing, TableFacts, TableStatus};
use septet_telemetry::{Dimension, Invocation};
use tracing::{error, warn};

use crate::check::Checked;
use crate::error::Error;
use crate::handler::Handler;
use crate::message::{Cause, Letter};
use crate::queue::{LONGEST_DELAY, Later};
use crate::ready::{self, Sign};
use crate::record::Change;
use crate::summary::{Ending, Step, Summary};

/// Who the function is in the audit log.
pub(crate) const ACTOR: &str = "septet:on-publish";

/// How often a message is put back for a table that is not there, or not ready. Then the sweep goes on, or,
/// for a signal, somebody has to.
const MOST_HOPS: u32 = 6;

/// A table so young may not be known to every part of DynamoDB yet.
const SETTLED: SignedDuration = SignedDuration::from_secs(60);

/// How long a seal is waited for, at most.
const SEAL_PATIENCE: SignedDuration = SignedDuration::from_secs(30);

impl Handler {
    /// Looks at a table.
    pub(crate) async fn look(
        &self,
        table: TableName,
        cause: &Cause,
        letter: &Letter,
        invocation: &Invocation,
    ) -> Result<Summary, Error> {
        let summary = Summary::of(&table);
        Visit { handler: self, invocation, letter, cause, table, summary }.go().await
    }
}

/// A look under way.
pub(crate) struct Visit<'a> {
    pub(crate) handler: &'a Handler,
    pub(crate) invocation: &'a Invocation,
    pub(crate) letter: &'a Letter,
    pub(crate) cause: &'a Cause,
    pub(crate) table: TableName,
    pub(crate) summary: Summary,
}

/// What a step leads to.
pub(crate) enum Next {
    /// The version stands elsewhere now; go on from there.
    Go(Box<Version>),
    /// It ends here, unfinished.
    Stop(Ending, String),
    /// The message is to come back after so long.
    Return(Duration, String),
}

impl Visit<'_> {
    pub(crate) async fn go(mut self) -> Result<Summary, Error> {
        if self.table.as_str() == self.handler.config.registry_table {
            return Ok(Summary::ignored(Some(self.table), "it is the registry itself"));
        }
        let versions = self.known().await?;
        let claimed = match versions.is_empty() {
            true => match self.claimant().await? {
                Some(dataset) => Some(dataset),
                None => return self.unclaimed().await,
            },
            false => None,
        };
        let facts = self.handler.tables.describe(&self.table).await?;
        let settled = self.reconcile(&versions, facts.as_ref()).await?;
        let Some(facts) = facts else { return self.missing(&versions, settled).await };
        if facts.status == TableStatus::Deleting {
            return self.put_back_a_few_times("the table is being deleted".into()).await;
        }
        let version = match versions.into_iter().find(|version| version.table_id == facts.id) {
            Some(version) => version,
            None => {
                let dataset = match claimed {
                    Some(dataset) => dataset,
                    // The name was claimed before by a table that is gone; this one is somebody's by its name.
                    None => match self.claimant().await? {
                        Some(dataset) => dataset,
                        None => return self.unclaimed().await,
                    },
                };
                self.announce(&dataset, &facts).await?
            }
        };
        self.walk(version, facts).await
    }

    /// Goes on from state to state until nothing is left to do, or nothing can be done now.
    pub(crate) async fn walk(mut self, mut version: Version, facts: TableFacts) -> Result<Summary, Error> {
        let mut contract = None;
        // Every state is left for a later one; a bound, in case another party sends a version round.
        for _ in 0..8 {
            self.summary.now(&version);
            if version.state.is_unfinished() && contract.is_none() || self.wants_another_check(&version) {
                contract = Some(self.contract(&version).await?);
            }
            let next = match (version.state, &contract) {
                (State::Announced, Some(contract)) => self.complete(&version, contract, &facts).await?,
                (State::Sealed | State::Checking, Some(contract)) => {
                    self.check(&version, contract, &facts).await?.into()
                }
                (State::Rejected, Some(contract)) if self.wants_another_check(&version) => {
                    self.check(&version, contract, &facts).await?.into()
                }
                (State::Valid, _) if version.promotion_state == Some(PromotionState::Pending) => {
                    Next::Go(Box::new(self.promote(&version, &facts).await?))
                }
                _ => {
                    let reason = how_it_ended(&version);
                    return Ok(self.summary.end(reason));
                }
            };
            match next {
                Next::Go(moved) => version = *moved,
                Next::Stop(ending, reason) => return Ok(self.summary.unfinished(ending, reason)),
                Next::Return(delay, reason) => return self.put_back(delay, reason).await,
            }
        }
        self.put_back(Duration::from_secs(30), "others keep moving the version".into()).await
    }

    /// A check that broke is run again when somebody asks for it after it broke; not for a signal that is older.
    fn wants_another_check(&self, version: &Version) -> bool {
        let broke = version.verdict.as_ref().filter(|verdict| verdict.outcome == VerdictOutcome::Errored);
        version.state == State::Rejected
            && self.cause.signal().is_some()
            && broke.is_some_and(|verdict| verdict.at < self.letter.sent_at)
    }

    /// The versions that tables of this name are or were, as the registry holds them.
    async fn known(&self) -> Result<Vec<Version>, Error> {
        let mut versions = Vec::new();
        for claim in self.handler.registry.claims(&self.table).await? {
            versions.push(self.handler.registry.version(&claim.dataset, claim.version).await?);
        }
        Ok(versions)
    }

    /// The dataset whose pattern claims the table, if exactly one does.
    async fn claimant(&self) -> Result<Option<DatasetName>, Error> {
        let mut datasets = Vec::new();
        let mut unreadable = None;
        for listing in self.handler.registry.datasets().await? {
            match Pattern::parse(&listing.table_pattern) {
                Ok(pattern) if pattern.matches(self.table.as_str()) => datasets.push(listing.dataset),
                Ok(_) => {}
                Err(why) => {
                    let (dataset, pattern) = (listing.dataset, listing.table_pattern);
                    warn!(%dataset, pattern, %why, "the septet.tablePattern of a dataset cannot be read");
                    unreadable = Some(Error::BadPattern { table: self.table.clone(), dataset, pattern });
                }
            }
        }
        match (datasets.len(), unreadable) {
            (0, Some(error)) => Err(error),
            (0 | 1, _) => Ok(datasets.pop()),
            _ => Err(Error::ClaimedBySeveral { table: self.table.clone(), datasets }),
        }
    }

    async fn unclaimed(self) -> Result<Summary, Error> {
        if self.cause.signal().is_some() {
            let listings = self.handler.registry.datasets().await?;
            let patterns: Vec<_> =
                listings.iter().map(|it| format!("{}: {}", it.dataset, it.table_pattern)).collect();
            let patterns = if patterns.is_empty() { "there is none yet".into() } else { patterns.join(", ") };
            return Err(Error::Unclaimed { table: self.table, patterns });
        }
        Ok(Summary::ignored(Some(self.table), "no contract claims it"))
    }

    /// Records which versions lost their table; tells whether all that is known of them is sure.
    ///
    /// A table that is not found a moment after its creation is not gone: DynamoDB may not know it everywhere yet.
    async fn reconcile(&mut self, versions: &[Version], facts: Option<&TableFacts>) -> Result<bool, Error> {
        let mut settled = true;
        for version in versions.iter().filter(|version| version.state.has_table()) {
            match facts {
                Some(facts) if facts.id == version.table_id => continue,
                None if self.handler.clock.now().duration_since(version.announced_at) < SETTLED => {
                    settled = false;
                }
                _ => {
                    self.lose(version).await?;
                }
            }
        }
        Ok(settled)
    }

    /// Records that a version's table is gone.
    pub(crate) async fn lose(&mut self, version: &Version) -> Result<Version, Error> {
        let Version { dataset, version: number, table, .. } = version;
        match self.handler.registry.lose(dataset, *number, &self.by()).await? {
            Outcome::Done(lost) => {
                self.step(Step::Lost, &lost, "VersionsLost");
                Ok(lost)
            }
            Outcome::Already(lost) => {
                self.summary.now(&lost);
                Ok(lost)
            }
            Outcome::Refused(refusal) => {
                if let Refusal::Pointed { by, .. } = &refusal {
                    let pointers: Vec<_> = by.iter().map(ToString::to_string).collect();
                    error!(
                        %dataset, version = number.get(), %table, pointers = pointers.join(", "),
                        "the table of a version that readers are pointed at vanished; roll back at once"
                    );
                    self.count("PointedTablesVanished", dataset);
                }
                self.summary.reason = Some(refusal.to_string());
                let now = self.handler.registry.version(dataset, *number).await?;
                self.summary.now(&now);
                Ok(now)
            }
        }
    }

    /// Ends a look at a table that DynamoDB does not know.
    async fn missing(mut self, versions: &[Version], settled: bool) -> Result<Summary, Error> {
        let expected =
            !matches!(self.cause, Cause::Reminder { .. } | Cause::Record { change: Change::Vanished, .. });
        if self.summary.steps.is_empty() && (expected || !settled) {
            if self.letter.hops < MOST_HOPS {
                let delay = backoff(self.letter.hops);
                return self.put_back(delay, "DynamoDB does not know the table yet".into()).await;
            }
            if self.cause.signal().is_some() {
                return Err(Error::NoSuchTable { table: self.table });
            }
        }
        if versions.is_empty() {
            return Ok(Summary::ignored(Some(self.table), "there is no such table"));
        }
        let reason = self.summary.reason.take().unwrap_or_else(|| "there is no such table any more".into());
        Ok(self.summary.end(Some(reason)))
    }

    async fn announce(&mut self, dataset: &DatasetName, facts: &TableFacts) -> Result<Version, Error> {
        let created_by = match self.cause {
            Cause::Record { who, change: Change::Appeared, .. } => who.as_deref(),
            Cause::Signal(signal) => signal.by.as_deref(),
            _ => None,
        };
        let announcement = Announcement {
            table: facts.name.clone(),
            table_arn: facts.arn.clone(),
            table_id: facts.id.clone(),
            created_by: created_by.unwrap_or("unknown").to_owned(),
            noticed_by: self.cause.describe(),
            patience: self.handler.config.patience,
        };
        match self.handler.registry.announce(dataset, &announcement, &self.by()).await? {
            Outcome::Done(version) => {
                self.step(Step::Announced, &version, "VersionsAnnounced");
                Ok(version)
            }
            Outcome::Already(version) => Ok(version),
            Outcome::Refused(refusal) => Err(self.broken(dataset, refusal)),
        }
    }

    /// Seals the table if it is complete.
    async fn complete(
        &mut self,
        version: &Version,
        contract: &Contract,
        facts: &TableFacts,
    ) -> Result<Next, Error> {
        let status = &facts.status;
        match status {
            TableStatus::Active => {}
            // The sweep reminds of versions that are still loading; a signal is remembered nowhere else.
            _ if self.cause.signal().is_some() && self.handler.clock.now() < version.deadline => {
                return Ok(Next::Return(backoff(self.letter.hops), format!("the table is {status}")));
            }
            _ if self.letter.hops < MOST_HOPS => {
                return Ok(Next::Return(backoff(self.letter.hops), format!("the table is {status}")));
            }
            _ => return Ok(Next::Stop(Ending::Waiting, format!("the table is {status}"))),
        }
        let readiness = match self.readiness(contract, facts).await? {
            Ok(readiness) => readiness,
            Err(missing) => return Ok(Next::Stop(Ending::Waiting, missing)),
        };
        match self.seal(facts).await? {
            Sealed::Anew | Sealed::AsBefore => {}
            Sealed::Gone => return Ok(Next::Go(Box::new(self.lose(version).await?))),
            Sealed::NotYet(delay, reason) => return Ok(Next::Return(delay, reason)),
        }
        let by = By { actor: readiness.by.clone().unwrap_or_else(|| ACTOR.into()), ..self.by() };
        match self.handler.registry.seal(&version.dataset, version.version, &readiness, &by).await? {
            Outcome::Done(sealed) => {
                self.step(Step::Sealed, &sealed, "VersionsSealed");
                Ok(Next::Go(Box::new(sealed)))
            }
            Outcome::Already(sealed) => Ok(Next::Go(Box::new(sealed))),
            // Abandoned, or lost, in the meantime.
            Outcome::Refused(_) => Ok(Next::Go(Box::new(self.reread(version).await?))),
        }
    }

    /// Whether the table is complete, by the surest sign there is; else what is missing.
    async fn readiness(
        &self,
        contract: &Contract,
        facts: &TableFacts,
    ) -> Result<Result<Readiness, String>, Error> {
        let accepted = &contract.settings().readiness;
        let said = self.cause.signal().map(|signal| ready::from_signal(accepted, signal));
        // Whoever says what is in the table is to be held to it.
        if let Some(Sign::Complete(readiness)) = &said
            && (readiness.items.is_some() || readiness.digest.is_some())
        {
            return Ok(Ok(readiness.clone()));
        }
        let mut missing = Vec::new();
        if ready::takes(accepted, Rung::Import) {
            let import = self.handler.tables.import_of(facts).await?;
            match ready::from_import(import.as_ref()) {
                Sign::Complete(readiness) => return Ok(Ok(readiness)),
                Sign::Missing(why) | Sign::NotTaken(why) => {
                    if import.is_some() {
                        missing.push(why);
                    }
                }
            }
        }
        match said {
            Some(Sign::Complete(readiness)) => return Ok(Ok(readiness)),
            Some(Sign::NotTaken(why) | Sign::Missing(why)) => {
                return Err(Error::SignalNotTaken { table: self.table.clone(), why });
            }
            None => {}
        }
        if ready::takes(accepted, Rung::Tag) {
            let tags = self.handler.tables.tags(&facts.arn).await?;
            let by = match self.cause {
                Cause::Record { change: Change::Tagged, who, .. } => who.as_deref(),
                _ => None,
            };
            if let Sign::Complete(readiness) =
                ready::from_tag(tags.get("septet:ready").map(String::as_str), by)
            {
                return Ok(Ok(readiness));
            }
        }
        missing.push(format!("septet.readiness waits for {}", ready::list(accepted)));
        if ready::takes(accepted, Rung::Quiet) {
            // Writes leave no trace that DescribeTable shows, and a guess could seal a table half written.
            missing.push("a quiet time is not measured, send a signal".into());
        }
        Ok(Err(missing.join("; ")))
    }

    /// Seals the table, or proves that it still is.
    pub(crate) async fn seal(&self, facts: &TableFacts) -> Result<Sealed, Error> {
        let left = self.invocation.left(self.handler.clock.now());
        let patience = (left / 2).min(SEAL_PATIENCE).unsigned_abs();
        Ok(match self.handler.tables.seal(facts, patience).await? {
            Sealing::Sealed(seal) if seal.changed => Sealed::Anew,
            Sealing::Sealed(_) => Sealed::AsBefore,
            Sealing::Gone { .. } => Sealed::Gone,
            Sealing::NotYet(why) => {
                let delay = match why {
                    NotYet::PolicyBusy => Duration::from_secs(15),
                    _ => backoff(self.letter.hops),
                };
                Sealed::NotYet(delay, format!("sealing has to wait: {why}"))
            }
        })
    }

    pub(crate) async fn contract(&self, version: &Version) -> Result<Contract, Error> {
        let Version { dataset, contract: number, .. } = version;
        let failed =
            |message: String| Error::Contract { dataset: dataset.clone(), contract: *number, message };
        let stored = self.handler.registry.contract(dataset, *number).await?;
        let stored = stored.ok_or_else(|| failed("the registry does not hold it".into()))?;
        Contract::parse(&stored.document).map_err(|diagnostics| {
            let first = diagnostics.first().map(|it| format!("{}: {}", it.path, it.message));
            failed(first.unwrap_or_else(|| "it is no contract".into()))
        })
    }

    pub(crate) async fn reread(&self, version: &Version) -> Result<Version, Error> {
        Ok(self.handler.registry.version(&version.dataset, version.version).await?)
    }

    /// The function as it acts now.
    pub(crate) fn by(&self) -> By {
        By::new(ACTOR, self.handler.clock.now())
    }

    pub(crate) fn step(&mut self, step: Step, version: &Version, metric: &'static str) {
        self.summary.steps.push(step);
        self.summary.now(version);
        self.count(metric, &version.dataset);
    }

    fn count(&self, metric: &'static str, dataset: &DatasetName) {
        self.handler.count(metric, &[(Dimension::Dataset, dataset.as_str())]);
    }

    pub(crate) fn broken(&self, dataset: &DatasetName, refusal: Refusal) -> Error {
        Error::Refused { dataset: dataset.clone(), table: self.table.clone(), refusal }
    }

    async fn put_back_a_few_times(self, reason: String) -> Result<Summary, Error> {
        let hops = self.letter.hops;
        match hops < MOST_HOPS {
            true => self.put_back(backoff(hops), reason).await,
            false => Ok(self.summary.unfinished(Ending::Waiting, reason)),
        }
    }

    /// Puts the message back onto the queue as it came, so that nothing it says is lost.
    async fn put_back(self, delay: Duration, reason: String) -> Result<Summary, Error> {
        let later = Later {
            body: self.letter.body.clone(),
            hops: self.letter.hops.saturating_add(1),
            sent_at: self.letter.sent_at.as_millisecond(),
            delay: delay.min(LONGEST_DELAY),
        };
        self.handler.queue.put_back(&later).await?;
        let reason = format!("{reason}; again in {} s", later.delay.as_secs());
        Ok(self.summary.unfinished(Ending::Later, reason))
    }
}

/// Whether a table is sealed.
pub(crate) enum Sealed {
    /// Something of it had to be put first, so writes were possible until then.
    Anew,
    /// It was there.
    AsBefore,
    Gone,
    /// Not yet; look again after so long.
    NotYet(Duration, String),
}

impl From<Checked> for Next {
    fn from(checked: Checked) -> Self {
        match checked {
            Checked::Settled(version) => Self::Go(version),
            Checked::Later(delay, reason) => Self::Return(delay, reason),
            Checked::Shared(reason) => Self::Stop(Ending::Waiting, reason),
        }
    }
}

/// 2 s, then twice as long each time, to 5 minutes.
pub(crate) fn backoff(hops: u32) -> Duration {
    Duration::from_secs(2u64.saturating_mul(1 << hops.min(10))).min(Duration::from_secs(300))
}

/// How long until `then`, in whole seconds and a little more.
pub(crate) fn until(then: Timestamp, now: Timestamp) -> Duration {
    then.duration_since(now).max(SignedDuration::ZERO).unsigned_abs() + Duration::from_secs(1)
}

/// Why a version stands where it stands, in one line.
fn how_it_ended(version: &Version) -> Option<String> {
    if let Some(PromotionState::Skipped(why)) = &version.promotion_state {
        return Some(format!("not promoted: {why}"));
    }
    version.reason().map(str::to_owned)
}
