//! From an announced table to a sealed one: consent, completeness, features, seal.
//!
//! A matching name hands no table over. A table is sealed by a signal that names it and was sent after the dataset's
//! first contract, or by an operator's adoption; a table that is younger than the contract also by a finished import, a
//! ready tag or a measured quiet period. A table whose features make a promise impossible is rejected as it is.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use septet_checks::Checker;
use septet_contract::{Contract, Rung as Accepted};
use septet_registry::{
    By, Dataset, DatasetOrder, KnownSignal, Outcome, Readiness, Rung, SealFacts, Verdict, VerdictOutcome,
    Version,
};
use septet_tables::{NotYet, SealMark, Sealing, TableFacts, TableStatus, TtlState};
use septet_verdict::{expiry, key_problems, missing_indexes};

use crate::error::Error;
use crate::look::{ACTOR, MOST_HOPS, Next, SETTLED, Visit, backoff};
use crate::message::Cause;
use crate::ready::{self, Sign};
use crate::record::Change;
use crate::summary::{Ending, Step};

/// How long a seal is waited for, at most.
const SEAL_PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// Result of an attempt to seal a table.
pub(crate) enum Sealed {
    /// Something of it had to be put first, so writes were possible until then.
    Anew,
    /// It was there.
    AsBefore,
    Gone,
    /// Not yet; look again after so long.
    NotYet(Duration, String),
    /// The table cannot be sealed as it is.
    Never(Vec<String>),
}

/// Result of the search for a sign that a table is complete.
enum Found {
    Complete(Readiness),
    /// No sign yet; the reason is specific to this table if it says more than the contract.
    Missing {
        reason: String,
        specific: bool,
    },
}

impl Visit<'_> {
    /// Seals the table if it was handed over and is complete.
    ///
    /// A signal whose table cannot be sealed now is put on record first, so that a sweep can finish what it began.
    pub(crate) async fn complete(&mut self, version: &Version, facts: &TableFacts) -> Result<Next, Error> {
        let next = self.try_to_complete(version, facts).await;
        let lasts = match &next {
            Ok(Next::Go(_)) => false,
            Ok(Next::Stop(..) | Next::Return(..)) => true,
            Err(error) => error.is_retryable(),
        };
        if let Some(signal) = self.signal.as_ref().filter(|_| lasts) {
            let (dataset, number) = (&version.dataset, version.version);
            match self.handler.registry.record_signal(dataset, number, signal, &self.by()).await? {
                Outcome::Done(_) | Outcome::Already(_) => {}
                Outcome::Refused(refusal) => return Err(self.broken(dataset, refusal)),
            }
        }
        next
    }

    async fn try_to_complete(&mut self, version: &Version, facts: &TableFacts) -> Result<Next, Error> {
        if let Some(mark) = &version.discard {
            let (by, reason) = (mark.by.clone(), mark.reason.clone());
            match self.cause.signal() {
                Some(_) => return Err(Error::Discarded { table: self.table.clone(), by, reason }),
                None => return Ok(Next::Stop(Ending::Waiting, format!("discarded by {by}: {reason}"))),
            }
        }
        match &facts.status {
            TableStatus::Active => {}
            status => {
                let refused = facts.features.refused.iter().find(|why| why.starts_with("TableStatus"));
                let why = refused.cloned().unwrap_or_else(|| format!("the table is {status}"));
                return Ok(match self.letter.hops < MOST_HOPS {
                    true => Next::Return(backoff(self.letter.hops), why),
                    false => Next::Stop(Ending::Waiting, why),
                });
            }
        }
        let dataset = self.handler.registry.dataset(&version.dataset).await?;
        let contract = self.contract_of(&version.dataset, dataset.contract).await?;
        let readiness = match self.readiness(&dataset, &contract, version, facts).await? {
            Found::Complete(readiness) => readiness,
            Found::Missing { reason, specific } => {
                if specific {
                    let (dataset, number) = (&version.dataset, version.version);
                    let _ = self.handler.registry.wait(dataset, number, &reason, &self.by()).await?;
                }
                return Ok(Next::Stop(Ending::Waiting, reason));
            }
        };
        let unfit = self.unfit(&contract, facts).await?;
        if !unfit.is_empty() {
            return self.reject_unsealed(version, unfit).await;
        }
        let version = &self.with_protection(version, facts).await?;
        match self.seal(version, facts).await? {
            Sealed::Anew | Sealed::AsBefore => {}
            Sealed::Gone => return Ok(Next::Go(Box::new(self.lose(version).await?))),
            Sealed::NotYet(delay, reason) => return Ok(Next::Return(delay, reason)),
            Sealed::Never(why) => return self.reject_unsealed(version, why).await,
        }
        let by = By { actor: readiness.by.clone().unwrap_or_else(|| ACTOR.into()), ..self.by() };
        let as_of = self.signal.as_ref().or(version.signal.as_ref()).and_then(|signal| signal.as_of);
        let sealed = SealFacts {
            readiness,
            as_of,
            offers: serde_json::to_value(facts.offers()).ok(),
            created_at: Some(facts.created_at),
        };
        match self.handler.registry.seal(&version.dataset, version.version, &sealed, &by).await? {
            Outcome::Done(sealed) => {
                self.step(Step::Sealed, &sealed, "VersionsSealed");
                Ok(Next::Go(Box::new(sealed)))
            }
            Outcome::Already(sealed) => Ok(Next::Go(Box::new(sealed))),
            // Discarded, or lost, in the meantime.
            Outcome::Refused(_) => Ok(Next::Go(Box::new(self.reread(version).await?))),
        }
    }

    /// Finds the surest sign that the table is complete.
    async fn readiness(
        &self,
        dataset: &Dataset,
        contract: &Contract,
        version: &Version,
        facts: &TableFacts,
    ) -> Result<Found, Error> {
        let accepted = &contract.settings().readiness;
        let says_what = |signal: &KnownSignal| signal.items.is_some() || signal.digest.is_some();
        // An adoption counts whatever the contract takes; only a message that says what is in the table says more.
        let adopted = version.signal.as_ref().filter(|known| known.adopted);
        let adopted = adopted.filter(|_| !self.signal.as_ref().is_some_and(says_what));
        let signal = adopted.or(self.signal.as_ref()).or(version.signal.as_ref());
        let said = signal.map(|signal| sign_of(dataset, accepted, signal));
        // A publisher that says what is in the table is held to it.
        if let Some(Sign::Complete(readiness)) = &said
            && (readiness.items.is_some() || readiness.digest.is_some())
        {
            return Ok(Found::Complete(readiness.clone()));
        }
        let is_young = self.is_young(dataset, facts);
        // Only a signal says what time the data stands for.
        let may_go_without = is_young && dataset.settings.order == DatasetOrder::Created;
        let mut missing = Vec::new();
        if ready::takes(accepted, Rung::Import) && (may_go_without || said.is_some()) {
            let import = self.handler.tables.import_of(facts).await?;
            match ready::from_import(import.as_ref()) {
                Sign::Complete(readiness) => return Ok(Found::Complete(readiness)),
                Sign::Missing(why) | Sign::NotTaken(why) => missing.extend(import.is_some().then_some(why)),
            }
        }
        match said {
            Some(Sign::Complete(readiness)) => return Ok(Found::Complete(readiness)),
            Some(Sign::NotTaken(why) | Sign::Missing(why)) => {
                return Err(Error::SignalNotTaken { table: self.table.clone(), why });
            }
            None => {}
        }
        if !is_young {
            let reason = format!(
                "the table is older than the contract that claims it: `septet adopt {}` hands it over",
                self.table
            );
            return Ok(Found::Missing { reason, specific: true });
        }
        if may_go_without && ready::takes(accepted, Rung::Tag) {
            match self.tag(version, facts).await? {
                Sign::Complete(readiness) => return Ok(Found::Complete(readiness)),
                Sign::Missing(why) => missing.push(why),
                Sign::NotTaken(_) => {}
            }
        }
        if may_go_without && let Some(minutes) = quiet_minutes(accepted) {
            let (handler, now) = (self.handler, self.handler.clock.now());
            match ready::from_quiet(handler.capacity.as_ref(), &handler.tables, facts, minutes, now).await? {
                Sign::Complete(readiness) => return Ok(Found::Complete(readiness)),
                Sign::Missing(why) => missing.push(why),
                Sign::NotTaken(_) => {}
            }
        }
        let specific = !missing.is_empty();
        missing.push(format!("septet.readiness waits for {}", ready::list(accepted)));
        Ok(Found::Missing { reason: missing.join("; "), specific })
    }

    /// Reads the tag `septet:ready`, and remembers a settled table that has none.
    async fn tag(&self, version: &Version, facts: &TableFacts) -> Result<Sign, Error> {
        let tags = self.handler.tables.tags(&facts.arn).await?;
        let tag = tags.get("septet:ready").map(String::as_str);
        // A record speaks of the table that had the name then; CloudTrail tells whole seconds.
        let after_creation = |at: Timestamp| at.as_second() >= facts.created_at.as_second();
        let (is_new, by) = match self.cause {
            Cause::Record { change: Change::Tagged, who, at, .. } => {
                (at.is_some_and(after_creation), who.as_deref())
            }
            _ => (false, None),
        };
        let settled = self.handler.clock.now().duration_since(facts.created_at) >= SETTLED;
        if tag.is_none() && settled && version.untagged_at.is_none() {
            let (dataset, number) = (&version.dataset, version.version);
            let _ = self.handler.registry.see_untagged(dataset, number, &self.by()).await?;
        }
        Ok(ready::from_tag(tag, &facts.id, is_new || version.untagged_at.is_some(), by))
    }

    /// Returns why the table must not be sealed: features, expiring items, other keys than the contract's.
    async fn unfit(&self, contract: &Contract, facts: &TableFacts) -> Result<Vec<String>, Error> {
        let mut unfit = key_problems(&Checker::new(contract), facts);
        unfit.extend(facts.features.refused.iter().cloned());
        unfit.extend(
            missing_indexes(contract, facts).map(|missing| format!("{missing}; create tables with it")),
        );
        let ttl = match self.handler.tables.ttl(&self.table).await {
            // It vanished; sealing says so.
            Err(septet_tables::Error::NotFound { .. }) => TtlState::Off,
            ttl => ttl?,
        };
        let expiry = expiry(&ttl);
        unfit.extend(expiry.map(|expiry| format!("{expiry}; switch it off, or create the table without it")));
        Ok(unfit)
    }

    async fn reject_unsealed(&mut self, version: &Version, why: Vec<String>) -> Result<Next, Error> {
        let by = self.by();
        let verdict = Verdict {
            outcome: VerdictOutcome::Failed,
            reasons: why.into_iter().map(|why| format!("not sealed: {why}")).collect(),
            warnings: Vec::new(),
            at: by.now,
        };
        let (dataset, number) = (&version.dataset, version.version);
        Ok(Next::Go(Box::new(
            match self.handler.registry.reject_unsealed(dataset, number, &verdict, &by).await? {
                Outcome::Done(rejected) => {
                    self.step(Step::Rejected, &rejected, "VersionsRejected");
                    rejected
                }
                Outcome::Already(rejected) => rejected,
                Outcome::Refused(_) => self.reread(version).await?,
            },
        )))
    }

    /// Records that deletion protection was on before the first attempt to seal.
    async fn with_protection(&self, version: &Version, facts: &TableFacts) -> Result<Version, Error> {
        if !facts.deletion_protected || version.owner_protected {
            return Ok(version.clone());
        }
        // Once the policy carries a seal, whoever put it may have switched the protection on.
        match self.handler.tables.seal_mark(facts).await? {
            SealMark::Nothing | SealMark::Unclear => {}
            SealMark::Id(_) | SealMark::WithoutId { .. } => return Ok(version.clone()),
        }
        let (dataset, number) = (&version.dataset, version.version);
        let seen = self.handler.registry.see_protection(dataset, number, &self.by()).await?;
        seen.into_result().map_err(|refusal| self.broken(dataset, refusal))
    }

    /// Seals the table, or proves that it still is.
    pub(crate) async fn seal(&self, version: &Version, facts: &TableFacts) -> Result<Sealed, Error> {
        let id = match &version.seal_id {
            Some(id) => id.clone(),
            None => {
                let (dataset, number) = (&version.dataset, version.version);
                let named = self.handler.registry.name_seal(dataset, number, &self.by()).await?;
                let named = named.into_result().map_err(|refusal| self.broken(dataset, refusal))?;
                let lacks = || Error::Broken {
                    table: self.table.clone(),
                    message: "its version has no seal id".into(),
                };
                named.seal_id.ok_or_else(lacks)?
            }
        };
        let left = self.invocation.left(self.handler.clock.now());
        let patience = (left / 2).min(SEAL_PATIENCE).unsigned_abs();
        Ok(match self.handler.tables.seal(facts, &id, patience).await? {
            Sealing::Sealed(seal) if seal.changed => Sealed::Anew,
            Sealing::Sealed(_) => Sealed::AsBefore,
            Sealing::Gone { .. } => Sealed::Gone,
            Sealing::Refused { why } => Sealed::Never(why),
            Sealing::Foreign { id } => {
                let id = id.map_or_else(|| "whose id cannot be read".into(), |id| id.to_string());
                Sealed::Never(vec![format!(
                    "the table carries another seal, {id}: another Septet holds it; publish a table of its own"
                )])
            }
            Sealing::NotYet(why) => {
                let delay = match why {
                    NotYet::PolicyBusy => Duration::from_secs(15),
                    _ => backoff(self.letter.hops),
                };
                Sealed::NotYet(delay, format!("sealing has to wait: {why}"))
            }
        })
    }
}

/// A signal as a sign: an operator's adoption counts whatever the contract takes.
fn sign_of(dataset: &Dataset, accepted: &[Accepted], signal: &KnownSignal) -> Sign {
    if dataset.settings.order == DatasetOrder::AsOf && signal.as_of.is_none() && !signal.adopted {
        return Sign::NotTaken(
            "septet.order of its contract is asOf; say in field `as_of` what time the data stands for".into(),
        );
    }
    let KnownSignal { items, digest, by, .. } = signal.clone();
    if signal.adopted {
        return Sign::Complete(Readiness { rung: Rung::Signal, items, digest, by });
    }
    ready::from_signal(accepted, items, digest, by)
}

fn quiet_minutes(accepted: &[Accepted]) -> Option<u32> {
    accepted.iter().find_map(|one| match one {
        Accepted::Quiet { minutes } => Some(*minutes),
        Accepted::Manifest | Accepted::Import | Accepted::Signal | Accepted::Tag => None,
    })
}
