//! The verdict on a table, purely: from what was seen of it, its facts and what its publisher said.

use septet_checks::{CONFIDENCE, CheckResult, Checker, History, Outcome, Profile, Report, Sample};
use septet_contract::Severity;
use septet_registry::{Counts, Readiness, Rung, VerdictOutcome};
use septet_tables::{TableFacts, TtlState};

use crate::fitness::{expiry, key_problems};

/// What was seen of a table.
#[derive(Debug)]
pub enum Seen {
    /// All of it.
    Whole(Profile),
    /// A part of it, which says how sure it is of the rest.
    Sample(Sample),
}

impl Seen {
    /// What was read.
    pub fn profile(&self) -> &Profile {
        match self {
            Self::Whole(profile) => profile,
            Self::Sample(sample) => sample.profile(),
        }
    }

    /// What was read, to be kept.
    pub fn into_profile(self) -> Profile {
        match self {
            Self::Whole(profile) => profile,
            Self::Sample(sample) => sample.into_profile(),
        }
    }
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The verdict.
    pub outcome: VerdictOutcome,
    /// Why it did not pass: what concerns the table as a whole, then what concerns its items, gravest first.
    pub reasons: Vec<String>,
    /// What people should see although it rejects nothing.
    pub warnings: Vec<String>,
    /// How much there is; none if the check broke or saw a sample.
    pub counts: Option<Counts>,
    /// The digest of the content; none if the check broke or saw a sample.
    pub digest: Option<String>,
    /// Every answer.
    pub results: Vec<CheckResult>,
}

impl Judged {
    /// The check itself broke.
    pub fn errored(reason: String) -> Self {
        Self {
            outcome: VerdictOutcome::Errored,
            reasons: vec![reason],
            warnings: Vec::new(),
            counts: None,
            digest: None,
            results: Vec::new(),
        }
    }

    /// The verdict from what concerns the items as a whole, and what the contract says of each.
    pub fn of(whole: Vec<CheckResult>, contract: Report, seen: &Seen) -> Self {
        let reports = [Report::new(whole), contract];
        let any = |answer| reports.iter().any(|report| outcome(report.outcome) == answer);
        let outcomes = [VerdictOutcome::Failed, VerdictOutcome::Errored];
        let mut warnings: Vec<_> = reports.iter().flat_map(Report::warnings).collect();
        let (mut counts, mut digest) = (None, None);
        match seen {
            Seen::Whole(profile) => {
                counts = Some(Counts { items: profile.items(), bytes: profile.bytes() });
                digest = Some(profile.digest());
            }
            Seen::Sample(sample) => warnings.insert(0, sample.to_string()),
        }
        Self {
            outcome: outcomes.into_iter().find(|answer| any(*answer)).unwrap_or(VerdictOutcome::Passed),
            reasons: reports.iter().flat_map(Report::reasons).collect(),
            warnings,
            counts,
            digest,
            results: reports.into_iter().flat_map(|report| report.results).collect(),
        }
    }
}

/// Judges a table: first what concerns all of it, then what the contract asks of its items.
pub fn judge(
    checker: &Checker,
    seen: &Seen,
    history: &History,
    facts: &TableFacts,
    ttl: &TtlState,
    readiness: Option<&Readiness>,
) -> Judged {
    let items = seen.profile().items();
    let expiring = expiry(ttl).map(|expiring| format!("{expiring}; create the table without it"));
    let mut whole = vec![
        answer("primaryKey", key_problems(checker, facts), items, "the key of the contract"),
        answer("timeToLive", expiring.into_iter().collect(), items, "no time to live"),
    ];
    if let Some(readiness) = readiness {
        whole.extend(promised(readiness, seen));
    }
    let features = &facts.features;
    if !features.refused.is_empty() {
        whole.push(answer(
            "features",
            features.refused.clone(),
            items,
            "no feature that a seal cannot cover",
        ));
    }
    let contract = match seen {
        Seen::Whole(profile) => checker.evaluate(profile, history),
        Seen::Sample(sample) => checker.evaluate_sample(sample, history),
    };
    let mut judged = Judged::of(whole, contract, seen);
    judged.warnings.extend(features.warnings.iter().cloned());
    judged
}

/// The outcome of a report as the registry names it.
fn outcome(answer: Outcome) -> VerdictOutcome {
    match answer {
        Outcome::Passed => VerdictOutcome::Passed,
        Outcome::Failed => VerdictOutcome::Failed,
        // What was not checked passed nothing.
        Outcome::Errored | Outcome::NoBaseline | Outcome::Skipped => VerdictOutcome::Errored,
    }
}

/// What the publisher said is in the table, against what is.
fn promised(readiness: &Readiness, seen: &Seen) -> Vec<CheckResult> {
    let mut results = Vec::new();
    let profile = seen.profile();
    if let Some(said) = readiness.items {
        let (is, sure) = match seen {
            Seen::Whole(profile) => (profile.items().to_string(), Some(profile.items() == said)),
            Seen::Sample(sample) => match sample.items() {
                Some(items) => {
                    let may_be = (items.least..=items.most).contains(&(said as f64));
                    (format!("{items} ({CONFIDENCE} % confidence)"), (!may_be).then_some(false))
                }
                None => ("any number".to_owned(), None),
            },
        };
        let problem = match readiness.rung {
            Rung::Import => format!("the import wrote {said} items, the table has {is}"),
            _ => format!("the manifest says {said} items, the table has {is}"),
        };
        let expected = format!("{said} items");
        let wrong = match (readiness.rung, sure) {
            (_, Some(true)) => Vec::new(),
            (Rung::Import, Some(false)) => {
                vec![format!("{problem}: items with the same key overwrote each other")]
            }
            _ => vec![problem],
        };
        let mut result = answer("manifestItems", wrong, profile.items(), &expected);
        if sure.is_none() {
            result = undecided(result);
            // Nobody promised what DynamoDB says by itself of an import.
            if readiness.rung == Rung::Import {
                result.severity = Severity::Warning;
            }
        }
        results.push(result);
    }
    if let Some(said) = &readiness.digest {
        let is = profile.digest();
        let problem = (!said.eq_ignore_ascii_case(&is))
            .then(|| format!("the manifest says content digest {said}, the table has {is}"));
        results.push(match seen {
            Seen::Whole(_) => answer("manifestDigest", problem.into_iter().collect(), profile.items(), said),
            Seen::Sample(_) => {
                let problem = format!("the manifest says content digest {said}");
                undecided(answer("manifestDigest", vec![problem], profile.items(), said))
            }
        });
    }
    results
}

/// The answer where a sample cannot tell.
fn undecided(result: CheckResult) -> CheckResult {
    CheckResult {
        outcome: Outcome::Errored,
        message: result.message + ": a sample cannot tell",
        failing: 0,
        ..result
    }
}

/// The answer of a check of the table as a whole, which is wrong of all its items, and of an empty one too.
fn answer(rule: &str, problems: Vec<String>, items: u64, expected: &str) -> CheckResult {
    let failing = if problems.is_empty() { 0 } else { items.max(1) };
    CheckResult::of_table(rule, failing, items.max(1), expected, &problems.join("; "))
}
