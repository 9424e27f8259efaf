//! Rules of `engine: lambda`.

use super::quality::Reader;
use crate::document::{Node, Value, canonical_json, quote};
use crate::findings::choose;
use crate::rule::LambdaRule;
use crate::standard::join;

const TIMEOUT: std::ops::RangeInclusive<u32> = 1..=300;
const USUAL_TIMEOUT: u32 = 60;

/// Reads an implementation: an ARN alone, or an object with it.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<LambdaRule> {
    const KEYS: [&str; 3] = ["arn", "timeoutSeconds", "arguments"];
    for entry in node.entries().iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
        let message = format!("engine lambda takes no {}", quote(&entry.key));
        reader.findings.error(entry.at, &join(path, &entry.key), message, choose(&entry.key, &KEYS));
    }
    let timeout = timeout(reader, node, path);
    let arguments = arguments(reader, node, path);
    let written = if node.text().is_some() { Some(node) } else { node.get("arn") };
    match written.and_then(Node::text) {
        Some(arn) if is_function_arn(arn) => {
            Some(LambdaRule { arn: arn.to_owned(), timeout_seconds: timeout?, arguments: arguments? })
        }
        other => {
            let at = written.map_or(node.at, |written| written.at);
            let message = match other {
                Some(other) => format!("{} is no ARN of a function", quote(other)),
                None => "engine lambda needs the ARN of a function".to_owned(),
            };
            let hint = "write implementation: {arn: \"arn:aws:lambda:REGION:ACCOUNT:function:NAME\"}";
            reader.findings.error(at, path, message, hint);
            None
        }
    }
}

fn timeout(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<u32> {
    let Some(written) = node.get("timeoutSeconds") else { return Some(USUAL_TIMEOUT) };
    let seconds = written.number().and_then(|number| number.to_u64());
    let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok()).filter(|s| TIMEOUT.contains(s));
    if seconds.is_none() {
        let message = format!("timeoutSeconds cannot be {}", written.describe());
        let hint = format!("write a whole number from {} to {}", TIMEOUT.start(), TIMEOUT.end());
        reader.error(node, "timeoutSeconds", path, message, hint);
    }
    seconds
}

/// What the function is given beside the version and its profile.
fn arguments(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<String> {
    match node.get("arguments") {
        None => Some("{}".to_owned()),
        Some(written) if matches!(written.value, Value::Map(_)) => Some(canonical_json(written)),
        Some(written) => {
            let message = format!("arguments cannot be {}", written.describe());
            reader.error(node, "arguments", path, message, "write an object, such as {least: 3}");
            None
        }
    }
}

fn is_function_arn(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    let (7 | 8, ["arn", partition, "lambda", region, account, "function", name, ..]) =
        (parts.len(), parts.as_slice())
    else {
        return false;
    };
    let of = |text: &str, extra: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    partition.starts_with("aws")
        && of(partition, "-")
        && of(region, "-")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && of(name, "-_")
        && parts.get(7).is_none_or(|qualifier| of(qualifier, "-_$"))
}
