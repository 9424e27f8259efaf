//! A third party with a million plays, one each hundredth of a second, that answers as fast as it can.
//!
//! It filters by time, counts what it found and gives pages by a cursor. Plays are written from parts that were made
//! once, from a fixed seed, so that the answer costs little more than copying it.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use anyhow::Context;
use fastrand::Rng;
use http_body_util::Full;
use hyper::body::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::server::{self, Request, Response, Server};

/// All plays there are.
pub(crate) const PLAYS: usize = 1_000_000;
/// Plays of a page at most.
pub(crate) const PAGE: usize = 1_000;
/// How long a window of ten thousand plays is.
pub(crate) const STEP: &str = "100s";
/// When the first was played; all are of this day.
const DAY: &str = "2020-01-01";
const APART_MS: usize = 10;
/// Plays that differ in more than number and time.
const RECORDED: usize = 4_096;

/// What plays say besides their number and time.
pub(crate) struct Plays(Vec<String>);

impl Plays {
    pub(crate) fn new() -> Self {
        let mut random = Rng::with_seed(7);
        Self((0..RECORDED).map(|_| rest(&mut random)).collect())
    }

    /// Serves them at `/plays`, from `since` on, to before `until`.
    pub(crate) async fn serve(self: &Arc<Self>) -> anyhow::Result<Server> {
        let plays = Arc::clone(self);
        server::serve(None, move |request| {
            let plays = Arc::clone(&plays);
            async move { plays.answer(&request) }
        })
        .await
    }

    /// Writes a play.
    pub(crate) fn write(&self, number: usize, text: &mut String) -> std::fmt::Result {
        text.write_str(r#"{"id":""#)?;
        write_id(number, text)?;
        text.write_str(r#"","played_at":""#)?;
        write_time(number, text)?;
        text.write_str(&self.0[number % RECORDED])
    }

    fn answer(&self, request: &Request) -> anyhow::Result<Response> {
        let query = request.uri().query().unwrap_or_default();
        let query: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let text = |name: &str| query.get(name).with_context(|| format!("a request without {name}"));
        let (first, end) = (at_or_after(text("since")?)?, at_or_after(text("until")?)?);
        let size = text("limit")?.parse::<usize>()?.min(PAGE);
        let from = query.get("cursor").map_or(Ok(first), |cursor| cursor.parse())?.max(first);
        let to = (from + size).min(end);
        let mut body = String::with_capacity(size * 320 + 100);
        body.push_str(r#"{"plays":["#);
        for number in from..to {
            if number > from {
                body.push(',');
            }
            self.write(number, &mut body)?;
        }
        let more = to < end;
        let next = if more { format!("\"{to}\"") } else { "null".to_owned() };
        let total = end.saturating_sub(first);
        write!(body, r#"],"meta":{{"total":{total},"next":{next},"has_more":{more}}}}}"#)?;
        let answer = hyper::Response::builder().header("content-type", "application/json");
        Ok(answer.body(Full::new(Bytes::from(body)))?)
    }
}

/// The number of the first play at that time, or after it.
fn at_or_after(text: &str) -> anyhow::Result<usize> {
    let since = text.parse::<Timestamp>()?.duration_since(moment(0)?).as_millis();
    Ok(usize::try_from(since).unwrap_or(0).div_ceil(APART_MS).min(PLAYS))
}

/// When a play was played; of the number of all plays, when the day's last one is over.
pub(crate) fn moment(number: usize) -> anyhow::Result<Timestamp> {
    let passed = SignedDuration::from_millis(i64::try_from(number * APART_MS)?);
    Ok(format!("{DAY}T00:00:00Z").parse::<Timestamp>()? + passed)
}

/// The number that an id has.
pub(crate) fn number(id: &str) -> Option<usize> {
    id.strip_prefix("play-")?.parse().ok()
}

fn write_id(number: usize, text: &mut String) -> std::fmt::Result {
    write!(text, "play-{number:07}")
}

fn write_time(number: usize, text: &mut String) -> std::fmt::Result {
    let ms = number * APART_MS;
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    write!(text, "{DAY}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", ms % 1000)
}

fn rest(random: &mut Rng) -> String {
    const TITLES: [&str; 4] = ["Blåklokke", "So What", "Alt \\\"ja\\\"", "Für Elise"];
    let track: String = (0..22).map(|_| random.alphanumeric()).collect();
    let title = TITLES[random.usize(..TITLES.len())];
    let (user, part, listened) = (random.u32(..1_000_000), random.u32(1..40), random.u32(30_000..400_000));
    let (device, shuffle) = (["phone", "desktop", "speaker"][random.usize(..3)], random.bool());
    format!(
        r#"","user_id":"u-{user:06}","track_id":"{track}","title":"{title}, {part}","ms_played":{listened},"device":"{device}","country":"NO","shuffle":{shuffle},"context":"playlist:{track}","client":"9.{part}.2","offline":false}}"#
    )
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;

    async fn page(plays: &Plays, query: &str) -> Value {
        let uri = format!("/plays?{query}").parse::<hyper::Uri>().unwrap();
        let request = hyper::Request::builder().uri(uri).body(Bytes::new()).unwrap();
        let answer = plays.answer(&request).unwrap();
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn the_pages_of_a_window_add_up_to_its_total() {
        let plays = Plays::new();
        let window = "since=2020-01-01T00%3A01%3A39.999Z&until=2020-01-01T00%3A02%3A05.005Z&limit=1000";
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = page(&plays, &format!("{window}{cursor}")).await;
            assert_eq!(page["meta"]["total"], 2_501);
            for play in page["plays"].as_array().unwrap() {
                let number = number(play["id"].as_str().unwrap()).unwrap();
                let at: Timestamp = play["played_at"].as_str().unwrap().parse().unwrap();
                assert_eq!(at, moment(number).unwrap());
                found.push(number);
            }
            assert_eq!(page["meta"]["has_more"], !page["meta"]["next"].is_null());
            let Some(next) = page["meta"]["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, (10_000..12_501).collect::<Vec<_>>(), "the end is left out");
    }

    #[tokio::test]
    async fn there_are_a_million_plays_of_some_300_bytes() {
        let plays = Plays::new();
        let page = page(&plays, "since=1999-12-31T00:00:00Z&until=2030-01-01T00:00:00Z&limit=5000").await;
        assert_eq!((&page["meta"]["total"], page["plays"].as_array().unwrap().len()), (&PLAYS.into(), PAGE));
        let mut text = String::new();
        (0..1000).for_each(|number| plays.write(number, &mut text).unwrap());
        assert!((280_000..320_000).contains(&text.len()), "{}", text.len());
    }
}
