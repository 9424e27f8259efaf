//! The verdict on a table, purely: from its profile, its facts and what its publisher said.

use septet_checks::{CheckResult, Checker, History, Outcome, Profile};
use septet_contract::Severity;
use septet_registry::{Counts, Readiness, Rung, VerdictOutcome};
use septet_tables::{TableFacts, TtlState};

use crate::check::outcome;

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Judged {
    pub(crate) outcome: VerdictOutcome,
    pub(crate) reasons: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) counts: Option<Counts>,
    pub(crate) digest: Option<String>,
    pub(crate) results: Vec<CheckResult>,
}

impl Judged {
    /// The check itself broke.
    pub(crate) fn errored(reason: String) -> Self {
        Self {
            outcome: VerdictOutcome::Errored,
            reasons: vec![reason],
            warnings: Vec::new(),
            counts: None,
            digest: None,
            results: Vec::new(),
        }
    }
}

/// Judges a table: first what concerns all of it, then what the contract asks of its items.
pub(crate) fn judge(
    checker: &Checker,
    profile: &Profile,
    history: &History,
    facts: &TableFacts,
    ttl: &TtlState,
    readiness: Option<&Readiness>,
) -> Judged {
    let key = |attribute: &septet_tables::KeyAttribute| (attribute.name.clone(), attribute.kind.as_str());
    let (partition, sort) = (key(&facts.keys.partition), facts.keys.sort.as_ref().map(key));
    let problems = checker.key_problems(
        (&partition.0, partition.1),
        sort.as_ref().map(|(name, physical)| (name.as_str(), *physical)),
    );
    let mut results = vec![
        whole("primaryKey", problems, profile.items(), "the key of the contract"),
        whole("timeToLive", expiring(ttl), profile.items(), "no time to live"),
    ];
    if let Some(readiness) = readiness {
        results.extend(promised(readiness, profile));
    }
    let report = checker.evaluate(profile, history);
    let mut reasons: Vec<_> =
        results.iter().filter(|it| it.outcome == Outcome::Failed).map(|it| it.message.clone()).collect();
    let of_report = outcome(report.outcome);
    let outcome = if reasons.is_empty() { of_report } else { VerdictOutcome::Failed };
    reasons.extend(report.reasons());
    let warnings = report.warnings();
    results.extend(report.results);
    Judged {
        outcome,
        reasons,
        warnings,
        counts: Some(Counts { items: profile.items(), bytes: profile.bytes() }),
        digest: Some(profile.digest()),
        results,
    }
}

fn expiring(ttl: &TtlState) -> Vec<String> {
    match ttl {
        TtlState::Off => Vec::new(),
        TtlState::On { attribute } => vec![format!(
            "time to live is on, by the attribute {attribute:?}: items would vanish from a version that never \
             changes; create the table without it"
        )],
    }
}

/// What the publisher said is in the table, against what is.
fn promised(readiness: &Readiness, profile: &Profile) -> Vec<CheckResult> {
    let mut results = Vec::new();
    if let Some(said) = readiness.items {
        let is = profile.items();
        let problem = (said != is).then(|| match readiness.rung {
            Rung::Import => format!(
                "the import wrote {said} items, the table has {is}: items with the same key overwrote each other"
            ),
            _ => format!("the manifest says {said} items, the table has {is}"),
        });
        let expected = format!("{said} items");
        results.push(whole("manifestItems", problem.into_iter().collect(), is, &expected));
    }
    if let Some(said) = &readiness.digest {
        let is = profile.digest();
        let problem = (!said.eq_ignore_ascii_case(&is))
            .then(|| format!("the manifest says content digest {said}, the table has {is}"));
        results.push(whole("manifestDigest", problem.into_iter().collect(), profile.items(), said));
    }
    results
}

/// The answer of a check of the table as a whole.
fn whole(rule: &str, problems: Vec<String>, items: u64, expected: &str) -> CheckResult {
    let passed = problems.is_empty();
    let seen = if passed { "as expected".to_owned() } else { problems.join("; ") };
    CheckResult {
        id: format!("table:{rule}"),
        rule: rule.to_owned(),
        attribute: None,
        severity: Severity::Error,
        outcome: if passed { Outcome::Passed } else { Outcome::Failed },
        expected: expected.to_owned(),
        message: if passed { format!("{rule} holds") } else { format!("{rule}: {seen}") },
        seen,
        failing: if passed { 0 } else { items },
        of: items,
        examples: Vec::new(),
    }
}
