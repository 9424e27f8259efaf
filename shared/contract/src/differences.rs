//! What changed from one contract to another.

use std::fmt;

use serde::Serialize;

use crate::Contract;
use crate::facts::facts;
use crate::model::{Object, Property, PropertyPath};
use crate::rule::Rule;
use crate::settings::Settings;

/// One thing that two contracts say differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is about: an attribute as `recs[].score`, `the table` or `settings`.
    pub about: String,
    /// What was said of it: a key of the document, or a rule's label.
    pub what: String,
    /// What the first contract says; none if it says nothing.
    pub before: Option<String>,
    /// What the second contract says; none if it says nothing.
    pub after: Option<String>,
}

/// Prints as `recs[].score: maximum: 1 -> 2`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { about, what, before, after } = self;
        write!(f, "{about}: {what}: ")?;
        match (before, after) {
            (Some(before), Some(after)) => write!(f, "{before} -> {after}"),
            (None, Some(after)) => write!(f, "added: {after}"),
            (Some(before), None) => write!(f, "removed: {before}"),
            (None, None) => Ok(()),
        }
    }
}

/// What two contracts say differently of settings, key, attributes and rules, in the order of the second.
///
/// An attribute that only one of them names is one difference, whatever is said of it.
pub fn differences(before: &Contract, after: &Contract) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("settings", settings(before.settings()), settings(after.settings()), &mut found);
    compare("the table", table(before.object()), table(after.object()), &mut found);
    let (old, new) = (before.object().all_properties(), after.object().all_properties());
    // Members of what came or went are not listed.
    let mut gone: Vec<PropertyPath> = Vec::new();
    let inside =
        |gone: &[PropertyPath], place: &PropertyPath| gone.iter().any(|outer| place.0.starts_with(&outer.0));
    for (place, property) in &new {
        let known = old.iter().find(|(other, _)| other == place).map(|(_, property)| *property);
        match known {
            Some(known) => compare(&place.to_string(), said(known), said(property), &mut found),
            None if inside(&gone, place) => {}
            None => {
                gone.push(place.clone());
                found.push(attribute(place, None, Some(property)));
            }
        }
    }
    gone.clear();
    for (place, property) in &old {
        if !new.iter().any(|(other, _)| other == place) && !inside(&gone, place) {
            gone.push(place.clone());
            found.push(attribute(place, Some(property), None));
        }
    }
    found
}

fn attribute(place: &PropertyPath, before: Option<&Property>, after: Option<&Property>) -> Difference {
    let words = |property: &Property| {
        let words: Vec<_> = facts(property).into_iter().map(|fact| fact.words).collect();
        words.join(", ")
    };
    let (before, after) = (before.map(words), after.map(words));
    Difference { about: place.to_string(), what: "attribute".to_owned(), before, after }
}

/// What is said, by the key that says it.
type Said = Vec<(String, String)>;

fn compare(about: &str, before: Said, after: Said, found: &mut Vec<Difference>) {
    let of =
        |said: &Said, key: &str| said.iter().find(|(other, _)| other == key).map(|(_, value)| value.clone());
    let gone = before.iter().filter(|(key, _)| of(&after, key).is_none());
    for (what, _) in after.iter().chain(gone) {
        let (before, after) = (of(&before, what), of(&after, what));
        if before != after {
            found.push(Difference { about: about.to_owned(), what: what.clone(), before, after });
        }
    }
}

fn settings(settings: &Settings) -> Said {
    let readiness: Vec<_> = settings.readiness.iter().map(ToString::to_string).collect();
    let units = settings.max_scan_units.map_or_else(|| "none".to_owned(), |units| units.to_string());
    let said = [
        ("septet.tablePattern", settings.table_pattern.to_string()),
        ("septet.promotion", settings.promotion.to_string()),
        ("septet.keepNewest", settings.keep_newest.to_string()),
        ("septet.compatibility", settings.compatibility.to_string()),
        ("septet.readiness", readiness.join(", ")),
        ("septet.graceMinutes", settings.grace_minutes.to_string()),
        ("septet.pollSeconds", settings.poll_seconds.to_string()),
        ("septet.maxScanUnits", units),
    ];
    // Settings that few contracts have are said only where they are set.
    let order = (!settings.order.is_default()).then(|| ("septet.order", settings.order.to_string()));
    let indexes = (!settings.indexes.is_empty()).then(|| ("septet.indexes", settings.indexes.join(", ")));
    let prewarm = settings.prewarm.map(|units| ("septet.prewarm", units.to_string()));
    said.into_iter()
        .chain(order)
        .chain(indexes)
        .chain(prewarm)
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn table(object: &Object) -> Said {
    let mut said = vec![("septet.closed".to_owned(), object.closed.to_string())];
    rules(&object.quality, &mut said);
    said
}

fn said(property: &Property) -> Said {
    let mut said: Said = facts(property).into_iter().map(|fact| (fact.key.to_owned(), fact.value)).collect();
    if property.attribute != property.name {
        said.push(("physicalName".to_owned(), property.attribute.clone()));
    }
    rules(&property.quality, &mut said);
    said
}

/// Rules by id or name; one without either is known by what it says.
fn rules(rules: &[Rule], said: &mut Said) {
    for rule in rules {
        let says = format!("{rule} ({})", rule.severity);
        let label = rule.id.as_ref().or(rule.name.as_ref());
        said.push((label.map_or_else(|| format!("rule {says}"), |label| format!("rule {label}")), says));
    }
}
