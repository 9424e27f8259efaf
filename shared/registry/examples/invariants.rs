//! Says of every dataset in a registry, or of those named, whether all holds that must always hold.
//!
//!     SEPTET_REGISTRY_TABLE=septet-registry cargo run --example invariants -- [DATASET]...
//!
//! It only reads. A line for each dataset goes to standard output, with a line for each way in which it is
//! broken; the exit code is 1 if any is, and 2 if the registry cannot be read. What always holds is written in
//! [`septet_registry::invariants`].
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command")]

use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Context;
use jiff::Timestamp;
use septet_registry::invariants::{Snapshot, broken};
use septet_registry::{DatasetName, Entropy, Registry};

/// How often a dataset is read that others keep changing.
const ATTEMPTS: u32 = 50;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match look().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: failed to {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Looks at the datasets and tells whether all of them are whole.
async fn look() -> anyhow::Result<bool> {
    let table = environment("SEPTET_REGISTRY_TABLE")?;
    let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let client = aws_sdk_dynamodb::Client::new(&aws);
    let registry = Registry::in_dynamodb(client, table, Entropy::from_seed(0));

    let mut datasets = Vec::new();
    for name in std::env::args().skip(1) {
        datasets.push(DatasetName::parse(name).context("read the arguments")?);
    }
    if datasets.is_empty() {
        datasets.extend(registry.datasets().await?.into_iter().map(|listing| listing.dataset));
    }
    let mut whole = true;
    for dataset in &datasets {
        let snapshot = snapshot(&registry, dataset).await?;
        let (versions, records) = (snapshot.versions.len(), snapshot.records.len());
        println!("{dataset}: {versions} versions, {records} records");
        for way in broken(&snapshot, now()?) {
            println!("  broken: {way}");
            whole = false;
        }
    }
    Ok(whole)
}

/// What the registry holds of a dataset at one time.
async fn snapshot(registry: &Registry, dataset: &DatasetName) -> anyhow::Result<Snapshot> {
    let mut seen = Snapshot::read(registry, dataset).await?;
    for _ in 0..ATTEMPTS {
        let again = Snapshot::read(registry, dataset).await?;
        if again == seen {
            return Ok(again);
        }
        seen = again;
    }
    anyhow::bail!("read the dataset {dataset}: it changed between {ATTEMPTS} looks in a row")
}

#[expect(clippy::disallowed_methods, reason = "the command's one look at its environment")]
fn environment(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("read the environment: {name}"))
}

#[expect(clippy::disallowed_methods, reason = "the command's one look at the clock")]
fn now() -> anyhow::Result<Timestamp> {
    Timestamp::try_from(SystemTime::now()).context("read the clock")
}
