//! The verdict on a table, purely: from what was seen of it, its facts and what its publisher said.

use septet_checks::{CONFIDENCE, CheckResult, Checker, History, Interval, Outcome, Profile, Report, Sample};
use septet_contract::Severity;
use septet_registry::{Counts, Readiness, Rung, VerdictOutcome};
use septet_tables::{TableFacts, TtlState};

use crate::check::outcome;

/// What was seen of a table.
#[derive(Debug)]
pub(crate) enum Seen {
    Whole(Profile),
    Sample(Sample),
}

impl Seen {
    pub(crate) fn profile(&self) -> &Profile {
        match self {
            Self::Whole(profile) => profile,
            Self::Sample(sample) => sample.profile(),
        }
    }

    pub(crate) fn into_profile(self) -> Profile {
        match self {
            Self::Whole(profile) => profile,
            Self::Sample(sample) => sample.into_profile(),
        }
    }
}

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
    seen: &Seen,
    history: &History,
    facts: &TableFacts,
    ttl: &TtlState,
    readiness: Option<&Readiness>,
) -> Judged {
    let profile = seen.profile();
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
        results.extend(promised(readiness, seen));
    }
    let of_table = Report::new(results);
    let of_contract = match seen {
        Seen::Whole(profile) => checker.evaluate(profile, history),
        Seen::Sample(sample) => checker.evaluate_sample(sample, history),
    };
    let reports = [of_table, of_contract];
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
    Judged {
        outcome: outcomes.into_iter().find(|answer| any(*answer)).unwrap_or(VerdictOutcome::Passed),
        reasons: reports.iter().flat_map(Report::reasons).collect(),
        warnings,
        counts,
        digest,
        results: reports.into_iter().flat_map(|report| report.results).collect(),
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
fn promised(readiness: &Readiness, seen: &Seen) -> Vec<CheckResult> {
    let mut results = Vec::new();
    let profile = seen.profile();
    if let Some(said) = readiness.items {
        let (is, sure) = match seen {
            Seen::Whole(profile) => (profile.items().to_string(), Some(profile.items() == said)),
            Seen::Sample(sample) => match sample.items() {
                Some(Interval { least, most }) => {
                    let may_be = (least..=most).contains(&(said as f64));
                    let is = format!("{least:.0} to {most:.0} ({CONFIDENCE} % confidence)");
                    (is, (!may_be).then_some(false))
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
        let mut result = whole("manifestItems", wrong, profile.items(), &expected);
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
            Seen::Whole(_) => whole("manifestDigest", problem.into_iter().collect(), profile.items(), said),
            Seen::Sample(_) => {
                let problem = format!("the manifest says content digest {said}");
                undecided(whole("manifestDigest", vec![problem], profile.items(), said))
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
