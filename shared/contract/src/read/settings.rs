//! The `septet.*` custom properties.

use super::{Custom, septet_properties};
use crate::document::{Node, Position, Value, quote};
use crate::findings::{Findings, choose};
use crate::glob::{Pattern, PatternError};
use crate::settings::{Compatibility, Promotion, Rung, Settings};

const PATTERN: &str = "septet.tablePattern";
/// Settings of the contract as a whole.
const ROOT: [&str; 8] = [
    PATTERN,
    "septet.promotion",
    "septet.keepNewest",
    "septet.compatibility",
    "septet.readiness",
    "septet.graceMinutes",
    "septet.pollSeconds",
    "septet.maxScanUnits",
];
const KEEP_NEWEST: std::ops::RangeInclusive<u32> = 1..=100;

#[derive(Default)]
struct Read {
    table_pattern: Option<Pattern>,
    promotion: Option<Promotion>,
    keep_newest: Option<u32>,
    compatibility: Option<Compatibility>,
    readiness: Option<Vec<Rung>>,
    grace_minutes: Option<u32>,
    poll_seconds: Option<u32>,
    max_scan_units: Option<u32>,
}

pub(super) fn read(root: &Node, findings: &mut Findings) -> Option<Settings> {
    let mut read = Read::default();
    let mut named = Vec::new();
    for custom in septet_properties(root, "", findings) {
        named.push(custom.property);
        match custom.property {
            PATTERN => read_pattern(&custom, &mut read.table_pattern, findings),
            "septet.promotion" => read.promotion = promotion(&custom, findings),
            "septet.keepNewest" => read.keep_newest = count(&custom, KEEP_NEWEST, findings),
            "septet.compatibility" => read.compatibility = compatibility(&custom, findings),
            "septet.readiness" => read.readiness = readiness(&custom, findings),
            "septet.graceMinutes" => read.grace_minutes = count(&custom, 0..=10_080, findings),
            "septet.pollSeconds" => read.poll_seconds = count(&custom, 1..=86_400, findings),
            "septet.maxScanUnits" => read.max_scan_units = count(&custom, 1..=1_000_000_000, findings),
            other => misplaced(other, custom.at, &custom.path, findings),
        }
    }
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
        readiness: read.readiness.unwrap_or_else(|| Rung::DEFAULT.to_vec()),
        grace_minutes: read.grace_minutes.unwrap_or(15),
        poll_seconds: read.poll_seconds.unwrap_or(300),
        max_scan_units: read.max_scan_units,
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

fn wrong(custom: &Custom<'_>, wanted: &str, findings: &mut Findings) {
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

fn count(custom: &Custom<'_>, range: std::ops::RangeInclusive<u32>, findings: &mut Findings) -> Option<u32> {
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

fn readiness(custom: &Custom<'_>, findings: &mut Findings) -> Option<Vec<Rung>> {
    const HINT: &str = "use any of manifest, import, signal, tag and quiet:MINUTES with 1 to 1440 minutes";
    let Value::List(nodes) = &custom.value.value else {
        wrong(custom, "write a list, such as [manifest, signal]", findings);
        return None;
    };
    if nodes.is_empty() {
        findings.error(
            custom.value.at,
            &custom.path,
            "septet.readiness is empty, so that no table would ever be complete",
            HINT,
        );
        return None;
    }
    let mut rungs: Vec<Rung> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let path = format!("{}[{index}]", custom.path);
        match node.text().and_then(Rung::parse) {
            None => findings.error(
                node.at,
                &path,
                format!("{} is no sign of completeness", node.describe()),
                HINT,
            ),
            Some(rung)
                if rungs.iter().any(|r| std::mem::discriminant(r) == std::mem::discriminant(&rung)) =>
            {
                findings.error(
                    node.at,
                    &path,
                    format!("{rung} repeats a sign of completeness"),
                    "keep one of the two",
                );
            }
            Some(rung) => rungs.push(rung),
        }
    }
    (rungs.len() == nodes.len()).then_some(rungs)
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
