//! One request, written out: what of it changes from page to page, and where.

use serde_json::Value;
use url::Url;

use crate::feed::{Feed, Method, NextUrl, Paginator, Path, Slot};
use crate::grid::Window;
use crate::progress::Next;
use crate::reason::Failure;
use crate::scan::plain;

/// A request without its credential.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Where to.
    pub url: Url,
    /// How.
    pub method: Method,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The JSON body, of a POST.
    pub body: Option<Value>,
}

impl Ask {
    /// Puts a value into its place.
    pub fn put(&mut self, slot: &Slot, value: Value) {
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match slot {
            Slot::RequestParameter(name) => {
                // A link may carry the parameter already.
                let others: Vec<(String, String)> =
                    self.url.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
                let mut query = self.url.query_pairs_mut();
                query.clear().extend_pairs(others).append_pair(name, &text);
            }
            Slot::Header(name) => {
                self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                self.headers.push((name.clone(), text));
            }
            Slot::BodyJson(path) => {
                let body = self.body.get_or_insert_with(|| Value::Object(serde_json::Map::new()));
                put_member(body, path, value);
            }
        }
    }
}

fn put_member(body: &mut Value, path: &Path, value: Value) {
    let mut at = body;
    for name in &path.0 {
        if !at.is_object() {
            *at = Value::Object(serde_json::Map::new());
        }
        let Value::Object(members) = at else { return };
        at = members.entry(name.clone()).or_insert(Value::Null);
    }
    *at = value;
}

/// Writes the request for the page at `next` of a window.
pub fn ask(feed: &Feed, window: Window, size: Option<u64>, next: &Next) -> Result<Ask, Failure> {
    let call = &feed.call;
    let mut ask =
        Ask { url: call.url.clone(), method: call.method, headers: call.headers.clone(), body: None };
    if let Next::Link(link) = next {
        // A link is the whole query: nothing of the first one is added to it.
        ask.url = Url::parse(link).map_err(|_| Failure::BadLink)?;
        ask.body = call.body.clone();
        return Ok(ask);
    }
    ask.body = call.body.clone();
    if !call.params.is_empty() {
        ask.url.query_pairs_mut().extend_pairs(&call.params);
    }
    let incremental = &feed.incremental;
    let (start, end) = window.printed(incremental).map_err(|_| Failure::Unaskable)?;
    let time = |slot: &Slot, text: String| match (slot, text.parse::<i64>()) {
        // A body says an epoch as the number it is.
        (Slot::BodyJson(_), Ok(number)) => Value::from(number),
        _ => Value::from(text),
    };
    if let Some(slot) = &incremental.start {
        ask.put(slot, time(slot, start));
    }
    if let Some(slot) = &incremental.end {
        ask.put(slot, time(slot, end));
    }
    if let (Some(slot), Some(size)) = (&feed.limit_param, size) {
        ask.put(slot, size.into());
    }
    match (&feed.paginator, next) {
        (Paginator::PageNumber { page, base_page, .. }, next) => {
            let number = if let Next::Page(number) = next { *number } else { *base_page };
            ask.put(page, number.into());
        }
        (Paginator::Offset { offset, .. }, next) => {
            ask.put(offset, if let Next::Offset(rows) = next { *rows } else { 0 }.into());
        }
        (
            Paginator::Cursor { cursor, .. }
            | Paginator::HeaderCursor { cursor, .. }
            | Paginator::Keyset { cursor, .. },
            Next::Token(token),
        ) => ask.put(cursor, serde_json::from_str(token).unwrap_or_else(|_| Value::from(token.as_str()))),
        _ => {}
    }
    Ok(ask)
}

/// The URL that a link leads to, if it stays where the credential may go.
pub(crate) fn follow(feed: &Feed, asked: &Url, raw: &str) -> Result<Url, Failure> {
    let target = plain(raw);
    let base = match &feed.paginator {
        Paginator::JsonLink { base: NextUrl::Base(base), .. } => base,
        _ => asked,
    };
    let mut url = base.join(target.trim()).map_err(|_| Failure::BadLink)?;
    url.set_fragment(None);
    let clean = url.username().is_empty() && url.password().is_none();
    if clean && url.origin() == feed.call.url.origin() { Ok(url) } else { Err(Failure::ForeignLink) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(changes: &[(&str, &str)]) -> Feed {
        let mut text = crate::feed::EXAMPLE.to_owned();
        for (part, by) in changes {
            assert!(text.contains(part), "{part}");
            text = text.replace(part, by);
        }
        Feed::parse(&text).unwrap()
    }

    const WINDOW: Window = Window {
        start: jiff::Timestamp::constant(1_794_960_000, 0),
        end: jiff::Timestamp::constant(1_794_963_600, 0),
    };

    #[test]
    fn a_page_is_asked_for_with_everything_in_its_place() {
        let feed = feed(&[("path: plays\n", "path: plays\nparams: {kind: 'a b'}\n")]);
        let first = ask(&feed, WINDOW, Some(500), &Next::Start).unwrap();
        assert_eq!(
            first.url.as_str(),
            "https://api.example.com/v1/plays?kind=a+b&since=2026-11-17T23%3A55%3A00Z&until=2026-11-18T01%3A00%3A00Z&limit=500"
        );
        assert_eq!(first.headers, [("accept".to_owned(), "application/json".to_owned())]);
        let next = ask(&feed, WINDOW, None, &Next::Token("{\"after\":7}".into())).unwrap();
        assert!(next.url.as_str().ends_with("00Z&cursor=%7B%22after%22%3A7%7D"), "{}", next.url);
    }

    #[test]
    fn a_body_carries_values_as_they_are() {
        let feed = feed(&[
            ("path: plays\n", "path: plays\nmethod: POST\nbody: {query: {all: true}, page: 3}\n"),
            ("start_param: since", "start_param: {inject_into: body_json, field_path: query.since}"),
            ("end_param: until", "end_param: {inject_into: header, field_name: X-Until}"),
            ("datetime_format: rfc3339", "datetime_format: epoch_ms\n  cursor_datetime_formats: rfc3339"),
            ("cursor_param: cursor", "cursor_body_path: page.after"),
        ]);
        let next = ask(&feed, WINDOW, Some(9), &Next::Token("{\"after\":7}".into())).unwrap();
        assert_eq!(
            next.body.unwrap(),
            serde_json::json!({"query": {"all": true, "since": 1_794_959_700_000_u64}, "page": {"after": {"after": 7}}})
        );
        assert_eq!(next.headers[1], ("X-Until".to_owned(), "1794963600000".to_owned()));
        assert_eq!(next.url.query(), Some("limit=9"));
    }

    #[test]
    fn a_link_is_the_whole_query_and_stays_at_home() {
        let feed = feed(&[(
            "type: cursor\n  cursor_path: meta.next\n  cursor_param: cursor\n  has_more_path: meta.has_more",
            "type: json_link\n  next_url_path: next",
        )]);
        let asked = Url::parse("https://api.example.com/v1/plays?since=x").unwrap();
        for (link, expected) in [
            ("\"https://api.example.com/v1/plays?page=2\"", "https://api.example.com/v1/plays?page=2"),
            ("\"/v1/plays?page=2#x\"", "https://api.example.com/v1/plays?page=2"),
            ("\"?page=2\"", "https://api.example.com/v1/plays?page=2"),
            ("\"plays2?page=2\"", "https://api.example.com/v1/plays2?page=2"),
            ("\"\\u003fpage=2\"", "https://api.example.com/v1/plays?page=2"),
        ] {
            let url = follow(&feed, &asked, link).unwrap();
            assert_eq!(url.as_str(), expected);
            assert_eq!(ask(&feed, WINDOW, Some(5), &Next::Link(url.into())).unwrap().url.as_str(), expected);
        }
        for link in [
            "\"https://api.example.com.evil.com/v1\"",
            "\"//evil.com/v1/plays\"",
            "\"http://api.example.com/v1/plays\"",
            "\"https://api.example.com:8443/v1/plays\"",
            "\"https://api.example.com@evil.com/\"",
            "\"https://me@api.example.com/\"",
            "\"file:///etc/passwd\"",
        ] {
            assert_eq!(follow(&feed, &asked, link), Err(Failure::ForeignLink), "{link}");
        }
        assert_eq!(follow(&feed, &asked, "\"https://[\""), Err(Failure::BadLink));
    }
}
