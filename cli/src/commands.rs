//! The commands.

mod adopt;
mod backfill;
mod check;
mod contract;
mod feed;
mod history;
mod holds;
mod log;
mod marks;
mod moves;
mod plan;
mod publish;
mod refusal;
mod target;
mod versions;
mod wait;

use crate::app::App;
use crate::args::{Command, Contract, FeedCommand, Global};
use crate::exit;
use crate::failure::Failure;
use crate::screen::{Answer, Screen};

/// Runs a command.
pub(crate) async fn run(command: Command, global: Global, screen: Screen) -> Result<Answer, Failure> {
    if let Command::Contract(Contract::Lint { file }) = &command {
        return contract::lint(file, &screen);
    }
    if let Command::Feed(FeedCommand::Lint { file }) = &command {
        return feed::lint(file, &screen);
    }
    if let Command::Contract(Contract::Diff(diff)) = &command
        && let Some(answer) = contract::of_files(diff, &screen)
    {
        return answer;
    }
    if let Command::Check(check) = &command
        && !check::needs_aws(check)
    {
        return check::check(None, check, &screen).await;
    }
    let app = App::new(global, screen).await?;
    match in_aws(&app, command).await {
        Ok(answer) => Ok(answer),
        Err(failure) => Err(app.explain(failure).await),
    }
}

async fn in_aws(app: &App, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Contract(Contract::Lint { file }) => contract::lint(&file, &app.screen),
        Command::Contract(Contract::Put { file, reason, breaking, adopt }) => {
            contract::put(app, &file, reason, breaking, adopt).await
        }
        Command::Contract(Contract::Diff(diff)) => contract::diff(app, diff).await,
        Command::Contract(Contract::Infer { table, items }) => contract::infer(app, &table, items).await,
        Command::Contract(Contract::Show { dataset, number }) => contract::show(app, &dataset, number).await,
        Command::Check(check) => check::check(Some(app), &check, &app.screen).await,
        Command::Publish(publish) => publish::publish(app, publish).await,
        Command::Versions(versions) => versions::list(app, versions).await,
        Command::Show(show) => versions::show(app, show).await,
        Command::Point(point) => moves::point(app, point).await,
        Command::Rollback(rollback) => moves::roll_back(app, rollback).await,
        Command::Forward(forward) => moves::forward(app, forward).await,
        Command::Release(release) => holds::release(app, release).await,
        Command::Withdraw(marked) => marks::withdraw(app, marked).await,
        Command::Reinstate(marked) => marks::reinstate(app, marked).await,
        Command::Adopt(adopt) => adopt::adopt(app, adopt).await,
        Command::Discard(discard) => marks::discard(app, discard).await,
        Command::Log(log) => log::log(app, log).await,
        Command::History(history) => history::history(app, history).await,
        Command::Prune(prune) => plan::plan(app, prune).await,
        Command::Feed(command) => feed::run(app, command).await,
        Command::Backfill(command) => backfill::run(app, command).await,
    }
}

/// Prints help, or what was typed wrongly, and gives the exit code.
pub(crate) fn wrong_use(error: &clap::Error) -> u8 {
    // Nobody is left to tell where even this cannot be printed.
    let _ = error.print();
    if !error.use_stderr() {
        return exit::DONE;
    }
    Screen::of_process(false).say("hint: `septet help` and `septet help COMMAND` show examples");
    exit::UNKNOWN
}
