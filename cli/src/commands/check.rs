//! Checks items as on-publish would, and changes nothing.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use septet_checks::{CheckResult, Checker, History, Item, Outcome, Profile, Report, Value};
use septet_contract::{Contract, KeyAttribute, Number, Severity};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::contract::Linted;
use crate::app::{App, now};
use crate::args::Check;
use crate::exit;
use crate::failure::Failure;
use crate::items::Files;
use crate::junit;
use crate::screen::{Answer, Screen, text};

/// Largest item that DynamoDB stores, in bytes.
const LARGEST: u64 = 400 * 1024;

/// Checks files of items by a contract in a file.
pub(crate) fn by_document(args: &Check, file: &Path, screen: &Screen) -> Result<Answer, Failure> {
    let linted = Linted::read(file)?;
    linted.say(screen);
    match &linted.read {
        Ok(contract) => check(args, contract, screen),
        Err(_) => Ok(linted.refused("; nothing was checked").with_code(exit::UNKNOWN)),
    }
}

/// Checks files of items by the contract in force.
pub(crate) async fn by_dataset(app: &App, args: &Check) -> Result<Answer, Failure> {
    let Some(dataset) = &args.dataset else {
        return Err(Failure::new(
            "failed to choose a contract: none is named",
            "--contract FILE checks by a document, --dataset NAME by the contract in force",
        ));
    };
    let number = app.dataset(dataset).await?.contract;
    let stored = app.registry.contract(dataset, number).await?;
    let parsed = stored.and_then(|stored| Contract::parse(&stored.document).ok());
    let contract = parsed.ok_or_else(|| {
        Failure::new(
            format!("failed to read contract {number} of {dataset}: this septet does not understand it"),
            "install the newest septet, or put the contract again",
        )
    })?;
    check(args, &contract, &app.screen)
}

fn check(args: &Check, contract: &Contract, screen: &Screen) -> Result<Answer, Failure> {
    let checker = Checker::new(contract);
    let mut seen = Seen::new(contract, checker.profile());
    let bar = progress(screen);
    let files = Files { paths: &args.files, format: args.format, object: contract.object() };
    let read = files.read(&bar, |item| seen.take(&checker, &item));
    bar.finish_and_clear();
    read?;
    let results =
        seen.results().into_iter().chain(checker.evaluate(&seen.profile, &History::alone(now())).results);
    let report = Report::new(results.collect());
    if let Some(file) = &args.junit {
        write_junit(file, &junit::of_report(contract.name(), &report)?)?;
    }
    if args.github {
        annotate(screen, &report, args.contract.as_deref());
    }
    for warning in report.warnings() {
        screen.call("warning", &warning);
    }
    Ok(answer(screen, contract, &seen.profile, &report))
}

fn progress(screen: &Screen) -> ProgressBar {
    if !screen.is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    let style = "{spinner} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}";
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// What was seen, with what a table would not have taken: items too large, and keys that come twice.
struct Seen {
    profile: Profile,
    key: Vec<KeyAttribute>,
    keys: HashSet<[u8; 16]>,
    doubled: u64,
    too_large: u64,
}

impl Seen {
    fn new(contract: &Contract, profile: Profile) -> Self {
        let key = &contract.object().key;
        let key = std::iter::once(&key.partition).chain(&key.sort).cloned().collect();
        Self { profile, key, keys: HashSet::new(), doubled: 0, too_large: 0 }
    }

    fn take(&mut self, checker: &Checker, item: &Item) {
        let before = self.profile.bytes();
        checker.observe(&mut self.profile, item);
        self.too_large += u64::from(self.profile.bytes() - before > LARGEST);
        if let Some(key) = self.key_of(item) {
            self.doubled += u64::from(!self.keys.insert(key));
        }
    }

    /// Tells keys apart as DynamoDB does; an item without its key has none.
    fn key_of(&self, item: &Item) -> Option<[u8; 16]> {
        let mut hash = Sha256::new();
        for part in &self.key {
            let number;
            let bytes = match item.get(&part.attribute)? {
                Value::S(text) => text.as_bytes(),
                Value::B(bytes) => bytes,
                Value::N(text) => {
                    number = Number::parse(text).ok()?.to_string();
                    number.as_bytes()
                }
                _ => return None,
            };
            hash.update(bytes.len().to_be_bytes());
            hash.update(bytes);
        }
        hash.finalize().first_chunk().copied()
    }

    fn results(&self) -> Vec<CheckResult> {
        let names: Vec<_> = self.key.iter().map(|it| it.attribute.as_str()).collect();
        let doubled = format!(
            "{} items have the {} of another, and would overwrite it",
            self.doubled,
            names.join(" and ")
        );
        let large =
            format!("{} items are larger than the {LARGEST} bytes that DynamoDB takes", self.too_large);
        let of = self.profile.items();
        vec![
            CheckResult::of_table("uniqueKeys", self.doubled, of, "no key twice", &doubled),
            CheckResult::of_table(
                "itemSize",
                self.too_large,
                of,
                &format!("at most {LARGEST} bytes"),
                &large,
            ),
        ]
    }
}

fn answer(screen: &Screen, contract: &Contract, profile: &Profile, report: &Report) -> Answer {
    let count = |outcome| report.results.iter().filter(|it| it.outcome == outcome).count();
    let code = match report.outcome {
        Outcome::Passed => exit::DONE,
        Outcome::Failed => exit::NO,
        Outcome::Errored | Outcome::NoBaseline | Outcome::Skipped => exit::UNKNOWN,
    };
    let word = match report.outcome {
        Outcome::Passed => "would pass",
        Outcome::Failed => "would be rejected",
        Outcome::Errored | Outcome::NoBaseline | Outcome::Skipped => "could not be judged",
    };
    let mut pages = vec![screen.facts(vec![
        ("contract", format!("{} {}", contract.name(), contract.version())),
        ("items", profile.items().to_string()),
        ("bytes", profile.bytes().to_string()),
        ("digest", profile.digest()),
        ("checks", format!("{} passed, {} failed", count(Outcome::Passed), count(Outcome::Failed))),
    ])];
    let failed = report.results.iter().filter(|it| matches!(it.outcome, Outcome::Failed | Outcome::Errored));
    let failed: Vec<_> = failed.collect();
    if !failed.is_empty() {
        let mut table = screen.table(&["CHECK", "WHERE", "SEVERITY", "FAILING", "EXPECTED", "SEEN"]);
        for it in &failed {
            let attribute = it.attribute.as_deref().unwrap_or("table");
            let failing = format!("{} of {}", it.failing, it.of);
            table.add_row([&it.rule, attribute, it.severity.as_str(), &failing, &it.expected, &it.seen]);
        }
        pages.push(text(&table));
        let mut table = screen.table(&["FAILING ITEM", "WHERE", "VALUE"]);
        let examples = failed.iter().flat_map(|it| &it.examples);
        for it in examples.clone() {
            table.add_row([&it.key, &it.at, &it.value]);
        }
        if examples.count() > 0 {
            pages.push(text(&table));
        }
    }
    pages.push(format!("This {word}."));
    let json = json!({
        "contract": {"name": contract.name(), "version": contract.version(), "digest": contract.digest()},
        "items": profile.items(), "bytes": profile.bytes(), "digest": profile.digest(),
        "outcome": report.outcome, "reasons": report.reasons(), "warnings": report.warnings(),
        "results": report.results,
    });
    Answer::new(json, pages.join("\n\n")).with_code(code)
}

fn write_junit(file: &Path, document: &str) -> Result<(), Failure> {
    std::fs::write(file, document).map_err(|error| {
        Failure::new(
            format!("failed to write {}: {error}", file.display()),
            "give a path that can be written",
        )
    })
}

/// Workflow commands of GitHub Actions, which show at the pull request.
fn annotate(screen: &Screen, report: &Report, contract: Option<&Path>) {
    let escaped = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    for it in report.results.iter().filter(|it| matches!(it.outcome, Outcome::Failed | Outcome::Errored)) {
        let level = match it.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let file = contract.map(|file| format!("file={},", file.display())).unwrap_or_default();
        let title = escaped(&it.id).replace(':', "%3A").replace(',', "%2C");
        screen.say(&format!("::{level} {file}title={title}::{}", escaped(&it.message)));
    }
}
