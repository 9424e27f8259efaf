//! What commands share: the clients, who acts, and what the time is.

use jiff::Timestamp;
use septet_recovery::Ledger;
use septet_recovery::http::Loopback;
use septet_registry::{By, Clock, Dataset, DatasetName, Registry, SystemClock};
use septet_tables::Tables;
use septet_verdict::Lambda;

use crate::args::Global;
use crate::clients::{Clients, Services};
use crate::failure::Failure;
use crate::queue::Queue;
use crate::screen::Screen;

/// Everything that commands work with.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) registry: Registry,
    /// The registry's own table, which is never a dataset's.
    pub(crate) registry_table: String,
    pub(crate) tables: Tables,
    pub(crate) queue: Queue,
    pub(crate) ledger: Ledger,
    pub(crate) recovery_queue: Queue,
    pub(crate) functions: Lambda,
    pub(crate) services: Services,
    pub(crate) loopback: Loopback,
    pub(crate) region: String,
    pub(crate) screen: Screen,
    pub(crate) yes: bool,
    pub(crate) actor: String,
}

impl App {
    pub(crate) async fn new(global: Global, screen: Screen) -> Result<Self, Failure> {
        let Clients { registry, tables, queue, ledger, recovery_queue, functions, services, region } =
            Clients::new(&global).await?;
        let loopback = match global.loopback_feeds.as_str() {
            "allowed" => Loopback::Allowed,
            _ => Loopback::Refused,
        };
        let registry_table = global.registry.clone();
        let named = global.actor.filter(|actor| !actor.trim().is_empty());
        let (actor, yes) = (named.unwrap_or_else(actor), global.yes);
        Ok(Self {
            registry,
            registry_table,
            tables,
            queue,
            ledger,
            recovery_queue,
            functions,
            services,
            loopback,
            region,
            screen,
            yes,
            actor,
        })
    }

    /// The one who acts, now.
    pub(crate) fn by(&self) -> By {
        By::new(&self.actor, now())
    }

    /// The one who acts, now, as the ledger of recoveries has it.
    pub(crate) fn by_in_ledger(&self) -> septet_recovery::ledger::By {
        septet_recovery::ledger::By { actor: self.actor.clone(), now: now() }
    }

    pub(crate) async fn dataset(&self, dataset: &DatasetName) -> Result<Dataset, Failure> {
        Ok(self.registry.dataset(dataset).await?)
    }

    /// Adds the datasets that there are to a hint that wants them; as it is where they cannot be had.
    pub(crate) async fn explain(&self, failure: Failure) -> Failure {
        if !failure.lists_datasets {
            return failure;
        }
        let Ok(listings) = self.registry.datasets().await else { return failure };
        let names: Vec<_> = listings.iter().map(|listing| listing.dataset.as_str()).collect();
        let there = if names.is_empty() {
            "there is none yet".into()
        } else {
            format!("there are: {}", names.join(", "))
        };
        Failure { hint: format!("{there}; {}", failure.hint), ..failure }
    }
}

/// The time now.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// Who is at this machine, as `user@host`.
fn actor() -> String {
    let or_unknown = |name: whoami::Result<String>| name.unwrap_or_else(|_| "unknown".into());
    format!("{}@{}", or_unknown(whoami::username()), or_unknown(whoami::hostname()))
}
