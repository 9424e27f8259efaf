//! What an answer means before anybody reads its rows.

use std::time::Duration;

use jiff::Timestamp;

use crate::feed::{Feed, Paginator, Verdict};
use crate::reason::Failure;

/// An answer of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, unpacked.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What is done about an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Its rows are read.
    Page,
    /// It is a page without rows.
    Empty,
    /// The page asked for lies past the end.
    PastEnd,
    /// The cursor is not taken any more.
    CursorRefused,
    /// Ask again.
    Retry {
        /// Not before, if the source says so.
        after: Option<Duration>,
    },
    /// Ask again, later.
    RateLimited {
        /// Not before, if the source says so.
        after: Option<Duration>,
    },
    /// The window fails.
    Fail(Failure),
}

/// A source that says to come back later than this is not believed.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Says what an answer means; `with_cursor` if it answers a request that went on from a page before.
pub fn meaning(feed: &Feed, answer: &Answer, with_cursor: bool, now: Timestamp) -> Meaning {
    let status = answer.status;
    let after = || retry_after(answer, now).or_else(|| reset(feed, answer, now));
    let action = feed.response_actions.iter().find(|action| {
        action.answers.status.is_none_or(|wanted| wanted == status)
            && action
                .answers
                .body_contains
                .as_ref()
                .is_none_or(|text| contains(&answer.body, text.as_bytes()))
    });
    match action.map(|action| action.action) {
        Some(Verdict::Success) => return Meaning::Page,
        Some(Verdict::Fail) => return Meaning::Fail(Failure::ResponseAction { status }),
        Some(Verdict::Retry) => return Meaning::Retry { after: retry_after(answer, now) },
        Some(Verdict::Ignore) => return Meaning::Empty,
        Some(Verdict::RateLimited) => return Meaning::RateLimited { after: after() },
        None => {}
    }
    let end_status = match &feed.paginator {
        Paginator::PageNumber { end_status, .. } | Paginator::Offset { end_status, .. } => *end_status,
        _ => None,
    };
    if end_status == Some(status) {
        return Meaning::PastEnd;
    }
    let by_token = matches!(
        feed.paginator,
        Paginator::Cursor { .. }
            | Paginator::HeaderCursor { .. }
            | Paginator::HeaderLink
            | Paginator::JsonLink { .. }
    );
    match status {
        204 => Meaning::Empty,
        200..=299 => Meaning::Page,
        429 => Meaning::RateLimited { after: after() },
        503 if answer.header("retry-after").is_some() => Meaning::RateLimited { after: after() },
        408 | 425 | 500..=599 => Meaning::Retry { after: retry_after(answer, now) },
        401 | 403 => Meaning::Fail(Failure::Unauthorised { status }),
        400 | 404 | 409 | 410 | 422 if with_cursor && by_token => Meaning::CursorRefused,
        _ => Meaning::Fail(Failure::Refused { status }),
    }
}

/// How long the source, after this answer, wants to be left alone, although it answered well.
pub fn pause(feed: &Feed, answer: &Answer, now: Timestamp) -> Option<Duration> {
    let left = answer.header(feed.budget.remaining_header.as_deref()?)?;
    let left: f64 = left.trim().parse().ok()?;
    if left < 1.0 { reset(feed, answer, now) } else { None }
}

fn reset(feed: &Feed, answer: &Answer, now: Timestamp) -> Option<Duration> {
    let text = answer.header(feed.budget.reset_header.as_deref()?)?;
    let value: f64 = text.trim().parse().ok()?;
    // A small number counts seconds from now, a large one since 1970.
    let seconds = if value < 1e9 { value } else { value - now.as_second() as f64 };
    Some(bounded(seconds))
}

fn retry_after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let text = answer.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Some(bounded(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(bounded(at.duration_since(now).as_secs_f64()))
}

fn bounded(seconds: f64) -> Duration {
    let seconds = if seconds.is_finite() { seconds } else { 0.0 };
    Duration::from_secs_f64(seconds.clamp(0.0, LONGEST_WAIT.as_secs_f64()))
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    // Error bodies are short: what matters of a long one stands at its beginning.
    let body = &body[..body.len().min(65_536)];
    text.is_empty() || body.windows(text.len()).any(|part| part == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(paginator: &str) -> Feed {
        let text = crate::feed::EXAMPLE;
        let (start, end) = (text.find("  type: cursor").unwrap(), text.find("records:").unwrap());
        Feed::parse(&format!("{}{paginator}\n\n{}", &text[..start], &text[end..])).unwrap()
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Answer { status, headers, body: body.into() }
    }

    const NOW: Timestamp = Timestamp::constant(1_795_256_430, 0);

    #[test]
    fn a_status_says_what_to_do() {
        let feed = feed("  type: page_number\n  page_param: page\n  end_status: 404\n  total_path: pages");
        let secs = |secs| Some(Duration::from_secs(secs));
        for (answer, expected) in [
            (answer(200, &[], "{}"), Meaning::Page),
            (answer(204, &[], ""), Meaning::Empty),
            (answer(404, &[], ""), Meaning::PastEnd),
            (answer(400, &[], ""), Meaning::Fail(Failure::Refused { status: 400 })),
            (answer(301, &[], ""), Meaning::Fail(Failure::Refused { status: 301 })),
            (answer(401, &[], ""), Meaning::Fail(Failure::Unauthorised { status: 401 })),
            (answer(200, &[], r#"{"error":"no"}"#), Meaning::Retry { after: None }),
            (answer(500, &[], r#"{"error":"no"}"#), Meaning::Retry { after: None }),
            (answer(408, &[("retry-after", "3")], ""), Meaning::Retry { after: secs(3) }),
            (answer(425, &[], ""), Meaning::Retry { after: None }),
            (answer(503, &[], ""), Meaning::Retry { after: None }),
            (answer(503, &[("retry-after", "2")], ""), Meaning::RateLimited { after: secs(2) }),
            (answer(429, &[], ""), Meaning::RateLimited { after: None }),
            (answer(429, &[("retry-after", "7")], ""), Meaning::RateLimited { after: secs(7) }),
            (
                answer(429, &[("retry-after", "Sat, 21 Nov 2026 10:21:30 GMT")], ""),
                Meaning::RateLimited { after: secs(60) },
            ),
            (
                answer(429, &[("retry-after", "Sat, 21 Nov 2020 10:21:30 GMT")], ""),
                Meaning::RateLimited { after: secs(0) },
            ),
            (answer(429, &[("retry-after", "1e300")], ""), Meaning::RateLimited { after: secs(86_400) }),
            (answer(429, &[("retry-after", "-9")], ""), Meaning::RateLimited { after: secs(0) }),
            (answer(429, &[("retry-after", "soon")], ""), Meaning::RateLimited { after: None }),
            (answer(429, &[("ratelimit-reset", "30")], ""), Meaning::RateLimited { after: secs(30) }),
            (answer(429, &[("ratelimit-reset", "1795256470")], ""), Meaning::RateLimited { after: secs(40) }),
        ] {
            assert_eq!(meaning(&feed, &answer, true, NOW), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_cursor_is_refused_only_where_there_is_one() {
        let tokens = feed("  type: cursor\n  cursor_path: next\n  cursor_param: cursor");
        for status in [400, 404, 410, 422] {
            assert_eq!(meaning(&tokens, &answer(status, &[], ""), true, NOW), Meaning::CursorRefused);
            let first = meaning(&tokens, &answer(status, &[], ""), false, NOW);
            assert_eq!(first, Meaning::Fail(Failure::Refused { status }));
        }
        let keyset = feed("  type: keyset\n  record_field: id\n  cursor_param: after");
        assert!(matches!(meaning(&keyset, &answer(400, &[], ""), true, NOW), Meaning::Fail(_)));
    }

    #[test]
    fn the_feeds_own_actions_come_first() {
        let text = crate::feed::EXAMPLE
            .replace("action: retry", "action: ignore\n  - status: 404\n    action: rate_limited");
        let feed = Feed::parse(&text).unwrap();
        assert_eq!(meaning(&feed, &answer(200, &[], r#"{"error":1}"#), false, NOW), Meaning::Empty);
        assert_eq!(meaning(&feed, &answer(201, &[], r#"{"error":1}"#), false, NOW), Meaning::Page);
        assert_eq!(meaning(&feed, &answer(404, &[], ""), false, NOW), Meaning::RateLimited { after: None });
    }

    #[test]
    fn the_last_call_of_a_budget_asks_for_a_pause() {
        let feed = Feed::parse(crate::feed::EXAMPLE).unwrap();
        let left = |left| answer(200, &[("ratelimit-remaining", left), ("ratelimit-reset", "9")], "");
        assert_eq!(pause(&feed, &left("0"), NOW), Some(Duration::from_secs(9)));
        assert_eq!(pause(&feed, &left("1"), NOW), None);
        assert_eq!(pause(&feed, &answer(200, &[], ""), NOW), None);
    }
}
