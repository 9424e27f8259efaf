//! Checks items as on-publish would, and changes nothing.

mod against;
mod files;
mod page;
mod table;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use septet_checks::{Checker, FunctionAnswer, History, Profile};
use septet_contract::Contract;
use septet_registry::{TableName, VersionNumber};
use septet_tables::TableFacts;
use septet_verdict::{Judged, Seen, Subject};

use self::files::Items;
use self::page::{Page, annotate};
use self::table::Scanned;
use super::contract::Linted;
use super::publish::claimed_by;
use crate::app::{App, now};
use crate::args::Check;
use crate::exit;
use crate::failure::Failure;
use crate::items::Files;
use crate::junit;
use crate::screen::{Answer, Screen};

/// Whether a check reaches for the registry, a table or functions.
pub(crate) fn needs_aws(args: &Check) -> bool {
    args.contract.is_none()
        || args.table.is_some()
        || args.with_lambda
        || against::needs_aws(args.against.as_ref())
}

/// Checks files or a table; without an `app` what needs no AWS.
pub(crate) async fn check(app: Option<&App>, args: &Check, screen: &Screen) -> Result<Answer, Failure> {
    let table = args.table.as_deref().map(TableName::from_name_or_arn).transpose()?;
    let contract = match (&args.contract, app) {
        (Some(file), _) => {
            let linted = Linted::read(file)?;
            linted.say(screen);
            match linted.read {
                Ok(contract) => contract,
                Err(_) => return Ok(linted.refused("; nothing was checked").with_code(exit::UNKNOWN)),
            }
        }
        (None, Some(app)) => in_force(app, args, table.as_ref()).await?,
        (None, None) => return Err(no_contract()),
    };
    let case = Case { app, args, screen, contract: &contract, checker: Arc::new(Checker::new(&contract)) };
    match (&table, app) {
        (Some(table), Some(app)) => case.table(app, table).await,
        _ => case.files().await,
    }
}

/// What is to be checked, by what.
struct Case<'a> {
    app: Option<&'a App>,
    args: &'a Check,
    screen: &'a Screen,
    contract: &'a Contract,
    checker: Arc<Checker>,
}

impl Case<'_> {
    async fn table(&self, app: &App, table: &TableName) -> Result<Answer, Failure> {
        let Self { screen, contract, checker, .. } = self;
        let bar = progress(screen, true);
        let scanned = table::scan(app, table, checker, &bar).await;
        bar.finish_and_clear();
        let Scanned { seen, facts, ttl, sealed, read_units } = &scanned?;
        if !sealed {
            let warning = format!(
                "{table} is not sealed: whoever writes to it now changes what would be published; this holds for what \
                 was read"
            );
            screen.call("warning", &warning);
        }
        let version = version_of(app, facts).await?;
        let mut history = self.history(version).await?;
        let subject = Subject { contract, version, table: Some((table, &facts.arn)), seen };
        history.answers = self.asked(subject).await;
        let judged = septet_verdict::judge(checker, seen, &history, facts, ttl, None);
        self.answer(seen.profile(), Some((table, *read_units)), &history, &judged)
    }

    async fn files(&self) -> Result<Answer, Failure> {
        let Self { args, contract, checker, .. } = self;
        let bar = progress(self.screen, false);
        let mut items = Items::new(contract, checker.profile());
        let files = Files { paths: &args.files, format: args.format, object: contract.object() };
        let read = files.read(&bar, |item| items.take(checker, &item));
        bar.finish_and_clear();
        read.map_err(perhaps_a_table)?;
        let mut history = self.history(None).await?;
        let results = items.results();
        let seen = Seen::Whole(items.profile);
        let subject = Subject { contract, version: None, table: None, seen: &seen };
        history.answers = self.asked(subject).await;
        let report = checker.evaluate(seen.profile(), &history);
        let judged = Judged::of(results, report, &seen);
        self.answer(seen.profile(), None, &history, &judged)
    }

    /// What functions say, or that they were not asked.
    async fn asked(&self, subject: Subject<'_>) -> HashMap<String, FunctionAnswer> {
        match self.app.filter(|_| self.args.with_lambda) {
            Some(app) => {
                septet_verdict::ask(&app.functions, &self.checker, subject, now(), Duration::MAX).await
            }
            None => {
                let not = || FunctionAnswer::NotAsked("--with-lambda asks it".to_owned());
                self.checker.functions().map(|rule| (rule.id.to_owned(), not())).collect()
            }
        }
    }

    fn answer(
        &self,
        profile: &Profile,
        table: Option<(&TableName, f64)>,
        history: &History,
        judged: &Judged,
    ) -> Result<Answer, Failure> {
        let Self { args, screen, contract, .. } = self;
        if let Some(file) = &args.junit {
            write_junit(file, &junit::of_results(contract.name(), &judged.results)?)?;
        }
        if args.github {
            annotate(screen, &judged.results, args.contract.as_deref());
        }
        for warning in &judged.warnings {
            screen.call("warning", warning);
        }
        let against = against::names(history);
        Ok(Page { contract, profile, table, against, judged }.answer(screen))
    }
}

fn no_contract() -> Failure {
    Failure::new(
        "failed to choose a contract: none is named",
        "--contract FILE checks by a document, --dataset NAME by the contract in force",
    )
}

/// A file that is not there may be meant as a table.
fn perhaps_a_table(failure: Failure) -> Failure {
    let name = failure.missing.as_ref().and_then(|path| path.to_str());
    match name.filter(|name| TableName::parse(*name).is_ok()) {
        Some(name) => Failure { hint: format!("check the path; --table {name} checks a table"), ..failure },
        None => failure,
    }
}

/// The contract in force of the dataset that is named, or else of the one that claims the table.
async fn in_force(app: &App, args: &Check, table: Option<&TableName>) -> Result<Contract, Failure> {
    let dataset = match (&args.dataset, table) {
        (Some(dataset), _) => app.dataset(dataset).await?,
        (None, Some(table)) => claimed_by(app, table).await?,
        (None, None) => return Err(no_contract()),
    };
    let (dataset, number) = (&dataset.dataset, dataset.contract);
    let stored = app.registry.contract(dataset, number).await?;
    let parsed = stored.and_then(|stored| Contract::parse(&stored.document).ok());
    parsed.ok_or_else(|| {
        Failure::new(
            format!("failed to read contract {number} of {dataset}: this septet does not understand it"),
            "install the newest septet, or put the contract again",
        )
    })
}

/// The version that a table is already, if it is one.
async fn version_of(app: &App, facts: &TableFacts) -> Result<Option<VersionNumber>, Failure> {
    let claims = app.registry.claims(&facts.name).await?;
    Ok(claims.iter().find(|claim| claim.table_id == facts.id).map(|claim| claim.version))
}

fn progress(screen: &Screen, items: bool) -> ProgressBar {
    if !screen.is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    let style = match items {
        true => "{spinner} [{bar:24}] {human_pos} of about {human_len} items, {msg}, {per_sec}, {eta} to go",
        false => "{spinner} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}",
    };
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn write_junit(file: &Path, document: &str) -> Result<(), Failure> {
    std::fs::write(file, document).map_err(|error| {
        Failure::new(
            format!("failed to write {}: {error}", file.display()),
            "give a path that can be written",
        )
    })
}
