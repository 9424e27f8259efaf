//! What a sweep tells CloudWatch about each dataset, whether or not there was anything to do.
//!
//! Each gauge is written for the dataset and once more without it, so that the maximum over the latter is
//! the worst of all datasets.

use jiff::Timestamp;
use septet_registry::retention::Holdings;
use septet_registry::{PointerName, State, VerdictOutcome};
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

/// The gauges of one dataset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gauges {
    /// None where nothing is live.
    pub(crate) live_age_seconds: Option<f64>,
    pub(crate) hours_since_publication: f64,
    pub(crate) versions_kept: usize,
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
        versions_kept: plan.retention.keep.iter().filter(|kept| kept.state == State::Valid).count(),
    }
}

pub(crate) fn send(metrics: &Metrics, dataset: &str, gauges: &Gauges, now: Timestamp) {
    let by = [(Dimension::Dataset, dataset)];
    if let Some(age) = gauges.live_age_seconds {
        metrics.put(now, LIVE_VERSION_AGE, Unit::Seconds, age, &by);
    }
    metrics.put(now, HOURS_SINCE_PUBLICATION, Unit::None, gauges.hours_since_publication, &by);
    metrics.put(now, VERSIONS_KEPT, Unit::Count, gauges.versions_kept as f64, &by);
}

/// Says that a sweep ran although no dataset has a live version: silence would alarm.
pub(crate) fn send_nothing_live(metrics: &Metrics, now: Timestamp) {
    metrics.put(now, LIVE_VERSION_AGE, Unit::Seconds, 0.0, &[]);
}
