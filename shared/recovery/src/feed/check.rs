//! What each part of a feed allows and all of it together does not.

use septet_contract::document::{Findings, Node};

use super::model::*;
use crate::time::{Step, print_duration};

/// Holds a feed to be able to give the true set of records.
pub(super) fn check(feed: &Feed, root: &Node, findings: &mut Findings) {
    let mut checker = Checker { feed, root, findings };
    checker.secrets();
    checker.places();
    checker.times();
    checker.evidence();
    checker.links();
    checker.sinks();
}

struct Checker<'a> {
    feed: &'a Feed,
    root: &'a Node,
    findings: &'a mut Findings,
}

impl Checker<'_> {
    fn error(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        let mut node = self.root;
        for name in path.split('.') {
            node = node.get(name).unwrap_or(node);
        }
        self.findings.error(node.at, path, message, hint);
    }

    fn has(&self, section: &str, key: &str) -> bool {
        self.root.get(section).is_some_and(|node| node.get(key).is_some())
    }

    fn secrets(&mut self) {
        const SECRET: [&str; 9] = [
            "authorization",
            "proxy-authorization",
            "cookie",
            "token",
            "api-key",
            "apikey",
            "secret",
            "password",
            "access-key",
        ];
        let call = &self.feed.call;
        let names = call.headers.iter().map(|(name, _)| ("headers", name));
        let names: Vec<_> = names.chain(call.params.iter().map(|(name, _)| ("params", name))).collect();
        for (section, name) in names {
            let plain = name.to_ascii_lowercase().replace('_', "-");
            if SECRET.iter().any(|word| plain.contains(word)) {
                self.error(
                    &format!("{section}.{name}"),
                    format!("{name} looks like a secret, and a feed holds none"),
                    "put it into Secrets Manager or Systems Manager and name it under authentication",
                );
            }
        }
    }

    fn slots(&self) -> Vec<(&'static str, &Slot)> {
        let feed = self.feed;
        let mut slots = vec![
            ("incremental.start_param", feed.incremental.start.as_ref()),
            ("incremental.end_param", feed.incremental.end.as_ref()),
            ("paginator.limit_param", feed.limit_param.as_ref()),
        ];
        slots.push(match &feed.paginator {
            Paginator::PageNumber { page, .. } => ("paginator.page_param", Some(page)),
            Paginator::Offset { offset, .. } => ("paginator.offset_param", Some(offset)),
            Paginator::Cursor { cursor, .. }
            | Paginator::HeaderCursor { cursor, .. }
            | Paginator::Keyset { cursor, .. } => ("paginator.cursor_param", Some(cursor)),
            _ => ("", None),
        });
        if let Authentication::ApiKey { place, .. } = &feed.authentication {
            slots.push(("authentication", Some(place)));
        }
        slots.into_iter().filter_map(|(path, slot)| Some((path, slot?))).collect()
    }

    fn places(&mut self) {
        let slots = self.slots();
        let mut wrong = Vec::new();
        for (index, (path, slot)) in slots.iter().enumerate() {
            if slots[..index].iter().any(|(_, other)| other == slot) {
                wrong.push((*path, "another value goes to the same place", "give each its own"));
            }
            let fixed = match slot {
                Slot::RequestParameter(name) => self.feed.call.params.iter().any(|(it, _)| it == name),
                Slot::Header(name) => {
                    self.feed.call.headers.iter().any(|(it, _)| it.eq_ignore_ascii_case(name))
                }
                Slot::BodyJson(_) => false,
            };
            if fixed {
                wrong.push((*path, "params or headers fix the same place", "remove it there"));
            }
            if matches!(slot, Slot::BodyJson(_)) && self.feed.call.method == Method::Get {
                wrong.push((*path, "a GET has no body to put the value into", "write method: POST"));
            }
        }
        if self.feed.limit.is_some() && self.feed.limit_param.is_none() {
            wrong.push(("paginator.limit", "the limit goes nowhere", "write limit_param"));
        }
        for (path, message, hint) in wrong {
            self.error(path, message, hint);
        }
    }

    fn times(&mut self) {
        let incremental = &self.feed.incremental;
        if incremental.is_client_side_incremental {
            for key in ["start_param", "end_param", "step", "lookback_window", "range_end"] {
                if self.has("incremental", key) {
                    self.error(
                        &format!("incremental.{key}"),
                        "a feed without a time filter is read as a whole, once for the range",
                        format!("remove {key}, or is_client_side_incremental"),
                    );
                }
            }
        } else {
            for (key, slot) in [("start_param", &incremental.start), ("end_param", &incremental.end)] {
                if slot.is_none() {
                    self.error(
                        &format!("incremental.{key}"),
                        format!("{key} is missing: without it every window reads more than its own"),
                        "name the parameter, or write is_client_side_incremental: true",
                    );
                }
            }
        }
        let formats = incremental.cursor_datetime_formats.iter().chain([&incremental.datetime_format]);
        if incremental.zoneless.is_none()
            && let Some(format) = formats.clone().find(|format| !format.has_zone())
        {
            self.error(
                "incremental",
                format!("times as {format} say no zone"),
                "add %z if they have one, else write zoneless_times: UTC (or the offset that is meant)",
            );
        }
        let resolution = incremental.datetime_format.resolution();
        if incremental.cursor_granularity.as_nanos() < resolution {
            self.error(
                "incremental.cursor_granularity",
                format!(
                    "a granularity of {} is finer than what {} can print",
                    print_duration(incremental.cursor_granularity),
                    incremental.datetime_format
                ),
                "write a finer datetime_format or a coarser cursor_granularity",
            );
        }
        if let Step::Elapsed(step) = incremental.step
            && step.as_nanos() < resolution.max(incremental.cursor_granularity.as_nanos())
        {
            self.error(
                "incremental.step",
                "windows are shorter than what the API can tell apart",
                "write a longer step",
            );
        }
    }

    fn evidence(&mut self) {
        let Feed { paginator, evidence, .. } = self.feed;
        let by_paginator = match paginator {
            Paginator::PageNumber { total_path, end_status, .. } => {
                total_path.is_some() || end_status.is_some()
            }
            Paginator::Offset { end_status, .. } => end_status.is_some(),
            Paginator::SinglePage | Paginator::Keyset { .. } => false,
            _ => true,
        };
        let shown = evidence.counts_rows() || evidence.has_more_path.is_some();
        if by_paginator || shown || evidence.stop_after_empty_page {
            return;
        }
        const COUNT: &str = "add total_path or total_header under records, or has_more_path";
        let (message, hint) = match paginator {
            Paginator::SinglePage => {
                ("nothing would show that the one page has all: many an API cuts it short", COUNT)
            }
            Paginator::Keyset { .. } => ("nothing would show that the last page was read", COUNT),
            _ => (
                "nothing would show that the last page was read: an empty page may come before others",
                "add total_path, has_more_path or end_status; if the API has none of them, \
                 stop_after_empty_page: true, and every window will be suspect",
            ),
        };
        self.error("paginator", message, hint);
    }

    fn links(&mut self) {
        let own = self.feed.call.url.origin();
        if let Paginator::JsonLink { base: NextUrl::Base(base), .. } = &self.feed.paginator
            && base.origin() != own
        {
            self.error(
                "paginator.next_url_base",
                "links would lead to another origin than base_url, and the credential with them",
                "use the origin of base_url",
            );
        }
    }

    fn sinks(&mut self) {
        let sinks: Vec<_> = std::iter::once(("sink".to_owned(), &self.feed.sink))
            .chain(self.feed.other_sinks.iter().map(|(name, sink)| (format!("other_sinks.{name}"), sink)))
            .collect();
        for (path, sink) in sinks {
            let (url, fifo) = match sink {
                Sink::Sqs { queue_url } => (queue_url, false),
                Sink::SqsFifo { queue_url, .. } => (queue_url, true),
                Sink::DynamoDb { .. } => continue,
            };
            if url.ends_with(".fifo") != fifo {
                let hint = if fifo { "write type: sqs" } else { "write type: sqs_fifo" };
                let what = if fifo { "is no FIFO queue" } else { "is a FIFO queue" };
                self.error(&path, format!("{url} {what}"), hint);
            }
        }
    }
}
