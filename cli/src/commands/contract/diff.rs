//! Compares two contracts.

use std::path::Path;

use septet_contract::{Compatibility, Contract, Former, differences};
use septet_registry::{ContractNumber, DatasetName, State};
use serde_json::json;

use super::{Linted, Seen, breaks, judged, rollbacks, seen, stored};
use crate::app::App;
use crate::args::{Diff, Document};
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, Screen};

/// Compares two files; none if the registry is needed.
pub(crate) fn of_files(diff: &Diff, screen: &Screen) -> Option<Result<Answer, Failure>> {
    let (Document::File(before), Document::File(after)) = (&diff.before, &diff.after) else { return None };
    let read = |file: &Path| read(file, screen);
    let none = Seen::new();
    Some(read(before).and_then(|before| {
        let former = Former { number: 0, contract: &before, versions: Vec::new() };
        Ok(compare(&former, &read(after)?, diff.mode, &none, screen))
    }))
}

pub(crate) async fn diff(app: &App, diff: Diff) -> Result<Answer, Failure> {
    let (before, all, number) = match &diff.before {
        Document::File(file) => (read(file, &app.screen)?, Vec::new(), 0),
        Document::Stored(dataset, number) => {
            let (number, contract) = find(app, dataset, *number).await?;
            let mut kept = app.registry.versions(dataset).await?;
            kept.retain(|it| it.state == State::Valid && it.contract == number);
            (contract, kept, number.get())
        }
    };
    let after = match &diff.after {
        Document::File(file) => read(file, &app.screen)?,
        Document::Stored(dataset, number) => find(app, dataset, *number).await?.1,
    };
    let versions = all.iter().map(|it| it.version.get()).collect();
    let former = Former { number, contract: &before, versions };
    let seen = seen(app, &all, &after, std::slice::from_ref(&former)).await?;
    Ok(compare(&former, &after, diff.mode, &seen, &app.screen))
}

async fn find(
    app: &App,
    dataset: &DatasetName,
    number: Option<ContractNumber>,
) -> Result<(ContractNumber, Contract), Failure> {
    let number = match number {
        Some(number) => number,
        None => app.dataset(dataset).await?.contract,
    };
    Ok((number, stored(app, dataset, number).await?))
}

fn read(file: &Path, screen: &Screen) -> Result<Contract, Failure> {
    let linted = Linted::read(file)?;
    linted.read.map_err(|found| {
        for finding in &found {
            screen.say(&finding.in_file(&linted.file).to_string());
        }
        Failure::new(format!("failed to read {}: it is no contract", linted.file), "mend what is named above")
    })
}

fn compare(
    before: &Former<'_>,
    after: &Contract,
    mode: Option<Compatibility>,
    seen: &Seen,
    screen: &Screen,
) -> Answer {
    let mode = mode.unwrap_or(before.contract.settings().compatibility);
    let verdict = judged(after, std::slice::from_ref(before), mode, seen);
    let differences = differences(before.contract, after);
    let mut page: Vec<_> = differences.iter().map(ToString::to_string).collect();
    if page.is_empty() {
        page.push("They say the same.".to_owned());
    }
    if !verdict.breaks.is_empty() {
        page.push(format!("\n{}", breaks(&verdict, screen)));
    }
    if let Some(versions) = rollbacks(&verdict) {
        page.push(format!("\n{versions}"));
    }
    let compatible = verdict.is_compatible();
    page.push(format!("\n{} under {mode}", if compatible { "Compatible" } else { "Not compatible" }));
    let json = json!({"ok": compatible, "differences": differences, "compatibility": verdict});
    Answer::new(json, page.join("\n")).with_code(if compatible { exit::DONE } else { exit::NO })
}
