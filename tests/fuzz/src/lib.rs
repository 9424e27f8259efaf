//! What Septet reads from others, fed with anything.
//!
//! Each function takes bytes as a party that is broken or hostile could send them, and panics if what Septet promises
//! does not hold for them. `make fuzz` searches for such bytes; `corpus/` keeps what it found worth trying, and
//! `make test` tries all of it again.

use std::hint::black_box;
use std::sync::{Arc, LazyLock};

use septet_checks::{Checker, Earlier, History, Item, Profile, read_page};
use septet_contract::Contract;
use septet_recovery::{Answer, Feed, PageReader, RangeRequest, meaning};
use septet_registry::Message;
use serde::de::IgnoredAny;

static CHECKER: LazyLock<Checker> = LazyLock::new(|| {
    Checker::new(
        &Contract::parse(include_str!("../rich.odcs.yaml")).unwrap_or_else(|found| panic!("{found:?}")),
    )
});

/// Limits alone, of a contract that tells no values apart: most items are checked while they are read.
static LIMITS: LazyLock<Checker> = LazyLock::new(|| {
    let counts = |line: &&str| !line.contains("duplicateValues") && line.trim() != "unique: true";
    let text: Vec<_> = include_str!("../rich.odcs.yaml").lines().filter(counts).collect();
    Checker::of_limits(&Contract::parse(&text.join("\n")).unwrap_or_else(|found| panic!("{found:?}")))
});

static FEED: LazyLock<Feed> = LazyLock::new(|| {
    Feed::parse(include_str!("../../../feeds/plays.yaml")).unwrap_or_else(|found| panic!("{found:?}"))
});

/// The body of an answer to `Scan`.
///
/// What is taken is JSON; it gives the profile that its items give one by one, in any split, and what is kept of it is
/// read back as it was.
pub fn scan_page(body: &[u8]) {
    let mut whole = CHECKER.profile();
    let mut items: Vec<Item> = Vec::new();
    let read = read_page(body, |item| items.push(item));
    let observed = CHECKER.observe_page(&mut whole, body);
    assert_eq!(read, observed);
    let Ok(end) = observed else { return };
    assert!(serde_json::from_slice::<IgnoredAny>(body).is_ok(), "it is no JSON");
    assert_eq!((end.items, whole.items()), (items.len() as u64, items.len() as u64));
    let (left, right) = items.split_at(items.len() / 2);
    let (mut left, right) = (seen(left), seen(right));
    assert_eq!(text(&seen(&items)), text(&whole));
    let (mut limits, mut one_by_one) = (LIMITS.profile(), LIMITS.profile());
    assert_eq!(LIMITS.observe_page(&mut limits, body).as_ref(), Ok(&end));
    items.iter().for_each(|item| LIMITS.observe(&mut one_by_one, item));
    assert_eq!(text(&limits), text(&one_by_one));
    left.merge(right);
    assert_eq!((left.digest(), left.bytes()), (whole.digest(), whole.bytes()));
    let kept = serde_json::from_str::<Profile>(&text(&whole));
    assert_eq!(kept.map(|kept| text(&kept)).ok(), Some(text(&whole)));
    judged(&left, whole);
}

/// The profile that is kept of a version.
pub fn profile(kept: &[u8]) {
    let Ok(kept) = serde_json::from_slice::<Profile>(kept) else { return };
    let mut merged = CHECKER.profile();
    merged.merge(kept.clone());
    black_box(kept.statistics());
    black_box(kept.clone().within(10_000));
    judged(&merged, kept);
}

/// A contract or a feed.
///
/// What is taken is also taken as it is kept, and is the same.
pub fn document(document: &[u8]) {
    let Ok(document) = std::str::from_utf8(document) else { return };
    if let Ok(contract) = Contract::parse(document) {
        let kept = Contract::parse(contract.to_json()).unwrap_or_else(|found| panic!("{found:?}"));
        assert_eq!(kept.digest(), contract.digest());
        black_box((contract.unenforced(), Checker::new(&contract).profile()));
    }
    if let Ok(feed) = Feed::parse(document) {
        let kept = Feed::parse(feed.to_json()).unwrap_or_else(|found| panic!("{found:?}"));
        assert_eq!(kept.digest(), feed.digest());
        black_box(PageReader::new(&feed));
    }
}

/// A message on a queue of Septet's.
///
/// What is taken is written as what is read back the same.
pub fn message(body: &[u8]) {
    if let Ok(body) = serde_json::from_slice(body)
        && let Ok(message) = Message::from_json(body)
    {
        assert_eq!(Message::from_json(message.to_json()).ok(), Some(message));
    }
    let Ok(body) = std::str::from_utf8(body) else { return };
    if let Ok(range) = RangeRequest::parse(body) {
        assert!(range.from < range.to);
        black_box(range.run());
    }
    let read = septet_recovery::Message::read(body);
    if let septet_recovery::Message::Record(letter) = &read {
        let written = letter.to_message();
        assert!(!written.contains(['\u{fffe}', '\u{ffff}']), "no queue takes it");
        assert_eq!(septet_recovery::Message::read(&written), read);
    }
}

/// A third party's page: its first line is a header, the rest its body.
///
/// Rows that are taken are slices of it that are JSON.
pub fn answer(page: &[u8]) {
    let mut parts = page.splitn(2, |byte| *byte == b'\n');
    let header = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let body = parts.next().unwrap_or_default().to_vec();
    let (name, value) = header.split_once(':').unwrap_or(("link", &header));
    let headers = vec![(name.trim().to_lowercase(), value.trim().to_owned())];
    let answer = Answer { status: 200, headers, body };
    black_box(meaning(&FEED, &answer, true, jiff::Timestamp::UNIX_EPOCH));
    let Ok(page) = PageReader::new(&FEED).read(&answer) else { return };
    for row in page.rows {
        assert!(serde_json::from_str::<IgnoredAny>(row.raw).is_ok(), "a row is no JSON: {}", row.raw);
    }
}

fn seen(items: &[Item]) -> Profile {
    let mut profile = CHECKER.profile();
    items.iter().for_each(|item| CHECKER.observe(&mut profile, item));
    profile
}

fn text(profile: &Profile) -> String {
    serde_json::to_string(profile).unwrap_or_else(|error| panic!("a profile cannot be written: {error}"))
}

/// Judges one against the other, which is to say something whatever the two are.
fn judged(now: &Profile, before: Profile) {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let before = Earlier { name: "version 1".into(), at, profile: Some(Arc::new(before)) };
    let history = History { live: Some(before.clone()), earlier: vec![before], ..History::alone(at) };
    let report = CHECKER.evaluate(now, &history);
    assert!(!report.results.is_empty());
    assert!(serde_json::to_string(&report.results).is_ok());
}
