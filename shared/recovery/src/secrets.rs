//! Secrets by reference, from Secrets Manager and Systems Manager.
//!
//! A secret is fetched anew whenever it is asked for, so that one that is changed is in use at once, and it never
//! shows in an error.

use std::sync::Arc;

use septet_aws::{Call, CallError, Caller};
use serde_json::{Value, json};

use crate::feed::{Authentication, Feed, SecretRef};
use crate::http::Secret;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Permission is missing.
    #[error(
        "permission is missing for {action} on {name}: add it to the stack's parameter FeedSecrets ({message})"
    )]
    Denied {
        /// The call.
        action: &'static str,
        /// Name or ARN of the secret.
        name: String,
        /// What the service says.
        message: String,
    },
    /// There is no such secret.
    #[error("{name}: {problem}; correct the feed's secret or create it")]
    Missing {
        /// Name or ARN of the secret.
        name: String,
        /// What is missing.
        problem: &'static str,
    },
    /// The service could not be reached, or did not say.
    #[error("the secret {name}: {source}")]
    Unavailable {
        /// Name or ARN of the secret.
        name: String,
        /// Why.
        #[source]
        source: CallError,
    },
}

/// Where secrets are kept.
#[derive(Debug)]
pub struct Secrets {
    caller: Arc<Caller>,
}

impl Secrets {
    /// Secrets that `caller` may have.
    pub fn new(caller: Arc<Caller>) -> Self {
        Self { caller }
    }

    /// The secret that a feed is asked with; none if it needs none.
    pub async fn of(&self, feed: &Feed) -> Result<Option<Secret>, SecretError> {
        match &feed.authentication {
            Authentication::None => Ok(None),
            Authentication::Bearer { secret }
            | Authentication::ApiKey { secret, .. }
            | Authentication::Basic { secret, .. } => self.fetch(secret).await.map(Some),
        }
    }

    async fn fetch(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let (call, at) = match reference {
            SecretRef::SecretsManager { id, .. } => (
                Call {
                    service: "secretsmanager",
                    json: "1.1",
                    target: "secretsmanager.GetSecretValue",
                    action: "secretsmanager:GetSecretValue",
                    resource: id,
                    body: json!({"SecretId": id}).to_string().into(),
                },
                "/SecretString",
            ),
            SecretRef::Ssm { name } => (
                Call {
                    service: "ssm",
                    json: "1.1",
                    target: "AmazonSSM.GetParameter",
                    action: "ssm:GetParameter",
                    resource: name,
                    body: json!({"Name": name, "WithDecryption": true}).to_string().into(),
                },
                "/Parameter/Value",
            ),
        };
        let name = || call.resource.to_owned();
        let missing = |problem| SecretError::Missing { name: name(), problem };
        let answer = self.caller.call(&call).await.map_err(|error| match error {
            CallError::Denied { action, message } => SecretError::Denied { action, name: name(), message },
            CallError::Refused { code, .. }
                if matches!(code.as_str(), "ResourceNotFoundException" | "ParameterNotFound") =>
            {
                missing("there is none")
            }
            source => SecretError::Unavailable { name: name(), source },
        })?;
        let text = answer.pointer(at).and_then(Value::as_str);
        let text = text.ok_or_else(|| missing("it holds no text"))?;
        match reference {
            SecretRef::SecretsManager { key: Some(key), .. } => {
                let members: Value = serde_json::from_str(text).unwrap_or_default();
                let member = members.get(key).and_then(Value::as_str);
                let problem = "it has no text under the member that the feed names";
                member.map(Secret::new).ok_or_else(|| missing(problem))
            }
            _ => Ok(Secret::new(text)),
        }
    }
}
