//! Dead letters moved back: look, show what comes of each, ask, move, follow.

use std::collections::BTreeMap;
use std::time::Duration;

use septet_recovery::FeedName;
use serde_json::{Value, json};

use super::letters::{Kind, Seen};
use super::outlook::{self, Outlook};
use super::refused;
use crate::app::App;
use crate::args::Look;
use crate::commands::refusal::declined;
use crate::confirm::{Confirmed, confirm};
use crate::exit;
use crate::failure::Failure;
use crate::queue::{DeadLetters, Task};
use crate::screen::{Answer, text};

/// Between two looks at the task.
const PAUSE: Duration = Duration::from_millis(500);
/// Looks after which a task that is not listed is given up.
const LOOKS: u32 = 60;

/// What a redrive would do.
struct Plan {
    seen: Seen,
    outlooks: Vec<Outlook>,
}

pub(super) async fn redrive(
    app: &App,
    only_plan: bool,
    rate: Option<i32>,
    look: Look,
) -> Result<Answer, Failure> {
    let letters = app.recovery_queue.dead_letters().await?;
    let seen = Seen::look(&letters, &look).await?;
    if seen.letters.is_empty() && seen.is_all() {
        app.screen.say("Nothing lies in the dead letters.");
        return Ok(Answer::new(json!({"outcome": "nothing", "letters": []}), ""));
    }
    let mut outlooks = Vec::new();
    for (_, message) in &seen.letters {
        outlooks.push(outlook::of(app, message).await?);
    }
    let plan = Plan { seen, outlooks };
    plan.seen.say_of_others(app, &look);
    if only_plan {
        let table = app.screen.table(&HEADER);
        let json = json!({"outcome": "planned", "letters": plan.json(), "about": plan.seen.about});
        return Ok(Answer::new(json, plan.page(table)));
    }
    app.screen.say(&plan.page(app.screen.aside(&HEADER)));
    let last = letters.last_task().await?;
    if let Some(task) = last.as_ref().filter(|task| !task.is_over()) {
        let why = format!("another redrive is under way: {}; wait for it", so_far(task));
        return Ok(refused(app, &why));
    }
    match confirm("Go on?", app.yes)? {
        Some(confirmed) => execute(app, &letters, &plan, rate, last.as_ref(), confirmed).await,
        None => Ok(declined(app)),
    }
}

pub(super) async fn stop(app: &App) -> Result<Answer, Failure> {
    let letters = app.recovery_queue.dead_letters().await?;
    let Some(task) = letters.last_task().await?.filter(|task| !task.is_over()) else {
        app.screen.say("No redrive is under way.");
        return Ok(Answer::new(json!({"outcome": "nothing"}), ""));
    };
    letters.stop(&task).await?;
    let page = format!("The redrive is stopped: {}.", so_far(&task));
    Ok(Answer::new(json!({"outcome": "stopped", "moved": task.moved}), page))
}

const HEADER: [&str; 7] = ["KIND", "FEED", "RUN", "RECORD", "AGE", "LIES THERE BECAUSE", "MOVED BACK IT"];

impl Plan {
    fn json(&self) -> Vec<Value> {
        let letters = self.seen.letters.iter().zip(&self.outlooks);
        letters.map(|((shown, _), outlook)| json!({"letter": shown, "outlook": outlook})).collect()
    }

    fn page(&self, mut table: comfy_table::Table) -> String {
        for ((letter, _), outlook) in self.seen.letters.iter().zip(&self.outlooks) {
            table.add_row(letter.cells().into_iter().chain([outlook.to_string()]));
        }
        let count = |is: fn(&Outlook) -> bool| self.outlooks.iter().filter(|it| is(it)).count();
        let works = count(|it| matches!(it, Outlook::Work { .. }));
        let nothing = count(|it| matches!(it, Outlook::Nothing { .. }));
        let back = count(|it| matches!(it, Outlook::Back { .. }));
        format!(
            "{}\n\nAll of about {} letters would move: of those shown, {works} are tried, {nothing} do nothing, {back} \
             come back unless something is mended first.",
            text(&table),
            self.seen.about
        )
    }

    /// What goes on the record of each feed.
    fn by_feed(&self) -> BTreeMap<FeedName, String> {
        let mut counts: BTreeMap<FeedName, BTreeMap<Kind, usize>> = BTreeMap::new();
        for (letter, _) in &self.seen.letters {
            if let Some(feed) = &letter.feed {
                *counts.entry(feed.clone()).or_default().entry(letter.kind).or_default() += 1;
            }
        }
        let said = |kinds: BTreeMap<Kind, usize>| {
            let kinds: Vec<_> =
                kinds.iter().map(|(kind, count)| format!("{count} of kind {}", kind.as_str())).collect();
            format!("dead letters moved back: {}", kinds.join(", "))
        };
        counts.into_iter().map(|(feed, kinds)| (feed, said(kinds))).collect()
    }
}

fn so_far(task: &Task) -> String {
    let total = task.total.map(|total| format!(" of about {total}")).unwrap_or_default();
    format!("{}{total} letters are moved", task.moved)
}

async fn execute(
    app: &App,
    letters: &DeadLetters,
    plan: &Plan,
    rate: Option<i32>,
    before: Option<&Task>,
    confirmed: Confirmed,
) -> Result<Answer, Failure> {
    letters.start(rate, &confirmed).await?;
    for (feed, what) in plan.by_feed() {
        app.ledger.redrive(&feed, &what, &app.by_in_ledger()).await?;
    }
    let (task, came_back) = follow(app, letters, before, plan.seen.about).await?;
    let outcome = if came_back { "stopped".into() } else { task.status.to_lowercase() };
    let json = json!({"outcome": outcome, "moved": task.moved, "letters": plan.json()});
    match task.status.as_str() {
        "CANCELLED" if came_back => {
            app.screen.call("warning", &format!(
                "{}: some came back meanwhile, and would have been moved again and again, so the redrive was stopped",
                so_far(&task)
            ));
            Ok(Answer::new(json, "`septet backfill letters` shows what lies in the dead letters now."))
        }
        "COMPLETED" => {
            let page = format!(
                "{} letters are back on the recovery queue. `septet backfill letters` shows those that come back.",
                task.moved
            );
            Ok(Answer::new(json, page))
        }
        "CANCELLED" => {
            app.screen.call("no", &format!("somebody cancelled the redrive: {}", so_far(&task)));
            Ok(Answer::new(json, "").with_code(exit::NO))
        }
        _ => Err(Failure::new(
            format!(
                "failed to move all letters: {}; {}",
                task.failure.as_deref().unwrap_or(&task.status),
                so_far(&task)
            ),
            "the others are still in the dead letters; `septet backfill redrive` moves them",
        )),
    }
}

/// Stays until the task is over that was started after `before`, and stops one that moves more than lay there: SQS
/// does not say that it leaves what comes back meanwhile. Says, too, whether it did.
async fn follow(
    app: &App,
    letters: &DeadLetters,
    before: Option<&Task>,
    about: usize,
) -> Result<(Task, bool), Failure> {
    let (mut said, mut looks, mut stopped) = (None, 0, false);
    loop {
        let task = letters.last_task().await?.filter(|task| !before.is_some_and(|it| it.is_same(task)));
        looks += 1;
        match task {
            Some(task) if task.is_over() => return Ok((task, stopped)),
            Some(task) if !stopped && task.moved > task.total.unwrap_or_default().max(about as i64) => {
                letters.stop(&task).await?;
                stopped = true;
            }
            Some(task) if said != Some(task.moved) => {
                app.screen.say(&format!("{} ...", so_far(&task)));
                said = Some(task.moved);
            }
            None if looks >= LOOKS => {
                return Err(Failure::new(
                    "failed to follow the redrive: it was started, and SQS does not list it",
                    "`septet backfill letters` shows what is still there",
                ));
            }
            _ => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}
