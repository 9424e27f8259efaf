//! Carries a plan out, step by step.

use std::time::Duration;

use septet_registry::{Outcome, Reminder, TableId, TableName, Version};
use septet_tables::{Deletion, Flaw, SealState};

use crate::Error;
use crate::handler::{Prune, Sweep};
use crate::plan::{Plan, Step};
use crate::queue::Queue;
use crate::summary::{Entry, Failure, Skipped, Summary};

/// For how long a sweep waits until a deleted table is gone; the next one confirms the rest.
const PATIENCE: Duration = Duration::from_secs(10);

enum Done {
    Now,
    Before,
    Not(String),
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
            Err(error) => {
                summary.failed.push(Failure::new(Some(&dataset), entry.step.to_string(), &error));
            }
        }
    }
}

struct Take<'a, Q> {
    prune: &'a Prune<Q>,
    sweep: &'a Sweep<'a>,
    dataset: &'a septet_registry::DatasetName,
    patience: Duration,
}

impl<Q: Queue> Take<'_, Q> {
    async fn take(&self, step: &Step) -> Result<Done, Error> {
        let Self { prune, sweep, dataset, patience } = self;
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
            Step::Confirm { version, table, id } | Step::Delete { version, table, id } => {
                if let Some(reason) = self.protected(table, id).await? {
                    return Ok(Done::Not(reason));
                }
                match prune.tables.delete(table, id, *patience).await? {
                    Deletion::Deleted | Deletion::Gone { .. } => {
                        registry.delete(dataset, *version, by).await?.into()
                    }
                    Deletion::NotYet(reason) => Done::Not(format!("{reason}; the next sweep goes on")),
                }
            }
        })
    }

    /// Returns why a table may not be deleted: it does not carry the three statements of Septet's seal.
    ///
    /// Deletion protection may be off already, by an earlier attempt.
    async fn protected(&self, table: &TableName, id: &TableId) -> Result<Option<String>, Error> {
        let tables = &self.prune.tables;
        let Some(facts) = tables.describe(table).await?.filter(|facts| facts.id == *id) else {
            return Ok(None);
        };
        let sealed = match tables.seal_of(&facts).await? {
            SealState::Intact => true,
            SealState::Missing => false,
            SealState::Broken(flaws) => flaws.iter().all(|flaw| *flaw == Flaw::Unprotected),
        };
        Ok((!sealed).then(|| {
            format!("table {table} does not carry Septet's seal, and only sealed tables are deleted")
        }))
    }
}
