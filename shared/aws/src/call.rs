//! Single signed calls.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_types::service_config::ServiceConfigKey;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use septet_registry::{Clock, Entropy};
use serde_json::Value;
use tokio::sync::Mutex;

/// Services that are called: how their hosts begin, and what settings of the SDK call them.
const SERVICES: [(&str, &str); 4] =
    [("monitoring", "CloudWatch"), ("secretsmanager", "Secrets Manager"), ("sqs", "SQS"), ("ssm", "SSM")];
const TIMEOUT: Duration = Duration::from_secs(5);
const TRIES: u32 = 4;
/// Bytes of the largest answer that is read.
const LARGEST: usize = 4 << 20;
/// How long before their end credentials are asked for anew.
const MARGIN: Duration = Duration::from_secs(300);
/// Connections are not kept for longer without use: AWS closes them soon after.
const IDLE: Duration = Duration::from_secs(15);

/// One call of one of AWS's services that speak JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Call<'a> {
    /// How the service's host begins and what the signature names, such as `ssm`.
    pub service: &'static str,
    /// The version of its protocol: `1.0` or `1.1`.
    pub json: &'static str,
    /// What the header `x-amz-target` says, such as `AmazonSSM.GetParameter`.
    pub target: &'static str,
    /// The permission that it needs, such as `ssm:GetParameter`.
    pub action: &'static str,
    /// What it is about; an ARN may name another region than the caller's.
    pub resource: &'a str,
    /// Its parameters, as JSON.
    pub body: Bytes,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Permission is missing.
    #[error("permission is missing for {action} ({message})")]
    Denied {
        /// The permission.
        action: &'static str,
        /// What the service says.
        message: String,
    },
    /// The service refuses the call.
    #[error("{action}: {code} ({message})")]
    Refused {
        /// The call.
        action: &'static str,
        /// The error code.
        code: String,
        /// What the service says.
        message: String,
    },
    /// The service could not be reached, or did not answer.
    #[error("{action}: {code}")]
    Unavailable {
        /// The call.
        action: &'static str,
        /// Why.
        code: String,
    },
}

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Calls services of the account and region that the SDK is set up for, over connections that it keeps.
pub struct Caller {
    credentials: Option<SharedCredentialsProvider>,
    region: String,
    /// Of services that have one of their own.
    endpoints: Vec<(&'static str, String)>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
    http: OnceLock<Http>,
    identity: Mutex<Option<Identity>>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("region", &self.region).finish_non_exhaustive()
    }
}

/// The endpoint that is set for a service, by itself or with all others.
fn endpoint(sdk: &SdkConfig, id: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(id).env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let own = key.build().ok().and_then(|key| sdk.service_config()?.load_config(key));
    own.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

impl Call<'_> {
    fn unavailable(&self, code: impl ToString) -> CallError {
        CallError::Unavailable { action: self.action, code: code.to_string() }
    }
}

/// What one attempt came to.
enum Attempt {
    Answer(Bytes),
    Failed(CallError),
    Again(CallError),
}

impl Caller {
    /// Calls services as `sdk` says.
    pub fn new(sdk: &SdkConfig, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> Self {
        Self {
            credentials: sdk.credentials_provider(),
            region: sdk.region().map(ToString::to_string).unwrap_or_default(),
            endpoints: SERVICES.iter().filter_map(|(host, id)| Some((*host, endpoint(sdk, id)?))).collect(),
            clock,
            entropy,
            http: OnceLock::new(),
            identity: Mutex::new(None),
        }
    }

    /// Makes a call, and reads the answer; null if it is no JSON.
    pub async fn call(&self, call: &Call<'_>) -> Result<Value, CallError> {
        Ok(serde_json::from_slice(&self.send(call).await?).unwrap_or_default())
    }

    /// Makes a call, and gives the answer as it came; what may help to do again is done again a few times.
    pub async fn send(&self, call: &Call<'_>) -> Result<Bytes, CallError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.attempt(call).await {
                Attempt::Answer(answer) => return Ok(answer),
                Attempt::Again(_) if tries < TRIES => {
                    tokio::time::sleep(self.entropy.jitter(Duration::from_millis(200 << tries))).await
                }
                Attempt::Again(error) | Attempt::Failed(error) => return Err(error),
            }
        }
    }

    async fn attempt(&self, call: &Call<'_>) -> Attempt {
        let request = match self.request(call).await {
            Ok(request) => request,
            Err(error) => return Attempt::Again(error),
        };
        let http = match self.http() {
            Ok(http) => http,
            Err(error) => return Attempt::Failed(call.unavailable(error)),
        };
        let exchange = async {
            let answer = http.request(request).await.map_err(|_| "no answer".to_owned())?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), LARGEST).collect().await;
            let body = body.map_err(|_| "the answer is cut or too large".to_owned())?;
            Ok::<_, String>((status, body.to_bytes()))
        };
        let (status, body) = match tokio::time::timeout(TIMEOUT, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return Attempt::Again(call.unavailable(why)),
            Err(_) => return Attempt::Again(call.unavailable("no answer in time")),
        };
        if status == 200 {
            return Attempt::Answer(body);
        }
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text =
            |names: [&str; 2]| names.iter().find_map(|name| body.get(*name)?.as_str()).unwrap_or_default();
        let code = text(["__type", "code"]).rsplit('#').next().unwrap_or_default();
        let message = text(["message", "Message"]).to_owned();
        match code {
            "AccessDeniedException" | "AccessDenied" => {
                Attempt::Failed(CallError::Denied { action: call.action, message })
            }
            _ if status >= 500 || status == 429 || code.contains("Throttl") => {
                Attempt::Again(call.unavailable(format!("status {status} {code}")))
            }
            "" => Attempt::Failed(call.unavailable(format!("status {status}"))),
            code => {
                Attempt::Failed(CallError::Refused { action: call.action, code: code.to_owned(), message })
            }
        }
    }

    fn http(&self) -> Result<&Http, std::io::Error> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let mut http = Client::builder(TokioExecutor::new());
        let http = http.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(https);
        Ok(self.http.get_or_init(|| http))
    }

    /// Who calls. It is asked for once, until it is about to end.
    async fn identity(&self, call: &Call<'_>) -> Result<Identity, CallError> {
        let mut known = self.identity.lock().await;
        let soon = SystemTime::from(self.clock.now()) + MARGIN;
        if let Some(identity) = known.as_ref().filter(|it| it.expiration().is_none_or(|end| end > soon)) {
            return Ok(identity.clone());
        }
        let nobody = || call.unavailable("there are no credentials");
        let provider = self.credentials.as_ref().ok_or_else(nobody)?;
        let credentials = provider.provide_credentials().await.map_err(|_| nobody())?;
        Ok(known.insert(credentials.into()).clone())
    }

    async fn request(&self, call: &Call<'_>) -> Result<Request<Full<Bytes>>, CallError> {
        let region = call.resource.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2));
        let region = region.filter(|region| !region.is_empty()).unwrap_or(&self.region);
        let url = match self.endpoints.iter().find(|(service, _)| *service == call.service) {
            Some((_, endpoint)) => endpoint.trim_end_matches('/').to_owned() + "/",
            None => {
                let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
                format!("https://{}.{region}.{suffix}/", call.service)
            }
        };
        let identity = self.identity(call).await?;
        let kind = format!("application/x-amz-json-{}", call.json);
        let headers = [("content-type", kind.as_str()), ("x-amz-target", call.target)];
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(call.service)
            .time(SystemTime::from(self.clock.now()))
            .settings(SigningSettings::default())
            .build();
        let parameters = parameters.map_err(|error| call.unavailable(error))?.into();
        let signable =
            SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(&call.body));
        let signed = signable.and_then(|signable| sign(signable, &parameters));
        let (signature, _) = signed.map_err(|error| call.unavailable(error))?.into_parts();
        let mut request = Request::post(&url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(call.body.clone()));
        let mut request = request.map_err(|error| call.unavailable(error))?;
        signature.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}
