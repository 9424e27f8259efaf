//! Follows a version to its verdict.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use septet_registry::{DatasetName, PromotionState, State, TableReference, VerdictOutcome, Version};
use septet_tables::TableFacts;
use serde_json::json;

use super::versions::why;
use crate::app::App;
use crate::exit;
use crate::failure::Failure;
use crate::screen::Answer;

/// Between two looks at the registry.
const PAUSE: Duration = Duration::from_millis(500);
/// For how long a version that passed is given to go live before the answer is given without.
const PROMOTION: u32 = 20;

/// The table of a name or ARN, which must exist.
pub(super) async fn existing_table(app: &App, reference: &TableReference) -> Result<TableFacts, Failure> {
    let found = app.tables.describe(&reference.name).await?;
    found.filter(|facts| reference.matches(&facts.arn)).ok_or_else(|| {
        Failure::new(
            format!(
                "failed to find the table {reference}: it does not exist in {}; nothing was changed",
                app.region
            ),
            "check the name, AWS_REGION and the account",
        )
    })
}

/// The version that a table is, if it is one.
pub(crate) async fn version_of(app: &App, facts: &TableFacts) -> Result<Option<Version>, Failure> {
    let claims = app.registry.claims(&facts.name).await?;
    match claims.into_iter().find(|claim| claim.table_id == facts.id) {
        Some(claim) => Ok(Some(app.registry.version(&claim.dataset, claim.version).await?)),
        None => Ok(None),
    }
}

/// Whether its check broke, so that it is run again when its table is published again.
fn is_broken(version: &Version) -> bool {
    let errored = version.verdict.as_ref().is_some_and(|it| it.outcome == VerdictOutcome::Errored);
    version.state == State::Rejected && errored
}

/// Returns true for a version that looks ended and goes on once it is signalled again.
///
/// A check that broke is run again. A version that was abandoned or rejected before its table was sealed is sealed.
fn is_revived(version: &Version) -> bool {
    is_broken(version) || !version.was_sealed() && matches!(version.state, State::Abandoned | State::Rejected)
}

/// Waits until the table's version has its verdict; `before` is the version before it was published.
pub(crate) async fn until_verdict(
    app: &App,
    dataset: &DatasetName,
    facts: &TableFacts,
    before: Option<&Version>,
    timeout: Duration,
) -> Result<Answer, Failure> {
    let mut progress = Progress::new(app);
    let followed = tokio::time::timeout(timeout, follow(app, facts, before, &mut progress)).await;
    progress.end();
    match followed {
        Ok(version) => Ok(answer(app, &version?)),
        Err(_) => {
            let stands =
                progress.last.take().map_or("it is not announced".into(), |last| format!("it is {last}"));
            Err(Failure::new(
                format!("failed to wait longer than {timeout:?} for the verdict on {}: {stands}", facts.name),
                format!(
                    "the signal was sent and the check goes on; `septet versions {dataset}` shows where it stands"
                ),
            ))
        }
    }
}

async fn follow(
    app: &App,
    facts: &TableFacts,
    before: Option<&Version>,
    progress: &mut Progress<'_>,
) -> Result<Version, Failure> {
    let ended = before.filter(|version| is_revived(version)).map(|version| version.revision);
    let mut passed = 0;
    loop {
        if let Some(version) = version_of(app, facts).await?
            && Some(version.revision) != ended
        {
            progress.at(&version);
            let pending = version.promotion_state == Some(PromotionState::Pending);
            match version.state {
                State::Announced | State::Sealed | State::Checking => {}
                // The signal is on record, and the sweep goes on with it.
                State::Abandoned | State::Rejected if version.signal.is_some() => {}
                // It goes live in a transaction of its own, a moment after its verdict.
                State::Valid if pending && passed < PROMOTION => passed += 1,
                _ => return Ok(version),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn answer(app: &App, version: &Version) -> Answer {
    let Version { version: number, dataset, table, .. } = version;
    let items = version.counts.as_ref().map(|counts| format!(", {} items", counts.items)).unwrap_or_default();
    let verdict = version.verdict.as_ref();
    let live = match (&version.promotion_state, version.state) {
        (Some(PromotionState::Promoted), State::Valid) => " It went live.".to_owned(),
        (Some(PromotionState::Skipped(why)), State::Valid) => format!(" It is not live: {why}."),
        (Some(PromotionState::Pending), State::Valid) => match &version.waits {
            Some(waits) => format!(" It is not live yet: {}.", waits.reason),
            None => " It is not live yet.".to_owned(),
        },
        (_, State::Valid) => format!(" It is not live: septet point {dataset} {number} --reason WHY."),
        _ => String::new(),
    };
    for warning in verdict.into_iter().flat_map(|verdict| &verdict.warnings) {
        app.screen.call("warning", warning);
    }
    let code = match version.state {
        State::Valid => exit::DONE,
        _ if is_broken(version) => exit::UNKNOWN,
        _ => exit::NO,
    };
    let mut page = format!("Version {number} of {dataset} ({table}{items}) is {}.{live}", version.state);
    if code != exit::DONE {
        let reasons = verdict.map(|verdict| verdict.reasons.clone()).unwrap_or_default();
        for reason in if reasons.is_empty() { vec![why(version)] } else { reasons } {
            page = format!("{page}\n  {reason}");
        }
        let hint = match code {
            exit::UNKNOWN => {
                "the check itself broke and says nothing about the data; publish the table again"
            }
            _ => "readers stay where they are; write the data anew to a new table and publish that",
        };
        app.screen.say(&format!("hint: {hint}"));
    }
    Answer::new(json!({"version": version}), page).with_code(code)
}

/// Shows where the version stands: a bar where somebody looks, else a line for each state.
struct Progress<'a> {
    app: &'a App,
    bar: Option<ProgressBar>,
    /// The state that was shown last, with what the version waits for.
    last: Option<String>,
}

impl<'a> Progress<'a> {
    fn new(app: &'a App) -> Self {
        let bar = app.screen.is_watched().then(|| {
            let bar = ProgressBar::new(4);
            let style = ProgressStyle::with_template("{spinner} [{bar:24}] {msg} {elapsed}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            bar.set_message("waits to be announced");
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { app, bar, last: None }
    }

    fn at(&mut self, version: &Version) {
        let waits = version.waits.as_ref().map(|waits| format!(": {}", waits.reason)).unwrap_or_default();
        let stands = format!("{}{waits}", version.state);
        if self.last.as_ref() == Some(&stands) {
            return;
        }
        let place = match version.state {
            State::Announced => 1,
            State::Sealed => 2,
            State::Checking => 3,
            _ => 4,
        };
        let said = format!("version {} is {stands}", version.version);
        self.last = Some(stands);
        match &self.bar {
            Some(bar) => {
                bar.set_position(place);
                bar.set_message(said);
            }
            None => self.app.screen.say(&said),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
