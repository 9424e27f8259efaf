//! Says that a table is complete.

use septet_checks::Checker;
use septet_contract::{Contract, Pattern, Rung};
use septet_registry::{Dataset, Listing, Signal, TableName};
use septet_tables::{TableFacts, TableStatus};
use serde_json::json;

use super::wait;
use crate::app::App;
use crate::args::Publish;
use crate::failure::Failure;
use crate::screen::Answer;

pub(crate) async fn publish(app: &App, args: Publish) -> Result<Answer, Failure> {
    let table = TableName::from_name_or_arn(&args.table)?;
    let dataset = claimed_by(app, &table)
        .await
        .map_err(|failure| Failure { what: format!("{}; nothing was sent", failure.what), ..failure })?;
    let facts = look(app, &table).await?;
    fits(app, &dataset, &facts, args.items.is_some()).await?;
    let url = app.queue.url().await?;
    let before = wait::version_of(app, &facts).await?;
    let signal = Signal {
        table: table.to_string(),
        items: args.items,
        digest: args.digest.clone(),
        by: Some(app.actor.clone()),
    };
    app.queue.send(&url, &signal).await?;
    let said = format!(
        "Told Septet that {table} is complete: it will be sealed and checked as a version of {}.",
        dataset.dataset
    );
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
    let claims = |listing: &&Listing| {
        Pattern::parse(&listing.table_pattern).is_ok_and(|pattern| pattern.matches(table.as_str()))
    };
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

async fn look(app: &App, table: &TableName) -> Result<TableFacts, Failure> {
    match app.tables.describe(table).await? {
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

/// Holds against the contract what can be told without reading the table.
async fn fits(app: &App, dataset: &Dataset, facts: &TableFacts, with_items: bool) -> Result<(), Failure> {
    let (name, number) = (&dataset.dataset, dataset.contract);
    let stored = app.registry.contract(name, number).await?;
    let contract = stored.and_then(|stored| Contract::parse(&stored.document).ok());
    let Some(contract) = contract else {
        return Err(Failure::new(
            format!("failed to read contract {number} of {name}; nothing was sent"),
            format!("`septet contract show {name}` shows it; put it again, or update septet"),
        ));
    };
    let key = |attribute: &septet_tables::KeyAttribute| (attribute.name.clone(), attribute.kind.as_str());
    let (partition, sort) = (key(&facts.keys.partition), facts.keys.sort.as_ref().map(key));
    let problems = Checker::new(&contract)
        .key_problems((&partition.0, partition.1), sort.as_ref().map(|(name, kind)| (name.as_str(), *kind)));
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
