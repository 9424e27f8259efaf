//! One read through the reader against the SDK's own `GetItem`.
//!
//! Both take turns in one process, with one client and one connection, so that nothing but the reader differs; the
//! server is another process, which answers from what it was given, without TLS: that would only make both dearer.

use std::collections::HashMap;
use std::process::Command;

use anyhow::{Context, bail};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use septet_reader::{Key, Reader};
use septet_registry::{
    ContractNumber, DatasetName, Pointer, PointerName, State, TableId, TableName, Version, VersionNumber,
};
use serde_json::{Map, Value, json};

use crate::bench::Bench;
use crate::process::{Process, own_cpu};
use crate::report::Row;
use crate::server::{self, Request, Response};

const REGISTRY: &str = "septet-registry";
const TABLE: &str = "recs-2026-11-21";
const ARN: &str = "arn:aws:dynamodb:us-east-1:111122223333:table/recs-2026-11-21";
/// Reads in a measurement.
const READS: usize = 500;
/// Pairs for each of other benchmarks: here a pair is a fraction of a second, and hundredths matter.
const PAIRS: usize = 6;

pub(crate) async fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let server = server::serve(None, async |request| answer(&request)).await?;
    let mut command = Command::new(std::env::current_exe()?);
    let pairs = bench.pairs * PAIRS;
    command.arg("reads").arg(format!("http://{}", server.address)).arg(pairs.to_string()).env_clear();
    let log = bench.directory.join("reads");
    Process::start(command, &log)?.succeeded().await?;
    let pairs: Vec<(f64, f64)> = serde_json::from_str(&std::fs::read_to_string(&log)?)?;
    Ok(vec![Row::times_theirs("reader get vs sdk GetItem", "CPU µs of a read", &pairs).goal(1.02)])
}

/// The process that reads: microseconds of processor time of one read, for each pair ours and theirs.
pub(crate) async fn measure(endpoint: &str, pairs: usize) -> anyhow::Result<Vec<(f64, f64)>> {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "benchmark"))
        .endpoint_url(endpoint);
    let client = Client::from_conf(config.build());
    let reader = Reader::builder("recs").registry_table(REGISTRY).client(client.clone()).start().await?;
    let ours = async || {
        measured(async |key| reader.get(key).await?.context("there is no such item").map(drop)).await
    };
    let theirs = async || {
        measured(async |key| {
            let answer = client.get_item().table_name(ARN).set_key(Some(key)).send().await?;
            answer.item.context("there is no such item").map(drop)
        })
        .await
    };
    // The reader's first sign of life goes out meanwhile.
    ours().await?;
    theirs().await?;
    let mut all = Vec::with_capacity(pairs);
    for round in 0..pairs {
        all.push(if round % 2 == 0 {
            let ours = ours().await?;
            (ours, theirs().await?)
        } else {
            let theirs = theirs().await?;
            (ours().await?, theirs)
        });
    }
    Ok(all)
}

async fn measured(read: impl AsyncFn(Key) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let before = own_cpu()?;
    for user in 0..READS {
        read(HashMap::from([("user_id".into(), AttributeValue::S(user.to_string()))])).await?;
    }
    Ok((own_cpu()? - before).as_secs_f64() * 1e6 / READS as f64)
}

/// What DynamoDB would say.
fn answer(request: &Request) -> anyhow::Result<Response> {
    let target = request.headers().get("x-amz-target").context("no operation")?.to_str()?;
    let asked: Value = serde_json::from_slice(request.body())?;
    let item = match (target, asked["TableName"].as_str()) {
        ("DynamoDB_20120810.PutItem", Some(REGISTRY)) => return server::json(200, &json!({})),
        ("DynamoDB_20120810.GetItem", Some(REGISTRY)) => registry_item(asked["Key"]["sk"]["S"].as_str())?,
        ("DynamoDB_20120810.GetItem", Some(ARN)) => match asked["Key"]["user_id"]["S"].as_str() {
            Some(user) => recommendations(user),
            None => {
                let complaint = json!({
                    "__type": "com.amazon.coral.service#ValidationException",
                    "message": "The provided key element does not match the schema",
                });
                return server::json(400, &complaint);
            }
        },
        _ => bail!("{target} of {asked} was not expected"),
    };
    server::json(200, &json!({"Item": item}))
}

/// An item of about 1 KB, as a data science job would write it.
fn recommendations(user: &str) -> Value {
    let tracks: Vec<_> = (0..20)
        .map(|n| json!({"M": {"track_id": {"S": format!("t-{n:08}")}, "score": {"N": format!("0.{:04}", 9999 - n)}}}))
        .collect();
    json!({
        "user_id": {"S": user},
        "generated_at": {"S": "2026-11-21T02:00:00Z"},
        "model": {"S": "als-2026-11"},
        "recs": {"L": tracks},
    })
}

/// What the registry holds of a version that is live.
fn registry_item(sort_key: Option<&str>) -> anyhow::Result<Value> {
    let (dataset, version) = (DatasetName::parse("recs")?, VersionNumber::new(1));
    let (table, now) = (TableName::parse(TABLE)?, Timestamp::UNIX_EPOCH);
    let sort_key = sort_key.context("a key without sk")?;
    let item = match sort_key.split('#').next() {
        Some("POINTER") => serde_json::to_value(Pointer {
            dataset,
            pointer: PointerName::live(),
            version,
            table,
            table_arn: ARN.into(),
            generation: 1,
            previous: None,
            hold: None,
            moved_at: now,
            moved_by: "septet:on-publish".into(),
            reason: "it passed".into(),
            poll_seconds: 3600,
            trail: Vec::new(),
            ahead: Vec::new(),
            carried: Default::default(),
        })?,
        Some("VERSION") => serde_json::to_value(Version {
            dataset,
            version,
            table,
            table_arn: ARN.into(),
            table_id: TableId::parse("00000000-0000-4000-8000-000000000000")?,
            state: State::Valid,
            revision: 5,
            contract: ContractNumber::new(1),
            announced_at: now,
            announced_by: "data science".into(),
            entered_at: now,
            deadline: now,
            readiness: None,
            lease: None,
            sharing: None,
            attempts: 1,
            verdict: None,
            counts: None,
            digest: None,
            promotion_state: None,
            pointed_by: [PointerName::live()].into(),
            last_pointed_at: Some(now),
            delete_after: None,
            seal_id: None,
            created_at: None,
            as_of: None,
            first_live_at: None,
            withdrawn: None,
            discard: None,
            owner_protected: false,
            signal: None,
            untagged_at: None,
            offers: None,
            waits: None,
            carried: Default::default(),
        })?,
        _ => bail!("the registry was asked for {sort_key}"),
    };
    let mut item = attribute(&item)["M"].take();
    item["pk"] = json!({"S": "DATASET#recs"});
    item["sk"] = json!({"S": sort_key});
    item["format"] = json!({"N": "1"});
    Ok(item)
}

/// A value as DynamoDB writes it.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(truth) => json!({"BOOL": truth}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(values) => json!({"L": values.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(values) => {
            json!({"M": values.iter().map(|(name, value)| (name.clone(), attribute(value))).collect::<Map<_, _>>()})
        }
    }
}
