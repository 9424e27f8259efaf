//! Rules of `engine: septet`.

use std::collections::HashMap;

use super::literal;
use super::quality::Reader;
use crate::diagnostic::Severity;
use crate::document::{Node, Position, Value, quote};
use crate::findings::{Findings, choose};
use crate::model::{LogicalType, Object, Property};
use crate::number::Number;
use crate::rule::{
    Baseline, Churn, Condition, Distance, Metric, MetricRule, Rule, RuleKind, SeptetCheck, SeptetRule,
};
use crate::standard::{OPERATORS, join};

/// What a check takes.
struct Takes {
    check: &'static str,
    against: bool,
    operator: bool,
    /// The logical types of the property it is about; none for the table as a whole.
    property: Option<&'static [LogicalType]>,
    /// The first is the one meant without a `unit`; none if the check has no unit.
    units: &'static [&'static str],
    /// The one further key it needs.
    further: Option<&'static str>,
}

const NUMBERS: &[LogicalType] = &[LogicalType::Integer, LogicalType::Number];

const fn takes(check: &'static str) -> Takes {
    Takes { check, against: true, operator: true, property: None, units: &[], further: None }
}

static CHECKS: [Takes; 11] = [
    Takes { units: &["percent", "rows"], ..takes("rowCountChange") },
    Takes { units: &["percent", "rows"], further: Some("change"), ..takes("keyChurn") },
    Takes { units: &["percent", "value"], property: Some(NUMBERS), ..takes("meanChange") },
    Takes {
        units: &["percent", "value"],
        property: Some(NUMBERS),
        further: Some("quantile"),
        ..takes("quantileChange")
    },
    Takes { units: &["percent"], property: Some(LogicalType::ALL), ..takes("nullRateChange") },
    Takes { property: Some(LogicalType::ALL), further: Some("measure"), ..takes("distributionChange") },
    Takes {
        units: &["percent", "items"],
        property: Some(&[LogicalType::Array]),
        ..takes("listLengthChange")
    },
    Takes {
        against: false,
        units: &["h", "m", "d"],
        property: Some(&[LogicalType::Timestamp, LogicalType::Date]),
        ..takes("freshness")
    },
    Takes { against: false, operator: false, further: Some("keys"), ..takes("goldenKeys") },
    Takes { against: false, units: &["bytes"], ..takes("itemSize") },
    Takes { against: false, operator: false, ..takes("identicalToPrevious") },
];

/// Reads an implementation; `outer_unit` is the unit of the rule itself, `place` the property it stands at.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    outer_unit: Option<&Node>,
    path: &str,
    place: Option<&str>,
) -> Option<SeptetRule> {
    let names: Vec<_> = CHECKS.iter().map(|takes| takes.check).collect();
    if !matches!(node.value, Value::Map(_)) {
        let message = format!("engine septet takes an object, not {}", node.describe());
        reader.findings.error(node.at, path, message, "write implementation: {check: ..., ...}");
        return None;
    }
    let Some(check) = node.get("check").and_then(Node::text) else {
        let hint = format!("add check: one of {}", names.join(", "));
        reader.error(node, "check", path, "the implementation does not name its check", hint);
        return None;
    };
    let Some(takes) = CHECKS.iter().find(|takes| takes.check == check) else {
        reader.error(
            node,
            "check",
            path,
            format!("Septet has no check {}", quote(check)),
            choose(check, &names),
        );
        return None;
    };
    unknown_keys(reader, node, takes, path);
    let against = if takes.against { Some(baseline(reader, node, path)) } else { None };
    let condition = if takes.operator { Some(condition(reader, node, path)) } else { None };
    let property = match takes.property {
        Some(types) => Some(property(reader, node, types, path, place)),
        None => {
            if let Some(place) = place {
                let message = format!("{check} is about the table, not about {}", quote(place));
                let hint = "move the rule to the quality of the schema object";
                reader.error(node, "check", path, message, hint);
            }
            None
        }
    };
    let unit = unit(reader, node, outer_unit, takes, path);
    let check = further(reader, node, takes, path)?;
    Some(SeptetRule {
        check,
        against: flatten(against)?,
        condition: flatten(condition)?,
        unit: unit?,
        property: flatten(property)?,
    })
}

/// Not asked for is nothing; asked for and malformed makes the rule unreadable.
fn flatten<T>(asked: Option<Option<T>>) -> Option<Option<T>> {
    match asked {
        None => Some(None),
        Some(None) => None,
        Some(found) => Some(found),
    }
}

fn unknown_keys(reader: &mut Reader<'_>, node: &Node, takes: &Takes, path: &str) {
    let mut known = vec!["check"];
    known.extend(takes.against.then_some("against"));
    known.extend(takes.property.map(|_| "property"));
    known.extend((!takes.units.is_empty()).then_some("unit"));
    known.extend(takes.further);
    if takes.operator {
        known.extend(OPERATORS);
    }
    for entry in node.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        let message = format!("{} takes no {}", takes.check, quote(&entry.key));
        reader.findings.error(entry.at, &join(path, &entry.key), message, choose(&entry.key, &known));
    }
}

fn baseline(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<Baseline> {
    const HINT: &str = "use live, previous, median:N with 2 to 100 versions, or sameWeekday";
    let written = node.get("against");
    let found = match written.and_then(Node::text) {
        Some("live" | "current") => Some(Baseline::Live),
        Some("previous") => Some(Baseline::Previous),
        Some("sameWeekday") => Some(Baseline::SameWeekday),
        Some(text) => {
            let versions = text.strip_prefix("median:").filter(|digits| !digits.starts_with('+'));
            let versions = versions.and_then(|digits| digits.parse().ok()).filter(|n| (2..=100).contains(n));
            versions.map(Baseline::Median)
        }
        None => None,
    };
    if found.is_none() {
        let message = match written {
            Some(written) => format!("a version cannot be compared with {}", written.describe()),
            None => "the check does not say what to compare with".to_owned(),
        };
        reader.error(node, "against", path, message, HINT);
    }
    found
}

/// A condition on something that is never negative, as changes are taken without their sign.
fn condition(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<Condition> {
    let condition = reader.condition(node, path)?;
    let negative = condition.operands().any(|operand| operand.is_negative());
    let never = condition == Condition::LessThan(Number::ZERO);
    if negative || never {
        reader.error(
            node,
            condition.key(),
            path,
            format!("nothing measured here is below zero, and it {condition}"),
            "write a size without sign: changes up and down count alike",
        );
        return None;
    }
    Some(condition)
}

fn property(
    reader: &mut Reader<'_>,
    node: &Node,
    types: &[LogicalType],
    path: &str,
    place: Option<&str>,
) -> Option<String> {
    let (name, at) = match node.get("property") {
        Some(written) => (written.text().unwrap_or_default(), written.at),
        None => match place {
            Some(place) => (place, node.at),
            None => {
                let hint = "add property, or move the rule to the quality of the property";
                reader.error(node, "property", path, "the check does not say of which property", hint);
                return None;
            }
        },
    };
    let path = join(path, "property");
    let Some(property) = reader.known.get(name) else {
        reader.unknown_property(name, at, &path);
        return None;
    };
    match property.logical {
        Some(logical) if !types.contains(&logical) => {
            let names: Vec<_> = types.iter().map(|logical| logical.as_str()).collect();
            let message = format!("{} is of type {logical}", quote(name));
            let hint = format!("name a property of logicalType {}", names.join(" or "));
            reader.findings.error(at, &path, message, hint);
            None
        }
        _ => Some(name.to_owned()),
    }
}

fn unit(
    reader: &mut Reader<'_>,
    node: &Node,
    outer: Option<&Node>,
    takes: &Takes,
    path: &str,
) -> Option<Option<String>> {
    let Some(written) = node.get("unit").or(outer) else {
        return Some(takes.units.first().map(|unit| (*unit).to_owned()));
    };
    match written.text()? {
        text if takes.units.contains(&text) => Some(Some(text.to_owned())),
        text => {
            let (message, hint) = if takes.units.is_empty() {
                (format!("{} has no unit", takes.check), "remove unit".to_owned())
            } else {
                (format!("{} has no unit {}", takes.check, quote(text)), choose(text, takes.units))
            };
            reader.findings.error(written.at, &join(path, "unit"), message, hint);
            None
        }
    }
}

/// Reads the further key of a check, if it has one.
fn further(reader: &mut Reader<'_>, node: &Node, takes: &Takes, path: &str) -> Option<SeptetCheck> {
    let written = takes.further.and_then(|key| node.get(key));
    let text = written.and_then(Node::text);
    let (found, hint) = match takes.check {
        "rowCountChange" => return Some(SeptetCheck::RowCountChange),
        "meanChange" => return Some(SeptetCheck::MeanChange),
        "nullRateChange" => return Some(SeptetCheck::NullRateChange),
        "listLengthChange" => return Some(SeptetCheck::ListLengthChange),
        "freshness" => return Some(SeptetCheck::Freshness),
        "itemSize" => return Some(SeptetCheck::ItemSize),
        "identicalToPrevious" => return Some(SeptetCheck::IdenticalToPrevious),
        "keyChurn" => {
            let churn = match text {
                Some("added") => Some(SeptetCheck::KeyChurn(Churn::Added)),
                Some("removed") => Some(SeptetCheck::KeyChurn(Churn::Removed)),
                _ => None,
            };
            (churn, "write change: added or change: removed")
        }
        "quantileChange" => {
            let quantile = written.and_then(Node::number);
            let quantile = quantile.filter(|q| !q.is_negative() && *q <= Number::from(1));
            (
                quantile.map(|quantile| SeptetCheck::QuantileChange { quantile }),
                "write a quantile from 0 to 1",
            )
        }
        "distributionChange" => {
            let distance = match text {
                Some("psi") => Some(SeptetCheck::DistributionChange(Distance::Psi)),
                Some("ks") => Some(SeptetCheck::DistributionChange(Distance::Ks)),
                _ => None,
            };
            (distance, "write measure: psi or measure: ks")
        }
        _ => return golden_keys(reader, node, path),
    };
    if found.is_none() {
        let key = takes.further.unwrap_or_default();
        let message = match written {
            Some(written) => format!("{key} cannot be {}", written.describe()),
            None => format!("{} needs {key}", takes.check),
        };
        reader.error(node, key, path, message, hint);
    }
    found
}

fn golden_keys(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<SeptetCheck> {
    const HINT: &str = "write a list of objects, each with the key attributes and what they must come with";
    let list = node.get("keys").map(Node::list).unwrap_or_default();
    if list.is_empty() {
        reader.error(node, "keys", path, "goldenKeys does not say which keys", HINT);
        return None;
    }
    let mut keys = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let path = format!("{path}.keys[{index}]");
        if item.entries().is_empty() {
            let message = format!("an item must be an object, not {}", item.describe());
            reader.findings.error(item.at, &path, message, HINT);
            continue;
        }
        let mut attributes = Vec::new();
        for entry in item.entries() {
            if !reader.known.contains_key(&entry.key) {
                reader.unknown_property(&entry.key, entry.at, &join(&path, &entry.key));
            } else if let Some(value) = literal(&entry.value) {
                attributes.push((entry.key.clone(), value));
            } else {
                let message = format!("{} cannot be compared", entry.value.describe());
                let hint = "compare with text, a number, true, false or null";
                reader.findings.error(entry.value.at, &join(&path, &entry.key), message, hint);
            }
        }
        keys.push(attributes);
    }
    Some(SeptetCheck::GoldenKeys { keys })
}

/// Warns of each relative rule that has no absolute one beside it: small losses night after night pass it.
pub(super) fn ask_for_floors(object: &Object, at: &HashMap<String, Position>, findings: &mut Findings) {
    for (_, rule) in object.rules() {
        let RuleKind::Septet(septet) = &rule.kind else { continue };
        let Some(against) = septet.against else { continue };
        let Some((floor, hint)) = floor(object, septet) else { continue };
        if !floor {
            let at = at.get(&rule.path).copied().unwrap_or(Position::START);
            let check = septet.check.as_str();
            findings.warning(
                at,
                &rule.path,
                format!("{check} against {against} stands alone: small steps every night pass it forever"),
                hint,
            );
        }
    }
}

/// Whether there is an absolute rule of severity error beside this one, and what to add if not.
fn floor(object: &Object, rule: &SeptetRule) -> Option<(bool, String)> {
    let places = object.all_properties();
    let of_place = |name: &str| places.iter().find(|(place, _)| place.to_string() == name).map(|(_, p)| *p);
    let property = rule.property.as_deref().and_then(of_place);
    let name = rule.property.as_deref().unwrap_or_default();
    let options = property.map(|property| &property.options);
    Some(match &rule.check {
        SeptetCheck::RowCountChange | SeptetCheck::KeyChurn(_) => {
            let floor = object.quality.iter().any(bounds_below);
            (floor, "add a rowCount rule with mustBeGreaterThan or mustBeBetween beside it".to_owned())
        }
        SeptetCheck::NullRateChange => {
            let floor = property.is_some_and(|p| p.required || p.quality.iter().any(limits_nulls));
            (floor, format!("add required: true or a nullValues rule to {name}"))
        }
        SeptetCheck::ListLengthChange => (
            options.is_some_and(|o| o.min_items.is_some()),
            format!("add logicalTypeOptions.minItems to {name}"),
        ),
        SeptetCheck::MeanChange | SeptetCheck::QuantileChange { .. } | SeptetCheck::DistributionChange(_) => {
            let bounded = options.is_some_and(|o| {
                o.minimum.is_some()
                    || o.maximum.is_some()
                    || o.exclusive_minimum.is_some()
                    || o.exclusive_maximum.is_some()
            });
            let listed = property.is_some_and(|p: &Property| !p.allowed.is_empty());
            (bounded || listed, format!("add minimum, maximum or enum to {name}"))
        }
        _ => return None,
    })
}

fn metric(rule: &Rule) -> Option<&MetricRule> {
    match &rule.kind {
        RuleKind::Metric(metric) if rule.severity == Severity::Error => Some(metric),
        _ => None,
    }
}

fn bounds_below(rule: &Rule) -> bool {
    metric(rule).is_some_and(|rule| {
        let low = match rule.condition {
            Condition::Is(n) | Condition::Between(n, _) | Condition::GreaterOrEqual(n) => n > Number::ZERO,
            Condition::GreaterThan(_) => true,
            _ => false,
        };
        rule.metric == Metric::RowCount && low
    })
}

fn limits_nulls(rule: &Rule) -> bool {
    metric(rule).is_some_and(|rule| {
        let limits = matches!(
            rule.condition,
            Condition::Is(_) | Condition::LessThan(_) | Condition::LessOrEqual(_) | Condition::Between(..)
        );
        rule.metric == Metric::NullValues && limits
    })
}
