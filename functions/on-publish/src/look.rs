//! One look at a table: from wherever the registry says its version stands, as far as it goes.
//!
//! Every step is decided from what the registry and DynamoDB say now, never from what the message says was
//! before. So a message that comes twice, late or out of order, or after whoever handled it was killed, goes
//! on where things stand.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use septet_contract::{Contract, Pattern};
use septet_registry::{
    Announcement, By, ContractNumber, Dataset, DatasetName, KnownSignal, Outcome, PromotionState, Refusal,
    Signal, State, TableId, TableName, TableReference, VerdictOutcome, Version,
};
use septet_tables::{TableFacts, TableStatus};
use septet_telemetry::{Dimension, Invocation};
use tracing::{error, warn};

use crate::check::Checked;
use crate::error::Error;
use crate::handler::Handler;
use crate::message::{Cause, Letter};
use crate::queue::{LONGEST_DELAY, Later};
use crate::record::Change;
use crate::summary::{Ending, Step, Summary};

/// Who the function is in the audit log.
pub(crate) const ACTOR: &str = "septet:on-publish";

/// How often a message is put back for a table that is not there, or not ready. Then the sweep goes on, or,
/// for a signal, somebody has to.
pub(crate) const MOST_HOPS: u32 = 6;

/// A table so young may not be known to every part of DynamoDB yet.
pub(crate) const SETTLED: SignedDuration = SignedDuration::from_secs(60);

impl Handler {
    /// Looks at a table.
    pub(crate) async fn look(
        &self,
        reference: TableReference,
        cause: &Cause,
        letter: &Letter,
        invocation: &Invocation,
    ) -> Result<Summary, Error> {
        let (table, summary) = (reference.name.clone(), Summary::of(&reference.name));
        Visit { handler: self, invocation, letter, cause, reference, table, signal: None, summary }.go().await
    }
}

/// A look under way.
pub(crate) struct Visit<'a> {
    pub(crate) handler: &'a Handler,
    pub(crate) invocation: &'a Invocation,
    pub(crate) letter: &'a Letter,
    pub(crate) cause: &'a Cause,
    /// The table as the message names it.
    pub(crate) reference: TableReference,
    pub(crate) table: TableName,
    /// The message as a signal for this very table, once that is sure.
    pub(crate) signal: Option<KnownSignal>,
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
        if let Some(facts) = facts.as_ref().filter(|facts| !self.reference.matches(&facts.arn)) {
            let (said, is) = (self.reference.to_string(), facts.arn.clone());
            return match self.cause.signal() {
                Some(_) => Err(Error::ForeignTable { said, is }),
                None => Ok(Summary::ignored(Some(self.table), format!("it speaks of {said}"))),
            };
        }
        let settled = self.reconcile(&versions, facts.as_ref()).await?;
        let Some(facts) = facts else { return self.missing(&versions, settled).await };
        if facts.status == TableStatus::Deleting {
            return match self.cause.signal() {
                Some(_) if self.letter.hops >= MOST_HOPS => Err(Error::NoSuchTable { table: self.table }),
                _ => self.put_back_a_few_times("the table is being deleted".into()).await,
            };
        }
        if let Some(honoured) = self.honoured_before(&versions, &facts) {
            self.summary.now(&honoured);
            return Ok(self.summary.end(Some("an earlier table of that name was sealed by it".into())));
        }
        let version = match versions.into_iter().find(|version| version.table_id == facts.id) {
            Some(version) => {
                let dataset = self.handler.registry.dataset(&version.dataset).await?;
                self.signal = self.signal_for(&facts, &dataset)?;
                version
            }
            None => {
                let dataset = match claimed {
                    Some(dataset) => dataset,
                    // The name was claimed before by a table that is gone; this one is somebody's by its name.
                    None => match self.claimant().await? {
                        Some(dataset) => dataset,
                        None => return self.unclaimed().await,
                    },
                };
                let dataset = self.handler.registry.dataset(&dataset).await?;
                self.signal = self.signal_for(&facts, &dataset)?;
                if self.signal.is_none() && !self.is_young(&dataset, &facts) {
                    let reason = format!(
                        "it is older than the contract of {} that claims it; `septet adopt {}` hands it over",
                        dataset.dataset, self.table
                    );
                    return Ok(Summary::ignored(Some(self.table), reason));
                }
                self.announce(&dataset.dataset, &facts).await?
            }
        };
        self.walk(version, facts).await
    }

    /// Returns true for a table that was created after the contract that claims it.
    pub(crate) fn is_young(&self, dataset: &Dataset, facts: &TableFacts) -> bool {
        let claims = |pattern: &str| Pattern::claims(pattern, self.table.as_str());
        dataset.claims_since(claims).is_some_and(|since| since <= facts.created_at)
    }

    /// The message as a signal for this very table, if it is a signal.
    ///
    /// A statement about a name says nothing about a later table of that name: the signal has the table's id, or was
    /// sent first after the table was created.
    fn signal_for(&self, facts: &TableFacts, dataset: &Dataset) -> Result<Option<KnownSignal>, Error> {
        let Some(signal) = self.cause.signal() else { return Ok(None) };
        let (table, sent_at) = (self.table.clone(), self.letter.sent_at);
        match self.named_id(signal) {
            Some(said) if *said != facts.id => {
                return Err(Error::OtherTable { table, said: said.clone(), is: facts.id.clone() });
            }
            Some(_) => {}
            None if self.letter.is_redriven => return Err(Error::RedrivenWithoutId { table }),
            None if sent_at < facts.created_at => {
                return Err(Error::SignalOlderThanTable { table, sent_at, created_at: facts.created_at });
            }
            None => {}
        }
        if sent_at < dataset.created_at {
            let (dataset, since) = (dataset.dataset.clone(), dataset.created_at);
            return Err(Error::SignalBeforeContract { table, dataset, sent_at, since });
        }
        Ok(Some(KnownSignal {
            items: signal.items,
            digest: signal.digest.clone(),
            by: signal.by.clone(),
            as_of: signal.as_of,
            sent_at,
            adopted: false,
        }))
    }

    /// Id of the table that a signal speaks of, by its field or by the attribute of the message.
    fn named_id<'s>(&'s self, signal: &'s Signal) -> Option<&'s TableId> {
        signal.table_id.as_ref().or(self.letter.table_id.as_ref())
    }

    /// The version that a signal sealed before its table was replaced: a doubled message that comes late.
    fn honoured_before(&self, versions: &[Version], facts: &TableFacts) -> Option<Version> {
        let signal = self.cause.signal()?;
        let said = self.named_id(signal);
        let earlier = versions.iter().filter(|version| version.was_sealed() && version.table_id != facts.id);
        let speaks_of = |version: &&Version| match said {
            Some(said) => version.table_id == *said,
            None => {
                self.letter.sent_at < facts.created_at && version.table_created_at() <= self.letter.sent_at
            }
        };
        earlier.rev().find(speaks_of).cloned()
    }

    /// Goes on from state to state until nothing is left to do, or nothing can be done now.
    pub(crate) async fn walk(mut self, mut version: Version, facts: TableFacts) -> Result<Summary, Error> {
        // Every state is left for a later one; a bound, in case another party sends a version round.
        for _ in 0..8 {
            self.summary.now(&version);
            let next = match version.state {
                State::Announced => self.complete(&version, &facts).await?,
                State::Abandoned | State::Rejected if self.revives(&version) => {
                    self.complete(&version, &facts).await?
                }
                State::Sealed | State::Checking => self.check(&version, &facts).await?.into(),
                State::Rejected if self.wants_another_check(&version) => {
                    self.check(&version, &facts).await?.into()
                }
                State::Valid if version.promotion_state == Some(PromotionState::Pending) => {
                    self.promote(&version, &facts).await?
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

    /// Returns true for a signal that a version which was given up before its seal is complete after all.
    fn revives(&self, version: &Version) -> bool {
        let judged_at = version.verdict.as_ref().map(|verdict| verdict.at);
        let later = |signal: &KnownSignal| judged_at.is_none_or(|at| at < signal.sent_at);
        !version.was_sealed() && self.signal.iter().chain(&version.signal).any(later)
    }

    /// A check that broke is run again when somebody asks for it after it broke; not for a signal that is older.
    fn wants_another_check(&self, version: &Version) -> bool {
        let broke = version.verdict.as_ref().filter(|verdict| verdict.outcome == VerdictOutcome::Errored);
        version.state == State::Rejected
            && version.was_sealed()
            && self.signal.is_some()
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
            created_at: facts.created_at,
            signal: self.signal.clone(),
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

    /// The contract that a version is checked against.
    pub(crate) async fn contract(&self, version: &Version) -> Result<Contract, Error> {
        self.contract_of(&version.dataset, version.contract).await
    }

    pub(crate) async fn contract_of(
        &self,
        dataset: &DatasetName,
        number: ContractNumber,
    ) -> Result<Contract, Error> {
        let failed =
            |message: String| Error::Contract { dataset: dataset.clone(), contract: number, message };
        let stored = self.handler.registry.contract(dataset, number).await?;
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
        Error::Refused { dataset: dataset.clone(), table: self.table.clone(), refusal: refusal.into() }
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
            table_id: self.letter.table_id.clone(),
        };
        self.handler.queue.put_back(&later).await?;
        let reason = format!("{reason}; again in {} s", later.delay.as_secs());
        Ok(self.summary.unfinished(Ending::Later, reason))
    }
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
