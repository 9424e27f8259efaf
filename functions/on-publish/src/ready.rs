//! Whether a table is complete: the ladder of signs, the surest first.

use jiff::{SignedDuration, Timestamp};
use septet_contract::Rung as Accepted;
use septet_registry::{Readiness, Rung, TableId};
use septet_tables::{Consistency, Import, ImportStatus, Segment, TableFacts, Tables};

use crate::capacity::{Capacity, Operations};
use crate::error::Error;

/// CloudWatch has the units of a minute after a few minutes; none later than this (DynamoDB developer guide, metrics).
const METRIC_DELAY: SignedDuration = SignedDuration::from_mins(5);

/// Writes are looked for as far back; CloudWatch keeps minutes for 15 days.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What a sign of completeness comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The table is complete.
    Complete(Readiness),
    /// It is not, for this reason.
    Missing(String),
    /// There is a sign, and the contract does not take it.
    NotTaken(String),
}

/// Whether the contract takes an import, or a tag, or a quiet time, as a sign.
pub(crate) fn takes(accepted: &[Accepted], rung: Rung) -> bool {
    accepted.iter().any(|one| {
        matches!(
            (one, rung),
            (Accepted::Manifest, Rung::Manifest)
                | (Accepted::Import, Rung::Import)
                | (Accepted::Signal, Rung::Signal)
                | (Accepted::Tag, Rung::Tag)
                | (Accepted::Quiet { .. }, Rung::Quiet)
        )
    })
}

/// A signal, with a manifest or without.
pub(crate) fn from_signal(
    accepted: &[Accepted],
    items: Option<u64>,
    digest: Option<String>,
    by: Option<String>,
) -> Sign {
    let rung = match items {
        Some(_) if takes(accepted, Rung::Manifest) => Rung::Manifest,
        // Whoever takes a mere word takes one with a number too, and the number is checked all the same.
        _ if takes(accepted, Rung::Signal) => Rung::Signal,
        Some(_) => {
            return Sign::NotTaken(format!("septet.readiness of its contract takes {}", list(accepted)));
        }
        None if takes(accepted, Rung::Manifest) => {
            return Sign::NotTaken(format!(
                "septet.readiness of its contract takes {}; say in field `items` how many items were written",
                list(accepted)
            ));
        }
        None => return Sign::NotTaken(format!("septet.readiness of its contract takes {}", list(accepted))),
    };
    Sign::Complete(Readiness { rung, items, digest, by })
}

/// An import into the table, if there is one.
pub(crate) fn from_import(import: Option<&Import>) -> Sign {
    let Some(import) = import else { return Sign::Missing("no import into it".into()) };
    match &import.status {
        ImportStatus::InProgress => Sign::Missing("its import is still running".into()),
        ImportStatus::Completed if import.errors == 0 && import.imported == import.processed => {
            let items = Some(import.imported);
            Sign::Complete(Readiness { rung: Rung::Import, items, digest: None, by: None })
        }
        ImportStatus::Completed => Sign::Missing(format!(
            "its import finished with {} errors and imported {} of {} items; import into a new table, or send a \
             signal if that is all there should be",
            import.errors, import.imported, import.processed
        )),
        ImportStatus::Cancelled | ImportStatus::Failed => {
            let why = import.failure.as_deref().unwrap_or("no reason given");
            Sign::Missing(format!("its import failed or was cancelled ({why}); import into a new table"))
        }
        ImportStatus::Other(status) => Sign::Missing(format!("its import is {status}")),
    }
}

/// The value of the tag `septet:ready`, if the table has it.
///
/// The table's id always counts. `true` may have been there since the table's creation, which says nothing: it counts
/// only if it `is_new`.
pub(crate) fn from_tag(tag: Option<&str>, id: &TableId, is_new: bool, by: Option<&str>) -> Sign {
    let complete = || {
        let by = by.map(str::to_owned);
        Sign::Complete(Readiness { rung: Rung::Tag, items: None, digest: None, by })
    };
    match tag {
        None => Sign::NotTaken("no tag septet:ready".into()),
        Some(value) if value == id.as_str() => complete(),
        Some(value) if value.eq_ignore_ascii_case("true") && is_new => complete(),
        Some(value) if value.eq_ignore_ascii_case("true") => Sign::Missing(format!(
            "the tag septet:ready is \"true\" since the table's creation, which says nothing: set it to the table's id, \
             {id}, once the table is complete"
        )),
        Some(value) => Sign::Missing(format!(
            "the tag septet:ready is {value:?}: set it to \"true\" or to the table's id, {id}, once the table is complete"
        )),
    }
}

/// Writes to the table, and how long none came since: at least one, and then none for as long as the contract says.
///
/// A minute of the metric is over once nothing can be counted in it any more.
pub(crate) async fn from_quiet(
    capacity: &dyn Capacity,
    tables: &Tables,
    facts: &TableFacts,
    minutes: u32,
    now: Timestamp,
) -> Result<Sign, Error> {
    let (table, minute) = (&facts.name, SignedDuration::from_mins(1));
    let born = Timestamp::from_second(facts.created_at.as_second().div_euclid(60) * 60);
    let born = born.unwrap_or(facts.created_at);
    let since = born.max(now - LOOK_BACK);
    // The minute that is not over counts, too: a write of this very second ends the quiet.
    let consumed = capacity.consumed(table, Operations::Writes, since, now + minute, minute).await?;
    let last = consumed.iter().filter(|(at, units)| *units > 0.0 && *at >= born).map(|(at, _)| *at).max();
    let unwritten = || Ok(Sign::Missing("no write to the table was measured yet".into()));
    let Some(last) = last else { return unwritten() };
    let quiet = SignedDuration::from_mins(minutes.into());
    let over = last + minute + METRIC_DELAY + quiet;
    if now < over {
        return Ok(Sign::NotTaken(format!("quiet since {last}, complete after {over}")));
    }
    // The minute in which the table came to be may count writes to an earlier table of its name.
    if last == born {
        let page = tables.scan_page(table, Segment { index: 0, total: 1 }, None, Consistency::Strong).await?;
        if page.items()?.0.is_empty() {
            return unwritten();
        }
    }
    Ok(Sign::Complete(Readiness { rung: Rung::Quiet, items: None, digest: None, by: None }))
}

pub(crate) fn list(accepted: &[Accepted]) -> String {
    let names: Vec<_> = accepted.iter().map(ToString::to_string).collect();
    names.join(", ")
}
