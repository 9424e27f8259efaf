use septet_contract::document::Syntax;

use super::*;

fn wrong(text: &str) -> String {
    let found = Feed::parse(text).err().unwrap_or_default();
    let lines: Vec<_> = found.iter().map(|it| it.in_file("plays.yaml").to_string()).collect();
    lines.join("\n")
}

/// The example with one part replaced.
fn with(part: &str, by: &str) -> String {
    assert!(EXAMPLE.contains(part), "{part}");
    EXAMPLE.replace(part, by)
}

const PAGING: &str = "  type: cursor\n  cursor_path: meta.next\n  cursor_param: cursor\n  has_more_path: meta.has_more\n  limit_param: limit\n  limit: 500\n";

#[test]
fn the_example_is_a_feed() {
    let feed = Feed::parse(EXAMPLE).unwrap();
    assert_eq!(feed.call.url.as_str(), "https://api.example.com/v1/plays");
    assert_eq!(feed.limit, Some(500));
    assert_eq!(feed.evidence.total_path.as_ref().unwrap().to_string(), "meta.total");
    assert_eq!(feed.budget.reserve, 0.2);
    assert!(matches!(feed.other_sinks["shadow"], Sink::Sqs { .. }));
    let again = Feed::parse(feed.to_json()).unwrap();
    assert_eq!(Syntax::detect(feed.to_json()), Syntax::Json);
    assert_eq!((&again, again.digest()), (&feed, feed.digest()));
}

#[test]
fn every_paginator_is_known_by_its_name() {
    for (options, expected) in [
        ("  type: single_page\n", "SinglePage"),
        (
            "  type: page_number\n  page_param: page\n  base_page: 0\n  total_path: pages\n  has_more_path: more\n  maximum_page: 9\n  stop_after_empty_page: true\n  end_status: 404\n",
            "PageNumber",
        ),
        (
            "  type: offset\n  offset_param: offset\n  limit_param: limit\n  limit: 9\n  total_path: count\n  has_more_path: more\n",
            "Offset",
        ),
        ("  type: cursor\n  cursor_path: next\n  cursor_body_path: page.after\n", "BodyJson"),
        (
            "  type: header_cursor\n  cursor_key: X-Next\n  cursor_param: after\n",
            "HeaderCursor { cursor_key: \"x-next\"",
        ),
        ("  type: header_link\n", "HeaderLink"),
        (
            "  type: json_link\n  next_url_path: next\n  next_url_base: https://api.example.com/v1/\n",
            "JsonLink",
        ),
        (
            "  type: keyset\n  record_field: id\n  cursor_param: {inject_into: header, field_name: X-After}\n  has_more_path: more\n",
            "Header(\"X-After\")",
        ),
    ] {
        let text = with(PAGING, options).replace("path: plays\n", "path: plays\nmethod: POST\n");
        let feed = Feed::parse(&text).unwrap_or_else(|_| panic!("{}", wrong(&text)));
        let shown = format!("{:?}", feed.paginator);
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn a_mistake_is_shown_with_its_place_and_the_fix() {
    insta::assert_snapshot!(wrong(
        &EXAMPLE
            .replace("cursor_param: cursor", "cursor_parm: cursor")
            .replace("type: bearer", "type: barer")
            .replace("step: 1h", "step: 1w")
            .replace("base_url: https", "base_url: http")
            .replace("primary_key: id", "primary_key: []")
    ));
}

#[test]
fn what_could_not_give_the_true_set_is_refused() {
    let positional = |evidence: &str| {
        with(PAGING, &format!("  type: page_number\n  page_param: page\n{evidence}"))
            .replace("  total_path: meta.total\n", "")
    };
    let client_side = "  is_client_side_incremental: true\n";
    for (text, place, expected) in [
        (
            with("cursor_granularity: 1ms", "cursor_granularity: 1ms\n  zoneless_times: UTC")
                .replace("format: rfc3339", "format: '%Y-%m-%d %H:%M'"),
            "incremental.cursor_granularity",
            "finer than what",
        ),
        (with("format: rfc3339", "format: '%Y-%m-%d %H:%M:%S.%f'"), "incremental", "say no zone"),
        (with("step: 1h", "step: 1us"), "incremental.step", "shorter than"),
        (with("  end_param: until\n", ""), "incremental.end_param", "end_param is missing"),
        (with("  step: 1h\n", client_side), "incremental.start_param", "without a time filter"),
        (positional(""), "paginator", "nothing would show"),
        (
            with(PAGING, "  type: single_page\n").replace("  total_path: meta.total\n", ""),
            "paginator",
            "cuts it short",
        ),
        (
            with(
                PAGING,
                "  type: keyset\n  record_field: id\n  cursor_param: after\n  stop_after_empty_page: true\n",
            ),
            "paginator.stop_after_empty_page",
            "no option",
        ),
        (positional("  maximum_page: 9\n"), "paginator", "nothing would show"),
        (
            with(PAGING, "  type: keyset\n  record_field: id\n  cursor_param: after\n")
                .replace("  total_path: meta.total\n", ""),
            "paginator",
            "nothing would show",
        ),
        (with("accept: application/json", "X-Api-Key: abc"), "headers.X-Api-Key", "looks like a secret"),
        (
            with("path: plays", "path: plays\nparams:\n  access_token: abc"),
            "params.access_token",
            "looks like a secret",
        ),
        (
            with("secret: secretsmanager:plays-api#token", "secret: hunter2"),
            "authentication.secret",
            "no reference to a secret",
        ),
        (with("cursor_param: cursor", "cursor_param: since"), "paginator.cursor_param", "the same place"),
        (
            with("cursor_param: cursor", "cursor_param: {inject_into: body_json, field_path: a.b}"),
            "paginator.cursor_param",
            "a GET has no body",
        ),
        (with("  limit_param: limit\n", ""), "paginator.limit", "the limit goes nowhere"),
        (with("  limit: 500\n", ""), "paginator.limit", "limit is missing"),
        (
            with(
                PAGING,
                "  type: json_link\n  next_url_path: next\n  next_url_base: https://other.example.com/\n",
            ),
            "paginator.next_url_base",
            "another origin",
        ),
        (with("https://api.example.com/v1", "https://169.254.169.254/v1"), "base_url", "link-local"),
        (
            with("https://api.example.com/v1", "https://me:hunter2@api.example.com/v1"),
            "base_url",
            "holds a user or a password",
        ),
        (
            with("https://api.example.com/v1", "https://api.example.com/v1?key=hunter2"),
            "base_url",
            "has a query",
        ),
        (with("333333333333/plays\n", "333333333333/plays.fifo\n"), "sink", "is a FIFO queue"),
        (
            with("plays-shadow", "plays\n    message_group: user")
                .replace("    type: sqs\n", "    type: sqs_fifo\n"),
            "other_sinks.shadow",
            "is no FIFO queue",
        ),
        (with("step: 1h", "step: 1d\n  time_zone: Mars/Olympus"), "incremental.time_zone", "no time zone"),
    ] {
        let found = Feed::parse(&text).err().unwrap_or_default();
        let named = found.iter().any(|it| it.path == place && it.message.contains(expected));
        assert!(named, "{place} {expected}\n{}", wrong(&text));
        assert!(!wrong(&text).contains("hunter2"), "{}", wrong(&text));
        assert!(found.iter().all(|it| !it.hint.is_empty()));
    }
}

#[test]
fn a_time_without_a_zone_is_taken_as_the_feed_says() {
    let text = with("format: rfc3339", "format: '%Y-%m-%d %H:%M:%S.%3f'\n  zoneless_times: +02:00");
    let feed = Feed::parse(&text).unwrap_or_else(|_| panic!("{}", wrong(&text)));
    let window = crate::Window { start: jiff::Timestamp::UNIX_EPOCH, end: jiff::Timestamp::UNIX_EPOCH };
    assert_eq!(window.printed(&feed.incremental).unwrap().1, "1970-01-01 02:00:00.000");
}
