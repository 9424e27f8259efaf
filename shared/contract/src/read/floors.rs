//! Absolute rules beside relative ones.

use std::collections::HashMap;

use crate::diagnostic::Severity;
use crate::document::Position;
use crate::findings::Findings;
use crate::model::{Object, Property};
use crate::number::Number;
use crate::rule::{Condition, Metric, MetricRule, Rule, RuleKind, SeptetCheck};

/// Warns of each relative rule that has no absolute one beside it: small losses night after night pass it.
pub(super) fn ask_for(object: &Object, at: &HashMap<String, Position>, findings: &mut Findings) {
    let places = object.all_properties();
    for (_, rule) in object.rules() {
        let RuleKind::Septet(check) = &rule.kind else { continue };
        let Some(against) = check.against() else { continue };
        let of = check.of().and_then(|of| places.iter().find(|(place, _)| place == of));
        let of = of.map(|(place, property)| (place.to_string(), *property));
        let Some((floor, hint)) = floor(object, check, of) else { continue };
        if !floor {
            let at = at.get(&rule.path).copied().unwrap_or(Position::START);
            let check = check.as_str();
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
fn floor(object: &Object, check: &SeptetCheck, of: Option<(String, &Property)>) -> Option<(bool, String)> {
    if matches!(check, SeptetCheck::RowCountChange(_) | SeptetCheck::KeyChurn { .. }) {
        let floor = object.quality.iter().any(bounds_below);
        return Some((
            floor,
            "add a rowCount rule with mustBeGreaterThan or mustBeBetween beside it".to_owned(),
        ));
    }
    let (name, property) = of?;
    let options = &property.options;
    Some(match check {
        SeptetCheck::NullRateChange { .. } => {
            let floor = property.required || property.quality.iter().any(limits_nulls);
            (floor, format!("add required: true or a nullValues rule to {name}"))
        }
        SeptetCheck::ListLengthChange { .. } => {
            (options.min_items.is_some(), format!("add logicalTypeOptions.minItems to {name}"))
        }
        SeptetCheck::MeanChange { .. }
        | SeptetCheck::QuantileChange { .. }
        | SeptetCheck::DistributionChange { .. } => {
            let bounds =
                [options.minimum, options.maximum, options.exclusive_minimum, options.exclusive_maximum];
            let floor = bounds.iter().any(Option::is_some) || !property.allowed.is_empty();
            (floor, format!("add minimum, maximum or enum to {name}"))
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
