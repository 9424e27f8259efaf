//! Resource policies, as far as they are enforced here: explicit denials of single actions.

use serde_json::Value;

/// A policy document with the revision it was stored as.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) text: String,
    pub(crate) revision: String,
    denials: Vec<Denial>,
}

#[derive(Debug, Clone)]
struct Denial {
    actions: Vec<String>,
    not_actions: Vec<String>,
    principals: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone)]
struct Condition {
    wanted: bool,
    patterns: Vec<String>,
}

impl Policy {
    /// Reads a document; a part that could not be enforced is refused, never ignored.
    pub(crate) fn parse(text: &str, revision: String) -> Result<Self, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        let mut denials = Vec::new();
        let statements = match &document["Statement"] {
            Value::Array(statements) => statements.clone(),
            Value::Object(statement) => vec![Value::Object(statement.clone())],
            _ => return Err("no Statement".into()),
        };
        for statement in &statements {
            match statement["Effect"].as_str() {
                Some("Allow") => {}
                Some("Deny") => denials.push(Denial::parse(statement)?),
                _ => return Err("Effect is neither Allow nor Deny".into()),
            }
        }
        Ok(Self { text: text.into(), revision, denials })
    }

    pub(crate) fn denies(&self, action: &str, resource: &str, principal: &str) -> bool {
        self.denials.iter().any(|denial| denial.matches(action, resource, principal))
    }
}

impl Denial {
    fn parse(statement: &Value) -> Result<Self, String> {
        const KNOWN: [&str; 7] =
            ["Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "Condition"];
        let object = statement.as_object().ok_or("a statement is no object")?;
        if let Some(key) = object.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(format!("{key} is not enforced by this emulator"));
        }
        let principals = match &statement["Principal"] {
            Value::String(all) if all == "*" => vec!["*".into()],
            Value::Object(kinds) if kinds.keys().all(|kind| kind == "AWS") => texts(&kinds["AWS"])?,
            _ => return Err("Principal is neither \"*\" nor {\"AWS\": ..}".into()),
        };
        let (actions, not_actions) = (texts(&statement["Action"])?, texts(&statement["NotAction"])?);
        if actions.is_empty() == not_actions.is_empty() {
            return Err("a statement takes one of Action and NotAction".into());
        }
        let resources = texts(&statement["Resource"])?;
        if resources.is_empty() {
            return Err("a statement without Resource".into());
        }
        let mut conditions = Vec::new();
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            let wanted = match operator.as_str() {
                "ArnLike" | "ArnEquals" | "StringLike" | "StringEquals" => true,
                "ArnNotLike" | "ArnNotEquals" | "StringNotLike" | "StringNotEquals" => false,
                other => return Err(format!("the condition {other} is not enforced by this emulator")),
            };
            for (key, patterns) in keys.as_object().into_iter().flatten() {
                if !key.eq_ignore_ascii_case("aws:PrincipalArn") {
                    return Err(format!("the condition key {key} is not enforced by this emulator"));
                }
                let patterns = texts(patterns)?;
                if operator.starts_with("Arn") && patterns.iter().any(|text| text.split(':').count() < 6) {
                    return Err(format!("{operator} takes ARNs of six parts"));
                }
                conditions.push(Condition { wanted, patterns });
            }
        }
        Ok(Self { actions, not_actions, principals, resources, conditions })
    }

    fn matches(&self, action: &str, resource: &str, principal: &str) -> bool {
        let is_action = |pattern: &String| like(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase());
        let named = if self.actions.is_empty() {
            !self.not_actions.iter().any(is_action)
        } else {
            self.actions.iter().any(is_action)
        };
        named
            && self.resources.iter().any(|pattern| like(pattern, resource))
            && self.principals.iter().any(|pattern| pattern == "*" || pattern == principal)
            && self.conditions.iter().all(|condition| {
                condition.patterns.iter().any(|pattern| like(pattern, principal)) == condition.wanted
            })
    }
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(list) => {
            let texts = list.iter().map(|entry| entry.as_str().map(String::from)).collect::<Option<_>>();
            texts.ok_or_else(|| format!("{value} holds more than texts"))
        }
        _ => Err(format!("{value} is no text")),
    }
}

/// Matches a text against a pattern of `*` and `?`.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_policies_do() {
        for (pattern, text, matches) in [
            ("*", "anything", true),
            ("dynamodb:Put*", "dynamodb:PutItem", true),
            ("dynamodb:Put?tem", "dynamodb:PutItem", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("abc", "ab", false),
            ("", "a", false),
        ] {
            assert_eq!(like(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn what_could_not_be_enforced_is_refused() {
        let base = serde_json::json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
        let parse = |statement: &Value| {
            Policy::parse(&serde_json::json!({"Statement": [statement]}).to_string(), "1".into())
        };
        assert!(parse(&base).is_ok());
        for (key, value) in [
            ("Condition", serde_json::json!({"Bool": {"aws:SecureTransport": "false"}})),
            ("Condition", serde_json::json!({"ArnNotLike": {"aws:SourceArn": "arn:aws:iam::1:role/x"}})),
            ("Condition", serde_json::json!({"ArnNotLike": {"aws:PrincipalArn": "role/x"}})),
            ("NotResource", serde_json::json!("*")),
            ("Principal", serde_json::json!({"Service": "x"})),
            ("Action", serde_json::json!(1)),
            ("Effect", serde_json::json!("deny")),
        ] {
            let mut statement = base.clone();
            statement[key] = value;
            assert!(parse(&statement).is_err(), "{statement}");
        }
    }
}
