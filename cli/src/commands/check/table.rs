//! Items of a table, read as on-publish reads them, and nothing written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{HumanBytes, ProgressBar};
use septet_checks::{Checker, Profile};
use septet_registry::TableName;
use septet_tables::{Consistency, SealState, Segment, TableFacts, TableStatus, Tables, TtlState};
use septet_verdict::Seen;
use tokio::task::JoinSet;

use crate::app::App;
use crate::failure::Failure;

/// Parts that are read at the same time.
const SEGMENTS: u32 = 4;

/// What was seen of a table.
pub(super) struct Scanned {
    pub(super) seen: Seen,
    pub(super) facts: TableFacts,
    pub(super) ttl: TtlState,
    pub(super) sealed: bool,
    pub(super) read_units: f64,
}

/// One part of a table.
struct Part {
    profile: Profile,
    read_units: f64,
}

/// Reads a whole table; Ctrl-C ends it.
pub(super) async fn scan(
    app: &App,
    table: &TableName,
    checker: &Arc<Checker>,
    bar: &ProgressBar,
) -> Result<Scanned, Failure> {
    let facts = look(app, table).await?;
    let sealed = matches!(app.tables.seal_of(&facts, None).await, Ok(SealState::Intact));
    let ttl = app.tables.ttl(table).await?;
    // Hours old, so a guess at the length and nothing else.
    bar.set_length(app.tables.item_count(table).await.unwrap_or_default());
    let (mut parts, bytes) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
    for index in 0..SEGMENTS {
        let segment = Segment { index, total: SEGMENTS };
        // What may still be written to is read as it is now.
        let consistency = if sealed { Consistency::Eventual } else { Consistency::Strong };
        let reader = Reader {
            tables: app.tables.clone(),
            table: table.clone(),
            segment,
            consistency,
            bytes: bytes.clone(),
            bar: bar.clone(),
        };
        parts.spawn(reader.read(checker.clone()));
    }
    let (mut profile, mut read_units) = (checker.profile(), 0.0);
    let all = async {
        while let Some(part) = parts.join_next().await {
            let part = part.map_err(|error| {
                Failure::new(
                    format!("failed to read the table {table}: {error}"),
                    "nothing was changed; try again",
                )
            })??;
            profile.merge(part.profile);
            read_units += part.read_units;
        }
        Ok::<_, Failure>(())
    };
    tokio::select! {
        read = all => read?,
        _ = tokio::signal::ctrl_c() => {
            bar.finish_and_clear();
            return Err(Failure::new(
                format!("failed to check {table}: it was stopped"),
                "nothing was judged and nothing was changed; run it again",
            ));
        }
    }
    let now = look(app, table).await?;
    if now.id != facts.id {
        return Err(Failure::new(
            format!("failed to check {table}: it was replaced by another table while it was read"),
            "run it again",
        ));
    }
    Ok(Scanned { seen: Seen::Whole(profile), facts, ttl, sealed, read_units })
}

/// Reads one part.
struct Reader {
    tables: Tables,
    table: TableName,
    segment: Segment,
    consistency: Consistency,
    /// Of all parts.
    bytes: Arc<AtomicU64>,
    bar: ProgressBar,
}

impl Reader {
    async fn read(self, checker: Arc<Checker>) -> Result<Part, Failure> {
        let mut part = Part { profile: checker.profile(), read_units: 0.0 };
        let mut start = None;
        loop {
            let page =
                self.tables.scan_page(&self.table, self.segment, start.as_ref(), self.consistency).await?;
            let before = part.profile.bytes();
            let end = page.observe(&checker, &mut part.profile)?;
            part.read_units += end.read_units;
            let more = part.profile.bytes() - before;
            let bytes = self.bytes.fetch_add(more, Ordering::Relaxed) + more;
            self.bar.inc(end.items);
            self.bar.set_length(self.bar.length().unwrap_or_default().max(self.bar.position()));
            self.bar.set_message(HumanBytes(bytes).to_string());
            start = end.next;
            if start.is_none() {
                return Ok(part);
            }
        }
    }
}

async fn look(app: &App, table: &TableName) -> Result<TableFacts, Failure> {
    match app.tables.describe(table).await? {
        Some(facts) if matches!(facts.status, TableStatus::Active | TableStatus::Updating) => Ok(facts),
        Some(facts) => Err(Failure::new(
            format!("failed to read the table {table}: it is {}", facts.status),
            "wait until it is ACTIVE",
        )),
        None if std::path::Path::new(table.as_str()).exists() => Err(Failure::new(
            format!("failed to find the table {table}: it does not exist in {}", app.region),
            format!("{table} is a file here: `septet check {table}` checks it"),
        )),
        None => Err(Failure::new(
            format!("failed to find the table {table}: it does not exist in {}", app.region),
            "check the name, AWS_REGION and the account",
        )),
    }
}
