//! Operators.

use std::fmt;

use crate::number::Number;

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
