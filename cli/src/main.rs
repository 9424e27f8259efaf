//! The command `septet`: contracts, publishing, versions, pointers, the audit log.
//!
//! Each command reads, plans, prints the plan, asks where something is at stake, and acts. It promises
//! that standard output is data, that an error says what to do, and the exit codes of [`exit`].

mod app;
mod args;
mod clients;
mod commands;
mod confirm;
mod distribution;
mod exit;
mod failure;
mod items;
mod junit;
mod queue;
mod reading;
mod screen;

use std::process::ExitCode;

use args::Cli;
use clap::Parser;
use screen::Screen;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { global, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(commands::wrong_use(&error)),
    };
    let screen = Screen::of_process(global.json);
    match commands::run(command, global, screen).await {
        Ok(answer) => {
            screen.answer(&answer);
            ExitCode::from(answer.code)
        }
        Err(failure) => {
            screen.call("error", &failure.to_string());
            ExitCode::from(failure.code)
        }
    }
}
