//! Whether what a run brought is what the source has: by set, window by window, never by count alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::answer::Answer;
use crate::feed::{Evidence, Feed, Selector};
use crate::grid::Window;
use crate::ledger::WindowItem;
use crate::page::PageReader;
use crate::progress::SetDigest;

/// What holding a window against another reading of it came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The same records.
    Same,
    /// Other records.
    Differs {
        /// What the run found.
        found: SetDigest,
        /// What there is.
        is: SetDigest,
    },
    /// Nobody can tell.
    Unknown {
        /// Why.
        why: String,
    },
}

/// A window that was held against another reading of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// The first moment.
    pub from: Timestamp,
    /// The moment after the last.
    pub to: Timestamp,
    /// What it came to.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Holds the windows of a run against those of another that read the same.
///
/// A window that is not done in the first says nothing that could be held against anything, and is left out.
pub fn compare(windows: &[WindowItem], again: &[WindowItem]) -> Vec<Compared> {
    let again: BTreeMap<Timestamp, &WindowItem> = again.iter().map(|window| (window.from, window)).collect();
    let done = windows.iter().filter(|window| window.state.is_done());
    done.map(|window| {
        let other = again.get(&window.from).filter(|other| other.to == window.to);
        let verdict = match other {
            None => Verdict::Unknown { why: "it was not read again".into() },
            Some(other) if !other.state.is_done() => {
                let doubt = other.doubt.as_ref().map(ToString::to_string);
                let why = doubt.or_else(|| other.failure.as_ref().map(ToString::to_string));
                Verdict::Unknown { why: why.unwrap_or_else(|| "its second reading is not over".into()) }
            }
            Some(other) => verdict(window.progress.found, other.progress.found),
        };
        Compared { from: window.from, to: window.to, verdict }
    })
    .collect()
}

fn verdict(found: SetDigest, is: SetDigest) -> Verdict {
    if found == is { Verdict::Same } else { Verdict::Differs { found, is } }
}

/// Counts the records of some other place, such as a consumer's table, by the windows of a run.
#[derive(Debug)]
pub struct Census {
    reader: PageReader,
    windows: BTreeMap<Timestamp, (Timestamp, SetDigest)>,
    /// Records that lie in no window.
    pub outside: u64,
    /// Records without id or event time.
    pub unreadable: u64,
}

impl Census {
    /// Of records as the feed has them.
    pub fn new(feed: &Feed, windows: impl IntoIterator<Item = Window>) -> Self {
        let mut plain = feed.clone();
        plain.records.data_selector = Selector::default();
        plain.evidence = Evidence::default();
        let windows = windows.into_iter().map(|window| (window.start, (window.end, SetDigest::default())));
        Self { reader: PageReader::new(&plain), windows: windows.collect(), outside: 0, unreadable: 0 }
    }

    /// Counts one record.
    pub fn add(&mut self, record: &serde_json::Value) {
        let body = format!("[{record}]").into_bytes();
        let answer = Answer { status: 200, body, ..Answer::default() };
        let page = self.reader.read(&answer).ok();
        let row = page.as_ref().and_then(|page| page.rows.first());
        let Some((row, time)) = row.and_then(|row| Some((row, row.time?))) else {
            self.unreadable += 1;
            return;
        };
        match self.windows.range_mut(..=time).next_back() {
            Some((_, (end, set))) if time < *end => set.add(row.hash),
            _ => self.outside += 1,
        }
    }

    /// Holds windows against what was counted.
    pub fn compare(&self, windows: &[WindowItem]) -> Vec<Compared> {
        let done = windows.iter().filter(|window| window.state.is_done());
        done.map(|window| {
            let counted = self.windows.get(&window.from).map(|(_, set)| *set).unwrap_or_default();
            let verdict = verdict(window.progress.found, counted);
            Compared { from: window.from, to: window.to, verdict }
        })
        .collect()
    }
}

/// The stretches of time that windows with other records make together.
pub fn stretches<'a>(compared: impl IntoIterator<Item = &'a Compared>) -> Vec<Window> {
    let mut stretches: Vec<Window> = Vec::new();
    for one in compared.into_iter().filter(|one| one.verdict != Verdict::Same) {
        match stretches.last_mut() {
            Some(last) if last.end == one.from => last.end = one.to,
            _ => stretches.push(Window { start: one.from, end: one.to }),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ledger::WindowState;
    use crate::progress::Progress;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn window(index: u32, state: WindowState, records: &[u128]) -> WindowItem {
        let mut progress = Progress::default();
        records.iter().for_each(|hash| progress.found.add(*hash));
        let from = i64::from(index) * 60;
        WindowItem {
            index,
            from: at(from),
            to: at(from + 60),
            state,
            generation: 1,
            fence: 1,
            lease: None,
            progress,
            doubt: None,
            failure: None,
            unsettled: false,
            updated_at: at(0),
        }
    }

    #[test]
    fn as_many_other_records_are_not_the_same() {
        use WindowState::*;
        let run = [
            window(0, Done, &[1, 2]),
            window(1, Done, &[3, 4]),
            window(2, Done, &[5]),
            window(3, Done, &[6]),
            window(4, Failed, &[]),
        ];
        let again = [window(0, Done, &[2, 1]), window(1, Done, &[3, 5]), window(2, Suspect, &[5])];
        let compared = compare(&run, &again);
        assert_eq!(compared.len(), 4, "what failed before is held against nothing");
        assert_eq!(compared[0].verdict, Verdict::Same);
        assert!(matches!(compared[1].verdict, Verdict::Differs { found, is } if found.count == is.count));
        assert!(matches!(compared[2].verdict, Verdict::Unknown { .. }));
        assert!(matches!(&compared[3].verdict, Verdict::Unknown { why } if why == "it was not read again"));
        assert_eq!(stretches(&compared), [Window { start: at(60), end: at(240) }]);
    }

    #[test]
    fn a_table_is_counted_by_the_ids_that_pages_give() {
        let text = include_str!("../../../feeds/plays.yaml")
            .replace("datetime_format: rfc3339", "datetime_format: epoch_s")
            .replace("cursor_granularity: 1ms", "cursor_granularity: 1s");
        let feed = Feed::parse(&text).unwrap();
        let page = json!({"plays": [
            {"id": 7, "played_at": 1_700_000_001}, {"id": 8, "played_at": 1_700_000_059},
        ], "meta": {"total": 2}});
        let answer = Answer { status: 200, body: page.to_string().into_bytes(), ..Answer::default() };
        let hashes: Vec<u128> =
            PageReader::new(&feed).read(&answer).unwrap().rows.iter().map(|row| row.hash).collect();
        let run = [window(0, WindowState::Done, &hashes), window(1, WindowState::Done, &[])];
        let mut census = Census::new(&feed, run.iter().map(|it| Window { start: it.from, end: it.to }));
        for record in [
            json!({"id": 8, "played_at": 1_700_000_059, "seen": true}),
            json!({"id": 9, "played_at": 1_700_000_120}),
            json!({"id": 10}),
        ] {
            census.add(&record);
        }
        assert_eq!((census.outside, census.unreadable), (1, 1));
        assert!(matches!(census.compare(&run)[0].verdict, Verdict::Differs { is, .. } if is.count == 1));
        census.add(&json!({"id": 7, "played_at": 1_700_000_001}));
        assert!(census.compare(&run).iter().all(|one| one.verdict == Verdict::Same));
    }
}
