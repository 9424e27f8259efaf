//! That somebody agreed.

use std::io::{BufRead, IsTerminal, Write};

use crate::failure::Failure;

/// Somebody agreed; only the prompt and `--yes` can make it.
#[derive(Debug)]
pub(crate) struct Confirmed(());

/// Returns true if [`confirm`] can have an answer: it was typed, or there is a terminal to ask on.
pub(crate) fn can_confirm(yes: bool) -> bool {
    yes || std::io::stdin().is_terminal()
}

/// Asks on the terminal unless `yes` was typed; none where the answer is no.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<Option<Confirmed>, Failure> {
    if yes {
        return Ok(Some(Confirmed(())));
    }
    let mut input = std::io::stdin().lock();
    if !can_confirm(yes) {
        return Err(Failure::new(
            "failed to ask whether to go on: there is no terminal",
            "say --yes to go on",
        ));
    }
    let _ = write!(std::io::stderr(), "{question} [y/N] ").and_then(|()| std::io::stderr().flush());
    let mut answer = String::new();
    input
        .read_line(&mut answer)
        .map_err(|error| Failure::new(format!("failed to read the answer: {error}"), "say --yes to go on"))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes").then_some(Confirmed(())))
}
