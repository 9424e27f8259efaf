//! Carries a plan out, step by step.

use std::time::Duration;

use septet_registry::{Outcome, Reminder, Version};
use septet_tables::Deletion;

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
                match prune.tables.delete(table, id, *patience).await? {
                    Deletion::Deleted | Deletion::Gone { .. } => {
                        registry.delete(dataset, *version, by).await?.into()
                    }
                    Deletion::NotYet(reason) => Done::Not(format!("{reason}; the next sweep goes on")),
                }
            }
        })
    }
}
