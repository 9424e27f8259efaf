//! The `septet.*` custom properties.

use super::{Custom, readiness, septet_properties};
use crate::document::{Node, Position, Value, quote};
use crate::findings::{Findings, choose};
use crate::glob::{Pattern, PatternError};
use crate::settings::{Compatibility, Order, Promotion, Rung, Settings};

const PATTERN: &str = "septet.tablePattern";
/// Settings of the contract as a whole.
const ROOT: [&str; 12] = [
    PATTERN,
    "septet.promotion",
    "septet.keepNewest",
    "septet.compatibility",
    "septet.readiness",
    "septet.quietMinutes",
    "septet.graceMinutes",
    "septet.pollSeconds",
    "septet.maxScanUnits",
    "septet.order",
    "septet.indexes",
    "septet.prewarm",
];
const KEEP_NEWEST: std::ops::RangeInclusive<u32> = 1..=100;
const PREWARM: std::ops::RangeInclusive<u32> = 1..=40_000_000;

#[derive(Default)]
struct Read {
    table_pattern: Option<Pattern>,
    promotion: Option<Promotion>,
    keep_newest: Option<u32>,
    compatibility: Option<Compatibility>,
    grace_minutes: Option<u32>,
    poll_seconds: Option<u32>,
    max_scan_units: Option<u32>,
    order: Option<Order>,
    indexes: Option<Vec<String>>,
    prewarm: Option<u32>,
}

pub(super) fn read(root: &Node, findings: &mut Findings) -> Option<Settings> {
    let mut read = Read::default();
    let mut named = Vec::new();
    let (mut rungs, mut quiet_minutes) = (None, None);
    for custom in septet_properties(root, "", findings) {
        named.push(custom.property);
        match custom.property {
            PATTERN => read_pattern(&custom, &mut read.table_pattern, findings),
            "septet.promotion" => read.promotion = promotion(&custom, findings),
            "septet.keepNewest" => read.keep_newest = count(&custom, KEEP_NEWEST, findings),
            "septet.compatibility" => read.compatibility = compatibility(&custom, findings),
            // Read together below: either may stand first.
            "septet.readiness" => rungs = Some(custom),
            "septet.quietMinutes" => quiet_minutes = Some(custom),
            "septet.graceMinutes" => read.grace_minutes = count(&custom, 0..=10_080, findings),
            "septet.pollSeconds" => read.poll_seconds = count(&custom, 1..=86_400, findings),
            "septet.maxScanUnits" => read.max_scan_units = count(&custom, 1..=1_000_000_000, findings),
            "septet.order" => read.order = order(&custom, findings),
            "septet.indexes" => read.indexes = indexes(&custom, findings),
            "septet.prewarm" => read.prewarm = count(&custom, PREWARM, findings),
            other => misplaced(other, custom.at, &custom.path, findings),
        }
    }
    let readiness = readiness::read(rungs.as_ref(), quiet_minutes.as_ref(), findings);
    let servers = root.get("servers").map(Node::list).unwrap_or_default();
    for (index, server) in servers.iter().enumerate() {
        for custom in septet_properties(server, &format!("servers[{index}]"), findings) {
            named.push(custom.property);
            match custom.property {
                PATTERN => read_pattern(&custom, &mut read.table_pattern, findings),
                "septet.engine" if custom.value.text() == Some("dynamodb") => {}
                "septet.engine" => findings.error(
                    custom.value.at,
                    &custom.path,
                    format!("septet.engine cannot be {}", custom.value.describe()),
                    "write dynamodb",
                ),
                other => misplaced(other, custom.at, &custom.path, findings),
            }
        }
    }
    if !named.contains(&PATTERN) {
        findings.error(
            root.at,
            "customProperties",
            "nothing says which tables are versions of the dataset",
            "add the custom property septet.tablePattern, such as recs-*",
        );
    }
    if !named.contains(&"septet.keepNewest") {
        read.keep_newest = retention(root, findings);
    }
    Some(Settings {
        table_pattern: read.table_pattern?,
        promotion: read.promotion.unwrap_or(Promotion::Auto),
        keep_newest: read.keep_newest.unwrap_or(7),
        compatibility: read.compatibility.unwrap_or(Compatibility::FullTransitive),
        readiness: readiness.unwrap_or_else(|| Rung::DEFAULT.to_vec()),
        grace_minutes: read.grace_minutes.unwrap_or(15),
        poll_seconds: read.poll_seconds.unwrap_or(300),
        max_scan_units: read.max_scan_units,
        order: read.order.unwrap_or_default(),
        indexes: read.indexes.unwrap_or_default(),
        prewarm: read.prewarm,
    })
}

/// Says of a setting that is unknown, or known elsewhere, where it belongs.
pub(super) fn misplaced(property: &str, at: Position, path: &str, findings: &mut Findings) {
    let path = path.trim_end_matches(".value");
    let belongs = match property {
        "septet.closed" => "to a schema object or a property",
        "septet.engine" => "to a server",
        known if ROOT.contains(&known) => "to the customProperties of the contract itself",
        _ => {
            let mut known = ROOT.to_vec();
            known.extend(["septet.closed", "septet.engine"]);
            let message = format!("Septet has no setting {}", quote(property));
            return findings.error(at, path, message, choose(property, &known));
        }
    };
    findings.error(at, path, format!("{property} does not belong here"), format!("move it {belongs}"));
}

pub(super) fn wrong(custom: &Custom<'_>, wanted: &str, findings: &mut Findings) {
    findings.error(
        custom.value.at,
        &custom.path,
        format!("{} cannot be {}", custom.property, custom.value.describe()),
        wanted,
    );
}

fn read_pattern(custom: &Custom<'_>, former: &mut Option<Pattern>, findings: &mut Findings) {
    let Some(text) = custom.value.text() else {
        return wrong(custom, "write a glob in quotes, such as \"recs-*\"", findings);
    };
    match Pattern::parse(text) {
        Ok(pattern) if former.as_ref().is_some_and(|former| *former != pattern) => findings.error(
            custom.value.at,
            &custom.path,
            format!("a second septet.tablePattern {}, which differs from the first", quote(text)),
            "keep one: a dataset has one pattern for all servers",
        ),
        Ok(pattern) => *former = Some(pattern),
        Err(error) => {
            let hint = match error {
                PatternError::TooWide => {
                    "begin with at least two characters of the tables' own names, such as recs-*"
                }
                PatternError::Length => "write a glob such as recs-*",
                PatternError::Character(_) => {
                    "use a-z, A-Z, 0-9, '_', '-' and '.', with '*' for any run and '?' for one character"
                }
            };
            findings.error(
                custom.value.at,
                &custom.path,
                format!("the pattern {}: {error}", quote(text)),
                hint,
            );
        }
    }
}

pub(super) fn count(
    custom: &Custom<'_>,
    range: std::ops::RangeInclusive<u32>,
    findings: &mut Findings,
) -> Option<u32> {
    let value = custom.value.number().and_then(|number| number.to_u64());
    let value = value.and_then(|value| u32::try_from(value).ok()).filter(|value| range.contains(value));
    if value.is_none() {
        let hint = format!("write a whole number from {} to {}, without quotes", range.start(), range.end());
        wrong(custom, &hint, findings);
    }
    value
}

fn promotion(custom: &Custom<'_>, findings: &mut Findings) -> Option<Promotion> {
    match custom.value.text() {
        Some("auto") => Some(Promotion::Auto),
        Some("manual") => Some(Promotion::Manual),
        text => {
            wrong(custom, &choose(text.unwrap_or_default(), &["auto", "manual"]), findings);
            None
        }
    }
}

fn compatibility(custom: &Custom<'_>, findings: &mut Findings) -> Option<Compatibility> {
    let text = custom.value.text().unwrap_or_default();
    let mode = Compatibility::parse(text);
    if mode.is_none() {
        let modes: Vec<_> = Compatibility::ALL.iter().map(|mode| mode.as_str()).collect();
        wrong(custom, &choose(text, &modes), findings);
    }
    mode
}

fn order(custom: &Custom<'_>, findings: &mut Findings) -> Option<Order> {
    let text = custom.value.text().unwrap_or_default();
    let orders = [Order::Created, Order::AsOf];
    let order = orders.into_iter().find(|order| order.as_str() == text);
    if order.is_none() {
        wrong(custom, &choose(text, &orders.map(Order::as_str)), findings);
    }
    order
}

fn indexes(custom: &Custom<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    let Value::List(nodes) = &custom.value.value else {
        wrong(custom, "write a list, such as [by-artist]", findings);
        return None;
    };
    if nodes.is_empty() {
        let message = "septet.indexes is empty, so that it asks for no index";
        let hint = "name the indexes that a version must have, or remove septet.indexes";
        findings.error(custom.value.at, &custom.path, message, hint);
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let path = format!("{}[{index}]", custom.path);
        match node.text().filter(|name| is_index_name(name)) {
            None => findings.error(
                node.at,
                &path,
                format!("{} cannot be the name of an index", node.describe()),
                "use 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'",
            ),
            Some(name) if names.iter().any(|other| other == name) => {
                let message = format!("the index {} stands twice", quote(name));
                findings.error(node.at, &path, message, "keep one of the two");
            }
            Some(name) => names.push(name.to_owned()),
        }
    }
    (names.len() == nodes.len()).then_some(names)
}

/// Applies DynamoDB's rule for names of indexes, the same as for tables.
fn is_index_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    (3..=255).contains(&name.len()) && name.bytes().all(allowed)
}

/// How many nightly versions the promised retention makes, if it is written in days.
fn retention(root: &Node, findings: &mut Findings) -> Option<u32> {
    const HINT: &str = "set the custom property septet.keepNewest, from 1 to 100";
    let levels = root.get("slaProperties").map(Node::list).unwrap_or_default();
    let is_retention =
        |(_, level): &(usize, &Node)| level.get("property").and_then(Node::text) == Some("retention");
    let (index, level) = levels.iter().enumerate().find(is_retention)?;
    let value = level.get("value")?;
    let path = format!("slaProperties[{index}].value");
    match level.get("unit").and_then(Node::text) {
        Some("d" | "day" | "days") => {}
        unit => {
            let unit = unit.map_or_else(|| "no unit".to_owned(), |unit| format!("the unit {}", quote(unit)));
            findings.warning(
                value.at,
                &path,
                format!("a retention with {unit} does not say how many versions to keep; seven are kept"),
                HINT,
            );
            return None;
        }
    }
    let days = value.number().and_then(|number| number.to_u64()).and_then(|days| u32::try_from(days).ok());
    let days = days.filter(|days| KEEP_NEWEST.contains(days));
    if days.is_none() {
        let message = "this retention in days is not from 1 to 100, the numbers of versions that can be kept";
        findings.error(value.at, &path, message, HINT);
    }
    days
}

#[cfg(test)]
mod tests {
    use super::is_index_name;

    #[test]
    fn a_name_of_an_index_has_3_to_255_of_the_characters_of_table_names() {
        for (name, expected) in [("aB.", true), ("1_-", true), ("ab", false), ("a/b", false), ("abé", false)]
        {
            assert_eq!(is_index_name(name), expected, "{name}");
        }
        assert!(is_index_name(&"x".repeat(255)) && !is_index_name(&"x".repeat(256)));
    }
}
