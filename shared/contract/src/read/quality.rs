//! Rules of `quality` and who decides them.

use std::collections::HashMap;

use super::{floors, lambda_rule, place, septet_rule, text};
use crate::diagnostic::Severity;
use crate::document::{Node, Position, Value, quote};
use crate::findings::{Findings, choose};
use crate::model::{Key, Object, Property, PropertyPath};
use crate::regexp::Regexp;
use crate::rule::{Dimension, Rule, RuleKind};
use crate::standard::join;

/// What rules of a table are read with.
pub(super) struct Reader<'a> {
    pub(super) findings: &'a mut Findings,
    /// Every property by the place that rules name it with, as `recs[].score`.
    pub(super) known: HashMap<String, (PropertyPath, Property)>,
    /// The key of the table.
    pub(super) key: Key,
    /// Where each rule stands, by its path.
    at: HashMap<String, Position>,
}

/// Reads the rules of the table and of every property into the model.
pub(super) fn read_all(node: &Node, path: &str, object: &mut Object, findings: &mut Findings) {
    let known = object.all_properties().into_iter();
    let known = known.map(|(place, property)| (place.to_string(), (place, property.clone()))).collect();
    let mut reader = Reader { known, key: object.key.clone(), at: HashMap::new(), findings };
    object.quality = reader.list(node, path, None);
    let nodes = node.get("properties").map(Node::list).unwrap_or_default();
    reader.members(nodes, &mut object.properties, path, "");
    let at = reader.at;
    floors::ask_for(object, &at, findings);
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

    pub(super) fn unknown_property(&mut self, name: &str, at: Position, path: &str) {
        let mut names: Vec<_> = self.known.keys().map(String::as_str).collect();
        names.sort_unstable();
        let hint = choose(name, &names);
        self.findings.error(at, path, format!("the contract has no property {}", quote(name)), hint);
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
            return Some(RuleKind::Lambda(lambda_rule::read(self, implementation, &path)?));
        }
        let unit = node.get("unit");
        Some(RuleKind::Septet(septet_rule::read(self, implementation, unit, &path, place)?))
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
