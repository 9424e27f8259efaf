//! Functions on AWS Lambda.
//!
//! One call, `Invoke`, signed and sent by what the SDK's clients are made of: its orchestrator, retries, HTTP client
//! and signer. The SDK's crate for Lambda has some ninety operations, which would cost every build minutes and
//! the function's start its size.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use jiff::Timestamp;
use serde_json::Value;

use crate::functions::{Functions, InvokeError};

/// Answers after which the same call may be taken.
const AGAIN: &[u16] = &[429, 500, 502, 503, 504];
const TRIES: u32 = 3;

/// Functions of the accounts and regions that their ARNs name.
#[derive(Debug)]
pub struct Lambda {
    credentials: Option<SharedCredentialsProvider>,
    http: Option<SharedHttpClient>,
    /// In place of AWS's.
    endpoint: Option<String>,
}

/// A request whose signature fits its endpoint.
#[derive(Debug)]
struct Signed {
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Lambda {
    /// Invokes functions as this configuration says; `AWS_ENDPOINT_URL_LAMBDA` counts as with the SDK's clients.
    pub fn new(sdk: &SdkConfig) -> Self {
        let key =
            ServiceConfigKey::builder().service_id("Lambda").env("AWS_ENDPOINT_URL").profile("endpoint_url");
        let own = key.build().ok().and_then(|key| sdk.service_config()?.load_config(key));
        Self {
            credentials: sdk.credentials_provider(),
            http: sdk.http_client(),
            endpoint: own.or_else(|| sdk.endpoint_url().map(str::to_owned)),
        }
    }

    async fn signed(
        &self,
        arn: &str,
        endpoint: &str,
        region: &str,
        body: &str,
        now: Timestamp,
    ) -> Result<Signed, InvokeError> {
        let nobody = || InvokeError::Unavailable("there are no credentials".to_owned());
        let provider = self.credentials.as_ref().ok_or_else(nobody)?;
        let identity = provider.provide_credentials().await.map_err(|_| nobody())?.into();
        let unsigned =
            |error: &dyn std::error::Error| InvokeError::Unavailable(format!("it cannot be signed: {error}"));
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("lambda")
            .time(SystemTime::from(now))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(&error))?
            .into();
        let path =
            format!("/2015-03-31/functions/{}/invocations", arn.replace(':', "%3A").replace('$', "%24"));
        let headers = [("content-type", "application/json")];
        let url = format!("{endpoint}{path}");
        let request =
            SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()));
        let (signature, _) = request
            .and_then(|request| sign(request, &parameters))
            .map_err(|error| unsigned(&error))?
            .into_parts();
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let headers = headers.into_iter().chain(signature.headers()).map(owned).collect();
        Ok(Signed { path, headers, body: body.to_owned() })
    }
}

#[async_trait]
impl Functions for Lambda {
    async fn invoke(&self, arn: &str, payload: &str, now: Timestamp) -> Result<Vec<u8>, InvokeError> {
        let mut parts = arn.split(':');
        let (partition, region) = (parts.nth(1).unwrap_or_default(), parts.nth(1).unwrap_or_default());
        let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        let endpoint = match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://lambda.{region}.{suffix}"),
        };
        let signed = self.signed(arn, &endpoint, region, payload, now).await?;
        let retries =
            RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(Duration::from_millis(500));
        let mut operation = Operation::builder()
            .service_name("lambda")
            .operation_name("Invoke")
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&endpoint)
            .no_auth()
            .standard_retry(&retries)
            .retry_classifier(HttpStatusCodeClassifier::new_from_codes(AGAIN))
            .retry_classifier(TransientErrorClassifier::<InvokeError>::new())
            .timeout_config(TimeoutConfig::builder().connect_timeout(Duration::from_secs(3)).build())
            // It waits for the function as long as whoever calls does.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(http) = &self.http {
            operation = operation.http_client(http.clone());
        }
        let operation = operation.serializer(request).deserializer(reply).build();
        operation.invoke(signed).await.map_err(|error| match error {
            SdkError::ServiceError(error) => error.into_err(),
            other => InvokeError::Unavailable(causes(&other)),
        })
    }
}

fn request(signed: Signed) -> Result<HttpRequest, aws_smithy_runtime_api::box_error::BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(signed.body));
    request.set_method("POST")?;
    request.set_uri(signed.path)?;
    for (name, value) in signed.headers {
        request.headers_mut().try_insert(name, value)?;
    }
    Ok(request)
}

fn reply(response: &HttpResponse) -> Result<Vec<u8>, OrchestratorError<InvokeError>> {
    let body = response.body().bytes().unwrap_or_default();
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let text =
        |names: &[&str]| names.iter().find_map(|name| said[*name].as_str()).unwrap_or_default().to_owned();
    let status = response.status();
    if status.is_success() {
        return match response.headers().get("x-amz-function-error") {
            None => Ok(body.to_vec()),
            Some(kind) => {
                let parts = [text(&["errorType"]), text(&["errorMessage"])];
                let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                let why = if parts.is_empty() { kind.to_owned() } else { parts.join(": ") };
                Err(OrchestratorError::operation(InvokeError::Crashed(why)))
            }
        };
    }
    let code = response.headers().get("x-amzn-errortype").unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default().to_owned();
    let message = text(&["message", "Message"]);
    let error = match code.as_str() {
        "AccessDeniedException" => InvokeError::Denied(message),
        "ResourceNotFoundException" => InvokeError::Missing(message),
        _ => InvokeError::Unavailable(format!("status {} {code} {message}", status.as_u16())),
    };
    Err(OrchestratorError::operation(error))
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut at = error.source();
    while let Some(cause) = at {
        texts.push(cause.to_string());
        at = cause.source();
    }
    texts.join(": ")
}
