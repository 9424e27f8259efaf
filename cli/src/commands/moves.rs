//! Moves of pointers: plan, look at the target, print, ask, act.

use septet_registry::decide::{self, Act};
use septet_registry::{
    Dataset, DatasetName, Decision, Direction, Outcome, PointRequest, Pointer, PointerName, Refusal, Version,
};
use serde_json::json;
use uuid::Uuid;

use super::target::{self, Findings};
use crate::app::App;
use crate::args::{Forward, Moving, Point, Release, Rollback};
use crate::confirm::{Confirmed, confirm};
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, or_dash, text, time};

pub(crate) async fn point(app: &App, args: Point) -> Result<Answer, Failure> {
    let Moving { reason, pointer, force } = args.moving;
    let request = PointRequest { direction: Direction::To(args.version), reason, force, hold_until: None };
    // Asked here, for the decision takes it for granted.
    app.dataset(&args.dataset).await?;
    app.registry.version(&args.dataset, args.version).await?;
    go(app, args.dataset, pointer, request).await
}

pub(crate) async fn roll_back(app: &App, args: Rollback) -> Result<Answer, Failure> {
    let Moving { reason, pointer, force } = args.moving;
    let direction = Direction::Back(args.to);
    let request = PointRequest { direction, reason, force, hold_until: args.hold_until };
    app.dataset(&args.dataset).await?;
    if let Some(to) = args.to {
        app.registry.version(&args.dataset, to).await?;
    }
    go(app, args.dataset, pointer, request).await
}

pub(crate) async fn forward(app: &App, args: Forward) -> Result<Answer, Failure> {
    let Moving { reason, pointer, force } = args.moving;
    let request = PointRequest { direction: Direction::Forward, reason, force, hold_until: None };
    go(app, args.dataset, pointer, request).await
}

/// A move as it would be made.
struct Plan {
    dataset: Dataset,
    name: PointerName,
    request: PointRequest,
    from: Option<Version>,
    to: Version,
    moved: Pointer,
    findings: Findings,
}

async fn go(
    app: &App,
    dataset: DatasetName,
    name: PointerName,
    mut request: PointRequest,
) -> Result<Answer, Failure> {
    let dataset = app.dataset(&dataset).await?;
    let pointer = app.registry.pointer(&dataset.dataset, &name).await?;
    let versions = app.registry.versions(&dataset.dataset).await?;
    let by = app.by();
    let act = Act { id: Uuid::nil(), at: by.now, actor: by.actor };
    // Whether the content is the same is asked below, where it can be said together with the rest.
    let planned = PointRequest { force: true, ..request.clone() };
    let moved = match decide::move_pointer(&dataset, &name, pointer.as_ref(), &versions, &planned, &act) {
        Decision::Commit(_, moved) => moved,
        Decision::Already(pointer) => return Ok(already(&dataset.dataset, &pointer)),
        Decision::Refuse(refusal) => return Ok(refused(app, &dataset.dataset, &refusal)),
    };
    let find = |number| versions.iter().find(|version| version.version == number).cloned();
    let Some(to) = find(moved.version) else {
        return Err(Failure::new("failed to find the target among the versions", "try again"));
    };
    let from = pointer.as_ref().and_then(|pointer| find(pointer.version));
    let mut findings = target::look(&app.tables, &to, from.as_ref()).await?;
    if let Some(from) = &from
        && to.digest.is_some()
        && to.digest == from.digest
    {
        findings.needs_force.push(format!("it has the very same content as version {}", from.version));
    }
    // What was shown is what is done, wherever the pointer has gone meanwhile.
    if matches!(request.direction, Direction::Back(None)) {
        request.direction = Direction::Back(Some(to.version));
    }
    let plan = Plan { dataset, name, request, from, to, moved, findings };
    show(app, &plan);
    if let Some(answer) = forbidden(app, &plan) {
        return Ok(answer);
    }
    match confirm("Go on?", app.yes)? {
        Some(confirmed) => execute(app, plan, confirmed).await,
        None => {
            app.screen.call("no", "declined; nothing changed");
            Ok(Answer::new(json!({"outcome": "declined"}), "").with_code(exit::NO))
        }
    }
}

/// Prints the plan.
fn show(app: &App, plan: &Plan) {
    let screen = &app.screen;
    screen.say(&format!("{} of {}:", plan.name, plan.dataset.dataset));
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
    row("from", plan.from.as_ref());
    row("to", Some(&plan.to));
    screen.say(&text(&table));
    screen.say(&format!("because: {}", plan.request.reason));
    if let Some(hold) = &plan.moved.hold {
        let until =
            hold.until.map_or_else(|| "until it is released".into(), |at| format!("until {}", time(at)));
        screen.say(&format!("hold: no version goes live by itself {until}"));
    }
    for warning in &plan.findings.warnings {
        screen.call("warning", warning);
    }
    if plan.request.force {
        for forced in &plan.findings.needs_force {
            screen.call("warning", &format!("{forced} (forced)"));
        }
    }
}

/// What forbids the move, if anything does.
fn forbidden(app: &App, plan: &Plan) -> Option<Answer> {
    let Findings { forbids, needs_force, .. } = &plan.findings;
    let number = plan.to.version;
    let (reasons, hint) = if !forbids.is_empty() {
        let hint = format!("choose another version: `septet versions {}`", plan.dataset.dataset);
        (forbids, hint)
    } else if !needs_force.is_empty() && !plan.request.force {
        (needs_force, "--force goes on all the same".to_owned())
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

async fn execute(app: &App, plan: Plan, _: Confirmed) -> Result<Answer, Failure> {
    let Plan { dataset, name, request, .. } = plan;
    let dataset = dataset.dataset;
    let pointer = match app.registry.move_pointer(&dataset, &name, &request, &app.by()).await? {
        Outcome::Done(pointer) => pointer,
        Outcome::Already(pointer) => return Ok(already(&dataset, &pointer)),
        Outcome::Refused(refusal) => return Ok(refused(app, &dataset, &refusal)),
    };
    let mut page = format!(
        "{name} of {dataset} names version {} ({}). Readers follow within {} s.",
        pointer.version, pointer.table, pointer.poll_seconds
    );
    if let Some(hold) = &pointer.hold {
        let until = hold.until.map(|at| format!(" at {}, or", time(at))).unwrap_or_default();
        let option = if name == PointerName::live() { String::new() } else { format!(" --pointer {name}") };
        page = format!(
            "{page}\nIt is held there: new versions are checked and kept, and none goes live by itself. The hold \
             ends{until} with: septet release {dataset} --reason WHY{option}"
        );
    }
    Ok(Answer::new(json!({"outcome": "done", "pointer": pointer, "warnings": plan.findings.warnings}), page))
}

fn already(dataset: &DatasetName, pointer: &Pointer) -> Answer {
    let Pointer { pointer: name, version, table, .. } = pointer;
    let page = format!("{name} of {dataset} names version {version} ({table}) already. Nothing changed.");
    Answer::new(json!({"outcome": "already", "pointer": pointer}), page)
}

fn refused(app: &App, dataset: &DatasetName, refusal: &Refusal) -> Answer {
    let hint = match refusal {
        Refusal::NoPointer { .. } | Refusal::NowhereToGo { .. } => {
            format!("`septet point {dataset} VERSION --reason WHY` points at any of them")
        }
        Refusal::NotHeld { .. } => "there is nothing to release".into(),
        Refusal::Identical { .. } => "--force goes on all the same".into(),
        _ => format!("`septet versions {dataset}` lists the valid ones"),
    };
    app.screen.call("no", &refusal.to_string());
    app.screen.say(&format!("hint: {hint}; nothing changed"));
    Answer::new(json!({"outcome": "refused", "reasons": [refusal.to_string()]}), "").with_code(exit::NO)
}

pub(crate) async fn release(app: &App, args: Release) -> Result<Answer, Failure> {
    let Release { dataset, reason, pointer: name } = args;
    app.dataset(&dataset).await?;
    let pointer = match app.registry.release(&dataset, &name, &reason, &app.by()).await? {
        Outcome::Done(pointer) | Outcome::Already(pointer) => pointer,
        Outcome::Refused(refusal) => return Ok(refused(app, &dataset, &refusal)),
    };
    let page = format!(
        "{name} of {dataset} is released. It names version {}; the next version that passes goes live by itself.",
        pointer.version
    );
    Ok(Answer::new(json!({"outcome": "done", "pointer": pointer}), page))
}
