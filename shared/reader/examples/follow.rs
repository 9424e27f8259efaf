//! A service that reads a dataset all the time, while its versions change underneath.
//!
//! It prints a line of JSON for each version that it comes to, and one with totals when it is told to stop
//! (SIGTERM or SIGINT). Its log goes to standard error. A service of your own needs `start_reader`, a clone of
//! the [`Reader`] wherever it reads, and perhaps `changes`.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use aws_sdk_dynamodb::types::AttributeValue;
use clap::Parser;
use septet_reader::{Current, Error, Key, Reader};
use septet_registry::{Clock, SystemClock, VersionNumber};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// Reads random items of a dataset until it is told to stop.
#[derive(Debug, Parser)]
struct Arguments {
    /// The dataset to read.
    dataset: String,
    /// The registry's table, by name or ARN.
    #[arg(long, env = "SEPTET_REGISTRY_TABLE")]
    registry_table: String,
    /// The pointer to follow.
    #[arg(long, default_value = "live")]
    pointer: String,
    /// The name of this reader in the registry, if not one that is made up.
    #[arg(long)]
    reader_id: Option<String>,
    /// Milliseconds between two polls, in place of what the pointer item says.
    #[arg(long)]
    poll_ms: Option<u64>,
    /// A file that keeps the version for a start without the registry.
    #[arg(long)]
    keep_on_disk: Option<PathBuf>,
    /// The partition key of the dataset's tables, a string.
    #[arg(long, default_value = "user_id")]
    key_attribute: String,
    /// The file with the keys to read, one to a line; standard input if there is none.
    #[arg(long)]
    keys_file: Option<PathBuf>,
    /// Milliseconds between two reads.
    #[arg(long, default_value_t = 5)]
    pause_ms: u64,
}

#[derive(Debug, Default)]
struct Totals {
    reads: u64,
    failed: u64,
    missing: u64,
    versions_seen: Vec<VersionNumber>,
    first_error: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let arguments = Arguments::parse();
    let keys = keys(&arguments)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let reader = tokio::select! {
        reader = start_reader(&arguments) => reader?,
        _ = terminate.recv() => return print_totals(&Totals::default()),
        _ = interrupt.recv() => return print_totals(&Totals::default()),
    };

    let mut changes = reader.changes();
    let mut totals = Totals::default();
    let mut versions = vec![reader.current().version];
    print_version(&reader.current(), None)?;
    {
        // One future for all reads: a change must not cut one short and hide how it ends.
        let mut reading = std::pin::pin!(read_on(&reader, &keys, &arguments, &mut totals));
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                change = changes.next() => {
                    let change = change.context("the reader stopped")?;
                    versions.push(change.current.version);
                    print_version(&change.current, Some(change.previous.version))?;
                }
                never = &mut reading => match never {},
            }
        }
    }
    totals.versions_seen = versions;
    print_totals(&totals)
}

/// Waits for the dataset's first version if there is none yet.
async fn start_reader(arguments: &Arguments) -> anyhow::Result<Reader> {
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let client = aws_sdk_dynamodb::Client::new(&config);
    let mut builder = Reader::builder(&arguments.dataset)
        .registry_table(&arguments.registry_table)
        .client(client)
        .pointer(&arguments.pointer);
    if let Some(id) = &arguments.reader_id {
        builder = builder.reader_id(id);
    }
    if let Some(millis) = arguments.poll_ms {
        builder = builder.poll_every(Duration::from_millis(millis));
    }
    if let Some(path) = &arguments.keep_on_disk {
        builder = builder.keep_on_disk(path);
    }
    loop {
        match builder.clone().start().await {
            Err(error @ Error::NoPointer { .. }) => {
                tracing::info!(%error, "waiting for a first version");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            started => return started.context("failed to start"),
        }
    }
}

async fn read_on(reader: &Reader, keys: &[Key], arguments: &Arguments, totals: &mut Totals) -> Infallible {
    loop {
        let answer = reader.get(keys[fastrand::usize(..keys.len())].clone()).await;
        totals.reads += 1;
        match answer {
            Ok(Some(_)) => {}
            Ok(None) => totals.missing += 1,
            Err(error) => {
                totals.failed += 1;
                let text = format!("failed to {:#}", anyhow::Error::from(error));
                totals.first_error.get_or_insert(text);
            }
        }
        tokio::time::sleep(Duration::from_millis(arguments.pause_ms)).await;
    }
}

fn keys(arguments: &Arguments) -> anyhow::Result<Vec<Key>> {
    let mut text = String::new();
    match &arguments.keys_file {
        Some(path) => {
            text = std::fs::read_to_string(path)
                .with_context(|| format!("failed to read the keys in {}", path.display()))?;
        }
        None => {
            std::io::stdin().read_to_string(&mut text).context("failed to read keys from standard input")?;
        }
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let key = |line: &str| (arguments.key_attribute.clone(), AttributeValue::S(line.into()));
    let keys: Vec<Key> = lines.map(|line| Key::from([key(line)])).collect();
    anyhow::ensure!(
        !keys.is_empty(),
        "there are no keys to read: give one to a line, in --keys-file or as input"
    );
    Ok(keys)
}

fn print_version(current: &Current, previous: Option<VersionNumber>) -> anyhow::Result<()> {
    print(&json!({
        "at": SystemClock.now(),
        "version": current.version,
        "table": current.table,
        "previous": previous,
    }))
}

fn print_totals(totals: &Totals) -> anyhow::Result<()> {
    print(&json!({
        "reads": totals.reads,
        "failed": totals.failed,
        "missing": totals.missing,
        "versions_seen": totals.versions_seen,
        "first_error": totals.first_error,
    }))
}

fn print(line: &serde_json::Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
