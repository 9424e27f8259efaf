//! How a reader is set up and started.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use septet_registry::{Clock, DatasetName, Entropy, PointerName, Registry, SystemClock};

use crate::disk::Kept;
use crate::dynamodb::{self, Probe};
use crate::error::{Error, Refusal, chain};
use crate::follower::{Beginning, Follower, Shelf};
use crate::look::{Look, Lookout};
use crate::{Current, Reader};

const PATIENCE: Duration = Duration::from_secs(10);

/// Sets up a [`Reader`]; `registry_table` and `client` must be called, the rest has defaults.
#[derive(Clone)]
#[must_use]
pub struct Builder {
    dataset: String,
    registry_table: Option<String>,
    client: Option<Client>,
    pointer: String,
    reader_id: Option<String>,
    poll_every: Option<Duration>,
    poll_timeout: Duration,
    keep_on_disk: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    entropy: Entropies,
}

/// Where a reader takes its randomness from.
#[derive(Clone)]
enum Entropies {
    System,
    Given(Arc<Entropy>),
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("dataset", &self.dataset)
            .field("pointer", &self.pointer)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new(dataset: String) -> Self {
        Self {
            dataset,
            registry_table: None,
            client: None,
            pointer: PointerName::live().into(),
            reader_id: None,
            poll_every: None,
            poll_timeout: PATIENCE,
            keep_on_disk: None,
            clock: Arc::new(SystemClock),
            entropy: Entropies::System,
        }
    }

    /// The registry's table: its name, or its ARN where it lies in another account.
    pub fn registry_table(mut self, name_or_arn: impl Into<String>) -> Self {
        self.registry_table = Some(name_or_arn.into());
        self
    }

    /// The client for the registry and the dataset's tables, of the region in which they lie.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// The pointer to follow, in place of `live`.
    pub fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = pointer.into();
        self
    }

    /// The name under which the reader gives signs of life, in place of one made up at the start; no two
    /// readers of a dataset at a time may share one.
    pub fn reader_id(mut self, id: impl Into<String>) -> Self {
        self.reader_id = Some(id.into());
        self
    }

    /// The time between two polls, in place of the one that the pointer item gives; at least 10 ms.
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.poll_every = Some(interval);
        self
    }

    /// How long one poll may take before it has failed, in place of 10 seconds.
    pub fn poll_timeout(mut self, timeout: Duration) -> Self {
        self.poll_timeout = timeout;
        self
    }

    /// A file that keeps the version that is served, so that the reader can start without the registry.
    ///
    /// The file belongs to one reader; its directory must exist.
    pub fn keep_on_disk(mut self, path: impl Into<PathBuf>) -> Self {
        self.keep_on_disk = Some(path.into());
        self
    }

    /// The clock, in place of the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where jitter and the reader's made-up name come from, in place of the system.
    pub fn entropy(mut self, entropy: Arc<Entropy>) -> Self {
        self.entropy = Entropies::Given(entropy);
        self
    }

    /// Reads the pointer, and serves what it names from then on.
    ///
    /// If that fails, and a version was kept on disk whose table is not known to be gone, the reader starts
    /// with that version and goes on polling; otherwise this fails. Must be called on a tokio runtime with
    /// time enabled.
    pub async fn start(self) -> Result<Reader, Error> {
        let unset = |what| Error::Unset { dataset: self.dataset.clone(), what };
        let registry_table = self.registry_table.clone().ok_or_else(|| unset("registry_table"))?;
        let client = self.client.clone().ok_or_else(|| unset("client"))?;
        let dataset = DatasetName::parse(self.dataset)?;
        let pointer = PointerName::parse(self.pointer)?;
        let entropy = match self.entropy {
            Entropies::System => Arc::new(Entropy::from_system()),
            Entropies::Given(entropy) => entropy,
        };
        let registry = Registry::in_dynamodb(client.clone(), &registry_table, Entropy::from_system());
        let lookout = Lookout { registry, client, dataset, pointer, patience: self.poll_timeout };
        let shelf = self.keep_on_disk.map(|path| Shelf { path, registry_table });
        let clock = self.clock;
        let reader_id = self.reader_id.unwrap_or_else(|| entropy.id(clock.now()).to_string());
        let beginning = begin(&lookout, shelf.as_ref(), clock.as_ref()).await?;
        let current = &beginning.current;
        tracing::info!(
            dataset = %current.dataset,
            pointer = %current.pointer,
            version = %current.version,
            table = %current.table,
            generation = current.generation,
            reader = reader_id,
            from_disk = beginning.from_disk,
            "serving a first version"
        );
        let follower = Follower::new(lookout, reader_id, self.poll_every, shelf, (clock, entropy), beginning);
        Ok(Reader::new(Arc::new(follower)))
    }
}

/// Decides what a reader begins with: what the pointer names, else what was kept on disk.
async fn begin(lookout: &Lookout, shelf: Option<&Shelf>, clock: &dyn Clock) -> Result<Beginning, Error> {
    let kept = match shelf {
        Some(shelf) => {
            Kept::load(&shelf.path, &shelf.registry_table, &lookout.dataset, &lookout.pointer).await
        }
        None => None,
    };
    let looked = lookout.look(None, false).await;
    let now = clock.now();
    let fresh = looked.map(|Look { pointer, .. }| Beginning {
        current: Current::of(&pointer, now),
        poll_seconds: pointer.poll_seconds,
        from_disk: false,
    });
    let Some(kept) = kept else { return fresh };
    let old = Beginning { current: kept.current(now), poll_seconds: kept.poll_seconds, from_disk: true };
    let known = old.current.generation;
    let error = match fresh {
        Ok(fresh) if fresh.current.generation >= known => return Ok(fresh),
        Ok(fresh) if is_gone(lookout, &old).await => {
            let (dataset, found) = (&old.current.dataset, fresh.current.generation);
            tracing::warn!(%dataset, known, found, "the version kept on disk is gone; following an older pointer");
            return Ok(fresh);
        }
        Ok(fresh) => lookout.refused(Refusal::OlderGeneration { found: fresh.current.generation, known }),
        Err(error) if denies(&error, &old) || is_gone(lookout, &old).await => return Err(error),
        Err(error) => error,
    };
    let (dataset, version) = (&old.current.dataset, old.current.version);
    tracing::warn!(%dataset, %version, error = chain(&error), "starting with the version kept on disk");
    Ok(old)
}

/// Whether a look came to an answer that speaks against what was kept.
fn denies(error: &Error, old: &Beginning) -> bool {
    match error {
        Error::NoPointer { .. } => true,
        Error::Refused { refusal, .. } => refusal.version() == Some(old.current.version),
        _ => false,
    }
}

/// Whether the table of what was kept is known not to exist.
async fn is_gone(lookout: &Lookout, old: &Beginning) -> bool {
    let probe = dynamodb::probe(&lookout.client, &old.current.table_arn);
    matches!(tokio::time::timeout(lookout.patience, probe).await, Ok(Probe::Gone(_)))
}
