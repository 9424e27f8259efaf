//! The structure that the standard gives a document: which keys stand where and what type their values have.
//!
//! The source is the JSON Schema of ODCS v3.2.0, which also takes documents of v3.1.0. An unknown key is an error
//! exactly where that schema closes an object.

mod quality;
mod schema;
mod servers;

pub(crate) use quality::{METRICS, OPERATORS};

use crate::document::{Node, Value, quote};
use crate::findings::{Findings, choose, did_you_mean};

/// What a value must be.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Any,
    Text,
    /// An identifier: no white space, and none of `.#/\\@!%&^`.
    Id,
    Boolean,
    Integer,
    /// A whole number that is not negative.
    Count,
    Number,
    /// Anything but a list or an object.
    Scalar,
    TextOrInteger,
    /// Places of properties, as `orders.id`, or a list of them.
    References,
    Choice(&'static [&'static str]),
    List(&'static Shape),
    Object(&'static Keys),
    /// Any members; only those named are checked.
    Open(&'static Keys),
    TextOr(&'static Shape),
    /// An object or, in former versions, a list.
    ObjectOrList(&'static Keys, &'static Shape),
    /// A relationship of a schema object.
    Relationship,
    Server,
    Property {
        named: bool,
    },
    Quality,
    Enum,
}

/// The members of an object.
pub(crate) struct Keys {
    /// What the object is, for messages.
    pub(crate) what: &'static str,
    pub(crate) members: &'static [(&'static str, Shape)],
    pub(crate) required: &'static [&'static str],
}

const TEXTS: Shape = Shape::List(&Shape::Text);
const TAGS: Shape = TEXTS;
const CUSTOM: Shape = Shape::List(&Shape::Object(&CUSTOM_PROPERTY));
const DEFINITIONS: Shape = Shape::List(&Shape::Object(&DEFINITION));

static CUSTOM_PROPERTY: Keys = Keys {
    what: "a custom property",
    members: &[
        ("id", Shape::Id),
        ("property", Shape::Text),
        ("value", Shape::Any),
        ("description", Shape::Text),
        ("vendor", Shape::Text),
    ],
    required: &["property", "value"],
};

static DEFINITION: Keys = Keys {
    what: "an authoritative definition",
    members: &[("id", Shape::Id), ("url", Shape::Text), ("type", Shape::Text), ("description", Shape::Text)],
    required: &["url", "type"],
};

static ROOT: Keys = Keys {
    what: "a contract",
    members: &[
        ("version", Shape::Text),
        ("kind", Shape::Choice(&["DataContract"])),
        ("apiVersion", Shape::Text),
        ("id", Shape::Text),
        ("name", Shape::Text),
        ("tenant", Shape::Text),
        ("tags", TAGS),
        ("status", Shape::Text),
        ("servers", Shape::List(&Shape::Server)),
        ("dataProduct", Shape::Text),
        ("description", Shape::Open(&DESCRIPTION)),
        ("domain", Shape::Text),
        ("context", Shape::TextOr(&Shape::Object(&CONTEXT))),
        ("schema", Shape::List(&Shape::Object(&schema::OBJECT))),
        ("support", Shape::List(&Shape::Object(&SUPPORT))),
        ("price", Shape::Object(&PRICE)),
        ("team", Shape::ObjectOrList(&TEAM, &Shape::Object(&MEMBER))),
        ("roles", Shape::List(&Shape::Object(&ROLE))),
        ("slaDefaultElement", Shape::Text),
        ("slaProperties", Shape::List(&Shape::Object(&SERVICE_LEVEL))),
        ("authoritativeDefinitions", DEFINITIONS),
        ("customProperties", CUSTOM),
        ("contractCreatedTs", Shape::Text),
    ],
    required: &["version", "apiVersion", "kind", "id"],
};

static DESCRIPTION: Keys = Keys {
    what: "a description",
    members: &[
        ("usage", Shape::Text),
        ("purpose", Shape::Text),
        ("limitations", Shape::Text),
        ("authoritativeDefinitions", DEFINITIONS),
        ("customProperties", CUSTOM),
    ],
    required: &[],
};

static CONTEXT: Keys = Keys {
    what: "a context",
    members: &[
        ("instructions", Shape::Text),
        ("verifiedStatements", Shape::List(&Shape::Object(&STATEMENT))),
        ("constraints", Shape::List(&Shape::Object(&CONSTRAINT))),
    ],
    required: &[],
};

static STATEMENT: Keys = Keys {
    what: "a verified statement",
    members: &[
        ("id", Shape::Text),
        ("question", Shape::Text),
        ("answer", Shape::Text),
        ("authoritativeDefinitions", DEFINITIONS),
        ("tags", TAGS),
        ("customProperties", CUSTOM),
    ],
    required: &["question"],
};

static CONSTRAINT: Keys = Keys {
    what: "a constraint",
    members: &[
        ("id", Shape::Text),
        ("constraint", Shape::Text),
        ("authoritativeDefinitions", DEFINITIONS),
        ("tags", TAGS),
        ("customProperties", CUSTOM),
    ],
    required: &["constraint"],
};

static SUPPORT: Keys = Keys {
    what: "a support channel",
    members: &[
        ("id", Shape::Id),
        ("channel", Shape::Text),
        ("url", Shape::Text),
        ("description", Shape::Text),
        ("tool", Shape::Text),
        ("scope", Shape::Text),
        ("invitationUrl", Shape::Text),
        ("customProperties", CUSTOM),
    ],
    required: &["channel"],
};

static PRICE: Keys = Keys {
    what: "a price",
    members: &[
        ("id", Shape::Id),
        ("priceAmount", Shape::Number),
        ("priceCurrency", Shape::Text),
        ("priceUnit", Shape::Text),
    ],
    required: &[],
};

static TEAM: Keys = Keys {
    what: "a team",
    members: &[
        ("id", Shape::Id),
        ("name", Shape::Text),
        ("description", Shape::Text),
        ("members", Shape::List(&Shape::Object(&MEMBER))),
        ("tags", TAGS),
        ("customProperties", CUSTOM),
        ("authoritativeDefinitions", DEFINITIONS),
    ],
    required: &[],
};

static MEMBER: Keys = Keys {
    what: "a member of the team",
    members: &[
        ("id", Shape::Id),
        ("username", Shape::Text),
        ("name", Shape::Text),
        ("description", Shape::Text),
        ("role", Shape::Text),
        ("dateIn", Shape::Text),
        ("dateOut", Shape::Text),
        ("replacedByUsername", Shape::Text),
        ("tags", TAGS),
        ("customProperties", CUSTOM),
        ("authoritativeDefinitions", DEFINITIONS),
    ],
    required: &["username"],
};

static ROLE: Keys = Keys {
    what: "a role",
    members: &[
        ("id", Shape::Id),
        ("role", Shape::Text),
        ("description", Shape::Text),
        ("access", Shape::Text),
        ("firstLevelApprovers", Shape::Text),
        ("secondLevelApprovers", Shape::Text),
        ("customProperties", CUSTOM),
    ],
    required: &["role"],
};

static SERVICE_LEVEL: Keys = Keys {
    what: "a service level",
    members: &[
        ("id", Shape::Id),
        ("property", Shape::Text),
        ("value", Shape::Scalar),
        ("valueExt", Shape::Scalar),
        ("unit", Shape::Text),
        ("element", Shape::Text),
        ("driver", Shape::Text),
        ("description", Shape::Text),
        ("scheduler", Shape::Text),
        ("schedule", Shape::Text),
        ("customProperties", CUSTOM),
        ("authoritativeDefinitions", DEFINITIONS),
    ],
    required: &["property", "value"],
};

/// Holds a whole document against the standard.
pub(crate) fn check_document(root: &Node, findings: &mut Findings) {
    check(root, Shape::Object(&ROOT), "", findings);
}

pub(crate) fn check(node: &Node, shape: Shape, path: &str, findings: &mut Findings) {
    match shape {
        Shape::Any => {}
        Shape::Text => expect(node.text().is_some(), "text", node, path, findings),
        Shape::Id => {
            let valid = |text: &str| {
                !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || ".#/\\@!%&^".contains(c))
            };
            let what = "an identifier without spaces and without . # / \\ @ ! % & ^";
            expect(node.text().is_some_and(valid), what, node, path, findings);
        }
        Shape::Boolean => expect(node.bool().is_some(), "true or false", node, path, findings),
        Shape::Integer => {
            let whole = node.number().is_some_and(|n| n.is_integer());
            expect(whole, "a whole number", node, path, findings);
        }
        Shape::Count => {
            let count = node.number().is_some_and(|n| n.to_u64().is_some());
            expect(count, "a whole number from 0 on", node, path, findings);
        }
        Shape::Number => expect(node.number().is_some(), "a number", node, path, findings),
        Shape::Scalar => {
            let scalar = !matches!(node.value, Value::List(_) | Value::Map(_));
            expect(scalar, "text, a number, true, false or null", node, path, findings);
        }
        Shape::TextOrInteger => {
            let fits = node.text().is_some() || node.number().is_some_and(|n| n.is_integer());
            expect(fits, "text or a whole number", node, path, findings);
        }
        Shape::References => schema::check_references(node, path, findings),
        Shape::Choice(choices) => check_choice(node, choices, path, findings),
        Shape::List(_) => check_list(node, shape, path, findings),
        Shape::Object(keys) => check_members(node, keys, &[], true, path, findings),
        Shape::Open(keys) => check_members(node, keys, &[], false, path, findings),
        Shape::TextOr(other) => {
            if node.text().is_none() {
                check(node, *other, path, findings);
            }
        }
        Shape::ObjectOrList(keys, item) => match &node.value {
            Value::List(_) => check_list(node, Shape::List(item), path, findings),
            _ => check_members(node, keys, &[], true, path, findings),
        },
        Shape::Relationship => schema::check_relationship(node, path, findings),
        Shape::Server => servers::check_server(node, path, findings),
        Shape::Property { named } => schema::check_property(node, named, path, findings),
        Shape::Quality => quality::check_rule(node, path, findings),
        Shape::Enum => schema::check_enum(node, path, findings),
    }
}

fn expect(fits: bool, what: &str, node: &Node, path: &str, findings: &mut Findings) {
    if fits {
        return;
    }
    let hint = match (&node.value, what) {
        (Value::Number(_) | Value::Bool(_), "text") => "put it in quotes".to_owned(),
        (Value::Text(text), "true or false") => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => "write true, without quotes".to_owned(),
            "no" | "off" | "n" | "false" => "write false, without quotes".to_owned(),
            _ => "write true or false".to_owned(),
        },
        (Value::Text(text), _) if what.contains("number") && crate::Number::parse(text).is_ok() => {
            "remove the quotes".to_owned()
        }
        _ => format!("write {what}"),
    };
    findings.error(node.at, path, format!("{} must be {what}, not {}", last(path), node.describe()), hint);
}

/// What the value at a path is called in messages.
pub(crate) fn last(path: &str) -> &str {
    match path.rsplit('.').next() {
        Some("") | None => "the document",
        Some(step) => step,
    }
}

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn check_list(node: &Node, shape: Shape, path: &str, findings: &mut Findings) {
    if !matches!(node.value, Value::List(_)) {
        return expect(false, "a list", node, path, findings);
    }
    if let Shape::List(item) = shape {
        for (index, node) in node.list().iter().enumerate() {
            check(node, *item, &format!("{path}[{index}]"), findings);
        }
    }
}

fn check_choice(node: &Node, choices: &[&str], path: &str, findings: &mut Findings) {
    match node.text() {
        None => expect(false, "text", node, path, findings),
        Some(text) if !choices.contains(&text) => findings.error(
            node.at,
            path,
            format!("{} cannot be {}", last(path), quote(text)),
            choose(text, choices),
        ),
        Some(_) => {}
    }
}

/// Checks an object whose members are `keys` and `more`; `closed` makes any other an error.
pub(crate) fn check_members(
    node: &Node,
    keys: &Keys,
    more: &[&[(&'static str, Shape)]],
    closed: bool,
    path: &str,
    findings: &mut Findings,
) {
    if !matches!(node.value, Value::Map(_)) {
        return expect(false, "an object", node, path, findings);
    }
    let members = || keys.members.iter().chain(more.iter().copied().flatten());
    for entry in node.entries() {
        let path = join(path, &entry.key);
        match members().find(|(name, _)| *name == entry.key) {
            Some((_, shape)) => check(&entry.value, *shape, &path, findings),
            None if closed => {
                let names: Vec<_> = members().map(|(name, _)| *name).collect();
                let hint = match did_you_mean(&entry.key, names.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None if names.contains(&"customProperties") => {
                        "remove it, or put it under customProperties".to_owned()
                    }
                    None if names.is_empty() => "remove it, or write a logicalType that has it".to_owned(),
                    None => choose(&entry.key, &names),
                };
                findings.error(
                    entry.at,
                    &path,
                    format!("{} has no key {}", keys.what, quote(&entry.key)),
                    hint,
                );
            }
            None => {}
        }
    }
    for name in keys.required {
        require(node, name, keys.what, path, findings);
    }
}

pub(crate) fn require(node: &Node, name: &str, what: &str, path: &str, findings: &mut Findings) {
    if node.get(name).is_none() {
        findings.error(node.at, path, format!("{what} needs the key {name}"), format!("add {name}"));
    }
}
