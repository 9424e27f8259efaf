//! The standard's library of metrics.

use super::literal;
use super::quality::{Reader, read_pattern};
use crate::document::{Node, quote};
use crate::findings::choose;
use crate::model::Literal;
use crate::number::Number;
use crate::rule::{Condition, Metric, MetricRule, Unit};
use crate::standard::METRICS;

impl Reader<'_> {
    pub(super) fn metric_rule(&mut self, node: &Node, path: &str, place: Option<&str>) -> Option<MetricRule> {
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
        self.countable(node, path, &condition, unit);
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

    /// Refuses operands that are no count or share, and conditions that none can keep.
    fn countable(&mut self, node: &Node, path: &str, condition: &Condition, unit: Unit) {
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
        let most = (unit == Unit::Percent).then_some(hundred);
        self.possible(node, path, condition, most, &format!(" ({unit})"));
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
        let has_own_limits = self.known.get(place).is_some_and(|(_, property)| {
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
        self.known.get(name).is_some_and(|(_, property)| property.name == name)
    }
}
