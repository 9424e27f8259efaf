//! Queues and tables that take a part, refuse a part, or answer nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::Timestamp;
use septet_aws::Caller;
use septet_recovery::port::{DeadLetters, Delivery, Parcel, Sink, Stamp};
use septet_recovery::sink::{DynamoDbSink, SqsDeadLetters, SqsSink};
use septet_registry::{Entropy, SystemClock};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

fn stamp() -> Stamp {
    let run = uuid::Uuid::from_u128(7);
    Stamp { feed: "plays".into(), run, window: Timestamp::UNIX_EPOCH, generation: 2 }
}

#[derive(Clone, Default)]
struct Queue(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    taken: Vec<Value>,
    calls: Vec<Vec<String>>,
    /// Ids whose next sending fails for a while, with how often.
    busy: BTreeMap<String, u32>,
    /// Ids that are never taken.
    refused: BTreeSet<String>,
    /// Calls that are answered with an error.
    errors: u32,
    /// Ids of which the answer does not speak.
    silent: BTreeSet<String>,
}

impl Respond for Queue {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = request.body_json().unwrap();
        let mut held = self.0.lock().unwrap();
        if held.errors > 0 {
            held.errors -= 1;
            let error = json!({"__type": "com.amazonaws.sqs#RequestThrottled", "message": "slow down"});
            return ResponseTemplate::new(400).set_body_json(error);
        }
        let Some(entries) = body["Entries"].as_array() else {
            held.taken.push(body);
            return ResponseTemplate::new(200)
                .set_body_json(json!({"MessageId": "m", "MD5OfMessageBody": ""}));
        };
        let ids = entries.iter().map(|entry| {
            entry["MessageAttributes"]["septet.record_id"]["StringValue"].as_str().unwrap().to_owned()
        });
        held.calls.push(ids.collect());
        let (mut successful, mut failed) = (vec![], vec![]);
        for entry in entries {
            let id =
                entry["MessageAttributes"]["septet.record_id"]["StringValue"].as_str().unwrap().to_owned();
            if held.refused.contains(&id) {
                failed.push(json!({"Id": entry["Id"], "SenderFault": true, "Code": "InvalidMessageContents", "Message": "no"}));
            } else if held.busy.get(&id).is_some_and(|times| *times > 0) {
                *held.busy.entry(id).or_default() -= 1;
                failed.push(json!({"Id": entry["Id"], "SenderFault": false, "Code": "InternalError"}));
            } else if held.silent.remove(&id) {
            } else {
                held.taken.push(entry.clone());
                successful.push(json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""}));
            }
        }
        ResponseTemplate::new(200).set_body_json(json!({"Successful": successful, "Failed": failed}))
    }
}

async fn queue() -> (MockServer, Queue, SdkConfig) {
    let (server, queue) = (MockServer::start().await, Queue::default());
    Mock::given(any()).respond_with(queue.clone()).mount(&server).await;
    let credentials = Credentials::new("a", "b", None, None, "test");
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(server.uri())
        .retry_config(RetryConfig::disabled())
        .credentials_provider(SharedCredentialsProvider::new(credentials));
    (server, queue, sdk.build())
}

fn caller(sdk: &SdkConfig) -> Arc<Caller> {
    Arc::new(Caller::new(sdk, Arc::new(SystemClock), entropy()))
}

fn entropy() -> Arc<Entropy> {
    Arc::new(Entropy::from_seed(3))
}

fn ids(held: &Held) -> Vec<String> {
    let id = |entry: &Value| {
        entry["MessageAttributes"]["septet.record_id"]["StringValue"].as_str().unwrap().to_owned()
    };
    held.taken.iter().map(id).collect()
}

async fn send(sink: &dyn Sink, bodies: &[String]) -> Result<Delivery, String> {
    let (stamp, names) = (stamp(), (0..bodies.len()).map(|n| n.to_string()).collect::<Vec<_>>());
    let parcels: Vec<_> = bodies
        .iter()
        .zip(&names)
        .map(|(body, id)| Parcel { body, id, time: Some(Timestamp::UNIX_EPOCH), stamp: &stamp })
        .collect();
    sink.send(&parcels).await.map_err(|error| error.to_string())
}

fn bodies(count: usize) -> Vec<String> {
    (0..count).map(|n| format!(r#"{{"id": {n}, "user": "u{}"}}"#, n % 3)).collect()
}

#[tokio::test]
async fn only_what_failed_is_sent_again_and_a_senders_fault_never() {
    let (_server, queue, sdk) = queue().await;
    {
        let mut held = queue.0.lock().unwrap();
        held.busy = BTreeMap::from([("3".into(), 2), ("14".into(), 1)]);
        held.refused = BTreeSet::from(["7".into()]);
        held.silent = BTreeSet::from(["21".into()]);
    }
    let sink = SqsSink::standard(caller(&sdk), "http://q/plays", entropy());
    let delivery = send(&sink, &bodies(25)).await.unwrap();
    assert_eq!(delivery, Delivery { injected: 24, poison: vec![(7, "InvalidMessageContents: no".into())] });
    let held = queue.0.lock().unwrap();
    let mut taken: Vec<u32> = ids(&held).iter().map(|id| id.parse().unwrap()).collect();
    taken.sort_unstable();
    assert_eq!(taken, (0..25).filter(|n| *n != 7).collect::<Vec<_>>(), "each once");
    assert_eq!(held.calls.iter().rfind(|call| call.contains(&"3".to_owned())).unwrap(), &["3"]);
    let first =
        &held.taken.iter().find(|entry| entry["MessageBody"] == r#"{"id": 4, "user": "u1"}"#).unwrap();
    let said: BTreeMap<_, _> = first["MessageAttributes"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str(), value["StringValue"].as_str().unwrap()))
        .collect();
    let expected = [
        ("septet.event_time", "1970-01-01T00:00:00Z"),
        ("septet.generation", "2"),
        ("septet.record_id", "4"),
        ("septet.recovered", "true"),
        ("septet.run", "00000000-0000-0000-0000-000000000007"),
        ("septet.window", "1970-01-01T00:00:00Z"),
    ];
    assert_eq!(said, BTreeMap::from(expected));
    assert!(first.get("MessageGroupId").is_none());
}

#[tokio::test]
async fn what_is_written_is_what_the_sdk_would_write() {
    use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
    let (server, _queue, sdk) = queue().await;
    let bodies =
        ["{\"a\":\"é\\n\\\"\u{1f600}\u{7f}\"}".to_owned(), "\t\r\n \\ / <&>".to_owned(), String::new()];
    let sink = SqsSink::fifo(caller(&sdk), "http://q/\"plays\".fifo", None, entropy());
    for body in &bodies {
        send(&sink, std::slice::from_ref(body)).await.unwrap();
        let ours = server.received_requests().await.unwrap().pop().unwrap();
        let said: Value = ours.body_json().unwrap();
        let said = &said["Entries"][0];
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        let mut entry = SendMessageBatchRequestEntry::builder()
            .id(text("Id"))
            .message_body(body)
            .message_group_id("plays")
            .message_deduplication_id(text("MessageDeduplicationId"));
        for (name, value) in said["MessageAttributes"].as_object().unwrap() {
            let value = value["StringValue"].as_str().unwrap();
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            entry = entry.message_attributes(name, value.unwrap());
        }
        let call = aws_sdk_sqs::Client::new(&sdk).send_message_batch().queue_url("http://q/\"plays\".fifo");
        call.entries(entry.build().unwrap()).send().await.unwrap();
        let theirs = server.received_requests().await.unwrap().pop().unwrap();
        assert_eq!(ours.body_json::<Value>().unwrap(), theirs.body_json::<Value>().unwrap());
        assert_eq!((&ours.method, &ours.url), (&theirs.method, &theirs.url));
        for header in ["content-type", "x-amz-target"] {
            assert_eq!(ours.headers[header], theirs.headers[header], "{header}");
        }
    }
}

#[tokio::test]
async fn a_queue_that_takes_nothing_is_no_success() {
    let (_server, queue, sdk) = queue().await;
    let sink = SqsSink::standard(caller(&sdk), "http://q/plays", entropy());
    queue.0.lock().unwrap().errors = 4;
    let found = send(&sink, &bodies(3)).await.unwrap_err();
    assert!(found.contains("RequestThrottled"), "{found}");
    assert_eq!(send(&sink, &bodies(3)).await.unwrap().injected, 3);
}

#[tokio::test]
async fn a_fifo_queue_keeps_the_order_of_each_group_through_failures() {
    let (_server, queue, sdk) = queue().await;
    queue.0.lock().unwrap().busy = BTreeMap::from([("4".into(), 1), ("15".into(), 2)]);
    let path = septet_recovery::feed::Path::parse("user").unwrap();
    let sink = SqsSink::fifo(caller(&sdk), "http://q/plays.fifo", Some(&path), entropy());
    // One group only, so that its order is the whole.
    let one: Vec<_> = (0..22).map(|n| format!(r#"{{"id":{n},"user":"a b"}}"#)).collect();
    assert_eq!(send(&sink, &one).await.unwrap().injected, 22);
    let held = queue.0.lock().unwrap();
    let groups: BTreeSet<_> =
        held.taken.iter().map(|entry| entry["MessageGroupId"].as_str().unwrap()).collect();
    assert_eq!(groups.len(), 1);
    let once: BTreeSet<_> =
        held.taken.iter().map(|entry| entry["MessageDeduplicationId"].as_str().unwrap()).collect();
    assert_eq!(once.len(), 22);
    let taken: Vec<u32> = ids(&held).iter().map(|id| id.parse().unwrap()).collect();
    assert!(taken.is_sorted(), "{taken:?}");
}

#[tokio::test]
async fn a_dead_letter_says_why_and_holds_what_no_queue_takes() {
    let (_server, queue, sdk) = queue().await;
    let dead = SqsDeadLetters::new(aws_sdk_sqs::Client::new(&sdk), "http://q/dead");
    let (stamp, body) = (stamp(), format!("{{\"x\":\"\u{fffe}{}\"}}", "é".repeat(600_000)));
    let parcel = Parcel { body: &body, id: "9", time: None, stamp: &stamp };
    dead.bury(&parcel, "too large").await.unwrap();
    let held = queue.0.lock().unwrap();
    let letter = held.taken[0]["MessageBody"].as_str().unwrap();
    assert!(letter.len() < 200_000 && !letter.contains('\u{fffe}'));
    let letter: Value = serde_json::from_str(letter).unwrap();
    assert_eq!(
        (&letter["reason"], &letter["record_id"], &letter["bytes"]),
        (&json!("too large"), &json!("9"), &json!(body.len()))
    );
    assert!(letter["record"].as_str().unwrap().starts_with("{\"x\":\"\u{fffe}é"));
}

#[derive(Clone, Default)]
struct Table(Arc<Mutex<BTreeMap<String, (i64, Value)>>>);

impl Respond for Table {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = request.body_json().unwrap();
        assert_eq!(body["ConditionExpression"], "attribute_not_exists(#version) OR #version < :version");
        let error = |kind: &str| {
            ResponseTemplate::new(400).set_body_json(
                json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": "no"}),
            )
        };
        let item = &body["Item"];
        let version: i64 =
            body["ExpressionAttributeValues"][":version"]["N"].as_str().unwrap().parse().unwrap();
        let Some(id) = item["id"]["S"].as_str() else { return error("ValidationException") };
        if id == "busy" {
            return error("ProvisionedThroughputExceededException");
        }
        let mut held = self.0.lock().unwrap();
        if held.get(id).is_some_and(|(known, _)| *known >= version) {
            return error("ConditionalCheckFailedException");
        }
        held.insert(id.to_owned(), (version, item.clone()));
        ResponseTemplate::new(200).set_body_json(json!({}))
    }
}

#[tokio::test]
async fn a_table_keeps_the_newer_item() {
    let (server, table) = (MockServer::start().await, Table::default());
    Mock::given(any()).respond_with(table.clone()).mount(&server).await;
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(aws_sdk_dynamodb::config::Region::new("eu-west-1"))
        .endpoint_url(server.uri())
        .retry_config(RetryConfig::disabled())
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .build();
    let sink = DynamoDbSink::new(aws_sdk_dynamodb::Client::from_conf(config), "plays", "at");
    let bodies: Vec<String> = [
        r#"{"id":"a","at":7,"tags":["x",null,true,{"n":1.5}]}"#,
        r#"{"id":"b","at":3}"#,
        r#"{"id":7,"at":3}"#,
        r#"{"id":"c"}"#,
        r#"[1]"#,
    ]
    .map(str::to_owned)
    .into();
    let mut delivery = send(&sink, &bodies).await.unwrap();
    delivery.poison.sort();
    let reasons: Vec<_> = delivery.poison.iter().map(|(index, reason)| (*index, reason.as_str())).collect();
    assert_eq!(reasons, [(2, "no"), (3, "it has no text or number at"), (4, "the record is no object")]);
    assert_eq!(delivery.injected, 2);
    let older = [r#"{"id":"a","at":6}"#.to_owned(), r#"{"id":"b","at":4}"#.to_owned()];
    assert_eq!(send(&sink, &older).await.unwrap().injected, 2, "an older record is taken care of");
    let held = table.0.lock().unwrap().clone();
    assert_eq!((held["a"].0, held["b"].0), (7, 4));
    assert_eq!(
        held["a"].1["tags"],
        json!({"L": [{"S": "x"}, {"NULL": true}, {"BOOL": true}, {"M": {"n": {"N": "1.5"}}}]})
    );
    let busy = [r#"{"id":"busy","at":1}"#.to_owned()];
    assert!(send(&sink, &busy).await.unwrap_err().contains("ProvisionedThroughput"));
}
