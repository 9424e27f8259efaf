//! Rules of the `quality` lists.

use std::fmt;

use serde::Serialize;

use crate::diagnostic::Severity;
use crate::model::Literal;
use crate::number::Number;
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
    Septet(SeptetRule),
    /// `type: custom`, `engine: lambda`: a function of the publisher's decides.
    Lambda(LambdaRule),
    /// `type: text`: for people; nothing checks it.
    Text,
}

impl RuleKind {
    /// Why nothing enforces rules of this kind, or `None` for those that are enforced.
    ///
    /// Rules in words are not among them: nobody expects a machine to hold those.
    pub fn unenforced(&self) -> Option<&'static str> {
        match self {
            Self::Septet(_) => Some("checks of engine septet are not run yet"),
            Self::Lambda(_) => Some("functions of engine lambda are not called yet"),
            Self::Metric(_) | Self::Text => None,
        }
    }
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

/// One of the standard's eight operators with its operand.
///
/// Prints as `must be between 900000 and 1500000, both included`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// `mustBe`.
    Is(Number),
    /// `mustNotBe`.
    IsNot(Number),
    /// `mustBeGreaterThan`.
    GreaterThan(Number),
    /// `mustBeGreaterOrEqualTo`.
    GreaterOrEqual(Number),
    /// `mustBeLessThan`.
    LessThan(Number),
    /// `mustBeLessOrEqualTo`.
    LessOrEqual(Number),
    /// `mustBeBetween`: both ends are included.
    Between(Number, Number),
    /// `mustNotBeBetween`: holds outside, so neither end is allowed.
    NotBetween(Number, Number),
}

impl Condition {
    /// Tells whether a measured number keeps the condition.
    pub fn holds(&self, measured: &Number) -> bool {
        self.holds_by(|operand| measured.cmp(operand))
    }

    /// Tells whether `part` in percent of `whole` keeps the condition, without rounding; of nothing, 0 %.
    pub fn holds_percent(&self, part: u64, whole: u64) -> bool {
        self.holds_by(|operand| Number::compare_percent(part, whole, operand))
    }

    /// The operator as documents write it.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Is(_) => "mustBe",
            Self::IsNot(_) => "mustNotBe",
            Self::GreaterThan(_) => "mustBeGreaterThan",
            Self::GreaterOrEqual(_) => "mustBeGreaterOrEqualTo",
            Self::LessThan(_) => "mustBeLessThan",
            Self::LessOrEqual(_) => "mustBeLessOrEqualTo",
            Self::Between(..) => "mustBeBetween",
            Self::NotBetween(..) => "mustNotBeBetween",
        }
    }

    /// The operand, or both ends of a range.
    pub fn operands(&self) -> impl Iterator<Item = Number> + use<> {
        let (first, second) = match *self {
            Self::Between(low, high) | Self::NotBetween(low, high) => (low, Some(high)),
            Self::Is(n)
            | Self::IsNot(n)
            | Self::GreaterThan(n)
            | Self::GreaterOrEqual(n)
            | Self::LessThan(n)
            | Self::LessOrEqual(n) => (n, None),
        };
        std::iter::once(first).chain(second)
    }

    fn holds_by(&self, compare: impl Fn(&Number) -> std::cmp::Ordering) -> bool {
        match self {
            Self::Is(n) => compare(n).is_eq(),
            Self::IsNot(n) => compare(n).is_ne(),
            Self::GreaterThan(n) => compare(n).is_gt(),
            Self::GreaterOrEqual(n) => compare(n).is_ge(),
            Self::LessThan(n) => compare(n).is_lt(),
            Self::LessOrEqual(n) => compare(n).is_le(),
            Self::Between(low, high) => compare(low).is_ge() && compare(high).is_le(),
            Self::NotBetween(low, high) => compare(low).is_lt() || compare(high).is_gt(),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(n) => write!(f, "must be {n}"),
            Self::IsNot(n) => write!(f, "must not be {n}"),
            Self::GreaterThan(n) => write!(f, "must be greater than {n}"),
            Self::GreaterOrEqual(n) => write!(f, "must be at least {n}"),
            Self::LessThan(n) => write!(f, "must be less than {n}"),
            Self::LessOrEqual(n) => write!(f, "must be at most {n}"),
            Self::Between(low, high) => write!(f, "must be between {low} and {high}, both included"),
            Self::NotBetween(low, high) => {
                write!(f, "must not be between {low} and {high}, both included")
            }
        }
    }
}

/// `type: custom`, `engine: septet`: what `implementation` says.
#[derive(Debug, Clone, PartialEq)]
pub struct SeptetRule {
    /// `check`.
    pub check: SeptetCheck,
    /// `against`: what the version is compared with; none for checks that compare with nothing.
    pub against: Option<Baseline>,
    /// The operator, for checks that measure a number.
    pub condition: Option<Condition>,
    /// `unit`, of `implementation` or of the rule.
    pub unit: Option<String>,
    /// `property` of `implementation`, else the property that the rule is written at.
    pub property: Option<String>,
}

/// Checks of `engine: septet`.
///
/// A change is measured without its sign: `mustBeLessOrEqualTo: 10` with `unit: percent` allows ten percent up
/// and ten percent down.
#[derive(Debug, Clone, PartialEq)]
pub enum SeptetCheck {
    /// Change of the number of items.
    RowCountChange,
    /// Keys that came or went.
    KeyChurn(Churn),
    /// Change of a number's mean.
    MeanChange,
    /// Change of a number's quantile.
    QuantileChange {
        /// Between 0 and 1.
        quantile: Number,
    },
    /// Change of the share of nulls.
    NullRateChange,
    /// Distance of two distributions.
    DistributionChange(Distance),
    /// Change of a list's mean length.
    ListLengthChange,
    /// Age of a timestamp's newest value.
    Freshness,
    /// These keys exist and their items are as said.
    GoldenKeys {
        /// Each an object of attribute names and values, as written.
        keys: Vec<Vec<(String, Literal)>>,
    },
    /// Size of the largest item in bytes.
    ItemSize,
    /// The content is not the same as of the version before.
    IdenticalToPrevious,
}

impl SeptetCheck {
    /// The check as documents write it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::RowCountChange => "rowCountChange",
            Self::KeyChurn(_) => "keyChurn",
            Self::MeanChange => "meanChange",
            Self::QuantileChange { .. } => "quantileChange",
            Self::NullRateChange => "nullRateChange",
            Self::DistributionChange(_) => "distributionChange",
            Self::ListLengthChange => "listLengthChange",
            Self::Freshness => "freshness",
            Self::GoldenKeys { .. } => "goldenKeys",
            Self::ItemSize => "itemSize",
            Self::IdenticalToPrevious => "identicalToPrevious",
        }
    }
}

/// Which keys [`SeptetCheck::KeyChurn`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Churn {
    /// Keys that the baseline has not.
    Added,
    /// Keys that only the baseline has.
    Removed,
}

/// How far apart two distributions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// Population stability index.
    Psi,
    /// The statistic of Kolmogorov and Smirnov.
    Ks,
}

/// What a relative check compares with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Baseline {
    /// The version that the live pointer names; documents may also write `current`.
    Live,
    /// The newest valid version before this one.
    Previous,
    /// The median of the newest valid versions, as `median:7`.
    Median(u32),
    /// The newest valid version of the same day of the week.
    SameWeekday,
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => f.write_str("live"),
            Self::Previous => f.write_str("previous"),
            Self::Median(versions) => write!(f, "median:{versions}"),
            Self::SameWeekday => f.write_str("sameWeekday"),
        }
    }
}

/// `type: custom`, `engine: lambda`: what `implementation` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LambdaRule {
    /// ARN of the function, with or without a qualifier.
    pub arn: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_includes_both_its_ends() {
        let n = Number::from;
        for (condition, holding) in [
            (Condition::Is(n(5)), vec![5]),
            (Condition::IsNot(n(5)), vec![3, 4, 6, 7, 8]),
            (Condition::GreaterThan(n(5)), vec![6, 7, 8]),
            (Condition::GreaterOrEqual(n(5)), vec![5, 6, 7, 8]),
            (Condition::LessThan(n(5)), vec![3, 4]),
            (Condition::LessOrEqual(n(5)), vec![3, 4, 5]),
            (Condition::Between(n(4), n(6)), vec![4, 5, 6]),
            (Condition::NotBetween(n(4), n(6)), vec![3, 7, 8]),
        ] {
            let found: Vec<u64> = (3..=8).filter(|value| condition.holds(&n(*value))).collect();
            assert_eq!(found, holding, "{condition}");
            let found: Vec<u64> = (3..=8).filter(|part| condition.holds_percent(*part, 100)).collect();
            assert_eq!(found, holding, "{condition} percent");
        }
    }

    #[test]
    fn one_item_too_many_in_a_thousand_million_breaks_a_percentage() {
        let limit = Condition::LessOrEqual(Number::parse("0.1").unwrap());
        assert!(limit.holds_percent(1_000_000, 1_000_000_000));
        assert!(!limit.holds_percent(1_000_001, 1_000_000_000));
        assert!(limit.holds_percent(0, 0));
    }

    #[test]
    fn a_condition_prints_as_a_sentence() {
        let between = Condition::Between(Number::from(900_000), Number::from(1_500_000));
        assert_eq!(between.to_string(), "must be between 900000 and 1500000, both included");
        assert_eq!(between.operands().collect::<Vec<_>>(), [Number::from(900_000), Number::from(1_500_000)]);
        assert_eq!(between.key(), "mustBeBetween");
    }
}
