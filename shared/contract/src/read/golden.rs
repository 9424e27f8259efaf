//! The items that `goldenKeys` names.

use super::quality::Reader;
use super::septet_rule::Of;
use super::{fits, literal};
use crate::document::{Entry, Node, Value, quote};
use crate::findings::choose;
use crate::model::{KeyAttribute, Literal, PhysicalType, Property, PropertyPath, Step};
use crate::rule::{Expectation, GoldenKey};
use crate::standard::{OPERATORS, join};

/// Each is looked up by itself.
const MOST_KEYS: usize = 100;
const HINT: &str = "write a list of objects, each with the key attributes and what they must come with";

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<Vec<GoldenKey>> {
    let list = node.get("keys").map(Node::list).unwrap_or_default();
    if list.is_empty() {
        reader.error(node, "keys", path, "goldenKeys does not say which keys", HINT);
        return None;
    }
    if list.len() > MOST_KEYS {
        let message = format!("{} golden keys, more than {MOST_KEYS}", list.len());
        reader.error(node, "keys", path, message, "keep those that tell most");
    }
    let mut keys: Vec<GoldenKey> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let path = format!("{path}.keys[{index}]");
        if item.entries().is_empty() {
            let message = format!("an item must be an object, not {}", item.describe());
            reader.findings.error(item.at, &path, message, HINT);
        } else if let Some(key) = golden_key(reader, item, &path) {
            if keys.iter().any(|other| (&other.partition, &other.sort) == (&key.partition, &key.sort)) {
                reader.findings.error(item.at, &path, "the key stands twice", "keep one of the two");
            }
            keys.push(key);
        }
    }
    (keys.len() == list.len()).then_some(keys)
}

fn golden_key(reader: &mut Reader<'_>, item: &Node, path: &str) -> Option<GoldenKey> {
    let key = reader.key.clone();
    let parts = std::iter::once(&key.partition).chain(&key.sort);
    let values: Vec<_> = parts.map(|part| key_value(reader, item, part, path)).collect();
    let is_key =
        |name: &str| std::iter::once(&key.partition).chain(&key.sort).any(|part| part.property == name);
    let rest: Vec<_> = item.entries().iter().filter(|entry| !is_key(&entry.key)).collect();
    let expected: Vec<_> = rest.iter().map(|entry| expectation(reader, entry, path)).collect();
    let mut values = values.into_iter();
    let mut expected = expected.into_iter().collect::<Option<Vec<_>>>()?;
    // Members of an object have no order.
    expected.sort_by(|(a, _), (b, _)| a.cmp(b));
    Some(GoldenKey {
        partition: values.next()??,
        sort: match values.next() {
            Some(sort) => Some(sort?),
            None => None,
        },
        expected,
    })
}

fn key_value(reader: &mut Reader<'_>, item: &Node, part: &KeyAttribute, path: &str) -> Option<Literal> {
    // Of a table whose key could not be read there is nothing more to say.
    if part.property.is_empty() {
        return None;
    }
    let name = quote(&part.property);
    let Some(written) = item.get(&part.property) else {
        let message = format!("the item has no value for the key attribute {name}");
        reader.findings.error(item.at, path, message, format!("add {}", part.property));
        return None;
    };
    let path = join(path, &part.property);
    let value = literal(written);
    let (fits, hint) = match part.physical {
        PhysicalType::S => (matches!(value, Some(Literal::Text(_))), "write text, in quotes"),
        PhysicalType::N => (matches!(value, Some(Literal::Number(_))), "write a number, without quotes"),
        _ => (false, "golden keys are of type S or N: a binary key cannot be written here"),
    };
    if !fits {
        let message = format!("{} is no value of the key attribute {name}", written.describe());
        reader.findings.error(written.at, &path, message, hint);
        return None;
    }
    value
}

fn expectation(reader: &mut Reader<'_>, entry: &Entry, path: &str) -> Option<(PropertyPath, Expectation)> {
    let path = join(path, &entry.key);
    let Some((place, property)) = reader.known.get(&entry.key).cloned() else {
        reader.unknown_property(&entry.key, entry.at, &path);
        return None;
    };
    if !place.0.iter().all(|step| matches!(step, Step::Property(_))) {
        let message = format!("{} has many values in one item", quote(&entry.key));
        let hint = "name a property outside of lists and maps; of a list, its length can be asked for";
        reader.findings.error(entry.at, &path, message, hint);
        return None;
    }
    if matches!(entry.value.value, Value::Map(_)) {
        return measures(reader, &entry.value, &property, &path).map(|found| (place, found));
    }
    let Some(value) = literal(&entry.value) else {
        let message = format!("{} cannot be compared", entry.value.describe());
        let hint =
            "compare with text, a number, true, false or null, or write an operator: {mustBeGreaterThan: 0}";
        reader.findings.error(entry.value.at, &path, message, hint);
        return None;
    };
    let possible = match &value {
        Literal::Null => !property.required,
        value => property.logical.is_none_or(|logical| fits(logical, value)),
    };
    if !possible {
        let message = format!("{} is never {}", quote(&entry.key), entry.value.describe());
        reader.findings.error(
            entry.value.at,
            &path,
            message,
            "compare with a value that the contract allows",
        );
        return None;
    }
    Some((place, Expectation::Is(value)))
}

fn measures(reader: &mut Reader<'_>, node: &Node, property: &Property, path: &str) -> Option<Expectation> {
    for entry in node.entries().iter().filter(|entry| !OPERATORS.contains(&entry.key.as_str())) {
        let message = format!("{} is no operator", quote(&entry.key));
        let hint = choose(&entry.key, &OPERATORS);
        reader.findings.error(entry.at, &join(path, &entry.key), message, hint);
    }
    let condition = reader.condition(node, path)?;
    let numbers = Of::Numbers.fits(property);
    let counted = Of::Texts.fits(property) || Of::Lists.fits(property);
    if !numbers && !counted {
        let message = "only numbers, and lengths of strings and lists, have a size";
        reader.findings.error(node.at, path, message, "compare with a value");
        return None;
    }
    if counted {
        reader.possible(node, path, &condition, None, ", of a length");
    }
    Some(Expectation::Measures(condition))
}
