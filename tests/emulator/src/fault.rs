//! Faults: what goes wrong with which call, and how often.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

/// What a fault does to the call it fires on.
#[derive(Clone)]
pub(crate) enum Kind {
    LostAnswer,
    Refuse,
    Throttle,
    InternalServerError,
    TransactionConflict,
    AccessDenied,
    Delay(Duration),
    Unprocessed(usize),
    Meanwhile(Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>),
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LostAnswer => "LostAnswer",
            Self::Refuse => "Refuse",
            Self::Throttle => "Throttle",
            Self::InternalServerError => "InternalServerError",
            Self::TransactionConflict => "TransactionConflict",
            Self::AccessDenied => "AccessDenied",
            Self::Delay(_) => "Delay",
            Self::Unprocessed(_) => "Unprocessed",
            Self::Meanwhile(_) => "Meanwhile",
        })
    }
}

/// A fault to inject: by default it fires once, on the next call of its operation.
#[derive(Debug, Clone)]
pub struct Fault {
    operation: String,
    containing: Option<String>,
    first: usize,
    times: usize,
    pub(crate) kind: Kind,
}

impl Fault {
    fn new(operation: &str, kind: Kind) -> Self {
        Self { operation: operation.into(), containing: None, first: 1, times: 1, kind }
    }

    /// The call lands, then the connection is dropped without an answer.
    pub fn lost_answer(operation: &str) -> Self {
        Self::new(operation, Kind::LostAnswer)
    }

    /// The connection is dropped before the call lands.
    pub fn refuse(operation: &str) -> Self {
        Self::new(operation, Kind::Refuse)
    }

    /// The call is throttled before it lands; a transaction is cancelled with `ThrottlingError`.
    pub fn throttle(operation: &str) -> Self {
        Self::new(operation, Kind::Throttle)
    }

    /// The service fails with status 500 before the call lands.
    pub fn internal_server_error(operation: &str) -> Self {
        Self::new(operation, Kind::InternalServerError)
    }

    /// Another transaction holds the items: a transaction is cancelled with `TransactionConflict`, another
    /// write is refused with `TransactionConflictException`.
    pub fn transaction_conflict(operation: &str) -> Self {
        Self::new(operation, Kind::TransactionConflict)
    }

    /// The caller's identity policies do not allow the call (no explicit deny).
    pub fn access_denied(operation: &str) -> Self {
        Self::new(operation, Kind::AccessDenied)
    }

    /// The call waits so long before it lands.
    pub fn delay(operation: &str, delay: Duration) -> Self {
        Self::new(operation, Kind::Delay(delay))
    }

    /// A `BatchGetItem` or `BatchWriteItem` does only the first `done` entries and names the rest unprocessed.
    pub fn unprocessed(operation: &str, done: usize) -> Self {
        Self::new(operation, Kind::Unprocessed(done))
    }

    /// Something else happens just before the call lands, such as a write by another party.
    pub fn meanwhile<F>(operation: &str, act: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::new(operation, Kind::Meanwhile(Arc::new(move || Box::pin(act()))))
    }

    /// Matches only calls whose JSON body contains this text.
    pub fn containing(mut self, text: &str) -> Self {
        self.containing = Some(text.into());
        self
    }

    /// Fires from the n-th matching call on, counted from 1.
    pub fn from(mut self, nth: usize) -> Self {
        self.first = nth;
        self
    }

    /// Fires this many times.
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Fires on every matching call.
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }
}

/// Names an injected fault, to ask how often it fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(usize);

#[derive(Debug, Default)]
pub(crate) struct Faults {
    armed: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    matched: usize,
    fired: usize,
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) -> FaultId {
        self.armed.push(Armed { fault, matched: 0, fired: 0 });
        FaultId(self.armed.len() - 1)
    }

    /// Counts the call against every fault it matches; the first one that is due fires.
    pub(crate) fn fire(&mut self, operation: &str, body: &str) -> Option<Kind> {
        let mut kind = None;
        for armed in &mut self.armed {
            let fault = &armed.fault;
            let matches = fault.operation == operation
                && fault.containing.as_deref().is_none_or(|text| body.contains(text));
            if !matches {
                continue;
            }
            armed.matched += 1;
            if kind.is_none() && armed.matched >= fault.first && armed.fired < fault.times {
                armed.fired += 1;
                kind = Some(fault.kind.clone());
            }
        }
        kind
    }

    pub(crate) fn fired(&self) -> usize {
        self.armed.iter().map(|armed| armed.fired).sum()
    }

    pub(crate) fn fired_by(&self, FaultId(id): FaultId) -> usize {
        self.armed[id].fired
    }

    /// Disarms every fault and keeps the counts.
    pub(crate) fn disarm(&mut self) {
        for armed in &mut self.armed {
            armed.fault.times = 0;
        }
    }
}

/// How often each operation was called.
pub type Calls = BTreeMap<String, usize>;
