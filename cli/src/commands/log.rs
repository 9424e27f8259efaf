//! The audit log.

use septet_registry::Record;

use crate::app::App;
use crate::args::Log;
use crate::failure::Failure;
use crate::screen::{Answer, or_dash, text, time};

pub(crate) async fn log(app: &App, args: Log) -> Result<Answer, Failure> {
    let dataset = app.dataset(&args.dataset).await?.dataset;
    // One more, to know whether there are more.
    let mut records = app.registry.log(&dataset, Some(args.limit.saturating_add(1))).await?;
    if records.len() > args.limit {
        records.truncate(args.limit);
        app.screen.say(&format!("The latest {} records; --limit shows more.", args.limit));
    }
    let page = page(app, &records);
    Ok(Answer::new(&records, page))
}

/// Records as a table.
pub(crate) fn page(app: &App, records: &[Record]) -> String {
    let mut table = app.screen.table(&["TIME", "WHO", "ACTION", "ON", "CHANGE", "WHY"]);
    for record in records {
        let on = match (&record.pointer, record.version) {
            (Some(pointer), _) => pointer.to_string(),
            (None, Some(version)) => format!("version {version}"),
            (None, None) => "contract".into(),
        };
        let change = match (&record.before, &record.after) {
            (Some(before), Some(after)) => format!("{before} -> {after}"),
            (None, Some(after)) => format!("-> {after}"),
            _ => "-".into(),
        };
        let action = record.action.as_str().replace('_', " ");
        let why = or_dash(record.reason.as_ref());
        table.add_row([time(record.at), record.actor.clone(), action, on, change, why]);
    }
    text(&table)
}
