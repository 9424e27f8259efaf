//! A registry, tables and a queue to sweep.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use prune::{Prune, Summary};
use septet_emulator::Emulator;
use septet_registry::invariants::{self, Snapshot};
use septet_registry::*;
use septet_tables::{SealPolicy, Sealing, Tables};
use septet_telemetry::{Clock, Invocation, Metrics};
use serde_json::{Value, json};

pub(crate) const REGISTRY: &str = "septet-registry";
pub(crate) const QUEUE: &str = "septet-publish";

/// Seconds after the beginning of the test's time.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).unwrap()
}

pub(crate) fn by(seconds: i64) -> By {
    By::new("tester", at(seconds))
}

pub(crate) fn set(name: &str) -> DatasetName {
    DatasetName::parse(name).unwrap()
}

pub(crate) fn recs() -> DatasetName {
    set("recs")
}

pub(crate) fn number(number: u64) -> VersionNumber {
    VersionNumber::new(number)
}

/// A clock that stands.
#[derive(Debug)]
pub(crate) struct Stands(pub(crate) Timestamp);

impl Clock for Stands {
    fn now(&self) -> Timestamp {
        self.0
    }
}

#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) registry: Registry,
    pub(crate) tables: Tables,
    lines: Lines,
    pruners: AtomicU64,
}

impl World {
    /// An empty registry and the publish queue.
    pub(crate) async fn new() -> Self {
        let emulator = Emulator::start().await;
        emulator.create_registry_table(REGISTRY).await;
        emulator.create_queue(QUEUE);
        let registry = Registry::in_dynamodb(emulator.client(), REGISTRY, Entropy::from_seed(1));
        let tables = tables(emulator.client());
        Self { emulator, registry, tables, lines: Lines::default(), pruners: AtomicU64::new(0) }
    }

    /// With the dataset `recs`: tables `recs-*`, the newest three stay, a grace of one minute.
    pub(crate) async fn with_recs() -> Self {
        let world = Self::new().await;
        world.dataset("recs", 3).await;
        world
    }

    pub(crate) async fn dataset(&self, name: &str, keep_newest: u32) {
        let settings = Settings {
            table_pattern: format!("{name}-*"),
            promotion: Promotion::Auto,
            keep_newest,
            grace_minutes: 1,
            poll_seconds: 300,
            order: DatasetOrder::Created,
        };
        let (document, digest) = ("{}".into(), "d".into());
        let new = NewContract { dataset: set(name), settings, document, digest, over: None, reason: None };
        let _ = self.registry.put_contract(&new, &by(0)).await.unwrap();
    }

    /// Creates a table and announces it.
    pub(crate) async fn announce(&self, table: &str, now: i64) -> Version {
        self.emulator.create_dataset_table(table, "user_id", None).await;
        self.announce_existing(table, now).await
    }

    /// Announces a table that is there.
    pub(crate) async fn announce_existing(&self, table: &str, now: i64) -> Version {
        let name = TableName::parse(table).unwrap();
        let facts = self.tables.describe(&name).await.unwrap().unwrap();
        let new = Announcement {
            table: name,
            table_arn: facts.arn,
            table_id: facts.id,
            created_by: "ds".into(),
            noticed_by: "CreateTable".into(),
            patience: SignedDuration::from_hours(24),
            created_at: at(now),
            signal: None,
        };
        let dataset = set(table.split('-').next().unwrap());
        self.registry.announce(&dataset, &new, &by(now)).await.unwrap().into_result().unwrap()
    }

    pub(crate) async fn seal(&self, version: &Version, now: i64) {
        let facts = self.tables.describe(&version.table).await.unwrap().unwrap();
        let sealed =
            self.tables.seal(&facts, version.seal_id.as_ref().unwrap(), std::time::Duration::ZERO).await;
        assert!(matches!(sealed.unwrap(), Sealing::Sealed(_)));
        let readiness = Readiness { rung: Rung::Signal, items: None, digest: None, by: None };
        let sealed = self.registry.seal(&version.dataset, version.version, &readiness.into(), &by(now)).await;
        let _ = sealed.unwrap().into_result().unwrap();
    }

    pub(crate) async fn begin_check(&self, version: &Version, now: i64) {
        let lease = Lease { owner: "worker".into(), until: at(now + 60) };
        let begun = self.registry.begin_check(&version.dataset, version.version, &lease, &by(now)).await;
        let _ = begun.unwrap().into_result().unwrap();
    }

    pub(crate) async fn conclude(&self, version: &Version, outcome: VerdictOutcome, now: i64) {
        let passed = outcome == VerdictOutcome::Passed;
        let reasons = if passed { vec![] } else { vec!["user_id: is absent in 3 of 9 items".into()] };
        let conclusion = Conclusion {
            verdict: Verdict { outcome, reasons, warnings: vec![], at: at(now) },
            counts: Some(Counts { items: 9, bytes: 900 }),
            digest: Some(version.table.to_string()),
            promotion: Promotion::Auto,
        };
        let (dataset, number) = (&version.dataset, version.version);
        let concluded = self.registry.conclude(dataset, number, "worker", &conclusion, &by(now)).await;
        let _ = concluded.unwrap().into_result().unwrap();
    }

    /// A table from its creation to its verdict and, if it passed, live.
    pub(crate) async fn night(&self, table: &str, outcome: VerdictOutcome, now: i64) -> Version {
        let version = self.announce(table, now).await;
        self.seal(&version, now).await;
        self.begin_check(&version, now).await;
        self.conclude(&version, outcome, now).await;
        if outcome == VerdictOutcome::Passed {
            let live = PointerName::live();
            let _ = self.registry.promote(&version.dataset, &live, version.version, &by(now)).await.unwrap();
        }
        self.registry.version(&version.dataset, version.version).await.unwrap()
    }

    /// Nights `recs-1` to `recs-…` that passed, a minute apart, from second 0 on.
    pub(crate) async fn nights(&self, count: i64) {
        for night in 1..=count {
            self.night(&format!("recs-{night}"), VerdictOutcome::Passed, (night - 1) * 60).await;
        }
    }

    pub(crate) fn prune(&self) -> Prune<septet_aws::Queue> {
        // Two processes never begin at the same seed.
        let seed = 100 + self.pruners.fetch_add(1, Ordering::Relaxed);
        self.prune_with(self.emulator.client(), seed, at(0))
    }

    /// A pruner of its own: with a client, a generator and a clock that stands.
    pub(crate) fn prune_with(&self, client: Client, seed: u64, clock: Timestamp) -> Prune<septet_aws::Queue> {
        Prune {
            registry: Registry::in_dynamodb(client.clone(), REGISTRY, Entropy::from_seed(seed)),
            registry_table: REGISTRY.into(),
            tables: tables(client),
            queue: septet_aws::Queue::new(self.sqs(), self.emulator.create_queue(QUEUE)),
            metrics: Metrics::to(self.lines.clone()),
            clock: Arc::new(Stands(clock)),
            keep_rejected: SignedDuration::from_secs(120),
        }
    }

    fn sqs(&self) -> aws_sdk_sqs::Client {
        use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
        let key = self.emulator.access_key(Emulator::PRINCIPAL);
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new(key, "secret", None, None, "emulator"))
            .endpoint_url(self.emulator.endpoint())
            .retry_config(RetryConfig::disabled());
        aws_sdk_sqs::Client::from_conf(config.build())
    }

    pub(crate) async fn sweep(&self, now: i64) -> Summary {
        self.sweep_with(json!({}), now).await
    }

    pub(crate) async fn sweep_with(&self, event: Value, now: i64) -> Summary {
        self.prune().handle(event, &invocation(now)).await.unwrap()
    }

    /// Tables whose look was asked for, with the reason.
    pub(crate) fn reminders(&self) -> Vec<(String, String)> {
        let bodies = self.emulator.sent_bodies(QUEUE);
        let text = |body: &Value, field: &str| body[field].as_str().unwrap().to_owned();
        bodies.iter().map(|body| (text(body, "look_at"), text(body, "reason"))).collect()
    }

    /// What was measured under a name, each with its dataset.
    pub(crate) fn measured(&self, name: &str) -> Vec<(Option<String>, f64)> {
        let text = String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of = |line: Value| Some((line["Dataset"].as_str().map(str::to_owned), line[name].as_f64()?));
        lines.filter_map(of).collect()
    }

    pub(crate) async fn state(&self, version: u64) -> State {
        self.registry.version(&recs(), number(version)).await.unwrap().state
    }

    /// The states of all versions of `recs`, the oldest first.
    pub(crate) async fn states(&self) -> Vec<State> {
        self.registry.versions(&recs()).await.unwrap().into_iter().map(|version| version.state).collect()
    }

    /// The tables of `recs` that there are.
    pub(crate) async fn existing(&self) -> Vec<String> {
        let tables = self.tables.list().await.unwrap().into_iter().map(|table| table.to_string());
        tables.filter(|table| table.starts_with("recs-")).collect()
    }

    async fn update_version(
        &self,
        version: u64,
        update: &str,
        value: Option<AttributeValue>,
        attribute: &str,
    ) {
        let key = |text: String| AttributeValue::S(text);
        let call = self.emulator.backdoor().update_item().table_name(REGISTRY);
        let call =
            call.key("pk", key("DATASET#recs".into())).key("sk", key(format!("VERSION#{version:010}")));
        let call = call.update_expression(update).expression_attribute_names("#a", attribute);
        let call = match value {
            Some(value) => call.expression_attribute_values(":v", value),
            None => call,
        };
        call.send().await.unwrap();
    }

    /// Sets a text in a version's item, as another release may have left it.
    pub(crate) async fn set_in_version(&self, version: u64, attribute: &str, text: &str) {
        let value = AttributeValue::S(text.into());
        self.update_version(version, "SET #a = :v", Some(value), attribute).await;
    }

    /// Takes an attribute out of a version's item.
    pub(crate) async fn take_from_version(&self, version: u64, attribute: &str) {
        self.update_version(version, "REMOVE #a", None, attribute).await;
    }

    /// Has a version say that its table was known to be complete by this sign.
    pub(crate) async fn set_readiness(&self, version: u64, rung: &str) {
        let rung = AttributeValue::M([("rung".to_owned(), AttributeValue::S(rung.into()))].into());
        self.update_version(version, "SET #a = :v", Some(rung), "readiness").await;
    }

    /// Deletes a table behind everybody's back.
    pub(crate) async fn vanish(&self, table: &str) {
        let backdoor = self.emulator.backdoor();
        let update = backdoor.update_table().table_name(table).deletion_protection_enabled(false);
        update.send().await.unwrap();
        backdoor.delete_table().table_name(table).send().await.unwrap();
    }

    pub(crate) async fn snapshot(&self) -> Snapshot {
        let dataset = recs();
        Snapshot {
            dataset: self.registry.dataset(&dataset).await.unwrap(),
            versions: self.registry.versions(&dataset).await.unwrap(),
            pointers: self.registry.pointers(&dataset).await.unwrap(),
            records: self.registry.log(&dataset, None).await.unwrap(),
        }
    }

    pub(crate) async fn assert_sound(&self, now: i64) {
        assert_eq!(invariants::broken(&self.snapshot().await, at(now)), Vec::<String>::new());
    }
}

fn tables(client: Client) -> Tables {
    Tables::new(client, SealPolicy::new([Emulator::PRINCIPAL]).unwrap())
}

/// An invocation that begins at a second and has all the time.
pub(crate) fn invocation(now: i64) -> Invocation {
    Invocation { id: format!("invocation-{now}"), now: at(now), deadline: at(now + 240) }
}
