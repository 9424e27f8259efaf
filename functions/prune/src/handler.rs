//! A sweep: looks at every dataset, plans, and carries the plans out.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use jiff::SignedDuration;
use septet_contract::Pattern;
use septet_registry::retention::{Holdings, Policy};
use septet_registry::{By, DatasetName, Listing, Registry, TableName};
use septet_tables::{TableStatus, Tables};
use septet_telemetry::{Clock, Dimension, Invocation, Metrics};
use serde_json::Value;

use crate::gauges::{self, FAILURES, LIVE_TABLE_GONE, PLAN_REFUSED, VERSIONS_ABANDONED};
use crate::plan::{Look, Plan, Scene, Step, plan};
use crate::queue::Queue;
use crate::request::Request;
use crate::summary::{Failure, Found, Gone, Older, Skipped, Summary, TooMuch};
use crate::{Error, execute};

/// Who the audit log says it was.
pub const ACTOR: &str = "septet:prune";

/// Datasets swept at the same time.
const DATASETS: usize = 4;
/// Tables of a dataset described at the same time.
const DESCRIPTIONS: usize = 8;
/// What is left of an invocation when nothing new is begun any more.
pub(crate) const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// The function, with everything it works on.
pub struct Prune<Q> {
    /// The registry.
    pub registry: Registry,
    /// The registry's own table, which is never a dataset's.
    pub registry_table: String,
    /// The dataset tables.
    pub tables: Tables,
    /// The publish queue.
    pub queue: Q,
    /// Where metrics go.
    pub metrics: Metrics,
    /// The clock that the deadline is watched by.
    pub clock: Arc<dyn Clock>,
    /// For how long a version that did not pass is kept.
    pub keep_rejected: SignedDuration,
}

/// What one sweep has in common for all its datasets.
pub(crate) struct Sweep<'a> {
    pub(crate) request: &'a Request,
    pub(crate) invocation: &'a Invocation,
    clock: &'a dyn Clock,
    pub(crate) by: By,
    /// Tables that DynamoDB lists; none where the list could not be had.
    listed: Vec<TableName>,
}

impl Sweep<'_> {
    /// How much time is left to begin something in.
    pub(crate) fn left(&self) -> Option<SignedDuration> {
        let left = self.invocation.left(self.clock.now()) - MARGIN;
        left.is_positive().then_some(left)
    }
}

impl<Q> std::fmt::Debug for Prune<Q> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prune").finish_non_exhaustive()
    }
}

impl<Q: Queue> Prune<Q> {
    /// Sweeps. One failing dataset never stops the others: what failed is in the summary.
    ///
    /// It fails as a whole only where the event or the list of datasets cannot be read.
    #[tracing::instrument(skip_all, fields(id = %invocation.id))]
    pub async fn handle(&self, event: Value, invocation: &Invocation) -> Result<Summary, Error> {
        let request = Request::from_event(event)?;
        let listings = self.registry.datasets().await?;
        let listings: Vec<_> = match &request.dataset {
            None => listings,
            Some(dataset) => {
                self.registry.dataset(dataset).await?;
                listings.into_iter().filter(|listing| listing.dataset == *dataset).collect()
            }
        };
        let mut summary = Summary { dry_run: request.dry_run, ..Summary::default() };
        let listed = self.tables.list().await.unwrap_or_else(|error| {
            summary.failed.push(Failure::new(None, "list the tables of DynamoDB", &error.into()));
            Vec::new()
        });
        summary.found = Found { tables: listed.len(), datasets: listings.len(), versions: 0 };
        let by = By::new(ACTOR, invocation.now);
        let sweep = Sweep { request: &request, invocation, clock: &*self.clock, by, listed };

        let mut live = 0;
        let mut swept =
            stream::iter(&listings).map(|listing| self.dataset(listing, &sweep)).buffered(DATASETS);
        while let Some((of_dataset, is_live)) = swept.next().await {
            live += usize::from(is_live);
            summary.add(of_dataset);
        }
        self.tell(&summary, live, &sweep);
        Ok(summary)
    }

    /// Sweeps one dataset, and tells whether it has a live version.
    #[tracing::instrument(skip_all, fields(dataset = %listing.dataset))]
    async fn dataset(&self, listing: &Listing, sweep: &Sweep<'_>) -> (Summary, bool) {
        let mut summary = Summary::default();
        let dataset = &listing.dataset;
        if sweep.left().is_none() {
            let error = Error::OutOfTime { deadline: sweep.invocation.deadline };
            summary.failed.push(Failure::new(Some(dataset), "sweep the dataset", &error));
            return (summary, false);
        }
        let now = sweep.invocation.now;
        let holdings = match Holdings::read(&self.registry, dataset, now).await {
            Ok(holdings) => holdings,
            Err(error) => {
                let failure = Failure::new(Some(dataset), "read what the registry holds", &error.into());
                summary.failed.push(failure);
                return (summary, false);
            }
        };
        let tables = self.look(listing, &holdings, &sweep.listed, &mut summary).await;
        let mut policy = Policy::new(&holdings.dataset.settings, self.keep_rejected);
        policy.at_most = sweep.request.max_deletions.unwrap_or(policy.at_most);
        let scene = Scene { holdings, tables };
        let plan = plan(&scene, &policy, now);
        let holdings = scene.holdings;
        let gauges = gauges::gauges(&holdings, &plan, now);

        summary.found.versions = holdings.versions.iter().filter(|it| it.state.has_table()).count();
        self.report(&plan, &mut summary);
        if sweep.request.dry_run {
            summary.plans.push(plan);
        } else {
            execute::execute(self, plan, sweep, &mut summary).await;
            gauges::send(&self.metrics, dataset.as_str(), &gauges, summary.kept.len(), now);
        }
        (summary, gauges.live_age_seconds.is_some())
    }

    /// Looks at every table of the dataset's versions and every listed table that its pattern claims.
    ///
    /// A version's table that is not listed is looked at too: a list may be a moment old.
    async fn look(
        &self,
        listing: &Listing,
        holdings: &Holdings,
        listed: &[TableName],
        summary: &mut Summary,
    ) -> BTreeMap<TableName, Look> {
        let dataset = &listing.dataset;
        let held = holdings.versions.iter().filter(|version| version.state.has_table());
        let mut names: Vec<_> = held.map(|version| version.table.clone()).collect();
        match Pattern::parse(&listing.table_pattern) {
            Ok(pattern) => {
                let claimed = listed.iter().filter(|table| pattern.matches(table.as_str()));
                names.extend(claimed.filter(|table| table.as_str() != self.registry_table).cloned());
            }
            Err(error) => {
                let error =
                    Error::Pattern { pattern: listing.table_pattern.clone(), problem: error.to_string() };
                summary.failed.push(Failure::new(
                    Some(dataset),
                    "find tables that the registry lacks",
                    &error,
                ));
            }
        }
        names.sort();
        names.dedup();
        let looks = stream::iter(names).map(async |name| {
            let looked = self.tables.describe(&name).await;
            (name, looked)
        });
        let mut looks = looks.buffered(DESCRIPTIONS);
        let mut tables = BTreeMap::new();
        while let Some((name, looked)) = looks.next().await {
            match looked {
                Ok(None) => drop(tables.insert(name, Look::Gone)),
                Ok(Some(facts)) => {
                    let going = facts.status == TableStatus::Deleting;
                    tables.insert(name, Look::There { id: facts.id, going, created_at: facts.created_at });
                }
                Err(error) => {
                    let what = format!("look at table {name}");
                    summary.failed.push(Failure::new(Some(dataset), what, &error.into()));
                }
            }
        }
        tables
    }

    /// Takes over from a plan what is not a step.
    fn report(&self, plan: &Plan, summary: &mut Summary) {
        let dataset = &plan.dataset;
        let gone = plan.live_table_gone.iter();
        summary
            .live_table_gone
            .extend(gone.map(|what| Gone { dataset: dataset.clone(), what: what.clone() }));
        summary.skipped.extend(plan.skips.iter().map(|skip| Skipped {
            dataset: dataset.clone(),
            what: format!("announce {}", skip.table),
            reason: skip.reason.clone(),
        }));
        summary.older.extend(plan.older.iter().map(|older| Older {
            dataset: dataset.clone(),
            table: older.table.clone(),
            created_at: older.created_at,
        }));
        if plan.retention.is_refused() {
            let (steps, at_most) = (plan.retention.counted(), plan.retention.at_most);
            let hint = override_hint(dataset, steps);
            summary.refused.push(TooMuch { dataset: dataset.clone(), steps, at_most, hint });
        }
    }

    /// Logs and counts what somebody has to know.
    fn tell(&self, summary: &Summary, live: usize, sweep: &Sweep<'_>) {
        for Gone { dataset, what } in &summary.live_table_gone {
            tracing::error!(alarm = LIVE_TABLE_GONE, %dataset, "{what}; roll back: septet rollback {dataset}");
        }
        for TooMuch { dataset, steps, at_most, hint } in &summary.refused {
            tracing::error!(alarm = PLAN_REFUSED, %dataset, steps, at_most, "the retention plan is refused; {hint}");
        }
        for failure in &summary.failed {
            let dataset = failure.dataset.as_ref().map(DatasetName::as_str);
            tracing::error!(dataset, kind = failure.kind, "could not {}: {}", failure.what, failure.error);
        }
        for skipped in &summary.skipped {
            tracing::warn!(dataset = %skipped.dataset, "did not {}: {}", skipped.what, skipped.reason);
        }
        if !summary.older.is_empty() {
            let older = summary.older.len();
            tracing::info!(
                older,
                "tables are older than the contract that claims them; `septet adopt --list` shows them"
            );
        }
        tracing::info!(dry_run = summary.dry_run, "{summary}");
        if summary.dry_run {
            return;
        }
        let now = sweep.invocation.now;
        let count = |name, dataset: &DatasetName| {
            self.metrics.count(now, name, 1, &[(Dimension::Dataset, dataset.as_str())]);
        };
        summary.live_table_gone.iter().for_each(|gone| count(LIVE_TABLE_GONE, &gone.dataset));
        summary.refused.iter().for_each(|refused| count(PLAN_REFUSED, &refused.dataset));
        let abandoned = summary.done.iter().filter(|entry| matches!(entry.step, Step::Abandon { .. }));
        abandoned.for_each(|entry| count(VERSIONS_ABANDONED, &entry.dataset));
        for failure in &summary.failed {
            self.metrics.count(now, FAILURES, 1, &[(Dimension::Kind, failure.kind)]);
        }
        if live == 0 && sweep.request.dataset.is_none() {
            gauges::send_nothing_live(&self.metrics, now);
        }
    }
}

fn override_hint(dataset: &DatasetName, steps: usize) -> String {
    format!(
        "look at it with `septet prune --plan {dataset}`; to let it through once, invoke prune with \
         {{\"dataset\":\"{dataset}\",\"max_deletions\":{steps}}}, and again after the grace to delete what it retires"
    )
}
