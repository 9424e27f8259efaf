//! What a third party's feed is: where it lies, how it is asked, how it pages, where its records belong.
//!
//! A feed is written once, as YAML or JSON, and never holds a secret or is named by anything but its name in a
//! message. [`Feed::parse`] refuses what could not give the true set of records, with line, column and fix.

mod check;
mod model;
mod reader;

use septet_contract::Diagnostic;
use septet_contract::document::{self, Findings, Syntax};
use sha2::{Digest, Sha256};

pub use model::{
    Authentication, Budget, Call, Evidence, Feed, FeedName, Incremental, Match, Method, Missing, NextUrl,
    Paginator, Path, RangeEnd, Records, ResponseAction, RowOrder, SecretRef, Selector, Sink, Slot, Verdict,
};

impl Feed {
    /// Reads a feed; errors as [`septet_contract::Contract::parse`] gives them.
    pub fn parse(text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut findings = Findings::default();
        let feed = document::read(text, Syntax::detect(text), &mut findings).and_then(|root| {
            let mut feed = reader::read(&root, &mut findings)?;
            feed.json = document::canonical_json(&root);
            check::check(&feed, &root, &mut findings);
            Some(feed)
        });
        match feed {
            Some(feed) if !findings.has_errors() => Ok(feed),
            _ => Err(findings.into_sorted()),
        }
    }

    /// The feed as JSON: no white space, keys sorted; [`parse`](Self::parse) reads it back.
    pub fn to_json(&self) -> &str {
        &self.json
    }

    /// SHA-256 of [`to_json`](Self::to_json) as 64 lower-case hexadecimal digits.
    pub fn digest(&self) -> String {
        crate::hex(&Sha256::digest(self.json.as_bytes()))
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) const EXAMPLE: &str = include_str!("../../../feeds/plays.yaml");
