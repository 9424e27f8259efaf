//! The part of Lambda, with DynamoDB behind it, for one function's process at a time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::process::{Ended, Process};
use crate::server::{self, Authority, Request, Response, Server};

/// A batch of the publish queue with a record of a table that no contract claims: asked about twice, and done.
pub(crate) const EVENT: &str = include_str!("../../../events/publish-queue.json");

pub(crate) const REGISTRY: &str = "septet-registry";
/// Who has not gone on by then never will; the longest invocation brings a million records back.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a function's process wants.
#[derive(Debug)]
enum Want {
    /// Its next event, and so it is done with whatever was before.
    Event,
    /// To hand in an answer.
    Answer(String),
    /// To report that it failed.
    Failure(String),
    /// DynamoDB to do something.
    DynamoDb(String),
}

/// A request of the process, and where its answer goes.
struct Call {
    want: Want,
    reply: oneshot::Sender<Response>,
}

/// Where functions' processes run.
pub(crate) struct Lambda {
    authority: Authority,
    bundle: PathBuf,
    directory: PathBuf,
}

/// A function's process.
pub(crate) struct Function {
    process: Process,
    calls: mpsc::Receiver<Call>,
    _api: Server,
    _dynamodb: Server,
}

impl Lambda {
    /// Lambda with a directory to write to; `roots` are the certificates that clients trust in real life.
    pub(crate) fn new(directory: &Path, roots: &Path) -> anyhow::Result<Self> {
        let authority = Authority::new()?;
        let bundle = directory.join("roots.pem");
        authority.write_bundle(roots, &bundle)?;
        Ok(Self { authority, bundle, directory: directory.to_owned() })
    }

    /// Starts a process, with the environment of a function and nothing else.
    pub(crate) async fn start(&self, command: Command) -> anyhow::Result<Function> {
        self.start_with(command, &[]).await
    }

    /// Starts a process, with some settings of a function that are not as they always are.
    pub(crate) async fn start_with(
        &self,
        mut command: Command,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Function> {
        // Ports of its own, so that no word of one that was killed comes late.
        let (sender, calls) = mpsc::channel(16);
        let api = listen(None, sender.clone()).await?;
        let dynamodb = listen(Some(&self.authority), sender).await?;
        let endpoint = format!("https://{}", dynamodb.address);
        command.env_clear().envs([
            ("AWS_LAMBDA_RUNTIME_API", api.address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "septet".into()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024".into()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/septet".into()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "1".into()),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".into()),
            ("AWS_LAMBDA_LOG_LEVEL", "INFO".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_DEFAULT_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE".into()),
            ("AWS_SECRET_ACCESS_KEY", "secret".into()),
            ("AWS_SESSION_TOKEN", "token".into()),
            ("AWS_ENDPOINT_URL", endpoint),
            ("LANG", "C.UTF-8".into()),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
            ("SEPTET_REGISTRY_TABLE", REGISTRY.into()),
            ("SEPTET_PUBLISH_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/1/septet".into()),
            ("SEPTET_SEAL_ROLES", "arn:aws:iam::111122223333:role/septet".into()),
            ("SEPTET_RECOVERY_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/1/septet".into()),
            ("SEPTET_RECOVERY_DEAD_LETTERS_URL", "https://sqs.us-east-1.amazonaws.com/1/septet".into()),
        ]);
        // The first for rustls with the system's roots, as the SDK for Rust has it, the second for boto3.
        command.env("SSL_CERT_FILE", &self.bundle).env("AWS_CA_BUNDLE", &self.bundle);
        command.envs(settings.iter().copied());
        let log = self.directory.join(format!("{}.log", api.address.port()));
        let process = Process::start(command, &log)?;
        Ok(Function { process, calls, _api: api, _dynamodb: dynamodb })
    }
}

async fn listen(tls: Option<&Authority>, sender: mpsc::Sender<Call>) -> anyhow::Result<Server> {
    let tls = tls.map(|authority| authority.acceptor.clone());
    server::serve(tls, move |request| {
        let sender = sender.clone();
        async move {
            let (reply, answer) = oneshot::channel();
            let call = Call { want: want(&request)?, reply };
            sender.send(call).await.ok().context("nobody measures any more")?;
            answer.await.context("there is no answer")
        }
    })
    .await
}

fn want(request: &Request) -> anyhow::Result<Want> {
    if let Some(target) = request.headers().get("x-amz-target") {
        return Ok(Want::DynamoDb(target.to_str()?.to_owned()));
    }
    let (method, path) = (request.method(), request.uri().path());
    let body = || String::from_utf8_lossy(request.body()).into_owned();
    match path.rsplit('/').next().unwrap_or_default() {
        "next" if method == Method::GET => Ok(Want::Event),
        "response" if method == Method::POST => Ok(Want::Answer(body())),
        "error" if method == Method::POST => Ok(Want::Failure(body())),
        _ => bail!("there is no {method} {path}"),
    }
}

impl Call {
    /// Gives the process what it asks for, which may be `event`.
    fn serve(self, event: &str) -> anyhow::Result<()> {
        let answer = match &self.want {
            Want::Event => hyper::Response::builder()
                .header("lambda-runtime-aws-request-id", "00000000-0000-4000-8000-000000000000")
                // Late enough for every run.
                .header("lambda-runtime-deadline-ms", "4000000000000")
                .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:1:function:septet")
                .body(event.to_owned().into())?,
            Want::Answer(_) => hyper::Response::builder().status(202).body(r#"{"status":"OK"}"#.into())?,
            Want::Failure(why) => bail!("the function failed: {why}"),
            Want::DynamoDb(operation) => match operation.as_str() {
                "DynamoDB_20120810.Query" => {
                    server::json(200, &json!({"Items": [], "Count": 0, "ScannedCount": 0}))?
                }
                other => bail!("{other} was not expected"),
            },
        };
        self.reply.send(answer).ok().context("the process hung up")
    }
}

impl Function {
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Serves the process until it has ended by itself.
    pub(crate) async fn run_to_its_end(mut self) -> anyhow::Result<Ended> {
        let mut answered = false;
        loop {
            match self.next().await? {
                Next::Call(call) => {
                    self.serve(call)?;
                    answered = true;
                }
                Next::End(ended) if ended.status.success() && answered => return Ok(ended),
                Next::End(ended) => bail!("{}", self.process.told(&format!("it ended: {}", ended.status))),
            }
        }
    }

    /// Serves the process until it has read the first answer of DynamoDB, then kills it.
    pub(crate) async fn run_until_dynamodb_answered(mut self) -> anyhow::Result<Ended> {
        let mut answered = false;
        loop {
            let call = self.call().await?;
            if answered {
                // Whatever it wants next, it is through with the answer, and waits.
                drop(call);
                return self.process.kill().await;
            }
            answered = matches!(call.want, Want::DynamoDb(_));
            self.serve(call)?;
        }
    }

    /// Serves the process until its first invocation is answered, then kills it.
    pub(crate) async fn run_until_invocation_answered(mut self) -> anyhow::Result<Ended> {
        loop {
            let call = self.call().await?;
            if let Want::Answer(answer) = &call.want {
                check(answer).with_context(|| self.process.told("it answered"))?;
                return self.process.kill().await;
            }
            self.serve(call)?;
        }
    }

    /// Serves the process until it waits for its first event.
    pub(crate) async fn initialise(mut self) -> anyhow::Result<Idle> {
        let waiting = self.until_it_waits().await?;
        Ok(Idle { function: self, waiting })
    }

    async fn until_it_waits(&mut self) -> anyhow::Result<Call> {
        loop {
            let call = self.call().await?;
            match &call.want {
                Want::Event => return Ok(call),
                Want::Answer(answer) => check(answer).with_context(|| self.process.told("it answered"))?,
                Want::Failure(_) | Want::DynamoDb(_) => {}
            }
            self.serve(call)?;
        }
    }

    fn serve(&self, call: Call) -> anyhow::Result<()> {
        self.serve_event(call, EVENT)
    }

    fn serve_event(&self, call: Call, event: &str) -> anyhow::Result<()> {
        call.serve(event).with_context(|| self.process.told("it could not be served"))
    }

    async fn call(&mut self) -> anyhow::Result<Call> {
        match self.next().await? {
            Next::Call(call) => Ok(call),
            Next::End(ended) => bail!("{}", self.process.told(&format!("it ended: {}", ended.status))),
        }
    }

    async fn next(&mut self) -> anyhow::Result<Next> {
        tokio::select! {
            // What it asked for before its end comes first.
            biased;
            call = self.calls.recv() => Ok(Next::Call(call.context("the servers are gone")?)),
            ended = self.process.ended() => Ok(Next::End(ended?)),
            () = tokio::time::sleep(PATIENCE) => bail!("{}", self.process.told("it does nothing")),
        }
    }
}

/// What a process does next.
enum Next {
    Call(Call),
    End(Ended),
}

/// A function's process that waits for an event.
pub(crate) struct Idle {
    function: Function,
    waiting: Call,
}

impl Idle {
    /// The process, at rest.
    pub(crate) fn process(&self) -> &Process {
        self.function.process()
    }

    /// Invokes the function, and waits until it waits again; also says what processor time that took.
    pub(crate) async fn invoke(mut self, event: &str) -> anyhow::Result<(Self, Duration)> {
        let before = self.process().cpu_at_rest().await?;
        self.function.serve_event(self.waiting, event)?;
        self.waiting = self.function.until_it_waits().await?;
        let taken = self.process().cpu_at_rest().await? - before;
        Ok((self, taken))
    }
}

/// An invocation must have come to what its event is for, with no message that is to come again.
fn check(answer: &str) -> anyhow::Result<()> {
    let answer: Value = serde_json::from_str(answer)?;
    if answer != json!({"batchItemFailures": []}) {
        bail!("the invocation went wrong: {answer}");
    }
    Ok(())
}
