//! The report of a check, for people and for programs.

use std::path::Path;

use septet_checks::{CheckResult, Outcome, Profile};
use septet_contract::{Contract, Severity};
use septet_registry::{TableName, VerdictOutcome};
use septet_verdict::Judged;
use serde_json::json;

use crate::distribution;
use crate::exit;
use crate::screen::{Answer, Screen, text};

/// What was checked, and what came of it.
pub(super) struct Page<'a> {
    pub(super) contract: &'a Contract,
    pub(super) profile: &'a Profile,
    /// The table that was read, and how many read units that took.
    pub(super) table: Option<(&'a TableName, f64)>,
    /// What rules were compared with.
    pub(super) against: Option<String>,
    pub(super) judged: &'a Judged,
}

impl Page<'_> {
    pub(super) fn answer(&self, screen: &Screen) -> Answer {
        let Self { contract, profile, table, against, judged } = self;
        let (code, word, outcome) = match judged.outcome {
            VerdictOutcome::Passed => (exit::DONE, "would pass", Outcome::Passed),
            VerdictOutcome::Failed => (exit::NO, "would be rejected", Outcome::Failed),
            _ => (exit::UNKNOWN, "could not be judged", Outcome::Errored),
        };
        let failed = |it: &&CheckResult| matches!(it.outcome, Outcome::Failed | Outcome::Errored);
        let failed: Vec<_> = judged.results.iter().filter(failed).collect();
        let mut pages = vec![self.facts(screen)];
        pages.extend(checks(screen, &failed));
        pages.extend(items(screen, &failed));
        let compared = failed.iter().flat_map(|it| it.compared.iter().map(move |one| (it, one)));
        pages.extend(compared.map(|(it, one)| {
            distribution::draw(it.attribute.as_deref().unwrap_or(&it.id), one, screen.canvas())
        }));
        pages.push(format!("This {word}."));
        let json = json!({
            "contract": {"name": contract.name(), "version": contract.version(), "digest": contract.digest()},
            "table": table.map(|(name, read_units)| json!({"name": name, "read_units": read_units})),
            "against": against,
            "items": profile.items(), "bytes": profile.bytes(), "digest": profile.digest(),
            "outcome": outcome, "reasons": judged.reasons, "warnings": judged.warnings,
            "results": judged.results,
        });
        Answer::new(json, pages.join("\n\n")).with_code(code)
    }

    fn facts(&self, screen: &Screen) -> String {
        let Self { contract, profile, table, against, judged } = self;
        let count = |outcome| judged.results.iter().filter(|it| it.outcome == outcome).count();
        let table = table.map(|(name, units)| format!("{name}, read for {units} units"));
        let mut facts = vec![
            ("contract", format!("{} {}", contract.name(), contract.version())),
            ("table", table.unwrap_or_default()),
            ("against", against.clone().unwrap_or_default()),
            ("items", profile.items().to_string()),
            ("bytes", profile.bytes().to_string()),
            ("digest", profile.digest()),
        ];
        let (passed, failed) = (count(Outcome::Passed), count(Outcome::Failed));
        let mut checks = format!("{passed} passed, {failed} failed");
        for (outcome, word) in [(Outcome::Errored, "errored"), (Outcome::NoBaseline, "without a baseline")] {
            let count = count(outcome);
            if count > 0 {
                checks = format!("{checks}, {count} {word}");
            }
        }
        facts.push(("checks", checks));
        screen.facts(facts)
    }
}

/// The checks that do not hold, if any.
fn checks(screen: &Screen, failed: &[&CheckResult]) -> Option<String> {
    let mut table = screen.table(&["CHECK", "WHERE", "SEVERITY", "FAILING", "EXPECTED", "SEEN"]);
    for it in failed {
        let attribute = it.attribute.as_deref().unwrap_or("table");
        let failing = format!("{} of {}", it.failing, it.of);
        table.add_row([&it.rule, attribute, it.severity.as_str(), &failing, &it.expected, &it.seen]);
    }
    (!failed.is_empty()).then(|| text(&table))
}

/// Some of the items that do not hold them, if there are any.
fn items(screen: &Screen, failed: &[&CheckResult]) -> Option<String> {
    let mut table = screen.table(&["FAILING ITEM", "WHERE", "SEEN", "CHECK", "EXPECTED"]);
    let examples = failed.iter().flat_map(|it| it.examples.iter().map(move |example| (it, example)));
    for (it, example) in examples {
        table.add_row([&example.key, &example.at, &example.value, &it.rule, &it.expected]);
    }
    (table.row_count() > 0).then(|| text(&table))
}

/// Workflow commands of GitHub Actions, which show at the pull request.
pub(super) fn annotate(screen: &Screen, results: &[CheckResult], contract: Option<&Path>) {
    let escaped = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    for it in results.iter().filter(|it| matches!(it.outcome, Outcome::Failed | Outcome::Errored)) {
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
