//! Profiles of versions, kept for the versions after them.

use std::sync::Arc;

use jiff::Timestamp;
use septet_checks::{CONFIDENCE, Checker, Earlier, History, Profile};
use septet_registry::{DatasetName, Error, PointerName, Registry, Version, VersionNumber};
use serde_json::{Value, json};
use tracing::warn;

use crate::judge::Seen;

/// The document of a version that holds its profile.
pub const PROFILE: &str = "PROFILE";

/// The most bytes of a profile; an item takes 400 KB.
const LARGEST: usize = 300_000;

/// The most versions that a version is compared with.
const MOST_EARLIER: usize = 100;

/// The most bytes of what is shown of attributes.
const LARGEST_SHOWN: usize = 40_000;

/// The profile as it is kept: for people its numbers, for the next versions all of it as one text, whose bytes are
/// those of the item.
pub fn document(seen: Seen) -> Value {
    let mut summary = summary(&seen);
    let statistics = json!(seen.profile().statistics());
    if statistics.to_string().len() <= LARGEST_SHOWN {
        summary["attributes"] = statistics;
    }
    match serde_json::to_string(&seen.into_profile().within(LARGEST)) {
        Ok(text) => json!({"summary": summary, "profile": text}),
        Err(error) => json!({"summary": summary, "left_out": error.to_string()}),
    }
}

/// How much was seen.
pub(crate) fn summary(seen: &Seen) -> Value {
    let profile = seen.profile();
    match seen {
        Seen::Whole(_) => {
            json!({"items": profile.items(), "bytes": profile.bytes(), "digest": profile.digest()})
        }
        Seen::Sample(sample) => json!({
            "sample": sample.extent(), "items_read": profile.items(), "bytes_read": profile.bytes(),
            "items": sample.items(), "confidence_percent": CONFIDENCE,
        }),
    }
}

/// The versions that rules compare with, if any rule does: the live one, and the valid ones before a version, or all
/// if it is none yet. `at` is when it appeared.
pub async fn history(
    registry: &Registry,
    dataset: &DatasetName,
    version: Option<VersionNumber>,
    at: Timestamp,
    now: Timestamp,
    checker: &Checker,
) -> Result<History, Error> {
    let mut history = History { at, ..History::alone(now) };
    if !checker.compares() {
        return Ok(history);
    }
    let known = registry.dataset(dataset).await?;
    let live = registry.pointer(dataset, &PointerName::live()).await?;
    let mut versions = registry.versions(dataset).await?;
    versions.sort_by_key(|one| known.rank(one));
    let place = version.and_then(|version| versions.iter().find(|one| one.version == version));
    let place = place.map(|one| known.rank(one));
    if let Some(live) = live.and_then(|live| versions.iter().find(|one| one.version == live.version)) {
        history.live = Some(earlier(registry, live).await?);
    }
    // A withdrawn version is no baseline: it would have later, sound ones rejected.
    let is_before = |one: &&Version| one.is_good() && place.is_none_or(|place| known.rank(one) < place);
    for one in versions.iter().rev().filter(is_before).take(MOST_EARLIER) {
        let known = history.live.iter().find(|live| live.name == name(one)).cloned();
        history.earlier.push(match known {
            Some(live) => live,
            None => earlier(registry, one).await?,
        });
    }
    Ok(history)
}

/// A version with the profile that was kept of it, if it can be read.
pub async fn earlier(registry: &Registry, version: &Version) -> Result<Earlier, Error> {
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

fn name(version: &Version) -> String {
    format!("version {}", version.version.get())
}
