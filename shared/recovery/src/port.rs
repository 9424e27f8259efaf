//! What the engine needs of the world: a source to ask, a sink to fill, a place for what no sink takes.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::reason::Failure;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum NoAnswer {
    /// Asking again may help; the text holds no secret.
    Again(String),
    /// Asking again does not help.
    Never(Failure),
}

/// A third party that is asked.
#[async_trait]
pub trait Source: Send + Sync {
    /// Asks once, for at most so long. The credential is added here, and nowhere else.
    async fn fetch(&self, ask: &Ask, timeout: Duration) -> Result<Answer, NoAnswer>;
}

/// What is said of every record that a window injects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The feed.
    pub feed: String,
    /// The run.
    pub run: Uuid,
    /// The window's first moment.
    pub window: Timestamp,
    /// The run's generation.
    pub generation: u32,
}

/// A record on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parcel<'a> {
    /// The record, as the live feed would have sent it.
    pub body: &'a str,
    /// What tells it from all others.
    pub id: &'a str,
    /// Its event time, if it has one.
    pub time: Option<Timestamp>,
    /// What it comes with.
    pub stamp: &'a Stamp,
}

/// What became of parcels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    /// How many the sink confirmed.
    pub injected: u64,
    /// Those that it can never take, by their place in the list, and why.
    pub poison: Vec<(usize, String)>,
}

impl Delivery {
    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.injected += other.injected;
        self.poison.extend(other.poison);
        self
    }
}

/// Why parcels could not be delivered, for now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undelivered(pub String);

/// Where records go.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Delivers every parcel and has each confirmed; those that fail for a while are tried again here.
    async fn send(&self, parcels: &[Parcel<'_>]) -> Result<Delivery, Undelivered>;
}

/// Where an operator finds what no sink takes.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Keeps a record, with the reason.
    async fn bury(&self, parcel: &Parcel<'_>, reason: &str) -> Result<(), Undelivered>;
}
