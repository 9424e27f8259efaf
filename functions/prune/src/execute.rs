//! Carries a plan out, step by step.

use std::time::Duration;

use septet_registry::{DatasetName, Outcome, Reminder, SealId, TableId, TableName, Version};
use septet_tables::{Deletion, DeletionTarget, KeptBecause, TakeOver};

use crate::Error;
use crate::handler::{Prune, Sweep};
use crate::plan::{Plan, Step};
use crate::queue::Queue;
use crate::summary::{Entry, Failure, KeptTable, Skipped, Summary};

/// For how long a sweep waits until a deleted table is gone; the next one confirms the rest.
const PATIENCE: Duration = Duration::from_secs(10);

enum Done {
    Now,
    Before,
    Not(String),
    /// The table is not deleted, by this sweep or any later one, unless an operator or its owner acts.
    Kept(String),
}

impl From<Outcome<Version>> for Done {
    fn from(outcome: Outcome<Version>) -> Self {
        match outcome {
            Outcome::Done(_) => Self::Now,
            Outcome::Already(_) => Self::Before,
            Outcome::Refused(refusal) => Self::Not(refusal.to_string()),
        }
    }
}

/// Takes every step that time allows; one that fails stops none after it.
pub(crate) async fn execute<Q: Queue>(
    prune: &Prune<Q>,
    plan: Plan,
    sweep: &Sweep<'_>,
    summary: &mut Summary,
) {
    let dataset = plan.dataset;
    for step in plan.steps {
        let Some(left) = sweep.left() else {
            let reason =
                format!("the invocation ends at {}; the next sweep goes on", sweep.invocation.deadline);
            summary.skipped.push(Skipped { dataset: dataset.clone(), what: step.to_string(), reason });
            continue;
        };
        let patience = PATIENCE.min(left.unsigned_abs());
        let taken = Take { prune, sweep, dataset: &dataset, patience }.take(&step).await;
        let entry = Entry { dataset: dataset.clone(), step };
        match taken {
            Ok(Done::Now) => {
                tracing::info!(%dataset, "done: {}", entry.step);
                summary.done.push(entry);
            }
            Ok(Done::Before) => summary.already_done.push(entry),
            Ok(Done::Not(reason)) => {
                summary.skipped.push(Skipped {
                    dataset: entry.dataset,
                    what: entry.step.to_string(),
                    reason,
                });
            }
            Ok(Done::Kept(reason)) => {
                if let Step::Delete { version, table, .. } = entry.step {
                    summary.kept.push(KeptTable { dataset: entry.dataset, version, table, reason });
                }
            }
            Err(error) => {
                summary.failed.push(Failure::new(Some(&dataset), entry.step.to_string(), &error));
            }
        }
    }
}

struct Take<'a, Q> {
    prune: &'a Prune<Q>,
    sweep: &'a Sweep<'a>,
    dataset: &'a DatasetName,
    patience: Duration,
}

impl<Q: Queue> Take<'_, Q> {
    async fn take(&self, step: &Step) -> Result<Done, Error> {
        let Self { prune, sweep, dataset, .. } = self;
        let (registry, by) = (&prune.registry, &sweep.by);
        Ok(match step {
            Step::Remind { table, why, .. } => {
                let reminder = Reminder { look_at: table.to_string(), reason: why.reason().into() };
                prune.queue.remind(reminder).await?;
                Done::Now
            }
            Step::Lose { version, .. } => registry.lose(dataset, *version, by).await?.into(),
            Step::Abandon { version, .. } => registry.abandon(dataset, *version, by).await?.into(),
            Step::Retire { version, reason, .. } => {
                registry.retire(dataset, *version, reason, by).await?.into()
            }
            Step::Confirm { version, table, id } => {
                let there = prune.tables.describe(table).await?.is_some_and(|facts| facts.id == *id);
                match there {
                    true => Done::Not("the table is being deleted; the next sweep goes on".into()),
                    false => registry.lose(dataset, *version, by).await?.into(),
                }
            }
            Step::Delete { version, table, id, handed_over } => {
                let version = registry.version(dataset, *version).await?;
                self.delete(&version, table, id, *handed_over).await?
            }
        })
    }

    async fn delete(
        &self,
        version: &Version,
        table: &TableName,
        id: &TableId,
        handed_over: bool,
    ) -> Result<Done, Error> {
        let (prune, by) = (&self.prune, &self.sweep.by);
        let deletion = if version.was_sealed() {
            let Some(seal) = self.seal_of(version, table, handed_over).await? else {
                return self.kept(version, table, NOT_HANDED_OVER.into()).await;
            };
            let seal = match seal {
                Ok(seal) => seal,
                Err(reason) => return self.kept(version, table, reason).await,
            };
            let owner_protected = version.owner_protected;
            let target = DeletionTarget { table, id, seal: &seal, owner_protected };
            prune.tables.delete(target, self.patience).await?
        } else if version.discard.is_some() {
            prune.tables.discard(table, id, version.seal_id.as_ref(), self.patience).await?
        } else {
            return Ok(Done::Not("its table was never sealed".into()));
        };
        Ok(match deletion {
            Deletion::Deleted | Deletion::Gone { .. } => {
                prune.registry.delete(self.dataset, version.version, by).await?.into()
            }
            Deletion::NotYet(reason) => Done::Not(format!("{reason}; the next sweep goes on")),
            Deletion::Kept(KeptBecause::OwnersProtection) => {
                let reason = "kept: protected by its owner; it is deleted once its owner switches its deletion protection off";
                return self.kept(version, table, reason.into()).await;
            }
            Deletion::Kept(why) => return self.kept(version, table, format!("kept: {why}")).await,
        })
    }

    /// The id of the seal that a table must carry, or why it must not be deleted; none if it was never handed over.
    ///
    /// The seal of a version of release 0.1.0 gets its id here, in the registry and then on the table.
    async fn seal_of(
        &self,
        version: &Version,
        table: &TableName,
        handed_over: bool,
    ) -> Result<Option<Result<SealId, String>>, Error> {
        if let Some(seal) = &version.seal_id {
            return Ok(Some(match version.created_at {
                Some(_) => Ok(seal.clone()),
                None => self.take_over(version, table, seal).await?,
            }));
        }
        let signalled = version.readiness.as_ref().is_some_and(|readiness| readiness.rung.is_signal());
        if !handed_over && !signalled {
            return Ok(None);
        }
        let named = self.prune.registry.name_seal(self.dataset, version.version, &self.sweep.by).await?;
        match named.into_result() {
            Ok(Version { seal_id: Some(seal), .. }) => Ok(Some(self.take_over(version, table, &seal).await?)),
            Ok(_) => Ok(Some(Err("its version has no seal id".into()))),
            Err(refusal) => Ok(Some(Err(refusal.to_string()))),
        }
    }

    async fn take_over(
        &self,
        version: &Version,
        table: &TableName,
        seal: &SealId,
    ) -> Result<Result<SealId, String>, Error> {
        let facts = self.prune.tables.describe(table).await?;
        // What is not there any more is settled by the deletion.
        let Some(facts) = facts.filter(|facts| facts.id == version.table_id) else {
            return Ok(Ok(seal.clone()));
        };
        Ok(match self.prune.tables.take_over(&facts, seal).await? {
            TakeOver::Taken { .. } | TakeOver::Gone { .. } => Ok(seal.clone()),
            TakeOver::NotYet(why) => Err(format!("its seal cannot be taken over yet: {why}")),
            TakeOver::NotIntact { flaws } => {
                let flaws: Vec<_> = flaws.iter().map(ToString::to_string).collect();
                Err(format!("kept: its seal is not intact: {}", flaws.join("; ")))
            }
            TakeOver::Foreign { .. } => Err("kept: it carries the seal of another Septet".into()),
        })
    }

    /// Records why a table is kept, for people.
    async fn kept(&self, version: &Version, table: &TableName, reason: String) -> Result<Done, Error> {
        let (registry, by) = (&self.prune.registry, &self.sweep.by);
        let _ = registry.wait(self.dataset, version.version, &reason, by).await?;
        tracing::warn!(dataset = %self.dataset, version = version.version.get(), %table, "{reason}");
        Ok(Done::Kept(reason))
    }
}

const NOT_HANDED_OVER: &str = "kept: release 0.1.0 sealed it although it is older than the contract and no signal \
                               handed it over; `septet adopt` hands it over, or delete it yourself";
