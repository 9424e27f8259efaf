//! Servers that misbehave, each in one way, in front of the whole engine.
//!
//! | trap | test |
//! | --- | --- |
//! | an empty page in the middle | [`an_empty_page_in_the_middle_ends_nothing`] |
//! | a clamped page | [`a_clamped_page_is_noted_and_costs_no_row`] |
//! | a repeated page | [`a_page_that_comes_again_is_a_doubt`] |
//! | an unknown cursor that begins anew | [`a_cursor_that_begins_the_window_anew_is_a_doubt`] |
//! | an expired cursor | [`an_expired_cursor_begins_the_window_anew`] |
//! | 200 with an error, or with an HTML page | [`an_error_that_calls_itself_a_page_is_asked_again_and_then_a_doubt`] |
//! | the total of the whole table | [`a_total_of_the_whole_table_is_a_doubt`] |
//! | a relative next link | [`a_relative_link_is_followed`] |
//! | a next link to another host | [`neither_a_link_nor_a_redirect_takes_the_credential_to_another_host`] |
//! | a redirect with the credential | the same, and `http::a_redirect_stays_at_home_or_fails_and_the_credential_with_it` |
//! | gzip | [`packed_pages_are_read`], and `http::a_packed_answer_is_unpacked_up_to_the_limit` |
//! | a slow drip, a cut body | [`an_answer_that_is_cut_or_drips_is_asked_for_again`], and `http::a_server_that_drips_cuts_or_hangs_up_is_asked_again` |
//! | 429 with and without Retry-After, in both forms | [`a_source_that_wants_a_rest_has_it_and_the_window_is_done`] |
//! | an absurd Retry-After | [`an_absurd_retry_after_gives_the_window_back_for_a_day_at_most`] |
//! | inserts and deletes while paging | [`rows_that_come_and_go_while_pages_are_read_are_a_doubt`] |
//! | a filter after paging | `reading::tests`, which plays all of these by the thousand |

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use septet_recovery::Feed;
use septet_recovery::ledger::WindowState;
use septet_recovery::worker::LaneOrder;
use septet_registry::{Clock, SystemClock};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::engine::{Ended, Recovery, recover};
use crate::world::World;

const FROM: &str = "2026-11-18T00:00:00Z";
const TO: &str = "2026-11-18T01:00:00Z";
const ROWS: u64 = 23;

const CURSOR: &str = "type: cursor, cursor_path: next, cursor_param: after, limit_param: limit, limit: 5";
const LINK: &str = "type: json_link, next_url_path: link, limit_param: limit, limit: 5";
const OFFSET: &str = "type: offset, offset_param: after, limit_param: limit, limit: 5";
const OFFSET_MORE: &str =
    "type: offset, offset_param: after, limit_param: limit, limit: 5, has_more_path: more";
const PAGE: &str = "type: page_number, page_param: page, limit_param: limit, limit: 5";
const PAGE_MORE: &str =
    "type: page_number, page_param: page, limit_param: limit, limit: 5, has_more_path: more";
const PAGE_WEAK: &str =
    "type: page_number, page_param: page, limit_param: limit, limit: 5, stop_after_empty_page: true";
const TOTAL: &str = "total_path: total";

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

fn feed(base: &str, paginator: &str, total: &str) -> Feed {
    let text = format!(
        "feed: plays\nbase_url: {base}\npath: v1/plays\ntimeout: 1s\n\
         authentication: {{type: bearer, secret: 'ssm:/plays'}}\n\
         incremental: {{cursor_path: at, datetime_format: epoch_s, start_param: since, end_param: until}}\n\
         paginator: {{{paginator}}}\nrecords: {{data_selector: rows, primary_key: id, {total}}}\n\
         api_budget: {{calls: 1000, per: second}}\n\
         sink: {{type: sqs, queue_url: 'https://sqs.eu-west-1.amazonaws.com/1/plays'}}\n"
    );
    Feed::parse(&text).unwrap_or_else(|found| panic!("{text}\n{found:?}"))
}

type Row = (u64, i64);

/// Records of an hour, and one on the moment after it.
fn rows() -> Vec<Row> {
    let mut rows: Vec<_> = (1..=ROWS).map(|id| (id, at(FROM) + id as i64 * 90)).collect();
    rows.push((99, at(TO)));
    rows
}

/// One call, as the server sees it.
struct Call {
    /// From 1 on.
    number: u64,
    /// Whether it goes on from a page before.
    goes_on: bool,
    url: url::Url,
}

/// An answer that is right, to be spoilt.
#[derive(Clone)]
struct Good {
    rows: Vec<Row>,
    total: usize,
    next: Option<usize>,
}

impl Good {
    fn answer(&self, call: &Call) -> ResponseTemplate {
        ResponseTemplate::new(200).set_body_string(self.body(call))
    }

    fn body(&self, call: &Call) -> String {
        let link = self.next.map(|next| {
            let mut url = call.url.clone();
            let kept: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != "after").collect();
            url.query_pairs_mut().clear().extend_pairs(kept).append_pair("after", &next.to_string());
            format!("{}?{}", url.path(), url.query().unwrap())
        });
        let rows: Vec<_> = self.rows.iter().map(|(id, at)| json!({"id": id, "at": at})).collect();
        let more = self.next.is_some();
        json!({"rows": rows, "total": self.total, "more": more, "next": self.next, "link": link}).to_string()
    }
}

/// An API over a table, in which nothing may stand where a row could, and whose every answer `spoil` may change.
struct Api<S> {
    table: Mutex<(Vec<Option<Row>>, u64)>,
    spoil: S,
    /// Does to the table what others do before a call.
    change: fn(u64, &mut Vec<Option<Row>>),
}

impl<S: Fn(&Call, Good) -> ResponseTemplate + Send + Sync> wiremock::Respond for Api<S> {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        assert_eq!(request.headers["authorization"], "Bearer hunter2");
        let query: BTreeMap<String, String> = request.url.query_pairs().into_owned().collect();
        let number = |name: &str| query.get(name).map(|text| text.parse::<usize>().unwrap());
        let mut table = self.table.lock().unwrap();
        table.1 += 1;
        let call = table.1;
        (self.change)(call, &mut table.0);
        let limit = number("limit").unwrap_or(usize::MAX);
        let page = number("page").map(|page| (page - 1) * limit);
        let after = page.or(number("after")).unwrap_or(0);
        let window = number("since").unwrap() as i64..number("until").unwrap() as i64;
        let places: Vec<_> = table
            .0
            .iter()
            .filter(|place| place.is_none_or(|(_, at)| window.contains(&at)))
            .copied()
            .collect();
        let end = after.saturating_add(limit).min(places.len());
        let good = Good {
            rows: places[after.min(end)..end].iter().copied().flatten().collect(),
            total: places.iter().flatten().count(),
            next: (end < places.len()).then_some(end),
        };
        (self.spoil)(&Call { number: call, goes_on: after > 0, url: request.url.clone() }, good)
    }
}

async fn serve<S>(rows: Vec<Option<Row>>, change: fn(u64, &mut Vec<Option<Row>>), spoil: S) -> MockServer
where
    S: Fn(&Call, Good) -> ResponseTemplate + Send + Sync + 'static,
{
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(Api { table: Mutex::new((rows, 0)), spoil, change }).mount(&server).await;
    server
}

async fn spoilt(spoil: impl Fn(&Call, Good) -> ResponseTemplate + Send + Sync + 'static) -> MockServer {
    serve(rows().into_iter().map(Some).collect(), |_, _| {}, spoil).await
}

/// Recovers the hour, which is one window; if it is done, its set is the true one.
async fn recover_hour(base: &str, paginator: &str, total: &str) -> Ended {
    let feed = feed(base, paginator, total);
    let ended = recover(&World::new(Vec::new()).ledger, &feed, (FROM, TO)).await;
    let truth = |(id, at): Row| (id.to_string(), Timestamp::from_second(at).unwrap());
    ended.is_true_to(&rows().into_iter().map(truth).collect(), paginator);
    ended
}

/// Why the hour is not done, by name.
async fn hour(server: &MockServer, paginator: &str, total: &str) -> Option<String> {
    recover_hour(&server.uri(), paginator, total).await.reasons().pop_first()
}

#[tokio::test]
async fn an_empty_page_in_the_middle_ends_nothing() {
    let mut holes: Vec<_> = rows().into_iter().map(Some).collect();
    holes.splice(5..5, [None; 5]);
    for (paginator, total, expected) in [
        (CURSOR, "", None),
        (LINK, TOTAL, None),
        (PAGE_MORE, "", None),
        (OFFSET_MORE, "", Some("empty_page_but_more")),
        (OFFSET, TOTAL, Some("empty_page_but_more")),
        (PAGE_WEAK, "", Some("rows_after_empty_page")),
    ] {
        let server = serve(holes.clone(), |_, _| {}, |call, good| good.answer(call)).await;
        assert_eq!(hour(&server, paginator, total).await.as_deref(), expected, "{paginator}");
    }
}

#[tokio::test]
async fn a_clamped_page_is_noted_and_costs_no_row() {
    for (paginator, expected) in [(CURSOR, 3), (OFFSET, 3), (OFFSET_MORE, 3)] {
        let server = spoilt(|call, mut good| {
            let all = good.rows.len();
            good.rows.truncate(3);
            let after = call.url.query_pairs().find(|(name, _)| name == "after");
            let after: usize = after.map_or(0, |(_, text)| text.parse().unwrap());
            good.next = (all > 3 || good.next.is_some()).then_some(after + 3);
            good.answer(call)
        })
        .await;
        let total = if paginator == OFFSET { TOTAL } else { "" };
        let ended = recover_hour(&server.uri(), paginator, total).await;
        assert_eq!(ended.windows[0].state, WindowState::Done, "{paginator}");
        assert_eq!(ended.windows[0].progress.counts.clamped_to, expected, "asked for 5, given 3");
    }
}

#[tokio::test]
async fn a_page_that_comes_again_is_a_doubt() {
    // Past the end, the last page comes again.
    let last = Arc::new(Mutex::new(None));
    let server = spoilt(move |call, good| {
        let mut last = last.lock().unwrap();
        if !good.rows.is_empty() {
            *last = Some(good);
        }
        last.clone().unwrap().answer(call)
    })
    .await;
    assert_eq!(hour(&server, PAGE_WEAK, "").await.unwrap(), "repeated_page");
    // Whatever the token, the same one comes.
    let server = spoilt(|call, good| Good { next: Some(5), ..good }.answer(call)).await;
    assert_eq!(hour(&server, CURSOR, "").await.unwrap(), "repeated_token");
}

#[tokio::test]
async fn a_cursor_that_begins_the_window_anew_is_a_doubt() {
    for (paginator, total) in [(CURSOR, ""), (CURSOR, TOTAL), (LINK, "")] {
        let first = Arc::new(Mutex::new(None));
        let server = spoilt(move |call, good| {
            let first = first.lock().unwrap().get_or_insert(good.clone()).clone();
            // From the third call on the cursor is not known any more.
            let rows = if call.number < 3 { good.rows } else { first.rows };
            Good { rows, ..good }.answer(call)
        })
        .await;
        assert_eq!(hour(&server, paginator, total).await.unwrap(), "cursor_restarted", "{paginator}");
    }
}

#[tokio::test]
async fn an_expired_cursor_begins_the_window_anew() {
    for status in [400, 404, 410, 422] {
        let server = spoilt(
            move |call, good| {
                if call.number == 3 { ResponseTemplate::new(status) } else { good.answer(call) }
            },
        )
        .await;
        assert_eq!(hour(&server, CURSOR, TOTAL).await, None, "{status}");
    }
    let server =
        spoilt(|call, good| if call.goes_on { ResponseTemplate::new(410) } else { good.answer(call) }).await;
    assert_eq!(hour(&server, CURSOR, TOTAL).await.unwrap(), "cursor_refused");
}

#[tokio::test]
async fn an_error_that_calls_itself_a_page_is_asked_again_and_then_a_doubt() {
    let one = async |body: &'static str, calls: u64, expected: Option<&str>| {
        let server = spoilt(move |call, good| {
            let spoilt = (3..3 + calls).contains(&call.number);
            if spoilt { ResponseTemplate::new(200).set_body_string(body) } else { good.answer(call) }
        })
        .await;
        assert_eq!(hour(&server, CURSOR, TOTAL).await.as_deref(), expected, "{body}");
    };
    let (error, html) = (r#"{"error":"busy"}"#, "<!doctype html><title>Sign in</title>");
    futures::join!(
        one(error, 1, None),
        one(html, 1, None),
        one("", 1, None),
        one(error, u64::MAX - 9, Some("records_missing")),
        one(html, u64::MAX - 9, Some("not_json")),
        one(r#"{"rows":null,"total":23}"#, u64::MAX - 9, Some("records_missing")),
    );
}

#[tokio::test]
async fn a_total_of_the_whole_table_is_a_doubt() {
    for (paginator, expected) in [
        (CURSOR, "total_mismatch"),
        (LINK, "total_mismatch"),
        ("type: single_page", "total_mismatch"),
        (OFFSET, "empty_page_but_more"),
        (PAGE, "empty_pages_without_end"),
    ] {
        let server = spoilt(|call, good| Good { total: 5000, ..good }.answer(call)).await;
        assert_eq!(hour(&server, paginator, TOTAL).await.as_deref(), Some(expected), "{paginator}");
    }
}

#[tokio::test]
async fn a_relative_link_is_followed() {
    for (prefix, kept) in [("?", 1), ("plays?", 1), ("/v1/plays?", 1), ("../v1/plays?", 1)] {
        let server = spoilt(move |call, good| {
            let body: serde_json::Value = serde_json::from_str(&good.body(call)).unwrap();
            let link =
                body["link"].as_str().map(|link| format!("{prefix}{}", link.split('?').nth(kept).unwrap()));
            let body = serde_json::json!({"rows": body["rows"], "total": body["total"], "link": link});
            ResponseTemplate::new(200).set_body_json(body)
        })
        .await;
        assert_eq!(hour(&server, LINK, TOTAL).await, None, "{prefix}");
    }
}

#[tokio::test]
async fn neither_a_link_nor_a_redirect_takes_the_credential_to_another_host() {
    let other = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).expect(0).mount(&other).await;
    let foreign = format!("{}/v1/plays", other.uri());
    let place = foreign.clone();
    let server = spoilt(move |call, good| {
        let mut body: serde_json::Value = serde_json::from_str(&good.body(call)).unwrap();
        body["link"] = json!(place);
        ResponseTemplate::new(200).set_body_json(body)
    })
    .await;
    assert_eq!(hour(&server, LINK, TOTAL).await.unwrap(), "foreign_link");
    for status in [301, 302, 303, 307, 308] {
        let place = foreign.clone();
        let server = spoilt(move |call, good| match call.goes_on {
            true => ResponseTemplate::new(status).insert_header("location", place.as_str()),
            false => good.answer(call),
        })
        .await;
        assert_eq!(hour(&server, CURSOR, TOTAL).await.unwrap(), "foreign_redirect", "{status}");
    }
    // At home a redirect is followed, with the credential.
    let server = spoilt(|call, good| {
        if call.url.path() == "/v1/plays" {
            let home = format!("/v2/plays?{}", call.url.query().unwrap());
            return ResponseTemplate::new(307).insert_header("location", home);
        }
        good.answer(call)
    })
    .await;
    assert_eq!(hour(&server, CURSOR, TOTAL).await, None);
    other.verify().await;
}

#[tokio::test]
async fn packed_pages_are_read() {
    let server = spoilt(|call, good| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(good.body(call).as_bytes()).unwrap();
        let packed = packer.finish().unwrap();
        ResponseTemplate::new(200).set_body_bytes(packed).insert_header("content-encoding", "gzip")
    })
    .await;
    assert_eq!(hour(&server, CURSOR, TOTAL).await, None);
}

#[tokio::test]
async fn an_answer_that_is_cut_or_drips_is_asked_for_again() {
    let one = async |apart: Duration, length: usize| {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let rows: Vec<_> =
                rows()[..ROWS as usize].iter().map(|(id, at)| json!({"id": id, "at": at})).collect();
            let body = json!({"rows": rows, "total": ROWS}).to_string();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let whole = head + &body;
            for attempt in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let read = stream.read(&mut [0; 4096]).await.unwrap();
                assert!(read > 0);
                let (apart, length) =
                    if attempt < 2 { (apart, length) } else { (Duration::ZERO, whole.len()) };
                for part in whole.as_bytes()[..length.min(whole.len())].chunks(16) {
                    if stream.write_all(part).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(apart).await;
                }
            }
        });
        let ended = recover_hour(&base, "type: single_page", TOTAL).await;
        assert_eq!(ended.reasons(), BTreeSet::new());
        server.abort();
    };
    futures::join!(one(Duration::ZERO, 0), one(Duration::ZERO, 300), one(Duration::from_millis(100), 9999));
}

#[tokio::test]
async fn a_source_that_wants_a_rest_has_it_and_the_window_is_done() {
    let one = async |header: fn() -> Option<String>, status: u16, least: Duration| {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let times = calls.clone();
        let server = spoilt(move |call, good| {
            times.lock().unwrap().push(Instant::now());
            if call.number != 2 {
                return good.answer(call);
            }
            let answer = ResponseTemplate::new(status);
            header().iter().fold(answer, |answer, value| answer.insert_header("retry-after", value.as_str()))
        })
        .await;
        assert_eq!(hour(&server, CURSOR, TOTAL).await, None);
        let calls = calls.lock().unwrap();
        let rest = calls[2].duration_since(calls[1]);
        assert!(rest >= least && rest < Duration::from_secs(10), "{rest:?}");
    };
    let date = || {
        let at = SystemClock.now() + SignedDuration::from_secs(3);
        Some(at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    };
    futures::join!(
        one(|| None, 429, Duration::from_millis(400)),
        one(|| Some("2".into()), 429, Duration::from_secs(2)),
        // The form has no fractions of a second.
        one(date, 429, Duration::from_millis(1900)),
        one(|| Some("1".into()), 503, Duration::from_secs(1)),
        one(|| Some("soon".into()), 429, Duration::from_millis(400)),
    );
}

#[tokio::test]
async fn an_absurd_retry_after_gives_the_window_back_for_a_day_at_most() {
    for absurd in ["99999999999", "1e300", "Tue, 31 Dec 2999 23:59:59 GMT"] {
        let server = spoilt(move |call, good| match call.number {
            2 => ResponseTemplate::new(429).insert_header("retry-after", absurd),
            _ => good.answer(call),
        })
        .await;
        let (world, began) = (World::new(Vec::new()), Instant::now());
        let feed = feed(&server.uri(), CURSOR, TOTAL);
        let recovery = Recovery::start(&world.ledger, &feed, (FROM, TO)).await;
        let report = recovery.invoke(&LaneOrder::all(&recovery.run)[0]).await;
        let day = Duration::from_secs(24 * 3600);
        let wait = report.again.unwrap();
        assert!(wait <= day && wait > day - Duration::from_secs(60), "{absurd}: {report:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "nobody sleeps on it");
        let windows = world.ledger.windows(&recovery.run.feed, recovery.run.run).await.unwrap();
        assert_eq!(windows[0].value.state, WindowState::Pending, "{absurd}");
    }
}

#[tokio::test]
async fn rows_that_come_and_go_while_pages_are_read_are_a_doubt() {
    let insert: fn(u64, &mut Vec<Option<Row>>) = |call, table| {
        if call == 2 {
            table.insert(0, Some((77, at(FROM) + 1)));
        }
    };
    let delete: fn(u64, &mut Vec<Option<Row>>) = |call, table| {
        if call == 2 {
            table.remove(0);
        }
    };
    let both: fn(u64, &mut Vec<Option<Row>>) = |call, table| {
        if call == 2 {
            table.remove(0);
            table.push(Some((77, at(FROM) + 1)));
        }
    };
    for (paginator, total, change, expected) in [
        (OFFSET, TOTAL, insert, "repeated_record"),
        (OFFSET, TOTAL, delete, "total_changed"),
        (PAGE_MORE, "", insert, "repeated_record"),
        (PAGE_MORE, "", delete, "changed_while_reading"),
        (CURSOR, "", insert, "repeated_record"),
        (CURSOR, "", delete, "changed_while_reading"),
        (LINK, "", both, "changed_while_reading"),
    ] {
        let rows = rows().into_iter().map(Some).collect();
        let server = serve(rows, change, |call, good| good.answer(call)).await;
        assert_eq!(hour(&server, paginator, total).await.as_deref(), Some(expected), "{paginator}");
    }
}
