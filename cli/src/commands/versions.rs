//! Versions: the list, and all that is known of one.

use comfy_table::Cell;
use jiff::{SignedDuration, Timestamp};
use septet_registry::{
    Dataset, DatasetName, Pointer, PointerHold, PointerName, PromotionState, Record, State, Verdict, Version,
    VersionNumber,
};
use serde_json::{Value, json};

use super::{holds, log};
use crate::app::{App, now};
use crate::args::{Show, Versions};
use crate::failure::Failure;
use crate::reading::Which;
use crate::screen::{Answer, or_dash, state, text, time};

pub(crate) async fn list(app: &App, args: Versions) -> Result<Answer, Failure> {
    let known = app.dataset(&args.dataset).await?;
    let dataset = known.dataset.clone();
    let mut versions = app.registry.versions(&dataset).await?;
    let held = held(app, &known).await?;
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
    let mut page = if versions.is_empty() { String::new() } else { text(&table) };
    for (name, holds) in &held {
        page = format!("{page}\n\n{name} is held:\n{}", holds::page(&dataset, name, holds, &app.actor));
    }
    let json: Vec<_> = versions.iter().map(|version| with_holds(version, &held)).collect();
    Ok(Answer::new(json, page))
}

/// The pointers of a dataset that are held, with their holds.
async fn held(app: &App, dataset: &Dataset) -> Result<Vec<(PointerName, Vec<PointerHold>)>, Failure> {
    let pointers = app.registry.pointers(&dataset.dataset).await?;
    let held = pointers.into_iter().map(|pointer| {
        let holds = holds::in_force(dataset, &pointer.pointer, Some(&pointer), now());
        (pointer.pointer, holds)
    });
    Ok(held.filter(|(_, holds)| !holds.is_empty()).collect())
}

/// A version with the holds of the pointers that name it.
fn with_holds(version: &Version, held: &[(PointerName, Vec<PointerHold>)]) -> Value {
    let holds: Vec<_> = held
        .iter()
        .filter(|(name, _)| version.pointed_by.contains(name))
        .flat_map(|(_, holds)| holds)
        .collect();
    let mut json = json!(version);
    if !holds.is_empty() {
        json["holds"] = json!(holds);
    }
    json
}

fn named_by(version: &Version) -> String {
    let names: Vec<_> = version.pointed_by.iter().map(PointerName::as_str).collect();
    if names.is_empty() { "-".into() } else { names.join(", ") }
}

/// Why a version stands where it stands, in a line.
pub(crate) fn why(version: &Version) -> String {
    if let Some(mark) = version.withdrawn.as_ref().filter(|_| version.state == State::Valid) {
        return format!("withdrawn by {}: {}", mark.by, mark.reason);
    }
    if let Some(mark) = version.discard.as_ref().filter(|_| version.state.has_table()) {
        return format!("discarded by {}: {}; prune deletes its table", mark.by, mark.reason);
    }
    if let Some(waits) = &version.waits {
        return format!("{} (since {})", waits.reason, time(waits.since));
    }
    if let Some(signal) = &version.signal
        && matches!(version.state, State::Announced | State::Abandoned | State::Rejected)
    {
        let said = if signal.adopted { "adopted" } else { "signalled" };
        let by = signal.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        return format!("{said}{by}, and waits for its seal");
    }
    match version.state {
        State::Announced => format!("not known to be complete; abandoned after {}", time(version.deadline)),
        State::Sealed => "waits for its check".into(),
        State::Checking => "is being checked".into(),
        State::Valid => match &version.promotion_state {
            Some(PromotionState::Skipped(why)) => format!("not promoted: {why}"),
            Some(PromotionState::Pending) => "waits for its promotion".into(),
            None if version.first_live_at.is_none() && version.pointed_by.is_empty() => format!(
                "passed, and waits for approval: septet point {} {} --reason WHY",
                version.dataset, version.version
            ),
            _ => "passed its checks".into(),
        },
        State::Abandoned => {
            format!("not complete by {}; never sealed, so its table stays", time(version.deadline))
        }
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
    let known = app.dataset(&args.dataset).await?;
    let dataset = known.dataset.clone();
    let number = number(app, &dataset, args.version).await?;
    let version = app.registry.version(&dataset, number).await?;
    let mut held = held(app, &known).await?;
    held.retain(|(name, _)| version.pointed_by.contains(name));
    let live = app.registry.pointer(&dataset, &PointerName::live()).await?;
    let of_live = holds::in_force(&known, &PointerName::live(), live.as_ref(), now());
    let kept = kept_until(&known, live.as_ref(), &of_live, &version, args.kept.duration());
    let mut log = app.registry.log(&dataset, None).await?;
    log.retain(|record| concerns(record, number));
    let mut page = facts(app, &version, kept.as_ref());
    for (name, holds) in &held {
        page = format!("{page}\n\n{name} is held:\n{}", holds::page(&dataset, name, holds, &app.actor));
    }
    let page = format!("{page}\n\n{}", log::page(app, &log));
    let holds: Vec<_> = held.iter().flat_map(|(_, holds)| holds).collect();
    let mut json = json!({"version": version, "holds": holds, "log": log});
    if let Some(KeptUntil { at, hold }) = kept {
        json["kept_until"] = json!({"at": at, "hold": hold.map(|hold| &hold.id)});
    }
    Ok(Answer::new(json, page))
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

/// Earliest time at which prune may retire a withdrawn version, and the hold without an end that keeps it longer.
#[derive(Debug, PartialEq, Eq)]
struct KeptUntil<'a> {
    at: Timestamp,
    hold: Option<&'a PointerHold>,
}

/// Derives that time from the mark, the holds of `live`, the grace and the time for which prune keeps such versions.
fn kept_until<'a>(
    dataset: &Dataset,
    live: Option<&Pointer>,
    holds: &'a [PointerHold],
    version: &Version,
    keep: SignedDuration,
) -> Option<KeptUntil<'a>> {
    let mark = version.withdrawn.as_ref().filter(|_| version.state == State::Valid)?;
    let later = |at: Timestamp, by: SignedDuration| at.checked_add(by).unwrap_or(Timestamp::MAX);
    let keeps = |at: Timestamp| dataset.kept_by_hold(version, live, at);
    let ends =
        holds.iter().filter_map(|hold| hold.until).filter(|end| keeps(*end - SignedDuration::from_nanos(1)));
    let grace = version.last_pointed_at.map(|at| later(at, dataset.settings.grace()));
    let at = ends.chain(grace).fold(later(mark.at, keep), Timestamp::max);
    let hold = holds.iter().find(|hold| hold.until.is_none()).filter(|_| keeps(Timestamp::MAX));
    Some(KeptUntil { at, hold })
}

/// Says by which operator a version is withdrawn, and until when its table stays.
fn withdrawn(version: &Version, kept: Option<&KeptUntil<'_>>) -> String {
    let Some(mark) = &version.withdrawn else { return String::new() };
    let said = format!("by {} at {}: {}", mark.by, time(mark.at), mark.reason);
    match kept {
        Some(KeptUntil { at, hold: Some(hold) }) => {
            format!("{said}; kept while hold {} of {} lasts, and until {}", hold.id, hold.by, time(*at))
        }
        Some(KeptUntil { at, hold: None }) => format!("{said}; kept until {}", time(*at)),
        None => said,
    }
}

/// Indexes and read limits of a version's table, a line each.
fn offers(version: &Version) -> String {
    let offers =
        version.offers.clone().and_then(|it| serde_json::from_value::<septet_tables::Offers>(it).ok());
    let Some(offers) = offers else { return String::new() };
    let names: Vec<_> = offers.indexes.iter().map(|index| index.name.as_str()).collect();
    let indexes = if names.is_empty() { "no index".into() } else { format!("indexes {}", names.join(", ")) };
    format!("{indexes}; {}", offers.reads)
}

fn facts(app: &App, version: &Version, kept: Option<&KeptUntil<'_>>) -> String {
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
        ("created", version.created_at.map(time).unwrap_or_default()),
        ("as of", version.as_of.map(time).unwrap_or_default()),
        ("announced", format!("{} by {}", time(version.announced_at), version.announced_by)),
        ("complete by", readiness.unwrap_or_default()),
        ("seal id", version.seal_id.as_ref().map(ToString::to_string).unwrap_or_default()),
        (
            "protected",
            if version.owner_protected { "by its owner, before the seal".into() } else { String::new() },
        ),
        ("offers", offers(version)),
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
        ("withdrawn", withdrawn(version, kept)),
        ("first live", version.first_live_at.map(time).unwrap_or_default()),
        ("named by", named_by(version)),
        ("last named", version.last_pointed_at.map(time).unwrap_or_default()),
        ("revision", version.revision.to_string()),
    ])
}
