//! Writes a first contract from what a table holds.

mod document;
mod seen;

use septet_contract::Contract;
use septet_registry::TableName;
use septet_tables::{Consistency, Key, Segment};
use serde_json::json;

use self::document::Sample;
use self::seen::Seen;
use crate::app::App;
use crate::failure::Failure;
use crate::screen::Answer;

/// Parts of the table that the sample is taken from in turn: a table's beginning is not like the rest of it.
const SEGMENTS: u32 = 8;

pub(crate) async fn infer(app: &App, table: &TableName, most: u64) -> Result<Answer, Failure> {
    let Some(facts) = app.tables.describe(table).await? else {
        return Err(Failure::new(
            format!("failed to find the table {table}: there is none"),
            "check the name, AWS_REGION and the account",
        ));
    };
    let mut seen = Seen::default();
    let mut sample = Sample { items: 0, is_all: true };
    let mut segments: Vec<(u32, Option<Key>)> = (0..SEGMENTS).map(|index| (index, None)).collect();
    'reading: while !segments.is_empty() {
        let mut unfinished = Vec::new();
        for (index, start) in segments {
            let segment = Segment { index, total: SEGMENTS };
            let page = app.tables.scan_page(table, segment, start.as_ref(), Consistency::Eventual).await?;
            let (items, end) = page.items()?;
            for item in items {
                if sample.items == most {
                    sample.is_all = false;
                    break 'reading;
                }
                sample.items += 1;
                for (name, value) in &item {
                    seen.attribute(name, value);
                }
            }
            if end.next.is_some() {
                unfinished.push((index, end.next));
            }
        }
        segments = unfinished;
    }
    let document = document::write(&facts, sample, &seen);
    if let Err(found) = Contract::parse(&document) {
        for finding in found {
            app.screen.say(&finding.in_file("inferred").to_string());
        }
        app.screen.call("warning", "the contract needs mending where it is said above");
    }
    if !sample.is_all {
        app.screen.say(&format!("A sample of {} items was read; --items reads more.", sample.items));
    }
    let json = json!({
        "table": table,
        "items": sample.items,
        "sampled": !sample.is_all,
        "document": document,
    });
    Ok(Answer::new(json, document.trim_end()))
}
