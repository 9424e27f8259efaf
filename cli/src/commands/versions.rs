//! Versions: the list, and all that is known of one.

use comfy_table::Cell;
use septet_registry::{
    DatasetName, PointerName, PromotionState, Record, State, Verdict, Version, VersionNumber,
};
use serde_json::json;

use super::log;
use crate::app::App;
use crate::args::{Show, Versions};
use crate::failure::Failure;
use crate::reading::Which;
use crate::screen::{Answer, or_dash, state, text, time};

pub(crate) async fn list(app: &App, args: Versions) -> Result<Answer, Failure> {
    let dataset = app.dataset(&args.dataset).await?.dataset;
    let mut versions = app.registry.versions(&dataset).await?;
    versions.reverse();
    versions.truncate(args.limit.unwrap_or(usize::MAX));
    if versions.is_empty() {
        app.screen.say(&format!("{dataset} has no version yet: create a table that its pattern matches."));
    }
    let mut table = app.screen.table(&["VERSION", "STATE", "TABLE", "ITEMS", "ANNOUNCED", "NAMED BY", "WHY"]);
    for version in &versions {
        table.add_row([
            Cell::new(version.version),
            state(version.state),
            Cell::new(&version.table),
            Cell::new(or_dash(version.counts.as_ref().map(|counts| counts.items))),
            Cell::new(time(version.announced_at)),
            Cell::new(named_by(version)),
            Cell::new(why(version)),
        ]);
    }
    let page = if versions.is_empty() { String::new() } else { text(&table) };
    Ok(Answer::new(&versions, page))
}

fn named_by(version: &Version) -> String {
    let names: Vec<_> = version.pointed_by.iter().map(PointerName::as_str).collect();
    if names.is_empty() { "-".into() } else { names.join(", ") }
}

/// Why a version stands where it stands, in a line.
pub(crate) fn why(version: &Version) -> String {
    match version.state {
        State::Announced => format!("not known to be complete; given up after {}", time(version.deadline)),
        State::Sealed => "waits for its check".into(),
        State::Checking => "is being checked".into(),
        State::Valid => match &version.promotion_state {
            Some(PromotionState::Skipped(why)) => format!("not promoted: {why}"),
            Some(PromotionState::Pending) => "waits for its promotion".into(),
            _ => "passed its checks".into(),
        },
        State::Abandoned => format!("not complete by {}", time(version.deadline)),
        State::Retiring => match version.delete_after {
            Some(at) => format!("its table may be deleted after {}", time(at)),
            None => "its table is going to be deleted".into(),
        },
        State::Deleted => "its table was deleted by prune".into(),
        State::Lost => "its table vanished by other hands".into(),
        _ => version.reason().unwrap_or("did not pass").to_owned(),
    }
}

pub(crate) async fn show(app: &App, args: Show) -> Result<Answer, Failure> {
    let dataset = app.dataset(&args.dataset).await?.dataset;
    let number = number(app, &dataset, args.version).await?;
    let version = app.registry.version(&dataset, number).await?;
    let mut log = app.registry.log(&dataset, None).await?;
    log.retain(|record| concerns(record, number));
    let page = format!("{}\n\n{}", facts(app, &version), log::page(app, &log));
    Ok(Answer::new(json!({"version": version, "log": log}), page))
}

async fn number(app: &App, dataset: &DatasetName, which: Which) -> Result<VersionNumber, Failure> {
    match which {
        Which::Number(number) => Ok(number),
        Which::Named(name) => match app.registry.pointer(dataset, &name).await? {
            Some(pointer) => Ok(pointer.version),
            None => Err(Failure::new(
                format!("failed to find the pointer {name} of {dataset}: it was never set"),
                format!("`septet versions {dataset}` shows what pointers name"),
            )),
        },
    }
}

/// Whether a record is about a version: its state, or a pointer that came to it or left it.
fn concerns(record: &Record, number: VersionNumber) -> bool {
    let left = record.pointer.is_some() && record.before.as_deref() == Some(number.to_string().as_str());
    record.version == Some(number) || left
}

fn facts(app: &App, version: &Version) -> String {
    let readiness = version.readiness.as_ref().map(|it| {
        let rung = serde_json::to_value(it.rung).ok().and_then(|it| it.as_str().map(str::to_owned));
        let said =
            [it.items.map(|items| format!("{items} items")), it.by.clone().map(|by| format!("by {by}"))];
        let said: Vec<_> = rung.into_iter().chain(said.into_iter().flatten()).collect();
        said.join(", ")
    });
    let lease = version.lease.as_ref();
    let verdict = version.verdict.as_ref();
    let lines = |of: fn(&Verdict) -> &Vec<String>| verdict.map(|it| of(it).join("\n")).unwrap_or_default();
    app.screen.facts(vec![
        ("version", format!("{} of {}", version.version, version.dataset)),
        ("state", format!("{} since {}", version.state, time(version.entered_at))),
        ("why", why(version)),
        ("table", version.table_arn.clone()),
        ("table id", version.table_id.to_string()),
        ("announced", format!("{} by {}", time(version.announced_at), version.announced_by)),
        ("complete by", readiness.unwrap_or_default()),
        ("contract", version.contract.to_string()),
        ("items", version.counts.as_ref().map(|it| it.items.to_string()).unwrap_or_default()),
        ("bytes", version.counts.as_ref().map(|it| it.bytes.to_string()).unwrap_or_default()),
        ("digest", version.digest.clone().unwrap_or_default()),
        ("checked by", lease.map(|it| format!("{} until {}", it.owner, time(it.until))).unwrap_or_default()),
        (
            "verdict",
            verdict.map(|it| format!("{} at {}", it.outcome.as_str(), time(it.at))).unwrap_or_default(),
        ),
        ("reasons", lines(|verdict| &verdict.reasons)),
        ("warnings", lines(|verdict| &verdict.warnings)),
        ("named by", named_by(version)),
        ("last named", version.last_pointed_at.map(time).unwrap_or_default()),
        ("revision", version.revision.to_string()),
    ])
}
