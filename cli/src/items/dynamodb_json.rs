//! DynamoDB JSON: values that say their type, as `{"S": "u-1"}`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use septet_checks::{Item, Value};

use super::DEEPEST;
use super::plain::{Plain, number};

const TYPES: [&str; 10] = ["S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"];

/// Whether an object looks like items with types: exported (`Item`), scanned (`Items`), or an item alone.
pub(crate) fn is_typed(members: &[(String, Plain)]) -> bool {
    let typed = |plain: &Plain| matches!(plain, Plain::Object(one) if matches!(&one[..], [(name, _)] if TYPES.contains(&name.as_str())));
    let item = |members: &[(String, Plain)]| !members.is_empty() && members.iter().all(|(_, it)| typed(it));
    match members {
        [(name, Plain::Object(inner))] if name == "Item" => item(inner),
        members => match member(members, "Items") {
            Some(Plain::List(items)) => items.iter().all(|it| matches!(it, Plain::Object(it) if item(it))),
            _ => item(members),
        },
    }
}

fn member<'a>(members: &'a [(String, Plain)], name: &str) -> Option<&'a Plain> {
    members.iter().find(|(it, _)| it == name).map(|(_, value)| value)
}

/// The items of an object: one, or those of an answer to `Scan`.
pub(crate) fn items(mut members: Vec<(String, Plain)>, take: &mut dyn FnMut(Item)) -> Result<(), String> {
    match members.iter().position(|(name, value)| name == "Items" && matches!(value, Plain::List(_))) {
        Some(at) => {
            if let Plain::List(items) = members.swap_remove(at).1 {
                for found in items {
                    let Plain::Object(members) = found else { return Err("an item is an object".into()) };
                    take(item(members, 1)?);
                }
            }
        }
        None => {
            let members = match &mut members[..] {
                [(name, Plain::Object(inner))] if name == "Item" => std::mem::take(inner),
                _ => members,
            };
            take(item(members, 1)?);
        }
    }
    Ok(())
}

fn item(members: Vec<(String, Plain)>, depth: usize) -> Result<Item, String> {
    let mut item = Item::with_capacity(members.len());
    for (name, plain) in members {
        let value = value(plain, depth).map_err(|problem| format!("{name}: {problem}"))?;
        if item.contains_key(&name) {
            return Err(format!("{name}: it is there twice"));
        }
        item.insert(name, value);
    }
    Ok(item)
}

fn value(plain: Plain, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err(format!("nested deeper than the {DEEPEST} levels that DynamoDB stores"));
    }
    let none =
        || Err(format!("no value with its type, such as {{\"S\": \"u-1\"}}; types are {}", TYPES.join(", ")));
    let Plain::Object(one) = plain else { return none() };
    let Ok([(name, content)]) = <[_; 1]>::try_from(one) else { return none() };
    Ok(match (name.as_str(), content) {
        ("S", Plain::Text(text)) => Value::S(text),
        ("N", Plain::Text(text)) => Value::N(number(text)?),
        ("B", Plain::Text(text)) => Value::B(bytes(&text)?),
        ("BOOL", Plain::Bool(value)) => Value::Bool(value),
        ("NULL", Plain::Bool(true)) => Value::Null,
        ("M", Plain::Object(members)) => Value::M(item(members, depth + 1)?),
        ("L", Plain::List(elements)) => {
            Value::L(elements.into_iter().map(|it| value(it, depth + 1)).collect::<Result<_, _>>()?)
        }
        ("SS", Plain::List(elements)) => Value::SS(set(elements, Ok)?),
        ("NS", Plain::List(elements)) => Value::NS(set(elements, number)?),
        ("BS", Plain::List(elements)) => Value::BS(set(elements, |text| bytes(&text))?),
        _ => return none(),
    })
}

fn set<T>(elements: Vec<Plain>, read: impl Fn(String) -> Result<T, String>) -> Result<Vec<T>, String> {
    let read = |element| match element {
        Plain::Text(text) => read(text),
        _ => Err("an element of a set is text in DynamoDB JSON".into()),
    };
    elements.into_iter().map(read).collect()
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|error| format!("B is base64: {error}"))
}
