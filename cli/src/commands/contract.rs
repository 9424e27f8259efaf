//! Contracts: lint, put, show, diff, infer.

mod diff;
mod infer;
mod put;
mod show;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use septet_checks::Profile;
use septet_contract::{
    Compatibility, Contract, Diagnostic, Explained, Fate, Former, Severity, Verdict, breaches,
};
use septet_registry::{ContractNumber, Dataset, DatasetName, Version};
use serde_json::{Value, json};

use crate::app::App;
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, Screen, text};

pub(crate) use diff::{diff, of_files};
pub(crate) use infer::infer;
pub(crate) use put::put;
pub(crate) use show::show;

/// A document that was read, and what is to be said about it.
pub(super) struct Linted {
    file: String,
    pub(super) read: Result<Contract, Vec<Diagnostic>>,
}

impl Linted {
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
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
    pub(super) fn say(&self, screen: &Screen) {
        for finding in self.findings() {
            screen.say(&finding.in_file(&self.file).to_string());
        }
    }

    /// What a document with errors comes to.
    pub(super) fn refused(&self, so: &str) -> Answer {
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

/// The facts of a contract.
fn summary(contract: &Contract, screen: &Screen) -> String {
    let settings = contract.settings();
    let readiness: Vec<_> = settings.readiness.iter().map(ToString::to_string).collect();
    screen.facts(vec![
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
        ("scan units", settings.max_scan_units.map_or_else(String::new, |units| format!("at most {units}"))),
        ("order", if settings.order.is_default() { String::new() } else { settings.order.to_string() }),
        ("indexes", settings.indexes.join(", ")),
        (
            "pre-warm",
            settings.prewarm.map_or_else(String::new, |units| format!("to at most {units} reads/s")),
        ),
    ])
}

/// The facts of a contract and what of it is not enforced.
fn page(contract: &Contract, screen: &Screen) -> String {
    let mut page = summary(contract, screen);
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
        Ok(contract) => {
            let explained = contract.explain();
            let page = format!("{}\n\n{}", summary(contract, screen), explanation(&explained, screen));
            let mut json = facts(contract, &linted.file);
            json["explained"] = json!(explained);
            Answer::new(json, page)
        }
        Err(_) => linted.refused(": Septet refuses the contract"),
    })
}

/// What becomes of each line, the strictest first.
fn explanation(explained: &[Explained], screen: &Screen) -> String {
    let of = |wanted: fn(&Fate) -> bool, header: &[&str]| {
        let mut table = screen.table(header);
        let mut rows = explained.iter().filter(|it| wanted(&it.fate)).peekable();
        rows.peek()?;
        for Explained { about, says, fate } in rows {
            let mut row = vec![about.clone(), says.clone()];
            if let Fate::NotEnforced { reason } = fate {
                row.push((*reason).to_owned());
            }
            table.add_row(row);
        }
        Some(text(&table))
    };
    let tables = [
        of(|fate| *fate == Fate::Rejects, &["ENFORCED", "A VERSION THAT BREAKS IT IS REJECTED"]),
        of(|fate| *fate == Fate::Reports, &["REPORTED", "A VERSION THAT BREAKS IT PASSES"]),
        of(|fate| *fate == Fate::Shown, &["SHOWN", "NOTHING CHECKS IT"]),
        of(|fate| matches!(fate, Fate::NotEnforced { .. }), &["NOT ENFORCED", "NOTHING CHECKS IT", "WHY"]),
    ];
    tables.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

/// What breaks, as a table.
fn breaks(verdict: &Verdict, screen: &Screen) -> String {
    let mut table =
        screen.table(&["CONTRACT", "DIRECTION", "ATTRIBUTE", "RULE", "READERS RELY ON", "DATA MAY BE", ""]);
    for it in &verdict.breaks {
        let attribute = if it.breach.attribute.is_empty() { "the key" } else { &it.breach.attribute };
        let contract = if it.contract == 0 { "-".to_owned() } else { it.contract.to_string() };
        table.add_row([
            contract,
            it.direction.to_string(),
            attribute.to_owned(),
            it.breach.rule.to_owned(),
            it.breach.readers.clone(),
            it.breach.data.clone(),
            if it.forbidden { "forbidden".to_owned() } else { "allowed".to_owned() },
        ]);
    }
    text(&table)
}

/// Which versions stop being safe to roll back to, and which stay so against appearances, in sentences; none if no
/// contract of theirs allows what breaks.
fn rollbacks(verdict: &Verdict) -> Option<String> {
    let which = |versions: &[u64]| match versions {
        [] => None,
        [one] => Some((format!("Version {one}"), "is", "stays")),
        more => {
            let listed: Vec<_> = more.iter().map(ToString::to_string).collect();
            Some((format!("Versions {}", listed.join(", ")), "are", "stay"))
        }
    };
    let lost = which(&verdict.unsafe_versions).map(|(which, are, _)| {
        format!(
            "{which} {are} not safe to roll back to: readers of the new contract could not read the data."
        )
    });
    let kept = which(&verdict.safe_by_data).map(|(which, _, stay)| {
        format!(
            "{which} {stay} safe to roll back to: the contract allows what breaks, the data has none of it."
        )
    });
    let sentences: Vec<_> = lost.into_iter().chain(kept).collect();
    (!sentences.is_empty()).then(|| sentences.join("\n"))
}

/// What was seen of versions when they were checked.
type Seen = HashMap<u64, Arc<Profile>>;

/// What was seen of the versions whose contracts allow what breaks readers of the new one.
async fn seen(
    app: &App,
    versions: &[Version],
    new: &Contract,
    former: &[Former<'_>],
) -> Result<Seen, Failure> {
    let mut seen = Seen::new();
    for old in former.iter().filter(|old| !breaches(new, old.contract).is_empty()) {
        for version in versions.iter().filter(|version| old.versions.contains(&version.version.get())) {
            let kept = septet_verdict::earlier(&app.registry, version).await?.profile;
            seen.extend(kept.map(|profile| (version.version.get(), profile)));
        }
    }
    Ok(seen)
}

fn judged(new: &Contract, former: &[Former<'_>], mode: Compatibility, seen: &Seen) -> Verdict {
    Verdict::of(new, former, mode, |version, breach| {
        seen.get(&version).is_some_and(|profile| profile.keeps(new, breach))
    })
}

/// What the contract in force promises readers that the data of a version may not keep, a line each.
pub(super) async fn breaks_of_version(
    app: &App,
    dataset: &Dataset,
    version: &Version,
) -> Result<Vec<String>, Failure> {
    let new = stored(app, &dataset.dataset, dataset.contract).await?;
    let old = stored(app, &dataset.dataset, version.contract).await?;
    let number = version.version.get();
    let former = [Former { number: version.contract.get(), contract: &old, versions: vec![number] }];
    let seen = seen(app, std::slice::from_ref(version), &new, &former).await?;
    let verdict = judged(&new, &former, Compatibility::BackwardTransitive, &seen);
    if !verdict.unsafe_versions.contains(&number) {
        return Ok(Vec::new());
    }
    let lines = verdict.breaks.iter().filter(|it| it.forbidden).map(|it| {
        let attribute = if it.breach.attribute.is_empty() { "the key" } else { &it.breach.attribute };
        format!(
            "version {number} breaks contract {} for {attribute}: readers rely on {}, its data may be {}",
            dataset.contract, it.breach.readers, it.breach.data
        )
    });
    Ok(lines.collect())
}

/// A contract that the registry holds; an error if it cannot be read.
async fn stored(app: &App, dataset: &DatasetName, number: ContractNumber) -> Result<Contract, Failure> {
    let Some(stored) = app.registry.contract(dataset, number).await? else {
        return Err(Failure::new(
            format!("failed to find contract {number} of {dataset}: there is none"),
            format!("the one in force is {}", app.dataset(dataset).await?.contract),
        ));
    };
    Contract::parse(&stored.document).map_err(|found| {
        let first = found.first().map(ToString::to_string).unwrap_or_default();
        Failure::new(
            format!("failed to read contract {number} of {dataset}: {first}"),
            "a septet that reads less or more wrote it; `septet contract show` prints it",
        )
    })
}
