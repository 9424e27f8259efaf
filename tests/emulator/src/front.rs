//! The service in front of dynoxide: it answers what it knows itself and passes the rest on.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::fault::Kind;
use crate::state::{State, TableStatus};
use crate::{own, queue};

/// Runs dynoxide and the front until `stop` is dropped, and says on which ports.
#[expect(clippy::expect_used, reason = "a test tool: nothing can be tested without it")]
pub(crate) fn run(state: Arc<State>, ports: oneshot::Sender<(u16, u16)>, stop: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let engine = TcpListener::bind("127.0.0.1:0").await.expect("a port for dynoxide");
        let front = TcpListener::bind("127.0.0.1:0").await.expect("a port for the front");
        let port = |listener: &TcpListener| listener.local_addr().expect("a bound port").port();
        let (front_port, engine_port) = (port(&front), port(&engine));
        let database = dynoxide::Database::memory().expect("a database in memory");
        tokio::spawn(dynoxide::server::serve_on(engine, database));
        let front = tokio::spawn(serve(front, Front::new(state, engine_port)));
        // Nobody listens any more when the test gave up waiting; then `stop` is dropped too.
        let _ = ports.send((front_port, engine_port));
        let _ = stop.await;
        front.abort();
    });
}

async fn serve(listener: TcpListener, front: Front) {
    while let Ok((stream, _)) = listener.accept().await {
        // Without this each answer waits for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let front = front.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let front = front.clone();
                async move { front.handle(request).await.ok_or(Dropped) }
            });
            // An error here is a client that went away or a call whose answer is to be lost.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Makes hyper close the connection without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is dropped")
    }
}

impl std::error::Error for Dropped {}

/// A call on its way: what it asks for and by whom.
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) body: Value,
    pub(crate) principal: String,
}

impl Call {
    /// The table that a call on one table names, by name or ARN.
    pub(crate) fn table(&self) -> Option<&str> {
        let named = ["TableName", "ResourceArn"].iter().find_map(|key| self.body[key].as_str());
        let named = named.or_else(|| self.body["TableCreationParameters"]["TableName"].as_str());
        named.map(table_of)
    }
}

/// A status and a body.
pub(crate) struct Answer(pub(crate) StatusCode, pub(crate) Value);

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self(StatusCode::OK, body)
    }

    /// An error as DynamoDB shapes it.
    pub(crate) fn error(code: &str, message: impl Into<String>) -> Self {
        let (status, space) = match code {
            "InternalServerError" => (StatusCode::INTERNAL_SERVER_ERROR, "com.amazonaws.dynamodb.v20120810"),
            "AccessDeniedException" | "ThrottlingException" | "ValidationException" => {
                (StatusCode::BAD_REQUEST, "com.amazon.coral.service")
            }
            _ => (StatusCode::BAD_REQUEST, "com.amazonaws.dynamodb.v20120810"),
        };
        Self(status, json!({"__type": format!("{space}#{code}"), "message": message.into()}))
    }

    fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.1.to_string())));
        *response.status_mut() = self.0;
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
        headers.insert("x-amzn-requestid", HeaderValue::from_static("SEPTETEMULATOR"));
        response
    }
}

/// The name in a table name or ARN.
pub(crate) fn table_of(name_or_arn: &str) -> &str {
    match name_or_arn.split_once(":table/") {
        Some((_, rest)) => rest.split('/').next().unwrap_or_default(),
        None => name_or_arn,
    }
}

const ENGINE_ARN: &str = "arn:aws:dynamodb:dynoxide:";
const PUBLIC_ARN: &str = "arn:aws:dynamodb:us-east-1:";

/// An ARN with a region that exists, in place of the one dynoxide writes.
pub(crate) fn public_arn(arn: &str) -> String {
    arn.replace(ENGINE_ARN, PUBLIC_ARN)
}

pub(crate) fn table_arn(table: &str) -> String {
    format!("{PUBLIC_ARN}000000000000:table/{table}")
}

#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) state: Arc<State>,
    client: Client<HttpConnector, Full<Bytes>>,
    engine: Uri,
}

impl Front {
    #[expect(clippy::expect_used, reason = "a port makes a valid address")]
    fn new(state: Arc<State>, engine_port: u16) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let engine = format!("http://127.0.0.1:{engine_port}/").parse().expect("an address");
        Self { state, client, engine }
    }

    /// Answers a request, or not at all.
    async fn handle(&self, request: Request<Incoming>) -> Option<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let text = body.collect().await.ok()?.to_bytes();
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let is_queue = target.is_some_and(|target| target.starts_with("AmazonSQS."));
        let is_metric = target.is_some_and(|target| target.starts_with("GraniteServiceVersion20100801."));
        let operation = target.and_then(|target| target.split_once('.')).map(|(_, name)| name.to_owned());
        let (Some(operation), Ok(body)) = (operation, serde_json::from_slice::<Value>(&text)) else {
            return self.send(&parts, text).await;
        };
        let Some(principal) = access_key(&parts).and_then(|key| self.state.principal(key)) else {
            let message = "The security token included in the request is invalid.";
            return Some(Answer::error("UnrecognizedClientException", message).response());
        };
        let mut call = Call { operation, body, principal };
        let fault = {
            let mut state = self.state.lock();
            *state.calls.entry(call.operation.clone()).or_default() += 1;
            state.faults.fire(&call.operation, &String::from_utf8_lossy(&text))
        };
        let mut lose = false;
        let mut unprocessed = None;
        match fault {
            None => {}
            Some(Kind::Refuse) => return None,
            Some(Kind::LostAnswer) => lose = true,
            Some(Kind::Delay(delay)) => tokio::time::sleep(delay).await,
            Some(Kind::Meanwhile(act)) => act().await,
            Some(Kind::Unprocessed(done)) => unprocessed = own::hold_back(&mut call, done),
            Some(kind) if is_queue => return Some(queue::failure(&kind, &call).response()),
            Some(kind) => return Some(own::failure(&kind, &call).response()),
        }
        if let Some((key, rest)) = &unprocessed
            && call.body["RequestItems"].as_object().is_some_and(Map::is_empty)
        {
            // None is done, and dynoxide takes no empty batch.
            return Some(Answer::ok(json!({"Responses": {}, *key: rest})).response());
        }
        let mut response = match is_queue {
            true => queue::answer(&self.state, &call).response(),
            false if is_metric => queue::counts(&self.state, &call).response(),
            false => self.answer(&parts, &mut call).await?,
        };
        if let Some((key, rest)) = unprocessed {
            let Answer(status, mut body) = read(response).await?;
            body[key] = rest;
            response = Answer(status, body).response();
        }
        (!lose).then_some(response)
    }

    async fn answer(&self, parts: &Parts, call: &mut Call) -> Option<Response<Full<Bytes>>> {
        if let Some(named) = call.body["TableName"].as_str() {
            call.body["TableName"] = table_of(named).into();
        }
        if let Some(requests) = call.body.get_mut("RequestItems").and_then(Value::as_object_mut) {
            let named = std::mem::take(requests).into_iter();
            requests.extend(named.map(|(table, request)| (table_of(&table).to_owned(), request)));
        }
        if let Some(refusal) = own::refuse(&self.state, call) {
            return Some(refusal.response());
        }
        if let Some(answer) = self.resource_policy(parts, call).await {
            return Some(answer.response());
        }
        if let Some(refusal) = own::warm(&self.state, call) {
            return Some(refusal.response());
        }
        if call.operation == "UpdateTable" && call.body.as_object().is_some_and(|body| body.len() == 1) {
            // Nothing is left to update, and dynoxide takes no empty call.
            let mut description = self.describe(parts, call.table()?).await?;
            own::complete(self.state.lock().extras(call.table()?), &mut description);
            return Some(Answer::ok(json!({"TableDescription": description})).response());
        }
        if let Some(answer) = own::imports(&self.state, call) {
            return Some(answer.response());
        }
        if call.operation == "Scan"
            && let Some(table) = call.table()
            && let Some(scans) = { self.state.lock().scans.get(table).cloned() }
        {
            return Some(page(scans.0(&call.body)));
        }
        if let Some(limit) = self.state.lock().settings.page_items
            && matches!(call.operation.as_str(), "Scan" | "Query")
        {
            let asked = call.body["Limit"].as_u64().unwrap_or(u64::MAX);
            call.body["Limit"] = asked.min(limit.into()).into();
        }
        // The description is gone once the call has landed.
        let doomed = match call.operation.as_str() {
            "DeleteTable" => self.describe(parts, call.table()?).await,
            _ => None,
        };
        let response = self.send(parts, call.body.to_string().into()).await?;
        if !own::is_about_tables(&call.operation) {
            return Some(response);
        }
        let Answer(status, body) = read(response).await?;
        let mut body = serde_json::from_str(&public_arn(&body.to_string())).unwrap_or(body);
        if status == StatusCode::OK {
            own::after(&self.state, call, &mut body, doomed);
        }
        Some(Answer(status, body).response())
    }

    async fn resource_policy(&self, parts: &Parts, call: &Call) -> Option<Answer> {
        if !call.operation.ends_with("ResourcePolicy") {
            return None;
        }
        let Some(table) = call.table() else {
            return Some(Answer::error("ValidationException", "ResourceArn is required"));
        };
        if self.describe(parts, table).await.is_none() {
            let message = format!("Requested resource not found: Table: {table} not found");
            return Some(Answer::error("ResourceNotFoundException", message));
        }
        Some(own::resource_policy(&self.state, call, table))
    }

    /// Describes a table as dynoxide knows it.
    async fn describe(&self, parts: &Parts, table: &str) -> Option<Value> {
        let mut parts = parts.clone();
        parts.headers.insert("x-amz-target", HeaderValue::from_static("DynamoDB_20120810.DescribeTable"));
        let response = self.send(&parts, json!({"TableName": table}).to_string().into()).await?;
        let Answer(status, body) = read(response).await?;
        let body = serde_json::from_str(&public_arn(&body.to_string())).unwrap_or(body);
        (status == StatusCode::OK).then(|| body["Table"].clone())
    }

    /// Passes a call on to dynoxide.
    async fn send(&self, parts: &Parts, body: Bytes) -> Option<Response<Full<Bytes>>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = self.engine.clone();
        for name in ["content-type", "x-amz-target", "x-amz-date", "authorization"] {
            if let Some(value) = parts.headers.get(name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        let (mut parts, body) = self.client.request(request).await.ok()?.into_parts();
        parts.headers.remove(CONTENT_LENGTH);
        let body = body.collect().await.ok()?.to_bytes();
        Some(Response::from_parts(parts, Full::new(body)))
    }
}

/// A page as it is, with the checksum that DynamoDB sends.
fn page(text: String) -> Response<Full<Bytes>> {
    let sum = crc32fast::hash(text.as_bytes());
    let mut response = Answer::ok(Value::Null).response();
    response.headers_mut().insert("x-amz-crc32", sum.into());
    *response.body_mut() = Full::new(Bytes::from(text));
    response
}

async fn read(response: Response<Full<Bytes>>) -> Option<Answer> {
    let status = response.status();
    let Ok::<_, Infallible>(body) = response.into_body().collect().await;
    Some(Answer(status, serde_json::from_slice(&body.to_bytes()).ok()?))
}

fn access_key(parts: &Parts) -> Option<&str> {
    let authorization = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (_, rest) = authorization.split_once("Credential=")?;
    rest.split('/').next()
}

/// Whether the table can be used so: an answer when it cannot.
pub(crate) fn unusable(state: &State, call: &Call) -> Option<Answer> {
    let table = call.table()?;
    let (status, hidden, deleting) = {
        let mut state = state.lock();
        let deleting = state.deleting(table).cloned();
        let extras = state.extras(table);
        (extras.status(), extras.is_hidden(), deleting)
    };
    let not_found = || {
        Answer::error(
            "ResourceNotFoundException",
            format!("Requested resource not found: Table: {table} not found"),
        )
    };
    let in_use = |what: &str| {
        let message =
            format!("Attempt to change a resource which is still in use: Table is being {what}: {table}");
        Answer::error("ResourceInUseException", message)
    };
    if let Some(description) = deleting {
        return match call.operation.as_str() {
            "DescribeTable" => Some(Answer::ok(json!({"Table": description}))),
            "DeleteTable" => Some(Answer::ok(json!({"TableDescription": description}))),
            "CreateTable" => Some(in_use("deleted")),
            "UpdateTable" => Some(in_use("deleted")),
            _ => None,
        };
    }
    match call.operation.as_str() {
        "CreateTable" => None,
        _ if hidden => Some(not_found()),
        "DeleteTable" | "UpdateTable" | "UpdateTimeToLive" => match status {
            TableStatus::Creating => Some(in_use("created")),
            TableStatus::Updating => Some(in_use("updated")),
            TableStatus::Active => None,
        },
        "PutItem" | "UpdateItem" | "DeleteItem" | "GetItem" | "Query" | "Scan"
            if status == TableStatus::Creating =>
        {
            Some(not_found())
        }
        _ => None,
    }
}
