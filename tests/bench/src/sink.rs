//! Messages into a queue that takes eight milliseconds for a call: the sink of a recovery, with as many calls in flight as
//! it always has, against boto3 sending one call after the other.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use septet_aws::Caller;
use septet_recovery::port::{Parcel, Sink, Stamp};
use septet_recovery::sink::SqsSink;
use septet_registry::{Entropy, SystemClock};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use crate::bench::Bench;
use crate::plays;
use crate::process::{own_cpu, own_peak};
use crate::queue::Queues;
use crate::recovery::SCRIPT;
use crate::report::Row;
use crate::taken::{Taken, taken};

const LATENCY: Duration = Duration::from_millis(8);
/// Calls that the sink has in flight, and messages of each.
const IN_FLIGHT: f64 = 16.0;
const BATCH: f64 = 10.0;
/// Messages of a measurement, by how fast those are that send them.
const MANY: usize = 16_000;
const FEW: usize = 1_000;
/// Messages that are sent first, for connections to be made.
const FIRST: usize = 320;

pub(crate) async fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let queues = Queues::serve(LATENCY).await?;
    let done = async |command: Command, messages: usize| {
        queues.expect(messages);
        let taken = taken(command, &bench.directory, messages).await?;
        queues.check()?;
        anyhow::Ok(taken)
    };
    let ours = async || {
        let mut command = Command::new(std::env::current_exe()?);
        command.env_clear().args(["sink", &queues.endpoint(), &MANY.to_string()]);
        done(command, MANY).await
    };
    let boto3 = async || {
        let mut command = Command::new(&bench.python);
        command.env_clear().args([SCRIPT, "messages", "none", &queues.endpoint()]);
        command.args([&FEW.to_string(), "1"]).arg(&bench.directory);
        done(command, FEW).await
    };
    let pairs = bench.pairs(ours, boto3).await?;
    let of = |value: fn(&Taken) -> f64| -> Vec<_> {
        pairs.iter().map(|(ours, theirs)| (value(ours), value(theirs))).collect()
    };
    let ceiling = BATCH * IN_FLIGHT / LATENCY.as_secs_f64();
    let shares: Vec<_> = pairs.iter().map(|(ours, _)| (ours.per_second(), ceiling)).collect();
    Ok(vec![
        Row::times_more("sqs sink vs boto3", "messages per second", &of(Taken::per_second)).goal(15.0),
        Row::times_more("sqs sink, share of the ceiling", "messages per second; 10 N / latency", &shares)
            .goal(0.85),
        Row::times_less("sqs sink vs boto3, CPU", "CPU µs of a message", &of(Taken::per_item)),
    ])
}

/// The process that sends.
pub(crate) async fn measure(endpoint: &str, messages: usize) -> anyhow::Result<Taken> {
    let credentials = Credentials::new("key", "secret", None, None, "benchmark");
    let sdk = SdkConfig::builder()
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint);
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(Entropy::from_seed(7)));
    let caller = Arc::new(Caller::new(&sdk.build(), clock, entropy.clone()));
    let sink = |queue: &str| {
        let url = format!("{endpoint}/1/{queue}");
        SqsSink::standard(caller.clone(), url, entropy.clone())
    };
    let made = (0..messages).map(message).collect::<anyhow::Result<Vec<_>>>()?;
    let stamp = Stamp { feed: "plays".into(), run: Uuid::nil(), window: plays::moment(0)?, generation: 1 };
    let parcels: Vec<_> =
        made.iter().map(|(id, time, body)| Parcel { body, id, time: Some(*time), stamp: &stamp }).collect();
    sink("warm").send(parcels.get(..FIRST).unwrap_or(&parcels)).await?;
    let (began, before) = (Instant::now(), own_cpu()?);
    let delivery = sink("plays").send(&parcels).await?;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), (own_cpu()? - before).as_secs_f64());
    if delivery.injected != messages as u64 {
        bail!("{} of {messages} messages were taken", delivery.injected);
    }
    Ok(Taken { items: messages, cpu, wall, memory: own_peak()? as f64 })
}

/// A message of a kilobyte, as `recover.py` makes it.
fn message(number: usize) -> anyhow::Result<(String, jiff::Timestamp, String)> {
    let (id, time) = (format!("play-{number:07}"), plays::moment(number)?);
    let body = json!({"id": id, "played_at": time, "text": "x".repeat(960)}).to_string();
    Ok((id, time, body))
}
