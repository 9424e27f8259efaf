//! What the checks found.

use septet_contract::Severity;
use serde::{Deserialize, Serialize};

use crate::comparison::Comparison;

/// Most reasons that [`Report::reasons`] gives.
pub const MOST_REASONS: usize = 20;

/// The answer of a check, or of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// The check itself could not be made; it may be run again, and it never passes.
    Errored,
    /// It compares with other versions, and there is none. Only a single result has it; it rejects nothing, and
    /// [`Report::warnings`] lists it.
    NoBaseline,
    /// Nothing checks it in this version of Septet, or it is written for people. Only a single result has it.
    Skipped,
}

/// One item that does not hold a check.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Example {
    /// The item's key, as `user_id "u-12"`.
    pub key: String,
    /// Where in the item, as `recs[3].score`; empty for the item as a whole.
    pub at: String,
    /// The value there, cut to some 60 characters: text in quotes, containers by their size, `absent`.
    pub value: String,
}

/// The answer of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Unique in a report: the id, name or place of a rule of the contract, as `recs_row_count`; else place and
    /// rule, as `recs[].score:maximum`.
    pub id: String,
    /// What is checked: `required`, `physicalType`, `maximum`, `rowCount`, …
    pub rule: String,
    /// The attribute, as `recs[].score`; none for the table.
    pub attribute: Option<String>,
    /// How much it matters if it does not hold.
    pub severity: Severity,
    /// The answer.
    pub outcome: Outcome,
    /// What there is.
    pub seen: String,
    /// What there should be.
    pub expected: String,
    /// Both in one line that names attribute and rule.
    pub message: String,
    /// How many do not hold it, of [`of`](Self::of): items, for a metric of an attribute its values.
    pub failing: u64,
    /// How many there are.
    pub of: u64,
    /// Some of the failing items, the same ones in whatever order the items came.
    pub examples: Vec<Example>,
    /// Of a failing rule about how values are distributed: both distributions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<Comparison>,
}

/// The answers of all checks of a contract, those that passed among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Failed if a check of severity `error` failed, else errored if one errored, else passed.
    pub outcome: Outcome,
    /// The answers in the order of the contract.
    pub results: Vec<CheckResult>,
}

impl Report {
    /// The report of these answers.
    pub fn new(results: Vec<CheckResult>) -> Self {
        let any = |outcome| {
            results.iter().any(|result| result.severity == Severity::Error && result.outcome == outcome)
        };
        let outcome = if any(Outcome::Failed) {
            Outcome::Failed
        } else if any(Outcome::Errored) {
            Outcome::Errored
        } else {
            Outcome::Passed
        };
        Self { outcome, results }
    }

    /// Why the table did not pass, gravest first, at most [`MOST_REASONS`]; empty if it passed.
    ///
    /// What concerns more of the items is graver; among equals, what is wrong with types and names comes before
    /// counts of the table, and both before limits of values.
    pub fn reasons(&self) -> Vec<String> {
        let mut found: Vec<_> = self.results.iter().filter(|result| result.rejects()).collect();
        // Stable, so the order of the contract decides among equals.
        found.sort_by_key(|result| result.gravity());
        let more = found.len().saturating_sub(MOST_REASONS);
        let mut reasons: Vec<_> =
            found.iter().take(MOST_REASONS).map(|result| result.message.clone()).collect();
        if more > 0
            && let Some(last) = reasons.last_mut()
        {
            *last = format!("and {} more", more + 1);
        }
        reasons
    }

    /// What people should see although it does not reject the table: rules of lesser severity that do not hold,
    /// rules without a baseline, and rules that nothing enforces yet. Rules in words are not among them.
    pub fn warnings(&self) -> Vec<String> {
        self.results
            .iter()
            .filter(|result| match result.outcome {
                Outcome::Passed => false,
                Outcome::Failed | Outcome::Errored => result.severity != Severity::Error,
                Outcome::NoBaseline => true,
                Outcome::Skipped => result.rule != "text",
            })
            .map(|result| result.message.clone())
            .collect()
    }
}

impl CheckResult {
    /// The answer of a check of the table as a whole, which holds if no item fails it.
    pub fn of_table(rule: &str, failing: u64, of: u64, expected: &str, problem: &str) -> Self {
        let passed = failing == 0;
        Self {
            id: format!("table:{rule}"),
            rule: rule.to_owned(),
            attribute: None,
            severity: Severity::Error,
            outcome: if passed { Outcome::Passed } else { Outcome::Failed },
            expected: expected.to_owned(),
            message: if passed { format!("{rule} holds") } else { format!("{rule}: {problem}") },
            seen: if passed { "as expected".to_owned() } else { problem.to_owned() },
            failing,
            of,
            examples: Vec::new(),
            compared: Vec::new(),
        }
    }

    fn rejects(&self) -> bool {
        self.severity == Severity::Error && matches!(self.outcome, Outcome::Failed | Outcome::Errored)
    }

    /// Less is graver: an empty table first, then by the share of items in steps of a millionth. What could not
    /// be checked has none.
    fn gravity(&self) -> (bool, u64, u8) {
        let share = u128::from(self.failing) * 1_000_000 / u128::from(self.of.max(1));
        let kind = match self.rule.as_str() {
            "required" | "physicalType" | "logicalType" | "closed" => 0,
            _ if self.attribute.is_none() => 1,
            _ => 2,
        };
        let rest = 1_000_000_u128.saturating_sub(share);
        (self.rule != "notEmpty", u64::try_from(rest).unwrap_or(0), kind)
    }
}
