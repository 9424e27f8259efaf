//! Says that a table is complete.

use septet_checks::Checker;
use septet_contract::{Contract, Pattern, Rung};
use septet_registry::{
    Dataset, DatasetOrder, Listing, Message, Signal, State, TableName, TableReference, Version,
};
use septet_tables::{TableFacts, TableStatus};
use septet_verdict::{expiry, key_problems, missing_indexes};
use serde_json::json;

use super::wait;
use crate::app::App;
use crate::args::Publish;
use crate::failure::Failure;
use crate::screen::Answer;

pub(crate) async fn publish(app: &App, args: Publish) -> Result<Answer, Failure> {
    let reference = TableReference::parse(&args.table)?;
    let table = reference.name.clone();
    let dataset = claimed_by(app, &table)
        .await
        .map_err(|failure| Failure { what: format!("{}; nothing was sent", failure.what), ..failure })?;
    let facts = look(app, &reference).await?;
    fits(app, &dataset, &facts, &args).await?;
    let before = wait::version_of(app, &facts).await?;
    if let Some(why) = before.as_ref().and_then(goes_away) {
        return Err(Failure::new(
            format!("failed to publish {table}: {why}; nothing was sent"),
            "write the data to a new table, and publish that",
        ));
    }
    let url = app.queue.url().await?;
    let signal = Signal {
        table: table.to_string(),
        items: args.items,
        digest: args.digest.clone(),
        by: Some(app.actor.clone()),
        // It goes beside the body.
        table_id: None,
        as_of: args.as_of,
    };
    app.queue.send(&url, &Message::Signal(signal.clone()), &facts.id).await?;
    let said = match before.as_ref().filter(|before| before.was_sealed()) {
        Some(Version { version, state, .. }) => {
            format!(
                "Told Septet again that {table} is complete: it is version {version} of {}, {state}.",
                dataset.dataset
            )
        }
        None => format!(
            "Told Septet that {table} is complete: it will be sealed and checked as a version of {}.",
            dataset.dataset
        ),
    };
    if args.wait {
        app.screen.say(&said);
        return wait::until_verdict(app, &dataset.dataset, &facts, before.as_ref(), args.timeout).await;
    }
    let page = format!("{said}\nFollow it with: septet versions {}", dataset.dataset);
    Ok(Answer::new(json!({"table": table, "dataset": dataset.dataset, "signal": signal}), page))
}

/// The dataset whose pattern claims the table.
pub(super) async fn claimed_by(app: &App, table: &TableName) -> Result<Dataset, Failure> {
    let listings = app.registry.datasets().await?;
    let claims = |listing: &&Listing| Pattern::claims(&listing.table_pattern, table.as_str());
    let claiming: Vec<_> = listings.iter().filter(claims).collect();
    match claiming.as_slice() {
        [one] => app.dataset(&one.dataset).await,
        [] => {
            let patterns: Vec<_> =
                listings.iter().map(|it| format!("{} ({})", it.table_pattern, it.dataset)).collect();
            let there = if patterns.is_empty() { "no dataset yet".into() } else { patterns.join(", ") };
            Err(Failure::new(
                format!("failed to tell whose table {table} is: no dataset claims it"),
                format!("name the table after a septet.tablePattern; there is {there}"),
            ))
        }
        several => {
            let names: Vec<_> = several.iter().map(|it| it.dataset.as_str()).collect();
            Err(Failure::new(
                format!("failed to tell whose table {table} is: {} claim it", names.join(", ")),
                "make their septet.tablePattern exclude each other",
            ))
        }
    }
}

/// Says why a table that is a version is never published again, if it is going to be deleted.
pub(super) fn goes_away(version: &Version) -> Option<String> {
    if let Some(mark) = &version.discard {
        return Some(format!("it was discarded by {}: {}", mark.by, mark.reason));
    }
    match version.state {
        State::Retiring | State::Deleted | State::Lost => {
            Some(format!("it is version {}, which is {}", version.version, version.state))
        }
        _ => None,
    }
}

async fn look(app: &App, reference: &TableReference) -> Result<TableFacts, Failure> {
    let table = &reference.name;
    if table.as_str() == app.registry_table {
        return Err(Failure::new(
            format!("failed to publish {table}: it is the registry; nothing was sent"),
            "make septet.tablePattern so narrow that it does not match the registry",
        ));
    }
    match app.tables.describe(table).await? {
        Some(facts) if !reference.matches(&facts.arn) => Err(Failure::new(
            format!(
                "failed to publish {reference}: the table of that name here is {}; nothing was sent",
                facts.arn
            ),
            "use the credentials and the region of the account that has the table",
        )),
        Some(facts) if facts.status == TableStatus::Deleting => Err(Failure::new(
            format!("failed to publish {table}: it is being deleted; nothing was sent"),
            "write the data to a new table",
        )),
        Some(facts) => Ok(facts),
        None => Err(Failure::new(
            format!(
                "failed to find the table {table}: it does not exist in {}; nothing was sent",
                app.region
            ),
            "check the name, AWS_REGION and the account",
        )),
    }
}

/// The contract in force of a dataset.
pub(super) async fn contract_in_force(app: &App, dataset: &Dataset) -> Result<Contract, Failure> {
    let (name, number) = (&dataset.dataset, dataset.contract);
    let stored = app.registry.contract(name, number).await?;
    let contract = stored.and_then(|stored| Contract::parse(&stored.document).ok());
    contract.ok_or_else(|| {
        Failure::new(
            format!("failed to read contract {number} of {name}; nothing was changed"),
            format!("`septet contract show {name}` shows it; put it again, or update septet"),
        )
    })
}

/// Returns why on-publish would reject a table before it seals it, as far as the operator may look.
pub(super) async fn unfit(
    app: &App,
    contract: &Contract,
    facts: &TableFacts,
) -> Result<Vec<String>, Failure> {
    let mut unfit = facts.features.refused.clone();
    unfit.extend(missing_indexes(contract, facts));
    match app.tables.ttl(&facts.name).await {
        Ok(ttl) => unfit.extend(expiry(&ttl)),
        // On-publish looks, too.
        Err(septet_tables::Error::Denied { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(unfit)
}

/// Holds against the contract what can be told without reading the table.
async fn fits(app: &App, dataset: &Dataset, facts: &TableFacts, args: &Publish) -> Result<(), Failure> {
    let with_items = args.items.is_some();
    let contract = contract_in_force(app, dataset).await?;
    let (name, number) = (&dataset.dataset, dataset.contract);
    let problems = key_problems(&Checker::new(&contract), facts);
    if !problems.is_empty() {
        return Err(Failure::new(
            format!(
                "failed to publish {}: its keys are not those of contract {number} of {name}: {}; nothing was sent",
                facts.name,
                problems.join("; ")
            ),
            "create a table with these keys, or put a contract with the table's",
        ));
    }
    let unfit = unfit(app, &contract, facts).await?;
    if !unfit.is_empty() {
        return Err(Failure::new(
            format!("failed to publish {}: {}; nothing was sent", facts.name, unfit.join("; ")),
            "Septet never seals such a table: write the data to a new table that is fit",
        ));
    }
    if dataset.settings.order == DatasetOrder::AsOf && args.as_of.is_none() {
        return Err(Failure::new(
            format!(
                "failed to publish {}: septet.order of its contract is asOf; nothing was sent",
                facts.name
            ),
            "say what time the data stands for, such as --as-of 2026-11-21",
        ));
    }
    let readiness = &contract.settings().readiness;
    let takes = |rung: Rung| readiness.contains(&rung);
    if !(takes(Rung::Signal) || takes(Rung::Manifest) && with_items) {
        let accepted: Vec<_> = readiness.iter().map(ToString::to_string).collect();
        let hint = match takes(Rung::Manifest) {
            true => "say how many items were written: --items N",
            false => "complete the table in one of these ways, or add `signal` to septet.readiness",
        };
        return Err(Failure::new(
            format!(
                "failed to publish {}: septet.readiness of its contract takes {}; nothing was sent",
                facts.name,
                accepted.join(", ")
            ),
            hint,
        ));
    }
    Ok(())
}
