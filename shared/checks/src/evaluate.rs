//! From counts to answers.

use septet_contract::{Condition, Number, PhysicalType, Severity, Unit};

use crate::checker::Checker;
use crate::constraint::Constraint;
use crate::history::History;
use crate::plan::{Check, Count, Judgement, Kind, ROOT};
use crate::profile::{Place, Profile, Ranked, Tally};
use crate::report::{CheckResult, Outcome, Report};
use crate::sample::{CONFIDENCE, Interval, Sample, Sight};
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
        if profile.sampled.is_some() {
            let message = "this is a profile of a sample; read the table again".to_owned();
            return Report::new(vec![unusable("sample", profile, "a sample", "all of the table", message)]);
        }
        self.report(Sight::Whole(profile), history)
    }

    /// Answers every check of the contract from what a sample says of the table; see the documentation of the crate.
    pub fn evaluate_sample(&self, sample: &Sample, history: &History) -> Report {
        let profile = sample.profile();
        if sample.is_whole() || !self.knows(profile) {
            return self.evaluate(profile, history);
        }
        if !sample.says_something() {
            let seen = format!("{} of {} segments", sample.extent().segments, sample.extent().of);
            let message =
                format!("{seen} were read, which say nothing of the table: more has to be read of it");
            return Report::new(vec![unusable("sample", profile, &seen, "a larger sample", message)]);
        }
        self.report(Sight::Sample(sample), history)
    }

    fn report(&self, sight: Sight<'_>, history: &History) -> Report {
        let answers =
            self.plan.judgements.iter().flat_map(|judgement| self.answer(sight, history, judgement));
        Report::new(answers.collect())
    }

    fn answer(&self, sight: Sight<'_>, history: &History, judgement: &Judgement) -> Vec<CheckResult> {
        let base = Answer { judgement, sight };
        vec![match &judgement.kind {
            Kind::NotEmpty { zero_allowed } => base.not_empty(*zero_allowed),
            Kind::Check(check) => self.check(&base, *check),
            Kind::Closed(check) => {
                let (tally, alike) = (&sight.profile().checks[*check], self.plan.sort.is_some());
                return base.closed(&self.plan.checks[*check], tally, alike);
            }
            Kind::Unique(count) => {
                let nothing = Condition::Is(Number::ZERO);
                self.metric(&base, *count, ROOT, &nothing, Unit::Rows)
            }
            Kind::Metric { count, node, condition, unit } => {
                self.metric(&base, *count, *node, condition, *unit)
            }
            Kind::Drift(drift) => self.drift(history, &base, drift),
            Kind::Function(rule) => base.function(rule, history.answers.get(&judgement.id)),
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

    fn check(&self, base: &Answer<'_>, at: usize) -> CheckResult {
        let profile = base.sight.profile();
        let (check, tally) = (&self.plan.checks[at], &profile.checks[at]);
        let place = &profile.places[check.node];
        let title = match check.test {
            Constraint::Counted => base.label().to_owned(),
            _ => format!("{} {}", base.label(), check.expected),
        };
        if tally.values == 0 {
            let (seen, message) = base.none_fails("no value that fails", &title, self.plan.sort.is_some());
            return base.result(Outcome::Passed, &seen, &check.expected, message);
        }
        let where_seen = base.of_items(tally);
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
        base: &Answer<'_>,
        count: Count,
        node: usize,
        condition: &Condition,
        unit: Unit,
    ) -> CheckResult {
        let profile = base.sight.profile();
        let sign = match unit {
            Unit::Rows => "",
            Unit::Percent => " %",
        };
        let expected = expected(condition, sign);
        let anchor = self.plan.nodes[node].anchor;
        let whole_of = |profile: &Profile| match anchor {
            ROOT => profile.items,
            anchor => profile.places[anchor].times(),
        };
        let part_of = |profile: &Profile| {
            let place = &profile.places[node];
            let values = place.times().saturating_sub(place.absent).saturating_sub(place.types[NULL]);
            let nulls = whole_of(profile).saturating_sub(values);
            Some(match count {
                Count::Items => profile.items,
                Count::Nulls => nulls,
                Count::Missing(check) => nulls.saturating_add(profile.checks[check].values),
                Count::Invalid(check) => profile.checks[check].values,
                Count::PrimaryKey => 0,
                Count::Duplicates(slot) => profile.distinct[slot].duplicates()?,
            })
        };
        let (whole, Some(part)) = (whole_of(profile), part_of(profile)) else {
            let most = match count {
                Count::Duplicates(slot) => profile.distinct[slot].most(),
                _ => 0,
            };
            let seen = format!("more than {most} distinct values");
            let message = format!("{}: cannot be checked: {seen} are too many to count", base.label());
            return base.result(Outcome::Errored, &seen, &expected, message);
        };
        let plural = if part == 1 { "" } else { "s" };
        let what = match count {
            Count::Items => "item",
            Count::Nulls => "null",
            Count::Missing(_) => "missing value",
            Count::Invalid(_) => "invalid value",
            Count::Duplicates(_) | Count::PrimaryKey => "duplicate",
        };
        let by_rows = matches!((count, unit), (Count::Items, _) | (_, Unit::Rows));
        let sample = base.sight.sample().filter(|_| !matches!(count, Count::PrimaryKey));
        let (holds, seen) = if let Some(sample) = sample {
            let alike = self.plan.sort.is_some();
            let part_of = |profile: &Profile| part_of(profile).unwrap_or_default();
            let read = format!("{part}{}", base.sight.read());
            let (interval, seen) = match (count, by_rows) {
                // Others may be among what was not read, or between that and this.
                (Count::Duplicates(_), true) => (
                    Interval { least: part as f64, most: f64::INFINITY },
                    format!("{part} {what}{plural} or more"),
                ),
                (Count::Duplicates(_), false) => {
                    (Interval { least: 0.0, most: 100.0 }, format!("{part} {what}{plural} or more"))
                }
                (Count::Items, _) => {
                    let items = sample.total(&part_of);
                    (items, format!("{items} {what}s ({read})"))
                }
                (_, true) => {
                    let (share, all) = (sample.share(&part_of, &whole_of, alike), sample.total(&whole_of));
                    let least = (share.least * all.least).max(part as f64);
                    let rows = Interval { least, most: (share.most * all.most).max(least) };
                    (rows, format!("{rows} {what}s ({read})"))
                }
                (_, false) => {
                    let share = sample.share(&part_of, &whole_of, alike).map(|share| share * 100.0);
                    (share, format!("{:.3} to {:.3} % {what}s ({read})", share.least, share.most))
                }
            };
            (interval.keeps(condition), seen)
        } else {
            let holds = match by_rows {
                true => condition.holds(&Number::from(part)),
                false => condition.holds_percent(part, whole),
            };
            let seen = match count {
                Count::PrimaryKey => format!("no {what}s, as DynamoDB keeps primary keys unique"),
                _ if by_rows => format!("{part} {what}{plural}"),
                _ => format!("{} % {what}s ({part} of {whole})", percent(part, whole)),
            };
            (Some(holds), seen)
        };
        let message = format!("{}: {seen}, {expected} expected", base.label());
        match holds {
            None => return base.undecided(&seen, &expected, message),
            Some(true) => return base.result(Outcome::Passed, &seen, &expected, message),
            Some(false) => {}
        }
        let examples = match count {
            Count::Missing(check) | Count::Invalid(check) => profile.checks[check].examples.as_slice(),
            _ => &[],
        };
        let mut result = base.failed(examples, &seen, &expected, message);
        (result.failing, result.of) = match count {
            // The number of items is wrong of the table as a whole.
            Count::Items => (1, 1),
            _ => (part, whole),
        };
        result
    }
}

/// A judgement about a table.
pub(crate) struct Answer<'a> {
    judgement: &'a Judgement,
    pub(crate) sight: Sight<'a>,
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

    fn items(&self) -> u64 {
        self.sight.profile().items
    }

    fn of_items(&self, tally: &Tally) -> String {
        format!("in {} of {} items{}", tally.items, self.items(), self.sight.read())
    }

    /// What there is to say where nothing fails; of a sample, how much of the table may fail nevertheless. `alike` says
    /// that the items of one segment may be.
    fn none_fails(&self, nothing: &str, title: &str, alike: bool) -> (String, String) {
        let Some(sample) = self.sight.sample() else {
            return (nothing.to_owned(), format!("{title} holds"));
        };
        let most = sample.share(&|_| 0, &|profile| profile.items, alike).most * 100.0;
        let read = format!("in {} items{}", self.items(), self.sight.read());
        let rest = format!("at most {most:.3} % of all fail ({CONFIDENCE} % confidence)");
        (format!("{nothing} {read}, {rest}"), format!("{title} holds {read}, {rest}"))
    }

    /// A sample may be of a table that passes or of one that fails.
    pub(crate) fn undecided(&self, seen: &str, expected: &str, message: String) -> CheckResult {
        self.result(Outcome::Errored, seen, expected, message + ": a sample cannot tell")
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
            of: self.items(),
            examples: Vec::new(),
            compared: Vec::new(),
        }
    }

    fn failed(&self, examples: &[Ranked], seen: &str, expected: &str, message: String) -> CheckResult {
        let example = match examples.first() {
            Some(Ranked { key, value, .. }) => format!(" (e.g. {key}: {value})"),
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
        let seen = format!("{} items{}", self.items(), self.sight.read());
        let (outcome, expected, message) = match (self.items(), zero_allowed) {
            (0, false) if self.sight.sample().is_some() => {
                let message = "none of the segments that were read has an item".to_owned();
                return self.undecided(&seen, "at least 1 item", message);
            }
            (0, false) => (Outcome::Failed, "at least 1 item", "the table is empty".to_owned()),
            (_, true) => (Outcome::Passed, "any number of items, as a rule allows 0", seen.clone()),
            (_, false) => (Outcome::Passed, "at least 1 item", seen.clone()),
        };
        self.result(outcome, &seen, expected, message)
    }

    /// One answer for each name that the contract does not have.
    fn closed(&self, check: &Check, tally: &Tally, alike: bool) -> Vec<CheckResult> {
        if tally.values == 0 {
            let (seen, message) = self.none_fails("no others", &self.label(), alike);
            return vec![self.result(Outcome::Passed, &seen, &check.expected, message)];
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
                let seen = self.of_items(&named.tally);
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
    let message = "the items were checked against another contract; check them again".to_owned();
    unusable("contract", profile, "a profile of another contract", "a profile of this contract", message)
}

/// The answer where nothing can be judged.
fn unusable(rule: &str, profile: &Profile, seen: &str, expected: &str, message: String) -> CheckResult {
    CheckResult {
        id: format!("table:{rule}"),
        rule: rule.to_owned(),
        attribute: None,
        severity: Severity::Error,
        outcome: Outcome::Errored,
        seen: seen.to_owned(),
        expected: expected.to_owned(),
        message,
        failing: 0,
        of: profile.items,
        examples: Vec::new(),
        compared: Vec::new(),
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
