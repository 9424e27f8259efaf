//! A function's start: what it costs until it has read DynamoDB's first answer over HTTPS, and until its first
//! invocation is answered; and what that first invocation costs against later ones.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::bench::Bench;
use crate::lambda::{EVENT, Lambda};
use crate::process::Ended;
use crate::report::{Row, median};

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cold_start.py");
/// Invocations before and during which a process is measured as a warm one.
const WARMING: usize = 5;
const WARM: usize = 11;

pub(crate) async fn run(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let lambda = bench.lambda()?;
    let (on_publish, runtime_only) = (bench.program("on-publish")?, bench.program("runtime-only")?);
    let python = || {
        let mut command = Command::new(&bench.python);
        command.arg(PYTHON);
        command
    };
    let start = async |program: &Path| lambda.start(Command::new(program)).await;

    let against_python = bench
        .pairs(
            async || start(&on_publish).await?.run_until_dynamodb_answered().await.map(cpu),
            async || lambda.start(python()).await?.run_to_its_end().await.map(cpu),
        )
        .await?;
    let against_runtime = bench
        .pairs(
            async || start(&on_publish).await?.run_until_invocation_answered().await.map(cpu),
            async || start(&runtime_only).await?.run_until_invocation_answered().await.map(cpu),
        )
        .await?;
    let mut invocations = Vec::with_capacity(bench.pairs);
    for _ in 0..bench.pairs {
        invocations.push(first_and_warm(&lambda, &on_publish).await?);
    }
    Ok(vec![
        Row::times_less("cold start vs python", "CPU ms to the first HTTPS response", &against_python)
            .goal(30.0),
        Row::times_theirs(
            "cold start vs runtime only",
            "CPU ms to the first invocation's answer",
            &against_runtime,
        )
        .goal(4.0),
        Row::times_theirs(
            "first invocation over HTTPS against a warm one",
            "CPU ms of an invocation",
            &invocations,
        )
        .goal(3.0),
    ])
}

/// Milliseconds of processor time that a process takes for its first invocation, and for one when it is warm.
async fn first_and_warm(lambda: &Lambda, program: &Path) -> anyhow::Result<(f64, f64)> {
    let idle = lambda.start(Command::new(program)).await?.initialise().await?;
    let (mut idle, first) = idle.invoke(EVENT).await?;
    let mut warm = Vec::with_capacity(WARM);
    for round in 0..WARMING + WARM {
        let taken;
        (idle, taken) = idle.invoke(EVENT).await?;
        if round >= WARMING {
            warm.push(millis(taken));
        }
    }
    Ok((millis(first), median(warm)))
}

fn cpu(ended: Ended) -> f64 {
    millis(ended.cpu)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
