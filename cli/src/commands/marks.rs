//! Marks on versions: withdrawn, reinstated, discarded.

use septet_registry::decide::{self, Act};
use septet_registry::{Decision, Mark, Outcome, TableReference, Version};
use serde_json::json;
use uuid::Uuid;

use super::refusal::{declined, refused_mark};
use super::wait;
use crate::app::App;
use crate::args::{Discard, Marked};
use crate::confirm::confirm;
use crate::exit;
use crate::failure::Failure;
use crate::screen::Answer;

pub(crate) async fn withdraw(app: &App, args: Marked) -> Result<Answer, Failure> {
    let Marked { dataset, version, reason } = args;
    app.dataset(&dataset).await?;
    let outcome = app.registry.withdraw(&dataset, version, &reason, &app.by()).await?;
    Ok(match outcome {
        Outcome::Done(version) => marked(
            &version,
            "done",
            format!(
                "Version {number} of {dataset} is withdrawn: it is no baseline, takes no retention place and is never \
                 promoted.\n`septet reinstate {dataset} {number} --reason WHY` undoes it.",
                number = version.version
            ),
        ),
        Outcome::Already(version) => marked(
            &version,
            "already",
            format!(
                "Version {} of {dataset} is withdrawn already, {}. Nothing changed.",
                version.version,
                describe_mark(version.withdrawn.as_ref())
            ),
        ),
        Outcome::Refused(refusal) => refused_mark(app, &dataset, "withdrawn", &refusal),
    })
}

pub(crate) async fn reinstate(app: &App, args: Marked) -> Result<Answer, Failure> {
    let Marked { dataset, version, reason } = args;
    app.dataset(&dataset).await?;
    let outcome = app.registry.reinstate(&dataset, version, &reason, &app.by()).await?;
    Ok(match outcome {
        Outcome::Done(version) => marked(
            &version,
            "done",
            format!(
                "Version {number} of {dataset} is reinstated: it counts again as a good version.\n\
                 `septet point {dataset} {number} --reason WHY` points readers at it.",
                number = version.version
            ),
        ),
        Outcome::Already(version) => {
            let page = format!("Version {} of {dataset} is not withdrawn. Nothing changed.", version.version);
            marked(&version, "already", page)
        }
        Outcome::Refused(refusal) => refused_mark(app, &dataset, "reinstated", &refusal),
    })
}

/// Names the operator that set a mark, with the reason.
fn describe_mark(mark: Option<&Mark>) -> String {
    mark.map(|mark| format!("by {}: {}", mark.by, mark.reason)).unwrap_or_default()
}

fn marked(version: &Version, outcome: &str, page: String) -> Answer {
    Answer::new(json!({"outcome": outcome, "version": version}), page)
}

/// Records that tables are to be deleted that were never sealed; all of them, or none.
pub(crate) async fn discard(app: &App, args: Discard) -> Result<Answer, Failure> {
    let mut versions: Vec<Version> = Vec::new();
    for text in &args.tables {
        let version = version_of(app, &TableReference::parse(text)?).await?;
        if !versions.iter().any(|known| known.table_id == version.table_id) {
            versions.push(version);
        }
    }
    let by = app.by();
    let act = Act { id: Uuid::nil(), at: by.now, actor: by.actor.clone() };
    for version in &versions {
        if let Decision::Refuse(refusal) = decide::discard(version, &args.reason, &act) {
            return Ok(refused_mark(app, &version.dataset, "discarded", &refusal));
        }
    }
    for version in &versions {
        app.screen.say(&format!(
            "{} (version {} of {}, {}, table id {}) will be deleted by prune.",
            version.table, version.version, version.dataset, version.state, version.table_id
        ));
    }
    if confirm("Go on?", app.yes)?.is_none() {
        return Ok(declined(app));
    }
    let (mut lines, mut done, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for version in &versions {
        let (dataset, number) = (&version.dataset, version.version);
        match app.registry.discard(dataset, number, &args.reason, &by).await? {
            Outcome::Done(version) => {
                lines.push(format!("{} is discarded; the next sweeps of prune delete it.", version.table));
                done.push(version);
            }
            Outcome::Already(version) => {
                let by = describe_mark(version.discard.as_ref());
                lines.push(format!("{} is discarded already, {by}.", version.table));
                done.push(version);
            }
            // Sealed in the meantime.
            Outcome::Refused(refusal) => {
                app.screen.call("no", &format!("{} is not discarded: {refusal}", version.table));
                refused.push(json!({"table": version.table, "reason": refusal.to_string()}));
            }
        }
    }
    if !done.is_empty() {
        lines.push("A table with deletion protection stays until its owner switches that off.".into());
    }
    let code = if refused.is_empty() { exit::DONE } else { exit::NO };
    Ok(Answer::new(json!({"discarded": done, "refused": refused}), lines.join("\n")).with_code(code))
}

/// The version that the table of this name is.
async fn version_of(app: &App, reference: &TableReference) -> Result<Version, Failure> {
    let table = &reference.name;
    let facts = wait::existing_table(app, reference).await?;
    wait::version_of(app, &facts).await?.ok_or_else(|| {
        Failure::new(
            format!(
                "failed to discard {table}: it is no version, so Septet never deletes it; nothing was changed"
            ),
            "delete it yourself if it is yours",
        )
    })
}
