//! A table of recommendations that answers scans from recorded pages, with the keys, segments and checksums that
//! DynamoDB would give.
//!
//! Pages are made once, from a fixed seed. A table of more pages than there are begins again with the first; only
//! where the next page starts goes on, as it would.

use std::fmt::Write;
use std::sync::Arc;

use anyhow::Context;
use crc32fast::Hasher;
use fastrand::Rng;
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::Value;

use crate::server::{self, Request, Response, Server};

/// Pages that differ.
const RECORDED: usize = 48;
/// Items of a page: 1 MB of 988 bytes each.
pub(crate) const ITEMS: usize = 1_060;
/// What every table of these pages keeps.
pub(crate) const CONTRACT: &str = include_str!("recs.odcs.yaml");

/// The beginnings of pages, each without its end and with the checksum so far.
struct Recorded(Vec<(Bytes, Hasher)>);

/// Serves a table for each name: `recs-100` has a hundred pages. Says, too, how many bytes of JSON a page has.
pub(crate) async fn serve() -> anyhow::Result<(Server, f64)> {
    let mut random = Rng::with_seed(7);
    let pages = (0..RECORDED).map(|page| {
        let text = page_text(page, &mut random);
        let mut sum = Hasher::new();
        sum.update(text.as_bytes());
        (Bytes::from(text), sum)
    });
    let recorded = Arc::new(Recorded(pages.collect()));
    let bytes: usize = recorded.0.iter().map(|(beginning, _)| beginning.len()).sum();
    let server = server::serve(None, move |request| {
        let recorded = recorded.clone();
        async move { recorded.answer(&request) }
    });
    Ok((server.await?, bytes as f64 / RECORDED as f64))
}

impl Recorded {
    fn answer(&self, request: &Request) -> anyhow::Result<Response> {
        let asked: Value = serde_json::from_slice(request.body())?;
        let table = asked["TableName"].as_str().context("a scan of no table")?;
        let pages: usize = table.rsplit_once('-').context("a table without pages")?.1.parse()?;
        let segment = |name: &str, otherwise| asked[name].as_u64().unwrap_or(otherwise) as usize;
        let (index, total) = (segment("Segment", 0), segment("TotalSegments", 1));
        let page = match asked["ExclusiveStartKey"]["user_id"]["S"].as_str() {
            Some(key) => key.split('-').nth(1).context("a key of no page")?.parse::<usize>()? + total,
            None => index,
        };
        let (beginning, sum) = &self.0[page % RECORDED];
        let mut end = format!(",\"ScannedCount\":{ITEMS}");
        if page + total < pages {
            write!(end, ",\"LastEvaluatedKey\":{{\"user_id\":{{\"S\":\"{}\"}}}}", user(page, ITEMS - 1))?;
        }
        end.push('}');
        let mut sum = sum.clone();
        sum.update(end.as_bytes());
        let body = [beginning, end.as_bytes()].concat();
        let answer = hyper::Response::builder()
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amzn-requestid", "00000000-0000-4000-8000-000000000000")
            .header("x-amz-crc32", sum.finalize());
        Ok(answer.body(Full::new(Bytes::from(body)))?)
    }
}

fn user(page: usize, item: usize) -> String {
    format!("u-{page:06}-{item:04}")
}

fn page_text(page: usize, random: &mut Rng) -> String {
    let mut text = format!("{{\"Count\":{ITEMS},\"Items\":[");
    for item in 0..ITEMS {
        let (minute, second) = (random.u32(0..60), random.u32(0..60));
        let recs: Vec<_> = (0..20)
            .map(|_| {
                let track: String = (0..22).map(|_| random.alphanumeric()).collect();
                let score = random.u32(1..100_000);
                format!(
                    "{{\"M\":{{\"track_id\":{{\"S\":\"{track}\"}},\"score\":{{\"N\":\"0.{score:05}\"}}}}}}"
                )
            })
            .collect();
        let comma = if item > 0 { "," } else { "" };
        text += &format!(
            "{comma}{{\"user_id\":{{\"S\":\"{}\"}},\"generated_at\":{{\"S\":\"2026-11-21T02:{minute:02}:{second:02}Z\"}},\
             \"model\":{{\"S\":\"als-2026-11-20\"}},\"recs\":{{\"L\":[{}]}}}}",
            user(page, item),
            recs.join(","),
        );
    }
    text.push(']');
    text
}
