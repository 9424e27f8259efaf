//! The reading of one window: from a page to the next, to the end, or to a doubt.
//!
//! Nothing here asks, waits or injects: a [`Reading`] says what to ask for, is shown the page, and says which of
//! its rows are to be injected and how to go on. It ends well only where the source itself shows that everything
//! was read; an empty or a short page alone shows nothing.

use std::collections::HashSet;

use url::Url;

use crate::ask::{Ask, ask, follow};
use crate::feed::{Evidence, Feed, Missing, Paginator, RangeEnd, RowOrder};
use crate::grid::Window;
use crate::page::{Page, Row};
use crate::progress::{Next, Progress};
use crate::reason::{Doubt, Failure};
use crate::scan::plain;

/// Empty pages, one after the other, of which more are said to come.
const MOST_EMPTY: u32 = 100;
/// Times that a refused cursor begins the window anew.
const MOST_RESTARTS: u32 = 3;
/// Rows that a checkpoint remembers of a page.
const REMEMBERED: usize = 16;

/// How a reading goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// With the next page.
    Next,
    /// It is complete.
    Done,
    /// It is over, and not to be believed.
    Suspect(Doubt),
    /// It is over.
    Failed(Failure),
}

/// What became of a page.
#[derive(Debug)]
pub struct Taken<'a> {
    /// Rows that belong to the window and were not handed on before.
    pub rows: Vec<Row<'a>>,
    /// How to go on once they are injected.
    pub step: Step,
}

/// The reading of one window.
#[derive(Debug)]
pub struct Reading<'f> {
    feed: &'f Feed,
    window: Window,
    size: Option<u64>,
    progress: Progress,
    seen: HashSet<u64>,
    handed_on: HashSet<u64>,
    tokens: HashSet<u64>,
}

/// Where a paginator is told to go on, before doubts are weighed.
enum Way {
    Next(Next),
    /// The source shows that this is the end.
    End,
    /// Nothing but an empty page shows it.
    WeakEnd,
    Stop(Doubt),
    Fail(Failure),
}

impl<'f> Reading<'f> {
    /// Goes on from a checkpoint, or begins with an empty one.
    pub fn new(feed: &'f Feed, window: Window, size: Option<u64>, progress: Progress) -> Self {
        let empty = HashSet::new;
        Self { feed, window, size, progress, seen: empty(), handed_on: empty(), tokens: empty() }
    }

    /// How far it got.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Counts what the sink did with the rows of the last page.
    pub fn injected(&mut self, injected: u64, poison: u64) {
        self.progress.counts.injected += injected;
        self.progress.counts.poison += poison;
    }

    /// What to ask for now.
    pub fn ask(&self) -> Result<Ask, Failure> {
        ask(self.feed, self.window, self.asked_size(), &self.progress.next)
    }

    /// Whether the request goes on from a page before.
    pub fn has_cursor(&self) -> bool {
        self.progress.next != Next::Start
    }

    fn asked_size(&self) -> Option<u64> {
        self.size.or(self.feed.limit)
    }

    /// The cursor was refused: from the first page on.
    pub fn cursor_refused(&mut self) -> Step {
        self.progress.restarts += 1;
        if self.progress.restarts > MOST_RESTARTS {
            return Step::Suspect(Doubt::CursorRefused);
        }
        self.begin_again();
        Step::Next
    }

    fn begin_again(&mut self) {
        self.progress = self.progress.again();
        self.seen.clear();
        self.tokens.clear();
    }

    /// The page asked for lies past the end.
    pub fn past_end(&mut self) -> Step {
        self.progress.counts.pages += 1;
        if self.progress.pages == 0 {
            return Step::Suspect(Doubt::EndStatusOnFirstPage);
        }
        self.conclude(Way::End)
    }

    /// Takes a page in.
    pub fn take<'a>(&mut self, asked: &Url, page: Page<'a>) -> Taken<'a> {
        let overlap = self.overlap(&page);
        let fresh = self.remember(&page, overlap);
        if let Err(stop) = &fresh {
            let step = self.conclude(Way::Stop(stop.clone()));
            return Taken { rows: Vec::new(), step };
        }
        let fresh = fresh.unwrap_or_default();
        let way = self.way(asked, &page, fresh.len() as u64);
        let early = self.past_the_window(&page);
        let rows = match self.sieve(page, &fresh) {
            Ok(rows) => rows,
            Err(failure) => return Taken { rows: Vec::new(), step: Step::Failed(failure) },
        };
        let step = match (way, early) {
            // What lies beyond the window is nobody's concern, a total of it neither.
            (Way::Next(_) | Way::End | Way::WeakEnd, true) => self.settle(),
            (way, _) => self.conclude(way),
        };
        Taken { rows, step }
    }

    fn doubt(&mut self, doubt: Doubt) {
        self.progress.doubt.get_or_insert(doubt);
    }

    /// How many of the first rows are those that the last page ended with: what an inclusive keyset repeats.
    fn overlap(&self, page: &Page<'_>) -> usize {
        if !matches!(self.feed.paginator, Paginator::Keyset { .. }) || self.progress.ties.is_empty() {
            return 0;
        }
        let ties: HashSet<u64> = self.progress.ties.iter().copied().collect();
        page.rows.iter().take_while(|row| ties.contains(&(row.hash as u64))).count()
    }

    /// Indexes of rows that this reading has not seen; what it has seen is a doubt.
    fn remember(&mut self, page: &Page<'_>, overlap: usize) -> Result<Vec<usize>, Doubt> {
        let progress = &mut self.progress;
        progress.counts.pages += 1;
        progress.counts.rows += page.rows.len() as u64;
        let hashes = page.rows.iter().map(|row| row.hash as u64);
        let (first, last): (HashSet<u64>, HashSet<u64>) =
            (progress.first.iter().copied().collect(), progress.last.iter().copied().collect());
        let (mut fresh, mut repeated, mut restarted) = (Vec::with_capacity(page.rows.len()), None, 0);
        for (index, hash) in hashes.clone().enumerate().skip(overlap) {
            if first.contains(&hash) {
                restarted += 1;
            }
            let new = self.seen.insert(hash);
            if new && !first.contains(&hash) && !last.contains(&hash) {
                fresh.push(index);
            } else {
                repeated = repeated.or(page.rows.get(index));
            }
        }
        let rows = page.rows.len() - overlap;
        if rows > 0 && fresh.is_empty() {
            return Err(if progress.pages > 1 && restarted * 2 > first.len() {
                Doubt::CursorRestarted
            } else {
                Doubt::RepeatedPage
            });
        }
        if let Some(row) = repeated {
            let id = row.id.clone().into_owned();
            progress.doubt.get_or_insert(Doubt::RepeatedRecord { id });
        }
        let sample: Vec<u64> = sample(&page.rows);
        if progress.first.is_empty() {
            progress.first.clone_from(&sample);
        }
        if !sample.is_empty() {
            progress.last = sample;
        }
        progress.pages += 1;
        progress.rows += fresh.len() as u64;
        match (progress.total, page.total) {
            (Some(from), Some(to)) if from != to => {
                progress.doubt.get_or_insert(Doubt::TotalChanged { from, to });
            }
            (_, total) => progress.total = total.or(progress.total),
        }
        let length = page.rows.len() as u64;
        if length > 0 {
            // Only the last page that has rows may be shorter than another.
            progress.ragged |= progress.short;
            if progress.empties > 0 && !self.feed.shows_its_end() {
                progress.doubt.get_or_insert(Doubt::RowsAfterEmptyPage);
            }
            progress.short = length < progress.largest;
            if length > progress.largest {
                progress.ragged |= progress.largest > 0;
                progress.largest = length;
            }
            progress.empties = 0;
        } else {
            progress.empties += 1;
        }
        Ok(fresh)
    }

    /// Rows of the window that were not handed on before.
    fn sieve<'a>(&mut self, page: Page<'a>, fresh: &[usize]) -> Result<Vec<Row<'a>>, Failure> {
        let incremental = &self.feed.incremental;
        let exact = incremental.range_end == RangeEnd::Closed && !incremental.is_client_side_incremental;
        let unit = incremental.cursor_granularity.as_nanos();
        let mut rows = Vec::with_capacity(fresh.len());
        let mut wanted = fresh.iter().copied().peekable();
        for (index, row) in page.rows.into_iter().enumerate() {
            if wanted.next_if_eq(&index).is_none() {
                continue;
            }
            match row.time {
                None => match incremental.on_cursor_value_missing {
                    Missing::Raise => return Err(Failure::CursorValueMissing { id: row.id.into_owned() }),
                    Missing::Exclude => {
                        self.progress.counts.timeless += 1;
                        continue;
                    }
                    Missing::Include => {}
                },
                Some(time) => {
                    if exact && time.as_nanosecond().rem_euclid(unit) != 0 {
                        let id = row.id.clone().into_owned();
                        self.progress.doubt.get_or_insert(Doubt::FinerThanGranularity { id });
                    }
                    if !self.window.contains(time) {
                        self.progress.counts.outside += 1;
                        continue;
                    }
                }
            }
            self.progress.found.add(row.hash);
            // The second reading only looks.
            if self.progress.before.is_none() && self.handed_on.insert(row.hash as u64) {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// Whether rows come in an order of time and all that follow lie beyond the window.
    fn past_the_window(&mut self, page: &Page<'_>) -> bool {
        let incremental = &self.feed.incremental;
        let Some(order) = incremental.row_order.filter(|_| incremental.is_client_side_incremental) else {
            return false;
        };
        let mut latest = self.progress.latest;
        let mut broken = false;
        for time in page.rows.iter().filter_map(|row| row.time) {
            broken |= latest.is_some_and(|latest| match order {
                RowOrder::Asc => time < latest,
                RowOrder::Desc => time > latest,
            });
            latest = Some(time);
        }
        self.progress.latest = latest;
        if broken {
            self.doubt(Doubt::RowOrderBroken);
        }
        latest.is_some_and(|latest| match order {
            RowOrder::Asc => latest >= self.window.end,
            RowOrder::Desc => latest < self.window.start,
        })
    }

    fn way(&mut self, asked: &Url, page: &Page<'_>, fresh: u64) -> Way {
        let (rows, more) = (page.rows.len() as u64, page.has_more);
        let Evidence { has_more_path, .. } = &self.feed.evidence;
        if has_more_path.is_some() && more.is_none() {
            return Way::Stop(Doubt::HasMoreMissing);
        }
        let total = page.total.or(self.progress.total);
        let all_read = total.is_some_and(|total| self.progress.rows >= total);
        match &self.feed.paginator {
            Paginator::SinglePage if more == Some(true) => Way::Stop(Doubt::MoreWithoutNext),
            Paginator::SinglePage => Way::End,
            Paginator::Cursor { .. } | Paginator::HeaderCursor { .. } => match (&page.next, more) {
                (_, Some(false)) => Way::End,
                (None, Some(true)) => Way::Stop(Doubt::MoreWithoutNext),
                (None, None) => Way::End,
                (Some(token), _) => self.on_to(Next::Token(token.clone().into_owned())),
            },
            Paginator::HeaderLink | Paginator::JsonLink { .. } => match &page.next {
                None => Way::End,
                Some(link) => match follow(self.feed, asked, link) {
                    Ok(url) => self.on_to(Next::Link(url.into())),
                    Err(failure) => Way::Fail(failure),
                },
            },
            Paginator::PageNumber { base_page, maximum_page, end_status, .. } => {
                let number = if let Next::Page(number) = self.progress.next { number } else { *base_page };
                let read = (number + 1).saturating_sub(*base_page);
                let is_last = match (more, page.pages) {
                    (Some(more), _) => Some(!more),
                    (None, Some(pages)) => Some(read >= pages),
                    (None, None) => total.map(|_| all_read),
                };
                match is_last {
                    Some(true) => return Way::End,
                    None if end_status.is_none() && self.progress.empties > 1 => return Way::WeakEnd,
                    _ => {}
                }
                if maximum_page.is_some_and(|maximum| number >= maximum) {
                    return Way::Stop(Doubt::MaximumPageReached);
                }
                self.unless_endless(Next::Page(number + 1))
            }
            Paginator::Offset { end_status, .. } => {
                let offset = if let Next::Offset(offset) = self.progress.next { offset } else { 0 };
                let next = Next::Offset(offset + rows);
                match (more, total) {
                    (Some(false), _) => Way::End,
                    (None, Some(_)) if all_read => Way::End,
                    (Some(true), _) | (None, Some(_)) if rows == 0 => Way::Stop(Doubt::EmptyPageButMore),
                    (Some(true), _) | (None, Some(_)) => Way::Next(next),
                    (None, None) if rows > 0 => Way::Next(next),
                    (None, None) if end_status.is_none() && self.progress.empties > 1 => Way::WeakEnd,
                    (None, None) => {
                        // As far as a page reaches, which may be less than was asked for.
                        let length = match self.progress.largest {
                            0 => self.asked_size().unwrap_or(1),
                            largest => largest,
                        };
                        self.unless_endless(Next::Offset(offset + length))
                    }
                }
            }
            Paginator::Keyset { .. } => self.keyset(page, fresh, all_read),
        }
    }

    /// On to a token or link, which must be a new one.
    fn on_to(&mut self, next: Next) -> Way {
        let (Next::Token(text) | Next::Link(text)) = &next else { return Way::Next(next) };
        if !self.tokens.insert(crate::page::hash(text) as u64) || next == self.progress.next {
            return Way::Stop(Doubt::RepeatedToken);
        }
        self.unless_endless(next)
    }

    fn unless_endless(&self, next: Next) -> Way {
        if self.progress.empties >= MOST_EMPTY {
            Way::Stop(Doubt::EmptyPagesWithoutEnd)
        } else {
            Way::Next(next)
        }
    }

    fn keyset(&mut self, page: &Page<'_>, fresh: u64, all_read: bool) -> Way {
        let unique = match (&self.feed.paginator, self.feed.records.primary_key.as_slice()) {
            (Paginator::Keyset { record_field, .. }, [only]) => only == record_field,
            _ => false,
        };
        let before = self.progress.edge.clone();
        // What is not its own record's alone may be shared by rows on both sides of a page's end: only a source
        // that repeats them shows that it leaves none out.
        let repeated = self.overlap_of_all_ties(page);
        if !unique && before.is_some() && !repeated {
            self.doubt(Doubt::KeysetTies);
        }
        let mut edge = before;
        for row in &page.rows {
            let Some(key) = row.key else { return Way::Stop(Doubt::KeysetFieldMissing) };
            if let Some(edge) = &edge {
                match (compare(edge, key), self.progress.rising) {
                    (None, _) => return Way::Stop(Doubt::KeysetUnsorted),
                    (Some(std::cmp::Ordering::Equal), _) => {}
                    (Some(order), None) => self.progress.rising = Some(order.is_lt()),
                    (Some(order), Some(rising)) if order.is_lt() != rising => {
                        return Way::Stop(Doubt::KeysetUnsorted);
                    }
                    _ => {}
                }
            }
            edge = Some(key.to_owned());
        }
        let ends_tied = edge.is_some() && page.rows.first().and_then(|row| row.key) == edge.as_deref();
        let Some(key) = edge.filter(|_| !page.rows.is_empty()) else {
            return match page.has_more {
                Some(false) => Way::End,
                _ if all_read => Way::End,
                Some(true) => Way::Stop(Doubt::EmptyPageButMore),
                None if self.progress.total.is_some() => Way::Stop(Doubt::EmptyPageButMore),
                None => Way::End,
            };
        };
        let same = page.rows.iter().rev().take_while(|row| row.key == Some(key.as_str()));
        self.progress.ties = same.map(|row| row.hash as u64).collect();
        self.progress.edge = Some(key.clone());
        match page.has_more {
            Some(false) => return Way::End,
            None if all_read => return Way::End,
            _ => {}
        }
        if fresh == 0 {
            // Nothing new after the rows that are repeated: the end, unless they fill the page.
            let full = ends_tied && page.rows.len() as u64 >= self.progress.largest.max(2);
            return match page.has_more {
                _ if full => Way::Stop(Doubt::KeysetTies),
                Some(true) => Way::Stop(Doubt::EmptyPageButMore),
                _ => Way::End,
            };
        }
        Way::Next(Next::Token(key))
    }

    fn overlap_of_all_ties(&self, page: &Page<'_>) -> bool {
        let ties: HashSet<u64> = self.progress.ties.iter().copied().collect();
        page.rows.iter().filter(|row| ties.contains(&(row.hash as u64))).count() == ties.len()
    }

    /// Goes on, or ends: an end that is not shown leaves a doubt.
    fn conclude(&mut self, way: Way) -> Step {
        match way {
            Way::Next(next) => {
                self.progress.next = next;
                return Step::Next;
            }
            Way::Stop(doubt) => {
                self.doubt(doubt);
                return self.weighed();
            }
            Way::Fail(failure) => return Step::Failed(failure),
            Way::WeakEnd if self.progress.ragged => self.doubt(Doubt::FilteredAfterPaging),
            Way::WeakEnd if self.progress.rows == 0 => self.doubt(Doubt::NothingFound),
            Way::WeakEnd => self.doubt(Doubt::EndNotShown),
            Way::End => {}
        }
        if let Some(size) = self.asked_size()
            && self.progress.pages > 1
            && self.progress.largest < size
            && self.progress.before.is_none()
        {
            self.progress.counts.clamped_to = self.progress.largest;
        }
        match self.progress.total {
            Some(total) if total != self.progress.rows => {
                self.doubt(Doubt::TotalMismatch { total, rows: self.progress.rows });
            }
            None if self.feed.evidence.counts_rows() => self.doubt(Doubt::TotalMissing),
            _ => {}
        }
        self.settle()
    }

    /// All was read that there is to read: believed now, or after a second reading.
    fn settle(&mut self) -> Step {
        // The source never knew where the page before ended, only what key: where it does not sort, rows that lie
        // behind a larger key are left out, however often they are asked for. Only a count of them shows it.
        let by_keys = matches!(self.feed.paginator, Paginator::Keyset { .. }) && self.progress.pages > 1;
        if by_keys && self.progress.total != Some(self.progress.rows) {
            self.doubt(Doubt::KeysetUncounted);
        }
        if self.progress.doubt.is_some() || !self.feed.is_read_twice() {
            return self.weighed();
        }
        match self.progress.before {
            None => {
                let found = self.progress.found;
                self.begin_again();
                self.progress.before = Some(found);
                Step::Next
            }
            Some(before) => {
                if before != self.progress.found {
                    self.doubt(Doubt::ChangedWhileReading);
                }
                self.weighed()
            }
        }
    }

    fn weighed(&self) -> Step {
        self.progress.doubt.clone().map_or(Step::Done, Step::Suspect)
    }
}

impl Feed {
    /// Whether anything but an empty page shows the end.
    fn shows_its_end(&self) -> bool {
        let end = match &self.paginator {
            Paginator::PageNumber { total_path, end_status, .. } => {
                total_path.is_some() || end_status.is_some()
            }
            Paginator::Offset { end_status, .. } => end_status.is_some(),
            _ => true,
        };
        end || self.evidence.has_more_path.is_some() || self.evidence.counts_rows()
    }

    /// Whether a window is read a second time, without injecting: rows that come and go while pages are read
    /// shift the others, which only a count of rows, or a second look, can show.
    pub fn is_read_twice(&self) -> bool {
        let unshifted = matches!(self.paginator, Paginator::SinglePage | Paginator::Keyset { .. });
        !unshifted && self.shows_its_end() && !self.evidence.counts_rows()
    }
}

/// Some rows of a page, spread over it.
fn sample(rows: &[Row<'_>]) -> Vec<u64> {
    let stride = rows.len().div_ceil(REMEMBERED).max(1);
    rows.iter().step_by(stride).chain(rows.last()).map(|row| row.hash as u64).collect()
}

/// Compares two JSON texts: numbers as numbers, texts by their bytes; others have no order.
fn compare(one: &str, two: &str) -> Option<std::cmp::Ordering> {
    match (one.starts_with('"'), two.starts_with('"')) {
        (true, true) => Some(plain(one).cmp(&plain(two))),
        (false, false) => {
            let number = |text| septet_contract::Number::parse(text).ok();
            Some(number(one)?.cmp(&number(two)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
