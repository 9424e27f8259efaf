//! Rules of `quality`: their operators, metrics and engines.

use std::collections::HashMap;

use super::{literal, place, septet_rule, text};
use crate::diagnostic::Severity;
use crate::document::{Node, Position, Value, quote};
use crate::findings::{Findings, choose};
use crate::model::{Literal, Object, Property};
use crate::number::Number;
use crate::regexp::Regexp;
use crate::rule::{Condition, Dimension, LambdaRule, Metric, MetricRule, Rule, RuleKind, Unit};
use crate::standard::{METRICS, OPERATORS, join};

/// What rules of a table are read with.
pub(super) struct Reader<'a> {
    pub(super) findings: &'a mut Findings,
    /// Every property by the place that rules name it with, as `recs[].score`.
    pub(super) known: HashMap<String, Property>,
    /// Where each rule stands, by its path.
    at: HashMap<String, Position>,
}

/// Reads the rules of the table and of every property into the model.
pub(super) fn read_all(node: &Node, path: &str, object: &mut Object, findings: &mut Findings) {
    let known =
        object.all_properties().into_iter().map(|(place, property)| (place.to_string(), property.clone()));
    let mut reader = Reader { known: known.collect(), at: HashMap::new(), findings };
    object.quality = reader.list(node, path, None);
    let nodes = node.get("properties").map(Node::list).unwrap_or_default();
    reader.members(nodes, &mut object.properties, path, "");
    let at = reader.at;
    septet_rule::ask_for_floors(object, &at, findings);
}

impl Reader<'_> {
    fn members(&mut self, nodes: &[Node], properties: &mut [Property], path: &str, place: &str) {
        for (index, node) in nodes.iter().enumerate() {
            let name = node.get("name").and_then(Node::text);
            // Of two properties of one name the first is in the model.
            let first = nodes[..index].iter().all(|other| other.get("name").and_then(Node::text) != name);
            let property =
                properties.iter_mut().find(|property| first && Some(property.name.as_str()) == name);
            if let Some(property) = property {
                let place = join(place, &property.name);
                self.property(node, property, &format!("{path}.properties[{index}]"), &place);
            }
        }
    }

    fn property(&mut self, node: &Node, property: &mut Property, path: &str, place: &str) {
        property.quality = self.list(node, path, Some(place));
        let members = node.get("properties").map(Node::list).unwrap_or_default();
        self.members(members, &mut property.properties, path, place);
        if let (Some(node), Some(items)) = (node.get("items"), &mut property.items) {
            self.property(node, items, &format!("{path}.items"), &format!("{place}[]"));
        }
        if let (Some(node), Some(map)) = (node.get("map"), &mut property.map) {
            for (key, entry, step) in [("key", &mut map.key, "{key}"), ("value", &mut map.value, "{}")] {
                if let Some(node) = node.get(key) {
                    self.property(node, entry, &format!("{path}.map.{key}"), &format!("{place}{step}"));
                }
            }
        }
    }

    fn list(&mut self, node: &Node, path: &str, place: Option<&str>) -> Vec<Rule> {
        let nodes = node.get("quality").map(Node::list).unwrap_or_default();
        let rules = nodes.iter().enumerate();
        rules.filter_map(|(index, node)| self.rule(node, format!("{path}.quality[{index}]"), place)).collect()
    }

    fn rule(&mut self, node: &Node, path: String, place: Option<&str>) -> Option<Rule> {
        if !matches!(node.value, Value::Map(_)) {
            return None;
        }
        self.at.insert(path.clone(), node.at);
        let severity = self.severity(node, &path);
        let kind = match node.get("type").map(Node::text) {
            None | Some(Some("library")) => RuleKind::Metric(self.metric_rule(node, &path, place)?),
            Some(Some("text")) => RuleKind::Text,
            Some(Some("custom")) => self.custom(node, &path, place)?,
            Some(Some("sql")) => {
                self.error(
                    node,
                    "type",
                    &path,
                    "rules of type sql cannot be kept: DynamoDB has no SQL",
                    "use a metric, or type: custom with engine: septet or engine: lambda",
                );
                return None;
            }
            Some(_) => return None,
        };
        Some(Rule {
            id: text(node, "id"),
            name: text(node, "name"),
            description: text(node, "description"),
            dimension: node.get("dimension").and_then(Node::text).and_then(dimension),
            severity: severity?,
            kind,
            path,
        })
    }

    /// An error at a member of the rule, or at the rule if it has no such member.
    pub(super) fn error(
        &mut self,
        node: &Node,
        key: &str,
        path: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.findings.error(place(node, key), &join(path, key), message, hint);
    }

    fn severity(&mut self, node: &Node, path: &str) -> Option<Severity> {
        let Some(written) = node.get("severity") else { return Some(Severity::Error) };
        match written.text()? {
            "error" => Some(Severity::Error),
            "warning" => Some(Severity::Warning),
            "info" => Some(Severity::Info),
            other => {
                let hint = choose(other, &["error", "warning", "info"]);
                self.error(node, "severity", path, format!("Septet has no severity {}", quote(other)), hint);
                None
            }
        }
    }

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

    fn metric_rule(&mut self, node: &Node, path: &str, place: Option<&str>) -> Option<MetricRule> {
        let condition = self.condition(node, path);
        let unit = self.unit(node, path);
        let metric = self.metric(node, path, place)?;
        if metric == Metric::RowCount && unit == Some(Unit::Percent) {
            self.error(
                node,
                "unit",
                path,
                "a number of items is no share of anything",
                "write unit: rows; for a change, use engine: septet with check: rowCountChange",
            );
        }
        let (condition, unit) = (condition?, unit?);
        self.possible(node, path, &condition, unit);
        Some(MetricRule { metric, condition, unit })
    }

    fn unit(&mut self, node: &Node, path: &str) -> Option<Unit> {
        let Some(written) = node.get("unit") else { return Some(Unit::Rows) };
        match written.text()? {
            "rows" => Some(Unit::Rows),
            "percent" => Some(Unit::Percent),
            other => {
                let hint = choose(other, &["rows", "percent"]);
                self.error(node, "unit", path, format!("metrics have no unit {}", quote(other)), hint);
                None
            }
        }
    }

    /// Refuses conditions that no count or share can keep.
    fn possible(&mut self, node: &Node, path: &str, condition: &Condition, unit: Unit) {
        let hundred = Number::from(100);
        for operand in condition.operands() {
            let message = match unit {
                Unit::Percent if operand.is_negative() || operand > hundred => {
                    format!("{operand} percent lies outside 0 to 100")
                }
                Unit::Rows if operand.is_negative() => format!("a number of items is never {operand}"),
                Unit::Rows if !operand.is_integer() => format!("{operand} items are not a whole number"),
                _ => continue,
            };
            let hint = match unit {
                Unit::Percent => "write percent from 0 to 100, or unit: rows",
                Unit::Rows => "write a whole number from 0 on, or unit: percent",
            };
            self.error(node, condition.key(), path, message, hint);
            return;
        }
        let never = match condition {
            Condition::LessThan(n) => *n == Number::ZERO,
            Condition::GreaterThan(n) => unit == Unit::Percent && *n == hundred,
            Condition::NotBetween(low, high) => {
                unit == Unit::Percent && *low == Number::ZERO && *high == hundred
            }
            _ => false,
        };
        let always = match condition {
            Condition::GreaterOrEqual(n) => *n == Number::ZERO,
            Condition::LessOrEqual(n) => unit == Unit::Percent && *n == hundred,
            Condition::Between(low, high) => {
                unit == Unit::Percent && *low == Number::ZERO && *high == hundred
            }
            _ => false,
        };
        if never {
            let message = format!("nothing keeps this rule: it {condition} ({unit})");
            self.error(node, condition.key(), path, message, "change the operand");
        } else if always {
            let message = format!("nothing breaks this rule: it {condition} ({unit})");
            let (at, path) = (super::place(node, condition.key()), join(path, condition.key()));
            self.findings.warning(at, &path, message, "change the operand, or remove the rule");
        }
    }

    fn metric(&mut self, node: &Node, path: &str, place: Option<&str>) -> Option<Metric> {
        let Some(written) = node.get("metric") else {
            let hint = match node.get("rule") {
                Some(_) => "rule is the former name of metric: rename it".to_owned(),
                None => format!("add metric: one of {}, or say the type of rule", METRICS.join(", ")),
            };
            self.findings.error(node.at, path, "the rule has no metric", hint);
            return None;
        };
        let name = written.text()?;
        if !METRICS.contains(&name) {
            let message = format!("the standard has no metric {}", quote(name));
            self.error(node, "metric", path, message, choose(name, &METRICS));
            return None;
        }
        match (name, place) {
            ("rowCount", Some(_)) => {
                let message = "rowCount counts items, not values of a property";
                self.error(
                    node,
                    "metric",
                    path,
                    message,
                    "move the rule to the quality of the schema object",
                );
                None
            }
            ("nullValues" | "missingValues" | "invalidValues", None) => {
                let message = format!("{name} counts values of a property, not items");
                self.error(node, "metric", path, message, "move the rule to the quality of a property");
                None
            }
            ("missingValues", Some(_)) => {
                self.arguments(node, path, &["missingValues"]);
                let values = self.values(node, path, "missingValues")?;
                if values.is_none() {
                    let message = "missingValues does not say what counts as missing";
                    let hint = "add arguments: {missingValues: [...]}, or use nullValues";
                    self.error(node, "arguments", path, message, hint);
                }
                Some(Metric::MissingValues { values: values? })
            }
            ("invalidValues", Some(place)) => self.invalid_values(node, path, place),
            ("duplicateValues", _) => self.duplicate_values(node, path, place),
            ("nullValues", _) => {
                self.arguments(node, path, &[]);
                Some(Metric::NullValues)
            }
            _ => {
                self.arguments(node, path, &[]);
                Some(Metric::RowCount)
            }
        }
    }

    /// Refuses arguments that the metric does not have.
    fn arguments(&mut self, node: &Node, path: &str, known: &[&str]) {
        for entry in node.get("arguments").map(Node::entries).unwrap_or_default() {
            if !known.contains(&entry.key.as_str()) {
                let hint = if known.is_empty() { "remove it".to_owned() } else { choose(&entry.key, known) };
                let message = format!("this metric has no argument {}", quote(&entry.key));
                self.findings.error(entry.at, &format!("{path}.arguments.{}", entry.key), message, hint);
            }
        }
    }

    /// An argument that lists values: `None` if it is malformed, `Some(None)` if it is absent.
    fn values(&mut self, node: &Node, path: &str, key: &str) -> Option<Option<Vec<Literal>>> {
        let Some(list) = node.get("arguments").and_then(|arguments| arguments.get(key)) else {
            return Some(None);
        };
        let values: Vec<_> = list.list().iter().filter_map(literal).collect();
        if values.is_empty() || values.len() != list.list().len() {
            let message = format!("{key} takes a list of values, not {}", list.describe());
            let hint = "list text, numbers, true, false or null";
            self.findings.error(list.at, &format!("{path}.arguments.{key}"), message, hint);
            return None;
        }
        Some(Some(values))
    }

    fn invalid_values(&mut self, node: &Node, path: &str, place: &str) -> Option<Metric> {
        self.arguments(node, path, &["validValues", "pattern"]);
        let valid = self.values(node, path, "validValues")?.unwrap_or_default();
        let written = node.get("arguments").and_then(|arguments| arguments.get("pattern"));
        let pattern = match written {
            None => None,
            Some(written) => {
                let path = format!("{path}.arguments.pattern");
                let Some(source) = written.text() else {
                    let message = format!("pattern must be text, not {}", written.describe());
                    self.findings.error(written.at, &path, message, "write a regular expression in quotes");
                    return None;
                };
                Some(read_pattern(source, written.at, &path, self.findings)?)
            }
        };
        let has_own_limits = self.known.get(place).is_some_and(|property| {
            property.options != crate::Options::default()
                || !property.allowed.is_empty()
                || property.logical.is_some()
        });
        if valid.is_empty() && pattern.is_none() && !has_own_limits {
            let message = "invalidValues does not say what is valid";
            let hint = "add arguments with validValues or pattern, or give the property a logicalType";
            self.error(node, "arguments", path, message, hint);
            return None;
        }
        Some(Metric::InvalidValues { valid, pattern })
    }

    fn duplicate_values(&mut self, node: &Node, path: &str, place: Option<&str>) -> Option<Metric> {
        if let Some(place) = place {
            self.arguments(node, path, &[]);
            return Some(Metric::DuplicateValues { properties: vec![place.to_owned()] });
        }
        self.arguments(node, path, &["properties"]);
        let list = node.get("arguments").and_then(|arguments| arguments.get("properties"));
        let names: Vec<_> = list.map(Node::list).unwrap_or_default().iter().filter_map(Node::text).collect();
        let Some(list) = list.filter(|list| !names.is_empty() && names.len() == list.list().len()) else {
            let message = "duplicateValues of a table does not say of which properties";
            let hint = "add arguments: {properties: [...]}, or move the rule to the quality of a property";
            self.error(node, "arguments", path, message, hint);
            return None;
        };
        let mut properties = Vec::new();
        for (index, (name, written)) in names.into_iter().zip(list.list()).enumerate() {
            let path = format!("{path}.arguments.properties[{index}]");
            if properties.iter().any(|other| other == name) {
                let message = format!("{} is listed twice", quote(name));
                self.findings.error(written.at, &path, message, "keep one of the two");
            } else if !self.known.contains_key(name) {
                self.unknown_property(name, written.at, &path);
            } else if name.contains(['.', '[', '{']) && !self.is_member_of_item(name) {
                let message = format!("{} is no attribute of the item itself", quote(name));
                let hint = "combine top-level properties; for elements of a list use uniqueItems";
                self.findings.error(written.at, &path, message, hint);
            }
            properties.push(name.to_owned());
        }
        Some(Metric::DuplicateValues { properties })
    }

    /// Whether a place with signs of nesting in it is after all the name of a top-level property.
    fn is_member_of_item(&self, name: &str) -> bool {
        self.known.get(name).is_some_and(|property| property.name == name)
    }

    pub(super) fn unknown_property(&mut self, name: &str, at: Position, path: &str) {
        let mut names: Vec<_> = self.known.keys().map(String::as_str).collect();
        names.sort_unstable();
        let hint = choose(name, &names);
        self.findings.error(at, path, format!("the contract has no property {}", quote(name)), hint);
    }

    fn custom(&mut self, node: &Node, path: &str, place: Option<&str>) -> Option<RuleKind> {
        const ENGINES: [&str; 2] = ["septet", "lambda"];
        let Some(engine) = node.get("engine") else {
            self.findings.error(
                node.at,
                path,
                "a custom rule needs an engine",
                "add engine: septet or engine: lambda",
            );
            return None;
        };
        let engine = engine.text()?;
        if !ENGINES.contains(&engine) {
            let message = format!("Septet has no engine {}", quote(engine));
            self.error(node, "engine", path, message, choose(engine, &ENGINES));
            return None;
        }
        let Some(implementation) = node.get("implementation") else {
            let hint = match engine {
                "septet" => "add implementation with check, against and an operator",
                _ => "add implementation with the ARN of the function",
            };
            self.findings.error(node.at, path, "a custom rule needs an implementation", hint);
            return None;
        };
        let path = join(path, "implementation");
        if engine == "lambda" {
            return Some(RuleKind::Lambda(self.lambda(implementation, &path)?));
        }
        let unit = node.get("unit");
        Some(RuleKind::Septet(septet_rule::read(self, implementation, unit, &path, place)?))
    }

    fn lambda(&mut self, node: &Node, path: &str) -> Option<LambdaRule> {
        for entry in node.entries().iter().filter(|entry| entry.key != "arn") {
            let message = format!("engine lambda takes no {}", quote(&entry.key));
            self.findings.error(entry.at, &join(path, &entry.key), message, choose(&entry.key, &["arn"]));
        }
        let written = if node.text().is_some() { Some(node) } else { node.get("arn") };
        match written.and_then(Node::text) {
            Some(arn) if is_function_arn(arn) => Some(LambdaRule { arn: arn.to_owned() }),
            other => {
                let at = written.map_or(node.at, |written| written.at);
                let message = match other {
                    Some(other) => format!("{} is no ARN of a function", quote(other)),
                    None => "engine lambda needs the ARN of a function".to_owned(),
                };
                let hint = "write implementation: {arn: \"arn:aws:lambda:REGION:ACCOUNT:function:NAME\"}";
                self.findings.error(at, path, message, hint);
                None
            }
        }
    }
}

pub(super) fn read_pattern(
    source: &str,
    at: Position,
    path: &str,
    findings: &mut Findings,
) -> Option<Regexp> {
    match Regexp::parse(source) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let hint = "mend the expression; look-around and back-references are not supported";
            findings.error(at, path, format!("the pattern {}: {error}", quote(source)), hint);
            None
        }
    }
}

fn dimension(text: &str) -> Option<Dimension> {
    Some(match text {
        "accuracy" => Dimension::Accuracy,
        "completeness" => Dimension::Completeness,
        "conformity" => Dimension::Conformity,
        "consistency" => Dimension::Consistency,
        "coverage" => Dimension::Coverage,
        "timeliness" => Dimension::Timeliness,
        "uniqueness" => Dimension::Uniqueness,
        _ => return None,
    })
}

fn is_function_arn(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    let (7 | 8, ["arn", partition, "lambda", region, account, "function", name, ..]) =
        (parts.len(), parts.as_slice())
    else {
        return false;
    };
    let of = |text: &str, extra: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    partition.starts_with("aws")
        && of(partition, "-")
        && of(region, "-")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && of(name, "-_")
        && parts.get(7).is_none_or(|qualifier| of(qualifier, "-_$"))
}
