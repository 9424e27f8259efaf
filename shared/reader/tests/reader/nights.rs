//! A dataset with a version for each night.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use septet_emulator::{Emulator, Fault};
use septet_reader::{Builder, Item, Key, Reader};
use septet_registry::*;

pub(crate) const REGISTRY: &str = "septet-registry";
pub(crate) const SOON: Duration = Duration::from_millis(20);
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

/// The dataset `recs` in an emulator of its own; faults hit readers only.
pub(crate) struct Nights {
    pub(crate) emulator: Emulator,
    pub(crate) publisher: Arc<Publisher>,
}

/// Publishes nights past every fault; it can be used from within one.
pub(crate) struct Publisher {
    pub(crate) registry: Registry,
    client: aws_sdk_dynamodb::Client,
}

pub(crate) fn recs() -> DatasetName {
    DatasetName::parse("recs").unwrap()
}

pub(crate) fn number(version: u64) -> VersionNumber {
    VersionNumber::new(version)
}

pub(crate) fn arn(table: &str) -> String {
    format!("arn:aws:dynamodb:us-east-1:000000000000:table/{table}")
}

pub(crate) fn key(user: usize) -> Key {
    HashMap::from([("user_id".into(), AttributeValue::S(user.to_string()))])
}

/// The night that an item is of.
pub(crate) fn night_of(item: &Item) -> u64 {
    item["night"].as_n().unwrap().parse().unwrap()
}

fn by() -> By {
    By::new("tester", Timestamp::UNIX_EPOCH)
}

impl Nights {
    /// The dataset with nights 1 to `nights`, the last of them live; readers are to poll each `poll_seconds`.
    pub(crate) async fn new(nights: u64, poll_seconds: u32) -> Self {
        let emulator = Emulator::start().await;
        emulator.create_registry_table(REGISTRY).await;
        let client = emulator.backdoor();
        let registry = Registry::in_dynamodb(client.clone(), REGISTRY, Entropy::from_seed(7));
        let contract = NewContract {
            dataset: recs(),
            settings: Settings {
                table_pattern: "recs-*".into(),
                promotion: Promotion::Auto,
                keep_newest: 7,
                grace_minutes: 15,
                poll_seconds,
                order: Default::default(),
            },
            document: "{}".into(),
            digest: "d1".into(),
            over: None,
            reason: None,
        };
        registry.put_contract(&contract, &by()).await.unwrap().into_result().unwrap();
        let nights_so_far = Self { emulator, publisher: Arc::new(Publisher { registry, client }) };
        for _ in 0..nights {
            nights_so_far.pass(3).await;
        }
        nights_so_far
    }

    pub(crate) fn reader(&self) -> Builder {
        Reader::builder("recs").registry_table(REGISTRY).client(self.emulator.client()).poll_every(SOON)
    }

    /// Adds a night with this many users that passes its checks, and points at it.
    pub(crate) async fn pass(&self, users: usize) -> VersionNumber {
        let version = self.load(users).await;
        self.publisher.check(version, VerdictOutcome::Passed).await;
        self.publisher.promote(version).await;
        version
    }

    /// Adds a night that is announced and sealed.
    pub(crate) async fn load(&self, users: usize) -> VersionNumber {
        let night = self.publisher.registry.versions(&recs()).await.unwrap().len() as u64 + 1;
        let table = format!("recs-{night}");
        self.emulator.create_dataset_table(&table, "user_id", None).await;
        let item = |user: usize| serde_json::json!({"user_id": user.to_string(), "night": night});
        self.emulator.put_items(&table, (0..users).map(item)).await;
        self.publisher.announce(&table).await
    }

    pub(crate) async fn drop_table(&self, table: &str) {
        self.emulator.client().delete_table().table_name(table).send().await.unwrap();
    }
}

impl Publisher {
    pub(crate) async fn announce(&self, table: &str) -> VersionNumber {
        let announcement = Announcement {
            table: TableName::parse(table).unwrap(),
            table_arn: arn(table),
            table_id: TableId::parse(format!("id-of-{table}")).unwrap(),
            created_by: "tester".into(),
            noticed_by: "CreateTable".into(),
            patience: SignedDuration::from_hours(6),
            created_at: by().now,
            signal: None,
        };
        let version = self.registry.announce(&recs(), &announcement, &by()).await.unwrap();
        let version = version.into_result().unwrap().version;
        let ready = Readiness { rung: Rung::Signal, items: None, digest: None, by: None };
        self.registry.seal(&recs(), version, &ready.into(), &by()).await.unwrap().into_result().unwrap();
        version
    }

    pub(crate) async fn check(&self, version: VersionNumber, outcome: VerdictOutcome) {
        let lease = Lease { owner: "w".into(), until: Timestamp::UNIX_EPOCH + SignedDuration::from_mins(5) };
        let registry = &self.registry;
        registry.begin_check(&recs(), version, &lease, &by()).await.unwrap().into_result().unwrap();
        let conclusion = Conclusion {
            verdict: Verdict { outcome, reasons: vec![], warnings: vec![], at: Timestamp::UNIX_EPOCH },
            counts: None,
            digest: Some(format!("content of {version}")),
            promotion: Promotion::Auto,
        };
        let concluded = registry.conclude(&recs(), version, "w", &conclusion, &by()).await.unwrap();
        concluded.into_result().unwrap();
    }

    pub(crate) async fn promote(&self, version: VersionNumber) {
        let live = PointerName::live();
        self.registry.promote(&recs(), &live, version, &by()).await.unwrap().into_result().unwrap();
    }

    pub(crate) async fn roll_back(&self) -> Pointer {
        let request = PointRequest::new(Direction::Back(None), "bad night");
        let live = PointerName::live();
        self.registry.move_pointer(&recs(), &live, &request, &by()).await.unwrap().into_result().unwrap()
    }

    pub(crate) async fn release(&self) {
        let live = PointerName::live();
        self.registry
            .release(&recs(), &live, &ReleaseRequest::own("well again"), &by())
            .await
            .unwrap()
            .into_result()
            .unwrap();
    }

    /// Sets a number in the pointer item, behind the registry's back.
    pub(crate) async fn set_in_pointer(&self, attribute: &str, value: u64) {
        self.set("POINTER#live", attribute, AttributeValue::N(value.to_string())).await;
    }

    /// Points at a version in a way that the registry would never do.
    pub(crate) async fn forge_pointer(&self, version: u64, generation: u64) {
        self.set_in_pointer("generation", 0).await;
        self.set_in_pointer("version", version).await;
        let table = format!("recs-{version}");
        self.set("POINTER#live", "table_arn", AttributeValue::S(arn(&table))).await;
        self.set("POINTER#live", "table", AttributeValue::S(table)).await;
        self.set_in_pointer("generation", generation).await;
    }

    pub(crate) async fn set(&self, sort_key: &str, attribute: &str, value: AttributeValue) {
        let update = self.client.update_item().table_name(REGISTRY);
        let update = update
            .key("pk", AttributeValue::S("DATASET#recs".into()))
            .key("sk", AttributeValue::S(sort_key.into()))
            .update_expression("SET #a = :v")
            .expression_attribute_names("#a", attribute)
            .expression_attribute_values(":v", value);
        update.send().await.unwrap();
    }

    /// Drops a table past every fault and state.
    pub(crate) async fn drop_table(&self, table: &str) {
        self.client.delete_table().table_name(table).send().await.unwrap();
    }
}

/// Waits for something to come true.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .unwrap_or_else(|_| panic!("not yet: {what}"));
}

pub(crate) async fn until_serving(reader: &Reader, version: u64) {
    until(&format!("serving {version}"), async || reader.current().version == number(version)).await;
}

/// Waits until the reader has looked this often from now on.
pub(crate) async fn looks(nights: &Nights, looks: usize) {
    let look = Fault::delay("GetItem", Duration::ZERO).containing("POINTER#live").times(looks);
    let id = nights.emulator.inject(look);
    until("the reader looks", async || nights.emulator.fired_by(id) == looks).await;
    // The last of them is still to be answered.
    tokio::time::sleep(SOON).await;
}
