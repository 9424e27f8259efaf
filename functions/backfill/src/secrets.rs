//! Secrets by reference, from Secrets Manager and Systems Manager.
//!
//! One signed call each, made with the SDK's own signer, credentials and endpoint setting: two SDK crates of some
//! hundreds of operations would cost every build minutes for two of them. A secret is fetched anew for each message,
//! so that one that is changed is in use within an invocation, and it never shows in an error.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use septet_recovery::feed::SecretRef;
use septet_recovery::http::Secret;
use septet_registry::{Clock, Entropy};
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(5);
const TRIES: u32 = 4;
/// A secret has at most 64 KiB; the answer says a little more.
const LARGEST: usize = 262_144;

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
    #[error("{action} of {name}: {code}")]
    Unavailable {
        /// The call.
        action: &'static str,
        /// Name or ARN of the secret.
        name: String,
        /// The error code.
        code: String,
    },
}

/// Where secrets are kept.
pub struct Secrets {
    credentials: Option<SharedCredentialsProvider>,
    region: String,
    endpoint: Option<String>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("region", &self.region).finish_non_exhaustive()
    }
}

/// One of the two services' calls.
struct Call {
    service: &'static str,
    action: &'static str,
    target: &'static str,
    name: String,
    body: Value,
    /// Where the answer has the secret.
    at: &'static str,
}

impl Call {
    fn of(reference: &SecretRef) -> Self {
        match reference {
            SecretRef::SecretsManager { id, .. } => Self {
                service: "secretsmanager",
                action: "secretsmanager:GetSecretValue",
                target: "secretsmanager.GetSecretValue",
                name: id.clone(),
                body: json!({"SecretId": id}),
                at: "/SecretString",
            },
            SecretRef::Ssm { name } => Self {
                service: "ssm",
                action: "ssm:GetParameter",
                target: "AmazonSSM.GetParameter",
                name: name.clone(),
                body: json!({"Name": name, "WithDecryption": true}),
                at: "/Parameter/Value",
            },
        }
    }

    fn unavailable(&self, code: impl ToString) -> SecretError {
        SecretError::Unavailable { action: self.action, name: self.name.clone(), code: code.to_string() }
    }

    fn missing(&self, problem: &'static str) -> SecretError {
        SecretError::Missing { name: self.name.clone(), problem }
    }
}

/// What one attempt came to.
enum Attempt {
    Answer(Value),
    Failed(SecretError),
    Again(SecretError),
}

impl Secrets {
    /// Secrets of the account and region that `sdk` speaks to.
    pub fn new(sdk: &SdkConfig, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> Self {
        Self {
            credentials: sdk.credentials_provider(),
            region: sdk.region().map(ToString::to_string).unwrap_or_default(),
            endpoint: sdk.endpoint_url().map(str::to_owned),
            clock,
            entropy,
        }
    }

    /// The secret that a feed names.
    pub async fn fetch(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let call = Call::of(reference);
        let mut tries = 0;
        let answer = loop {
            tries += 1;
            match self.attempt(&call).await {
                Attempt::Answer(answer) => break answer,
                Attempt::Again(error) if tries >= TRIES => return Err(error),
                Attempt::Again(_) => {
                    tokio::time::sleep(self.entropy.jitter(Duration::from_millis(200 << tries))).await
                }
                Attempt::Failed(error) => return Err(error),
            }
        };
        let text = answer.pointer(call.at).and_then(Value::as_str);
        let text = text.ok_or_else(|| call.missing("it holds no text"))?;
        match reference {
            SecretRef::SecretsManager { key: Some(key), .. } => {
                let members: Value = serde_json::from_str(text).unwrap_or_default();
                let member = members.get(key).and_then(Value::as_str);
                member
                    .map(Secret::new)
                    .ok_or_else(|| call.missing("it has no text under the member that the feed names"))
            }
            _ => Ok(Secret::new(text)),
        }
    }

    async fn attempt(&self, call: &Call) -> Attempt {
        let request = match self.request(call).await {
            Ok(request) => request,
            Err(error) => return Attempt::Again(error),
        };
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let https = match hyper_rustls::HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)
        {
            Ok(builder) => builder.https_or_http().enable_http1().build(),
            Err(error) => return Attempt::Failed(call.unavailable(error)),
        };
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(https);
        let exchange = async {
            let answer = client.request(request).await.map_err(|_| "no answer".to_owned())?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), LARGEST).collect().await;
            let body = body.map_err(|_| "the answer is cut or too large".to_owned())?;
            Ok::<_, String>((status, serde_json::from_slice::<Value>(&body.to_bytes()).unwrap_or_default()))
        };
        let (status, body) = match tokio::time::timeout(TIMEOUT, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return Attempt::Again(call.unavailable(why)),
            Err(_) => return Attempt::Again(call.unavailable("no answer in time")),
        };
        if status == 200 {
            return Attempt::Answer(body);
        }
        let text =
            |names: [&str; 2]| names.iter().find_map(|name| body.get(*name)?.as_str()).unwrap_or_default();
        let code = text(["__type", "code"]).rsplit('#').next().unwrap_or_default();
        match code {
            "AccessDeniedException" | "AccessDenied" => Attempt::Failed(SecretError::Denied {
                action: call.action,
                name: call.name.clone(),
                message: text(["message", "Message"]).to_owned(),
            }),
            "ResourceNotFoundException" | "ParameterNotFound" => {
                Attempt::Failed(call.missing("there is none"))
            }
            _ if status >= 500 || status == 429 || code.contains("Throttl") => {
                Attempt::Again(call.unavailable(format!("status {status} {code}")))
            }
            _ => Attempt::Failed(call.unavailable(format!("status {status} {code}"))),
        }
    }

    async fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, SecretError> {
        // An ARN may name another region than this one.
        let region = call.name.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2));
        let region = region.filter(|region| !region.is_empty()).unwrap_or(&self.region);
        let url = match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned() + "/",
            None => {
                let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
                format!("https://{}.{region}.{suffix}/", call.service)
            }
        };
        let provider =
            self.credentials.as_ref().ok_or_else(|| call.unavailable("there are no credentials"))?;
        let credentials = provider.provide_credentials().await;
        let identity = credentials.map_err(|_| call.unavailable("there are no credentials"))?.into();
        let body = call.body.to_string();
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", call.target)];
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(call.service)
            .time(SystemTime::from(self.clock.now()))
            .settings(SigningSettings::default())
            .build();
        let parameters = parameters.map_err(|error| call.unavailable(error))?.into();
        let signable =
            SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()));
        let signed = signable.and_then(|signable| sign(signable, &parameters));
        let (signature, _) = signed.map_err(|error| call.unavailable(error))?.into_parts();
        let mut request = Request::post(&url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body)));
        let mut request = request.map_err(|error| call.unavailable(error))?;
        signature.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}
