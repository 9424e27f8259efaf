//! What a third party's server does to a client, and where the credential goes.

use std::time::Duration;

use septet_recovery::http::{HttpSource, Loopback, Secret};
use septet_recovery::port::{NoAnswer, Source};
use septet_recovery::{Answer, Ask, Failure, Feed, Next, Window, ask};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::world::{FEED, at};

const PATIENCE: Duration = Duration::from_secs(10);

fn feed(base: &str, changes: &[(&str, &str)]) -> Feed {
    let mut text = FEED.replace("https://api.example.com", base);
    for (part, by) in changes {
        assert!(text.contains(part), "{part}");
        text = text.replace(part, by);
    }
    Feed::parse(&text).unwrap()
}

fn source(feed: &Feed) -> HttpSource {
    HttpSource::new(feed, Some(Secret::new("hunter2")), Loopback::Allowed).unwrap()
}

fn first(feed: &Feed) -> Ask {
    ask(feed, Window { start: at(0), end: at(60) }, Some(5), &Next::Start).unwrap()
}

async fn fetch(feed: &Feed, timeout: Duration) -> Result<Answer, NoAnswer> {
    source(feed).fetch(&first(feed), timeout).await
}

/// A server that answers each connection with these bytes, one by one, and says what it was sent.
async fn raw(bytes: Vec<u8>, apart: Duration) -> (String, tokio::task::JoinHandle<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        for part in bytes.chunks(if apart.is_zero() { 4096 } else { 8 }) {
            if stream.write_all(part).await.is_err() {
                break;
            }
            tokio::time::sleep(apart).await;
        }
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (base, task)
}

#[tokio::test]
async fn each_kind_of_credential_goes_into_its_place() {
    let server = MockServer::start().await;
    let ok = || ResponseTemplate::new(200).set_body_string("{}");
    Mock::given(header("authorization", "Bearer hunter2")).respond_with(ok()).expect(1).mount(&server).await;
    assert_eq!(fetch(&feed(&server.uri(), &[]), PATIENCE).await.unwrap().body, b"{}");
    server.reset().await;
    let basic = feed(&server.uri(), &[("type: bearer\n", "type: basic\n  username: me\n")]);
    Mock::given(header("authorization", "Basic bWU6aHVudGVyMg=="))
        .respond_with(ok())
        .expect(1)
        .mount(&server)
        .await;
    fetch(&basic, PATIENCE).await.unwrap();
    server.reset().await;
    let key = "type: api_key\n  inject_into: request_parameter\n  field_name: key\n";
    let key = feed(&server.uri(), &[("type: bearer\n", key)]);
    Mock::given(query_param("key", "hunter2")).respond_with(ok()).expect(2).mount(&server).await;
    fetch(&key, PATIENCE).await.unwrap();
    let link = Next::Link(format!("{}/v1/plays?page=2&key=old", server.uri()));
    let next = ask(&key, Window { start: at(0), end: at(60) }, None, &link).unwrap();
    source(&key).fetch(&next, PATIENCE).await.unwrap();
    server.reset().await;
    let post = feed(
        &server.uri(),
        &[
            ("path: plays\n", "path: plays\nmethod: POST\n"),
            ("type: bearer\n", "type: api_key\n  inject_into: body_json\n  field_path: auth.key\n"),
        ],
    );
    let sent = serde_json::json!({"auth": {"key": "hunter2"}});
    Mock::given(method("POST")).and(body_json(sent)).respond_with(ok()).expect(1).mount(&server).await;
    fetch(&post, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_redirect_stays_at_home_or_fails_and_the_credential_with_it() {
    let (server, other) = (MockServer::start().await, MockServer::start().await);
    let to = |place: &str| ResponseTemplate::new(302).insert_header("location", place);
    Mock::given(path("/v1/plays")).respond_with(to("/v2/plays?page=1")).mount(&server).await;
    let ok = ResponseTemplate::new(200).set_body_string("[]");
    Mock::given(path("/v2/plays"))
        .and(header("authorization", "Bearer hunter2"))
        .respond_with(ok.clone())
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(fetch(&feed(&server.uri(), &[]), PATIENCE).await.unwrap().body, b"[]");

    server.reset().await;
    Mock::given(path("/v1/plays"))
        .respond_with(to(&format!("{}/v1/plays", other.uri())))
        .mount(&server)
        .await;
    Mock::given(path("/v1/plays")).respond_with(ok).expect(0).mount(&other).await;
    let found = fetch(&feed(&server.uri(), &[]), PATIENCE).await;
    assert_eq!(found.unwrap_err(), NoAnswer::Never(Failure::ForeignRedirect));

    server.reset().await;
    Mock::given(path("/v1/plays")).respond_with(to("/v1/plays")).expect(3).mount(&server).await;
    let found = fetch(&feed(&server.uri(), &[]), PATIENCE).await;
    assert_eq!(found.unwrap_err(), NoAnswer::Again("too many redirects".into()));
}

#[tokio::test]
async fn a_packed_answer_is_unpacked_up_to_the_limit() {
    use std::io::Write as _;
    let pack = |text: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    };
    let server = MockServer::start().await;
    let feed = feed(&server.uri(), &[("timeout: 20s", "timeout: 20s\nmax_body_bytes: 100000")]);
    let plain = vec![b' '; 90_000];
    for (body, packed, expected) in [
        (pack(&plain), true, Ok(plain.clone())),
        (plain.clone(), false, Ok(plain.clone())),
        (pack(&vec![b' '; 5_000_000]), true, Err(NoAnswer::Never(Failure::BodyTooLarge))),
        (vec![b' '; 100_001], false, Err(NoAnswer::Never(Failure::BodyTooLarge))),
        (b"not packed".to_vec(), true, Err(NoAnswer::Again("the body is no gzip".into()))),
        (pack(&plain)[..40].to_vec(), true, Err(NoAnswer::Again("the body is no gzip".into()))),
    ] {
        server.reset().await;
        let answer = ResponseTemplate::new(200).set_body_bytes(body);
        let answer = if packed { answer.insert_header("content-encoding", "gzip") } else { answer };
        Mock::given(header("accept-encoding", "gzip")).respond_with(answer).mount(&server).await;
        assert_eq!(fetch(&feed, PATIENCE).await.map(|answer| answer.body), expected);
    }
}

#[tokio::test]
async fn a_server_that_drips_cuts_or_hangs_up_is_asked_again() {
    let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n[1, 2";
    let (base, _) = raw(whole.to_vec(), Duration::ZERO).await;
    assert_eq!(fetch(&feed(&base, &[]), PATIENCE).await, Err(NoAnswer::Again("the body is cut".into())));
    let (base, _) = raw(vec![], Duration::ZERO).await;
    assert_eq!(fetch(&feed(&base, &[]), PATIENCE).await, Err(NoAnswer::Again("connection lost".into())));
    let (base, _) = raw(whole.to_vec(), Duration::from_millis(200)).await;
    let began = std::time::Duration::from_millis(400);
    assert_eq!(fetch(&feed(&base, &[]), began).await, Err(NoAnswer::Again("no answer in time".into())));
    let closed = feed("http://127.0.0.1:1", &[]);
    assert_eq!(fetch(&closed, PATIENCE).await, Err(NoAnswer::Again("cannot connect".into())));
}

#[tokio::test]
async fn headers_come_in_lower_case_and_the_status_as_it_is() {
    let bytes = b"HTTP/1.1 429 Busy\r\nRetry-After: 7\r\nX-Next: Abc\r\ncontent-length: 0\r\n\r\n";
    let (base, sent) = raw(bytes.to_vec(), Duration::ZERO).await;
    let answer = fetch(&feed(&base, &[]), PATIENCE).await.unwrap();
    assert_eq!(
        (answer.status, answer.header("retry-after"), answer.header("x-next")),
        (429, Some("7"), Some("Abc"))
    );
    let sent = sent.await.unwrap();
    assert!(sent.starts_with("GET /v1/plays?since="), "{sent}");
}

#[test]
fn a_feed_on_this_machine_needs_leave_and_a_secret_never_shows() {
    let local = feed("http://localhost:9001", &[]);
    let secret = || Some(Secret::new("hunter2"));
    assert_eq!(HttpSource::new(&local, secret(), Loopback::Refused).unwrap_err(), Failure::ForbiddenAddress);
    let local = feed("https://127.0.0.1:9001", &[]);
    assert_eq!(HttpSource::new(&local, secret(), Loopback::Refused).unwrap_err(), Failure::ForbiddenAddress);
    let away = feed("https://api.example.com", &[]);
    assert_eq!(HttpSource::new(&away, None, Loopback::Refused).unwrap_err(), Failure::NoCredential);
    let source = HttpSource::new(&away, secret(), Loopback::Refused).unwrap();
    assert!(!format!("{source:?} {:?}", secret()).contains("hunter2"));
}
