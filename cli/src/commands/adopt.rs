//! Hands existing tables over: lists them, and adopts them in order of creation.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use septet_checks::Checker;
use septet_contract::{Contract, Pattern, Rung};
use septet_registry::{
    Announcement, Dataset, DatasetName, DatasetOrder, KnownSignal, Message, Outcome, Reminder, Signal,
    TableReference, Version,
};
use septet_tables::{TableFacts, TableStatus};
use septet_verdict::key_problems;
use serde_json::json;

use super::refusal::declined;
use super::{publish, wait};
use crate::app::App;
use crate::args::Adopt;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::screen::{Answer, text, time};

/// For how long an adopted table may stay unsealed before it is shown as abandoned; its signal stays on record.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// A table that is to be adopted.
struct Candidate {
    facts: TableFacts,
    dataset: Dataset,
    contract: Contract,
    /// The version that it is, if it was announced.
    version: Option<Version>,
    /// Reasons against its adoption.
    unfit: Vec<String>,
}

impl Candidate {
    async fn read(
        app: &App,
        facts: TableFacts,
        dataset: Dataset,
        contract: Contract,
        version: Option<Version>,
    ) -> Result<Self, Failure> {
        let mut unfit: Vec<_> = version.as_ref().and_then(publish::goes_away).into_iter().collect();
        if facts.status == TableStatus::Deleting {
            unfit.push("it is being deleted".into());
        }
        // On-publish found a sealed table fit.
        if !version.as_ref().is_some_and(Version::was_sealed) {
            unfit.extend(key_problems(&Checker::new(&contract), &facts));
            unfit.extend(publish::unfit(app, &contract, &facts).await?);
        }
        Ok(Self { facts, dataset, contract, version, unfit })
    }

    /// Returns true for a table that Septet sealed under an id: nothing is left to hand over.
    fn is_septets(&self) -> bool {
        self.version.as_ref().is_some_and(|version| version.was_sealed() && version.seal_id.is_some())
    }

    /// The message that has on-publish look at the table.
    ///
    /// The adoption is on record, so a reminder is enough. A contract that takes no plain signal would refuse one. Where
    /// it takes one, release 0.1.0 of on-publish seals the table by it, and knows nothing of adoptions.
    fn message(&self, actor: &str) -> Message {
        let settings = self.contract.settings();
        let table = self.facts.name.to_string();
        if settings.order.is_default() && settings.readiness.contains(&Rung::Signal) {
            let by = Some(actor.to_owned());
            return Message::Signal(Signal {
                table,
                items: None,
                digest: None,
                by,
                table_id: None,
                as_of: None,
            });
        }
        Message::Reminder(Reminder { look_at: table, reason: format!("adopted by {actor}") })
    }
}

pub(crate) async fn adopt(app: &App, args: Adopt) -> Result<Answer, Failure> {
    if args.list {
        return list(app, args.dataset.as_ref()).await;
    }
    let mut candidates = Vec::new();
    for reference in &args.tables {
        candidates.push(candidate(app, &TableReference::parse(reference)?).await?);
    }
    hand_over(app, candidates).await
}

/// Shows the plan, asks, announces the tables in order of creation and has on-publish look at them.
async fn hand_over(app: &App, mut candidates: Vec<Candidate>) -> Result<Answer, Failure> {
    candidates.sort_by_key(|candidate| (candidate.facts.created_at, candidate.facts.name.clone()));
    candidates.dedup_by(|one, other| one.facts.id == other.facts.id);
    refuse_unfit(&candidates)?;
    if candidates.iter().all(Candidate::is_septets) {
        let versions: Vec<_> = candidates.iter().filter_map(|it| it.version.as_ref()).collect();
        let lines = versions.iter().map(|Version { table, version, dataset, state, .. }| {
            format!("{table} is version {version} of {dataset} already, {state}.\n")
        });
        let page = format!("{}Nothing changed.", lines.collect::<String>());
        return Ok(Answer::new(json!({"outcome": "already", "adopted": versions}), page));
    }
    show(app, &candidates);
    if confirm("Go on?", app.yes)?.is_none() {
        return Ok(declined(app));
    }
    let url = app.queue.url().await?;
    let (mut adopted, mut lines): (Vec<Version>, Vec<String>) = Default::default();
    for candidate in &candidates {
        let version = match hand_over_one(app, candidate, &url).await {
            Ok(version) => version,
            Err(failure) => {
                for line in &lines {
                    app.screen.say(line);
                }
                let hint = format!("{}; adopting a table again does no harm", failure.hint);
                return Err(Failure { hint, ..failure });
            }
        };
        lines.push(format!("{} is version {} of {}.", version.table, version.version, version.dataset));
        adopted.push(version);
    }
    let sets: BTreeSet<_> = adopted.iter().map(|version| &version.dataset).collect();
    lines.extend(sets.into_iter().map(|set| format!("Follow the adoption with: septet versions {set}")));
    Ok(Answer::new(json!({"outcome": "done", "adopted": adopted}), lines.join("\n")))
}

/// Fails with all tables that cannot be adopted, and the command that leaves them out.
fn refuse_unfit(candidates: &[Candidate]) -> Result<(), Failure> {
    let (fit, unfit): (Vec<_>, Vec<_>) = candidates.iter().partition(|candidate| candidate.unfit.is_empty());
    if unfit.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> =
        unfit.iter().map(|it| format!("{}: {}", it.facts.name, it.unfit.join("; "))).collect();
    let hint = match command(fit.iter().map(|it| &it.facts)) {
        Some(command) => format!("leave out what is named above: {command}"),
        None => "write the data to a new table that is fit, and publish that".into(),
    };
    let what = format!("failed to adopt {}; nothing was changed", lines.join("\n  "));
    Err(Failure::new(what, hint))
}

/// Prints the plan.
fn show(app: &App, candidates: &[Candidate]) {
    let mut table = app.screen.aside(&["DATASET", "TABLE", "CREATED", "IS"]);
    for Candidate { facts, dataset, version, .. } in candidates {
        let is = version
            .as_ref()
            .map_or_else(|| "no version yet".into(), |it| format!("version {}, {}", it.version, it.state));
        table.add_row([dataset.dataset.to_string(), facts.name.to_string(), time(facts.created_at), is]);
    }
    app.screen.say("These tables are handed over to Septet, in this order.");
    app.screen.say("Each is sealed for good, checked and, if it passes, published:");
    app.screen.say(&text(&table));
    let by_time = candidates.iter().filter(|it| it.dataset.settings.order == DatasetOrder::AsOf);
    for set in by_time.map(|it| &it.dataset.dataset).collect::<BTreeSet<_>>() {
        app.screen.call(
            "warning",
            &format!("{set} is ordered by as-of time: adopted tables have none and count as its oldest"),
        );
    }
}

async fn hand_over_one(app: &App, candidate: &Candidate, url: &str) -> Result<Version, Failure> {
    let version = announce(app, candidate).await?;
    if !version.was_sealed() {
        app.queue.send(url, &candidate.message(&app.actor), &candidate.facts.id).await?;
    }
    Ok(version)
}

/// Makes a table a version, or gives the version that it is, with the operator's word that it is complete.
async fn announce(app: &App, candidate: &Candidate) -> Result<Version, Failure> {
    let Candidate { facts, dataset, version, .. } = candidate;
    let by = app.by();
    let signal = KnownSignal {
        items: None,
        digest: None,
        by: Some(by.actor.clone()),
        as_of: None,
        sent_at: by.now,
        adopted: true,
    };
    let outcome = match version {
        None => {
            let new = Announcement {
                table: facts.name.clone(),
                table_arn: facts.arn.clone(),
                table_id: facts.id.clone(),
                created_by: "unknown".into(),
                noticed_by: format!("{}, who adopts it", by.actor),
                patience: PATIENCE,
                created_at: facts.created_at,
                signal: Some(signal),
            };
            app.registry.announce(&dataset.dataset, &new, &by).await?
        }
        // Release 0.1.0 sealed tables that nothing handed over.
        Some(version) if version.was_sealed() => {
            app.registry.name_seal(&version.dataset, version.version, &by).await?
        }
        Some(version) => app.registry.record_signal(&version.dataset, version.version, &signal, &by).await?,
    };
    match outcome {
        Outcome::Done(version) | Outcome::Already(version) => Ok(version),
        Outcome::Refused(refusal) => {
            Err(Failure::new(format!("failed to adopt {}: {refusal}", facts.name), "leave it out"))
        }
    }
}

async fn candidate(app: &App, reference: &TableReference) -> Result<Candidate, Failure> {
    let table = &reference.name;
    if table.as_str() == app.registry_table {
        return Err(Failure::new(
            format!("failed to adopt {table}: it is the registry; nothing was changed"),
            "leave it out",
        ));
    }
    let dataset = publish::claimed_by(app, table)
        .await
        .map_err(|failure| Failure { what: format!("{}; nothing was changed", failure.what), ..failure })?;
    let facts = wait::existing_table(app, reference).await?;
    let version = wait::version_of(app, &facts).await?;
    // A version stays in its dataset, even if the pattern of another dataset matches its table today.
    let dataset = match version.as_ref().filter(|version| version.dataset != dataset.dataset) {
        Some(version) => app.dataset(&version.dataset).await?,
        None => dataset,
    };
    let contract = publish::contract_in_force(app, &dataset).await?;
    Candidate::read(app, facts, dataset, contract, version).await
}

/// Existing tables that a dataset's pattern matches and that nothing handed over, in order of creation.
///
/// Tables that are younger than the contract are left out: they are announced by themselves.
pub(super) async fn older_tables(app: &App, dataset: &Dataset) -> Result<Vec<TableFacts>, Failure> {
    let Ok(pattern) = Pattern::parse(&dataset.settings.table_pattern) else { return Ok(Vec::new()) };
    let listed = app.tables.list().await?;
    let mut older = Vec::new();
    for table in listed.into_iter().filter(|table| pattern.matches(table.as_str())) {
        if table.as_str() == app.registry_table {
            continue;
        }
        let Some(facts) = app.tables.describe(&table).await? else { continue };
        let since = dataset.claims_since(|pattern| Pattern::claims(pattern, table.as_str()));
        let since = since.unwrap_or(Timestamp::MAX);
        if facts.created_at < since
            && wait::version_of(app, &facts).await?.is_none_or(|it| waits_for_adoption(&it))
        {
            older.push(facts);
        }
    }
    older.sort_by_key(|facts| facts.created_at);
    Ok(older)
}

/// Returns true for a version of release 0.1.0 whose table only its name handed over.
fn waits_for_adoption(version: &Version) -> bool {
    publish::goes_away(version).is_none()
        && match &version.readiness {
            None => version.signal.is_none(),
            Some(readiness) => version.seal_id.is_none() && !readiness.rung.is_signal(),
        }
}

/// Adopts every older table of a dataset.
pub(super) async fn adopt_all(
    app: &App,
    dataset: &Dataset,
    older: Vec<TableFacts>,
) -> Result<Answer, Failure> {
    let contract = publish::contract_in_force(app, dataset).await?;
    let mut candidates = Vec::new();
    for facts in older {
        let version = wait::version_of(app, &facts).await?;
        let (dataset, contract) = (dataset.clone(), contract.clone());
        candidates.push(Candidate::read(app, facts, dataset, contract, version).await?);
    }
    hand_over(app, candidates).await
}

/// The command that adopts tables; none without a table.
pub(super) fn command<'a>(tables: impl IntoIterator<Item = &'a TableFacts>) -> Option<String> {
    let names: Vec<_> = tables.into_iter().map(|facts| facts.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("septet adopt {}", names.join(" ")))
}

async fn list(app: &App, only: Option<&DatasetName>) -> Result<Answer, Failure> {
    let datasets = match only {
        Some(dataset) => vec![dataset.clone()],
        None => app.registry.datasets().await?.into_iter().map(|listing| listing.dataset).collect(),
    };
    let mut table = app.screen.table(&["DATASET", "TABLE", "CREATED"]);
    let (mut listed, mut commands) = (Vec::new(), Vec::new());
    for name in datasets {
        let dataset = app.dataset(&name).await?;
        let older = older_tables(app, &dataset).await?;
        for facts in &older {
            table.add_row([name.to_string(), facts.name.to_string(), time(facts.created_at)]);
            listed.push(json!({"dataset": name, "table": facts.name, "created_at": facts.created_at}));
        }
        commands.extend(command(&older));
    }
    if listed.is_empty() {
        let page =
            "Every existing table that a contract claims is handed over, or younger than the contract.";
        return Ok(Answer::new(listed, page));
    }
    Ok(Answer::new(listed, format!("{}\n\n{}", text(&table), commands.join("\n"))))
}
