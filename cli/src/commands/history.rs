//! What a pointer named, and when, from the audit log.

use jiff::Timestamp;
use septet_registry::{DatasetName, PointerHold, PointerName, Record, TableName, Version, VersionNumber};
use serde::Serialize;

use super::holds;
use crate::app::{App, now};
use crate::args::History;
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, or_dash, text, time};

/// A stretch of time in which a pointer named one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Stretch {
    pub(crate) dataset: DatasetName,
    pub(crate) pointer: PointerName,
    pub(crate) version: VersionNumber,
    pub(crate) table: Option<TableName>,
    pub(crate) from: Timestamp,
    /// None while it lasts.
    pub(crate) until: Option<Timestamp>,
    pub(crate) by: String,
    pub(crate) action: String,
    pub(crate) reason: Option<String>,
    /// Holds in force, of the stretch that lasts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) holds: Vec<PointerHold>,
}

/// The stretches of a pointer, the latest first.
pub(crate) fn stretches(records: &[Record], pointer: &PointerName, versions: &[Version]) -> Vec<Stretch> {
    let moves = records.iter().filter(|it| it.action.moves_pointer() && it.pointer.as_ref() == Some(pointer));
    let mut moves: Vec<_> = moves.collect();
    // The order of the pointer's own generations holds, whatever the clocks of those who moved it said.
    moves.sort_by_key(|record| record.revision);
    let mut found: Vec<Stretch> = Vec::new();
    for record in moves {
        let Some(version) = record.version else { continue };
        if let Some(last) = found.last_mut() {
            last.until = Some(record.at);
        }
        let table = versions.iter().find(|it| it.version == version).map(|it| it.table.clone());
        found.push(Stretch {
            dataset: record.dataset.clone(),
            pointer: pointer.clone(),
            version,
            table,
            from: record.at,
            until: None,
            by: record.actor.clone(),
            action: record.action.as_str().replace('_', " "),
            reason: record.reason.clone(),
            holds: Vec::new(),
        });
    }
    found.reverse();
    found
}

pub(crate) async fn history(app: &App, args: History) -> Result<Answer, Failure> {
    let History { dataset, at, pointer } = args;
    let known = app.dataset(&dataset).await?;
    let records = app.registry.log(&dataset, None).await?;
    let versions = app.registry.versions(&dataset).await?;
    let mut found = stretches(&records, &pointer, &versions);
    let item = app.registry.pointer(&dataset, &pointer).await?;
    let in_force = holds::in_force(&known, &pointer, item.as_ref(), now());
    if let Some(last) = found.first_mut() {
        last.holds = in_force.clone();
    }
    if let Some(at) = at {
        found.retain(|it| it.from <= at && it.until.is_none_or(|until| at < until));
    }
    let mut table = app.screen.table(&["FROM", "UNTIL", "VERSION", "TABLE", "WHO", "ACTION", "WHY"]);
    for it in &found {
        let until = it.until.map_or_else(|| "now".into(), time);
        let (table_name, why) = (or_dash(it.table.as_ref()), or_dash(it.reason.as_ref()));
        let version = it.version.to_string();
        table.add_row([time(it.from), until, version, table_name, it.by.clone(), it.action.clone(), why]);
    }
    if found.is_empty() {
        let when = at.map(|at| format!(" at {}", time(at))).unwrap_or_default();
        app.screen.call("no", &format!("{pointer} of {dataset} named no version{when}"));
        return Ok(Answer::new(&found, "").with_code(exit::NO));
    }
    let mut page = text(&table);
    if !in_force.is_empty() && found.iter().any(|it| it.until.is_none()) {
        page = format!(
            "{page}\n\n{pointer} is held:\n{}",
            holds::page(&dataset, &pointer, &in_force, &app.actor)
        );
    }
    Ok(Answer::new(&found, page))
}

#[cfg(test)]
mod tests {
    use septet_registry::Action;

    use super::*;

    fn record(at: i64, action: Action, pointer: &str, version: u64, revision: u64) -> Record {
        Record {
            id: uuid::Uuid::nil(),
            at: Timestamp::from_second(at).unwrap(),
            dataset: DatasetName::parse("recs").unwrap(),
            actor: "tester".into(),
            action,
            version: Some(VersionNumber::new(version)),
            pointer: Some(PointerName::parse(pointer).unwrap()),
            before: None,
            after: None,
            revision: Some(revision),
            reason: None,
        }
    }

    #[test]
    fn stretches_follow_the_moves_of_one_pointer_and_touch_each_other() {
        let records = [
            record(40, Action::Release, "live", 1, 4),
            record(30, Action::RollBack, "live", 1, 3),
            record(25, Action::Point, "canary", 9, 1),
            // Written by a machine whose clock is behind.
            record(5, Action::Promote, "live", 2, 2),
            record(10, Action::Promote, "live", 1, 1),
        ];
        let found = stretches(&records, &PointerName::live(), &[]);
        let seen: Vec<_> = found
            .iter()
            .map(|it| (it.version.get(), it.from.as_second(), it.until.map(Timestamp::as_second)))
            .collect();
        assert_eq!(seen, [(1, 30, None), (2, 5, Some(30)), (1, 10, Some(5))]);
    }
}
