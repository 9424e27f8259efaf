//! Reading and checking a table: Septet's way against the SDK's and Python's, over the same recorded pages.
//!
//! Each measurement is a process of its own that says how much processor time reading and checking took, without
//! its start, and the most memory it had.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use anyhow::{Context, bail};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use clap::ValueEnum;
use septet_checks::{Checker, History, Item, Outcome, Profile, Value};
use septet_contract::Contract;
use septet_registry::TableName;
use septet_tables::{Consistency, Key, SealPolicy, Segment, Tables};
use tokio::time::Instant;

use crate::bench::Bench;
use crate::pages::{self, CONTRACT, ITEMS};
use crate::process::{own_cpu, own_peak};
use crate::report::{Row, markdown, short};
use crate::taken::{Notes, Taken, taken};

/// Pages of a measurement, by how fast those are that read them.
const MANY: usize = 96;
const SOME: usize = 24;
const FEW: usize = 2;
const MEGABYTE: f64 = 1e6;

/// How a table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Bodies are fetched and their checksums compared.
    Floor,
    /// Septet, limits of the contract alone.
    Limits,
    /// Septet, limits and profile.
    Profile,
    /// The SDK's paginator, items only counted.
    Sdk,
    /// The SDK's items through Septet's checks of limits.
    SdkLimits,
}

impl Way {
    fn shown(self) -> &'static str {
        match self {
            Self::Floor => "fetch and compare checksums only",
            Self::Limits => "Septet, contract",
            Self::Profile => "Septet, contract and profile",
            Self::Sdk => "SDK's paginator, items only counted",
            Self::SdkLimits => "SDK's paginator, contract by Septet's checks",
        }
    }
}

/// Compares, and says in a second table what each way did by itself.
pub(crate) async fn run(bench: &Bench) -> anyhow::Result<(Vec<Row>, String)> {
    let (server, page_bytes) = pages::serve().await?;
    let endpoint = format!("http://{}", server.address);
    let notes = Notes::default();
    let ours = async |way: Way, count: usize, segments: usize| {
        let mut command = Command::new(std::env::current_exe()?);
        let name = way.to_possible_value().context("a way without a name")?;
        command.args(["scan", name.get_name(), &endpoint, &count.to_string(), &segments.to_string()]);
        command.env_clear();
        let taken = taken(command, &bench.directory, count * ITEMS).await?;
        anyhow::Ok(notes.note(way.shown(), segments, taken))
    };
    let python = async |way: &str, count: usize| {
        let mut command = Command::new(&bench.python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scan.py")).args([
            way,
            &endpoint,
            &count.to_string(),
        ]);
        command.env_clear();
        let taken = taken(command, &bench.directory, count * ITEMS).await?;
        let shown = if way == "jsonschema" { "boto3 + jsonschema" } else { "boto3 + fastjsonschema" };
        anyhow::Ok(notes.note(shown, 1, taken))
    };
    let per_item = async |way, count| anyhow::Ok(ours(way, count, 1).await?.per_item());
    let of_python = async |way, count| anyhow::Ok(python(way, count).await?.per_item());

    let metric = "CPU µs of an item";
    let mut rows = Vec::new();
    let limits = async || per_item(Way::Limits, MANY).await;
    let profile = async || per_item(Way::Profile, MANY).await;
    let sdk = async || per_item(Way::Sdk, SOME).await;
    let schema = async || of_python("fastjsonschema", FEW).await;
    let pairs = bench.pairs(limits, async || per_item(Way::Floor, MANY).await).await?;
    rows.push(Row::times_theirs("contract vs floor", metric, &pairs).goal(12.0));
    let pairs = bench.pairs(limits, async || per_item(Way::SdkLimits, SOME).await).await?;
    rows.push(Row::times_less("contract vs SDK scan + checks", metric, &pairs).goal(10.0));
    let pairs = bench.pairs(limits, schema).await?;
    rows.push(Row::times_less("contract vs boto3+fastjsonschema", metric, &pairs).goal(150.0));
    let pairs = bench.pairs(limits, async || of_python("jsonschema", FEW).await).await?;
    rows.push(Row::times_less("contract vs boto3+jsonschema", metric, &pairs));
    let pairs = bench.pairs(profile, sdk).await?;
    rows.push(Row::times_less("profile vs SDK scan", metric, &pairs).goal(2.0));
    let pairs = bench.pairs(profile, schema).await?;
    rows.push(Row::times_less("profile vs boto3+fastjsonschema", metric, &pairs).goal(50.0));

    let memory =
        async |count, segments| anyhow::Ok(ours(Way::Profile, count, segments).await?.memory / MEGABYTE);
    let (hundred_thousand, ten_million) = (100_000_usize.div_ceil(ITEMS), 10_000_000_usize.div_ceil(ITEMS));
    let small = memory(hundred_thousand, 1).await?;
    rows.push(Row::alone("memory of the checker, 1 segment", "MB at most", small).goal(20.0));
    let large = memory(ten_million, 1).await?;
    let pair = [(large, small)];
    rows.push(Row::times_theirs("memory, 10 million items vs 100 thousand", "MB at most", &pair).goal(1.1));
    let eight = memory(hundred_thousand, 8).await?;
    rows.push(Row::alone("memory of the checker, 8 segments", "MB at most", eight).goal(48.0));
    for _ in 1..bench.pairs {
        ours(Way::Limits, MANY, 8).await?;
        ours(Way::Profile, MANY, 8).await?;
    }
    Ok((rows, table(notes, page_bytes)))
}

fn table(notes: Notes, page_bytes: f64) -> String {
    let megabytes = page_bytes / ITEMS as f64 / MEGABYTE;
    let rows = notes.slowest_first().into_iter().map(|of| {
        [
            of.way.to_owned(),
            of.workers.to_string(),
            format!("{:.0}", of.middle(Taken::per_cpu_second)),
            short(of.middle(Taken::per_cpu_second) * megabytes),
            short(of.middle(Taken::per_second) * megabytes),
            short(of.middle(|taken| taken.memory / MEGABYTE)),
        ]
    });
    let header =
        ["way to scan", "segments", "items per CPU second", "MB per CPU second", "MB/s", "memory, MB"];
    markdown(header, rows)
}

/// The process that reads.
pub(crate) async fn measure(
    way: Way,
    endpoint: &str,
    pages: usize,
    segments: usize,
) -> anyhow::Result<Taken> {
    let table = format!("recs-{pages}");
    let client = client(endpoint);
    let contract = Contract::parse(CONTRACT).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    let checker = match way {
        Way::Profile => Checker::new(&contract),
        _ => Checker::of_limits(&contract),
    };
    // Connections and lazy settings are made before it counts, and no page is made into SDK items for it.
    match way {
        Way::Floor => {}
        Way::Limits | Way::Profile => _ = septet(client.clone(), &checker, "recs-1", 1).await?,
        Way::Sdk | Way::SdkLimits => _ = client.scan().table_name("recs-1").send().await?,
    }
    let (began, before) = (Instant::now(), own_cpu()?);
    let items = match way {
        Way::Floor => floor(endpoint, &table)?,
        Way::Limits | Way::Profile => septet(client, &checker, &table, segments).await?,
        Way::Sdk => sdk(&client, &table, async |_| Ok(())).await?,
        Way::SdkLimits => {
            let mut profile = checker.profile();
            let items = sdk(&client, &table, async |item| {
                checker.observe(&mut profile, &convert_item(item)?);
                Ok(())
            });
            let items = items.await?;
            passed(&checker, &profile)?;
            items
        }
    };
    let cpu = (own_cpu()? - before).as_secs_f64();
    Ok(Taken { items, cpu, wall: began.elapsed().as_secs_f64(), memory: own_peak()? as f64 })
}

/// Whoever talks to a DynamoDB of ours.
pub(crate) fn client(endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "benchmark"))
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

async fn septet(client: Client, checker: &Checker, table: &str, segments: usize) -> anyhow::Result<usize> {
    let tables = Tables::new(client, SealPolicy::of_whoever());
    let table = TableName::parse(table)?;
    let total = u32::try_from(segments)?;
    let parts = (0..total).map(async |index| {
        let mut profile = checker.profile();
        let mut start: Option<Key> = None;
        loop {
            let segment = Segment { index, total };
            let page = tables.scan_page(&table, segment, start.as_ref(), Consistency::Eventual).await?;
            start = page.observe(checker, &mut profile)?.next;
            if start.is_none() {
                return anyhow::Ok(profile);
            }
        }
    });
    let mut whole = checker.profile();
    for part in futures::future::try_join_all(parts).await? {
        whole.merge(part);
    }
    passed(checker, &whole)?;
    Ok(usize::try_from(whole.items())?)
}

fn passed(checker: &Checker, profile: &Profile) -> anyhow::Result<()> {
    let report = checker.evaluate(profile, &History::default());
    if report.outcome != Outcome::Passed {
        bail!("the recorded pages do not keep their contract: {:?}", report.reasons());
    }
    Ok(())
}

async fn sdk(
    client: &Client,
    table: &str,
    mut take: impl AsyncFnMut(std::collections::HashMap<String, AttributeValue>) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let mut pages = client.scan().table_name(table).into_paginator().send();
    let mut items = 0;
    while let Some(page) = pages.next().await {
        for item in page?.items.unwrap_or_default() {
            items += 1;
            take(item).await?;
        }
    }
    Ok(items)
}

fn convert_item(item: std::collections::HashMap<String, AttributeValue>) -> anyhow::Result<Item> {
    item.into_iter().map(|(name, value)| Ok((name, convert(value)?))).collect()
}

/// The types that the recorded pages have.
fn convert(value: AttributeValue) -> anyhow::Result<Value> {
    Ok(match value {
        AttributeValue::S(text) => Value::S(text),
        AttributeValue::N(text) => Value::N(text),
        AttributeValue::M(members) => Value::M(convert_item(members)?),
        AttributeValue::L(elements) => Value::L(elements.into_iter().map(convert).collect::<Result<_, _>>()?),
        other => bail!("no page has {other:?}"),
    })
}

/// Fetches pages over one connection and compares checksums, as little as anybody could do.
fn floor(endpoint: &str, table: &str) -> anyhow::Result<usize> {
    let address = endpoint.strip_prefix("http://").context("an endpoint without http")?;
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(1 << 16, &stream);
    let (mut body, mut line) = (Vec::new(), String::new());
    let (mut start, mut items) = (String::new(), 0);
    loop {
        let request = format!("{{\"TableName\":\"{table}\"{start}}}");
        let head =
            "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: DynamoDB_20120810.Scan\r\ncontent-length:";
        (&stream).write_all(format!("{head} {}\r\n\r\n{request}", request.len()).as_bytes())?;
        let (mut length, mut sum) = (0, 0);
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            match line.trim().split_once(": ") {
                Some(("content-length", value)) => length = value.parse()?,
                Some(("x-amz-crc32", value)) => sum = value.parse::<u32>()?,
                _ if line.trim().is_empty() => break,
                _ => {}
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        if crc32fast::hash(&body) != sum {
            bail!("a page has another checksum than it says");
        }
        items += ITEMS;
        let end = String::from_utf8_lossy(&body[length.saturating_sub(100)..]).into_owned();
        let Some((_, key)) = end.split_once("\"LastEvaluatedKey\":") else { return Ok(items) };
        start = format!(",\"ExclusiveStartKey\":{}", key.strip_suffix('}').unwrap_or(key));
    }
}
