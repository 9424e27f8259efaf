//! A registry, queues, a table to fill, a third party and a store of secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use backfill::{Backfill, Config};
use jiff::{SignedDuration, Timestamp};
use septet_aws::{Caller, Queue};
use septet_emulator::Emulator;
use septet_recovery::http::Loopback;
use septet_recovery::ledger::{By, Outcome, Run};
use septet_recovery::secrets::Secrets;
use septet_recovery::{Feed, FeedName, Ledger};
use septet_registry::{DynamoDb, Entropy};
use septet_telemetry::{Clock, Invocation, Metrics, SystemClock};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

const REGISTRY: &str = "septet-registry";
const QUEUE: &str = "septet-recovery";
const DEAD_LETTERS: &str = "septet-recovery-dead-letters";
pub(crate) const FROM: i64 = 1_700_000_000;
pub(crate) const TO: i64 = FROM + 3600;

/// Rows that lack what all others have.
pub(crate) const UNRANKED: [u64; 3] = [12, 13, 200];

/// A third party with a row every ten seconds, two of them in the last second before each quarter of an hour.
struct Plays;

/// The rows' ids and times, some of them outside of the range.
pub(crate) fn rows() -> Vec<(u64, i64)> {
    let even = (0..400).map(|n| (n, FROM - 100 + n as i64 * 10));
    let edges =
        (0..=4).flat_map(|n| [(1000 + n, FROM + n as i64 * 900 - 1), (2000 + n, FROM + n as i64 * 900)]);
    even.chain(edges).collect()
}

pub(crate) fn lost() -> BTreeSet<u64> {
    rows().into_iter().filter(|(_, time)| (FROM..TO).contains(time)).map(|(id, _)| id).collect()
}

impl Respond for Plays {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let authorization = request.headers.get("authorization").and_then(|it| it.to_str().ok());
        if authorization != Some("Bearer t0ken") {
            return ResponseTemplate::new(401);
        }
        let query: BTreeMap<String, String> = request.url.query_pairs().into_owned().collect();
        let number = |name: &str| query.get(name).map(|text| text.parse::<i64>().unwrap());
        let (since, until) = (number("since").unwrap(), number("until").unwrap());
        let found: Vec<_> = rows().into_iter().filter(|(_, time)| (since..until).contains(time)).collect();
        let (start, size) = (number("cursor").unwrap_or(0) as usize, number("limit").unwrap() as usize);
        let end = (start + size).min(found.len());
        let page: Vec<_> = found[start.min(end)..end]
            .iter()
            .map(|(id, time)| match UNRANKED.contains(id) {
                true => json!({"id": id, "played_at": time}),
                false => json!({"id": id, "played_at": time, "rank": 1}),
            })
            .collect();
        let more = end < found.len();
        ResponseTemplate::new(200).set_body_json(json!({
            "plays": page, "meta": {"total": found.len(), "next": more.then_some(end), "has_more": more},
        }))
    }
}

/// What the store of secrets answers, and what it was asked.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    answers: Vec<(u16, Value)>,
    asked: Vec<Request>,
}

impl Respond for Store {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut held = self.0.lock().unwrap();
        held.asked.push(request.clone());
        let answers = &mut held.answers;
        let (status, body) = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        ResponseTemplate::new(status).set_body_json(body)
    }
}

impl Store {
    /// What it answers from now on; the last stays.
    pub(crate) fn answers(&self, answers: impl IntoIterator<Item = (u16, Value)>) {
        self.0.lock().unwrap().answers = answers.into_iter().collect();
    }

    pub(crate) fn asked(&self) -> Vec<Request> {
        self.0.lock().unwrap().asked.clone()
    }
}

pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) backfill: Backfill,
    pub(crate) store: Store,
    source: MockServer,
    _secrets: MockServer,
    delivered: Mutex<usize>,
}

pub(crate) fn plays() -> FeedName {
    FeedName::parse("plays").unwrap()
}

pub(crate) fn range(more: &str) -> String {
    let (from, to) = (Timestamp::from_second(FROM).unwrap(), Timestamp::from_second(TO).unwrap());
    format!(r#"{{"feed":"plays","from":"{from}","to":"{to}","reason":"it was silent","step":"15m"{more}}}"#)
}

impl World {
    pub(crate) async fn new() -> Self {
        let (source, secrets) = (MockServer::start().await, MockServer::start().await);
        Mock::given(any()).respond_with(Plays).mount(&source).await;
        let store = Store::default();
        store.answers([(200, json!({"SecretString": r#"{"token":"t0ken"}"#}))]);
        Mock::given(any()).respond_with(store.clone()).mount(&secrets).await;

        let emulator = Emulator::start().await;
        emulator.create_registry_table(REGISTRY).await;
        emulator.create_table("plays", &[("id", "N")]).await;
        let (queue_url, dead_letters_url) =
            (emulator.create_queue(QUEUE), emulator.create_queue(DEAD_LETTERS));
        let credentials =
            Credentials::new(emulator.access_key(Emulator::PRINCIPAL), "secret", None, None, "test");
        let sdk = |endpoint: &str| {
            SdkConfig::builder()
                .behavior_version(aws_config::BehaviorVersion::latest())
                .region(Region::from_static("us-east-1"))
                .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
                .endpoint_url(endpoint)
                .build()
        };
        let sqs = aws_sdk_sqs::Client::new(&sdk(emulator.endpoint()));
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(Entropy::from_seed(3)));
        let caller = |endpoint: &str| Arc::new(Caller::new(&sdk(endpoint), clock.clone(), entropy.clone()));
        let backfill = Backfill {
            ledger: Ledger::new(Arc::new(DynamoDb::new(emulator.client(), REGISTRY)), entropy.clone()),
            queue: Queue::new(sqs.clone(), &queue_url),
            dead_letters: Queue::new(sqs.clone(), &dead_letters_url),
            dynamodb: emulator.client(),
            sqs,
            secrets: Secrets::new(caller(&secrets.uri())),
            caller: caller(emulator.endpoint()),
            metrics: Metrics::to(std::io::sink()),
            clock,
            entropy,
            config: Config {
                registry_table: REGISTRY.into(),
                queue_url,
                dead_letters_url,
                loopback: Loopback::Allowed,
            },
        };
        let world = Self { emulator, backfill, store, source, _secrets: secrets, delivered: Mutex::new(0) };
        world.put(&world.feed()).await;
        world
    }

    /// The example feed, at the third party of this world, into the table of this world.
    pub(crate) fn feed(&self) -> String {
        include_str!("../../../../feeds/plays.yaml")
            .replace("https://api.example.com/v1", &format!("{}/v1", self.source.uri()))
            .replace("datetime_format: rfc3339", "datetime_format: epoch_s")
            .replace("cursor_granularity: 1ms", "cursor_granularity: 1s")
            .replace("  lookback_window: 5m\n", "")
            .replace("limit: 500", "limit: 7")
            .replace("calls: 10", "calls: 1000")
            .replace(
                "type: sqs\n  queue_url: https://sqs.eu-west-1.amazonaws.com/333333333333/plays\nother",
                "type: dynamodb\n  table: plays\n  version_attribute: played_at\nother",
            )
    }

    pub(crate) async fn put(&self, feed: &str) {
        let by = By { actor: "ann".into(), now: SystemClock.now() };
        let feed = Feed::parse(feed).unwrap();
        assert!(matches!(self.backfill.ledger.put_feed(&feed, &by).await.unwrap(), Outcome::Done(_)));
    }

    /// Delivers messages in one batch; the ids of those that come again.
    pub(crate) async fn deliver(&self, bodies: &[&str]) -> Vec<String> {
        let records: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(n, body)| {
                json!({"messageId": format!("m-{n}"), "body": body, "attributes": {"SenderId": "AIDA:ann"},
                       "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "us-east-1"})
            })
            .collect();
        let answer = self.backfill.handle(json!({"Records": records}), &self.invocation(20)).await.unwrap();
        let answer = serde_json::to_value(answer).unwrap();
        let failed = answer["batchItemFailures"].as_array().unwrap().iter();
        failed.map(|it| it["itemIdentifier"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn invocation(&self, seconds: i64) -> Invocation {
        let now = SystemClock.now();
        let id = format!("r-{}", self.backfill.entropy.id(now));
        Invocation { id, now, deadline: now + SignedDuration::from_secs(seconds) }
    }

    /// Orders on the queue that were not delivered yet.
    pub(crate) fn orders(&self) -> Vec<String> {
        let sent = self.emulator.sent(QUEUE);
        let mut delivered = self.delivered.lock().unwrap();
        let new =
            sent[*delivered..].iter().map(|it| it["MessageBody"].as_str().unwrap().to_owned()).collect();
        *delivered = sent.len();
        new
    }

    /// Delivers what is on the queue until nothing is.
    pub(crate) async fn drain(&self) {
        for _ in 0..50 {
            let orders = self.orders();
            if orders.is_empty() {
                return;
            }
            let bodies: Vec<_> = orders.iter().map(String::as_str).collect();
            assert_eq!(self.deliver(&bodies).await, Vec::<String>::new());
        }
        panic!("it never ends");
    }

    /// Messages in the dead letters: the body and the reason that came with it.
    pub(crate) fn buried(&self) -> Vec<(String, String)> {
        let sent = self.emulator.sent(DEAD_LETTERS);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reason = |it: &Value| text(&it["MessageAttributes"]["septet.refused"]["StringValue"]);
        sent.iter().map(|it| (text(&it["MessageBody"]), reason(it))).collect()
    }

    pub(crate) async fn runs(&self) -> Vec<Run> {
        self.backfill.ledger.runs(&plays()).await.unwrap()
    }

    /// Ids of the records in the table.
    pub(crate) async fn found(&self) -> BTreeSet<u64> {
        let items = self.emulator.items("plays").await;
        items.iter().map(|item| item["id"].as_n().unwrap().parse().unwrap()).collect()
    }
}
