//! Whether a table is complete: the ladder of signs, the surest first.

use septet_contract::Rung as Accepted;
use septet_registry::{Readiness, Rung, Signal};
use septet_tables::{Import, ImportStatus};

/// What a sign of completeness comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The table is complete.
    Complete(Readiness),
    /// It is not, for this reason.
    Missing(String),
    /// There is a sign, and the contract does not take it.
    NotTaken(String),
}

/// Whether the contract takes an import, or a tag, or a quiet time, as a sign.
pub(crate) fn takes(accepted: &[Accepted], rung: Rung) -> bool {
    accepted.iter().any(|one| {
        matches!(
            (one, rung),
            (Accepted::Manifest, Rung::Manifest)
                | (Accepted::Import, Rung::Import)
                | (Accepted::Signal, Rung::Signal)
                | (Accepted::Tag, Rung::Tag)
                | (Accepted::Quiet { .. }, Rung::Quiet)
        )
    })
}

/// A signal, with a manifest or without.
pub(crate) fn from_signal(accepted: &[Accepted], signal: &Signal) -> Sign {
    let rung = match signal.items {
        Some(_) if takes(accepted, Rung::Manifest) => Rung::Manifest,
        // Whoever takes a mere word takes one with a number too, and the number is checked all the same.
        _ if takes(accepted, Rung::Signal) => Rung::Signal,
        Some(_) => {
            return Sign::NotTaken(format!("septet.readiness of its contract takes {}", list(accepted)));
        }
        None if takes(accepted, Rung::Manifest) => {
            return Sign::NotTaken(format!(
                "septet.readiness of its contract takes {}; say in field `items` how many items were written",
                list(accepted)
            ));
        }
        None => return Sign::NotTaken(format!("septet.readiness of its contract takes {}", list(accepted))),
    };
    let Signal { items, digest, by, .. } = signal.clone();
    Sign::Complete(Readiness { rung, items, digest, by })
}

/// An import into the table, if there is one.
pub(crate) fn from_import(import: Option<&Import>) -> Sign {
    let Some(import) = import else { return Sign::Missing("no import into it".into()) };
    match &import.status {
        ImportStatus::InProgress => Sign::Missing("its import is still running".into()),
        ImportStatus::Completed if import.errors == 0 && import.imported == import.processed => {
            let items = Some(import.imported);
            Sign::Complete(Readiness { rung: Rung::Import, items, digest: None, by: None })
        }
        ImportStatus::Completed => Sign::Missing(format!(
            "its import finished with {} errors and imported {} of {} items; import into a new table, or send a \
             signal if that is all there should be",
            import.errors, import.imported, import.processed
        )),
        ImportStatus::Cancelled | ImportStatus::Failed => {
            let why = import.failure.as_deref().unwrap_or("no reason given");
            Sign::Missing(format!("its import failed or was cancelled ({why}); import into a new table"))
        }
        ImportStatus::Other(status) => Sign::Missing(format!("its import is {status}")),
    }
}

/// The value of the tag `septet:ready`, if the table has it.
pub(crate) fn from_tag(tag: Option<&str>, by: Option<&str>) -> Sign {
    match tag {
        None => Sign::Missing("no tag septet:ready".into()),
        Some(value) if value.eq_ignore_ascii_case("false") => Sign::Missing("septet:ready is false".into()),
        Some(_) => {
            let by = by.map(str::to_owned);
            Sign::Complete(Readiness { rung: Rung::Tag, items: None, digest: None, by })
        }
    }
}

pub(crate) fn list(accepted: &[Accepted]) -> String {
    let names: Vec<_> = accepted.iter().map(ToString::to_string).collect();
    names.join(", ")
}
