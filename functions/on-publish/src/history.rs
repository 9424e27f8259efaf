//! Profiles of versions, kept for the versions after them.

use std::sync::Arc;

use septet_checks::{CONFIDENCE, Checker, Earlier, History, Profile};
use septet_registry::{PointerName, State, Version};
use serde_json::{Value, json};
use tracing::warn;

use crate::error::Error;
use crate::judge::Seen;
use crate::look::Visit;

/// The document of a version that holds its profile.
pub(crate) const PROFILE: &str = "PROFILE";

/// The most bytes of a profile; an item takes 400 KB.
const LARGEST: usize = 300_000;

/// The most versions that a version is compared with.
const MOST_EARLIER: usize = 100;

/// The most bytes of what is shown of attributes.
const LARGEST_SHOWN: usize = 40_000;

/// The profile as it is kept: for people its numbers, for the next versions all of it as one text, whose bytes are
/// those of the item.
pub(crate) fn document(seen: Seen) -> Value {
    let profile = seen.profile();
    let mut summary = match &seen {
        Seen::Whole(_) => {
            json!({"items": profile.items(), "bytes": profile.bytes(), "digest": profile.digest()})
        }
        Seen::Sample(sample) => json!({
            "sample": sample.extent(), "items_read": profile.items(), "bytes_read": profile.bytes(),
            "items": sample.items(), "confidence_percent": CONFIDENCE,
        }),
    };
    let statistics = json!(profile.statistics());
    if statistics.to_string().len() <= LARGEST_SHOWN {
        summary["attributes"] = statistics;
    }
    match serde_json::to_string(&seen.into_profile().within(LARGEST)) {
        Ok(text) => json!({"summary": summary, "profile": text}),
        Err(error) => json!({"summary": summary, "left_out": error.to_string()}),
    }
}

impl Visit<'_> {
    /// The versions that rules compare this one with, if any rule does.
    pub(crate) async fn history(&self, version: &Version, checker: &Checker) -> Result<History, Error> {
        // Whichever invocation judges a shared check, it does so as of the same time.
        let now = version.sharing.as_ref().map_or_else(|| self.handler.clock.now(), |sharing| sharing.since);
        let mut history = History { at: version.announced_at, ..History::alone(now) };
        if !checker.compares() {
            return Ok(history);
        }
        let registry = &self.handler.registry;
        let live = registry.pointer(&version.dataset, &PointerName::live()).await?;
        let versions = registry.versions(&version.dataset).await?;
        let valid = |one: &&Version| one.state == State::Valid && one.version != version.version;
        if let Some(live) = live.and_then(|live| versions.iter().find(|one| one.version == live.version)) {
            history.live = Some(self.earlier(live).await?);
        }
        let before = versions.iter().rev().filter(valid).filter(|one| one.version < version.version);
        for one in before.take(MOST_EARLIER) {
            let known = history.live.iter().find(|live| live.name == name(one)).cloned();
            history.earlier.push(match known {
                Some(live) => live,
                None => self.earlier(one).await?,
            });
        }
        Ok(history)
    }

    async fn earlier(&self, version: &Version) -> Result<Earlier, Error> {
        let registry = &self.handler.registry;
        let documents = registry.documents(&version.dataset, version.version, PROFILE).await?;
        let text = documents.iter().find_map(|(name, document)| match name.as_str() {
            PROFILE => document["profile"].as_str(),
            _ => None,
        });
        let profile = text.and_then(|text| {
            let read = serde_json::from_str::<Profile>(text);
            read.inspect_err(|error| {
                warn!(dataset = %version.dataset, version = version.version.get(), %error, "a profile cannot be read");
            })
            .ok()
        });
        Ok(Earlier { name: name(version), at: version.announced_at, profile: profile.map(Arc::new) })
    }
}

fn name(version: &Version) -> String {
    format!("version {}", version.version.get())
}
