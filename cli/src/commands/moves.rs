//! Moves of pointers: plan, look at the target, print, ask, act.

use septet_registry::decide::{self, Act};
use septet_registry::{
    Dataset, DatasetName, Decision, Direction, Error, HoldId, Outcome, PointRequest, Pointer, PointerHold,
    PointerName, Version,
};
use serde_json::json;
use uuid::Uuid;

use super::refusal::{declined, print_refusal, refused_move};
use super::target::{self, Findings};
use super::{contract, holds};
use crate::app::{App, now};
use crate::args::{Forward, Moving, Point, Rollback};
use crate::confirm::{Confirmed, confirm};
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, or_dash, text, time};

pub(crate) async fn point(app: &App, args: Point) -> Result<Answer, Failure> {
    let Moving { reason, pointer, force } = args.moving;
    let request = PointRequest { force, ..PointRequest::new(Direction::To(args.version), reason) };
    go(app, args.dataset, pointer, request).await
}

pub(crate) async fn roll_back(app: &App, args: Rollback) -> Result<Answer, Failure> {
    let Moving { reason, pointer, force } = args.moving;
    let hold_until = match args.hold_until {
        None => None,
        Some(when) => Some(when.after(now()).ok_or_else(|| {
            Failure::new(
                "failed to set the hold: --hold-until is no time to come",
                "name a time after now, or a duration such as 12h or 3d",
            )
        })?),
    };
    let withdraw = args.withdraw || pointer == PointerName::live();
    let request =
        PointRequest { force, hold_until, withdraw, ..PointRequest::new(Direction::Back(args.to), reason) };
    go(app, args.dataset, pointer, request).await
}

pub(crate) async fn forward(app: &App, args: Forward) -> Result<Answer, Failure> {
    let Moving { reason, pointer, force } = args.moving;
    let request = PointRequest { force, release: args.hold, ..PointRequest::new(Direction::Forward, reason) };
    go(app, args.dataset, pointer, request).await
}

/// A move as it would be made.
struct Plan {
    dataset: DatasetName,
    name: PointerName,
    request: PointRequest,
    from: Option<Version>,
    to: Version,
    /// Holds that are in force after the move.
    holds: Vec<PointerHold>,
    /// Holds that end with it.
    ended: Vec<PointerHold>,
    findings: Findings,
}

async fn go(
    app: &App,
    dataset: DatasetName,
    name: PointerName,
    mut request: PointRequest,
) -> Result<Answer, Failure> {
    // Read first: whatever changes afterwards, a hold too, gives the pointer another generation.
    let pointer = app.registry.pointer(&dataset, &name).await?;
    let dataset = app.dataset(&dataset).await?;
    let versions = app.registry.versions(&dataset.dataset).await?;
    let find = |number| versions.iter().find(|version| version.version == number).cloned();
    // The decision takes for granted that there is such a version.
    if let Direction::To(version) | Direction::Back(Some(version)) = request.direction
        && find(version).is_none()
    {
        return Err(Error::UnknownVersion { dataset: dataset.dataset, version }.into());
    }
    let by = app.by();
    let act = Act { id: Uuid::nil(), at: by.now, actor: by.actor };
    // The move is refused if the pointer changes before it is made: what was shown and confirmed is what is done.
    request.shown = Some(pointer.as_ref().map_or(0, |pointer| pointer.generation));
    // Whether the content is the same is asked below, where it can be said together with the rest.
    let planned = PointRequest { force: true, ..request.clone() };
    let in_force =
        |dataset: &Dataset, pointer: Option<&Pointer>| holds::in_force(dataset, &name, pointer, act.at);
    let before = in_force(&dataset, pointer.as_ref());
    let (moved, holds) =
        match decide::move_pointer(&dataset, &name, pointer.as_ref(), &versions, &planned, &act) {
            Decision::Commit(transaction, moved) => {
                let holds = in_force(&holds::dataset_in(&transaction, &dataset), Some(&moved));
                (moved, holds)
            }
            Decision::Already(pointer) => return Ok(already(app, &request, &pointer, &before)),
            Decision::Refuse(refusal) => {
                return Ok(refused_move(app, &dataset.dataset, &name, &refusal).await);
            }
        };
    let ended = before.into_iter().filter(|old| !holds.iter().any(|hold| hold.id == old.id)).collect();
    let Some(to) = find(moved.version) else {
        return Err(Failure::new("failed to find the target among the versions", "try again"));
    };
    let from = pointer.as_ref().and_then(|pointer| find(pointer.version));
    let mut findings = target::look(&app.tables, &to, from.as_ref()).await?;
    // What was shown is what is done, whatever becomes of other versions meanwhile.
    if matches!(request.direction, Direction::Back(None)) {
        request.direction = Direction::Back(Some(to.version));
    }
    request.target = Some(to.version);
    findings.warnings.extend(broken_promises(app, &dataset, &to).await);
    let dataset = dataset.dataset;
    let plan = Plan { dataset, name, request, from, to, holds, ended, findings };
    show(app, &plan);
    let force = Some(plan.request.force);
    if let Some(answer) = forbidden(app, &plan.dataset, &plan.to, &plan.findings, force) {
        return Ok(answer);
    }
    match confirm("Go on?", app.yes)? {
        Some(confirmed) => execute(app, plan, confirmed).await,
        None => Ok(declined(app)),
    }
}

/// Prints the plan.
fn show(app: &App, plan: &Plan) {
    let screen = &app.screen;
    show_versions(app, &plan.dataset, &plan.name, plan.from.as_ref(), &plan.to, &plan.request.reason);
    holds::print_ended(app, &plan.ended);
    for hold in &plan.holds {
        // The decision that is shown has the nil id.
        let is_new = hold.id == HoldId::of(Uuid::nil());
        let id = if is_new { "a new hold".into() } else { format!("hold {} of {}", hold.id, hold.by) };
        let until =
            hold.until.map_or_else(|| "until it is released".into(), |at| format!("until {}", time(at)));
        let held = match plan.name == PointerName::live() {
            true => "no version goes live by itself".to_owned(),
            false => format!("{} is held", plan.name),
        };
        screen.say(&format!("hold: {held} {until} ({id})"));
    }
    if let (Direction::Back(_), true, Some(from)) =
        (plan.request.direction, plan.request.withdraw, &plan.from)
    {
        let others: Vec<_> = from.pointed_by.iter().filter(|name| **name != plan.name).collect();
        match others.first() {
            None => screen.say(&format!(
                "withdraws: version {}, which is then no baseline and is never promoted; `septet reinstate` undoes it",
                from.version
            )),
            Some(other) => screen.call(
                "warning",
                &format!("version {} is not withdrawn, because the pointer {other} names it", from.version),
            ),
        }
    }
    if let Some(mark) = &plan.to.withdrawn {
        screen.say(&format!(
            "reinstates: version {}, which {} withdrew: {}",
            plan.to.version, mark.by, mark.reason
        ));
    }
    print_findings(app, &plan.findings, plan.request.force);
}

/// Prints from where to where a pointer moves, and why.
pub(super) fn show_versions(
    app: &App,
    set: &DatasetName,
    name: &PointerName,
    from: Option<&Version>,
    to: &Version,
    reason: &str,
) {
    let screen = &app.screen;
    screen.say(&format!("{name} of {set}:"));
    let mut table = screen.aside(&[]);
    let mut row = |label: &str, version: Option<&Version>| {
        let cell = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        table.add_row([
            label.to_owned(),
            cell(version.map(|it| format!("version {}", it.version))),
            cell(version.map(|it| it.table.to_string())),
            cell(version.map(|it| format!("{} items", or_dash(it.counts.as_ref().map(|it| it.items))))),
            cell(version.map(|it| format!("announced {}", time(it.announced_at)))),
        ]);
    };
    row("from", from);
    row("to", Some(to));
    screen.say(&text(&table));
    screen.say(&format!("because: {reason}"));
}

/// Prints the warnings about a target, and the reasons that --force overrides.
pub(super) fn print_findings(app: &App, findings: &Findings, force: bool) {
    for warning in &findings.warnings {
        app.screen.call("warning", warning);
    }
    for forced in findings.needs_force.iter().filter(|_| force) {
        app.screen.call("warning", &format!("{forced} (forced)"));
    }
}

/// Answers with the reasons that forbid a move, if there are any; `force` is none for a command that has no --force.
pub(super) fn forbidden(
    app: &App,
    set: &DatasetName,
    to: &Version,
    findings: &Findings,
    force: Option<bool>,
) -> Option<Answer> {
    let Findings { forbids, needs_force, .. } = findings;
    let number = to.version;
    let (reasons, hint) = if !forbids.is_empty() {
        (forbids, format!("choose another version: `septet versions {set}`"))
    } else if !needs_force.is_empty() && force != Some(true) {
        let hint = match force {
            Some(_) => "--force goes on all the same".to_owned(),
            None => format!(
                "release without it, and `septet point {set} {number} --force --reason WHY` goes on all the same"
            ),
        };
        (needs_force, hint)
    } else {
        return None;
    };
    for reason in reasons {
        app.screen.call("no", &format!("version {number}: {reason}"));
    }
    app.screen.say(&format!("hint: {hint}; nothing changed"));
    Some(
        Answer::new(json!({"outcome": "refused", "version": number, "reasons": reasons}), "")
            .with_code(exit::NO),
    )
}

/// Names the promises of the contract in force that the data of an older version may break, a line each.
pub(super) async fn broken_promises(app: &App, dataset: &Dataset, to: &Version) -> Vec<String> {
    if to.contract == dataset.contract {
        return Vec::new();
    }
    // A contract that cannot be read is no reason to leave readers on bad data.
    contract::breaks_of_version(app, dataset, to).await.unwrap_or_else(|failure| {
        vec![format!(
            "what version {} breaks in contract {} is not known: {}",
            to.version, dataset.contract, failure.what
        )]
    })
}

async fn execute(app: &App, plan: Plan, _: Confirmed) -> Result<Answer, Failure> {
    let Plan { dataset: set, name, request, from, findings, .. } = plan;
    let by = app.by();
    let pointer = match app.registry.move_pointer(&set, &name, &request, &by).await? {
        Outcome::Done(pointer) => pointer,
        Outcome::Already(pointer) => return Ok(already(app, &request, &pointer, &[])),
        Outcome::Refused(refusal) => return Ok(refused_move(app, &set, &name, &refusal).await),
    };
    let mut page = format!(
        "{name} of {set} names version {} ({}). Readers follow within {} s.",
        pointer.version, pointer.table, pointer.poll_seconds
    );
    // The move is made: a read that fails afterwards takes nothing of that back.
    let holds = holds::now_in_force(app, &set, &name, &pointer, by.now).await;
    if !holds.is_empty() {
        let held = match name == PointerName::live() {
            true => "It is held there: new versions are checked and kept, and none goes live by itself.",
            false => "It is held there.",
        };
        page = holds::below(format!("{page}\n{held}"), &set, &name, &holds, &by.actor);
    }
    let from = from.filter(|_| matches!(request.direction, Direction::Back(_)));
    let left = match from {
        Some(from) => app.registry.version(&set, from.version).await.ok(),
        None => None,
    };
    let withdrawn = left.as_ref().filter(|left| left.withdrawn.is_some()).map(|left| left.version);
    page.push_str(&match (withdrawn, left) {
        (Some(left), _) => {
            format!("\nVersion {left} is withdrawn; `septet reinstate {set} {left} --reason WHY` undoes it.")
        }
        (None, Some(left)) if request.withdraw => {
            format!("\nVersion {} is not withdrawn: another pointer names it.", left.version)
        }
        (None, _) => String::new(),
    });
    let json = json!({
        "outcome": "done", "pointer": pointer, "holds": holds, "withdrawn": withdrawn,
        "warnings": findings.warnings,
    });
    Ok(Answer::new(json, page))
}

/// The answer where the pointer names the target already.
///
/// A rollback to it was done before only if it is held there.
fn already(app: &App, request: &PointRequest, pointer: &Pointer, holds: &[PointerHold]) -> Answer {
    let Pointer { dataset: set, pointer: name, version, table, .. } = pointer;
    let page = format!("{name} of {set} names version {version} ({table}) already. Nothing changed.");
    let page = holds::below(page, set, name, holds, &app.actor);
    let json = json!({"outcome": "already", "pointer": pointer, "holds": holds});
    let answer = Answer::new(json, page);
    let open = matches!(request.direction, Direction::Back(_)) && holds.is_empty();
    if !open || *name != PointerName::live() {
        return answer;
    }
    print_refusal(
        app,
        "no hold is in force: the next version that passes goes live by itself",
        &format!("`septet rollback {set} --reason WHY` goes back from version {version}, and holds"),
    );
    answer.with_code(exit::NO)
}
