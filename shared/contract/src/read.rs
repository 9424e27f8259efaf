//! From a tree of values to the model: what the structure cannot say, such as rules that nothing can keep.

mod condition;
mod floors;
mod golden;
mod lambda_rule;
mod metric;
mod object;
mod options;
mod quality;
mod readiness;
mod septet_rule;
mod settings;

use crate::Model;
use crate::document::{Node, Position, Value, quote};
use crate::findings::{Findings, choose};
use crate::model::{Literal, LogicalType, PhysicalType};

/// Versions of the standard that are read.
const API_VERSIONS: [&str; 2] = ["v3.1.0", "v3.2.0"];

/// Reads a document whose structure was checked already: what has the wrong type is passed over here.
pub(crate) fn read(root: &Node, findings: &mut Findings) -> Option<Model> {
    if let Some(node) = root.get("apiVersion")
        && let Some(text) = node.text()
        && !API_VERSIONS.contains(&text)
    {
        findings.error(
            node.at,
            "apiVersion",
            format!("Septet does not read version {} of the standard", quote(text)),
            choose(text, &API_VERSIONS),
        );
    }
    if root.get("apiVersion").and_then(Node::text) == Some("v3.1.0") && root.get("status").is_none() {
        findings.error(
            root.at,
            "status",
            "v3.1.0 of the standard needs the key status",
            "add status: active, or write apiVersion: v3.2.0",
        );
    }
    for key in ["id", "version"] {
        if let Some(node) = root.get(key).filter(|node| node.text() == Some("")) {
            findings.error(node.at, key, format!("{key} is empty"), format!("write a {key}"));
        }
    }
    let name = name(root, findings);
    let settings = settings::read(root, findings);
    let object = match root.get("schema") {
        Some(schema) => object::read_only(schema, findings),
        None => {
            findings.error(
                root.at,
                "schema",
                "the contract describes no table",
                "add schema with one object",
            );
            None
        }
    };
    Some(Model {
        api_version: text(root, "apiVersion")?,
        id: text(root, "id")?,
        name: name?,
        version: text(root, "version")?,
        object: object?,
        settings: settings?,
    })
}

fn name(root: &Node, findings: &mut Findings) -> Option<String> {
    let Some(node) = root.get("name") else {
        findings.error(
            root.at,
            "name",
            "the contract has no name",
            "add name: it is the name of the dataset",
        );
        return None;
    };
    let text = node.text()?;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    if text.len() > 64 || !starts_well || !text.bytes().all(allowed) {
        findings.error(
            node.at,
            "name",
            format!("{} cannot be the name of a dataset", quote(text)),
            "use 1 to 64 of a-z, 0-9, '-', '_' and '.', the first a letter or digit",
        );
        return None;
    }
    Some(text.to_owned())
}

fn text(node: &Node, key: &str) -> Option<String> {
    Some(node.get(key)?.text()?.to_owned())
}

fn flag(node: &Node, key: &str) -> Option<bool> {
    node.get(key)?.bool()
}

fn literal(node: &Node) -> Option<Literal> {
    match &node.value {
        Value::Null => Some(Literal::Null),
        Value::Bool(value) => Some(Literal::Bool(*value)),
        Value::Number(value) => Some(Literal::Number(*value)),
        Value::Text(text) => Some(Literal::Text(text.clone())),
        Value::List(_) | Value::Map(_) => None,
    }
}

/// Whether a literal other than null can be a value of this type.
fn fits(logical: LogicalType, value: &Literal) -> bool {
    match (logical, value) {
        (LogicalType::Integer, Literal::Number(number)) => number.is_integer(),
        (LogicalType::Number, Literal::Number(_)) | (LogicalType::Boolean, Literal::Bool(_)) => true,
        (logical, Literal::Text(_)) => logical.may_be(PhysicalType::S),
        _ => false,
    }
}

/// The place of a member's value, else of the object itself.
fn place(node: &Node, key: &str) -> Position {
    node.get(key).map_or(node.at, |value| value.at)
}

/// One custom property: its name, its value and their places.
struct Custom<'a> {
    property: &'a str,
    at: Position,
    value: &'a Node,
    path: String,
}

/// Those custom properties of a node that are Septet's own; one that stands twice is an error.
fn septet_properties<'a>(node: &'a Node, path: &str, findings: &mut Findings) -> Vec<Custom<'a>> {
    let mut found: Vec<Custom<'a>> = Vec::new();
    let Some(list) = node.get("customProperties") else { return found };
    let path = crate::standard::join(path, "customProperties");
    for (index, entry) in list.list().iter().enumerate() {
        let (Some(property), Some(value)) = (entry.get("property"), entry.get("value")) else { continue };
        let Some(name) = property.text().filter(|name| name.starts_with("septet.")) else { continue };
        let path = format!("{path}[{index}]");
        if found.iter().any(|custom| custom.property == name) {
            findings.error(property.at, &path, format!("{name} stands twice"), "keep one of the two");
        } else {
            found.push(Custom { property: name, at: property.at, value, path: format!("{path}.value") });
        }
    }
    found
}

/// `septet.closed` of a schema object or property; any other setting there is an error.
fn read_closed(node: &Node, path: &str, findings: &mut Findings) -> Option<bool> {
    let mut closed = None;
    for Custom { property, at, value, path } in septet_properties(node, path, findings) {
        if property != "septet.closed" {
            settings::misplaced(property, at, &path, findings);
        } else if let Some(value) = value.bool() {
            closed = Some(value);
        } else {
            let message = format!("septet.closed must be true or false, not {}", value.describe());
            findings.error(value.at, &path, message, "write true or false");
        }
    }
    closed
}
