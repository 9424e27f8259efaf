//! Puts a contract in force.

use std::collections::BTreeMap;
use std::path::Path;

use septet_contract::{Compatibility, Contract, Former, Pattern, Verdict};
use septet_registry::{
    ContractNumber, Dataset, DatasetName, DatasetOrder, Listing, NewContract, Outcome, Promotion, Settings,
    State,
};
use serde_json::json;

use super::{Linted, breaks, facts, judged, page, rollbacks, seen, stored};
use crate::app::App;
use crate::commands::adopt;
use crate::confirm::can_confirm;
use crate::exit;
use crate::failure::Failure;
use crate::screen::Answer;

pub(crate) async fn put(
    app: &App,
    file: &Path,
    reason: Option<String>,
    breaking: bool,
    adopt: bool,
) -> Result<Answer, Failure> {
    if adopt && !can_confirm(app.yes) {
        return Err(Failure::new(
            "failed to ask whether to adopt: there is no terminal; nothing was put",
            "say --yes to go on, or put the contract without --adopt: it shows the tables",
        ));
    }
    let linted = Linted::read(file)?;
    linted.say(&app.screen);
    let contract = match &linted.read {
        Ok(contract) => contract,
        Err(_) => return Ok(linted.refused("; nothing was put")),
    };
    let dataset = DatasetName::parse(contract.name()).map_err(|error| {
        Failure::new(
            format!("failed to make a dataset of the contract's `name` {:?}", error.text),
            format!("change `name` in {}: it {}", linted.file, error.rule),
        )
    })?;
    let pattern = &contract.settings().table_pattern;
    if let Some((other, name)) = claimed_twice(&app.registry.datasets().await?, &dataset, pattern) {
        let what = format!(
            "septet.tablePattern {:?} would claim tables of the dataset {} too, such as {name}",
            pattern.as_str(),
            other.dataset
        );
        app.screen.call("no", &what);
        app.screen.say(&format!(
            "hint: choose a pattern that no name of {:?} matches; nothing was put",
            other.table_pattern
        ));
        let refused = json!({"ok": false, "dataset": dataset, "refused": what});
        return Ok(Answer::new(refused, "").with_code(exit::NO));
    }
    let known = app.registry.find_dataset(&dataset).await?;
    let judged = match &known {
        Some(known) if known.contract_digest != contract.digest() => Some(judge(app, known, contract).await?),
        _ => None,
    };
    let broken = judged.as_ref().filter(|verdict| !verdict.is_compatible());
    if let Some(verdict) = broken.filter(|_| !breaking) {
        return Ok(refuse(app, &dataset, verdict));
    }
    let breaking = broken.is_some();
    let new = NewContract {
        dataset: dataset.clone(),
        settings: settings(contract),
        document: contract.to_json().to_owned(),
        digest: contract.digest(),
        over: known.as_ref().map(|known| known.contract),
        reason: if breaking { reason.map(|reason| format!("breaking: {reason}")) } else { reason },
    };
    let changes = changes(known.as_ref(), &new.settings);
    let (done, number) = match app.registry.put_contract(&new, &app.by()).await? {
        Outcome::Done(number) => (true, number),
        Outcome::Already(number) => (false, number),
        Outcome::Refused(refusal) => {
            app.screen.call("no", &refusal.to_string());
            app.screen.say("hint: put it again, and it is judged against the contract that is in force now");
            let refused = json!({"ok": false, "dataset": dataset, "refused": refusal.to_string()});
            return Ok(Answer::new(refused, "").with_code(exit::NO));
        }
    };
    let said = match (done, known.is_some()) {
        (true, false) => format!("Contract {number} of {dataset} is in force. The dataset is new."),
        (true, true) => format!("Contract {number} of {dataset} is in force."),
        (false, _) => format!("Contract {number} of {dataset} is in force already. Nothing changed."),
    };
    let mut page = format!("{}\n\n{said}", page(contract, &app.screen));
    for change in &changes {
        page = format!("{page}\n  {change}");
    }
    let mut json = facts(contract, &linted.file);
    if let Some(verdict) = &judged {
        json["compatibility"] = json!(verdict);
        if breaking {
            page = format!(
                "{page}\n\nIt breaks what {} forbids:\n{}",
                verdict.mode,
                breaks(verdict, &app.screen)
            );
        }
        if let Some(versions) = rollbacks(verdict) {
            page = format!("{page}\n\n{versions}");
        }
    }
    json["contract"] = json!(number);
    json["changed"] = json!(done);
    let mut answer = Answer::new(json, page);
    let was = known.as_ref().map(|known| known.settings.table_pattern.as_str());
    let step = Step { is_new: known.is_none(), done, other_pattern: was != Some(pattern.as_str()), adopt };
    // The contract is put: a failure from here on takes nothing of that back.
    if let Err(failure) = step.follow(app, &dataset, &mut answer).await {
        let (word, are, code) = match adopt {
            true => ("error", "not adopted", exit::UNKNOWN),
            false => ("warning", "not known", exit::DONE),
        };
        app.screen.call(word, &format!("the contract is in force, but its tables are {are}: {failure}"));
        answer.json["failed"] = json!(failure.what);
        answer.code = code;
    }
    Ok(answer)
}

/// Work that follows once a contract is put.
struct Step {
    /// The dataset is new.
    is_new: bool,
    /// The contract was put now, not before.
    done: bool,
    /// Its pattern is not the one that was in force before.
    other_pattern: bool,
    /// Existing tables are to be adopted.
    adopt: bool,
}

impl Step {
    /// Names versions under way and existing tables, and adopts them if that is wanted.
    async fn follow(&self, app: &App, set: &DatasetName, answer: &mut Answer) -> Result<(), Failure> {
        let now = app.dataset(set).await?;
        if self.done && !self.is_new {
            let under_way = under_way(app, &now).await?;
            answer.json["under_way"] = json!(under_way);
            for line in &under_way {
                answer.page.push_str(&format!("\n  {line}"));
            }
        }
        if !self.other_pattern && !self.adopt {
            return Ok(());
        }
        let older = adopt::older_tables(app, &now).await?;
        answer.json["existing_tables"] = json!(older.iter().map(|facts| &facts.name).collect::<Vec<_>>());
        let Some(command) = adopt::command(&older) else { return Ok(()) };
        answer.page.push_str(&match older.len() {
            1 => "\n\n1 existing table matches its pattern.".to_owned(),
            count => format!("\n\n{count} existing tables match its pattern."),
        });
        let leaves = format!(
            " Septet leaves existing tables alone.\nTo seal, check and publish them in order of creation:\n  {command}"
        );
        if !self.adopt {
            answer.page.push_str(&leaves);
            return Ok(());
        }
        let adopted = adopt::adopt_all(app, &now, older).await;
        match &adopted {
            Ok(adopted) if adopted.code == exit::DONE => answer.page.push_str(&format!("\n{}", adopted.page)),
            _ => answer.page.push_str(&leaves),
        }
        let adopted = adopted?;
        answer.code = adopted.code;
        answer.json["adoption"] = adopted.json;
        Ok(())
    }
}

/// Versions under way, and by which contract each is checked.
async fn under_way(app: &App, dataset: &Dataset) -> Result<Vec<String>, Failure> {
    let versions = app.registry.versions(&dataset.dataset).await?;
    let lines = versions.iter().filter_map(|version| match version.state {
        State::Announced => Some(format!(
            "version {} ({}) is under way and will be checked by this contract",
            version.version, version.table
        )),
        State::Sealed | State::Checking => Some(format!(
            "version {} ({}) is sealed and is checked by contract {}",
            version.version, version.table, version.contract
        )),
        _ => None,
    });
    Ok(lines.collect())
}

/// Judges a new contract against the one in force and those of versions that are kept, by the mode in force.
async fn judge(app: &App, known: &Dataset, new: &Contract) -> Result<Verdict, Failure> {
    let mut versions: BTreeMap<ContractNumber, Vec<u64>> = BTreeMap::from([(known.contract, Vec::new())]);
    let all = app.registry.versions(&known.dataset).await?;
    for version in &all {
        let target = version.state == State::Valid;
        if target || matches!(version.state, State::Announced | State::Sealed | State::Checking) {
            versions.entry(version.contract).or_default().extend(target.then_some(version.version.get()));
        }
    }
    let mut contracts = Vec::new();
    for (number, versions) in versions {
        contracts.push((number.get(), stored(app, &known.dataset, number).await?, versions));
    }
    let mode = contracts.iter().find(|(number, ..)| *number == known.contract.get());
    let mode =
        mode.map_or(Compatibility::FullTransitive, |(_, contract, _)| contract.settings().compatibility);
    let former: Vec<_> = contracts
        .iter()
        .map(|(number, contract, versions)| Former { number: *number, contract, versions: versions.clone() })
        .collect();
    let seen = seen(app, &all, new, &former).await?;
    Ok(judged(new, &former, mode, &seen))
}

fn refuse(app: &App, dataset: &DatasetName, verdict: &Verdict) -> Answer {
    let forbidden = verdict.breaks.iter().filter(|it| it.forbidden).count();
    let what = format!("the contract breaks what {} forbids, {forbidden} times", verdict.mode);
    app.screen.call("no", &what);
    app.screen.say("hint: mend it, or put it with --breaking and --reason; nothing was put");
    let mut page = breaks(verdict, &app.screen);
    if let Some(versions) = rollbacks(verdict) {
        page = format!("{page}\n\n{versions}");
    }
    let json = json!({"ok": false, "dataset": dataset, "refused": what, "compatibility": verdict});
    Answer::new(json, page).with_code(exit::NO)
}

/// Another dataset that claims a name that the pattern claims, with that name.
fn claimed_twice<'a>(
    listings: &'a [Listing],
    dataset: &DatasetName,
    pattern: &Pattern,
) -> Option<(&'a Listing, String)> {
    let others = listings.iter().filter(|listing| listing.dataset != *dataset);
    // A pattern that cannot be read claims nothing.
    let patterns = others.filter_map(|other| Some((other, Pattern::parse(&other.table_pattern).ok()?)));
    patterns.into_iter().find_map(|(other, theirs)| Some((other, pattern.overlap(&theirs)?)))
}

fn settings(contract: &Contract) -> Settings {
    let settings = contract.settings();
    Settings {
        table_pattern: settings.table_pattern.to_string(),
        promotion: match settings.promotion {
            septet_contract::Promotion::Auto => Promotion::Auto,
            septet_contract::Promotion::Manual => Promotion::Manual,
        },
        keep_newest: settings.keep_newest,
        grace_minutes: settings.grace_minutes,
        poll_seconds: settings.poll_seconds,
        order: match settings.order {
            septet_contract::Order::Created => DatasetOrder::Created,
            septet_contract::Order::AsOf => DatasetOrder::AsOf,
        },
    }
}

/// What a new contract changes of how its dataset is kept.
fn changes(known: Option<&Dataset>, new: &Settings) -> Vec<String> {
    let Some(Dataset { settings: old, .. }) = known else { return Vec::new() };
    let named = |promotion| if promotion == Promotion::Auto { "auto" } else { "manual" }.to_owned();
    let ordered = |order| if order == DatasetOrder::AsOf { "as-of time" } else { "creation" }.to_owned();
    let pairs = [
        ("tables", old.table_pattern.clone(), new.table_pattern.clone()),
        ("promotion", named(old.promotion), named(new.promotion)),
        ("keep newest", old.keep_newest.to_string(), new.keep_newest.to_string()),
        ("grace", format!("{} min", old.grace_minutes), format!("{} min", new.grace_minutes)),
        ("poll", format!("{} s", old.poll_seconds), format!("{} s", new.poll_seconds)),
        ("order", ordered(old.order), ordered(new.order)),
    ];
    let changed = pairs.into_iter().filter(|(_, old, new)| old != new);
    changed.map(|(what, old, new)| format!("{what}: {old} -> {new}")).collect()
}
