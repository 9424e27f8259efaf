//! What is wrong with a document, where, and how to mend it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a problem matters: of a document, or of a rule that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Does not stop a contract from being put, nor a version from being valid.
    Warning,
    /// Stops it.
    Error,
}

impl Severity {
    /// The severity as documents write it: `info`, `warning` or `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One problem of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// [`Severity::Error`] if the document cannot be used as it is.
    pub severity: Severity,
    /// Where, as `schema[0].properties[2].name`; empty for the document as a whole.
    pub path: String,
    /// Line in the text, from 1 on.
    pub line: usize,
    /// Column in characters, from 1 on.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Diagnostic {
    /// Prints as `recs.odcs.yaml:12:7: error: …`, then the path and the hint, each on a line of its own.
    pub fn in_file<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            let Self { severity, path, line, column, message, hint } = self;
            write!(f, "{file}:{line}:{column}: {severity}: {message}")?;
            if !path.is_empty() {
                write!(f, "\n  at: {path}")?;
            }
            write!(f, "\n  hint: {hint}")
        })
    }
}

/// Prints as [`in_file`](Diagnostic::in_file) does, of a file named `contract`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.in_file("contract").fmt(f)
    }
}
