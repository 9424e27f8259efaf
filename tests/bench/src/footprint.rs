//! What a function takes while it does nothing: its size on disk and in memory, of the one that takes most.

use std::process::Command;

use crate::bench::Bench;
use crate::report::{Row, median};

const FUNCTIONS: [&str; 3] = ["on-publish", "prune", "backfill"];
const MEGABYTE: f64 = 1e6;

pub(crate) async fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let lambda = bench.lambda()?;
    let (mut size, mut memory) = ((0.0, ""), (0.0, ""));
    for name in FUNCTIONS {
        let program = bench.program(name)?;
        size = larger(size, (std::fs::metadata(&program)?.len() as f64 / MEGABYTE, name));

        let mut resident = Vec::with_capacity(bench.pairs);
        for _ in 0..bench.pairs {
            let idle = lambda.start(Command::new(&program)).await?.initialise().await?;
            // Not before it is through with its last step.
            idle.process().cpu_at_rest().await?;
            resident.push(idle.process().resident()? as f64 / MEGABYTE);
        }
        memory = larger(memory, (median(resident), name));
    }
    Ok(vec![
        Row::alone("bootstrap size", &format!("MB of {}, the largest", size.1), size.0).goal(6.0),
        Row::alone("idle memory", &format!("MB of {}, the largest", memory.1), memory.0).goal(16.0),
    ])
}

fn larger<'a>(one: (f64, &'a str), other: (f64, &'a str)) -> (f64, &'a str) {
    if other.0 > one.0 { other } else { one }
}
