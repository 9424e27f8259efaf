//! Functions of publishers that answer rules of `engine: lambda`.
//!
//! A function is invoked with one JSON object, whose `format` is 1:
//!
//! | member | what |
//! | --- | --- |
//! | `dataset` | the dataset's name |
//! | `version` | the version's number; null where nothing is published |
//! | `table` | its `name` and `arn`; null where files are checked |
//! | `contract` | `version` and `digest` of the contract |
//! | `rule` | `id`, `attribute` (null for the table), `severity`, and the `arguments` of the contract |
//! | `profile` | `items`, `bytes`, `digest`, `attributes`, `attributes_left_out`; of a sample, `sample` and what was read |
//!
//! `attributes` are [`Statistics`](septet_checks::Statistics) in the order of the contract, as many as have room in
//! 1 MiB. It answers `{"outcome": "passed"}` or `{"outcome": "failed", "message": "why"}`; a message may come with
//! either. Anything else is no answer. It may be asked several times about the same version.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use jiff::Timestamp;
use septet_checks::{Checker, FunctionAnswer, FunctionRule};
use septet_contract::Contract;
use septet_registry::{TableName, VersionNumber};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::history::summary;
use crate::judge::Seen;

/// The layout of what functions are told.
const FORMAT: u32 = 1;

/// Most bytes of statistics that a function is given: Lambda takes 6 MB in all.
const MOST_STATISTICS: usize = 1024 * 1024;

/// Most characters of a message, or of an answer that is shown because it cannot be understood.
const LONGEST_MESSAGE: usize = 500;

/// Where functions are invoked.
#[async_trait]
pub trait Functions: Send + Sync {
    /// Invokes a function, at this time, and waits for its answer; whoever calls sees to it that this ends.
    async fn invoke(&self, arn: &str, payload: &str, now: Timestamp) -> Result<Vec<u8>, InvokeError>;
}

/// Why a function gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// It threw an error, ran out of memory or time, or its process ended.
    #[error("it broke: {0}")]
    Crashed(String),
    /// Lambda refuses the caller.
    #[error("permission is missing for lambda:InvokeFunction ({0})")]
    Denied(String),
    /// There is no such function, or no such alias of it.
    #[error("there is no such function ({0})")]
    Missing(String),
    /// Lambda could not be reached, or did not take the call.
    #[error("Lambda did not invoke it: {0}")]
    Unavailable(String),
}

/// What functions are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The contract that asks.
    pub contract: &'a Contract,
    /// The version, where one is published.
    pub version: Option<VersionNumber>,
    /// Name and ARN of the table, where there is one.
    pub table: Option<(&'a TableName, &'a str)>,
    /// What was seen of it.
    pub seen: &'a Seen,
}

#[derive(Deserialize)]
struct Reply {
    outcome: Said,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Said {
    Passed,
    Failed,
}

/// Asks all functions of a contract at the same time, each for as long as its rule says and none beyond `left`.
///
/// Every rule has an answer; what is no answer of the function's is [`FunctionAnswer::Errored`].
pub async fn ask(
    functions: &dyn Functions,
    checker: &Checker,
    subject: Subject<'_>,
    now: Timestamp,
    left: Duration,
) -> HashMap<String, FunctionAnswer> {
    let rules: Vec<_> = checker.functions().collect();
    if rules.is_empty() {
        return HashMap::new();
    }
    let profile = profile(subject.seen);
    join_all(rules.into_iter().map(|rule| {
        let payload = payload(&subject, &rule, &profile).to_string();
        async move {
            let patience = Duration::from_secs(rule.rule.timeout_seconds.into());
            let reply = functions.invoke(&rule.rule.arn, &payload, now);
            let answer = match tokio::time::timeout(patience.min(left), reply).await {
                Ok(Ok(reply)) => understood(&reply),
                Ok(Err(error)) => FunctionAnswer::Errored(clean(&error.to_string())),
                Err(_) if left < patience => FunctionAnswer::Errored(format!(
                    "there was no answer within {} s, all that was left of this invocation; its rule allows {} s",
                    left.as_secs(),
                    patience.as_secs()
                )),
                Err(_) => FunctionAnswer::Errored(format!("there was no answer within {} s", patience.as_secs())),
            };
            (rule.id.to_owned(), answer)
        }
    }))
    .await
    .into_iter()
    .collect()
}

/// What is known of the items, in bounded room.
fn profile(seen: &Seen) -> Value {
    let all = seen.profile().statistics();
    let (mut attributes, mut room) = (Vec::new(), MOST_STATISTICS);
    for one in &all {
        let value = json!(one);
        match room.checked_sub(value.to_string().len() + 1) {
            Some(rest) => room = rest,
            None => break,
        }
        attributes.push(value);
    }
    let mut profile = summary(seen);
    profile["attributes_left_out"] = (all.len() - attributes.len()).into();
    profile["attributes"] = attributes.into();
    profile
}

fn payload(subject: &Subject<'_>, rule: &FunctionRule<'_>, profile: &Value) -> Value {
    let arguments: Value = serde_json::from_str(&rule.rule.arguments).unwrap_or_default();
    json!({
        "format": FORMAT,
        "dataset": subject.contract.name(),
        "version": subject.version.map(VersionNumber::get),
        "table": subject.table.map(|(name, arn)| json!({"name": name, "arn": arn})),
        "contract": {"version": subject.contract.version(), "digest": subject.contract.digest()},
        "rule": {
            "id": rule.id, "attribute": rule.attribute, "severity": rule.severity.as_str(), "arguments": arguments,
        },
        "profile": profile,
    })
}

fn understood(reply: &[u8]) -> FunctionAnswer {
    match serde_json::from_slice(reply) {
        Ok(Reply { outcome: Said::Passed, message }) => FunctionAnswer::Passed(message.map(|it| clean(&it))),
        Ok(Reply { outcome: Said::Failed, message }) => {
            FunctionAnswer::Failed(message.map_or_else(|| "no reason was given".to_owned(), |it| clean(&it)))
        }
        Err(_) => FunctionAnswer::Errored(format!(
            "its answer is not understood: {{\"outcome\": \"passed\"}} or {{\"outcome\": \"failed\", \"message\": …}} \
             is expected, not {}",
            clean(&String::from_utf8_lossy(reply))
        )),
    }
}

/// Text of others as a line of ours.
fn clean(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(LONGEST_MESSAGE)
        .collect();
    if text.chars().nth(LONGEST_MESSAGE).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_passes() {
        let passed = |message: Option<&str>| FunctionAnswer::Passed(message.map(str::to_owned));
        for (reply, expected) in [
            (r#"{"outcome":"passed"}"#, passed(None)),
            (r#"{"outcome":"passed","message":"3 of 3\n","more":1}"#, passed(Some("3 of 3 "))),
            (r#"{"outcome":"failed","message":"flat"}"#, FunctionAnswer::Failed("flat".into())),
            (r#"{"outcome":"failed"}"#, FunctionAnswer::Failed("no reason was given".into())),
        ] {
            assert_eq!(understood(reply.as_bytes()), expected, "{reply}");
        }
        let nonsense: [&[u8]; 9] = [
            b"",
            b"null",
            b"true",
            br#""passed""#,
            br#"{"outcome":"Passed"}"#,
            br#"{"outcome":true}"#,
            br#"{"passed":true}"#,
            br#"{"statusCode":200,"body":"{\"outcome\":\"passed\"}"}"#,
            b"\xff\x1b[31m",
        ];
        for reply in nonsense {
            let answer = understood(reply);
            let FunctionAnswer::Errored(why) = &answer else { panic!("{answer:?}") };
            assert!(why.contains("is not understood") && !why.contains('\x1b'), "{why}");
        }
    }

    #[test]
    fn what_others_say_has_an_end() {
        assert_eq!(clean(&"é".repeat(600)).chars().count(), LONGEST_MESSAGE + 1);
    }
}
