//! Rules of `engine: lambda`: what is asked, and what comes of an answer.

use septet_contract::{LambdaRule, Severity};

use crate::checker::Checker;
use crate::evaluate::Answer;
use crate::plan::Kind;
use crate::report::{CheckResult, Outcome};

/// A rule that a function of the publisher's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionRule<'a> {
    /// As [`CheckResult::id`].
    pub id: &'a str,
    /// The attribute that the rule stands at; none for the table.
    pub attribute: Option<&'a str>,
    /// How much it matters if it does not hold.
    pub severity: Severity,
    /// The function, and what it is given.
    pub rule: &'a LambdaRule,
}

/// What came of asking a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionAnswer {
    /// It said that the rule holds, and perhaps what it saw.
    Passed(Option<String>),
    /// It said that the rule does not hold, and why.
    Failed(String),
    /// It said neither: it crashed, took too long, or cannot be understood.
    Errored(String),
    /// It was not to be asked; why. Never given where a version is published.
    NotAsked(String),
}

impl Checker {
    /// The rules that functions answer, in the order of the contract.
    pub fn functions(&self) -> impl Iterator<Item = FunctionRule<'_>> {
        self.plan.judgements.iter().filter_map(|judgement| match &judgement.kind {
            Kind::Function(rule) => Some(FunctionRule {
                id: &judgement.id,
                attribute: judgement.attribute.as_deref(),
                severity: judgement.severity,
                rule,
            }),
            _ => None,
        })
    }
}

impl Answer<'_> {
    pub(crate) fn function(&self, rule: &LambdaRule, answer: Option<&FunctionAnswer>) -> CheckResult {
        let name = rule.arn.split_once(":function:").map_or(rule.arn.as_str(), |(_, name)| name);
        let expected = format!("the function {name} says yes");
        let label = self.label();
        match answer {
            Some(FunctionAnswer::Passed(said)) => {
                let seen = said.as_deref().unwrap_or("yes");
                self.result(Outcome::Passed, seen, &expected, format!("{label}: {name} says: {seen}"))
            }
            Some(FunctionAnswer::Failed(why)) => {
                let message = format!("{label}: {name} says: {why}");
                let mut result = self.result(Outcome::Failed, why, &expected, message);
                // What is wrong is wrong of the table as a whole.
                (result.failing, result.of) = (1, 1);
                result
            }
            Some(FunctionAnswer::NotAsked(why)) => {
                self.result(Outcome::Skipped, "", &expected, format!("{label}: {name} was not asked: {why}"))
            }
            Some(FunctionAnswer::Errored(why)) => self.broken(&expected, why),
            None => self.broken(&expected, &format!("nobody asked {name}")),
        }
    }

    fn broken(&self, expected: &str, why: &str) -> CheckResult {
        let message = format!("{}: cannot be checked: {why}", self.label());
        self.result(Outcome::Errored, why, expected, message)
    }
}
