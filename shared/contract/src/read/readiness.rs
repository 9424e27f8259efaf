//! `septet.readiness` and `septet.quietMinutes`, which are read together.

use super::{Custom, settings};
use crate::document::{Node, Value};
use crate::findings::Findings;
use crate::settings::Rung;

const QUIET_MINUTES: std::ops::RangeInclusive<u32> = 1..=1440;

/// Reads the signs of completeness; none if the contract names none, or names some wrongly.
pub(super) fn read(
    readiness: Option<&Custom<'_>>,
    quiet_minutes: Option<&Custom<'_>>,
    findings: &mut Findings,
) -> Option<Vec<Rung>> {
    let minutes = match quiet_minutes {
        None => Minutes::Absent,
        Some(custom) => {
            settings::count(custom, QUIET_MINUTES, findings).map_or(Minutes::Wrong, Minutes::Given)
        }
    };
    let rungs = match readiness {
        Some(custom) => Some(rungs(custom, minutes, findings)?),
        None => None,
    };
    let is_quiet = rungs.iter().flatten().any(|rung| matches!(rung, Rung::Quiet { .. }));
    if let Some(custom) = quiet_minutes
        && !is_quiet
    {
        findings.error(
            custom.at,
            custom.path.trim_end_matches(".value"),
            "septet.quietMinutes stands without quiet in septet.readiness",
            "add quiet to the list septet.readiness, or remove septet.quietMinutes",
        );
    }
    rungs
}

/// Value of `septet.quietMinutes`.
#[derive(Clone, Copy)]
enum Minutes {
    Absent,
    /// Not a number from 1 to 1440, which is an error by itself.
    Wrong,
    Given(u32),
}

fn rungs(custom: &Custom<'_>, minutes: Minutes, findings: &mut Findings) -> Option<Vec<Rung>> {
    const HINT: &str =
        "use any of manifest, import, signal, tag and quiet, or quiet:MINUTES with 1 to 1440 minutes";
    let Value::List(nodes) = &custom.value.value else {
        settings::wrong(custom, "write a list, such as [manifest, signal]", findings);
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
        let rung = match node.text() {
            Some("quiet") => match minutes {
                Minutes::Given(minutes) => Rung::Quiet { minutes },
                Minutes::Wrong => continue,
                Minutes::Absent => {
                    findings.error(
                        node.at,
                        &path,
                        "quiet does not say for how many minutes a table must be without writes",
                        "add septet.quietMinutes, such as 30",
                    );
                    continue;
                }
            },
            text => match text.and_then(Rung::parse) {
                Some(rung) => rung,
                None => {
                    let message = format!("{} is no sign of completeness", node.describe());
                    findings.error(node.at, &path, message, HINT);
                    continue;
                }
            },
        };
        contradict(rung, minutes, node, &path, findings);
        if rungs.iter().any(|r| std::mem::discriminant(r) == std::mem::discriminant(&rung)) {
            findings.error(
                node.at,
                &path,
                format!("{rung} repeats a sign of completeness"),
                "keep one of the two",
            );
        } else {
            rungs.push(rung);
        }
    }
    (rungs.len() == nodes.len()).then_some(rungs)
}

/// Refuses `quiet:30` beside a `septet.quietMinutes` with another number.
fn contradict(rung: Rung, minutes: Minutes, node: &Node, path: &str, findings: &mut Findings) {
    if let (Rung::Quiet { minutes: own }, Minutes::Given(given)) = (rung, minutes)
        && own != given
    {
        findings.error(
            node.at,
            path,
            format!("{rung} contradicts septet.quietMinutes, which is {given}"),
            "write quiet without minutes, and keep septet.quietMinutes",
        );
    }
}
