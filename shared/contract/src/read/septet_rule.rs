//! Rules of `engine: septet`.

use super::golden;
use super::quality::Reader;
use crate::document::{Node, Value, quote};
use crate::findings::choose;
use crate::model::{LogicalType, PhysicalType, Property, PropertyPath};
use crate::number::Number;
use crate::rule::{Baseline, Change, ChangeUnit, Churn, Condition, Distance, SeptetCheck, TimeUnit};
use crate::standard::{OPERATORS, join};

/// Largest item of DynamoDB in bytes.
const MAX_ITEM: u64 = 400 * 1024;

/// What a check takes.
struct Takes {
    check: &'static str,
    against: bool,
    operator: bool,
    /// What the property must be that it is about; none for the table as a whole.
    of: Option<Of>,
    /// The first is the one meant without a `unit`; none if the check has no unit.
    units: &'static [&'static str],
    /// The one further key it needs.
    further: Option<&'static str>,
}

/// Values that a check can measure.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Any,
    Numbers,
    Texts,
    Scalars,
    Lists,
    Moments,
}

impl Of {
    pub(super) fn fits(self, property: &Property) -> bool {
        use {LogicalType as L, PhysicalType as P};
        if let Some(logical) = property.logical {
            return match self {
                Self::Any => true,
                Self::Numbers => matches!(logical, L::Integer | L::Number),
                Self::Texts => logical == L::String,
                Self::Scalars => matches!(logical, L::Integer | L::Number | L::String | L::Boolean),
                Self::Lists => matches!(logical, L::Array | L::Vector),
                Self::Moments => matches!(logical, L::Timestamp | L::Date),
            };
        }
        matches!(
            (self, property.physical),
            (Self::Any, _)
                | (Self::Numbers, Some(P::N))
                | (Self::Texts, Some(P::S))
                | (Self::Scalars, Some(P::N | P::S | P::Bool))
                | (Self::Lists, Some(P::L | P::StringSet | P::NumberSet | P::BinarySet))
        )
    }

    fn named(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Numbers => "integer or number",
            Self::Texts => "string",
            Self::Scalars => "integer, number, string or boolean",
            Self::Lists => "array",
            Self::Moments => "timestamp or date",
        }
    }
}

const fn takes(check: &'static str) -> Takes {
    Takes { check, against: true, operator: true, of: None, units: &[], further: None }
}

static CHECKS: [Takes; 11] = [
    Takes { units: &["percent", "rows"], ..takes("rowCountChange") },
    Takes { units: &["percent", "rows"], further: Some("change"), ..takes("keyChurn") },
    Takes { units: &["percent", "value"], of: Some(Of::Numbers), ..takes("meanChange") },
    Takes {
        units: &["percent", "value"],
        of: Some(Of::Numbers),
        further: Some("quantile"),
        ..takes("quantileChange")
    },
    Takes { units: &["percent"], of: Some(Of::Any), ..takes("nullRateChange") },
    Takes { of: Some(Of::Scalars), further: Some("measure"), ..takes("distributionChange") },
    Takes { units: &["percent", "items"], of: Some(Of::Lists), ..takes("listLengthChange") },
    Takes { against: false, units: &["h", "m", "d"], of: Some(Of::Moments), ..takes("freshness") },
    Takes { against: false, operator: false, further: Some("keys"), ..takes("goldenKeys") },
    Takes { against: false, units: &["bytes"], ..takes("itemSize") },
    Takes { against: false, operator: false, ..takes("identicalToPrevious") },
];

/// The parts of an implementation, each read if the check takes it, and none if it is malformed.
struct Parts {
    against: Option<Baseline>,
    condition: Option<Condition>,
    of: Option<PropertyPath>,
    unit: Option<&'static str>,
}

impl Parts {
    fn change(&self) -> Option<Change> {
        let unit = if self.unit? == "percent" { ChangeUnit::Percent } else { ChangeUnit::Absolute };
        Some(Change { against: self.against?, condition: self.condition?, unit })
    }
}

/// Reads an implementation; `outer_unit` is the unit of the rule itself, `place` the property it stands at.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    outer_unit: Option<&Node>,
    path: &str,
    place: Option<&str>,
) -> Option<SeptetCheck> {
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
        let message = format!("Septet has no check {}", quote(check));
        reader.error(node, "check", path, message, choose(check, &names));
        return None;
    };
    unknown_keys(reader, node, takes, path);
    let parts = Parts {
        against: takes.against.then(|| baseline(reader, node, path)).flatten(),
        condition: takes.operator.then(|| condition(reader, node, path)).flatten(),
        of: match takes.of {
            Some(of) => property(reader, node, of, path, place),
            None => {
                if let Some(place) = place {
                    let message = format!("{check} is about the table, not about {}", quote(place));
                    let hint = "move the rule to the quality of the schema object";
                    reader.error(node, "check", path, message, hint);
                }
                None
            }
        },
        unit: unit(reader, node, outer_unit, takes, path),
    };
    let check = assemble(reader, node, takes, parts, path)?;
    if let Some(condition) = read_condition(&check) {
        reader.possible(node, path, &condition, most(&check), "");
    }
    Some(check)
}

fn assemble(
    reader: &mut Reader<'_>,
    node: &Node,
    takes: &Takes,
    parts: Parts,
    path: &str,
) -> Option<SeptetCheck> {
    let change = parts.change();
    match takes.check {
        "rowCountChange" => Some(SeptetCheck::RowCountChange(change?)),
        "meanChange" => Some(SeptetCheck::MeanChange { of: parts.of?, change: change? }),
        "nullRateChange" => Some(SeptetCheck::NullRateChange { of: parts.of?, change: change? }),
        "listLengthChange" => Some(SeptetCheck::ListLengthChange { of: parts.of?, change: change? }),
        "itemSize" => parts.unit.and(parts.condition).map(SeptetCheck::ItemSize),
        "identicalToPrevious" => Some(SeptetCheck::IdenticalToPrevious),
        "goldenKeys" => golden::read(reader, node, path).map(SeptetCheck::GoldenKeys),
        "freshness" => {
            let unit = match parts.unit? {
                "m" => TimeUnit::Minutes,
                "h" => TimeUnit::Hours,
                _ => TimeUnit::Days,
            };
            Some(SeptetCheck::Freshness { of: parts.of?, unit, condition: parts.condition? })
        }
        "keyChurn" => {
            let keys = match further(node, takes).and_then(Node::text) {
                Some("added") => Some(Churn::Added),
                Some("removed") => Some(Churn::Removed),
                _ => None,
            };
            let keys = needed(keys, reader, node, takes, path, "write change: added or change: removed");
            Some(SeptetCheck::KeyChurn { keys: keys?, change: change? })
        }
        "quantileChange" => {
            let quantile = further(node, takes).and_then(Node::number);
            let quantile = quantile.filter(|q| !q.is_negative() && *q <= Number::from(1));
            let quantile = needed(quantile, reader, node, takes, path, "write a quantile from 0 to 1");
            Some(SeptetCheck::QuantileChange { of: parts.of?, quantile: quantile?, change: change? })
        }
        _ => {
            let distance = match further(node, takes).and_then(Node::text) {
                Some("psi") => Some(Distance::Psi),
                Some("ks") => Some(Distance::Ks),
                _ => None,
            };
            let hint = "write measure: psi or measure: ks";
            let distance = needed(distance, reader, node, takes, path, hint)?;
            let of = parts.of?;
            if distance == Distance::Ks
                && !reader.known.get(&of.to_string()).is_some_and(|(_, p)| Of::Numbers.fits(p))
            {
                let message = format!("{} has no order that ks could compare", quote(&of.to_string()));
                reader.error(node, "measure", path, message, "write measure: psi, or name a number");
                return None;
            }
            let (against, condition) = (parts.against?, parts.condition?);
            Some(SeptetCheck::DistributionChange { of, distance, against, condition })
        }
    }
}

fn read_condition(check: &SeptetCheck) -> Option<Condition> {
    match check {
        SeptetCheck::RowCountChange(change)
        | SeptetCheck::KeyChurn { change, .. }
        | SeptetCheck::MeanChange { change, .. }
        | SeptetCheck::QuantileChange { change, .. }
        | SeptetCheck::NullRateChange { change, .. }
        | SeptetCheck::ListLengthChange { change, .. } => Some(change.condition),
        SeptetCheck::DistributionChange { condition, .. }
        | SeptetCheck::Freshness { condition, .. }
        | SeptetCheck::ItemSize(condition) => Some(*condition),
        SeptetCheck::GoldenKeys(_) | SeptetCheck::IdenticalToPrevious => None,
    }
}

/// The largest number that a check can measure, where there is one.
fn most(check: &SeptetCheck) -> Option<Number> {
    match check {
        SeptetCheck::NullRateChange { .. } => Some(Number::from(100)),
        SeptetCheck::KeyChurn { keys: Churn::Removed, change } if change.unit == ChangeUnit::Percent => {
            Some(Number::from(100))
        }
        SeptetCheck::DistributionChange { distance: Distance::Ks, .. } => Some(Number::from(1)),
        SeptetCheck::ItemSize(_) => Some(Number::from(MAX_ITEM)),
        _ => None,
    }
}

fn further<'a>(node: &'a Node, takes: &Takes) -> Option<&'a Node> {
    node.get(takes.further?)
}

/// Says so if the further key of a check is missing or malformed.
fn needed<T>(
    found: Option<T>,
    reader: &mut Reader<'_>,
    node: &Node,
    takes: &Takes,
    path: &str,
    hint: &str,
) -> Option<T> {
    if found.is_none() {
        let key = takes.further.unwrap_or_default();
        let message = match further(node, takes) {
            Some(written) => format!("{key} cannot be {}", written.describe()),
            None => format!("{} needs {key}", takes.check),
        };
        reader.error(node, key, path, message, hint);
    }
    found
}

fn unknown_keys(reader: &mut Reader<'_>, node: &Node, takes: &Takes, path: &str) {
    let mut known = vec!["check"];
    known.extend(takes.against.then_some("against"));
    known.extend(takes.of.map(|_| "property"));
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
    if condition.operands().any(|operand| operand.is_negative()) {
        let message = format!("nothing measured here is below zero, and it {condition}");
        let hint = "write a size without sign: changes up and down count alike";
        reader.error(node, condition.key(), path, message, hint);
        return None;
    }
    Some(condition)
}

fn property(
    reader: &mut Reader<'_>,
    node: &Node,
    of: Of,
    path: &str,
    place: Option<&str>,
) -> Option<PropertyPath> {
    let (name, at) = match (node.get("property"), place) {
        (Some(written), _) => (written.text().unwrap_or_default(), written.at),
        (None, Some(place)) => (place, node.at),
        (None, None) => {
            let hint = "add property, or move the rule to the quality of the property";
            reader.error(node, "property", path, "the check does not say of which property", hint);
            return None;
        }
    };
    let path = join(path, "property");
    let Some((found, property)) = reader.known.get(name) else {
        reader.unknown_property(name, at, &path);
        return None;
    };
    if of.fits(property) {
        return Some(found.clone());
    }
    let message = match (property.logical, property.physical) {
        (Some(logical), _) => format!("{} is of type {logical}", quote(name)),
        (None, Some(physical)) => format!("{} is of type {physical}", quote(name)),
        (None, None) => format!("{} has no type", quote(name)),
    };
    let hint = format!("name a property of logicalType {}", of.named());
    reader.findings.error(at, &path, message, hint);
    None
}

/// The unit of a check that has one; none for others.
fn unit(
    reader: &mut Reader<'_>,
    node: &Node,
    outer: Option<&Node>,
    takes: &Takes,
    path: &str,
) -> Option<&'static str> {
    let Some(written) = node.get("unit").or(outer) else { return takes.units.first().copied() };
    let text = written.text()?;
    let known = takes.units.iter().copied().find(|unit| *unit == text);
    if known.is_none() {
        let (message, hint) = if takes.units.is_empty() {
            (format!("{} has no unit", takes.check), "remove unit".to_owned())
        } else {
            (format!("{} has no unit {}", takes.check, quote(text)), choose(text, takes.units))
        };
        reader.findings.error(written.at, &join(path, "unit"), message, hint);
    }
    known
}
