//! Rules of the `quality` lists.

mod condition;
mod septet;

use std::fmt;

use serde::Serialize;

pub use condition::Condition;
pub use septet::{
    Baseline, Change, ChangeUnit, Churn, Distance, Expectation, GoldenKey, SeptetCheck, TimeUnit,
};

use crate::diagnostic::Severity;
use crate::model::Literal;
use crate::regexp::Regexp;

/// One entry of a `quality` list.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its place in the document, as `schema[0].quality[1]`: unique in a contract.
    pub path: String,
    /// `id`.
    pub id: Option<String>,
    /// `name`.
    pub name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `dimension`.
    pub dimension: Option<Dimension>,
    /// `severity`, [`Severity::Error`] unless written: only an error rejects a version.
    pub severity: Severity,
    /// What is to be held.
    pub kind: RuleKind,
}

impl Rule {
    /// What to call the rule in a verdict: its id, else its name, else its path.
    pub fn label(&self) -> &str {
        self.id.as_deref().or(self.name.as_deref()).unwrap_or(&self.path)
    }
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleKind {
    /// `type: library`: one of the standard's five metrics.
    Metric(MetricRule),
    /// `type: custom`, `engine: septet`: a check that the standard has no word for.
    Septet(SeptetCheck),
    /// `type: custom`, `engine: lambda`: a function of the publisher's decides.
    Lambda(LambdaRule),
    /// `type: text`: for people; nothing checks it.
    Text,
}

/// A dimension of data quality, as the standard lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dimension {
    /// Values are right.
    Accuracy,
    /// Nothing is missing.
    Completeness,
    /// Values have the right form.
    Conformity,
    /// Values agree with each other.
    Consistency,
    /// All that should be described is.
    Coverage,
    /// Data is there in time.
    Timeliness,
    /// Nothing is there twice.
    Uniqueness,
}

/// A measure of the standard's library with its condition.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRule {
    /// What is counted.
    pub metric: Metric,
    /// What the count or share must be.
    pub condition: Condition,
    /// Whether the count or its share of all is compared.
    pub unit: Unit,
}

/// What a rule counts. All but [`RowCount`](Metric::RowCount) and duplicates over several properties are
/// written at a property and count its values.
///
/// Below a list or a map, every element counts: percent are of all elements there are.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// Items of the table. Written at the schema object.
    RowCount,
    /// Values that are null: the attribute is absent or of type NULL.
    NullValues,
    /// Values that are null or count as missing.
    MissingValues {
        /// `arguments.missingValues`: what counts as missing; null always does.
        values: Vec<Literal>,
    },
    /// Values that break a rule; null breaks none. With neither argument, the property's own options are the
    /// rule.
    InvalidValues {
        /// `arguments.validValues`: the only valid ones; empty allows any.
        valid: Vec<Literal>,
        /// `arguments.pattern`: must be found in the value.
        pattern: Option<Regexp>,
    },
    /// Items beyond the first of each distinct value. Null is no value.
    DuplicateValues {
        /// Names of the top-level properties taken together; at a property, that property.
        properties: Vec<String>,
    },
}

impl Metric {
    /// The metric as documents write it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::RowCount => "rowCount",
            Self::NullValues => "nullValues",
            Self::MissingValues { .. } => "missingValues",
            Self::InvalidValues { .. } => "invalidValues",
            Self::DuplicateValues { .. } => "duplicateValues",
        }
    }
}

/// Of what a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A count.
    Rows,
    /// A share of all, 0 to 100.
    Percent,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rows => "rows",
            Self::Percent => "percent",
        })
    }
}

/// `type: custom`, `engine: lambda`: what `implementation` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LambdaRule {
    /// `arn` of the function, with or without a qualifier.
    pub arn: String,
    /// `timeoutSeconds`, 1 to 300, default 60: how long to wait for its answer.
    pub timeout_seconds: u32,
    /// `arguments`, an object that the function is given, as JSON; `{}` unless written.
    pub arguments: String,
}
