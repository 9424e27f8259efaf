//! The source over HTTP.
//!
//! The credential goes to the feed's own origin and nowhere else, whatever redirects and names say: a redirect to
//! another origin fails the window, and so does a name that resolves to where no feed may be. An answer is read
//! up to the feed's limit, unpacked too, and within one time-out from the first byte sent to the last received.

use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{HeaderName, HeaderValue, LOCATION};
use hyper::{Request, StatusCode};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::util::BoxCloneSyncService;
use url::Url;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::feed::{Authentication, Feed, Method, Slot};
use crate::origin;
use crate::port::{NoAnswer, Source};
use crate::reason::Failure;

const REDIRECTS: u32 = 3;

/// A secret; it never shows.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret as its store gave it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Whether a feed may lie on this machine; in a test it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// It may not: this machine's own services are there.
    Refused,
    /// It may.
    Allowed,
}

type Addresses = std::vec::IntoIter<SocketAddr>;
type Resolver = BoxCloneSyncService<Name, Addresses, std::io::Error>;

/// A third party that is asked over HTTP.
#[derive(Clone)]
pub struct HttpSource {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    authentication: Authentication,
    secret: Option<Secret>,
    max_body_bytes: usize,
}

impl fmt::Debug for HttpSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSource").finish_non_exhaustive()
    }
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to an address where no feed may be")]
struct Forbidden;

fn allowed(address: SocketAddr, loopback: Loopback) -> bool {
    let ip = address.ip().to_canonical();
    origin::forbidden(ip).is_none() && (loopback == Loopback::Allowed || !ip.is_loopback())
}

async fn resolve(name: Name, loopback: Loopback) -> Result<Addresses, std::io::Error> {
    let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
    // One address that is forbidden is enough: the name is not honest.
    if found.iter().any(|address| !allowed(*address, loopback)) {
        return Err(std::io::Error::other(Forbidden));
    }
    Ok(found.into_iter())
}

impl HttpSource {
    /// Makes ready to ask a feed; its secret, if it has one, is what the feed's reference leads to.
    ///
    /// # Errors
    /// The feed needs a secret, or lies where it may not.
    pub fn new(feed: &Feed, secret: Option<Secret>, loopback: Loopback) -> Result<Self, Failure> {
        if feed.authentication != Authentication::None && secret.is_none() {
            return Err(Failure::NoCredential);
        }
        let local = feed.call.url.scheme() == "http" || origin::is_local(&feed.call.url);
        if local && loopback == Loopback::Refused {
            return Err(Failure::ForbiddenAddress);
        }
        // A feed that is not on this machine has no business there.
        let loopback = if local { loopback } else { Loopback::Refused };
        let resolver = tower::service_fn(move |name: Name| resolve(name, loopback));
        let mut http = HttpConnector::new_with_resolver(BoxCloneSyncService::new(resolver));
        http.enforce_http(false);
        http.set_nodelay(true);
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(|_| Failure::Unaskable)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .build(https);
        let max_body_bytes = usize::try_from(feed.call.max_body_bytes).unwrap_or(usize::MAX);
        Ok(Self { client, authentication: feed.authentication.clone(), secret, max_body_bytes })
    }

    fn authorised(&self, ask: &Ask) -> Ask {
        let mut ask = ask.clone();
        let Some(Secret(secret)) = &self.secret else { return ask };
        let header = |name: &str| Slot::Header(name.to_owned());
        match &self.authentication {
            Authentication::None => {}
            Authentication::Bearer { .. } => {
                ask.put(&header("authorization"), format!("Bearer {secret}").into());
            }
            Authentication::ApiKey { place, .. } => ask.put(place, secret.as_str().into()),
            Authentication::Basic { username, .. } => {
                let both = STANDARD.encode(format!("{username}:{secret}"));
                ask.put(&header("authorization"), format!("Basic {both}").into());
            }
        }
        ask
    }

    async fn once(&self, ask: &Ask) -> Result<(Answer, Option<String>), NoAnswer> {
        let never = |_| NoAnswer::Never(Failure::Unaskable);
        let mut request = Request::builder()
            .uri(ask.url.as_str())
            .header("accept-encoding", "gzip")
            .header("user-agent", concat!("septet/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &ask.headers {
            let name = HeaderName::try_from(name).map_err(|_| NoAnswer::Never(Failure::Unaskable))?;
            let mut value = HeaderValue::try_from(value).map_err(|_| NoAnswer::Never(Failure::Unaskable))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let body = ask.body.as_ref().map(|body| Bytes::from(body.to_string()));
        let request = match ask.method {
            Method::Get => request.method("GET"),
            Method::Post => request.method("POST").header("content-type", "application/json"),
        };
        let request = request.body(Full::new(body.unwrap_or_default())).map_err(never)?;
        let response = self.client.request(request).await.map_err(|error| {
            if says::<Forbidden>(&error) {
                NoAnswer::Never(Failure::ForbiddenAddress)
            } else {
                // The text names neither URL nor header.
                NoAnswer::Again(if error.is_connect() { "cannot connect" } else { "connection lost" }.into())
            }
        })?;
        let (head, body) = response.into_parts();
        let location = head.headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let headers: Vec<_> = head
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let body = Limited::new(body, self.max_body_bytes).collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                NoAnswer::Never(Failure::BodyTooLarge)
            } else {
                NoAnswer::Again("the body is cut".into())
            }
        })?;
        let body = Vec::from(body.to_bytes());
        let packed = headers.iter().any(|(name, value)| name == "content-encoding" && value.contains("gzip"));
        let body = if packed && !body.is_empty() { self.unpack(&body)? } else { body };
        Ok((Answer { status: head.status.as_u16(), headers, body }, location))
    }

    fn unpack(&self, packed: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        let mut body = Vec::with_capacity(packed.len() * 4);
        let most = self.max_body_bytes as u64;
        let read = flate2::read::MultiGzDecoder::new(packed).take(most + 1).read_to_end(&mut body);
        match read {
            Err(_) => Err(NoAnswer::Again("the body is no gzip".into())),
            Ok(length) if length as u64 > most => Err(NoAnswer::Never(Failure::BodyTooLarge)),
            Ok(_) => Ok(body),
        }
    }

    async fn follow(&self, ask: &Ask) -> Result<Answer, NoAnswer> {
        let mut ask = self.authorised(ask);
        for _ in 0..REDIRECTS {
            let (answer, location) = self.once(&ask).await?;
            let again = StatusCode::from_u16(answer.status).is_ok_and(|status| status.is_redirection())
                && (ask.method == Method::Get || matches!(answer.status, 307 | 308));
            let Some(location) = location.filter(|_| again) else { return Ok(answer) };
            let target = ask.url.join(&location).map_err(|_| NoAnswer::Never(Failure::BadLink))?;
            if target.origin() != ask.url.origin() || !is_clean(&target) {
                return Err(NoAnswer::Never(Failure::ForeignRedirect));
            }
            let mut next = Ask { url: target, ..ask };
            next = self.authorised(&next);
            ask = next;
        }
        Err(NoAnswer::Again("too many redirects".into()))
    }
}

fn is_clean(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

/// Whether an error of this type stands somewhere behind another.
fn says<E: std::error::Error + 'static>(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<E>() || inner.is_some_and(|inner| inner.is::<E>()) {
            return true;
        }
        next = error.source();
    }
    false
}

#[async_trait]
impl Source for HttpSource {
    async fn fetch(&self, ask: &Ask, timeout: Duration) -> Result<Answer, NoAnswer> {
        match tokio::time::timeout(timeout, self.follow(ask)).await {
            Ok(result) => result,
            Err(_) => Err(NoAnswer::Again("no answer in time".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_or_its_metadata_leads_nowhere() {
        let name = || "localhost".parse::<Name>().unwrap();
        let refused = resolve(name(), Loopback::Refused).await.unwrap_err();
        assert!(says::<Forbidden>(&refused), "{refused:?}");
        assert!(resolve(name(), Loopback::Allowed).await.unwrap().count() > 0);
        for address in [
            "169.254.169.254:443",
            "[::ffff:169.254.169.254]:443",
            "[fd00:ec2::254]:443",
            "[fe80::1]:443",
            "0.0.0.0:443",
        ] {
            assert!(!allowed(address.parse().unwrap(), Loopback::Allowed), "{address}");
        }
        assert!(allowed("93.184.215.14:443".parse().unwrap(), Loopback::Refused));
        assert!(!allowed("[::1]:443".parse().unwrap(), Loopback::Refused));
    }
}
