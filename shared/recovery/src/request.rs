//! The message that asks for a range.

use jiff::Timestamp;
use septet_contract::Diagnostic;
use septet_contract::document::{self, Findings, Syntax};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::feed::FeedName;
use crate::read::Members;
use crate::time::Step;

/// Which windows of a range are read that were read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reprocess {
    /// None: only what no run has read.
    #[default]
    None,
    /// Those that ended failed or suspect as well.
    Failed,
    /// All.
    Completed,
}

impl Reprocess {
    /// The mode as messages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Failed => "failed",
            Self::Completed => "completed",
        }
    }
}

/// A stretch of time of a feed to bring back, `[from, to)`.
///
/// As JSON: `{"feed":"plays","from":"2026-11-18T00:00:00Z","to":"2026-11-22T00:00:00Z","reason":"…"}`; all but
/// these four may be left out.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeRequest {
    /// The feed.
    pub feed: FeedName,
    /// The first moment.
    pub from: Timestamp,
    /// The moment after the last.
    pub to: Timestamp,
    /// Why.
    pub reason: String,
    /// Length of a window, if not the feed's.
    pub step: Option<Step>,
    /// Rows of a page, if not the feed's.
    pub page_size: Option<u64>,
    /// Calls per second, if fewer than the feed's.
    pub rate: Option<f64>,
    /// How many windows are read at the same time, if not as many as the feed says.
    pub concurrency: Option<u32>,
    /// The name of another sink of the feed.
    pub sink: Option<String>,
    /// Whether everything is done but injecting.
    pub dry_run: bool,
    /// Which windows are read again.
    pub reprocess: Reprocess,
    /// Tells this request from the same one before: any text.
    pub occasion: Option<String>,
}

impl RangeRequest {
    /// Reads a message; each finding names the field, in `path`, and the fix.
    pub fn parse(text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut findings = Findings::default();
        let request = document::read(text, Syntax::Json, &mut findings)
            .and_then(|root| read(&mut Members::of(&root, "", &mut findings)?, &mut findings));
        match request {
            Some(request) if !findings.has_errors() => Ok(request),
            _ => Err(findings.into_sorted()),
        }
    }

    /// The run that this request is: the same whenever the same is asked for, whatever the reason.
    pub fn run(&self) -> Uuid {
        let asked = serde_json::json!({
            "feed": self.feed,
            "from": self.from,
            "to": self.to,
            "step": self.step.map(|step| step.to_string()),
            "page_size": self.page_size,
            "rate": self.rate,
            "concurrency": self.concurrency,
            "sink": self.sink,
            "dry_run": self.dry_run,
            "reprocess": self.reprocess,
            "occasion": self.occasion,
        });
        let digest = Sha256::digest(asked.to_string().as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

fn read(members: &mut Members<'_>, findings: &mut Findings) -> Option<RangeRequest> {
    const FEED_HINT: &str = "name a feed that was put, such as \"feed\": \"plays\"";
    const TIME_HINT: &str = "write a time with its zone, such as \"2026-11-18T00:00:00Z\"";
    members.needed("feed", FEED_HINT, findings);
    let feed = members.parsed("feed", FEED_HINT, findings, FeedName::parse);
    let mut time = |key: &'static str, findings: &mut Findings| {
        members.needed(key, TIME_HINT, findings)?;
        members.parsed(key, TIME_HINT, findings, |text| {
            text.parse::<Timestamp>().map_err(|_| format!("{text:?} is no time with a zone"))
        })
    };
    let (from, to) = (time("from", findings), time("to", findings));
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        members.error(
            "to",
            "the range ends before it begins",
            "from is the first moment, to the one after the last",
            findings,
        );
    }
    let reason = members.needed("reason", "say why: it goes on record", findings).map(str::to_owned);
    let hint = "write 1d for calendar days, or 24h, 15m, 30s for time that passes";
    let step = members.parsed("step", hint, findings, Step::parse);
    let page_size = members.whole("page_size", 1..=1_000_000, findings);
    let rate = members.positive("rate", findings);
    let concurrency = members.whole("concurrency", 1..=100, findings).and_then(|it| u32::try_from(it).ok());
    let sink = members.text("sink", findings).map(str::to_owned);
    let dry_run = members.flag("dry_run", findings).unwrap_or(false);
    let modes = [Reprocess::None, Reprocess::Failed, Reprocess::Completed].map(|mode| (mode.as_str(), mode));
    let reprocess = members.choice("reprocess", &modes, findings).unwrap_or_default();
    let occasion = members.text("occasion", findings).map(str::to_owned);
    members.finish("a range message", findings);
    Some(RangeRequest {
        feed: feed?,
        from: from?,
        to: to?,
        reason: reason?,
        step,
        page_size,
        rate,
        concurrency,
        sink,
        dry_run,
        reprocess,
        occasion,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"feed":"plays","from":"2026-11-18T00:00:00Z","to":"2026-11-22T01:00:00+01:00","reason":"silent"}"#;

    fn wrong(text: &str) -> String {
        let found = RangeRequest::parse(text).unwrap_err();
        let lines: Vec<_> =
            found.iter().map(|it| format!("{}: {} ({})", it.path, it.message, it.hint)).collect();
        lines.join("\n")
    }

    #[test]
    fn a_message_needs_four_fields() {
        let request = RangeRequest::parse(GOOD).unwrap();
        assert_eq!(request.to.to_string(), "2026-11-22T00:00:00Z");
        assert_eq!((request.reprocess, request.dry_run), (Reprocess::None, false));
    }

    #[test]
    fn the_same_request_is_the_same_run_however_it_is_written() {
        let run = |text: &str| RangeRequest::parse(text).unwrap().run();
        let again = r#"{"reason":"other","to":"2026-11-22T00:00:00Z","from":"2026-11-18T02:00:00+02:00","feed":"plays","reprocess":"none","sink":null}"#;
        assert_eq!(run(GOOD), run(again));
        for other in [
            r#""step":"1d""#,
            r#""page_size":7"#,
            r#""rate":0.5"#,
            r#""concurrency":2"#,
            r#""sink":"shadow""#,
            r#""dry_run":true"#,
            r#""reprocess":"failed""#,
            r#""occasion":"once more""#,
        ] {
            let text = GOOD.replace('}', &format!(",{other}}}"));
            assert_ne!(run(GOOD), run(&text), "{other}");
        }
        assert_ne!(run(GOOD), run(&GOOD.replace("plays", "likes")));
        assert_ne!(run(GOOD), run(&GOOD.replace("18T00", "18T01")));
        assert_ne!(run(GOOD), run(&GOOD.replace("22T01", "22T02")));
        assert_eq!(run(GOOD).get_version_num(), 8);
    }

    #[test]
    fn a_malformed_message_is_refused_by_field_with_the_fix() {
        for (text, expected) in [
            ("", "expected a value"),
            ("[]", "must be an object"),
            ("{}", "feed: feed is missing"),
            (r#"{"feed":"Plays"}"#, "feed: \"Plays\" cannot be the name of a feed"),
            (
                &GOOD.replace("00Z", "00"),
                "from: \"2026-11-18T00:00:00\" is no time with a zone (write a time",
            ),
            (&GOOD.replace("11-18", "12-18"), "to: the range ends before it begins"),
            (&GOOD.replace("silent", ""), "reason: reason must be text"),
            (
                &GOOD.replace("reason", "reasons"),
                "reasons: a range message has no option \"reasons\" (did you mean reason?)",
            ),
            (&GOOD.replace('}', r#","step":"1w"}"#), "step: \"1w\" is no length of time"),
            (&GOOD.replace('}', r#","rate":0}"#), "rate: rate must be a number above zero"),
            (&GOOD.replace('}', r#","page_size":"9"}"#), "page_size: page_size must be a whole number"),
            (
                &GOOD.replace('}', r#","reprocess":"all"}"#),
                "reprocess: reprocess cannot be \"all\" (use one of none",
            ),
            (&GOOD.replace('}', r#","url":"https://x"}"#), "url: a range message has no option"),
            (&GOOD.replace('}', r#","feed":"plays"}"#), "the key \"feed\" stands twice"),
        ] {
            assert!(wrong(text).contains(expected), "{text}\n{}", wrong(text));
        }
    }
}
