//! HTTP on a port of this machine, with TLS or without, and the authority that vouches for it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256,
    RsaKeySize,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A request with its whole body.
pub(crate) type Request = hyper::Request<Bytes>;
/// An answer with its whole body.
pub(crate) type Response = hyper::Response<Full<Bytes>>;

/// A server, stopped with all its connections when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepting: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves on a free port; an error of `answer` closes the connection.
pub(crate) async fn serve<F>(
    tls: Option<TlsAcceptor>,
    answer: impl Fn(Request) -> F + Clone + Send + Sync + 'static,
) -> anyhow::Result<Server>
where
    F: Future<Output = anyhow::Result<Response>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.context("bind a port")?;
    let address = listener.local_addr()?;
    let accepting = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            // Without this each answer waits for the client's delayed acknowledgement.
            let _ = stream.set_nodelay(true);
            connections.spawn(connection(stream, tls.clone(), answer.clone()));
            while connections.try_join_next().is_some() {}
        }
    });
    Ok(Server { address, accepting: accepting.abort_handle() })
}

async fn connection<F>(stream: TcpStream, tls: Option<TlsAcceptor>, answer: impl Fn(Request) -> F)
where
    F: Future<Output = anyhow::Result<Response>>,
{
    let Some(tls) = tls else { return exchange(stream, answer).await };
    // A handshake that fails shows on the other side.
    if let Ok(stream) = tls.accept(stream).await {
        exchange(stream, answer).await;
    }
}

async fn exchange<F>(stream: impl AsyncRead + AsyncWrite + Unpin, answer: impl Fn(Request) -> F)
where
    F: Future<Output = anyhow::Result<Response>>,
{
    let service = service_fn(async |request: hyper::Request<Incoming>| {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        answer(Request::from_parts(head, body)).await
    });
    // An error here is a client that is gone, killed more often than not.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An answer of an AWS service that speaks JSON.
pub(crate) fn json(status: u16, body: &serde_json::Value) -> anyhow::Result<Response> {
    let answer = hyper::Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amzn-requestid", "00000000-0000-4000-8000-000000000000");
    Ok(answer.body(Full::new(Bytes::from(body.to_string())))?)
}

/// An authority of our own, and a server that it vouches for.
pub(crate) struct Authority {
    pub(crate) acceptor: TlsAcceptor,
    certificate: String,
}

impl Authority {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut root = CertificateParams::default();
        root.distinguished_name.push(DnType::CommonName, "Septet's benchmarks");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_key = key()?;
        let certificate = root.self_signed(&root_key)?.pem();

        let mut leaf = CertificateParams::new(["127.0.0.1".to_owned()])?;
        leaf.use_authority_key_identifier_extension = true;
        let leaf_key = key()?;
        let leaf = leaf.signed_by(&leaf_key, &Issuer::new(root, root_key))?;
        let leaf_key = PrivateKeyDer::Pkcs8(leaf_key.serialize_der().into());

        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], leaf_key)?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
    }

    /// Writes a bundle of what to trust: `others`, as many as a client has to read in real life, and this.
    pub(crate) fn write_bundle(&self, others: &Path, bundle: &Path) -> anyhow::Result<()> {
        let others = std::fs::read_to_string(others).with_context(|| format!("read {}", others.display()))?;
        std::fs::write(bundle, others + "\n" + &self.certificate)?;
        Ok(())
    }
}

/// A key of the kind that AWS's own certificates have: which kind decides what verifying costs.
fn key() -> anyhow::Result<KeyPair> {
    Ok(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?)
}
