//! What a sweep tells CloudWatch about each dataset, whether or not there was anything to do.
//!
//! Each gauge is written for the dataset and once more without it, so that the maximum over the latter is
//! the worst of all datasets.

use jiff::{SignedDuration, Timestamp};
use septet_registry::retention::Holdings;
use septet_registry::{PointerName, PromotionState, State, VerdictOutcome};
use septet_telemetry::{Dimension, Metrics, Unit};

use crate::plan::Plan;

/// Age of the live version's table, from the time it was announced.
pub const LIVE_VERSION_AGE: &str = "LiveVersionAgeSeconds";
/// Hours since a version last passed its checks; without any, since the dataset came to be.
pub const HOURS_SINCE_PUBLICATION: &str = "HoursSinceLastPublication";
/// Valid versions that are kept.
pub const VERSIONS_KEPT: &str = "VersionsKept";
/// A pointer names a version whose table vanished.
pub const LIVE_TABLE_GONE: &str = "LiveTableGone";
/// A retention plan goes too far and was refused.
pub const PLAN_REFUSED: &str = "PrunePlanRefused";
/// Something in a sweep failed.
pub const FAILURES: &str = "PruneFailures";

/// A version was not complete by its deadline, and its table stays as it is.
pub const VERSIONS_ABANDONED: &str = "VersionsAbandoned";
/// Versions that passed and wait for their promotion since more than a sweep or two.
pub const PROMOTIONS_PENDING: &str = "PromotionsPending";
/// Tables that are due for deletion and are kept, because they are not Septet's to delete.
pub const TABLES_KEPT: &str = "TablesKept";
/// A hold without an end is in force for another day.
pub const HOLD_REMINDERS: &str = "HoldReminders";

/// How long a promotion may take before it counts as pending.
const PENDING_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// The gauges of one dataset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gauges {
    /// None where nothing is live.
    pub(crate) live_age_seconds: Option<f64>,
    pub(crate) hours_since_publication: f64,
    pub(crate) versions_kept: usize,
    pub(crate) promotions_pending: usize,
    pub(crate) hold_reminders: usize,
}

pub(crate) fn gauges(holdings: &Holdings, plan: &Plan, now: Timestamp) -> Gauges {
    let since = |at: Timestamp| now.duration_since(at).as_secs_f64().max(0.0);
    let live = holdings.pointers.iter().find(|pointer| pointer.pointer == PointerName::live());
    let live = live.and_then(|live| holdings.versions.iter().find(|it| it.version == live.version));
    let verdicts = holdings.versions.iter().filter_map(|version| version.verdict.as_ref());
    let passed = verdicts.filter(|verdict| verdict.outcome == VerdictOutcome::Passed).map(|it| it.at).max();
    Gauges {
        live_age_seconds: live.map(|live| since(live.announced_at)),
        hours_since_publication: since(passed.unwrap_or(holdings.dataset.created_at)) / 3600.0,
        promotions_pending: holdings
            .versions
            .iter()
            .filter(|version| {
                version.state == State::Valid
                    && version.promotion_state == Some(PromotionState::Pending)
                    && now.duration_since(version.entered_at) > PENDING_AFTER
            })
            .count(),
        hold_reminders: open_holds(holdings).filter(|since| is_reminder_due(*since, now)).count(),
        versions_kept: plan.retention.keep.iter().filter(|kept| kept.state == State::Valid).count(),
    }
}

/// Times since when holds without an end are in force.
fn open_holds(holdings: &Holdings) -> impl Iterator<Item = Timestamp> {
    let holds = holdings
        .pointers
        .iter()
        .flat_map(|pointer| holdings.dataset.holds_of(&pointer.pointer, Some(pointer)).into_iter());
    holds.filter(|hold| hold.until.is_none()).map(|hold| hold.at)
}

/// Returns true in the first sweeps after each full day.
fn is_reminder_due(since: Timestamp, now: Timestamp) -> bool {
    const DAY: i64 = 86_400;
    let age = now.duration_since(since).as_secs();
    age >= DAY && age % DAY < SWEEPS.as_secs()
}

/// Two sweeps of the default schedule: one that fails must not swallow the reminder of a day.
const SWEEPS: SignedDuration = SignedDuration::from_mins(10);

pub(crate) fn send(metrics: &Metrics, dataset: &str, gauges: &Gauges, tables_kept: usize, now: Timestamp) {
    let by = [(Dimension::Dataset, dataset)];
    if let Some(age) = gauges.live_age_seconds {
        metrics.put(now, LIVE_VERSION_AGE, Unit::Seconds, age, &by);
    }
    metrics.put(now, HOURS_SINCE_PUBLICATION, Unit::None, gauges.hours_since_publication, &by);
    metrics.put(now, VERSIONS_KEPT, Unit::Count, gauges.versions_kept as f64, &by);
    metrics.put(now, PROMOTIONS_PENDING, Unit::Count, gauges.promotions_pending as f64, &by);
    metrics.put(now, TABLES_KEPT, Unit::Count, tables_kept as f64, &by);
    if gauges.hold_reminders > 0 {
        metrics.put(now, HOLD_REMINDERS, Unit::Count, gauges.hold_reminders as f64, &by);
    }
}

/// Says that a sweep ran although no dataset has a live version: silence would alarm.
pub(crate) fn send_nothing_live(metrics: &Metrics, now: Timestamp) {
    metrics.put(now, LIVE_VERSION_AGE, Unit::Seconds, 0.0, &[]);
}
