//! Values without DynamoDB's types, and how they come by them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use septet_checks::{Item, Value};
use septet_contract::{Number, Object, PhysicalType, Property};

use super::DEEPEST;

/// A value as JSON, CSV and Parquet have it; numbers are text, so that no digit is lost.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Plain {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Plain>),
    Object(Vec<(String, Plain)>),
}

/// The item that a job would write: strings as `S`, numbers as `N`, and so on. Where the contract says `B`, text
/// is base64; where it says a set, a list is one. Whatever cannot be what the contract says stays what it is, for
/// the check to find.
pub(crate) fn item(members: Vec<(String, Plain)>, object: &Object) -> Result<Item, String> {
    self::members(members, 1, |name| object.properties.iter().find(|it| it.attribute == name))
}

fn members<'a>(
    members: Vec<(String, Plain)>,
    depth: usize,
    property: impl Fn(&str) -> Option<&'a Property>,
) -> Result<Item, String> {
    let mut item = Item::with_capacity(members.len());
    for (name, plain) in members {
        let value = value(plain, property(&name), depth).map_err(|problem| format!("{name}: {problem}"))?;
        if item.contains_key(&name) {
            return Err(format!("{name}: it is there twice"));
        }
        item.insert(name, value);
    }
    Ok(item)
}

fn value(plain: Plain, property: Option<&Property>, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err(format!("nested deeper than the {DEEPEST} levels that DynamoDB stores"));
    }
    let physical = property.and_then(|property| property.physical);
    Ok(match plain {
        Plain::Null => Value::Null,
        Plain::Bool(value) => Value::Bool(value),
        Plain::Number(text) => Value::N(number(text)?),
        Plain::Bytes(bytes) => Value::B(bytes),
        Plain::Text(text) if physical == Some(PhysicalType::B) => match STANDARD.decode(&text) {
            Ok(bytes) => Value::B(bytes),
            Err(_) => Value::S(text),
        },
        Plain::Text(text) => Value::S(text),
        Plain::Object(found) => Value::M(members(found, depth + 1, |name| {
            let property = property?;
            let member = property.properties.iter().find(|it| it.attribute == name);
            member.or(property.map.as_ref().map(|map| &map.value))
        })?),
        Plain::List(elements) => match set(&elements, physical) {
            Some(set) => set,
            None => {
                let items = property.and_then(|property| property.items.as_deref());
                Value::L(
                    elements.into_iter().map(|it| value(it, items, depth + 1)).collect::<Result<_, _>>()?,
                )
            }
        },
    })
}

/// A number that DynamoDB can store, as it was written.
pub(crate) fn number(text: String) -> Result<String, String> {
    match Number::parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("{text} is no number that DynamoDB stores: {error}")),
    }
}

fn set(elements: &[Plain], physical: Option<PhysicalType>) -> Option<Value> {
    let texts =
        || elements.iter().map(|it| if let Plain::Text(text) = it { Some(text.clone()) } else { None });
    Some(match physical? {
        PhysicalType::StringSet => Value::SS(texts().collect::<Option<_>>()?),
        PhysicalType::NumberSet => {
            let numbers = elements.iter().map(|it| match it {
                Plain::Number(text) => number(text.clone()).ok(),
                _ => None,
            });
            Value::NS(numbers.collect::<Option<_>>()?)
        }
        PhysicalType::BinarySet => {
            let all = elements.iter().map(|it| match it {
                Plain::Bytes(bytes) => Some(bytes.clone()),
                Plain::Text(text) => STANDARD.decode(text).ok(),
                _ => None,
            });
            Value::BS(all.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}
