//! Schema objects and their properties.

use super::{
    CUSTOM, DEFINITIONS, Keys, Shape, TAGS, TEXTS, check, check_choice, check_members, expect, join, require,
};
use crate::document::{Node, Value, canonical_json, quote};
use crate::findings::Findings;
use crate::model::LogicalType;

const SYNONYMS: Shape = Shape::List(&Shape::Object(&SYNONYM));
const PROPERTIES: Shape = Shape::List(&Shape::Property { named: true });

pub(super) static OBJECT: Keys = Keys {
    what: "a schema object",
    members: &[
        ("id", Shape::Id),
        ("name", Shape::Text),
        ("physicalType", Shape::Text),
        ("description", Shape::Text),
        ("businessName", Shape::Text),
        ("deprecated", Shape::Boolean),
        ("synonyms", SYNONYMS),
        ("authoritativeDefinitions", DEFINITIONS),
        ("tags", TAGS),
        ("customProperties", CUSTOM),
        ("logicalType", Shape::Choice(&["object"])),
        ("physicalName", Shape::Text),
        ("dataGranularityDescription", Shape::Text),
        ("properties", PROPERTIES),
        ("relationships", Shape::List(&Shape::Relationship)),
        ("quality", Shape::List(&Shape::Quality)),
        ("context", Shape::TextOr(&Shape::Object(&super::CONTEXT))),
    ],
    required: &["name"],
};

static PROPERTY: Keys = Keys {
    what: "a property",
    members: &[
        ("id", Shape::Id),
        ("name", Shape::Text),
        ("physicalType", Shape::Text),
        ("description", Shape::Text),
        ("businessName", Shape::Text),
        ("deprecated", Shape::Boolean),
        ("synonyms", SYNONYMS),
        ("authoritativeDefinitions", DEFINITIONS),
        ("tags", TAGS),
        ("customProperties", CUSTOM),
        ("primaryKey", Shape::Boolean),
        ("primaryKeyPosition", Shape::Integer),
        ("logicalType", Shape::Text),
        ("logicalTypeOptions", Shape::Open(&NO_OPTIONS)),
        ("physicalName", Shape::Text),
        ("required", Shape::Boolean),
        ("unique", Shape::Boolean),
        ("semanticType", Shape::Choice(&["column", "measure", "dimension"])),
        ("partitioned", Shape::Boolean),
        ("partitionKeyPosition", Shape::Integer),
        ("classification", Shape::Text),
        ("encryptedName", Shape::Text),
        ("transformSourceObjects", TEXTS),
        ("transformLogic", Shape::Text),
        ("transformDescription", Shape::Text),
        ("examples", Shape::List(&Shape::Any)),
        ("enum", Shape::Enum),
        ("criticalDataElement", Shape::Boolean),
        ("relationships", Shape::List(&Shape::Object(&PROPERTY_RELATIONSHIP))),
        ("quality", Shape::List(&Shape::Quality)),
    ],
    required: &[],
};

static SYNONYM: Keys = Keys {
    what: "a synonym",
    members: &[
        ("id", Shape::Id),
        ("synonym", Shape::Text),
        ("description", Shape::Text),
        ("locale", Shape::Text),
        ("source", Shape::Text),
        ("status", Shape::Text),
        ("customProperties", CUSTOM),
    ],
    required: &["synonym"],
};

static RELATIONSHIP: Keys = Keys {
    what: "a relationship",
    members: &[
        ("id", Shape::Text),
        ("type", Shape::Choice(&["foreignKey"])),
        ("from", Shape::References),
        ("to", Shape::References),
        ("customProperties", CUSTOM),
    ],
    required: &["from", "to"],
};

static PROPERTY_RELATIONSHIP: Keys = Keys {
    what: "a relationship of a property",
    members: &[
        ("id", Shape::Text),
        ("type", Shape::Choice(&["foreignKey"])),
        ("to", Shape::References),
        ("customProperties", CUSTOM),
    ],
    required: &["to"],
};

static ENUM_VALUE: Keys = Keys {
    what: "a value of an enum",
    members: &[
        ("id", Shape::Id),
        ("value", Shape::Scalar),
        ("label", Shape::Text),
        ("description", Shape::Text),
        ("customProperties", CUSTOM),
        ("authoritativeDefinitions", DEFINITIONS),
        ("tags", TAGS),
    ],
    required: &["value"],
};

static MAP: Keys = Keys {
    what: "a map",
    members: &[("key", Shape::Property { named: false }), ("value", Shape::Property { named: false })],
    required: &["key", "value"],
};

macro_rules! options {
    ($name:ident, $what:literal, [$($key:literal: $shape:expr),* $(,)?], [$($required:literal),*]) => {
        static $name: Keys = Keys { what: $what, members: &[$(($key, $shape)),*], required: &[$($required),*] };
    };
}

options!(NO_OPTIONS, "logicalTypeOptions without a logicalType", [], []);
options!(BOOLEAN, "logicalTypeOptions of a boolean", [], []);
options!(
    STRING,
    "logicalTypeOptions of a string",
    ["minLength": Shape::Count, "maxLength": Shape::Count, "pattern": Shape::Text, "format": Shape::Text],
    []
);
options!(
    DATE,
    "logicalTypeOptions of a date",
    [
        "format": Shape::Text,
        "exclusiveMaximum": Shape::Text,
        "maximum": Shape::Text,
        "exclusiveMinimum": Shape::Text,
        "minimum": Shape::Text,
    ],
    []
);
options!(
    TIMESTAMP,
    "logicalTypeOptions of a time or timestamp",
    [
        "format": Shape::Text,
        "exclusiveMaximum": Shape::Text,
        "maximum": Shape::Text,
        "exclusiveMinimum": Shape::Text,
        "minimum": Shape::Text,
        "timezone": Shape::Boolean,
        "defaultTimezone": Shape::Text,
    ],
    []
);
options!(
    INTEGER,
    "logicalTypeOptions of an integer",
    [
        "multipleOf": Shape::Number,
        "maximum": Shape::Number,
        "exclusiveMaximum": Shape::Number,
        "minimum": Shape::Number,
        "exclusiveMinimum": Shape::Number,
        "format": Shape::Choice(&["i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128"]),
    ],
    []
);
options!(
    NUMBER,
    "logicalTypeOptions of a number",
    [
        "multipleOf": Shape::Number,
        "maximum": Shape::Number,
        "exclusiveMaximum": Shape::Number,
        "minimum": Shape::Number,
        "exclusiveMinimum": Shape::Number,
        "format": Shape::Choice(&["f32", "f64"]),
    ],
    []
);
options!(
    OBJECT_OPTIONS,
    "logicalTypeOptions of an object",
    ["maxProperties": Shape::Count, "minProperties": Shape::Count, "required": TEXTS],
    []
);
options!(
    ARRAY,
    "logicalTypeOptions of an array",
    ["maxItems": Shape::Count, "minItems": Shape::Count, "uniqueItems": Shape::Boolean],
    []
);
options!(
    VECTOR,
    "logicalTypeOptions of a vector",
    [
        "dimensions": Shape::Count,
        "elementType":
            Shape::Choice(&["bfloat16", "binary", "float16", "float32", "float64", "int8", "uint8"]),
        "distanceMetric":
            Shape::Choice(&["cosine", "dotProduct", "euclidean", "hamming", "manhattan"]),
        "embeddingModel": Shape::Text,
        "embeddingModelVersion": Shape::Text,
        "normalized": Shape::Boolean,
    ],
    ["dimensions"]
);

/// `named` for members of an object; elements of a list need no name.
pub(super) fn check_property(node: &Node, named: bool, path: &str, findings: &mut Findings) {
    if !matches!(node.value, Value::Map(_)) {
        return expect(false, "an object", node, path, findings);
    }
    let written = node.get("logicalType");
    let logical = written.and_then(Node::text).and_then(LogicalType::parse);
    let more: &[(&'static str, Shape)] = match logical {
        Some(LogicalType::Object) => &[("properties", PROPERTIES)],
        Some(LogicalType::Array) => &[("items", Shape::Property { named: false })],
        Some(LogicalType::Map) => &[("map", Shape::Object(&MAP))],
        _ => &[],
    };
    // Which type a nested list of properties belongs to is worth more than that the key is unknown.
    for (key, wanted) in
        [("properties", LogicalType::Object), ("items", LogicalType::Array), ("map", LogicalType::Map)]
    {
        if let Some(entry) = node.entries().iter().find(|entry| entry.key == key && logical != Some(wanted)) {
            findings.error(
                entry.at,
                &join(path, key),
                format!("only a property of logicalType {wanted} has {key}"),
                format!("write logicalType: {wanted}, or remove {key}"),
            );
        }
    }
    check_members(node, &PROPERTY, &[more, NESTED], true, path, findings);
    if named {
        require(node, "name", "a property", path, findings);
    }
    if logical == Some(LogicalType::Map) {
        require(node, "map", "a property of logicalType map", path, findings);
    }
    if let Some(written) = written.filter(|written| written.text().is_some() && logical.is_none()) {
        let names: Vec<_> = LogicalType::ALL.iter().map(|logical| logical.as_str()).collect();
        check_choice(written, &names, &join(path, "logicalType"), findings);
    } else if let Some(options) = node.get("logicalTypeOptions") {
        let keys = match logical {
            None => &NO_OPTIONS,
            Some(LogicalType::Boolean) => &BOOLEAN,
            Some(LogicalType::Map) => &MAP_OPTIONS,
            Some(LogicalType::String) => &STRING,
            Some(LogicalType::Date) => &DATE,
            Some(LogicalType::Timestamp | LogicalType::Time) => &TIMESTAMP,
            Some(LogicalType::Integer) => &INTEGER,
            Some(LogicalType::Number) => &NUMBER,
            Some(LogicalType::Object) => &OBJECT_OPTIONS,
            Some(LogicalType::Array) => &ARRAY,
            Some(LogicalType::Vector) => &VECTOR,
        };
        if matches!(options.value, Value::Map(_)) {
            check_members(options, keys, &[], true, &join(path, "logicalTypeOptions"), findings);
        }
    }
}

options!(MAP_OPTIONS, "logicalTypeOptions of a map", [], []);

/// Keys that are reported where they stand at the wrong type, and so are known anywhere.
static NESTED: &[(&str, Shape)] = &[("properties", Shape::Any), ("items", Shape::Any), ("map", Shape::Any)];

const ENUM: Shape = Shape::List(&Shape::Object(&ENUM_VALUE));

pub(super) fn check_enum(node: &Node, path: &str, findings: &mut Findings) {
    check(node, ENUM, path, findings);
    let values = node.list();
    if matches!(node.value, Value::List(_)) && values.is_empty() {
        findings.error(
            node.at,
            path,
            "an empty enum allows no value at all",
            "list the values, or remove enum",
        );
    }
    let mut seen = std::collections::HashSet::new();
    for (index, value) in values.iter().enumerate() {
        if let Some(value) = value.get("value").filter(|value| !seen.insert(canonical_json(value))) {
            let path = format!("{path}[{index}].value");
            findings.error(
                value.at,
                &path,
                format!("{} stands twice in enum", value.describe()),
                "keep one of the two",
            );
        }
    }
}

pub(super) fn check_relationship(node: &Node, path: &str, findings: &mut Findings) {
    check_members(node, &RELATIONSHIP, &[], true, path, findings);
    let is_list = |key| node.get(key).map(|node| matches!(node.value, Value::List(_)));
    if let (Some(from), Some(to)) = (is_list("from"), is_list("to"))
        && from != to
    {
        let hint = "write both as one place each, or both as lists";
        findings.error(node.at, path, "of from and to, one is a list and one is not", hint);
    }
}

pub(super) fn check_references(node: &Node, path: &str, findings: &mut Findings) {
    match &node.value {
        Value::List(nodes) if nodes.is_empty() => {
            findings.error(node.at, path, "the list of places is empty", "name a property such as orders.id");
        }
        Value::List(nodes) => {
            for (index, node) in nodes.iter().enumerate() {
                check_reference(node, &format!("{path}[{index}]"), findings);
            }
        }
        _ => check_reference(node, path, findings),
    }
}

fn check_reference(node: &Node, path: &str, findings: &mut Findings) {
    match node.text() {
        None => expect(false, "text", node, path, findings),
        Some(text) if !is_shorthand(text) && !is_qualified(text) => findings.error(
            node.at,
            path,
            format!("{} is no place of a property", quote(text)),
            "write orders.id, or schema/orders/properties/id",
        ),
        Some(_) => {}
    }
}

fn is_word(text: &str, more: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || more.contains(c))
}

/// `object.property`, with further members after further dots.
fn is_shorthand(text: &str) -> bool {
    text.contains('.') && text.split('.').all(|word| is_word(word, "-"))
}

/// Pairs `list/id`, optionally after a file or URL and `#`.
fn is_qualified(text: &str) -> bool {
    let place = match text.split_once('#') {
        Some((file, place)) => {
            let bare = file.strip_prefix("https://").or_else(|| file.strip_prefix("http://")).unwrap_or(file);
            let stem = bare.strip_suffix(".yaml").or_else(|| bare.strip_suffix(".yml")).unwrap_or_default();
            if stem.is_empty() || !stem.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c)) {
                return false;
            }
            place
        }
        None => text,
    };
    let steps: Vec<_> = place.strip_prefix('/').unwrap_or(place).split('/').collect();
    let (pairs, rest) = steps.as_chunks::<2>();
    let is_id =
        |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    rest.is_empty() && pairs.iter().all(|[word, id]| is_word(word, "") && is_id(id))
}
