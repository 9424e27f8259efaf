//! What the front knows beside what dynoxide knows.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::fault::{Calls, Faults};
use crate::letters::Letters;
use crate::policy::Policy;

/// How the emulator behaves; by default everything takes effect at once.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How long a new table is CREATING.
    pub creating: Duration,
    /// How long a new table cannot be found at all, at the beginning of `creating`.
    pub hidden: Duration,
    /// How long a deleted table is DELETING.
    pub deleting: Duration,
    /// How long a table is UPDATING after its warm throughput was raised.
    pub warming: Duration,
    /// How long a change of a resource policy takes until it is enforced.
    pub policy_in_force_after: Duration,
    /// How long a change of a resource policy takes until it can be read back.
    pub policy_readable_after: Duration,
    /// How long after a change of a resource policy the next one is refused (AWS: 15 s).
    pub policy_blocked_for: Duration,
    /// How many items a page of a scan or query holds at most, beside the limit of 1 MB.
    pub page_items: Option<u32>,
    /// How many tags a page of them holds at most.
    pub page_tags: Option<usize>,
    /// Creation time of tables that are created from now on, in seconds since the epoch; their real one without it.
    pub created_at: Option<f64>,
}

/// A state that a table can be put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableStatus {
    /// Being created: neither data nor changes are possible.
    Creating,
    /// Being changed: data is reachable, another change is not possible.
    Updating,
    /// As it comes.
    Active,
}

/// An import into a table, as DescribeImport shows it.
#[derive(Debug, Clone)]
pub struct Import {
    /// `IN_PROGRESS`, `COMPLETED`, `CANCELLING`, `CANCELLED` or `FAILED`.
    pub status: String,
    /// Items read.
    pub processed: i64,
    /// Items written.
    pub imported: i64,
    /// Items that could not be written.
    pub errors: i64,
    /// Code and message of a failed import.
    pub failure: Option<(String, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct Extras {
    pub(crate) created_until: Option<Instant>,
    pub(crate) hidden_until: Option<Instant>,
    pub(crate) status: Option<TableStatus>,
    pub(crate) warm: Option<(i64, i64)>,
    pub(crate) warming_until: Option<Instant>,
    /// Members of the description that a test set.
    pub(crate) description: Map<String, Value>,
    pub(crate) policies: Vec<PolicyChange>,
}

#[derive(Debug)]
pub(crate) struct PolicyChange {
    pub(crate) at: Instant,
    pub(crate) policy: Option<Policy>,
}

impl Extras {
    /// The policy as it was that long ago.
    pub(crate) fn policy(&self, ago: Duration) -> Option<&Policy> {
        let now = Instant::now();
        let change = self.policies.iter().rev().find(|change| now.duration_since(change.at) >= ago);
        change.and_then(|change| change.policy.as_ref())
    }

    pub(crate) fn status(&self) -> TableStatus {
        if self.created_until.is_some_and(|until| Instant::now() < until) {
            return TableStatus::Creating;
        }
        if self.is_warming() {
            return TableStatus::Updating;
        }
        self.status.unwrap_or(TableStatus::Active)
    }

    pub(crate) fn is_warming(&self) -> bool {
        self.warming_until.is_some_and(|until| Instant::now() < until)
    }

    pub(crate) fn is_hidden(&self) -> bool {
        self.hidden_until.is_some_and(|until| Instant::now() < until)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct StoredImport {
    pub(crate) arn: String,
    pub(crate) table_arn: String,
    pub(crate) table_id: String,
    pub(crate) import: Import,
}

/// Answers a call of Scan in place of dynoxide.
#[derive(Clone)]
pub(crate) struct Scans(pub(crate) Arc<dyn Fn(&Value) -> String + Send + Sync>);

impl fmt::Debug for Scans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scans")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) faults: Faults,
    pub(crate) calls: Calls,
    pub(crate) extras: HashMap<String, Extras>,
    /// Descriptions of tables that are DELETING, and until when.
    pub(crate) deleting: BTreeMap<String, (Value, Instant)>,
    /// Newest last.
    pub(crate) imports: Vec<StoredImport>,
    pub(crate) revision: u64,
    /// Of tables whose pages a test makes.
    pub(crate) scans: HashMap<String, Scans>,
    /// What was sent to each queue.
    pub(crate) queues: BTreeMap<String, Vec<Value>>,
    /// What is known of queues that are the dead letters of others.
    pub(crate) letters: BTreeMap<String, Letters>,
    /// How many dead letters a test put.
    pub(crate) buried: u64,
    /// How many messages each queue got, by the second at which CloudWatch counts them.
    pub(crate) counts: HashMap<String, Vec<(i64, f64)>>,
    principals: Vec<String>,
}

impl Inner {
    /// Ends what lasts longer than the settings now say.
    pub(crate) fn shorten(&mut self) {
        let now = Instant::now();
        let settings = &self.settings;
        for extras in self.extras.values_mut() {
            extras.created_until = extras.created_until.map(|until| until.min(now + settings.creating));
            extras.hidden_until = extras.hidden_until.map(|until| until.min(now + settings.hidden));
            extras.warming_until = extras.warming_until.map(|until| until.min(now + settings.warming));
        }
        for (_, until) in self.deleting.values_mut() {
            *until = (*until).min(now + settings.deleting);
        }
    }

    pub(crate) fn extras(&mut self, table: &str) -> &mut Extras {
        self.extras.entry(table.into()).or_default()
    }

    /// The description of a table that is DELETING.
    pub(crate) fn deleting(&mut self, table: &str) -> Option<&Value> {
        self.deleting.retain(|_, (_, until)| Instant::now() < *until);
        self.deleting.get(table).map(|(description, _)| description)
    }
}

#[derive(Debug, Default)]
pub(crate) struct State(Mutex<Inner>);

impl State {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The access key id that stands for a principal.
    pub(crate) fn access_key(&self, principal: &str) -> String {
        let principals = &mut self.lock().principals;
        let at = principals.iter().position(|known| known == principal).unwrap_or_else(|| {
            principals.push(principal.into());
            principals.len() - 1
        });
        format!("AKIASEPTET{at:010}")
    }

    /// The principal that an access key id stands for.
    pub(crate) fn principal(&self, access_key: &str) -> Option<String> {
        let at: usize = access_key.strip_prefix("AKIASEPTET")?.parse().ok()?;
        self.lock().principals.get(at).cloned()
    }
}
