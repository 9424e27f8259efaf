//! The schema object, its properties and its key.

use std::collections::HashMap;

use super::{fits, flag, literal, options, place, quality, read_closed, text};
use crate::document::{Node, Position, Value, quote};
use crate::findings::{Findings, choose};
use crate::model::{Key, KeyAttribute, Literal, LogicalType, MapEntries, Object, PhysicalType, Property};

pub(super) fn read_only(schema: &Node, findings: &mut Findings) -> Option<Object> {
    if !matches!(schema.value, Value::List(_)) {
        return None;
    }
    for (index, second) in schema.list().iter().enumerate().skip(1) {
        findings.error(
            second.at,
            &format!("schema[{index}]"),
            "a second schema object: a contract describes one table",
            "put it into a contract of its own",
        );
    }
    let Some(node) = schema.list().first() else {
        findings.error(schema.at, "schema", "the contract describes no table", "add one schema object");
        return None;
    };
    read_object(node, "schema[0]", findings)
}

fn read_object(node: &Node, path: &str, findings: &mut Findings) -> Option<Object> {
    let closed = read_closed(node, path, findings).unwrap_or(true);
    let nodes = node.get("properties").map(Node::list).unwrap_or_default();
    if nodes.is_empty() {
        findings.error(
            place(node, "properties"),
            &format!("{path}.properties"),
            "the table has no properties, so that it has no key",
            "add the key attributes, each with primaryKey: true",
        );
    }
    let mut reader = Reader { findings, top: true };
    let properties = reader.members(nodes, closed, path);
    let key = read_key(nodes, &properties, node.at, path, findings);
    let complete = key.is_some() && node.get("name").is_some();
    let mut object = Object {
        name: text(node, "name").unwrap_or_default(),
        physical_name: text(node, "physicalName"),
        // Rules are read, and found wrong, of a table without a key as well.
        key: key.unwrap_or_else(unknown_key),
        closed,
        properties: properties.into_iter().map(|(_, property)| property).collect(),
        quality: Vec::new(),
    };
    let sort = object.key.sort.iter().map(|sort| (2, sort.property.clone()));
    for (position, name) in std::iter::once((1, object.key.partition.property.clone())).chain(sort) {
        if let Some(property) = object.properties.iter_mut().find(|property| property.name == name) {
            property.primary_key = Some(position);
            property.required = true;
        }
    }
    quality::read_all(node, path, &mut object, findings);
    complete.then_some(object)
}

fn unknown_key() -> Key {
    let partition =
        KeyAttribute { property: String::new(), attribute: String::new(), physical: PhysicalType::S };
    Key { partition, sort: None }
}

struct Reader<'a> {
    findings: &'a mut Findings,
    /// Whether properties of the item itself are read.
    top: bool,
}

impl Reader<'_> {
    /// Properties that could be read, each with its index in the document.
    fn members(&mut self, nodes: &[Node], closed: bool, path: &str) -> Vec<(usize, Property)> {
        let (mut names, mut attributes) = (HashMap::new(), HashMap::new());
        let mut properties = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let path = format!("{path}.properties[{index}]");
            let Some(name) = node.get("name").filter(|name| name.text().is_some()) else { continue };
            let property = self.property(node, closed, &path);
            if property.name.is_empty() {
                self.findings.error(
                    name.at,
                    &format!("{path}.name"),
                    "the name is empty",
                    "name the attribute",
                );
                continue;
            }
            let first: Option<Position> = names.insert(property.name.clone(), name.at);
            if let Some(first) = first {
                self.findings.error(
                    name.at,
                    &format!("{path}.name"),
                    format!("a second property {}", quote(&property.name)),
                    format!("rename or remove it; the first is on line {}", first.line),
                );
                continue;
            }
            let first = attributes.insert(property.attribute.clone(), name.at);
            if let Some(first) = first {
                self.findings.error(
                    place(node, "physicalName"),
                    &format!("{path}.physicalName"),
                    format!("a second property for the attribute {}", quote(&property.attribute)),
                    format!("change physicalName; the first is on line {}", first.line),
                );
                continue;
            }
            properties.push((index, property));
        }
        properties
    }

    fn property(&mut self, node: &Node, closed: bool, path: &str) -> Property {
        let name = text(node, "name").unwrap_or_default();
        let own_closed = read_closed(node, path, self.findings);
        let logical = node.get("logicalType").and_then(Node::text).and_then(LogicalType::parse);
        let physical = self.physical(node, logical, path);
        let top = std::mem::replace(&mut self.top, false);
        if !top && flag(node, "primaryKey") == Some(true) {
            self.findings.error(
                place(node, "primaryKey"),
                &format!("{path}.primaryKey"),
                "only an attribute of the item itself can be part of the key",
                "remove primaryKey",
            );
        }
        let members = node.get("properties").map(Node::list).unwrap_or_default();
        if own_closed.is_some() && members.is_empty() {
            self.findings.error(
                place(node, "customProperties"),
                &format!("{path}.customProperties"),
                "septet.closed says something only about an object that names its members",
                "list the members under properties, or remove septet.closed",
            );
        }
        let closed = own_closed.unwrap_or(closed);
        let mut properties: Vec<_> =
            self.members(members, closed, path).into_iter().map(|(_, property)| property).collect();
        let options = options::read(node, logical, physical, path, self.findings);
        self.require_members(node, &options.required, &mut properties, path);
        self.count_members(node, &options, &properties, closed && !members.is_empty(), path);
        let items = node.get("items").filter(|node| matches!(node.value, Value::Map(_)));
        let items = items.map(|items| Box::new(self.property(items, closed, &format!("{path}.items"))));
        if let (Some(items), Some(set)) = (&items, physical) {
            self.elements_of_set(node, items, set, path);
        }
        let map = self.map(node, closed, path);
        let allowed = self.allowed(node, logical, path);
        self.top = top;
        if physical.is_none() && logical.is_none() && node.get("logicalType").is_none() {
            self.findings.warning(
                node.at,
                path,
                format!(
                    "{} has neither logicalType nor physicalType, so that any value is valid",
                    quote(&name)
                ),
                "add logicalType",
            );
        }
        Property {
            attribute: text(node, "physicalName")
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| name.clone()),
            name,
            physical,
            logical,
            required: flag(node, "required").unwrap_or(false),
            unique: flag(node, "unique").unwrap_or(false),
            primary_key: None,
            closed: closed && !properties.is_empty(),
            options,
            allowed,
            properties,
            items,
            map,
            quality: Vec::new(),
        }
    }

    fn physical(&mut self, node: &Node, logical: Option<LogicalType>, path: &str) -> Option<PhysicalType> {
        let written = node.get("physicalType")?;
        let text = written.text()?;
        let path = format!("{path}.physicalType");
        let Some(physical) = PhysicalType::parse(text) else {
            let names: Vec<_> = PhysicalType::ALL.iter().map(|physical| physical.as_str()).collect();
            let hint = match names.iter().find(|name| name.eq_ignore_ascii_case(text)) {
                Some(name) => format!("did you mean {name}?"),
                None => format!("use one of {}", names.join(", ")),
            };
            self.findings.error(written.at, &path, format!("DynamoDB has no type {}", quote(text)), hint);
            return None;
        };
        if let Some(logical) = logical.filter(|logical| !logical.may_be(physical)) {
            let names: Vec<_> =
                PhysicalType::ALL.iter().filter(|p| logical.may_be(**p)).map(|p| p.as_str()).collect();
            self.findings.error(
                written.at,
                &path,
                format!("a value of logicalType {logical} cannot be held as {physical}"),
                format!("write physicalType: {}, or change logicalType", names.join(" or ")),
            );
        }
        Some(physical)
    }

    /// Marks the members that `logicalTypeOptions.required` lists.
    fn require_members(&mut self, node: &Node, names: &[String], properties: &mut [Property], path: &str) {
        let listed = node.get("logicalTypeOptions").and_then(|options| options.get("required"));
        for (index, name) in names.iter().enumerate() {
            let known: Vec<_> = properties.iter().map(|property| property.name.clone()).collect();
            let path = format!("{path}.logicalTypeOptions.required[{index}]");
            let at = listed.and_then(|list| list.list().get(index)).map_or(node.at, |entry| entry.at);
            if names[..index].contains(name) {
                self.findings.error(
                    at,
                    &path,
                    format!("{} is listed twice", quote(name)),
                    "keep one of the two",
                );
            }
            match properties.iter_mut().find(|property| property.name == *name) {
                Some(property) => property.required = true,
                None => {
                    let known: Vec<_> = known.iter().map(String::as_str).collect();
                    let hint = if known.is_empty() {
                        "describe it under properties".to_owned()
                    } else {
                        choose(name, &known)
                    };
                    self.findings.error(
                        at,
                        &path,
                        format!("the object has no property {}", quote(name)),
                        hint,
                    );
                }
            }
        }
    }

    fn count_members(
        &mut self,
        node: &Node,
        options: &crate::model::Options,
        properties: &[Property],
        closed: bool,
        path: &str,
    ) {
        let written = node.get("logicalTypeOptions").unwrap_or(node);
        let known = properties.len() as u64;
        if closed && let Some(least) = options.min_properties.filter(|least| *least > known) {
            self.findings.error(
                place(written, "minProperties"),
                &format!("{path}.logicalTypeOptions.minProperties"),
                format!("no object can have {least} members where only {known} are allowed"),
                "lower minProperties, name more properties, or set septet.closed to false",
            );
        }
        let needed = properties.iter().filter(|property| property.required).count() as u64;
        if let Some(most) = options.max_properties.filter(|most| *most < needed) {
            self.findings.error(
                place(written, "maxProperties"),
                &format!("{path}.logicalTypeOptions.maxProperties"),
                format!("no object can have at most {most} members where {needed} are required"),
                "raise maxProperties, or require less",
            );
        }
    }

    fn elements_of_set(&mut self, node: &Node, items: &Property, set: PhysicalType, path: &str) {
        let element = match set {
            PhysicalType::StringSet => PhysicalType::S,
            PhysicalType::NumberSet => PhysicalType::N,
            PhysicalType::BinarySet => PhysicalType::B,
            _ => return,
        };
        let fits = match (items.physical, items.logical) {
            (Some(physical), _) => physical == element,
            (None, Some(logical)) => logical.may_be(element),
            (None, None) => true,
        };
        if !fits {
            self.findings.error(
                place(node, "items"),
                &format!("{path}.items"),
                format!("elements of a set {set} are of type {element}"),
                format!("describe elements that are {element}, or use physicalType: L"),
            );
        }
    }

    fn map(&mut self, node: &Node, closed: bool, path: &str) -> Option<Box<MapEntries>> {
        let map = node.get("map")?;
        let (key, value) = (map.get("key")?, map.get("value")?);
        let key_property = self.property(key, closed, &format!("{path}.map.key"));
        let value = self.property(value, closed, &format!("{path}.map.value"));
        let text = |p: &Property| {
            p.physical.is_none_or(|physical| physical == PhysicalType::S)
                && p.logical.is_none_or(|logical| logical.may_be(PhysicalType::S))
        };
        if !text(&key_property) {
            self.findings.error(
                key.at,
                &format!("{path}.map.key"),
                "keys of a DynamoDB map are strings",
                "describe a string",
            );
        }
        Some(Box::new(MapEntries { key: key_property, value }))
    }

    fn allowed(&mut self, node: &Node, logical: Option<LogicalType>, path: &str) -> Vec<Literal> {
        let mut allowed = Vec::new();
        let values = node.get("enum").map(Node::list).unwrap_or_default();
        for (index, entry) in values.iter().enumerate() {
            let Some(written) = entry.get("value") else { continue };
            let Some(value) = literal(written) else { continue };
            if !logical.is_none_or(|logical| fits(logical, &value)) {
                let logical = logical.map(LogicalType::as_str).unwrap_or_default();
                let hint = match &value {
                    Literal::Number(_) | Literal::Bool(_) if logical == "string" => "put it in quotes",
                    _ => "change the value, or logicalType",
                };
                self.findings.error(
                    written.at,
                    &format!("{path}.enum[{index}].value"),
                    format!("{} is no value of a property of logicalType {logical}", written.describe()),
                    hint,
                );
            }
            allowed.push(value);
        }
        allowed
    }
}

/// Finds the key and marks its properties.
fn read_key(
    nodes: &[Node],
    properties: &[(usize, Property)],
    at: Position,
    path: &str,
    findings: &mut Findings,
) -> Option<Key> {
    let mut parts: Vec<(Option<u64>, &Node, &Property, String)> = Vec::new();
    for (index, property) in properties {
        let node = &nodes[*index];
        let path = format!("{path}.properties[{index}]");
        let position = node.get("primaryKeyPosition").and_then(Node::number);
        // The standard's own default, -1, says nothing.
        let position = position.filter(|position| !position.is_negative());
        if flag(node, "primaryKey") == Some(true) {
            parts.push((position.map(|p| p.to_u64().unwrap_or(u64::MAX)), node, property, path));
        } else if position.is_some() {
            findings.error(
                place(node, "primaryKeyPosition"),
                &format!("{path}.primaryKeyPosition"),
                format!("{} has a position in the key, yet is not part of it", quote(&property.name)),
                "add primaryKey: true, or remove primaryKeyPosition",
            );
        }
    }
    if nodes.is_empty() {
        return None;
    }
    if parts.is_empty() || parts.len() > 2 {
        let count = if parts.is_empty() { "no".to_owned() } else { parts.len().to_string() };
        findings.error(
            parts.get(2).map_or(at, |(_, node, ..)| place(node, "primaryKey")),
            &format!("{path}.properties"),
            format!("the table has {count} key attributes; DynamoDB has one or two"),
            "mark the partition key, and the sort key if there is one, with primaryKey: true",
        );
        return None;
    }
    let mut wrong = false;
    for (index, (position, node, _, path)) in parts.iter().enumerate() {
        let taken = parts[..index].iter().any(|(other, ..)| other == position);
        let fits = match position {
            None => parts.len() == 1,
            Some(position) => (1..=parts.len() as u64).contains(position) && !taken,
        };
        if !fits {
            wrong = true;
            let hint = if parts.len() == 1 {
                "write 1, or remove it"
            } else {
                "write 1 for the partition key and 2 for the sort key"
            };
            let message = match position {
                None => "the key has two attributes and this one has no position".to_owned(),
                Some(_) if taken => "two attributes have this position in the key".to_owned(),
                Some(_) => format!("a key of {} has no such position", parts.len()),
            };
            findings.error(
                place(node, "primaryKeyPosition"),
                &format!("{path}.primaryKeyPosition"),
                message,
                hint,
            );
        }
    }
    parts.sort_by_key(|(position, ..)| *position);
    let mut attributes =
        parts.iter().map(|(_, node, property, path)| key_attribute(node, property, path, findings));
    let (partition, sort) = (attributes.next()?, attributes.next());
    drop(attributes);
    match sort {
        _ if wrong => None,
        None => Some(Key { partition: partition?, sort: None }),
        Some(sort) => Some(Key { partition: partition?, sort: Some(sort?) }),
    }
}

fn key_attribute(
    node: &Node,
    property: &Property,
    path: &str,
    findings: &mut Findings,
) -> Option<KeyAttribute> {
    let physical = property.physical.or_else(|| property.logical.map(|l| l.physical_types()[0]));
    if flag(node, "required") == Some(false) {
        findings.error(
            place(node, "required"),
            &format!("{path}.required"),
            "a key attribute is always present",
            "write required: true, or remove it",
        );
    }
    if property.attribute.len() > 255 {
        findings.error(
            place(node, "name"),
            path,
            "the name of a key attribute has at most 255 bytes",
            "shorten the name",
        );
    }
    match physical {
        Some(physical @ (PhysicalType::S | PhysicalType::N | PhysicalType::B)) => Some(KeyAttribute {
            property: property.name.clone(),
            attribute: property.attribute.clone(),
            physical,
        }),
        Some(physical) => {
            let key = if node.get("physicalType").is_some() { "physicalType" } else { "logicalType" };
            findings.error(
                place(node, key),
                &format!("{path}.{key}"),
                format!("a key attribute cannot be of type {physical}"),
                "DynamoDB has keys of type S, N and B",
            );
            None
        }
        None => {
            if node.get("physicalType").is_none() && node.get("logicalType").is_none() {
                findings.error(
                    node.at,
                    path,
                    format!("the key attribute {} has no type", quote(&property.name)),
                    "add physicalType: S, N or B",
                );
            }
            None
        }
    }
}
