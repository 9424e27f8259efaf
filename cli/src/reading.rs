//! Reads what people type: times, durations, versions.

use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use septet_contract::Compatibility;
use septet_registry::{ContractNumber, DatasetName, PointerName, TableName, VersionNumber};

/// A version by its number, or by a pointer that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    /// This one.
    Number(VersionNumber),
    /// The one that a pointer names.
    Named(PointerName),
}

pub(crate) fn version(text: &str) -> Result<Which, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Which::Number).map_err(|error| error.to_string());
    }
    text.parse().map(Which::Named).map_err(|error| error.to_string())
}

/// A contract in a file, or one that the registry holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Document {
    /// A file.
    File(PathBuf),
    /// Of this dataset: the one of this number, else the one in force.
    Stored(DatasetName, Option<ContractNumber>),
}

/// `recs:3`, `recs:current`, else a path; `./recs:3` is a path.
pub(crate) fn document(text: &str) -> Result<Document, String> {
    let file = || Ok(Document::File(text.into()));
    let Some((dataset, number)) = text.rsplit_once(':') else { return file() };
    let Ok(dataset) = DatasetName::parse(dataset) else { return file() };
    match number {
        "current" => Ok(Document::Stored(dataset, None)),
        _ => match number.parse() {
            Ok(number) => Ok(Document::Stored(dataset, Some(number))),
            Err(_) => file(),
        },
    }
}

/// What a check compares with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Against {
    /// What each rule names, as on publication.
    Registry,
    /// The live version alone.
    Live,
    /// The newest valid version alone.
    Previous,
    /// This version alone.
    Version(VersionNumber),
    /// Items in a file.
    File(PathBuf),
    /// Items in a table.
    Table(TableName),
}

/// A word, a number, a file that is there or looks like a path, else a table.
pub(crate) fn against(text: &str) -> Result<Against, String> {
    match text {
        "registry" => return Ok(Against::Registry),
        "live" => return Ok(Against::Live),
        "previous" => return Ok(Against::Previous),
        _ => {}
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Against::Version).map_err(|error| error.to_string());
    }
    if std::path::Path::new(text).exists() {
        return Ok(Against::File(text.into()));
    }
    TableName::from_name_or_arn(text).map(Against::Table).map_err(|_| {
        "there is no such file; use registry, live, previous, a version, a file or a table".into()
    })
}

pub(crate) fn mode(text: &str) -> Result<Compatibility, String> {
    Compatibility::parse(&text.to_ascii_uppercase()).ok_or_else(|| {
        let modes: Vec<_> = Compatibility::ALL.iter().map(|mode| mode.as_str()).collect();
        format!("use one of {}", modes.join(", "))
    })
}

/// `2026-11-21T06:00:00Z`, `2026-11-21 06:00` or `2026-11-21`, in UTC where there is no offset.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(Date::into));
    let zoned = civil.and_then(|civil| civil.to_zoned(TimeZone::UTC));
    zoned
        .map(|zoned| zoned.timestamp())
        .map_err(|_| "a time is written as 2026-11-21T06:00:00Z, 2026-11-21 06:00 or 2026-11-21 (UTC)".into())
}

/// A time, or how long from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// This time.
    At(Timestamp),
    /// So long from now.
    After(SignedDuration),
}

impl When {
    /// The time, if it lies after `now`.
    pub(crate) fn after(self, now: Timestamp) -> Option<Timestamp> {
        let at = match self {
            Self::At(at) => Some(at),
            Self::After(length) => now.checked_add(length).ok(),
        };
        at.filter(|at| *at > now)
    }
}

/// A time, or a duration such as `12h` or `3d`.
pub(crate) fn when(text: &str) -> Result<When, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()).filter(|days| *days > 0);
    if let Some(days) = days {
        return Ok(When::After(SignedDuration::from_hours(24 * i64::from(days))));
    }
    if let Ok(length) = duration(text) {
        let length = SignedDuration::try_from(length).map_err(|_| "the duration is too long".to_owned())?;
        return Ok(When::After(length));
    }
    time(text).map(When::At).map_err(|why| format!("{why}; a duration as 12h or 3d"))
}

/// A reason says something.
pub(crate) fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why in a few words; the audit log keeps it".into()),
        reason => Ok(reason.to_owned()),
    }
}

/// `90s`, `15m`, `2h`, or several of them as `1h 30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let read = text.parse::<SignedDuration>().ok().and_then(|it| Duration::try_from(it).ok());
    read.filter(|it| !it.is_zero()).ok_or_else(|| "a duration is written as 90s, 15m or 2h".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_every_common_form_and_is_utc_unless_it_says_otherwise() {
        let expected: Timestamp = "2026-11-21T06:00:00Z".parse().unwrap();
        for text in
            ["2026-11-21T06:00:00Z", "2026-11-21T07:00+01:00", "2026-11-21 06:00", "2026-11-21T06:00:00"]
        {
            assert_eq!(time(text), Ok(expected), "{text}");
        }
        assert_eq!(time("2026-11-21").unwrap().to_string(), "2026-11-21T00:00:00Z");
        assert!(time("yesterday").unwrap_err().contains("2026-11-21T06:00:00Z"));
    }

    #[test]
    fn the_end_of_a_hold_is_a_time_or_a_duration_and_always_to_come() {
        let now: Timestamp = "2026-11-21T06:00:00Z".parse().unwrap();
        let end = |text: &str| when(text).unwrap().after(now).map(|end| end.to_string());
        assert_eq!(end("12h").as_deref(), Some("2026-11-21T18:00:00Z"));
        assert_eq!(end("3d").as_deref(), Some("2026-11-24T06:00:00Z"));
        assert_eq!(end("2026-11-21 06:01").as_deref(), Some("2026-11-21T06:01:00Z"));
        for none in ["2026-11-21 06:00", "2026-11-20", "4294967295d"] {
            assert_eq!(end(none), None, "{none}");
        }
        for wrong in ["", "0d", "0s", "-3d", "-1h", "1.5d", "d", "4294967296d", "soon"] {
            assert!(when(wrong).unwrap_err().contains("a duration as 12h or 3d"), "{wrong}");
        }
    }

    #[test]
    fn a_reason_says_something() {
        assert_eq!(reason(" bad "), Ok("bad".into()));
        assert!(reason("").is_err() && reason(" \t\n").is_err());
    }

    #[test]
    fn a_duration_is_positive() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert!(duration("0s").is_err() && duration("-1s").is_err() && duration("15").is_err());
    }

    #[test]
    fn a_contract_is_a_file_unless_it_names_a_dataset_and_a_number() {
        let recs = DatasetName::parse("recs").unwrap();
        let stored = |number| Document::Stored(recs.clone(), number);
        assert_eq!(document("recs:3"), Ok(stored(Some(ContractNumber::new(3)))));
        assert_eq!(document("recs:current"), Ok(stored(None)));
        for path in ["recs.yaml", "./recs:3", "recs:latest", "-", "recs:0"] {
            assert_eq!(document(path), Ok(Document::File(path.into())), "{path}");
        }
    }

    #[test]
    fn a_check_compares_with_a_word_a_version_a_file_or_a_table() {
        assert_eq!(against("registry"), Ok(Against::Registry));
        assert_eq!(against("live"), Ok(Against::Live));
        assert_eq!(against("previous"), Ok(Against::Previous));
        assert_eq!(against("41"), Ok(Against::Version(VersionNumber::new(41))));
        assert_eq!(against("Cargo.toml"), Ok(Against::File("Cargo.toml".into())));
        assert_eq!(against("recs-1"), Ok(Against::Table(TableName::parse("recs-1").unwrap())));
        assert!(against("gone/items.json").unwrap_err().contains("no such file"));
    }

    #[test]
    fn a_version_is_a_number_or_a_pointer() {
        assert_eq!(version("42"), Ok(Which::Number(VersionNumber::new(42))));
        assert_eq!(version("live"), Ok(Which::Named(PointerName::live())));
        assert!(version("0").is_err() && version("Live").is_err());
    }
}
