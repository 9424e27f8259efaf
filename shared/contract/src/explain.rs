//! What a contract comes to, in plain language.

use std::fmt;

use serde::Serialize;

use crate::diagnostic::Severity;
use crate::facts::facts;
use crate::model::Literal;
use crate::rule::{
    Baseline, Change, ChangeUnit, Churn, Distance, Expectation, GoldenKey, Metric, MetricRule, Rule,
    RuleKind, SeptetCheck, Unit,
};
use crate::{Contract, Unenforced};

/// One thing that a contract says of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// What it is about: an attribute as `recs[].score`, or `the table`.
    pub about: String,
    /// What must hold, or what a rule in words says.
    pub says: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a line of a contract. What Septet refuses is no part of a contract that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// A version that does not keep to it is rejected.
    Rejects,
    /// It is measured and reported; versions pass.
    Reports,
    /// It is shown to people only.
    Shown,
    /// Nothing holds the data to it.
    NotEnforced {
        /// Why.
        reason: &'static str,
    },
}

impl Contract {
    /// All that the contract says of the data, the table first, then attributes in the order of the document.
    pub fn explain(&self) -> Vec<Explained> {
        let object = self.object();
        let unenforced = self.unenforced();
        let mut found = Vec::new();
        let key = &object.key;
        let parts = std::iter::once(&key.partition).chain(&key.sort);
        let parts: Vec<_> = parts.map(|part| format!("{} ({})", part.attribute, part.physical)).collect();
        let table = || "the table".to_owned();
        let enforced = |about: String, says: String| Explained { about, says, fate: Fate::Rejects };
        found.push(enforced(table(), format!("its key is {}", parts.join(", "))));
        if object.closed {
            found.push(enforced(table(), "items have no attributes but those named here".to_owned()));
        }
        found.extend(object.quality.iter().map(|rule| explain_rule(table(), rule, &unenforced)));
        for (place, property) in object.all_properties() {
            let about = place.to_string();
            let nothing =
                |key: &str| unenforced.iter().find(|it| it.path == about && it.what.starts_with(key));
            let mut held = Vec::new();
            for fact in facts(property) {
                match nothing(fact.key) {
                    None => held.push(fact.words),
                    Some(Unenforced { reason, .. }) => found.push(Explained {
                        about: about.clone(),
                        says: fact.words,
                        fate: Fate::NotEnforced { reason },
                    }),
                }
            }
            if !held.is_empty() {
                found.push(enforced(about.clone(), held.join(", ")));
            }
            let rules = property.quality.iter();
            found.extend(rules.map(|rule| explain_rule(about.clone(), rule, &unenforced)));
        }
        found
    }
}

fn explain_rule(about: String, rule: &Rule, unenforced: &[Unenforced]) -> Explained {
    let nothing = unenforced.iter().find(|it| it.path == rule.path);
    let fate = match (&rule.kind, nothing) {
        (RuleKind::Text, _) => Fate::Shown,
        (_, Some(it)) => Fate::NotEnforced { reason: it.reason },
        _ if rule.severity == Severity::Error => Fate::Rejects,
        _ => Fate::Reports,
    };
    Explained { about, says: rule.to_string(), fate }
}

/// Prints as a sentence, without the rule's name and severity.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            RuleKind::Metric(rule) => rule.fmt(f),
            RuleKind::Septet(check) => check.fmt(f),
            RuleKind::Lambda(rule) => {
                write!(f, "the function {} says yes within {} s", rule.arn, rule.timeout_seconds)
            }
            RuleKind::Text => {
                f.write_str(self.description.as_deref().or(self.name.as_deref()).unwrap_or("nothing"))
            }
        }
    }
}

fn list(values: &[Literal]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Prints as `the share of nulls in percent must be less than 0.1`.
impl fmt::Display for MetricRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match &self.metric {
            Metric::RowCount => "items".to_owned(),
            Metric::NullValues => "nulls".to_owned(),
            Metric::MissingValues { values } => format!("nulls and values among {}", list(values)),
            Metric::InvalidValues { valid, pattern } => match (valid.is_empty(), pattern) {
                (true, None) => "values beyond the limits of the property".to_owned(),
                (false, None) => format!("values other than {}", list(valid)),
                (true, Some(pattern)) => format!("values that do not match {pattern}"),
                (false, Some(pattern)) => {
                    format!("values other than {}, or that do not match {pattern}", list(valid))
                }
            },
            Metric::DuplicateValues { properties } => {
                format!("items beyond the first of each {}", properties.join(" and "))
            }
        };
        match self.unit {
            Unit::Rows => write!(f, "the number of {of} {}", self.condition),
            Unit::Percent => write!(f, "the share of {of} in percent {}", self.condition),
        }
    }
}

/// Prints as `the change of the number of items against the live version, in percent, must be at most 10`.
impl fmt::Display for SeptetCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RowCountChange(change) => change.write(f, "the change of the number of items"),
            Self::KeyChurn { keys: Churn::Added, change } => change.write(f, "the number of new keys"),
            Self::KeyChurn { keys: Churn::Removed, change } => {
                change.write(f, "the number of keys that are gone")
            }
            Self::MeanChange { of, change } => change.write(f, &format!("the change of the mean of {of}")),
            Self::QuantileChange { of, quantile, change } => {
                change.write(f, &format!("the change of the quantile {quantile} of {of}"))
            }
            Self::NullRateChange { of, change } => {
                let (against, condition) = (Against(change.against), change.condition);
                write!(
                    f,
                    "the change of the share of nulls of {of} against {against}, in percentage points, {condition}"
                )
            }
            Self::DistributionChange { of, distance, against, condition } => {
                let distance = match distance {
                    Distance::Psi => "population stability index",
                    Distance::Ks => "Kolmogorov-Smirnov distance",
                };
                write!(f, "the {distance} of {of} against {} {condition}", Against(*against))
            }
            Self::ListLengthChange { of, change } => {
                change.write(f, &format!("the change of the mean number of elements of {of}"))
            }
            Self::Freshness { of, unit, condition } => {
                write!(f, "the age of the newest {of}, in {unit}, {condition}")
            }
            Self::GoldenKeys(keys) => {
                let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
                write!(f, "there must be the items {}", keys.join("; "))
            }
            Self::ItemSize(condition) => write!(f, "the size of the largest item, in bytes, {condition}"),
            Self::IdenticalToPrevious => {
                f.write_str("the content must not be the same as that of the version before")
            }
        }
    }
}

impl Change {
    fn write(&self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        let unit = if self.unit == ChangeUnit::Percent { ", in percent," } else { "" };
        write!(f, "{what} against {}{unit} {}", Against(self.against), self.condition)
    }
}

struct Against(Baseline);

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Baseline::Live => f.write_str("the live version"),
            Baseline::Previous => f.write_str("the version before"),
            Baseline::Median(versions) => write!(f, "the median of the newest {versions} versions"),
            Baseline::SameWeekday => f.write_str("the newest version of the same weekday"),
        }
    }
}

/// Prints as `"u-1" with recs: must be at least 10`.
impl fmt::Display for GoldenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.partition)?;
        if let Some(sort) = &self.sort {
            write!(f, ", {sort}")?;
        }
        for (index, (place, expected)) in self.expected.iter().enumerate() {
            write!(f, "{} {place}", if index == 0 { " with" } else { " and" })?;
            match expected {
                Expectation::Is(value) => write!(f, " {value}")?,
                Expectation::Measures(condition) => write!(f, " that {condition}")?,
            }
        }
        Ok(())
    }
}
