//! That somebody agreed.

use std::io::{BufRead, IsTerminal, Write};

use crate::failure::Failure;

/// Somebody agreed; only the prompt and `--yes` can make it.
#[derive(Debug)]
pub(crate) struct Confirmed(());

/// Asks on the terminal unless `yes` was typed; none where the answer is no.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<Option<Confirmed>, Failure> {
    if yes {
        return Ok(Some(Confirmed(())));
    }
    let mut input = std::io::stdin().lock();
    if !std::io::stdin().is_terminal() {
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
