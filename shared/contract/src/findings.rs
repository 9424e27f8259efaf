//! Collects what is wrong with a document.

use crate::diagnostic::{Diagnostic, Severity};
use crate::document::Position;

/// More than that help nobody.
const MOST: usize = 500;

/// What is wrong with a document, so far.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<Diagnostic>,
}

impl Findings {
    /// Adds what makes the document unusable: where, what, and what to do about it.
    pub fn error(&mut self, at: Position, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Severity::Error, at, path, message.into(), hint.into());
    }

    /// Adds what is legal but doubtful.
    pub fn warning(&mut self, at: Position, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Severity::Warning, at, path, message.into(), hint.into());
    }

    fn push(&mut self, severity: Severity, at: Position, path: &str, message: String, hint: String) {
        if self.found.len() < MOST || severity == Severity::Error && !self.has_errors() {
            let Position { line, column } = at;
            self.found.push(Diagnostic { severity, path: path.to_owned(), line, column, message, hint });
        }
    }

    /// Whether the document is unusable.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|finding| finding.severity == Severity::Error)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All findings in the order of the text.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.found.sort_by(|a, b| (a.line, a.column, &a.path).cmp(&(b.line, b.column, &b.path)));
        self.found
    }
}

/// `Did you mean …?` for the candidate that is close enough to be a slip.
pub(crate) fn did_you_mean<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if text.len() > 64 {
        return None;
    }
    let allowed = (text.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| {
            let same = candidate.eq_ignore_ascii_case(text);
            (if same { 0 } else { strsim::osa_distance(text, candidate) }, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed && *distance < text.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The nearest candidate as a question, else all of them.
pub fn choose(text: &str, candidates: &[&str]) -> String {
    match did_you_mean(text, candidates.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if candidates.len() == 1 => format!("use {}", candidates.join("")),
        None => format!("use one of {}", candidates.join(", ")),
    }
}
