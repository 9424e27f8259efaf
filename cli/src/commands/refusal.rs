//! Refusals of the registry, as answers with a hint.

use septet_registry::{DatasetName, Pointer, PointerHold, PointerName, Refusal};
use serde_json::json;

use super::holds;
use crate::app::{App, now};
use crate::exit;
use crate::screen::Answer;

/// The answer to a refused move: it shows where the pointer stands now.
pub(super) async fn refused_move(
    app: &App,
    set: &DatasetName,
    name: &PointerName,
    refusal: &Refusal,
) -> Answer {
    let (pointer, holds) = stands(app, set, name).await;
    let changed = matches!(
        refusal,
        Refusal::MovedSince { .. } | Refusal::HeldByOthers { .. } | Refusal::UnknownHold { .. }
    );
    let page = match pointer.as_ref().filter(|_| changed) {
        None => String::new(),
        Some(Pointer { version, table, .. }) => {
            let page = format!("{name} of {set} names version {version} ({table}). Nothing changed.");
            holds::below(page, set, name, &holds, &app.actor)
        }
    };
    print_refusal(app, &in_short(refusal), &hint(set, name, refusal));
    let reasons = [refusal.to_string()];
    let json = json!({"outcome": "refused", "reasons": reasons, "pointer": pointer, "holds": holds});
    Answer::new(json, page).with_code(exit::NO)
}

/// The answer to a refused mark; `verb` names the mark as a participle.
pub(super) fn refused_mark(app: &App, set: &DatasetName, verb: &str, refusal: &Refusal) -> Answer {
    let what = match refusal {
        Refusal::NotValid { version, is } => {
            format!("version {version} is {is}; only a valid version can be {verb}")
        }
        refusal => refusal.to_string(),
    };
    print_refusal(app, &what, &hint(set, &PointerName::live(), refusal));
    Answer::new(json!({"outcome": "refused", "reasons": [what]}), "").with_code(exit::NO)
}

/// The answer where the operator does not go on.
pub(in crate::commands) fn declined(app: &App) -> Answer {
    app.screen.call("no", "declined; nothing changed");
    Answer::new(json!({"outcome": "declined"}), "").with_code(exit::NO)
}

/// Prints why nothing was changed, and the next step.
pub(super) fn print_refusal(app: &App, what: &str, hint: &str) {
    app.screen.call("no", what);
    app.screen.say(&format!("hint: {hint}; nothing changed"));
}

/// The refusal without the holds, which the page lists.
fn in_short(refusal: &Refusal) -> String {
    match refusal {
        Refusal::HeldByOthers { pointer, .. } => format!("pointer {pointer} is on hold by others"),
        Refusal::UnknownHold { pointer, id, .. } => {
            format!("pointer {pointer} has no hold {id} that is in force")
        }
        refusal => refusal.to_string(),
    }
}

/// A pointer as it is now, with its holds in force; nothing if the registry does not answer.
async fn stands(app: &App, set: &DatasetName, name: &PointerName) -> (Option<Pointer>, Vec<PointerHold>) {
    let Ok(Some(pointer)) = app.registry.pointer(set, name).await else { return (None, Vec::new()) };
    let holds = match app.registry.dataset(set).await {
        Ok(dataset) => holds::in_force(&dataset, name, Some(&pointer), now()),
        Err(_) => Vec::new(),
    };
    (Some(pointer), holds)
}

/// The next step for an operator after a refusal.
fn hint(set: &DatasetName, name: &PointerName, refusal: &Refusal) -> String {
    let option = holds::option(name);
    match refusal {
        Refusal::NoPointer { candidates, .. } if candidates.is_empty() => {
            format!("`septet versions {set}` shows how far the versions are")
        }
        Refusal::NowhereToGo { candidates, .. } if candidates.is_empty() => {
            format!("`septet versions {set}` shows why; `septet reinstate` undoes a withdrawal")
        }
        Refusal::NoPointer { .. } | Refusal::NowhereToGo { .. } => {
            format!("`septet point {set} VERSION{option} --reason WHY` points at any valid version")
        }
        Refusal::NotHeld { .. } => "there is nothing to release".into(),
        Refusal::Identical { .. } => "--force goes on all the same".into(),
        Refusal::MovedSince { .. } => "run the command again: it shows what it would do now".into(),
        Refusal::Withdrawn { version, .. } => {
            format!("`septet reinstate {set} {version} --reason WHY` makes it a target again")
        }
        Refusal::UnknownHold { holds, .. } if holds.is_empty() => {
            "no hold is in force; leave --hold out".into()
        }
        Refusal::UnknownHold { .. } => "name a hold that is in force".into(),
        Refusal::HeldByOthers { .. } => "--hold ID ends the hold of another operator".into(),
        Refusal::Held { .. } => "--hold ID ends the hold of another operator; end it first".into(),
        Refusal::Pointed { .. } => {
            format!("point elsewhere first; `septet rollback {set}` withdraws the version that `live` leaves")
        }
        Refusal::Sealed { .. } => format!("`septet prune --plan {set}` shows when"),
        _ => format!("`septet versions {set}` lists the valid ones"),
    }
}
