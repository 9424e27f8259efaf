//! Scans of a service that misbehaves: throttles, fails, garbles, cuts, stalls.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region};
use septet_checks::{Checker, Profile};
use septet_contract::Contract;
use septet_tables::{Consistency, Error, ErrorKind, SealPolicy, Segment, Tables};
use serde_json::{Value as Json, json};

use crate::support::name;

/// How the service answers one call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Well,
    Throttled,
    Failing,
    /// A proxy's page in place of an error.
    BadGateway,
    WrongSum,
    /// With the checksum of what was to be sent.
    CutAndMended,
    /// The connection ends in the middle of the body.
    Cut,
    /// Cut and without a checksum, so that only the JSON tells.
    CutWithoutSum,
    /// Whole JSON without a checksum.
    WithoutSum,
    Stalled,
}

/// The calls that came, and the ways of those that are to come.
#[derive(Default)]
struct Service {
    ways: Mutex<Vec<Way>>,
    seen: Mutex<Vec<Way>>,
}

const PAGES: usize = 5;
const ITEMS: usize = 25;

impl Service {
    /// Serves a table of two segments until the process ends.
    fn start() -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let service = Arc::new(Self::default());
        let shared = service.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let service = shared.clone();
                std::thread::spawn(move || while service.answer(&stream).is_some() {});
            }
        });
        (service, endpoint)
    }

    fn ahead(&self, ways: &[Way]) {
        *self.ways.lock().unwrap() = ways.iter().rev().copied().collect();
    }

    fn answer(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let request: Json = serde_json::from_slice(&body).unwrap();
        let way = self.ways.lock().unwrap().pop().unwrap_or(Way::Well);
        self.seen.lock().unwrap().push(way);
        send(stream, way, &page(&request))
    }
}

/// The page of a request: items with keys of their own, which say segment, page and place.
fn page(request: &Json) -> String {
    let segment = request["Segment"].as_u64().unwrap();
    let number = match request["ExclusiveStartKey"]["id"]["S"].as_str() {
        Some(key) => key.split('-').nth(1).unwrap().parse::<usize>().unwrap() + 1,
        None => 0,
    };
    let key = |place: usize| json!({"S": format!("{segment}-{number}-{place}")});
    let items: Vec<_> = (0..ITEMS).map(|place| json!({"id": key(place), "n": {"N": "1"}})).collect();
    let mut page = json!({"Count": ITEMS, "ScannedCount": ITEMS, "Items": items});
    if number + 1 < PAGES {
        page["LastEvaluatedKey"] = json!({"id": key(ITEMS - 1)});
    }
    page.to_string()
}

fn send(mut stream: &TcpStream, way: Way, body: &str) -> Option<()> {
    let sum = crc32fast::hash(body.as_bytes());
    let error =
        |code: &str| json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "no"});
    let (status, sum, body) = match way {
        Way::Well | Way::Cut => ("200 OK", Some(sum), body.to_owned()),
        Way::Throttled => ("400 Bad Request", None, error("ThrottlingException").to_string()),
        Way::Failing => ("500 Internal Server Error", None, error("InternalServerError").to_string()),
        Way::BadGateway => ("502 Bad Gateway", None, "<html>".to_owned()),
        Way::WrongSum => ("200 OK", Some(sum ^ 1), body.to_owned()),
        Way::CutAndMended => ("200 OK", Some(sum), json!({"Items": [], "Count": 0}).to_string()),
        Way::CutWithoutSum => ("200 OK", None, body[..body.len() / 2].to_owned()),
        Way::WithoutSum => ("200 OK", None, body.to_owned()),
        Way::Stalled => {
            std::thread::sleep(Duration::from_secs(2));
            return None;
        }
    };
    let sum = sum.map(|sum| format!("x-amz-crc32: {sum}\r\n")).unwrap_or_default();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nx-amzn-requestid: R1\r\n{sum}\r\n", body.len());
    let sent = if way == Way::Cut { &body[..body.len() / 2] } else { &body };
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(sent.as_bytes()).ok()?;
    if way == Way::Cut {
        stream.shutdown(std::net::Shutdown::Both).ok()?;
        return None;
    }
    Some(())
}

fn tables(endpoint: &str, attempts: u32) -> Tables {
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .timeout_config(
            TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(700)).build(),
        )
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(attempts)
                .with_initial_backoff(Duration::from_millis(1))
                .with_max_backoff(Duration::from_millis(2)),
        )
        .retry_partition(RetryPartition::custom(endpoint.to_owned()).build())
        .build();
    Tables::new(Client::from_conf(config), SealPolicy::of_whoever())
}

fn checker() -> Checker {
    let contract = "apiVersion: v3.1.0\nkind: DataContract\nid: t\nname: t\nversion: 1.0.0\nstatus: active\n\
        customProperties: [{property: septet.tablePattern, value: 'recs-*'}]\n\
        schema:\n- name: t\n  logicalType: object\n  properties:\n\
        \x20 - {name: id, logicalType: string, physicalType: S, primaryKey: true, primaryKeyPosition: 1}\n\
        \x20 - {name: n, logicalType: integer}\n";
    Checker::new(&Contract::parse(contract).unwrap())
}

/// Scans both segments; the profile has seen the whole table.
async fn scan(tables: &Tables, checker: &Checker) -> Result<Profile, Error> {
    let mut profile = checker.profile();
    for index in 0..2 {
        let mut start = None;
        loop {
            let segment = Segment { index, total: 2 };
            let page = tables.scan_page(&name(), segment, start.as_ref(), Consistency::Eventual).await?;
            start = page.observe(checker, &mut profile)?.next;
            if start.is_none() {
                break;
            }
        }
    }
    Ok(profile)
}

#[tokio::test]
async fn whatever_the_service_does_each_item_is_counted_once() {
    let (service, endpoint) = Service::start();
    let (tables, checker) = (tables(&endpoint, 12), checker());
    let expected = scan(&tables, &checker).await.unwrap();
    assert_eq!(expected.items(), (2 * PAGES * ITEMS) as u64);
    service.seen.lock().unwrap().clear();
    let bad = [
        Way::Throttled,
        Way::Failing,
        Way::BadGateway,
        Way::WrongSum,
        Way::CutAndMended,
        Way::Cut,
        Way::CutWithoutSum,
        Way::Stalled,
    ];
    // One after another before the first page, then each before a page of its own.
    let mut ways = bad.to_vec();
    ways.push(Way::Well);
    for way in bad {
        ways.extend([way, Way::WithoutSum]);
    }
    service.ahead(&ways);
    let profile = scan(&tables, &checker).await.unwrap();
    assert_eq!(profile.digest(), expected.digest());
    assert_eq!(profile, expected);
    let mut seen = BTreeMap::new();
    for way in service.seen.lock().unwrap().iter() {
        *seen.entry(format!("{way:?}")).or_insert(0) += 1;
    }
    assert!(bad.iter().all(|way| seen[&format!("{way:?}")] == 2), "{seen:?}");
}

#[tokio::test]
async fn what_does_not_end_is_an_error_of_its_kind() {
    let (service, endpoint) = Service::start();
    let (tables, checker) = (tables(&endpoint, 2), checker());
    for (way, kind, text) in [
        (Way::Throttled, ErrorKind::Throttled, "ThrottlingException, request R1"),
        (Way::Failing, ErrorKind::Unavailable, "InternalServerError, request R1"),
        (Way::BadGateway, ErrorKind::Unavailable, "status 502, request R1"),
        (Way::WrongSum, ErrorKind::Unavailable, "status 200, request R1"),
        (Way::CutWithoutSum, ErrorKind::Unavailable, "status 200, request R1"),
        (Way::Cut, ErrorKind::Unavailable, ""),
    ] {
        service.ahead(&[way; 2]);
        let error = scan(&tables, &checker).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (kind, true), "{way:?} {error}");
        assert!(error.to_string().contains(text), "{way:?} {error}");
    }
    assert_eq!(service.seen.lock().unwrap().len(), 12);
}
