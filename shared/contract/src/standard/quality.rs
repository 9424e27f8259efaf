//! Rules of `quality`.

use super::{CUSTOM, DEFINITIONS, Keys, Shape, TAGS, check_members, expect};
use crate::document::{Node, Value};
use crate::findings::Findings;

/// The operators of the standard.
pub(crate) const OPERATORS: [&str; 8] = [
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
];

/// The metrics of the standard's library.
pub(crate) const METRICS: [&str; 5] =
    ["rowCount", "nullValues", "missingValues", "invalidValues", "duplicateValues"];

static RULE: Keys = Keys {
    what: "a rule",
    members: &[
        ("id", Shape::Id),
        ("authoritativeDefinitions", DEFINITIONS),
        ("businessImpact", Shape::Text),
        ("customProperties", CUSTOM),
        ("description", Shape::Text),
        (
            "dimension",
            Shape::Choice(&[
                "accuracy",
                "completeness",
                "conformity",
                "consistency",
                "coverage",
                "timeliness",
                "uniqueness",
            ]),
        ),
        ("method", Shape::Text),
        ("name", Shape::Text),
        ("schedule", Shape::Text),
        ("scheduler", Shape::Text),
        ("severity", Shape::Text),
        ("tags", TAGS),
        ("type", Shape::Choice(&["text", "library", "sql", "custom"])),
        ("unit", Shape::Text),
    ],
    required: &[],
};

// Operands are read, and found wrong, together with the rule's meaning.
static WITH_OPERATORS: &[(&str, Shape)] = &[
    ("mustBe", Shape::Any),
    ("mustNotBe", Shape::Any),
    ("mustBeGreaterThan", Shape::Any),
    ("mustBeGreaterOrEqualTo", Shape::Any),
    ("mustBeLessThan", Shape::Any),
    ("mustBeLessOrEqualTo", Shape::Any),
    ("mustBeBetween", Shape::Any),
    ("mustNotBeBetween", Shape::Any),
];
static LIBRARY: &[(&str, Shape)] =
    &[("metric", Shape::Text), ("rule", Shape::Text), ("arguments", Shape::Open(&ARGUMENTS))];
static SQL: &[(&str, Shape)] = &[("query", Shape::Text)];
static CUSTOM_ENGINE: &[(&str, Shape)] =
    &[("engine", Shape::Text), ("implementation", Shape::TextOr(&Shape::Open(&ARGUMENTS)))];
static ARGUMENTS: Keys = Keys { what: "arguments", members: &[], required: &[] };

pub(super) fn check_rule(node: &Node, path: &str, findings: &mut Findings) {
    if !matches!(node.value, Value::Map(_)) {
        return expect(false, "an object", node, path, findings);
    }
    let more: &[&[(&'static str, Shape)]] = match node.get("type").map(Node::text) {
        Some(Some("custom")) => &[CUSTOM_ENGINE],
        Some(Some("sql")) => &[WITH_OPERATORS, SQL],
        Some(Some("text")) => &[],
        Some(Some("library")) | None => &[WITH_OPERATORS, LIBRARY],
        // An unknown type: which keys it would have is not known either.
        Some(_) => return check_members(node, &RULE, &[], false, path, findings),
    };
    check_members(node, &RULE, more, true, path, findings);
}
