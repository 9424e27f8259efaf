//! `make bench`: Septet held against what one would use in its place, side by side on this machine.
//!
//! It prints a table and writes the same as JSON. Comparisons take turns and give medians of pairs; what counts is
//! the processor time of the process that is measured, since waiting depends on what else the machine does. A goal that
//! is missed is shown and fails nothing; a benchmark that could not run is an error.
//!
//! Each benchmark is a module with a `run` that gives rows; what they share is in [`mod@bench`], [`process`],
//! [`lambda`] and [`server`]. Linux only: other systems do not tell what it has to know of processes.

mod bench;
mod cold_start;
mod footprint;
mod lambda;
mod pages;
mod plays;
mod process;
mod queue;
mod reads;
mod recovery;
mod report;
mod scanning;
mod server;
mod sink;
mod taken;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

use crate::bench::Bench;

/// Benchmarks of Septet.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// A Python with `local/requirements-bench.txt`.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// How many pairs a comparison takes.
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u16).range(5..))]
    pairs: u16,
    /// Runs only these.
    #[arg(long, value_enum)]
    only: Vec<Benchmark>,
    /// Where the results go.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench.json"))]
    output: PathBuf,
}

/// What this program does as a process under measurement.
#[derive(Subcommand)]
enum Part {
    /// Reads items.
    #[command(hide = true)]
    Reads { endpoint: String, pairs: usize },
    /// Scans a table.
    #[command(hide = true)]
    Scan { way: scanning::Way, endpoint: String, pages: usize, segments: usize },
    /// Sends messages.
    #[command(hide = true)]
    Sink { endpoint: String, messages: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    ColdStart,
    Footprint,
    Reads,
    Scanning,
    Recovery,
    Sink,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Reads { endpoint, pairs }) => {
            say(&serde_json::to_string(&reads::measure(&endpoint, pairs).await?)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Part::Scan { way, endpoint, pages, segments }) => {
            say(&serde_json::to_string(&scanning::measure(way, &endpoint, pages, segments).await?)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Part::Sink { endpoint, messages }) => {
            say(&serde_json::to_string(&sink::measure(&endpoint, messages).await?)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        None => {}
    }
    let directory = tempfile::tempdir()?;
    let this = std::env::current_exe()?;
    let bench = Bench {
        programs: this.parent().context("this program lies nowhere")?.to_owned(),
        python: arguments.python,
        pairs: arguments.pairs.into(),
        directory: directory.path().to_owned(),
    };
    let all = arguments.only.is_empty();
    let (mut rows, mut details, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for benchmark in Benchmark::value_variants() {
        if !all && !arguments.only.contains(benchmark) {
            continue;
        }
        let ran = match benchmark {
            Benchmark::ColdStart => cold_start::run(&bench).await,
            Benchmark::Footprint => footprint::run(&bench).await,
            Benchmark::Reads => reads::run(&bench).await,
            Benchmark::Scanning => scanning::run(&bench).await.map(|(rows, table)| {
                details.push(table);
                rows
            }),
            Benchmark::Recovery => recovery::run(&bench).await.map(|(rows, table)| {
                details.push(table);
                rows
            }),
            Benchmark::Sink => sink::run(&bench).await,
        };
        match ran {
            Ok(mut more) => rows.append(&mut more),
            Err(error) => errors.push(format!("error: {benchmark:?} could not run: {error:#}")),
        }
    }
    report::write(&rows, &arguments.output)?;
    say(&report::table(&rows))?;
    details.iter().try_for_each(|table| say(&format!("\n{table}")))?;
    let mut complaints = std::io::stderr().lock();
    errors.iter().try_for_each(|error| writeln!(complaints, "{error}"))?;
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
}
