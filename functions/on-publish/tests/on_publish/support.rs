//! A world to publish in: DynamoDB in process, a registry with a dataset, a clock, a queue that is looked into.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use jiff::{SignedDuration, Timestamp};
use on_publish::{
    Answer, Capacity, Config, DeadLetter, Error, Handler, Later, Letter, Operations, Queue, QueueError,
    Sharing, Summary,
};
use septet_aws::CallError;
use septet_contract::Contract;
use septet_emulator::Emulator;
use septet_registry::invariants::{self, Snapshot};
use septet_registry::{
    Action, By, DatasetName, Entropy, NewContract, Pointer, PointerName, Promotion, Record, Registry,
    Settings, TableName, Version,
};
use septet_tables::{SealPolicy, Tables};
use septet_telemetry::{Clock, Invocation, Metrics};
use septet_verdict::Lambda;
use serde_json::{Value, json};

pub(crate) const REGISTRY: &str = "septet-registry";
pub(crate) const TABLE: &str = "recs-2026-11-21";

pub(crate) const CONTRACT: &str = r##"
apiVersion: v3.1.0
kind: DataContract
id: 6f6f0b0e-3a3a-4d7e-9f55-5e97c0de0001
name: recs
version: 1.0.0
status: active
schema:
  - name: recs
    logicalType: object
    physicalType: table
    properties:
      - name: user_id
        logicalType: string
        physicalType: S
        required: true
        primaryKey: true
        primaryKeyPosition: 1
      - name: recs
        logicalType: array
        physicalType: L
        required: true
        items:
          logicalType: object
          physicalType: M
          properties:
            - {name: track_id, logicalType: string, physicalType: S, required: true}
            - {name: score, logicalType: number, physicalType: N, required: true}
    quality:
      - {id: enough_users, metric: rowCount, mustBeBetween: [3, 1000], unit: rows, severity: error}
customProperties:
  - {property: septet.tablePattern, value: "recs-*"}
  - {property: septet.promotion, value: auto}
"##;

/// When every story begins.
pub(crate) fn start() -> Timestamp {
    "2026-11-21T02:00:00Z".parse().unwrap()
}

/// A clock that is moved by hand, and a millisecond by itself each time it is read: what happens after
/// something else happens later.
#[derive(Debug)]
pub(crate) struct Hand(Mutex<Timestamp>);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        let mut now = self.0.lock().unwrap();
        *now += SignedDuration::from_millis(1);
        *now
    }
}

impl Hand {
    pub(crate) fn on(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now += SignedDuration::try_from(by).unwrap();
    }
}

/// What was put back onto the queue.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<VecDeque<Later>>, Mutex<bool>, Mutex<Vec<DeadLetter>>);

#[async_trait]
impl Queue for Shelf {
    async fn put_back(&self, later: &Later) -> Result<(), QueueError> {
        if *self.1.lock().unwrap() {
            let source = std::io::Error::other("the queue is closed").into();
            let (queue, code) = ("queue".into(), "no answer".into());
            return Err(QueueError::Failed { queue, code, retryable: true, source });
        }
        self.0.lock().unwrap().push_back(later.clone());
        Ok(())
    }

    async fn bury(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        self.2.lock().unwrap().push(letter.clone());
        Ok(())
    }
}

impl Shelf {
    pub(crate) fn close(&self) {
        *self.1.lock().unwrap() = true;
    }

    pub(crate) fn take(&self) -> Option<Later> {
        self.0.lock().unwrap().pop_front()
    }

    /// Kinds of the errors of the messages that went to the dead letters.
    pub(crate) fn buried(&self) -> Vec<&'static str> {
        self.2.lock().unwrap().iter().map(|letter| letter.kind).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Capacity units that tables consumed, as the test says.
#[derive(Debug, Default)]
pub(crate) struct Consumed(Mutex<Vec<(TableName, Operations, Timestamp, f64)>>);

impl Consumed {
    pub(crate) fn add(&self, table: &str, operations: Operations, at: Timestamp, units: f64) {
        self.0.lock().unwrap().push((name(table), operations, at, units));
    }
}

#[async_trait]
impl Capacity for Consumed {
    async fn consumed(
        &self,
        table: &TableName,
        operations: Operations,
        since: Timestamp,
        until: Timestamp,
        period: SignedDuration,
    ) -> Result<Vec<(Timestamp, f64)>, CallError> {
        let counted = self.0.lock().unwrap();
        let of = counted
            .iter()
            .filter(|(of, which, at, _)| of == table && *which == operations && (since..until).contains(at));
        let begins = |at: &Timestamp| at.as_second().div_euclid(period.as_secs()) * period.as_secs();
        Ok(of.map(|(_, _, at, units)| (Timestamp::from_second(begins(at)).unwrap(), *units)).collect())
    }
}

/// Lines of metrics.
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
    pub(crate) clock: Arc<Hand>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) lines: Lines,
    /// Where functions of publishers are; nobody is there unless a test is.
    pub(crate) lambda: String,
    pub(crate) sharing: Sharing,
    pub(crate) capacity: Arc<Consumed>,
    invocations: Mutex<u32>,
}

pub(crate) fn recs() -> DatasetName {
    DatasetName::parse("recs").unwrap()
}

pub(crate) fn good_item(user: usize) -> Value {
    json!({"user_id": format!("u-{user:03}"), "recs": [{"track_id": format!("t-{user}"), "score": 0.5}]})
}

impl World {
    /// A world with the dataset `recs` and no table.
    pub(crate) async fn empty() -> Self {
        let emulator = Emulator::start().await;
        emulator.create_registry_table(REGISTRY).await;
        let registry = Registry::in_dynamodb(emulator.backdoor(), REGISTRY, Entropy::from_seed(1));
        let world = Self {
            emulator,
            registry,
            clock: Arc::new(Hand(Mutex::new(start()))),
            shelf: Arc::default(),
            lines: Lines::default(),
            lambda: "http://127.0.0.1:9".into(),
            sharing: Sharing::default(),
            capacity: Arc::default(),
            invocations: Mutex::new(0),
        };
        world.put_contract(CONTRACT).await;
        world.create_from(world.clock.now());
        world
    }

    /// Has tables created from now on say that they were created then.
    pub(crate) fn create_from(&self, at: Timestamp) {
        self.emulator.settings(|settings| settings.created_at = Some(at.as_millisecond() as f64 / 1000.0));
    }

    /// A world with the dataset `recs` and a good table of it.
    pub(crate) async fn with_table() -> Self {
        let world = Self::empty().await;
        world.table(TABLE, 8).await;
        world
    }

    /// Creates a good table of so many users.
    pub(crate) async fn table(&self, name: &str, users: usize) {
        self.emulator.create_dataset_table(name, "user_id", None).await;
        self.emulator.put_items(name, (0..users).map(good_item)).await;
    }

    pub(crate) async fn put_contract(&self, text: &str) {
        let contract = Contract::parse(text).unwrap_or_else(|found| panic!("{found:?}"));
        let settings = contract.settings();
        let dataset = DatasetName::parse(contract.name()).unwrap();
        let known = self.registry.find_dataset(&dataset).await.unwrap();
        let new = NewContract {
            dataset,
            settings: Settings {
                table_pattern: settings.table_pattern.to_string(),
                promotion: match settings.promotion {
                    septet_contract::Promotion::Auto => Promotion::Auto,
                    septet_contract::Promotion::Manual => Promotion::Manual,
                },
                keep_newest: settings.keep_newest,
                grace_minutes: settings.grace_minutes,
                poll_seconds: settings.poll_seconds,
                order: Default::default(),
            },
            document: contract.to_json().to_owned(),
            digest: contract.digest(),
            over: known.map(|known| known.contract),
            reason: None,
        };
        let put = self.registry.put_contract(&new, &By::new("tester", self.clock.now())).await.unwrap();
        assert!(put.is_done(), "{put:?}");
    }

    pub(crate) fn config() -> Config {
        Config {
            registry_table: REGISTRY.into(),
            queue_url: "http://127.0.0.1/queue".into(),
            dead_letters_url: "http://127.0.0.1/dead-letters".into(),
            seal_policy: SealPolicy::new([Emulator::PRINCIPAL]).unwrap(),
            patience: SignedDuration::from_hours(24),
            sharing: Sharing::default(),
        }
    }

    /// A fresh process of the function that talks to DynamoDB through `client`.
    pub(crate) fn process(&self, client: Client) -> Handler {
        self.process_with(client, self.shelf.clone())
    }

    pub(crate) fn process_with(&self, client: Client, queue: Arc<dyn Queue>) -> Handler {
        let config = Config { sharing: self.sharing, ..Self::config() };
        let seed = u64::from(*self.invocations.lock().unwrap()) + 1000;
        let registry = Registry::in_dynamodb(client.clone(), REGISTRY, Entropy::from_seed(seed));
        let tables = Tables::new(client, config.seal_policy.clone());
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "AKIDTEST", "secret", None, None, "test",
            )))
            .endpoint_url(&self.lambda)
            .build();
        let (functions, metrics) = (Arc::new(Lambda::new(&sdk)), Metrics::to(self.lines.clone()));
        let capacity = self.capacity.clone();
        let clock = self.clock.clone();
        Handler { registry, tables, queue, functions, capacity, metrics, clock, config }
    }

    /// A new invocation that may take a minute.
    pub(crate) fn invocation(&self) -> Invocation {
        let mut number = self.invocations.lock().unwrap();
        *number += 1;
        let now = self.clock.now();
        let deadline = now + SignedDuration::from_mins(1);
        Invocation { id: format!("invocation-{number}"), now, deadline }
    }

    pub(crate) fn letter(&self, body: &Value) -> Letter {
        Letter {
            body: body.to_string(),
            hops: 0,
            sent_at: self.clock.now(),
            table_id: None,
            is_redriven: false,
        }
    }

    /// Handles a message in a fresh process.
    pub(crate) async fn say(&self, body: &Value) -> Result<Summary, Error> {
        let letter = self.letter(body);
        self.hand(&letter).await
    }

    pub(crate) async fn hand(&self, letter: &Letter) -> Result<Summary, Error> {
        self.process(self.emulator.client()).one(letter, &self.invocation()).await
    }

    /// Handles what was put back, each when its time has come, until nothing is left.
    pub(crate) async fn drain(&self) -> Vec<Result<Summary, Error>> {
        let mut ends = Vec::new();
        while let Some(later) = self.shelf.take() {
            assert!(ends.len() < 50, "messages go round: {later:?}");
            self.clock.on(later.delay);
            ends.push(self.hand(&letter_of(&later)).await);
        }
        ends
    }

    /// Hands a batch to a fresh process; which messages failed.
    pub(crate) async fn batch(&self, bodies: &[String]) -> Vec<String> {
        let answer =
            self.process(self.emulator.client()).handle(batch(bodies), &self.invocation()).await.unwrap();
        match answer {
            Answer::Batch(answer) => {
                answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
            }
            Answer::Single(_) => panic!("a batch is answered as a batch"),
        }
    }

    pub(crate) async fn versions(&self) -> Vec<Version> {
        self.registry.versions(&recs()).await.unwrap()
    }

    /// The only version there is.
    pub(crate) async fn version(&self) -> Version {
        let mut versions = self.versions().await;
        assert_eq!(versions.len(), 1, "{versions:?}");
        versions.remove(0)
    }

    pub(crate) async fn live(&self) -> Option<Pointer> {
        self.registry.pointer(&recs(), &PointerName::live()).await.unwrap()
    }

    pub(crate) async fn records(&self) -> Vec<Record> {
        let mut records = self.registry.log(&recs(), None).await.unwrap();
        records.reverse();
        records
    }

    /// What was done to a version, in the order of the log.
    pub(crate) async fn actions(&self, version: &Version) -> Vec<Action> {
        let records = self.records().await.into_iter();
        records.filter(|it| it.version == Some(version.version)).map(|it| it.action).collect()
    }

    /// The sum of a metric over all datasets.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter_map(|line| line[name].as_f64()).sum()
    }

    /// Fails if an invariant of the registry is broken.
    pub(crate) async fn assert_sound(&self) {
        let snapshot = Snapshot {
            dataset: self.registry.dataset(&recs()).await.unwrap(),
            versions: self.versions().await,
            pointers: self.registry.pointers(&recs()).await.unwrap(),
            records: self.records().await,
        };
        assert_eq!(invariants::broken(&snapshot, self.clock.now()), Vec::<String>::new());
    }

    /// Whether a write to the table is refused to somebody who has no part in the seal.
    pub(crate) async fn is_sealed(&self, table: &str) -> bool {
        let stranger = self.emulator.client_of("arn:aws:iam::000000000000:role/admin");
        let put = stranger.put_item().table_name(table);
        let put = put.item("user_id", aws_sdk_dynamodb::types::AttributeValue::S("intruder".into()));
        put.send().await.is_err()
    }
}

pub(crate) fn letter_of(later: &Later) -> Letter {
    let sent_at = Timestamp::from_millisecond(later.sent_at).unwrap();
    Letter {
        body: later.body.clone(),
        hops: later.hops,
        sent_at,
        table_id: later.table_id.clone(),
        is_redriven: false,
    }
}

/// A batch of the queue; the messages are named `m-0`, `m-1` and so on.
pub(crate) fn batch(bodies: &[String]) -> Value {
    let sent = start().as_millisecond() + 1000;
    let records: Vec<_> = bodies
        .iter()
        .enumerate()
        .map(|(at, body)| {
            json!({"messageId": format!("m-{at}"), "body": body, "eventSource": "aws:sqs",
                "attributes": {"SentTimestamp": sent.to_string()}})
        })
        .collect();
    json!({"Records": records})
}

pub(crate) fn name(table: &str) -> TableName {
    TableName::parse(table).unwrap()
}

pub(crate) fn signal(table: &str) -> Value {
    json!({"table": table, "by": "nightly job"})
}

pub(crate) fn manifest(table: &str, items: u64) -> Value {
    json!({"table": table, "items": items, "by": "nightly job"})
}

pub(crate) fn reminder(table: &str) -> Value {
    json!({"look_at": table, "reason": "unfinished"})
}

/// A record of a successful call on a table, as EventBridge delivers it.
pub(crate) fn record(call: &str, table: &str) -> Value {
    let asked = match call {
        "ImportTable" => json!({"tableCreationParameters": {"tableName": table}}),
        "RestoreTableFromBackup" | "RestoreTableToPointInTime" => json!({"targetTableName": table}),
        "TagResource" => {
            json!({"resourceArn": format!("arn:aws:dynamodb:us-east-1:000000000000:table/{table}")})
        }
        _ => json!({"tableName": table}),
    };
    json!({
        "version": "0", "id": "1", "source": "aws.dynamodb", "detail-type": "AWS API Call via CloudTrail",
        "detail": {
            "eventSource": "dynamodb.amazonaws.com", "eventName": call, "eventID": "e-1",
            "requestParameters": asked, "responseElements": null,
            "userIdentity": {"type": "AssumedRole", "principalId": "AROA1:nightly",
                "arn": "arn:aws:sts::1:assumed-role/job/nightly",
                "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/job"}}},
        },
    })
}

impl World {
    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }
}
