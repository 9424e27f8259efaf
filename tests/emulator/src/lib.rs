//! An in-process DynamoDB for component tests.
//!
//! [`Emulator`] runs dynoxide on a free port of the loopback address, and in front of it a small service
//! that adds what dynoxide lacks and Septet depends on (resource policies with explicit denials, imports, warm
//! throughput, the states a table passes through) and that injects [`Fault`]s. The real SDK client talks to it.
//! It takes messages for queues too, so that one endpoint is enough for what works with both services. It
//! runs on a thread and a runtime of its own and stops when it is dropped.
//!
//! It leaves to AWS: identity policies (every caller may do everything that no resource policy denies),
//! signatures, capacity, and the true length of every delay; [`Settings`] has those that matter here.

mod fault;
mod front;
mod json;
mod letters;
mod own;
mod policy;
mod queue;
pub mod recorded;
mod state;
mod tables;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region};
use tokio::sync::oneshot;

pub use fault::{Calls, Fault, FaultId};
pub use state::{Import, Settings, TableStatus};

use serde_json::Value;
use state::{Scans, State};

/// An in-process DynamoDB; see the crate's documentation.
#[derive(Debug)]
pub struct Emulator {
    front: String,
    engine: String,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// The role whose credentials [`Emulator::client`] has.
    pub const PRINCIPAL: &str = "arn:aws:iam::000000000000:role/septet-test";

    /// Starts an emulator without tables.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start() -> Self {
        let state = Arc::new(State::default());
        let (ports, started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn({
            let state = state.clone();
            move || front::run(state, ports, stopped)
        });
        #[expect(clippy::expect_used, reason = "a test tool: nothing can be tested without it")]
        let (front, engine) = started.await.expect("the emulator starts");
        Self {
            front: format!("http://127.0.0.1:{front}"),
            engine: format!("http://127.0.0.1:{engine}"),
            state,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The endpoint that clients talk to.
    pub fn endpoint(&self) -> &str {
        &self.front
    }

    /// A client of [`Emulator::PRINCIPAL`] that retries twice, quickly.
    pub fn client(&self) -> Client {
        self.client_of(Self::PRINCIPAL)
    }

    /// As [`Emulator::client`], with other settings.
    pub fn client_with(&self, settings: impl FnOnce(Builder) -> Builder) -> Client {
        Client::from_conf(settings(self.config(&self.front, Self::PRINCIPAL)).build())
    }

    /// A client of another principal, named by the ARN of its role or user.
    pub fn client_of(&self, principal: &str) -> Client {
        Client::from_conf(self.config(&self.front, principal).build())
    }

    /// A client that no policy, fault, state or count applies to: the hand of the test itself.
    ///
    /// The ARNs it sees have a region of their own; those that [`Emulator::client`] sees are the true ones.
    pub fn backdoor(&self) -> Client {
        Client::from_conf(self.config(&self.engine, Self::PRINCIPAL).build())
    }

    fn config(&self, endpoint: &str, principal: &str) -> Builder {
        let key = self.state.access_key(principal);
        Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new(key, "secret", None, None, "emulator"))
            .endpoint_url(endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(3)
                    .with_initial_backoff(Duration::from_millis(2))
                    .with_max_backoff(Duration::from_millis(20)),
            )
            // The budget of retries is otherwise shared by every client of the process.
            .retry_partition(RetryPartition::custom(endpoint.to_owned()).build())
    }

    /// The access key id by which calls are known to come from a principal; any secret will do.
    pub fn access_key(&self, principal: &str) -> String {
        self.state.access_key(principal)
    }

    /// Answers scans of a table, which is to exist, with the body that `pages` gives for the call's: tables that are
    /// too large to be put.
    pub fn answer_scans(&self, table: &str, pages: impl Fn(&Value) -> String + Send + Sync + 'static) {
        self.state.lock().scans.insert(table.to_owned(), Scans(Arc::new(pages)));
    }

    /// Injects a fault.
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.state.lock().faults.inject(fault)
    }

    /// How often faults fired, all together.
    pub fn fired(&self) -> usize {
        self.state.lock().faults.fired()
    }

    /// How often this fault fired.
    pub fn fired_by(&self, id: FaultId) -> usize {
        self.state.lock().faults.fired_by(id)
    }

    /// Disarms every fault; what fired stays counted.
    pub fn clear_faults(&self) {
        self.state.lock().faults.disarm();
    }

    /// How often each operation was called, those that faults hit and every retry among them.
    pub fn calls(&self) -> Calls {
        self.state.lock().calls.clone()
    }

    /// How often this operation was called.
    pub fn count(&self, operation: &str) -> usize {
        self.state.lock().calls.get(operation).copied().unwrap_or_default()
    }

    /// Starts counting anew.
    pub fn clear_calls(&self) {
        self.state.lock().calls.clear();
    }

    /// Changes settings, from the next call on.
    ///
    /// A state of a table that is under way is cut short, never prolonged. A change of a policy follows the
    /// settings of the moment it is looked at.
    pub fn settings(&self, change: impl FnOnce(&mut Settings)) {
        let mut state = self.state.lock();
        change(&mut state.settings);
        state.shorten();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there has been printed, and panicking in a drop would hide it.
            let _ = thread.join();
        }
    }
}
