//! Bringing a million records of a third party back into a queue: the function `backfill` as it is deployed, against
//! dlt, the Airbyte CDK, and a script of boto3 and requests.
//!
//! All ask the same server for the same windows of time and send ten messages a call to the same queue, over HTTP without
//! TLS, and the queue holds that each record came once. The function's time is that of its invocations, ledger and
//! budget included; a loader's is what `recover.py` says of itself, without imports and first connections. A loader
//! reads fewer records: what one of them costs is compared.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use futures::future::try_join_all;
use jiff::Timestamp;
use septet_recovery::ledger::{By, Outcome, RunState};
use septet_recovery::{Feed, Ledger};
use septet_registry::{DynamoDb, Entropy};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::bench::Bench;
use crate::lambda::{Idle, Lambda, REGISTRY};
use crate::plays::{self, PLAYS, Plays, STEP};
use crate::queue::Queues;
use crate::report::{Row, markdown, median, short};
use crate::scanning;
use crate::server::Server;
use crate::taken::{Notes, Taken, taken};

pub(crate) const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recover.py");
const FEED: &str = include_str!("plays.yaml");
/// Records whose recovery takes as much memory as that of all, if any number does.
const SOME: usize = PLAYS / 10;
/// Records of a loader's worker.
const FEW: usize = 10_000;
/// Rounds in which each has its turn; a million records take long enough.
const ROUNDS: usize = 5;
const MANY_WORKERS: usize = 4;
const MEGABYTE: f64 = 1e6;

const OURS: &str = "Septet";
/// Loaders, by what `recover.py` calls them.
const LOADERS: [(&str, &str); 3] =
    [("script", "boto3 + requests"), ("dlt", "dlt"), ("airbyte", "Airbyte CDK")];

/// What everybody reads from, and fills.
struct World<'a> {
    bench: &'a Bench,
    lambda: Lambda,
    source: Server,
    queues: Queues,
    notes: Notes,
}

/// Compares, and says in a second table what each did by itself.
pub(crate) async fn run(bench: &Bench) -> anyhow::Result<(Vec<Row>, String)> {
    let source = Arc::new(Plays::new()).serve().await?;
    let queues = Queues::serve(Duration::ZERO).await?;
    let world = World { bench, lambda: bench.lambda()?, source, queues, notes: Notes::default() };

    let some = world.septet(SOME, 1).await?;
    let (mut ours, mut theirs) = (Vec::new(), LOADERS.map(|_| Vec::new()));
    for round in 0..ROUNDS {
        let septet = async || anyhow::Ok(world.noted(OURS, 1, world.septet(PLAYS, 1).await?));
        if round % 2 == 0 {
            ours.push(septet().await?);
        }
        for (loader, theirs) in LOADERS.iter().zip(&mut theirs) {
            theirs.push(world.loader(loader, 1).await?);
        }
        if round % 2 == 1 {
            ours.push(septet().await?);
        }
    }
    world.noted(OURS, MANY_WORKERS, world.septet(PLAYS, MANY_WORKERS).await?);
    for loader in &LOADERS {
        world.loader(loader, MANY_WORKERS).await?;
    }

    let rows = rows(&some, &ours, &theirs)?;
    Ok((rows, table(world.notes)))
}

fn rows(some: &Taken, ours: &[Taken], theirs: &[Vec<Taken>]) -> anyhow::Result<Vec<Row>> {
    let cpu = |taken: &[Taken]| median(taken.iter().map(Taken::per_item));
    let best = LOADERS.iter().zip(theirs).min_by(|a, b| cpu(a.1).total_cmp(&cpu(b.1)));
    let ((_, best), theirs) = best.context("there are loaders")?;
    let pairs: Vec<_> =
        ours.iter().zip(theirs).map(|(ours, theirs)| (ours.per_item(), theirs.per_item())).collect();
    let most = ours.iter().map(|taken| taken.memory).fold(0.0, f64::max) / MEGABYTE;
    Ok(vec![
        Row::times_less("recovery vs best loader", &format!("CPU µs of a record; {best}"), &pairs).goal(10.0),
        Row::alone("memory of a recovery, a million records", "MB at most", most).goal(64.0),
        Row::times_theirs(
            "memory, a million records vs 100 thousand",
            "MB at most",
            &[(most, some.memory / MEGABYTE)],
        )
        .goal(1.1),
    ])
}

fn table(notes: Notes) -> String {
    let rows = notes.slowest_first().into_iter().map(|of| {
        [
            of.way.to_owned(),
            of.workers.to_string(),
            format!("{:.0}", of.middle(Taken::per_second)),
            format!("{:.0}", of.middle(Taken::per_cpu_second)),
            short(of.middle(|taken| taken.memory / MEGABYTE)),
        ]
    });
    let header = ["way to recover", "workers", "records per second", "records per CPU second", "memory, MB"];
    markdown(header, rows)
}

impl World<'_> {
    fn noted(&self, way: &'static str, workers: usize, taken: Taken) -> Taken {
        self.notes.note(way, workers, taken)
    }

    async fn loader(&self, (way, shown): &(&str, &'static str), workers: usize) -> anyhow::Result<Taken> {
        let plays = FEW * workers;
        self.queues.expect(plays);
        let directory = tempfile::tempdir_in(&self.bench.directory)?;
        let mut command = Command::new(&self.bench.python);
        command.env_clear().args([SCRIPT, way, &format!("http://{}", self.source.address)]);
        command.args([&self.queues.endpoint(), &plays.to_string(), &workers.to_string()]);
        command.arg(directory.path());
        let taken = taken(command, directory.path(), plays).await.with_context(|| format!("run {shown}"))?;
        self.queues.check().with_context(|| format!("run {shown}"))?;
        Ok(self.noted(shown, workers, taken))
    }

    /// Has as many functions as workers bring the first so many plays back, each a lane.
    async fn septet(&self, plays: usize, workers: usize) -> anyhow::Result<Taken> {
        let registry = Registry::serve().await?;
        let store = DynamoDb::new(scanning::client(&registry.endpoint), REGISTRY);
        let ledger = Ledger::new(Arc::new(store), Arc::new(Entropy::from_seed(7)));
        let feed = self.feed()?;
        let by = By { actor: "bench".into(), now: plays::moment(PLAYS)? };
        if !matches!(ledger.put_feed(&feed, &by).await?, Outcome::Done(_)) {
            bail!("the feed was not put");
        }

        self.queues.expect(plays);
        let settings = [
            ("AWS_ENDPOINT_URL_DYNAMODB", registry.endpoint.clone()),
            ("AWS_ENDPOINT_URL_SQS", self.queues.endpoint()),
            ("SEPTET_RECOVERY_QUEUE_URL", self.queues.url("orders")),
            ("SEPTET_RECOVERY_DEAD_LETTERS_URL", self.queues.url("none")),
            ("SEPTET_LOOPBACK_FEEDS", "allowed".into()),
        ];
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let program = self.bench.program("backfill")?;
        let start =
            async |_| self.lambda.start_with(Command::new(&program), &settings).await?.initialise().await;
        let mut functions = try_join_all((0..workers).map(start)).await?;

        let (from, to) = (plays::moment(0)?, plays::moment(plays)?);
        let range = range(from, to, workers);
        let first = functions.pop().context("no workers")?;
        let (first, mut cpu) = first.invoke(&event(&range)).await?;
        functions.push(first);
        let orders = self.queues.orders();
        if orders.len() != workers {
            bail!("{} orders are on their way to {workers} workers", orders.len());
        }
        let began = Instant::now();
        let work = async |(function, order): (Idle, String)| function.invoke(&event(&order)).await;
        let worked = try_join_all(functions.into_iter().zip(orders).map(work)).await?;
        let wall = began.elapsed().as_secs_f64();
        let mut memory = 0;
        for (function, taken) in &worked {
            cpu += *taken;
            memory = memory.max(function.process().peak()?);
        }

        self.queues.check()?;
        let left = self.queues.orders();
        let states: Vec<_> = ledger.runs(&feed.name).await?.iter().map(|run| run.state).collect();
        if states != [RunState::Succeeded] || !left.is_empty() {
            bail!("the recovery did not end: runs {states:?}, orders {left:?}");
        }
        Ok(Taken { items: plays, cpu: cpu.as_secs_f64(), wall, memory: memory as f64 })
    }

    fn feed(&self) -> anyhow::Result<Feed> {
        let text = FEED
            .replace("SOURCE", &format!("http://{}", self.source.address))
            .replace("STEP", STEP)
            .replace("QUEUE", &self.queues.url("plays"));
        Feed::parse(&text).map_err(|found| anyhow::anyhow!("the feed is refused: {found:?}"))
    }
}

/// A registry without anything, gone when dropped.
struct Registry {
    endpoint: String,
    serving: AbortHandle,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Registry {
    async fn serve() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("bind a port")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let database = dynoxide::Database::memory()?;
        let serving = tokio::spawn(dynoxide::server::serve_on(listener, database)).abort_handle();
        let keys = [("pk", KeyType::Hash), ("sk", KeyType::Range)];
        let mut table = scanning::client(&endpoint).create_table().table_name(REGISTRY);
        for (name, kind) in keys {
            let of = AttributeDefinition::builder().attribute_name(name);
            table = table
                .attribute_definitions(of.attribute_type(ScalarAttributeType::S).build()?)
                .key_schema(KeySchemaElement::builder().attribute_name(name).key_type(kind).build()?);
        }
        table.billing_mode(BillingMode::PayPerRequest).send().await?;
        Ok(Self { endpoint, serving })
    }
}

/// What a user asks for.
fn range(from: Timestamp, to: Timestamp, workers: usize) -> String {
    json!({"feed": "plays", "from": from, "to": to, "reason": "it was silent", "concurrency": workers})
        .to_string()
}

/// A batch of the recovery queue, which are of one message.
fn event(body: &str) -> String {
    let message = json!({
        "messageId": "00000000-0000-4000-8000-000000000001",
        "body": body,
        "attributes": {"SenderId": "AIDAEXAMPLE:operator"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "awsRegion": "us-east-1",
    });
    json!({"Records": [message]}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(cpu: f64, megabytes: f64) -> Taken {
        Taken { items: 1_000_000, cpu, wall: cpu, memory: megabytes * MEGABYTE }
    }

    #[test]
    fn the_loader_that_takes_least_is_the_one_to_beat() {
        let theirs = [[90.0, 95.0, 91.0], [200.0, 30.0, 200.0], [80.0, 99.0, 120.0]]
            .map(|loader| loader.map(|cpu| taken(cpu, 100.0)).to_vec());
        let ours = [taken(9.0, 14.0), taken(10.0, 15.0), taken(9.1, 13.0)];
        let rows = rows(&taken(1.0, 12.0), &ours, &theirs).unwrap();
        insta::assert_snapshot!(crate::report::table(&rows), @r"
        | name                                      | metric                               | ours  | theirs | ratio | goal        | met |
        |-------------------------------------------|--------------------------------------|-------|--------|-------|-------------|-----|
        | recovery vs best loader                   | CPU µs of a record; boto3 + requests | 9.100 |  91.00 | 10.00 | at least 10 | yes |
        | memory of a recovery, a million records   | MB at most                           | 15.00 |        |       | at most 64  | yes |
        | memory, a million records vs 100 thousand | MB at most                           | 15.00 |  12.00 | 1.250 | at most 1.1 | NO  |
        ");
    }
}
