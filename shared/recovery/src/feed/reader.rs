//! From a document to the model.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::tz::{Offset, TimeZone};
use septet_contract::document::{Findings, Node, Value, canonical_json, choose};
use url::Url;

use super::model::*;
use crate::read::Members;
use crate::time::{Step, TimeFormat, parse_duration};

const STEP_HINT: &str = "write 1d for calendar days, or 24h, 15m, 30s for time that passes";
const DURATION_HINT: &str = "write a whole number and a unit, such as 15m, 30s, 500ms";
const PATH_HINT: &str = "write names with dots between them, such as meta.total";

pub(super) fn read(root: &Node, findings: &mut Findings) -> Option<Feed> {
    let mut members = Members::of(root, "", findings)?;
    let name = members.needed("feed", "name the feed, such as feed: plays", findings);
    let name = name.and_then(|text| match FeedName::parse(text) {
        Ok(name) => Some(name),
        Err(problem) => {
            let hint = "use 1 to 64 of a-z, 0-9, '-', '_' and '.', the first a letter or digit";
            members.error("feed", problem, hint, findings);
            None
        }
    });
    let call = call(&mut members, findings);
    let authentication = section(&mut members, "authentication", findings, authentication);
    let incremental = needed_section(&mut members, "incremental", findings, incremental);
    let paging = needed_section(&mut members, "paginator", findings, paginator);
    let records = needed_section(&mut members, "records", findings, records);
    let (budget, concurrency) = (section(&mut members, "api_budget", findings, budget), {
        members.whole("concurrency", 1..=100, findings).unwrap_or(4)
    });
    let response_actions = actions(&mut members, findings);
    let sink = needed_section(&mut members, "sink", findings, sink);
    let other_sinks = other_sinks(&mut members, findings);
    members.finish("a feed", findings);
    let (paginator, paged) = paging?;
    let (records, total) = records?;
    let Paged { limit_param, limit, mut evidence, total_path } = paged;
    evidence.total_path = total.0.or(total_path);
    evidence.total_header = total.1;
    Some(Feed {
        name: name?,
        call: call?,
        authentication: authentication.unwrap_or(Some(Authentication::None))?,
        incremental: incremental?,
        paginator,
        evidence,
        limit_param,
        limit,
        records,
        response_actions,
        budget: budget.unwrap_or(Some(Budget {
            calls_per_second: 5.0,
            reserve: 0.2,
            remaining_header: None,
            reset_header: None,
        }))?,
        concurrency: u32::try_from(concurrency).unwrap_or(4),
        sink: sink?,
        other_sinks,
        json: String::new(),
    })
}

/// An object that may be left out: none if it is, else what was read of it.
fn section<T>(
    members: &mut Members<'_>,
    key: &'static str,
    findings: &mut Findings,
    read: impl FnOnce(&mut Members<'_>, &mut Findings) -> Option<T>,
) -> Option<Option<T>> {
    let node = members.get(key)?;
    let Some(mut inner) = Members::of(node, &members.path(key), findings) else { return Some(None) };
    let value = read(&mut inner, findings);
    inner.finish(key, findings);
    Some(value)
}

fn needed_section<T>(
    members: &mut Members<'_>,
    key: &'static str,
    findings: &mut Findings,
    read: impl FnOnce(&mut Members<'_>, &mut Findings) -> Option<T>,
) -> Option<T> {
    let value = section(members, key, findings, read);
    if value.is_none() {
        members.error(key, format!("{key} is missing"), "compare with feeds/plays.yaml", findings);
    }
    value.flatten()
}

fn path(members: &mut Members<'_>, key: &'static str, findings: &mut Findings) -> Option<Path> {
    members.parsed(key, PATH_HINT, findings, Path::parse)
}

fn duration(members: &mut Members<'_>, key: &'static str, findings: &mut Findings) -> Option<SignedDuration> {
    members.parsed(key, DURATION_HINT, findings, parse_duration)
}

/// Where a value goes: the name of a request parameter, or an object that says the place.
fn slot(members: &mut Members<'_>, key: &'static str, findings: &mut Findings) -> Option<Slot> {
    let node = members.get(key)?;
    if let Some(name) = node.text().filter(|name| !name.is_empty()) {
        return Some(Slot::RequestParameter(name.to_owned()));
    }
    let mut inner = Members::of(node, &members.path(key), findings)?;
    let slot = place(&mut inner, findings);
    inner.finish(key, findings);
    slot
}

fn place(members: &mut Members<'_>, findings: &mut Findings) -> Option<Slot> {
    const WORDS: [(&str, u8); 3] = [("request_parameter", 0), ("header", 1), ("body_json", 2)];
    if members.get("inject_into").is_none() {
        let hint = "write inject_into: request_parameter, header or body_json";
        members.error("inject_into", "inject_into is missing", hint, findings);
        return None;
    }
    match members.choice("inject_into", &WORDS, findings)? {
        2 => {
            members.needed("field_path", "write the path of the member, such as paging.after", findings)?;
            path(members, "field_path", findings).map(Slot::BodyJson)
        }
        kind => {
            let name = members.needed("field_name", "write the name of the parameter or header", findings)?;
            Some(if kind == 0 { Slot::RequestParameter(name.into()) } else { Slot::Header(name.into()) })
        }
    }
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?} is no URL: {error}"))?;
    crate::origin::check(&url)?;
    Ok(url)
}

fn call(members: &mut Members<'_>, findings: &mut Findings) -> Option<Call> {
    let hint = "write an https URL without user, password and fragment; a query goes into params";
    members.needed("base_url", hint, findings);
    let base = members.parsed("base_url", hint, findings, url);
    let path = members.text("path", findings).unwrap_or_default().trim_start_matches('/');
    let method = members.choice("method", &[("GET", Method::Get), ("POST", Method::Post)], findings);
    let method = method.unwrap_or(Method::Get);
    let headers = members.pairs("headers", findings);
    let params = members.pairs("params", findings);
    let body = members.get("body");
    match (method, body) {
        (Method::Get, Some(_)) => {
            members.error("body", "a GET has no body", "write method: POST, or use params", findings);
        }
        (Method::Post, Some(node)) if !matches!(node.value, Value::Map(_)) => {
            members.error("body", "the body must be an object", "write its members", findings);
        }
        _ => {}
    }
    let body = body.and_then(|node| serde_json::from_str(&canonical_json(node)).ok());
    let timeout = duration(members, "timeout", findings).unwrap_or(SignedDuration::from_secs(20));
    if timeout > SignedDuration::from_secs(120) {
        members.error("timeout", "a request may take at most 120s", "write for example 20s", findings);
    }
    let max_body_bytes = members.whole("max_body_bytes", 1024..=67_108_864, findings).unwrap_or(16_777_216);
    let mut url = base?;
    if !path.is_empty() {
        let joined = format!("{}/{path}", url.path().trim_end_matches('/'));
        url.set_path(&joined);
        if path.contains(['?', '#']) {
            members.error("path", "the path has a query", "move it to params", findings);
        }
    }
    let body = (method == Method::Post).then(|| body.unwrap_or_else(|| serde_json::json!({})));
    Some(Call { url, method, headers, params, body, timeout, max_body_bytes })
}

fn secret(members: &mut Members<'_>, findings: &mut Findings) -> Option<SecretRef> {
    let hint = "write secretsmanager:NAME, secretsmanager:NAME#MEMBER, ssm:/NAME, or the ARN of either";
    members.needed("secret", hint, findings);
    members.parsed("secret", hint, findings, |text| {
        let named = |rest: &str| match rest.split_once('#') {
            Some((id, key)) => SecretRef::SecretsManager { id: id.into(), key: Some(key.into()) },
            None => SecretRef::SecretsManager { id: rest.into(), key: None },
        };
        let service = text.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(1));
        match (text.split_once(':'), service) {
            (_, Some("secretsmanager")) => Ok(named(text)),
            (_, Some("ssm")) => Ok(SecretRef::Ssm { name: text.into() }),
            (Some(("secretsmanager", rest)), _) if !rest.is_empty() => Ok(named(rest)),
            (Some(("ssm", rest)), _) if !rest.is_empty() => Ok(SecretRef::Ssm { name: rest.into() }),
            // What stands there may be the secret itself: it is not repeated.
            _ => Err("this is no reference to a secret".into()),
        }
    })
}

fn authentication(members: &mut Members<'_>, findings: &mut Findings) -> Option<Authentication> {
    const TYPES: [(&str, u8); 4] = [("none", 0), ("bearer", 1), ("api_key", 2), ("basic", 3)];
    members.needed("type", "write type: bearer, api_key, basic or none", findings)?;
    match members.choice("type", &TYPES, findings)? {
        0 => Some(Authentication::None),
        1 => Some(Authentication::Bearer { secret: secret(members, findings)? }),
        2 => {
            let (secret, place) = (secret(members, findings), place(members, findings));
            Some(Authentication::ApiKey { secret: secret?, place: place? })
        }
        _ => {
            let username = members.needed("username", "write the user's name", findings).map(str::to_owned);
            Some(Authentication::Basic { secret: secret(members, findings)?, username: username? })
        }
    }
}

fn incremental(members: &mut Members<'_>, findings: &mut Findings) -> Option<Incremental> {
    const FORMAT_HINT: &str =
        "write rfc3339, epoch_s, epoch_ms or a strftime pattern such as %Y-%m-%dT%H:%M:%S%z";
    let client_side = members.flag("is_client_side_incremental", findings).unwrap_or(false);
    let (start, end) = (slot(members, "start_param", findings), slot(members, "end_param", findings));
    let format = members.parsed("datetime_format", FORMAT_HINT, findings, TimeFormat::parse);
    let format = format.or_else(|| TimeFormat::parse("rfc3339").ok())?;
    members.needed("cursor_path", "write the path of a record's event time, such as played_at", findings);
    let cursor_path = path(members, "cursor_path", findings);
    let formats = members.texts("cursor_datetime_formats", findings);
    let cursor_datetime_formats = match formats {
        None => vec![format.clone()],
        Some(texts) => {
            let parsed = texts.iter().map(|text| TimeFormat::parse(text));
            parsed
                .filter_map(|format| match format {
                    Ok(format) => Some(format),
                    Err(problem) => {
                        members.error("cursor_datetime_formats", problem, FORMAT_HINT, findings);
                        None
                    }
                })
                .collect()
        }
    };
    let zoneless =
        members.parsed("zoneless_times", "write UTC, or an offset such as +02:00", findings, |text| {
            offset(text).ok_or_else(|| format!("{text:?} is no fixed offset from UTC"))
        });
    let ends = [("open", RangeEnd::Open), ("closed", RangeEnd::Closed)];
    let range_end = members.choice("range_end", &ends, findings).unwrap_or(RangeEnd::Open);
    let granularity = duration(members, "cursor_granularity", findings);
    let step = members.parsed("step", STEP_HINT, findings, Step::parse);
    let zone_hint = "write a name of the IANA time zone database, such as Europe/Oslo or UTC";
    let time_zone = members.parsed("time_zone", zone_hint, findings, |text| {
        TimeZone::get(text).map_err(|_| format!("there is no time zone {text:?}"))
    });
    let orders = [("asc", RowOrder::Asc), ("desc", RowOrder::Desc)];
    let missing = [("raise", Missing::Raise), ("include", Missing::Include), ("exclude", Missing::Exclude)];
    let resolution =
        i64::try_from(format.resolution()).map_or(SignedDuration::MAX, SignedDuration::from_nanos);
    Some(Incremental {
        start,
        end,
        cursor_granularity: granularity.unwrap_or(resolution),
        datetime_format: format,
        cursor_path: cursor_path?,
        cursor_datetime_formats,
        zoneless,
        range_end,
        step: step.unwrap_or(Step::Elapsed(SignedDuration::from_hours(1))),
        time_zone: time_zone.unwrap_or(TimeZone::UTC),
        lookback_window: duration(members, "lookback_window", findings).unwrap_or(SignedDuration::ZERO),
        row_order: members.choice("row_order", &orders, findings),
        on_cursor_value_missing: members
            .choice("on_cursor_value_missing", &missing, findings)
            .unwrap_or(Missing::Raise),
        is_client_side_incremental: client_side,
        settle_delay: duration(members, "settle_delay", findings).unwrap_or(SignedDuration::from_hours(1)),
    })
}

fn offset(text: &str) -> Option<Offset> {
    if text == "UTC" {
        return Some(Offset::UTC);
    }
    let zone = TimeZone::get(text).ok().or_else(|| {
        let parsed = format!("2000-01-01T00:00:00{text}[{text}]").parse::<jiff::Zoned>();
        parsed.ok().map(|zoned| zoned.time_zone().clone())
    })?;
    zone.to_fixed_offset().ok()
}

/// What stands in a paginator beside its kind.
struct Paged {
    limit_param: Option<Slot>,
    limit: Option<u64>,
    evidence: Evidence,
    total_path: Option<Path>,
}

fn paginator(members: &mut Members<'_>, findings: &mut Findings) -> Option<(Paginator, Paged)> {
    const TYPES: [(&str, u8); 8] = [
        ("single_page", 0),
        ("page_number", 1),
        ("offset", 2),
        ("cursor", 3),
        ("header_cursor", 4),
        ("header_link", 5),
        ("json_link", 6),
        ("keyset", 7),
    ];
    const NEEDED: &str = "this paginator needs it";
    members.needed("type", "write type: and the paginator's name", findings)?;
    let kind = members.choice("type", &TYPES, findings)?;
    let (limit_param, limit) = match kind {
        0 => (None, None),
        _ => (slot(members, "limit_param", findings), members.whole("limit", 1..=1_000_000, findings)),
    };
    if limit_param.is_some() && limit.is_none() {
        members.error("limit", "limit is missing", "write how many rows to ask for", findings);
    }
    let mut evidence = Evidence::default();
    if matches!(kind, 0 | 1 | 2 | 3 | 7) {
        evidence.has_more_path = path(members, "has_more_path", findings);
    }
    if matches!(kind, 1 | 2) {
        evidence.stop_after_empty_page = members.flag("stop_after_empty_page", findings).unwrap_or(false);
    }
    let mut total_path = None;
    let end_status = |members: &mut Members<'_>, findings: &mut Findings| {
        members.whole("end_status", 400..=499, findings).and_then(|status| u16::try_from(status).ok())
    };
    let take = |members: &mut Members<'_>, key: &'static str, findings: &mut Findings| {
        if members.get(key).is_none() {
            members.error(key, format!("{key} is missing"), NEEDED, findings);
        }
        slot(members, key, findings)
    };
    let paginator = match kind {
        0 => Paginator::SinglePage,
        1 => {
            let page = take(members, "page_param", findings);
            Paginator::PageNumber {
                base_page: members.whole("base_page", 0..=1_000_000, findings).unwrap_or(1),
                total_path: path(members, "total_path", findings),
                maximum_page: members.whole("maximum_page", 0..=10_000_000, findings),
                end_status: end_status(members, findings),
                page: page?,
            }
        }
        2 => {
            let offset = take(members, "offset_param", findings);
            total_path = path(members, "total_path", findings);
            Paginator::Offset { end_status: end_status(members, findings), offset: offset? }
        }
        3 => {
            members.needed("cursor_path", NEEDED, findings);
            let cursor_path = path(members, "cursor_path", findings);
            let body = path(members, "cursor_body_path", findings).map(Slot::BodyJson);
            let cursor = match body {
                Some(_) if members.has("cursor_param") => {
                    let hint = "keep cursor_param or cursor_body_path";
                    members.error("cursor_body_path", "the cursor has two places", hint, findings);
                    body
                }
                Some(_) => body,
                None => take(members, "cursor_param", findings),
            };
            // It is known all the same where cursor_body_path stands.
            let _ = members.get("cursor_param");
            Paginator::Cursor { cursor_path: cursor_path?, cursor: cursor? }
        }
        4 => {
            let key = members.needed("cursor_key", "write the name of the header", findings);
            let cursor = take(members, "cursor_param", findings);
            Paginator::HeaderCursor { cursor_key: key?.to_ascii_lowercase(), cursor: cursor? }
        }
        5 => Paginator::HeaderLink,
        6 => {
            members.needed("next_url_path", NEEDED, findings);
            let next_url_path = path(members, "next_url_path", findings);
            let hint = "write an https URL of the feed's own origin";
            let base = members.parsed("next_url_base", hint, findings, url);
            Paginator::JsonLink {
                next_url_path: next_url_path?,
                base: base.map_or(NextUrl::Asked, NextUrl::Base),
            }
        }
        _ => {
            members.needed("record_field", NEEDED, findings);
            let record_field = path(members, "record_field", findings);
            let cursor = take(members, "cursor_param", findings);
            Paginator::Keyset { record_field: record_field?, cursor: cursor? }
        }
    };
    Some((paginator, Paged { limit_param, limit, evidence, total_path }))
}

type Total = (Option<Path>, Option<String>);

fn records(members: &mut Members<'_>, findings: &mut Findings) -> Option<(Records, Total)> {
    let selector =
        members.parsed("data_selector", "write for example items, or hits[*]._source", findings, |text| {
            let (list, inner) = text.split_once("[*]").unwrap_or((text, ""));
            let inner = inner.strip_prefix('.').unwrap_or(inner);
            let path = |text: &str| if text.is_empty() { Ok(Path::default()) } else { Path::parse(text) };
            let list = path(list.strip_prefix('$').map_or(list, |list| list.trim_start_matches('.')))?;
            Ok(Selector { list, inner: path(inner)? })
        });
    if members.get("primary_key").is_none() {
        let hint = "write what tells a record from all others, such as id or [user_id, played_at]";
        members.error("primary_key", "primary_key is missing", hint, findings);
    }
    let mut primary_key = Vec::new();
    for text in members.texts("primary_key", findings).unwrap_or_default() {
        match Path::parse(&text) {
            Ok(path) => primary_key.push(path),
            Err(problem) => members.error("primary_key", problem, PATH_HINT, findings),
        }
    }
    let total_path = path(members, "total_path", findings);
    let total_header = members.text("total_header", findings).map(str::to_ascii_lowercase);
    let records = Records { data_selector: selector.unwrap_or_default(), primary_key };
    Some((records, (total_path, total_header)))
}

fn budget(members: &mut Members<'_>, findings: &mut Findings) -> Option<Budget> {
    let calls = members.positive("calls", findings).unwrap_or(5.0);
    let periods = [("second", 1.0), ("minute", 60.0), ("hour", 3600.0), ("day", 86_400.0)];
    let period = members.choice("per", &periods, findings).unwrap_or(1.0);
    let reserve = members.whole("reserve_percent", 0..=95, findings).unwrap_or(20);
    Some(Budget {
        calls_per_second: calls / period,
        reserve: reserve as f64 / 100.0,
        remaining_header: members.text("ratelimit_remaining_header", findings).map(str::to_ascii_lowercase),
        reset_header: members.text("ratelimit_reset_header", findings).map(str::to_ascii_lowercase),
    })
}

fn actions(members: &mut Members<'_>, findings: &mut Findings) -> Vec<ResponseAction> {
    const ACTIONS: [(&str, Verdict); 5] = [
        ("success", Verdict::Success),
        ("fail", Verdict::Fail),
        ("retry", Verdict::Retry),
        ("ignore", Verdict::Ignore),
        ("rate_limited", Verdict::RateLimited),
    ];
    let Some(node) = members.get("response_actions") else { return Vec::new() };
    if !matches!(node.value, Value::List(_)) {
        let names: Vec<_> = ACTIONS.iter().map(|(name, _)| *name).collect();
        members.error("response_actions", "response_actions must be a list", choose("", &names), findings);
    }
    let mut actions = Vec::new();
    for (index, node) in node.list().iter().enumerate() {
        let path = format!("response_actions[{index}]");
        let Some(mut inner) = Members::of(node, &path, findings) else { continue };
        let answers = Match {
            status: inner.whole("status", 100..=599, findings).and_then(|status| u16::try_from(status).ok()),
            body_contains: inner.text("body_contains", findings).map(str::to_owned),
        };
        if answers == Match::default() {
            findings.error(inner.at(), &path, "it fits every answer", "add status or body_contains");
        }
        inner.needed("action", "write success, fail, retry, ignore or rate_limited", findings);
        let action = inner.choice("action", &ACTIONS, findings);
        inner.finish("a response action", findings);
        actions.extend(action.map(|action| ResponseAction { answers, action }));
    }
    actions
}

fn sink(members: &mut Members<'_>, findings: &mut Findings) -> Option<Sink> {
    const TYPES: [(&str, u8); 3] = [("sqs", 0), ("sqs_fifo", 1), ("dynamodb", 2)];
    members.needed("type", "write type: sqs, sqs_fifo or dynamodb", findings)?;
    let kind = members.choice("type", &TYPES, findings)?;
    if kind == 2 {
        let table = members.needed("table", "write the table's name or ARN", findings).map(str::to_owned);
        let hint = "write the attribute that tells a newer item from an older one, such as played_at";
        let version_attribute = members.needed("version_attribute", hint, findings)?.to_owned();
        return Some(Sink::DynamoDb { table: table?, version_attribute });
    }
    members.needed("queue_url", "write the queue's URL", findings)?;
    let queue_url = members.parsed("queue_url", "write the queue's URL", findings, url)?.to_string();
    if kind == 0 {
        return Some(Sink::Sqs { queue_url });
    }
    Some(Sink::SqsFifo { queue_url, message_group: path(members, "message_group", findings) })
}

fn other_sinks(members: &mut Members<'_>, findings: &mut Findings) -> BTreeMap<String, Sink> {
    let mut sinks = BTreeMap::new();
    for entry in members.get("other_sinks").map(Node::entries).unwrap_or_default() {
        let path = format!("other_sinks.{}", entry.key);
        let Some(mut inner) = Members::of(&entry.value, &path, findings) else { continue };
        let read = sink(&mut inner, findings);
        inner.finish("a sink", findings);
        sinks.extend(read.map(|sink| (entry.key.clone(), sink)));
    }
    sinks
}
