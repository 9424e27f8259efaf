//! From counts to answers.

use septet_contract::{Condition, Number, PhysicalType, Severity, Unit};

use crate::checker::Checker;
use crate::constraint::Constraint;
use crate::history::History;
use crate::plan::{Check, Count, Judgement, Kind, ROOT};
use crate::profile::{Place, Profile, Sample, Tally};
use crate::report::{CheckResult, Outcome, Report};
use crate::view::shortened;

const NULL: usize = PhysicalType::Null as usize;

impl Checker {
    /// Answers every check of the contract from what a profile has seen.
    ///
    /// Rules that compare with other versions take those of the history. A profile that another contract made is
    /// answered by one result that is `errored`.
    pub fn evaluate(&self, profile: &Profile, history: &History) -> Report {
        if !self.knows(profile) {
            return Report::new(vec![other_contract(profile)]);
        }
        Report::new(
            self.plan
                .judgements
                .iter()
                .flat_map(|judgement| self.answer(profile, history, judgement))
                .collect(),
        )
    }

    fn answer(&self, profile: &Profile, history: &History, judgement: &Judgement) -> Vec<CheckResult> {
        let base = Answer { judgement, items: profile.items };
        vec![match &judgement.kind {
            Kind::NotEmpty { zero_allowed } => base.not_empty(*zero_allowed),
            Kind::Check(check) => self.check(profile, &base, *check),
            Kind::Closed(check) => return base.closed(&self.plan.checks[*check], &profile.checks[*check]),
            Kind::Unique(count) => {
                let nothing = Condition::Is(Number::ZERO);
                self.metric(profile, &base, *count, ROOT, &nothing, Unit::Rows)
            }
            Kind::Metric { count, node, condition, unit } => {
                self.metric(profile, &base, *count, *node, condition, *unit)
            }
            Kind::Drift(drift) => self.drift(profile, history, &base, drift),
            Kind::Skipped(reason) => {
                let message = format!("{}: {reason}", base.label());
                base.result(Outcome::Skipped, "", "", message)
            }
            Kind::Broken(reason) => {
                let message = format!("{}: cannot be checked: {reason}", base.label());
                base.result(Outcome::Errored, "", "", message)
            }
        }]
    }

    fn check(&self, profile: &Profile, base: &Answer<'_>, at: usize) -> CheckResult {
        let (check, tally) = (&self.plan.checks[at], &profile.checks[at]);
        let place = &profile.places[check.node];
        let title = match check.test {
            Constraint::Counted => base.label().to_owned(),
            _ => format!("{} {}", base.label(), check.expected),
        };
        if tally.values == 0 {
            let message = format!("{title} holds");
            return base.result(Outcome::Passed, "no value that fails", &check.expected, message);
        }
        let where_seen = format!("in {} of {} items", tally.items, profile.items);
        let (seen, message) = match &check.test {
            Constraint::Counted => {
                let what = absent_or_null(place);
                (format!("{what} {where_seen}"), format!("{title}, {what} {where_seen}"))
            }
            Constraint::Physical(_) | Constraint::Logical { .. } => {
                let what = wrong_types(&check.test, place).unwrap_or_else(|| "other values".to_owned());
                (format!("{what} {where_seen}"), format!("{title} expected, {what} seen {where_seen}"))
            }
            _ => (
                format!("{} values {where_seen}", tally.values),
                format!("{title} does not hold {where_seen}"),
            ),
        };
        base.counted(tally, &seen, &check.expected, message)
    }

    fn metric(
        &self,
        profile: &Profile,
        base: &Answer<'_>,
        count: Count,
        node: usize,
        condition: &Condition,
        unit: Unit,
    ) -> CheckResult {
        let whole = match self.plan.nodes[node].anchor {
            ROOT => profile.items,
            anchor => profile.places[anchor].times(),
        };
        let place = &profile.places[node];
        let nulls = || {
            let values = place.times().saturating_sub(place.absent).saturating_sub(place.types[NULL]);
            whole.saturating_sub(values)
        };
        let sign = match unit {
            Unit::Rows => "",
            Unit::Percent => " %",
        };
        let expected = expected(condition, sign);
        let (part, tally) = match count {
            Count::Items => (profile.items, None),
            Count::Nulls => (nulls(), None),
            Count::Missing(check) => {
                let tally = &profile.checks[check];
                (nulls().saturating_add(tally.values), Some(tally))
            }
            Count::Invalid(check) => (profile.checks[check].values, Some(&profile.checks[check])),
            Count::PrimaryKey => (0, None),
            Count::Duplicates(slot) => match profile.distinct[slot].duplicates() {
                Some(duplicates) => (duplicates, None),
                None => {
                    let most = profile.distinct[slot].most();
                    let seen = format!("more than {most} distinct values");
                    let message =
                        format!("{}: cannot be checked: {seen} are too many to count", base.label());
                    return base.result(Outcome::Errored, &seen, &expected, message);
                }
            },
        };
        let holds = match (count, unit) {
            (Count::Items, _) | (_, Unit::Rows) => condition.holds(&Number::from(part)),
            (_, Unit::Percent) => condition.holds_percent(part, whole),
        };
        let plural = if part == 1 { "" } else { "s" };
        let what = match count {
            Count::Items => "item",
            Count::Nulls => "null",
            Count::Missing(_) => "missing value",
            Count::Invalid(_) => "invalid value",
            Count::Duplicates(_) | Count::PrimaryKey => "duplicate",
        };
        let seen = match (count, unit) {
            (Count::PrimaryKey, _) => format!("no {what}s, as DynamoDB keeps primary keys unique"),
            (Count::Items, _) | (_, Unit::Rows) => format!("{part} {what}{plural}"),
            (_, Unit::Percent) => format!("{} % {what}s ({part} of {whole})", percent(part, whole)),
        };
        let message = format!("{}: {seen}, {expected} expected", base.label());
        if holds {
            return base.result(Outcome::Passed, &seen, &expected, message);
        }
        let examples = tally.map(|tally| tally.examples.as_slice()).unwrap_or_default();
        let mut result = base.failed(examples, &seen, &expected, message);
        (result.failing, result.of) = match count {
            // The number of items is wrong of the table as a whole.
            Count::Items => (1, 1),
            _ => (part, whole),
        };
        result
    }
}

/// A judgement about a table of so many items.
pub(crate) struct Answer<'a> {
    judgement: &'a Judgement,
    items: u64,
}

impl Answer<'_> {
    /// Attribute and rule, as `recs[].score: maximum`.
    pub(crate) fn label(&self) -> String {
        let Judgement { attribute, rule, .. } = self.judgement;
        match attribute {
            Some(attribute) => format!("{attribute}: {rule}"),
            None => rule.clone(),
        }
    }

    pub(crate) fn result(
        &self,
        outcome: Outcome,
        seen: &str,
        expected: &str,
        message: String,
    ) -> CheckResult {
        let Judgement { id, rule, attribute, severity, .. } = self.judgement;
        CheckResult {
            id: id.clone(),
            rule: rule.clone(),
            attribute: attribute.clone(),
            severity: *severity,
            outcome,
            seen: seen.to_owned(),
            expected: expected.to_owned(),
            message,
            failing: 0,
            of: self.items,
            examples: Vec::new(),
        }
    }

    fn failed(&self, examples: &[Sample], seen: &str, expected: &str, message: String) -> CheckResult {
        let example = match examples.first() {
            Some(Sample { key, value, .. }) => format!(" (e.g. {key}: {value})"),
            None => String::new(),
        };
        let mut result = self.result(Outcome::Failed, seen, expected, message + &example);
        result.examples = examples.iter().map(Into::into).collect();
        result
    }

    fn counted(&self, tally: &Tally, seen: &str, expected: &str, message: String) -> CheckResult {
        let mut result = self.failed(&tally.examples, seen, expected, message);
        result.failing = tally.items;
        result
    }

    fn not_empty(&self, zero_allowed: bool) -> CheckResult {
        let seen = format!("{} items", self.items);
        let (outcome, expected, message) = match (self.items, zero_allowed) {
            (0, false) => (Outcome::Failed, "at least 1 item", "the table is empty".to_owned()),
            (_, true) => (Outcome::Passed, "any number of items, as a rule allows 0", seen.clone()),
            (_, false) => (Outcome::Passed, "at least 1 item", seen.clone()),
        };
        self.result(outcome, &seen, expected, message)
    }

    /// One answer for each name that the contract does not have.
    fn closed(&self, check: &Check, tally: &Tally) -> Vec<CheckResult> {
        if tally.values == 0 {
            let message = format!("{} holds", self.label());
            return vec![self.result(Outcome::Passed, "no others", &check.expected, message)];
        }
        let mut results: Vec<_> = tally
            .names
            .iter()
            .map(|named| {
                let name = shortened(&named.name);
                let attribute = match &self.judgement.attribute {
                    Some(around) => format!("{around}.{name}"),
                    None => name,
                };
                let seen = format!("in {} of {} items", named.tally.items, self.items);
                let message = format!("{attribute}: not in the contract, which is closed; seen {seen}");
                let mut result = self.counted(&named.tally, &seen, &check.expected, message);
                result.id = format!("{attribute}:closed");
                result.attribute = Some(attribute);
                result
            })
            .collect();
        let named = tally.names.iter().fold(0_u64, |sum, named| sum.saturating_add(named.tally.values));
        if named < tally.values {
            let seen = format!("{} values under further names", tally.values - named);
            let message = format!("{}: {seen}, all of them not in the contract", self.label());
            results.push(self.counted(tally, &seen, &check.expected, message));
        }
        results
    }
}

fn other_contract(profile: &Profile) -> CheckResult {
    CheckResult {
        id: "table:contract".to_owned(),
        rule: "contract".to_owned(),
        attribute: None,
        severity: Severity::Error,
        outcome: Outcome::Errored,
        seen: "a profile of another contract".to_owned(),
        expected: "a profile of this contract".to_owned(),
        message: "the items were checked against another contract; check them again".to_owned(),
        failing: 0,
        of: profile.items,
        examples: Vec::new(),
    }
}

fn absent_or_null(place: &Place) -> &'static str {
    match (place.absent, place.types[NULL]) {
        (_, 0) => "absent",
        (0, _) => "null",
        _ => "absent or null",
    }
}

/// The types seen that cannot hold, as `S and NULL`; none if only values are wrong.
fn wrong_types(test: &Constraint, place: &Place) -> Option<String> {
    let allowed: &[PhysicalType] = match test {
        Constraint::Physical(physical) => &[*physical],
        Constraint::Logical { types, .. } => types,
        _ => return None,
    };
    let wrong: Vec<_> = PhysicalType::ALL
        .iter()
        .filter(|physical| {
            // Null is what `required` is about.
            **physical != PhysicalType::Null
                && !allowed.contains(physical)
                && place.types[**physical as usize] > 0
        })
        .map(|physical| physical.as_str())
        .collect();
    (!wrong.is_empty()).then(|| wrong.join(" and "))
}

pub(crate) fn expected(condition: &Condition, unit: &str) -> String {
    match condition {
        Condition::Is(n) if *n == Number::ZERO => "none".to_owned(),
        Condition::Is(n) => format!("exactly {n}{unit}"),
        Condition::IsNot(n) => format!("anything but {n}{unit}"),
        Condition::GreaterThan(n) => format!("more than {n}{unit}"),
        Condition::GreaterOrEqual(n) => format!("at least {n}{unit}"),
        Condition::LessThan(n) => format!("less than {n}{unit}"),
        Condition::LessOrEqual(n) => format!("at most {n}{unit}"),
        Condition::Between(low, high) => format!("between {low} and {high}{unit} (both included)"),
        Condition::NotBetween(low, high) => format!("less than {low} or more than {high}{unit}"),
    }
}

/// A share with three decimals, for people; the verdict compares without rounding.
fn percent(part: u64, whole: u64) -> String {
    let thousandths = (u128::from(part) * 100_000).checked_div(u128::from(whole)).unwrap_or(0);
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use septet_contract::{Metric, MetricRule, Object, Rule, RuleKind};

    use super::*;
    use crate::samples::{item, number, recommendations, table, text};
    use crate::value::{Item, Value};

    fn report(object: &Object, items: &[Item]) -> Report {
        let checker = Checker::of(object);
        let mut profile = checker.profile();
        for item in items {
            checker.observe(&mut profile, item);
        }
        checker.evaluate(&profile, &History::default())
    }

    fn users(count: usize, score: impl Fn(usize) -> Value) -> Vec<Item> {
        (0..count)
            .map(|user| {
                let rec = item([("track_id", text(format!("t-{user}"))), ("score", score(user))]);
                item([
                    ("user_id", text(format!("u-{user}"))),
                    ("recs", Value::L(vec![Value::M(rec.clone()), Value::M(rec)])),
                ])
            })
            .collect()
    }

    fn metric(metric: Metric, condition: Condition) -> Rule {
        Rule {
            path: "schema[0].quality[0]".to_owned(),
            id: None,
            name: None,
            description: None,
            dimension: None,
            severity: Severity::Error,
            kind: RuleKind::Metric(MetricRule { metric, condition, unit: Unit::Rows }),
        }
    }

    #[test]
    fn a_score_that_became_text_is_named_with_its_types_and_an_example() {
        let object = table(vec![recommendations()]);
        let good = report(&object, &users(671, |_| number("0.93")));
        assert_eq!((good.outcome, good.reasons()), (Outcome::Passed, vec![]));
        let bad = report(&object, &users(671, |user| text(format!("0.{user}"))));
        assert_eq!(bad.outcome, Outcome::Failed);
        let reason = &bad.reasons()[0];
        let expected = "recs[].score: physicalType N expected, S seen in 671 of 671 items (e.g. user_id \"u-";
        assert!(reason.starts_with(expected) && reason.ends_with("\")"), "{reason}");
        assert_eq!(bad.reasons().len(), 1, "{:?}", bad.reasons());
    }

    #[test]
    fn half_of_the_users_are_too_few() {
        let mut object = table(vec![recommendations()]);
        let least = Condition::GreaterOrEqual(Number::from(600));
        object.quality.push(metric(Metric::RowCount, least));
        let report = report(&object, &users(335, |_| number("1")));
        assert_eq!(report.reasons(), ["rowCount: 335 items, at least 600 expected"]);
    }
}
