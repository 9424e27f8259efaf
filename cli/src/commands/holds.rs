//! Holds: shown, and ended.

use jiff::Timestamp;
use septet_registry::decide::{self, Act, newest_live};
use septet_registry::{
    Dataset, DatasetName, Decision, Outcome, Pointer, PointerHold, PointerName, Promotion, Refusal,
    ReleaseRequest, Transaction, Version, VersionNumber,
};
use serde_json::json;
use uuid::Uuid;

use super::moves::{broken_promises, forbidden, print_findings, show_versions};
use super::refusal::{declined, print_refusal, refused_move};
use super::target;
use crate::app::App;
use crate::args::Release;
use crate::confirm::confirm;
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, time};

/// The holds of a pointer that are in force.
pub(crate) fn in_force(
    dataset: &Dataset,
    name: &PointerName,
    pointer: Option<&Pointer>,
    now: Timestamp,
) -> Vec<PointerHold> {
    let mut holds = dataset.holds_of(name, pointer);
    holds.retain(|hold| hold.is_active(now));
    holds
}

/// The holds in force after a change that was made; a warning and none if they cannot be read.
pub(super) async fn now_in_force(
    app: &App,
    set: &DatasetName,
    name: &PointerName,
    pointer: &Pointer,
    now: Timestamp,
) -> Vec<PointerHold> {
    match app.registry.dataset(set).await {
        Ok(dataset) => in_force(&dataset, name, Some(pointer), now),
        Err(error) => {
            let what = format!("it is done, but the holds in force are not known: failed to {error}");
            app.screen.call("warning", &what);
            Vec::new()
        }
    }
}

/// The dataset's item as a transaction writes it, or as it is.
pub(super) fn dataset_in(transaction: &Transaction, dataset: &Dataset) -> Dataset {
    let written = transaction.writes.iter().find_map(|write| match &write.item {
        septet_registry::Item::Dataset(dataset) => Some(dataset.clone()),
        _ => None,
    });
    written.unwrap_or_else(|| dataset.clone())
}

/// The option that names a pointer in a command; none for `live`.
pub(super) fn option(name: &PointerName) -> String {
    if *name == PointerName::live() { String::new() } else { format!(" --pointer {name}") }
}

/// Prints the holds that a change ends.
pub(super) fn print_ended(app: &App, holds: &[PointerHold]) {
    for hold in holds {
        app.screen.say(&format!("ends: hold {} of {}: {}", hold.id, hold.by, hold.reason));
    }
}

/// Each hold, with the command that ends it.
pub(crate) fn page(set: &DatasetName, name: &PointerName, holds: &[PointerHold], actor: &str) -> String {
    let option = option(name);
    let lines = holds.iter().map(|hold| {
        let until = hold.until.map_or_else(String::new, |at| format!(" until {}", time(at)));
        let named = if hold.by == actor { String::new() } else { format!(" --hold {}", hold.id) };
        format!(
            "  hold {} of {}{until}: {}\n    ends with: septet release {set}{named}{option} --reason WHY",
            hold.id, hold.by, hold.reason
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A page with the holds below it, if there are any.
pub(super) fn below(
    text: String,
    set: &DatasetName,
    name: &PointerName,
    holds: &[PointerHold],
    actor: &str,
) -> String {
    if holds.is_empty() { text } else { format!("{text}\n{}", page(set, name, holds, actor)) }
}

/// A pointer and its dataset as they are before a release.
struct Before {
    dataset: Dataset,
    pointer: Option<Pointer>,
    versions: Vec<Version>,
    /// Numbers of the good versions that are newer than all that was live, the newest last.
    kept: Vec<VersionNumber>,
}

impl Before {
    async fn read(app: &App, set: &DatasetName, name: &PointerName) -> Result<Self, Failure> {
        // Read first: whatever changes afterwards, a hold too, gives the pointer another generation.
        let pointer = app.registry.pointer(set, name).await?;
        let dataset = app.dataset(set).await?;
        let versions = app.registry.versions(set).await?;
        // No other pointer moves by itself.
        let kept = match *name == PointerName::live() {
            true => kept_from_live(&dataset, &versions, pointer.as_ref()),
            false => Vec::new(),
        };
        Ok(Self { dataset, pointer, versions, kept })
    }

    fn version(&self, number: VersionNumber) -> Option<&Version> {
        self.versions.iter().find(|version| version.version == number)
    }
}

/// Good versions that are newer than what was ever live: those that a hold kept from going live.
fn kept_from_live(dataset: &Dataset, versions: &[Version], live: Option<&Pointer>) -> Vec<VersionNumber> {
    let newest = newest_live(dataset, versions, live).map(|version| dataset.rank(version));
    let newer = |version: &&Version| newest.is_none_or(|newest| dataset.rank(version) > newest);
    let mut kept: Vec<_> = versions.iter().filter(|version| version.is_good()).filter(newer).collect();
    kept.sort_by_key(|version| dataset.rank(version));
    kept.into_iter().map(|version| version.version).collect()
}

pub(crate) async fn release(app: &App, args: Release) -> Result<Answer, Failure> {
    let Release { dataset: set, reason, pointer: name, hold, promote_newest } = args;
    let before = Before::read(app, &set, &name).await?;
    let promote = if promote_newest { before.kept.last().copied() } else { None };
    let shown = Some(before.pointer.as_ref().map_or(0, |pointer| pointer.generation));
    let request = ReleaseRequest { hold, reason, promote, shown };
    let by = app.by();
    let act = Act { id: Uuid::nil(), at: by.now, actor: by.actor.clone() };
    let (pointer, versions) = (before.pointer.as_ref(), &before.versions);
    let planned = decide::release(&before.dataset, &name, pointer, versions, &request, &act);
    let left = match &planned {
        Decision::Commit(transaction, pointer) => {
            in_force(&dataset_in(transaction, &before.dataset), &name, Some(pointer), by.now)
        }
        Decision::Already(_) => Vec::new(),
        Decision::Refuse(refusal) => {
            let mut answer = refused_move(app, &set, &name, refusal).await;
            if matches!(refusal, Refusal::NotHeld { .. }) {
                answer.page = offer(&set, &before.kept).unwrap_or_default();
                answer.json["kept_from_live"] = json!(before.kept);
            }
            return Ok(answer);
        }
    };
    if promote_newest && promote.is_none() {
        return Ok(nothing_to_promote(app, &before.dataset, &name));
    }
    let mut ended = in_force(&before.dataset, &name, pointer, by.now);
    ended.retain(|hold| !left.iter().any(|it| it.id == hold.id));
    print_ended(app, &ended);
    if let Some(answer) = refuse_promotion(app, &before, &name, &request).await? {
        return Ok(answer);
    }
    let pointer = match app.registry.release(&set, &name, &request, &by).await? {
        Outcome::Done(pointer) | Outcome::Already(pointer) => pointer,
        Outcome::Refused(refusal) => return Ok(refused_move(app, &set, &name, &refusal).await),
    };
    let left = now_in_force(app, &set, &name, &pointer, by.now).await;
    let page = released(&before, &pointer, &left, promote, &by.actor);
    let json = json!({
        "outcome": "done", "pointer": pointer, "holds": left, "kept_from_live": before.kept, "promoted": promote,
    });
    Ok(Answer::new(json, page))
}

fn nothing_to_promote(app: &App, dataset: &Dataset, name: &PointerName) -> Answer {
    let what = match *name == PointerName::live() {
        true => "no version that passed is newer than what was live".to_owned(),
        false => format!("no version goes to {name} by itself, so the hold kept none from it"),
    };
    let set = &dataset.dataset;
    let hint = format!("release without --promote-newest, or point at a version of `septet versions {set}`");
    print_refusal(app, &what, &hint);
    Answer::new(json!({"outcome": "refused", "reasons": [what]}), "").with_code(exit::NO)
}

/// Shows the version that a release points readers at, and asks; the answer if that is not to be done.
async fn refuse_promotion(
    app: &App,
    before: &Before,
    name: &PointerName,
    request: &ReleaseRequest,
) -> Result<Option<Answer>, Failure> {
    let Some(to) = request.promote.and_then(|number| before.version(number)) else { return Ok(None) };
    let from = before.pointer.as_ref().and_then(|pointer| before.version(pointer.version));
    let set = &before.dataset.dataset;
    let mut findings = target::look(&app.tables, to, from).await?;
    findings.warnings.extend(broken_promises(app, &before.dataset, to).await);
    show_versions(app, set, name, from, to, &request.reason);
    print_findings(app, &findings, false);
    if let Some(answer) = forbidden(app, set, to, &findings, None) {
        return Ok(Some(answer));
    }
    Ok(match confirm("Go on?", app.yes)? {
        Some(_) => None,
        None => Some(declined(app)),
    })
}

fn released(
    before: &Before,
    pointer: &Pointer,
    left: &[PointerHold],
    promoted: Option<VersionNumber>,
    actor: &str,
) -> String {
    let Pointer { dataset: set, pointer: name, version, .. } = pointer;
    let is_live = *name == PointerName::live();
    if !left.is_empty() {
        let so = if is_live { ", and no version goes live by itself" } else { "" };
        let page = format!("{name} of {set} is still held. It names version {version}{so}.");
        return below(page, set, name, left, actor);
    }
    let next = if !is_live {
        ""
    } else if before.dataset.settings.promotion == Promotion::Manual {
        "; its contract leaves promotion to `septet point`"
    } else {
        "; the next version that passes goes live by itself"
    };
    let page = format!("{name} of {set} is released. It names version {version}{next}.");
    match (promoted, offer(set, &before.kept)) {
        (None, Some(offer)) => format!("{page}\n{offer}"),
        _ => page,
    }
}

/// Names the versions that a hold kept from going live, with the command that points at the newest.
fn offer(set: &DatasetName, kept: &[VersionNumber]) -> Option<String> {
    let newest = kept.last()?;
    let listed: Vec<_> = kept.iter().map(ToString::to_string).collect();
    let which = if kept.len() == 1 { "Version" } else { "Versions" };
    Some(format!(
        "{which} {} passed and never went live.\n\
         To point readers at the newest: septet point {set} {newest} --reason WHY",
        listed.join(", ")
    ))
}
