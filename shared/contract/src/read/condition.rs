//! Operators of rules, and conditions that nothing can keep or break.

use super::place;
use super::quality::Reader;
use crate::document::Node;
use crate::number::Number;
use crate::rule::Condition;
use crate::standard::{OPERATORS, join};

impl Reader<'_> {
    /// The one operator of a rule or an implementation.
    pub(super) fn condition(&mut self, node: &Node, path: &str) -> Option<Condition> {
        let operators: Vec<_> =
            node.entries().iter().filter(|entry| OPERATORS.contains(&entry.key.as_str())).collect();
        let Some(operator) = operators.first() else {
            let hint = format!("add one of {}", OPERATORS.join(", "));
            self.findings.error(node.at, path, "the rule has no operator", hint);
            return None;
        };
        for second in operators.iter().skip(1) {
            self.findings.error(
                second.at,
                &join(path, &second.key),
                format!("a second operator, {}, beside {}", second.key, operator.key),
                "keep one; two conditions are two rules, and a range is mustBeBetween",
            );
        }
        let (key, value) = (operator.key.as_str(), &operator.value);
        if matches!(key, "mustBeBetween" | "mustNotBeBetween") {
            let (low, high) = self.range(value, key, path)?;
            return Some(if key == "mustBeBetween" {
                Condition::Between(low, high)
            } else {
                Condition::NotBetween(low, high)
            });
        }
        let Some(number) = value.number() else {
            self.findings.error(
                value.at,
                &join(path, key),
                format!("{key} takes a number here, not {}", value.describe()),
                "write a number, without quotes",
            );
            return None;
        };
        Some(match key {
            "mustBe" => Condition::Is(number),
            "mustNotBe" => Condition::IsNot(number),
            "mustBeGreaterThan" => Condition::GreaterThan(number),
            "mustBeGreaterOrEqualTo" => Condition::GreaterOrEqual(number),
            "mustBeLessThan" => Condition::LessThan(number),
            _ => Condition::LessOrEqual(number),
        })
    }

    fn range(&mut self, value: &Node, key: &str, path: &str) -> Option<(Number, Number)> {
        let path = join(path, key);
        let numbers: Vec<_> = value.list().iter().filter_map(Node::number).collect();
        let (&[low, high], true) = (numbers.as_slice(), value.list().len() == 2) else {
            let message = format!("{key} takes a list of two numbers, not {}", value.describe());
            self.findings.error(value.at, &path, message, "write the least and the largest number: [1, 10]");
            return None;
        };
        if low >= high {
            let (message, hint) = if low == high {
                (format!("{key} [{low}, {high}] is one number"), "use mustBe or mustNotBe".to_owned())
            } else {
                (
                    format!("{key} [{low}, {high}] has its ends the wrong way round"),
                    format!("write [{high}, {low}]"),
                )
            };
            self.findings.error(value.at, &path, message, hint);
            return None;
        }
        Some((low, high))
    }

    /// Says of a condition on something that is never negative, and at most `most`, that nothing keeps or that
    /// nothing breaks it. `of` is what the operand counts.
    pub(super) fn possible(
        &mut self,
        node: &Node,
        path: &str,
        condition: &Condition,
        most: Option<Number>,
        of: &str,
    ) {
        match chances(condition, most) {
            Chances::Some => {}
            Chances::Never => {
                let message = format!("nothing keeps this rule: it {condition}{of}");
                self.error(node, condition.key(), path, message, "change the operand");
            }
            Chances::Always => {
                let message = format!("nothing breaks this rule: it {condition}{of}");
                let (at, path) = (place(node, condition.key()), join(path, condition.key()));
                self.findings.warning(at, &path, message, "change the operand, or remove the rule");
            }
        }
    }
}

#[derive(Debug, PartialEq)]
enum Chances {
    Never,
    Some,
    Always,
}

/// Whether numbers from 0 to `most` keep a condition.
fn chances(condition: &Condition, most: Option<Number>) -> Chances {
    let zero = Number::ZERO;
    let (below, above) = (|n: &Number| *n < zero, |n: &Number| most.is_some_and(|most| *n > most));
    let (bottom, top) = (|n: &Number| *n <= zero, |n: &Number| most.is_some_and(|most| *n >= most));
    let (never, always) = match condition {
        Condition::Is(n) => (below(n) || above(n), false),
        Condition::IsNot(n) => (false, below(n) || above(n)),
        Condition::GreaterThan(n) => (top(n), below(n)),
        Condition::GreaterOrEqual(n) => (above(n), bottom(n)),
        Condition::LessThan(n) => (bottom(n), above(n)),
        Condition::LessOrEqual(n) => (below(n), top(n)),
        Condition::Between(low, high) => (below(high) || above(low), bottom(low) && top(high)),
        Condition::NotBetween(low, high) => (bottom(low) && top(high), below(high) || above(low)),
    };
    match (never, always) {
        (true, _) => Chances::Never,
        (_, true) => Chances::Always,
        _ => Chances::Some,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_without_a_choice_are_found() {
        let n = |text: &str| Number::parse(text).unwrap();
        let most = n("3");
        let operands: Vec<_> = (-4..=10).map(|half: i32| n(&(f64::from(half) / 2.0).to_string())).collect();
        let values: Vec<_> =
            (0..=12).map(|quarter: i32| n(&(f64::from(quarter) / 4.0).to_string())).collect();
        let mut conditions = Vec::new();
        for (index, low) in operands.iter().enumerate() {
            conditions.extend([
                Condition::Is(*low),
                Condition::IsNot(*low),
                Condition::GreaterThan(*low),
                Condition::GreaterOrEqual(*low),
                Condition::LessThan(*low),
                Condition::LessOrEqual(*low),
            ]);
            for high in &operands[index + 1..] {
                conditions.extend([Condition::Between(*low, *high), Condition::NotBetween(*low, *high)]);
            }
        }
        for condition in conditions {
            let kept = values.iter().filter(|value| condition.holds(value)).count();
            let expected = match kept {
                0 => Chances::Never,
                all if all == values.len() => Chances::Always,
                _ => Chances::Some,
            };
            assert_eq!(chances(&condition, Some(most)), expected, "{condition}");
        }
        assert_eq!(chances(&Condition::GreaterThan(n("1e30")), None), Chances::Some);
        assert_eq!(chances(&Condition::LessOrEqual(n("1e30")), None), Chances::Some);
    }
}
