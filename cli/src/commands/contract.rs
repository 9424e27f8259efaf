//! Contracts: lint, put, show.

use std::io::Read;
use std::path::Path;

use septet_contract::{Contract, Diagnostic, Pattern, Severity};
use septet_registry::{
    ContractNumber, Dataset, DatasetName, Listing, NewContract, Outcome, Promotion, Settings,
};
use serde_json::{Value, json};

use crate::app::App;
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, Screen, text, time};

/// A document that was read, and what is to be said about it.
struct Linted {
    file: String,
    read: Result<Contract, Vec<Diagnostic>>,
}

impl Linted {
    fn read(file: &Path) -> Result<Self, Failure> {
        let shown = if file == Path::new("-") { "<stdin>".into() } else { file.display().to_string() };
        let mut document = String::new();
        let read = match file == Path::new("-") {
            true => std::io::stdin().read_to_string(&mut document).map(drop),
            false => std::fs::read_to_string(file).map(|read| document = read),
        };
        read.map_err(|error| {
            Failure::new(
                format!("failed to read {shown}: {error}"),
                "give the path of an ODCS document, or - for standard input",
            )
        })?;
        Ok(Self { file: shown, read: Contract::parse(&document) })
    }

    fn findings(&self) -> &[Diagnostic] {
        match &self.read {
            Ok(contract) => contract.warnings(),
            Err(findings) => findings,
        }
    }

    /// Says what is wrong or doubtful, each at its place.
    fn say(&self, screen: &Screen) {
        for finding in self.findings() {
            screen.say(&finding.in_file(&self.file).to_string());
        }
    }

    /// What a document with errors comes to.
    fn refused(&self, so: &str) -> Answer {
        let errors = self.findings().iter().filter(|finding| finding.severity == Severity::Error).count();
        let many = if errors == 1 { "1 error".into() } else { format!("{errors} errors") };
        Answer::new(
            json!({"file": self.file, "ok": false, "findings": self.findings()}),
            format!("{}: no, {many}{so}", self.file),
        )
        .with_code(exit::NO)
    }
}

/// What is understood and not enforced.
fn unenforced(contract: &Contract) -> Vec<Value> {
    let unenforced = contract.unenforced().into_iter();
    unenforced.map(|it| json!({"path": it.path, "what": it.what, "reason": it.reason})).collect()
}

/// The facts of a contract and what of it is not enforced.
fn page(contract: &Contract, screen: &Screen) -> String {
    let settings = contract.settings();
    let readiness: Vec<_> = settings.readiness.iter().map(ToString::to_string).collect();
    let mut page = screen.facts(vec![
        ("dataset", contract.name().into()),
        ("version", format!("{} (ODCS {})", contract.version(), contract.api_version())),
        ("digest", contract.digest()),
        ("tables", settings.table_pattern.to_string()),
        ("key", key(contract)),
        ("promotion", settings.promotion.to_string()),
        ("keep newest", settings.keep_newest.to_string()),
        ("compatibility", settings.compatibility.to_string()),
        ("readiness", readiness.join(", ")),
        ("grace", format!("{} min", settings.grace_minutes)),
        ("poll", format!("{} s", settings.poll_seconds)),
    ]);
    let unenforced = contract.unenforced();
    if !unenforced.is_empty() {
        let mut table = screen.table(&["NOT ENFORCED", "PLACE", "WHY"]);
        for it in unenforced {
            table.add_row([it.what, it.path, it.reason.to_owned()]);
        }
        page = format!("{page}\n\n{}", text(&table));
    }
    page
}

fn key(contract: &Contract) -> String {
    let key = &contract.object().key;
    let attributes = std::iter::once(&key.partition).chain(&key.sort);
    let shown = attributes.map(|it| format!("{} ({})", it.attribute, it.physical.as_str()));
    shown.collect::<Vec<_>>().join(", ")
}

fn facts(contract: &Contract, file: &str) -> Value {
    json!({
        "file": file,
        "ok": true,
        "dataset": contract.name(),
        "version": contract.version(),
        "digest": contract.digest(),
        "settings": contract.settings(),
        "findings": contract.warnings(),
        "unenforced": unenforced(contract),
    })
}

pub(crate) fn lint(file: &Path, screen: &Screen) -> Result<Answer, Failure> {
    let linted = Linted::read(file)?;
    linted.say(screen);
    Ok(match &linted.read {
        Ok(contract) => Answer::new(facts(contract, &linted.file), page(contract, screen)),
        Err(_) => linted.refused(""),
    })
}

pub(crate) async fn put(app: &App, file: &Path, reason: Option<String>) -> Result<Answer, Failure> {
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
    let new = NewContract {
        dataset: dataset.clone(),
        settings: settings(contract),
        document: contract.to_json().to_owned(),
        digest: contract.digest(),
        reason,
    };
    let changes = changes(known.as_ref(), &new.settings);
    let (done, number) = match app.registry.put_contract(&new, &app.by()).await? {
        Outcome::Done(number) => (true, number),
        Outcome::Already(number) => (false, number),
        Outcome::Refused(refusal) => {
            return Err(Failure::new(refusal.to_string(), "read the contract in force"));
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
    json["contract"] = json!(number);
    json["changed"] = json!(done);
    Ok(Answer::new(json, page))
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
    }
}

/// What a new contract changes of how its dataset is kept.
fn changes(known: Option<&Dataset>, new: &Settings) -> Vec<String> {
    let Some(Dataset { settings: old, .. }) = known else { return Vec::new() };
    let named = |promotion| if promotion == Promotion::Auto { "auto" } else { "manual" }.to_owned();
    let pairs = [
        ("tables", old.table_pattern.clone(), new.table_pattern.clone()),
        ("promotion", named(old.promotion), named(new.promotion)),
        ("keep newest", old.keep_newest.to_string(), new.keep_newest.to_string()),
        ("grace", format!("{} min", old.grace_minutes), format!("{} min", new.grace_minutes)),
        ("poll", format!("{} s", old.poll_seconds), format!("{} s", new.poll_seconds)),
    ];
    let changed = pairs.into_iter().filter(|(_, old, new)| old != new);
    changed.map(|(what, old, new)| format!("{what}: {old} -> {new}")).collect()
}

pub(crate) async fn show(
    app: &App,
    dataset: &DatasetName,
    number: Option<ContractNumber>,
) -> Result<Answer, Failure> {
    let known = app.dataset(dataset).await?;
    let number = number.unwrap_or(known.contract);
    let Some(stored) = app.registry.contract(dataset, number).await? else {
        return Err(Failure::new(
            format!("failed to find contract {number} of {dataset}: there is none"),
            format!("the one in force is {}", known.contract),
        ));
    };
    let document: Value = serde_json::from_str(&stored.document).map_err(|error| {
        Failure::new(
            format!("failed to read contract {number} of {dataset}: {error}"),
            "put the contract again",
        )
    })?;
    let mut page = app.screen.facts(vec![
        ("dataset", dataset.to_string()),
        ("contract", format!("{number}{}", if number == known.contract { " (in force)" } else { "" })),
        ("digest", stored.digest.clone()),
        ("put", format!("{} by {}", time(stored.put_at), stored.put_by)),
    ]);
    let pretty = serde_json::to_string_pretty(&document).unwrap_or_default();
    page = format!("{page}\n\n{pretty}");
    Ok(Answer::new(
        json!({
            "dataset": dataset,
            "contract": number,
            "in_force": number == known.contract,
            "digest": stored.digest,
            "put_at": stored.put_at,
            "put_by": stored.put_by,
            "document": document,
        }),
        page,
    ))
}
