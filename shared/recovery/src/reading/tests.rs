//! A model of a server, well-behaved or not, read to the end.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::answer::{Answer, Meaning, meaning};
use crate::page::{PageReader, Unreadable};

#[derive(Debug, Clone, PartialEq)]
struct Record {
    id: u64,
    time: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Fault {
    #[default]
    None,
    /// Rows are cut into pages before they are filtered.
    FilterAfterPaging,
    /// An empty page comes before that one.
    EmptyPage(u64),
    /// Past the end, the last page comes again.
    LastPageForEver,
    /// From that call on, a cursor is unknown and the first page comes.
    RestartsFrom(u64),
    /// The same cursor comes for ever.
    SameToken,
    /// The total counts the whole table.
    TotalOfTable,
    /// From that call on, an error comes as a page.
    ErrorPageFrom(u64),
    /// Before that call, a row comes at this share of the table.
    InsertBefore(u64, u8),
    /// Before that call, a row at this share of the table goes.
    DeleteBefore(u64, u8),
    /// Nothing is filtered by time.
    IgnoresFilter,
    /// Rows come in no order of the key: those after the one that has it, or those whose key is larger.
    Unsorted { by_place: bool },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    PageTotalPages,
    PageTotalRows,
    PageHasMore,
    PageEndStatus,
    PageWeak,
    OffsetTotal,
    OffsetHasMore,
    OffsetWeak,
    Cursor,
    CursorTotal,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    KeysetId,
    KeysetIdTotal,
    KeysetTimeInclusive,
    KeysetTimeTotal,
    KeysetTimeExclusive,
    SinglePage,
}

const KINDS: [Kind; 19] = [
    Kind::PageTotalPages,
    Kind::PageTotalRows,
    Kind::PageHasMore,
    Kind::PageEndStatus,
    Kind::PageWeak,
    Kind::OffsetTotal,
    Kind::OffsetHasMore,
    Kind::OffsetWeak,
    Kind::Cursor,
    Kind::CursorTotal,
    Kind::HeaderCursor,
    Kind::HeaderLink,
    Kind::JsonLink,
    Kind::KeysetId,
    Kind::KeysetIdTotal,
    Kind::KeysetTimeInclusive,
    Kind::KeysetTimeTotal,
    Kind::KeysetTimeExclusive,
    Kind::SinglePage,
];

impl Kind {
    fn name(self) -> String {
        format!("{self:?}")
    }

    fn feed(self, closed: bool, limit: u64) -> Feed {
        use Kind::*;
        let paginator = match self {
            PageTotalPages => "page_number\n  page_param: page\n  total_path: pages",
            PageTotalRows => "page_number\n  page_param: page\n  base_page: 0",
            PageHasMore => "page_number\n  page_param: page\n  has_more_path: more",
            PageEndStatus => "page_number\n  page_param: page\n  end_status: 404",
            PageWeak => "page_number\n  page_param: page\n  stop_after_empty_page: true",
            OffsetTotal => "offset\n  offset_param: offset\n  total_path: total",
            OffsetHasMore => "offset\n  offset_param: offset\n  has_more_path: more",
            OffsetWeak => "offset\n  offset_param: offset\n  stop_after_empty_page: true",
            Cursor | CursorTotal => "cursor\n  cursor_path: next\n  cursor_param: cursor",
            HeaderCursor => "header_cursor\n  cursor_key: X-Next\n  cursor_param: cursor",
            HeaderLink => "header_link",
            JsonLink => "json_link\n  next_url_path: link",
            KeysetId => "keyset\n  record_field: id\n  cursor_param: after\n  has_more_path: more",
            KeysetIdTotal => "keyset\n  record_field: id\n  cursor_param: after",
            KeysetTimeInclusive | KeysetTimeExclusive => {
                "keyset\n  record_field: played_at\n  cursor_param: after\n  has_more_path: more"
            }
            KeysetTimeTotal => "keyset\n  record_field: played_at\n  cursor_param: after",
            SinglePage => "single_page",
        };
        let limits = if self == SinglePage {
            String::new()
        } else {
            format!("\n  limit_param: limit\n  limit: {limit}")
        };
        let total =
            matches!(self, PageTotalRows | CursorTotal | KeysetIdTotal | KeysetTimeTotal | SinglePage);
        let text = crate::feed::EXAMPLE;
        let (start, end) = (text.find("  type: cursor").unwrap(), text.find("records:").unwrap());
        let text = format!("{}  type: {paginator}{limits}\n\n{}", &text[..start], &text[end..])
            .replace("  total_path: meta.total", if total { "  total_path: total" } else { "" })
            .replace("data_selector: plays", "data_selector: rows")
            .replace("range_end: open", if closed { "range_end: closed" } else { "range_end: open" })
            .replace("datetime_format: rfc3339", "datetime_format: epoch_ms")
            .replace("  lookback_window: 5m\n", "");
        let text = if text.contains("response_actions") {
            let at = text.find("response_actions").unwrap();
            let end = text.find("# Ten calls").unwrap();
            format!("{}{}", &text[..at], &text[end..])
        } else {
            text
        };
        Feed::parse(&text).unwrap_or_else(|found| panic!("{self:?} {found:?}"))
    }
}

struct Server {
    kind: Kind,
    closed: bool,
    clamp: u64,
    fault: Fault,
    table: Vec<Record>,
    calls: u64,
}

impl Server {
    fn answer(&mut self, ask: &Ask) -> Answer {
        self.calls += 1;
        match self.fault {
            Fault::InsertBefore(call, share) if call == self.calls => {
                let at = self.table.len() * usize::from(share) / 256;
                let time = self.table.get(at).map_or(START + 500, |row| row.time);
                let id = if share % 2 == 0 { 1_000_000 } else { 0 };
                self.table.insert(at, Record { id, time });
            }
            Fault::DeleteBefore(call, share) if call == self.calls && !self.table.is_empty() => {
                let at = self.table.len() * usize::from(share) / 256;
                self.table.remove(at);
            }
            Fault::ErrorPageFrom(call) if self.calls >= call => {
                return Answer { status: 200, headers: vec![], body: br#"{"error":"busy"}"#.to_vec() };
            }
            _ => {}
        }
        let query: BTreeMap<String, String> = ask.url.query_pairs().into_owned().collect();
        let number = |name: &str| query.get(name).map(|text| text.parse::<i64>().unwrap());
        let (since, until) = (number("since").unwrap_or(0), number("until").unwrap_or(i64::MAX));
        let ignored = self.fault == Fault::IgnoresFilter;
        let in_range = |row: &Record| {
            ignored || row.time >= since && (row.time < until || self.closed && row.time == until)
        };
        let mut table = self.table.clone();
        let by_time = matches!(
            self.kind,
            Kind::KeysetTimeExclusive | Kind::KeysetTimeInclusive | Kind::KeysetTimeTotal
        );
        let by_id = matches!(self.kind, Kind::KeysetId | Kind::KeysetIdTotal);
        let sorted = !matches!(self.fault, Fault::Unsorted { .. });
        if by_time && sorted {
            table.sort_by_key(|row| (row.time, row.id));
        } else if by_id && sorted {
            table.sort_by_key(|row| row.id);
        }
        let late = self.fault == Fault::FilterAfterPaging;
        let mut rows: Vec<Option<Record>> =
            table.iter().filter(|row| late || in_range(row)).cloned().map(Some).collect();
        let total = if self.fault == Fault::TotalOfTable {
            table.len()
        } else {
            table.iter().filter(|row| in_range(row)).count()
        };
        let size = number("limit").map_or(u64::MAX, |limit| (limit as u64).min(self.clamp));
        let by_key = self.kind.name().starts_with("Keyset");
        if let Fault::EmptyPage(page) = self.fault
            && !by_key
            && size < u64::MAX
            && page.saturating_mul(size) < rows.len() as u64
        {
            let at = (page * size) as usize;
            rows.splice(at..at, (0..size).map(|_| None));
        }
        let after = query.get("after").map(|text| text.trim_matches('"').to_owned());
        let after = after.map_or(0, |key| key.parse::<u64>().unwrap());
        let inclusive = self.kind != Kind::KeysetTimeExclusive;
        let follows = |row: &Record| match () {
            () if by_id => row.id > after,
            () if inclusive => row.time as u64 >= after,
            () => row.time as u64 > after,
        };
        if self.fault == (Fault::Unsorted { by_place: false }) && by_key {
            rows.retain(|row| row.as_ref().is_none_or(follows));
        }
        let mut position = match (number("page"), number("offset"), number("cursor"), self.kind) {
            (Some(page), ..) => (page as u64 - u64::from(self.kind != Kind::PageTotalRows)) * size,
            (_, Some(offset), ..) => offset as u64,
            (_, _, Some(cursor), _) => cursor as u64,
            _ if by_key => rows.iter().flatten().position(follows).unwrap_or(rows.len()) as u64,
            _ => 0,
        };
        if let Fault::RestartsFrom(call) = self.fault
            && self.calls >= call
        {
            position = 0;
        }
        let length = rows.len() as u64;
        if self.fault == Fault::LastPageForEver && position >= length && length > 0 {
            position = (length - 1) / size * size;
        }
        if self.kind == Kind::PageEndStatus && position >= length && position > 0 {
            return Answer { status: 404, ..Answer::default() };
        }
        let end = position.saturating_add(size).min(length);
        let start = position.min(length);
        let rows: Vec<Record> = rows.drain(start as usize..end as usize).flatten().filter(in_range).collect();
        let more = end < length;
        let next = match self.fault {
            Fault::SameToken => Some(size),
            _ => more.then_some(end),
        };
        let mut headers = Vec::new();
        let mut url = ask.url.clone();
        if let Some(next) = next {
            url.set_query(Some(&format!("since={since}&until={until}&limit={size}&cursor={next}")));
            headers.push(("x-next".to_owned(), next.to_string()));
            headers.push((
                "link".to_owned(),
                format!("<{}?{}>; rel=\"next\"", url.path(), url.query().unwrap()),
            ));
        }
        let rows: Vec<Value> =
            rows.iter().map(|row| json!({"id": row.id, "played_at": row.time, "x": "é"})).collect();
        let pages = length.div_ceil(size);
        let body = json!({
            "rows": rows, "total": total, "pages": pages, "more": more, "next": next,
            "link": next.map(|_| url.to_string()),
        });
        Answer { status: 200, headers, body: body.to_string().into_bytes() }
    }
}

const START: i64 = 1_794_960_000_000;

fn window() -> Window {
    let at = |ms| jiff::Timestamp::from_millisecond(ms).unwrap();
    Window { start: at(START), end: at(START + 1000) }
}

/// Reads a window to the end, giving up on a page after three attempts; killed after each of these pages.
fn read(feed: &Feed, server: &mut Server, kills: &[u64]) -> (ReadingEnd, Vec<u64>, Progress) {
    let pages = PageReader::new(feed);
    let mut reading = Reading::new(feed, window(), None, Progress::default());
    let (mut handed, mut failures) = (Vec::new(), 0);
    for call in 0..20_000_u64 {
        if kills.contains(&call) {
            let kept = serde_json::to_string(reading.progress()).unwrap();
            assert!(kept.len() < 4096, "{kept}");
            reading = Reading::new(feed, window(), None, serde_json::from_str(&kept).unwrap());
        }
        let ask = reading.ask().unwrap();
        let answer = server.answer(&ask);
        let step = match meaning(feed, &answer, reading.has_cursor(), jiff::Timestamp::UNIX_EPOCH) {
            Meaning::PastEnd => reading.past_end(),
            Meaning::CursorRefused => reading.cursor_refused(),
            Meaning::Page => match pages.read(&answer) {
                Ok(page) => {
                    let taken = reading.take(&ask.url, page);
                    handed.extend(taken.rows.iter().map(|row| row.id.parse::<u64>().unwrap()));
                    taken.step
                }
                Err(Unreadable::Doubt(doubt)) if failures >= 2 => Step::Suspect(doubt),
                Err(Unreadable::Doubt(_)) => {
                    failures += 1;
                    Step::Next
                }
                Err(Unreadable::Failure(failure)) => Step::Failed(failure),
            },
            other => panic!("{other:?}"),
        };
        match step {
            Step::Next => {}
            end => return (end, handed, reading.progress().clone()),
        }
    }
    panic!("it never ends");
}

type ReadingEnd = Step;

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(&KINDS[..])
}

/// Many records on one instant, on the edges, late ones, and ids in no order of time.
fn tables() -> impl Strategy<Value = Vec<Record>> {
    let time = prop_oneof![
        4 => START..START + 1000,
        3 => Just(START + 500),
        1 => Just(START), 1 => Just(START + 999), 1 => Just(START + 1000), 1 => Just(START - 1),
        2 => START - 2000..START + 3000,
    ];
    prop::collection::vec(time, 0..60).prop_flat_map(|times| {
        let ids: Vec<u64> = (1..=times.len() as u64).collect();
        Just(ids).prop_shuffle().prop_map(move |ids| {
            ids.iter().zip(&times).map(|(id, time)| Record { id: *id, time: *time }).collect()
        })
    })
}

fn truth(table: &[Record]) -> BTreeSet<u64> {
    table.iter().filter(|row| (START..START + 1000).contains(&row.time)).map(|row| row.id).collect()
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::None),
        Just(Fault::FilterAfterPaging),
        (0_u64..6).prop_map(Fault::EmptyPage),
        Just(Fault::LastPageForEver),
        (2_u64..8).prop_map(Fault::RestartsFrom),
        Just(Fault::SameToken),
        Just(Fault::TotalOfTable),
        (1_u64..8).prop_map(Fault::ErrorPageFrom),
        (1_u64..12, any::<u8>()).prop_map(|(call, share)| Fault::InsertBefore(call, share)),
        (1_u64..12, any::<u8>()).prop_map(|(call, share)| Fault::DeleteBefore(call, share)),
        Just(Fault::IgnoresFilter),
        any::<bool>().prop_map(|by_place| Fault::Unsorted { by_place }),
    ]
}

proptest! {
    #[test]
    fn a_well_behaved_source_is_read_to_the_true_set(
        kind in kinds(), table in tables(), limit in 2_u64..20, clamp in 2_u64..20, closed: bool,
        kills in prop::collection::vec(0_u64..12, 0..4),
    ) {
        let feed = kind.feed(closed, limit);
        let mut server = Server { kind, closed, clamp, fault: Fault::None, table, calls: 0 };
        let (end, handed, progress) = read(&feed, &mut server, &kills);
        let expected = truth(&server.table);
        let set: BTreeSet<u64> = handed.iter().copied().collect();
        prop_assert_eq!(set.len(), handed.len(), "nothing is handed on twice");
        let weak = matches!(kind, Kind::PageWeak | Kind::OffsetWeak);
        match (end, kind) {
            (Step::Suspect(Doubt::NothingFound), _) if weak => prop_assert!(expected.is_empty()),
            (Step::Suspect(Doubt::EndNotShown), _) if weak => prop_assert_eq!(&set, &expected),
            (
                Step::Suspect(Doubt::KeysetTies),
                Kind::KeysetTimeExclusive | Kind::KeysetTimeInclusive | Kind::KeysetTimeTotal,
            ) => {}
            (Step::Suspect(Doubt::KeysetUncounted), Kind::KeysetId | Kind::KeysetTimeInclusive) => {
                prop_assert!(progress.counts.pages > 1);
                prop_assert_eq!(&set, &expected);
            }
            (end, _) => {
                prop_assert_eq!(&end, &Step::Done);
                prop_assert_eq!(&set, &expected);
                prop_assert_eq!(progress.found.count, expected.len() as u64);
            }
        }
    }

    #[test]
    fn a_misbehaving_source_is_never_believed_with_another_set(
        kind in kinds(), table in tables(), limit in 2_u64..20, clamp in 2_u64..20, closed: bool, fault in faults(),
        kills in prop::collection::vec(0_u64..12, 0..3),
    ) {
        let before = truth(&table);
        let feed = kind.feed(closed, limit);
        let mut server = Server { kind, closed, clamp, fault, table, calls: 0 };
        let (end, handed, _) = read(&feed, &mut server, &kills);
        let (after, set) = (truth(&server.table), handed.into_iter().collect::<BTreeSet<u64>>());
        if end == Step::Done {
            let gone: BTreeSet<u64> = before.difference(&after).copied().collect();
            let missing: Vec<_> = after.difference(&set).collect();
            let unexpected: Vec<_> = set.iter().filter(|id| !after.contains(id) && !gone.contains(id)).collect();
            // What comes after the place where it belongs was read is late, and found by a second sweep.
            let late = matches!(fault, Fault::InsertBefore(..)) && missing.iter().all(|id| **id == 0 || **id == 1_000_000);
            prop_assert!(missing.is_empty() || late, "{:?} are missing", missing);
            prop_assert!(unexpected.is_empty(), "{:?}", unexpected);
        }
    }
}

/// Thirty records in the window, in the order of their ids, and ten before and after it.
fn plain_table() -> Vec<Record> {
    (0..50).map(|n| Record { id: n + 1, time: START - 1000 + 60 * n as i64 }).collect()
}

#[test]
fn each_misbehaviour_is_known_by_its_name() {
    let total = |total, rows| Doubt::TotalMismatch { total, rows };
    for (kind, fault, expected) in [
        (Kind::PageWeak, Fault::FilterAfterPaging, Some(Doubt::NothingFound)),
        (Kind::OffsetWeak, Fault::EmptyPage(1), Some(Doubt::RowsAfterEmptyPage)),
        (Kind::OffsetWeak, Fault::None, Some(Doubt::EndNotShown)),
        (Kind::PageWeak, Fault::None, Some(Doubt::EndNotShown)),
        (Kind::OffsetHasMore, Fault::EmptyPage(1), Some(Doubt::EmptyPageButMore)),
        (Kind::OffsetTotal, Fault::EmptyPage(1), Some(Doubt::EmptyPageButMore)),
        (Kind::PageHasMore, Fault::EmptyPage(1), None),
        (Kind::Cursor, Fault::FilterAfterPaging, None),
        (Kind::HeaderLink, Fault::EmptyPage(2), None),
        (Kind::PageWeak, Fault::LastPageForEver, Some(Doubt::RepeatedPage)),
        (Kind::PageEndStatus, Fault::LastPageForEver, Some(Doubt::RepeatedPage)),
        (Kind::PageTotalPages, Fault::LastPageForEver, None),
        (Kind::Cursor, Fault::RestartsFrom(3), Some(Doubt::CursorRestarted)),
        (Kind::JsonLink, Fault::SameToken, Some(Doubt::RepeatedToken)),
        (Kind::PageTotalRows, Fault::TotalOfTable, Some(Doubt::EmptyPagesWithoutEnd)),
        (Kind::CursorTotal, Fault::TotalOfTable, Some(total(50, 17))),
        (Kind::OffsetTotal, Fault::InsertBefore(2, 128), Some(Doubt::TotalChanged { from: 17, to: 18 })),
        (Kind::OffsetHasMore, Fault::DeleteBefore(2, 90), Some(Doubt::ChangedWhileReading)),
        (Kind::HeaderCursor, Fault::InsertBefore(3, 100), Some(Doubt::RepeatedRecord { id: "27".into() })),
        (Kind::Cursor, Fault::ErrorPageFrom(2), Some(Doubt::RecordsMissing)),
        (Kind::KeysetTimeExclusive, Fault::None, Some(Doubt::KeysetTies)),
        (Kind::KeysetTimeInclusive, Fault::None, Some(Doubt::KeysetUncounted)),
        (Kind::KeysetTimeTotal, Fault::None, None),
        (Kind::KeysetId, Fault::None, Some(Doubt::KeysetUncounted)),
        (Kind::KeysetIdTotal, Fault::None, None),
        (Kind::Cursor, Fault::IgnoresFilter, None),
    ] {
        let feed = kind.feed(false, 5);
        let mut server = Server { kind, closed: false, clamp: 5, fault, table: plain_table(), calls: 0 };
        let (end, handed, progress) = read(&feed, &mut server, &[]);
        assert_eq!(end, expected.map_or(Step::Done, Step::Suspect), "{kind:?} {fault:?}");
        if end == Step::Done {
            assert_eq!(handed.into_iter().collect::<BTreeSet<_>>(), truth(&server.table));
            assert_eq!(progress.counts.outside > 0, fault == Fault::IgnoresFilter);
        }
    }
}

#[test]
fn rows_that_are_not_in_the_keysets_order_are_a_doubt() {
    // Of each three the last has the smallest key, and is left out after a page that ends with the second.
    let mut table = plain_table();
    for three in table.chunks_mut(3) {
        three.rotate_left(1);
    }
    for (kind, limit, expected) in [
        (Kind::KeysetId, 50, Doubt::KeysetUnsorted),
        (Kind::KeysetId, 2, Doubt::KeysetUncounted),
        (Kind::KeysetIdTotal, 2, Doubt::EmptyPageButMore),
    ] {
        let fault = Fault::Unsorted { by_place: false };
        let mut server = Server { kind, closed: false, clamp: 50, fault, table: table.clone(), calls: 0 };
        let (end, handed, _) = read(&kind.feed(false, limit), &mut server, &[]);
        assert_eq!(end, Step::Suspect(expected), "{kind:?}");
        assert!(limit == 50 || handed.len() < truth(&table).len(), "rows are left out in silence");
    }
}

#[test]
fn a_single_page_that_is_cut_short_is_a_doubt() {
    let text = crate::feed::EXAMPLE;
    let (start, end) = (text.find("  type: cursor").unwrap(), text.find("records:").unwrap());
    let text = format!("{}  type: single_page\n  has_more_path: cut\n\n{}", &text[..start], &text[end..]);
    let feed = Feed::parse(&text.replace("  total_path: meta.total\n", "")).unwrap();
    for (body, expected) in [
        (r#"{"plays":[],"cut":false}"#, Step::Done),
        (r#"{"plays":[],"cut":true}"#, Step::Suspect(Doubt::MoreWithoutNext)),
        (r#"{"plays":[]}"#, Step::Suspect(Doubt::HasMoreMissing)),
    ] {
        let mut reading = Reading::new(&feed, window(), None, Progress::default());
        let answer = Answer { status: 200, headers: vec![], body: body.into() };
        assert_eq!(
            reading.take(&feed.call.url, PageReader::new(&feed).read(&answer).unwrap()).step,
            expected
        );
    }
}

#[test]
fn a_window_that_fits_one_page_needs_no_total() {
    let kind = Kind::KeysetId;
    let mut server =
        Server { kind, closed: false, clamp: 50, fault: Fault::None, table: plain_table(), calls: 0 };
    let (end, handed, progress) = read(&kind.feed(false, 50), &mut server, &[]);
    assert_eq!((end, progress.counts.pages), (Step::Done, 1));
    assert_eq!(handed.into_iter().collect::<BTreeSet<_>>(), truth(&server.table));
}

#[test]
fn rows_behind_an_empty_page_are_found_where_pages_are_clamped() {
    let kind = Kind::OffsetWeak;
    let fault = Fault::EmptyPage(4);
    let mut server = Server { kind, closed: false, clamp: 3, fault, table: plain_table(), calls: 0 };
    let (end, ..) = read(&kind.feed(false, 17), &mut server, &[]);
    assert_eq!(end, Step::Suspect(Doubt::RowsAfterEmptyPage));
}

#[test]
fn a_clamped_page_size_is_noted() {
    let kind = Kind::OffsetTotal;
    let mut server =
        Server { kind, closed: false, clamp: 5, fault: Fault::None, table: plain_table(), calls: 0 };
    let (end, _, progress) = read(&kind.feed(false, 10), &mut server, &[]);
    assert_eq!((end, progress.counts.clamped_to), (Step::Done, 5));
    assert_eq!(progress.counts.pages, 4);
}

#[test]
fn a_refused_cursor_begins_the_window_anew_and_hands_nothing_on_twice() {
    let kind = Kind::CursorTotal;
    let feed = kind.feed(false, 5);
    let pages = PageReader::new(&feed);
    let mut server =
        Server { kind, closed: false, clamp: 5, fault: Fault::None, table: plain_table(), calls: 0 };
    let mut reading = Reading::new(&feed, window(), None, Progress::default());
    let mut handed = Vec::new();
    for refusals in 0..=MOST_RESTARTS {
        let ask = reading.ask().unwrap();
        let answer = server.answer(&ask);
        let taken = reading.take(&ask.url, pages.read(&answer).unwrap());
        handed.extend(taken.rows.iter().map(|row| row.id.clone().into_owned()));
        assert_eq!(taken.step, Step::Next);
        let step = reading.cursor_refused();
        let expected =
            if refusals < MOST_RESTARTS { Step::Next } else { Step::Suspect(Doubt::CursorRefused) };
        assert_eq!(step, expected);
        assert_eq!(reading.has_cursor(), refusals == MOST_RESTARTS);
    }
    assert_eq!(handed.len(), 5);
}

#[test]
fn a_feed_without_a_time_filter_is_read_until_its_order_leaves_the_window() {
    for (order, reversed, broken) in [("asc", false, false), ("desc", true, false), ("asc", false, true)] {
        let text = crate::feed::EXAMPLE.replace("  start_param: since\n  end_param: until\n", "");
        let text = text.replace("  range_end: open\n", "").replace(
            "  step: 1h\n  lookback_window: 5m\n",
            &format!("  is_client_side_incremental: true\n  row_order: {order}\n"),
        );
        let text = text
            .replace("datetime_format: rfc3339", "datetime_format: epoch_ms")
            .replace("data_selector: plays", "data_selector: rows");
        let text = text
            .replace("cursor_path: meta.next", "cursor_path: next")
            .replace("meta.has_more", "more")
            .replace("meta.total", "total");
        let feed = Feed::parse(&text).unwrap_or_else(|found| panic!("{found:?}"));
        let mut table = plain_table();
        if reversed {
            table.reverse();
        }
        if broken {
            table.swap(20, 45);
        }
        let kind = Kind::CursorTotal;
        let mut server =
            Server { kind, closed: false, clamp: 5, fault: Fault::IgnoresFilter, table, calls: 0 };
        let (end, handed, progress) = read(&feed, &mut server, &[]);
        if broken {
            assert_eq!(end, Step::Suspect(Doubt::RowOrderBroken));
        } else {
            assert_eq!(
                (end, handed.into_iter().collect::<BTreeSet<_>>()),
                (Step::Done, truth(&server.table))
            );
            assert!(progress.counts.rows < 50, "what lies beyond is not read");
        }
    }
}
