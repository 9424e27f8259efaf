//! A page of records, as slices of the answer.

use std::borrow::Cow;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::answer::Answer;
use crate::feed::{Feed, Incremental, Paginator, Path};
use crate::reason::{Doubt, Failure};
use crate::scan::{Listed, Picker, plain};

/// One record of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Row<'a> {
    /// The record as it was sent.
    pub raw: &'a str,
    /// What tells it from all others.
    pub id: Cow<'a, str>,
    /// The first half of the id's SHA-256.
    pub hash: u128,
    /// Its event time; none if it has none.
    pub time: Option<Timestamp>,
    /// JSON text of the field by which pages follow each other.
    pub key: Option<&'a str>,
}

/// What a page says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page<'a> {
    /// Its records.
    pub rows: Vec<Row<'a>>,
    /// How many rows there are in all.
    pub total: Option<u64>,
    /// How many pages there are in all.
    pub pages: Option<u64>,
    /// Whether there is more.
    pub has_more: Option<bool>,
    /// JSON text of the cursor, or the link, to the next page.
    pub next: Option<Cow<'a, str>>,
}

/// Why a page cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Unreadable {
    /// Asking again may help; if it does not, the window is suspect.
    Doubt(Doubt),
    /// The window fails.
    Failure(Failure),
}

/// Reads the pages of one feed.
#[derive(Debug)]
pub struct PageReader {
    incremental: Incremental,
    outer: Picker,
    total: Option<usize>,
    pages: Option<usize>,
    has_more: Option<usize>,
    next: Option<usize>,
    next_header: Option<String>,
    links: bool,
    total_header: Option<String>,
    inner: Option<(Picker, usize)>,
    record: Picker,
    id: Vec<usize>,
    time: usize,
    key: Option<usize>,
}

impl PageReader {
    /// Makes ready for a feed.
    pub fn new(feed: &Feed) -> Self {
        let mut outer = Picker::default();
        outer.list(&feed.records.data_selector.list);
        let mut slot = |path: &Option<Path>| path.as_ref().map(|path| outer.add(path));
        let (total, has_more) = (slot(&feed.evidence.total_path), slot(&feed.evidence.has_more_path));
        let (mut pages, mut next, mut next_header, mut links, mut field) = (None, None, None, false, None);
        match &feed.paginator {
            Paginator::PageNumber { total_path, .. } => pages = slot(total_path),
            Paginator::Cursor { cursor_path, .. } => next = slot(&Some(cursor_path.clone())),
            Paginator::HeaderCursor { cursor_key, .. } => next_header = Some(cursor_key.clone()),
            Paginator::HeaderLink => links = true,
            Paginator::JsonLink { next_url_path, .. } => next = slot(&Some(next_url_path.clone())),
            Paginator::Keyset { record_field, .. } => field = Some(record_field),
            Paginator::SinglePage | Paginator::Offset { .. } => {}
        }
        let selected = &feed.records.data_selector.inner;
        let inner = (!selected.0.is_empty()).then(|| {
            let mut picker = Picker::default();
            let slot = picker.add(selected);
            (picker, slot)
        });
        let mut record = Picker::default();
        let id = feed.records.primary_key.iter().map(|path| record.add(path)).collect();
        let time = record.add(&feed.incremental.cursor_path);
        let key = field.map(|path| record.add(path));
        let total_header = feed.evidence.total_header.clone();
        let incremental = feed.incremental.clone();
        Self {
            incremental,
            outer,
            total,
            pages,
            has_more,
            next,
            next_header,
            links,
            total_header,
            inner,
            record,
            id,
            time,
            key,
        }
    }

    /// Reads a page.
    pub fn read<'a>(&self, answer: &'a Answer) -> Result<Page<'a>, Unreadable> {
        let picked = self.outer.pick(&answer.body).map_err(|_| Unreadable::Doubt(Doubt::NotJson))?;
        let number = |slot: Option<usize>| picked.value(slot).and_then(|raw| plain(raw).parse::<u64>().ok());
        let has_more = picked.value(self.has_more).and_then(|raw| match plain(raw).as_ref() {
            "true" | "True" | "1" => Some(true),
            "false" | "False" | "0" => Some(false),
            _ => None,
        });
        let next = if self.links {
            let links = answer.headers.iter().filter(|(name, _)| name == "link");
            links.into_iter().find_map(|(_, value)| next_link(value)).map(Cow::Borrowed)
        } else if let Some(name) = &self.next_header {
            let token = answer.header(name).filter(|token| !token.is_empty());
            token.map(|token| Cow::Owned(serde_json::Value::from(token).to_string()))
        } else {
            picked.value(self.next).filter(|raw| !matches!(*raw, "\"\"" | "false")).map(Cow::Borrowed)
        };
        let total = number(self.total).or_else(|| {
            let text = answer.header(self.total_header.as_deref()?)?;
            text.trim().parse().ok()
        });
        let (pages, next) = (number(self.pages), next);
        let Listed::Elements(elements) = picked.list else {
            return Err(Unreadable::Doubt(Doubt::RecordsMissing));
        };
        let mut rows = Vec::with_capacity(elements.len());
        for element in elements {
            rows.push(self.row(element)?);
        }
        Ok(Page { rows, total, pages, has_more, next })
    }

    fn row<'a>(&self, element: &'a str) -> Result<Row<'a>, Unreadable> {
        let raw = match &self.inner {
            None => element,
            Some((picker, slot)) => {
                let picked =
                    picker.pick(element.as_bytes()).map_err(|_| Unreadable::Doubt(Doubt::NotJson))?;
                picked.value(Some(*slot)).ok_or(Unreadable::Doubt(Doubt::RecordsMissing))?
            }
        };
        let picked = self.record.pick(raw.as_bytes()).map_err(|_| Unreadable::Doubt(Doubt::NotJson))?;
        let mut id: Cow<'a, str> = Cow::Borrowed("");
        for (index, slot) in self.id.iter().enumerate() {
            let part = picked.value(Some(*slot)).ok_or(Unreadable::Failure(Failure::PrimaryKeyMissing))?;
            // Of several parts each is written as JSON, so that no two keys make one text.
            match (self.id.len(), index) {
                (1, _) => id = plain(part),
                (_, 0) => id = Cow::Owned(part.to_owned()),
                _ => {
                    id.to_mut().push(',');
                    id.to_mut().push_str(part);
                }
            }
        }
        let time = match picked.value(Some(self.time)) {
            None => None,
            Some(text) => {
                let unreadable = || Failure::CursorValueUnreadable { id: id.clone().into_owned() };
                let time = self.incremental.event_time(&plain(text));
                Some(time.ok_or_else(|| Unreadable::Failure(unreadable()))?)
            }
        };
        let key = picked.value(self.key);
        Ok(Row { raw, hash: hash(&id), id, time, key })
    }
}

/// The first half of a text's SHA-256.
pub(crate) fn hash(text: &str) -> u128 {
    let mut half = [0; 16];
    half.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
    u128::from_be_bytes(half)
}

/// The target whose relation is `next`, of a header `Link` (RFC 8288).
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some(start) = rest.find('<') {
        let after = &rest[start + 1..];
        let end = after.find('>')?;
        let (target, mut parameters) = (&after[..end], &after[end + 1..]);
        let mut next = false;
        // Parameters last until a comma that stands in no quotes.
        loop {
            parameters = parameters.trim_start();
            let Some(parameter) = parameters.strip_prefix(';') else { break };
            let parameter = parameter.trim_start();
            let name_end = parameter.find(['=', ';', ',']).unwrap_or(parameter.len());
            let (name, tail) = parameter.split_at(name_end);
            let Some(value) = tail.strip_prefix('=') else {
                parameters = tail;
                continue;
            };
            let (value, tail) = match value.strip_prefix('"') {
                Some(quoted) => {
                    let end = quoted.find('"').unwrap_or(quoted.len());
                    (&quoted[..end], quoted.get(end + 1..).unwrap_or_default())
                }
                None => value.split_at(value.find([';', ',']).unwrap_or(value.len())),
            };
            let relations =
                |value: &str| value.split_ascii_whitespace().any(|it| it.eq_ignore_ascii_case("next"));
            next |= name.trim().eq_ignore_ascii_case("rel") && relations(value);
            parameters = tail;
        }
        if next {
            return Some(target);
        }
        rest = parameters;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_is_found_among_others() {
        for (header, expected) in [
            ("<https://a/?page=2>; rel=\"next\"", Some("https://a/?page=2")),
            (
                "<https://a/?page=1>; rel=\"first\", <https://a/?page=3>; rel=\"next\"",
                Some("https://a/?page=3"),
            ),
            ("</p?a=1,2&b=\"x\">; title=\"a, <b>; rel=next\"; rel=next", Some("/p?a=1,2&b=\"x\"")),
            ("<x>; rel=\"prev next\"", Some("x")),
            ("<x>;REL=NEXT", Some("x")),
            ("<x>; crossorigin; rel=next", Some("x")),
            ("<x>; rel=\"nextish\"", None),
            ("<x>; rev=next", None),
            ("<x", None),
            ("", None),
        ] {
            assert_eq!(next_link(header), expected, "{header}");
        }
    }

    fn read(feed: &Feed, headers: &[(&str, &str)], body: &str) -> Result<String, Unreadable> {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let answer = Answer { status: 200, headers, body: body.into() };
        PageReader::new(feed).read(&answer).map(|page| {
            let rows: Vec<_> =
                page.rows.iter().map(|row| format!("{}@{:?}={}", row.id, row.time, row.raw)).collect();
            format!("{} total {:?} more {:?} next {:?}", rows.join(" "), page.total, page.has_more, page.next)
        })
    }

    #[test]
    fn records_are_handed_on_as_they_came() {
        let feed = Feed::parse(crate::feed::EXAMPLE).unwrap();
        let body = r#"{"meta":{"total":2,"has_more":"false","next":{"after": 7}},"plays":[{"id":7,"played_at":"2026-11-21T01:00:00+01:00", "n":1.0},{"id":"a\u0062"}]}"#;
        assert_eq!(
            read(&feed, &[], body).unwrap(),
            "7@Some(2026-11-21T00:00:00Z)={\"id\":7,\"played_at\":\"2026-11-21T01:00:00+01:00\", \"n\":1.0} \
             ab@None={\"id\":\"a\\u0062\"} total Some(2) more Some(false) next Some(\"{\\\"after\\\": 7}\")"
        );
    }

    #[test]
    fn a_key_of_several_parts_is_unambiguous() {
        let text = crate::feed::EXAMPLE.replace("primary_key: id", "primary_key: [a, b]");
        let feed = Feed::parse(&text).unwrap();
        let one = read(&feed, &[], r#"{"plays":[{"a":"x","b":"y,z"}]}"#).unwrap();
        let two = read(&feed, &[], r#"{"plays":[{"a":"x,y","b":"z"}]}"#).unwrap();
        assert!(one.starts_with("\"x\",\"y,z\"@") && two.starts_with("\"x,y\",\"z\"@"), "{one} {two}");
    }

    #[test]
    fn a_record_within_its_element_is_selected() {
        let text =
            crate::feed::EXAMPLE.replace("data_selector: plays", "data_selector: hits.hits[*]._source");
        let feed = Feed::parse(&text).unwrap();
        let found = read(&feed, &[], r#"{"hits":{"hits":[{"_id":9,"_source":{"id":1, "x":[]}}]}}"#).unwrap();
        assert!(found.starts_with("1@None={\"id\":1, \"x\":[]}"), "{found}");
    }

    #[test]
    fn what_is_no_page_is_named() {
        let feed = Feed::parse(crate::feed::EXAMPLE).unwrap();
        for (body, expected) in [
            ("<html>busy</html>", Unreadable::Doubt(Doubt::NotJson)),
            ("", Unreadable::Doubt(Doubt::NotJson)),
            (r#"{"plays":[{"id":1}"#, Unreadable::Doubt(Doubt::NotJson)),
            (r#"{"message":"busy"}"#, Unreadable::Doubt(Doubt::RecordsMissing)),
            (r#"{"plays":null}"#, Unreadable::Doubt(Doubt::RecordsMissing)),
            (r#"{"plays":{"id":1}}"#, Unreadable::Doubt(Doubt::RecordsMissing)),
            (r#"{"plays":[{"x":1}]}"#, Unreadable::Failure(Failure::PrimaryKeyMissing)),
            (r#"{"plays":[7]}"#, Unreadable::Failure(Failure::PrimaryKeyMissing)),
            (
                r#"{"plays":[{"id":1,"played_at":"2026-11-21 10:00"}]}"#,
                Unreadable::Failure(Failure::CursorValueUnreadable { id: "1".into() }),
            ),
        ] {
            assert_eq!(read(&feed, &[], body), Err(expected), "{body}");
        }
    }

    #[test]
    fn totals_and_cursors_may_lie_in_headers() {
        let text = crate::feed::EXAMPLE
            .replace("total_path: meta.total", "total_header: X-Total-Count")
            .replace("type: cursor\n  cursor_path: meta.next", "type: header_cursor\n  cursor_key: X-Next")
            .replace("  has_more_path: meta.has_more\n", "");
        let feed = Feed::parse(&text).unwrap();
        let found = read(&feed, &[("x-total-count", "9"), ("x-next", "t")], r#"{"plays":[]}"#).unwrap();
        assert_eq!(found, " total Some(9) more None next Some(\"\\\"t\\\"\")");
    }
}
