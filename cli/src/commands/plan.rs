//! The retention plan, as the prune function would make it now.

use comfy_table::{Cell, Color};
use septet_registry::retention::{self, Act, Holdings, Plan, Policy};
use serde_json::json;

use crate::app::{App, now};
use crate::args::Prune;
use crate::failure::Failure;
use crate::screen::{Answer, text};

pub(crate) async fn plan(app: &App, args: Prune) -> Result<Answer, Failure> {
    let datasets = match args.dataset {
        Some(dataset) => vec![dataset],
        None => app.registry.datasets().await?.into_iter().map(|listing| listing.dataset).collect(),
    };
    let keep_rejected = args.kept.duration();
    let mut plans = Vec::new();
    for dataset in datasets {
        let now = now();
        let holdings = Holdings::read(&app.registry, &dataset, now).await?;
        let policy = Policy::new(&holdings.dataset.settings, keep_rejected);
        plans.push(retention::plan(&holdings, &policy, now));
    }
    if plans.is_empty() {
        app.screen.say("There is no dataset yet.");
    }
    for plan in plans.iter().filter(|plan| plan.is_refused()) {
        let (dataset, steps, at_most) = (&plan.dataset, plan.counted(), plan.at_most);
        let what =
            format!("prune refuses this plan for {dataset}: {steps} steps at once, at most {at_most} may be");
        app.screen.call("warning", &what);
        let event = json!({"dataset": dataset, "max_deletions": steps});
        app.screen.say(&format!("hint: invoke the prune function with {event} to let it through once"));
    }
    let json: Vec<_> = plans.iter().map(|plan| json!({"refused": plan.is_refused(), "plan": plan})).collect();
    let pages: Vec<_> = plans.iter().map(|plan| page(app, plan)).collect();
    Ok(Answer::new(json, pages.join("\n\n")))
}

fn page(app: &App, plan: &Plan) -> String {
    let mut table = app.screen.table(&["DATASET", "PLAN", "VERSION", "TABLE", "WHY"]);
    for step in &plan.steps {
        let act = match step.act {
            Act::Retire => Cell::new("retire").fg(Color::Yellow),
            Act::Delete => Cell::new("delete").fg(Color::Red),
        };
        let (version, table_name) = (Cell::new(step.version), Cell::new(&step.table));
        table.add_row([Cell::new(&plan.dataset), act, version, table_name, Cell::new(&step.reason)]);
    }
    for kept in &plan.keep {
        let because: Vec<_> = kept.because.iter().map(ToString::to_string).collect();
        table.add_row([
            Cell::new(&plan.dataset),
            Cell::new("keep").fg(Color::Green),
            Cell::new(kept.version),
            Cell::new(&kept.table),
            Cell::new(because.join(", ")),
        ]);
    }
    if plan.steps.is_empty() && plan.keep.is_empty() {
        return format!("{}: nothing to keep and nothing to prune", plan.dataset);
    }
    text(&table)
}
