//! Servers that nobody here wrote, with records that make it hard: each way of reading each of them ends with the
//! true set, or is suspect by name.
//!
//! The servers are installed under `.local/` by `make test`; `make servers` does only that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use septet_emulator::Emulator;
use septet_recovery::{Feed, Ledger};
use septet_registry::{Clock, DynamoDb, Entropy, SystemClock};
use serde_json::{Value, json};

use crate::engine::recover;

const RECORDS: usize = 5000;
const FROM: &str = "2026-11-18T00:00:00Z";
const TO: &str = "2026-11-18T04:00:00Z";
const STEP: SignedDuration = SignedDuration::from_mins(20);
/// A server that is not there by then never will be.
const PATIENCE: Duration = Duration::from_secs(60);

/// Records by id, with their times: 120 on one instant, three on each edge of a window, ids in no order of time, and
/// some that lie outside of the range.
fn records() -> BTreeMap<u64, Timestamp> {
    let (from, to): (Timestamp, Timestamp) = (FROM.parse().unwrap(), TO.parse().unwrap());
    let windows = (to.duration_since(from).as_secs() / STEP.as_secs()) as i32;
    let mut times: Vec<_> = (0..=windows).flat_map(|window| [from + STEP * window; 3]).collect();
    times.extend([from + SignedDuration::from_millis(5_025_500); 120]);
    let (margin, mut state) = (SignedDuration::from_mins(10), 7_u64);
    let length = (to.duration_since(from) + margin * 2).as_millis() as u64;
    while times.len() < RECORDS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        times.push(from - margin + SignedDuration::from_millis(((state >> 20) % length) as i64));
    }
    // 2741 and 5000 have no common divisor: each number comes once.
    times.iter().enumerate().map(|(n, time)| ((n * 2741 % RECORDS) as u64 + 1, *time)).collect()
}

fn document(records: &BTreeMap<u64, Timestamp>) -> Value {
    let plays = records.iter().map(|(id, time)| {
        json!({"id": id, "played_at": format!("{time:.3}"), "played_ms": time.as_millisecond(), "song": "é\u{1f600}"})
    });
    json!({ "plays": plays.collect::<Vec<_>>() })
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn installed(path: &str) -> PathBuf {
    let path = root(".local").join(path);
    assert!(path.exists(), "{} is not there; `make servers` installs it", path.display());
    path
}

fn python(arguments: &[&str]) -> Command {
    let mut command = Command::new(installed("venv-servers/bin/python"));
    command.args(arguments);
    command
}

fn rest() -> String {
    root("shared/recovery/tests/servers/rest.py").to_str().unwrap().to_owned()
}

/// A server, ended when dropped.
struct Server {
    child: Child,
    base: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server on a free port, which `command` is told, and waits until it listens.
fn start(directory: &Path, command: impl FnOnce(u16) -> Command) -> Server {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let log = directory.join("log");
    let output = File::create(&log).unwrap();
    let mut command = command(port);
    command.current_dir(directory).stdin(Stdio::null());
    command.stdout(output.try_clone().unwrap()).stderr(output);
    let mut server = Server { child: command.spawn().unwrap(), base: format!("http://127.0.0.1:{port}") };
    let (began, address) = (SystemClock.now(), SocketAddr::from(([127, 0, 0, 1], port)));
    while TcpStream::connect_timeout(&address, PATIENCE).is_err() {
        let ended = server.child.try_wait().unwrap();
        let wrote = || std::fs::read_to_string(&log).unwrap();
        assert!(ended.is_none() && SystemClock.now() < began + PATIENCE, "{ended:?}\n{}", wrote());
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}

/// One way of reading a server, as a feed says it.
struct Way {
    path: &'static str,
    /// Lines under `params`.
    params: &'static str,
    /// Names of the parameters of start and end, and what else is to be said of them.
    incremental: &'static str,
    paginator: &'static str,
    records: &'static str,
    /// Reasons why windows are suspect; none if all are done.
    doubts: &'static [&'static str],
}

impl Way {
    fn feed(&self, name: &str, base: &str) -> Feed {
        let params =
            if self.params.is_empty() { String::new() } else { format!("params: {}\n", self.params) };
        let text = format!(
            "feed: {name}\nbase_url: {base}\npath: {}\n{params}concurrency: 2\n\
             incremental: {{cursor_path: played_at, cursor_granularity: 1ms, step: 20m, {}}}\n\
             paginator: {{{}}}\nrecords: {{primary_key: id, {}}}\n\
             api_budget: {{calls: 1000, per: second}}\n\
             sink: {{type: sqs, queue_url: 'https://sqs.eu-west-1.amazonaws.com/1/plays'}}\n",
            self.path, self.incremental, self.paginator, self.records,
        );
        Feed::parse(&text).unwrap_or_else(|found| panic!("{text}\n{found:?}"))
    }
}

/// Reads a server in each of these ways.
async fn read(server: &Server, ways: &[Way]) {
    let emulator = Emulator::start().await;
    emulator.create_registry_table("registry").await;
    let store = DynamoDb::new(emulator.client(), "registry");
    let ledger = Ledger::new(Arc::new(store), Arc::new(Entropy::from_seed(7)));
    let records = records().into_iter().map(|(id, time)| (id.to_string(), time)).collect();
    for (index, way) in ways.iter().enumerate() {
        let which = format!("way {index}, {} {}", way.path, way.paginator);
        let ended = recover(&ledger, &way.feed(&format!("plays-{index}"), &server.base), (FROM, TO)).await;
        ended.is_true_to(&records, &which);
        let doubts: BTreeSet<String> = way.doubts.iter().map(|doubt| doubt.to_string()).collect();
        assert_eq!(ended.reasons(), doubts, "{which}");
        // What can be misread is misread in every window, and nothing else is.
        let done = ended.windows.iter().filter(|window| window.state.is_done()).count();
        assert_eq!(done, if doubts.is_empty() { ended.windows.len() } else { 0 }, "{which}");
        let clamped = ended.windows.iter().all(|window| window.progress.counts.clamped_to == 100);
        assert_eq!(clamped, way.paginator.contains("limit: 500"), "{which}: whether a clamped page is noted");
    }
}

fn database(directory: &Path, records: &Path) {
    let mut make = python(&[&rest(), "make"]);
    let made = make.arg(directory.join("plays.db")).stdin(File::open(records).unwrap()).status().unwrap();
    assert!(made.success());
}

#[tokio::test]
async fn datasette_is_read_to_the_true_set_or_suspect() {
    let directory = tempfile::tempdir().unwrap();
    let records = directory.path().join("records.json");
    std::fs::write(&records, document(&self::records()).to_string()).unwrap();
    database(directory.path(), &records);
    let server = start(directory.path(), |port| {
        let metadata = root("shared/recovery/tests/servers/metadata.json");
        let mut command =
            python(&["-m", "datasette", "plays.db", "-h", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["--setting", "max_returned_rows", "100", "--setting", "suggest_facets", "off"]);
        command.arg("-m").arg(metadata);
        command
    });
    let table = Way {
        path: "plays/plays.json",
        params: "{_shape: objects}",
        incremental: "start_param: played_at__gte, end_param: played_at__lt",
        paginator: "type: cursor, cursor_path: next, cursor_param: _next, limit_param: _size, limit: 100",
        records: "data_selector: rows, total_path: filtered_table_rows_count",
        doubts: &[],
    };
    let query = Way {
        path: "plays/by_offset.json",
        params: "{_shape: array}",
        incremental: "start_param: since, end_param: until",
        paginator: "type: offset, offset_param: offset, limit_param: limit, limit: 90, stop_after_empty_page: true",
        records: "data_selector: $",
        doubts: &[],
    };
    let ways = [
        Way { params: "{_shape: objects, _sort_desc: played_at}", ..table },
        Way { records: "data_selector: rows", ..table },
        Way {
            paginator: "type: json_link, next_url_path: next_url, limit_param: _size, limit: 100",
            records: "data_selector: rows",
            ..table
        },
        Way {
            params: "{_shape: array}",
            paginator: "type: header_link, limit_param: _size, limit: 100",
            records: "data_selector: $",
            ..table
        },
        // Its count is of the rows that are left, and keys without a count show nothing.
        Way {
            paginator: "type: keyset, record_field: id, cursor_param: id__gt, limit_param: _size, limit: 100",
            doubts: &["total_changed"],
            ..table
        },
        Way { paginator: "type: single_page", doubts: &["total_mismatch"], ..table },
        Way { doubts: &["end_not_shown"], ..query },
        Way { path: "plays/shuffled.json", doubts: &["repeated_record"], ..query },
        Way {
            params: "{_shape: objects, offset: '0', limit: '500'}",
            paginator: "type: single_page, has_more_path: truncated",
            records: "data_selector: rows",
            doubts: &["more_without_next"],
            ..query
        },
    ];
    read(&server, &ways).await;
}

fn json_server(directory: &Path, package: &str, program: &str) -> Server {
    let program = installed(&format!("node-servers/node_modules/{package}")).join(program);
    let document = document(&records());
    std::fs::write(directory.join("db.json"), document.to_string()).unwrap();
    start(directory, |port| {
        let mut command = Command::new("node");
        command.arg(program).args(["db.json", "--host", "127.0.0.1", "--port", &port.to_string()]);
        command
    })
}

#[tokio::test]
async fn json_server_0_is_read_to_the_true_set_or_suspect() {
    let directory = tempfile::tempdir().unwrap();
    let server = json_server(directory.path(), "json-server-0", "lib/cli/bin.js");
    let pages = Way {
        path: "plays",
        params: "",
        incremental: "start_param: played_at_gte, end_param: played_at_lte, range_end: closed",
        paginator: "type: page_number, page_param: _page, limit_param: _limit, limit: 100",
        records: "total_header: X-Total-Count",
        doubts: &[],
    };
    let ways = [
        Way { ..pages },
        Way {
            params: "{_page: '1'}",
            paginator: "type: header_link, limit_param: _limit, limit: 100",
            ..pages
        },
        Way {
            params: "{_page: '1', _sort: played_at, _order: desc}",
            paginator: "type: header_link, limit_param: _limit, limit: 100",
            records: "data_selector: $",
            ..pages
        },
        Way {
            paginator: "type: page_number, page_param: _page, limit_param: _limit, limit: 70, stop_after_empty_page: true",
            records: "data_selector: $",
            doubts: &["end_not_shown"],
            ..pages
        },
        Way { paginator: "type: offset, offset_param: _start, limit_param: _limit, limit: 100", ..pages },
        Way {
            params: "{_sort: id}",
            paginator: "type: keyset, record_field: id, cursor_param: id_gte, limit_param: _limit, limit: 100",
            doubts: &["total_changed"],
            ..pages
        },
        // It knows no such filter, and gives the whole table.
        Way {
            incremental: "start_param: since, end_param: until",
            paginator: "type: page_number, page_param: _page, limit_param: _limit, limit: 1000",
            ..pages
        },
        Way {
            paginator: "type: single_page",
            params: "{_limit: '100'}",
            doubts: &["total_mismatch"],
            ..pages
        },
    ];
    read(&server, &ways).await;
}

#[tokio::test]
async fn json_server_1_is_read_to_the_true_set_or_suspect() {
    let directory = tempfile::tempdir().unwrap();
    let server = json_server(directory.path(), "json-server-1", "lib/bin.js");
    let pages = Way {
        path: "plays",
        params: "",
        incremental: "start_param: 'played_at:gte', end_param: 'played_at:lt'",
        paginator: "type: page_number, page_param: _page, limit_param: _per_page, limit: 100",
        records: "data_selector: data, total_path: items",
        doubts: &[],
    };
    let ways = [
        Way { ..pages },
        Way {
            paginator: "type: page_number, page_param: _page, limit_param: _per_page, limit: 100, total_path: pages",
            records: "data_selector: data",
            ..pages
        },
        // Past the end it gives the last page, for ever.
        Way {
            paginator: "type: page_number, page_param: _page, limit_param: _per_page, limit: 100, stop_after_empty_page: true",
            records: "data_selector: data",
            doubts: &["repeated_page"],
            ..pages
        },
        Way {
            paginator: "type: page_number, page_param: _page, limit_param: _per_page, limit: 100, end_status: 404",
            records: "data_selector: data",
            doubts: &["repeated_page"],
            ..pages
        },
    ];
    read(&server, &ways).await;
}

#[tokio::test]
async fn rest_framework_is_read_to_the_true_set_or_suspect() {
    let directory = tempfile::tempdir().unwrap();
    let records = directory.path().join("records.json");
    std::fs::write(&records, document(&self::records()).to_string()).unwrap();
    database(directory.path(), &records);
    let server = start(directory.path(), |port| python(&[&rest(), "serve", "plays.db", &port.to_string()]));
    let pages = Way {
        path: "pages",
        params: "",
        incremental: "start_param: since, end_param: until",
        paginator: "type: page_number, page_param: page, limit_param: page_size, limit: 500",
        records: "data_selector: results, total_path: count",
        doubts: &[],
    };
    let ways = [
        Way { ..pages },
        Way {
            paginator: "type: page_number, page_param: page, limit_param: page_size, limit: 500, end_status: 404",
            records: "data_selector: results",
            ..pages
        },
        Way {
            paginator: "type: json_link, next_url_path: next, limit_param: page_size, limit: 500",
            ..pages
        },
        Way {
            path: "offsets",
            paginator: "type: offset, offset_param: offset, limit_param: limit, limit: 500",
            ..pages
        },
        Way {
            path: "offsets",
            paginator: "type: offset, offset_param: offset, limit_param: limit, limit: 500, stop_after_empty_page: true",
            records: "data_selector: results",
            doubts: &["end_not_shown"],
            ..pages
        },
        Way {
            path: "cursors",
            paginator: "type: json_link, next_url_path: next, limit_param: page_size, limit: 500",
            records: "data_selector: results",
            ..pages
        },
        Way {
            path: "shuffled",
            paginator: "type: page_number, page_param: page, limit_param: page_size, limit: 500, end_status: 404",
            doubts: &["repeated_record"],
            ..pages
        },
        // Twenty calls a second are answered, the next with 429 and Retry-After.
        Way {
            path: "throttled",
            paginator: "type: page_number, page_param: page, limit_param: page_size, limit: 100",
            ..pages
        },
    ];
    read(&server, &ways).await;
}
