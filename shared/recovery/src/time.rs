//! Times as third parties write them, and steps between them.

use std::fmt;

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * NANOS_PER_SECOND;

/// How a time is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat {
    source: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Rfc3339,
    Epoch { per_second: i128 },
    Pattern { pattern: String, zoned: bool, resolution: i128 },
}

impl TimeFormat {
    /// Takes `rfc3339`, `epoch_s`, `epoch_ms`, or a strftime pattern that says the whole date.
    ///
    /// `%f` is six digits of a second, as Python writes it; `%3f` and `%9f` are three and nine.
    pub fn parse(source: &str) -> Result<Self, String> {
        let kind = match source {
            "rfc3339" => Kind::Rfc3339,
            "epoch_s" => Kind::Epoch { per_second: 1 },
            "epoch_ms" => Kind::Epoch { per_second: 1000 },
            pattern if pattern.contains('%') => pattern_kind(pattern)?,
            other => return Err(format!("{other:?} is neither a known format nor a strftime pattern")),
        };
        Ok(Self { source: source.to_owned(), kind })
    }

    /// The format as the configuration names it.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether what is written says its offset from UTC.
    pub fn has_zone(&self) -> bool {
        !matches!(self.kind, Kind::Pattern { zoned: false, .. })
    }

    /// The finest difference that what is printed can show, in nanoseconds.
    pub fn resolution(&self) -> i128 {
        match &self.kind {
            Kind::Rfc3339 => 1,
            Kind::Epoch { per_second } => NANOS_PER_SECOND / per_second,
            Kind::Pattern { resolution, .. } => *resolution,
        }
    }

    /// Writes a time; what is finer than the format is cut. A pattern without a zone writes it in `offset`.
    pub fn print(&self, time: Timestamp, offset: Offset) -> Result<String, String> {
        match &self.kind {
            Kind::Rfc3339 => Ok(time.to_string()),
            Kind::Epoch { per_second } => {
                Ok((time.as_nanosecond().div_euclid(NANOS_PER_SECOND / per_second)).to_string())
            }
            Kind::Pattern { pattern, .. } => {
                let zoned = time.to_zoned(TimeZone::fixed(offset));
                jiff::fmt::strtime::format(pattern, &zoned).map_err(|error| error.to_string())
            }
        }
    }

    /// Reads a time, given as a number or a text; a pattern without a zone reads it in `offset`.
    pub fn read(&self, text: &str, offset: Offset) -> Option<Timestamp> {
        match &self.kind {
            Kind::Rfc3339 => text.parse().ok(),
            Kind::Epoch { per_second } => read_epoch(text, NANOS_PER_SECOND / per_second),
            Kind::Pattern { pattern, zoned, .. } => {
                let parsed = BrokenDownTime::parse(pattern, text).ok()?;
                if *zoned {
                    return parsed.to_timestamp().ok();
                }
                let date = parsed.to_date().ok()?;
                let time = parsed.to_time().unwrap_or_default();
                offset.to_timestamp(DateTime::from_parts(date, time)).ok()
            }
        }
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.source)
    }
}

fn pattern_kind(source: &str) -> Result<Kind, String> {
    let mut pattern = String::new();
    let (mut year, mut month, mut day, mut zoned) = (false, false, false, false);
    let mut resolution = DAY;
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        pattern.push(c);
        if c != '%' {
            continue;
        }
        let mut directive = String::new();
        while let Some(c) = chars.next_if(|c| matches!(c, '.' | ':' | '0'..='9')) {
            directive.push(c);
        }
        directive.extend(chars.next());
        let finest = match directive.as_str() {
            "%" => None,
            "Y" => {
                year = true;
                None
            }
            "m" | "b" | "B" => {
                month = true;
                None
            }
            "d" => {
                day = true;
                None
            }
            "F" => {
                (year, month, day) = (true, true, true);
                None
            }
            "j" => return Err("%j: write the month and the day".into()),
            "a" | "A" | "p" => None,
            "H" | "I" => Some(3600 * NANOS_PER_SECOND),
            "M" => Some(60 * NANOS_PER_SECOND),
            "S" | "T" => Some(NANOS_PER_SECOND),
            "s" => {
                (year, month, day, zoned) = (true, true, true, true);
                Some(NANOS_PER_SECOND)
            }
            "f" => {
                directive.insert(0, '6');
                Some(1000)
            }
            "3f" | ".3f" => Some(1_000_000),
            "6f" | ".6f" => Some(1000),
            "9f" | ".9f" | ".f" => Some(1),
            "z" | ":z" => {
                zoned = true;
                None
            }
            other => return Err(format!("%{other} is not known here")),
        };
        resolution = finest.map_or(resolution, |finest| finest.min(resolution));
        pattern.push_str(&directive);
    }
    if !(year && month && day) {
        return Err("it does not say the year, the month and the day".into());
    }
    Ok(Kind::Pattern { pattern, zoned, resolution })
}

/// Reads a decimal number exactly: a double has too few digits for nanoseconds.
fn read_epoch(text: &str, unit: i128) -> Option<Timestamp> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 18 || fraction.len() > 18 || !plain(whole) || !plain(fraction) {
        return None;
    }
    let mut nanos = whole.parse::<i128>().ok()?.checked_mul(unit)?;
    if !fraction.is_empty() {
        let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        nanos += fraction.parse::<i128>().ok()?.checked_mul(unit)? / scale;
    }
    Timestamp::from_nanosecond(if negative { -nanos } else { nanos }).ok()
}

/// The largest multiple of `unit` nanoseconds that is not after `time`.
pub(crate) fn floor(time: Timestamp, unit: i128) -> Timestamp {
    let nanos = time.as_nanosecond();
    Timestamp::from_nanosecond(nanos - nanos.rem_euclid(unit.max(1))).unwrap_or(time)
}

/// The smallest multiple of `unit` nanoseconds that is not before `time`.
pub(crate) fn ceil(time: Timestamp, unit: i128) -> Timestamp {
    let unit = unit.max(1);
    let over = time.as_nanosecond().rem_euclid(unit);
    if over == 0 {
        time
    } else {
        Timestamp::from_nanosecond(time.as_nanosecond() + unit - over).unwrap_or(time)
    }
}

/// The length of a window: days of a calendar, or time that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Calendar days of a named zone: 23 to 25 hours each.
    Days(u32),
    /// Time that passes: `24h` is no day when clocks change.
    Elapsed(SignedDuration),
}

impl Step {
    /// Reads `1d`, `24h`, `15m`, `30s` or `500ms`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_suffix('d').map(str::parse::<u32>) {
            Some(Ok(days @ 1..=366)) => Ok(Self::Days(days)),
            Some(_) => Err(format!("{text:?} is not from 1d to 366d")),
            None => parse_duration(text).map(Self::Elapsed),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days}d"),
            Self::Elapsed(duration) => f.write_str(&print_duration(*duration)),
        }
    }
}

/// Reads time that passes: a whole number with one of the units `h`, `m`, `s`, `ms`, `us`, `ns`.
pub(crate) fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let wrong = || format!("{text:?} is no length of time");
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let nanos = match unit {
        "h" => 3_600_000_000_000,
        "m" => 60_000_000_000,
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" => 1000,
        "ns" => 1,
        _ => return Err(wrong()),
    };
    let length = number.checked_mul(nanos).map(SignedDuration::from_nanos).ok_or_else(wrong)?;
    if length.is_zero() { Err(format!("{text:?} is no time at all")) } else { Ok(length) }
}

/// The shortest text that [`parse_duration`] reads back.
pub(crate) fn print_duration(duration: SignedDuration) -> String {
    let nanos = duration.as_nanos();
    let units = [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1000),
    ];
    let found = units.iter().find(|(_, size)| nanos % size == 0);
    found.map_or_else(|| format!("{nanos}ns"), |(unit, size)| format!("{}{unit}", nanos / size))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_written_as_the_third_party_reads_it() {
        let time = at("2026-11-21T10:20:30.123456789Z");
        for (format, offset, expected) in [
            ("rfc3339", 0, "2026-11-21T10:20:30.123456789Z"),
            ("epoch_s", 0, "1795256430"),
            ("epoch_ms", 0, "1795256430123"),
            ("%Y-%m-%d", 0, "2026-11-21"),
            ("%Y-%m-%d %H:%M:%S", 2, "2026-11-21 12:20:30"),
            ("%Y-%m-%dT%H:%M:%S.%f", 0, "2026-11-21T10:20:30.123456"),
            ("%Y-%m-%dT%H:%M:%S.%3fZ", 0, "2026-11-21T10:20:30.123Z"),
            ("%F %T %z", -5, "2026-11-21 05:20:30 -0500"),
            ("%s", 0, "1795256430"),
        ] {
            let format = TimeFormat::parse(format).unwrap();
            assert_eq!(format.print(time, Offset::constant(offset)).unwrap(), expected, "{format}");
        }
    }

    #[test]
    fn a_time_is_read_back_to_the_resolution_of_its_format() {
        let time = at("2026-12-31T23:59:58.123456789Z");
        for format in [
            "rfc3339",
            "epoch_s",
            "epoch_ms",
            "%Y-%m-%d",
            "%Y-%m-%d %H:%M:%S",
            "%Y-%m-%dT%H:%M:%S.%f",
            "%F %T%.3f",
            "%F %T %z",
            "%s",
            "%d %b %Y %H:%M",
        ] {
            let format = TimeFormat::parse(format).unwrap();
            let text = format.print(time, Offset::UTC).unwrap();
            assert_eq!(
                format.read(&text, Offset::UTC),
                Some(floor(time, format.resolution())),
                "{format} {text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for (format, text) in [
            ("rfc3339", "2026-11-21T10:20:30"),
            ("rfc3339", "yesterday"),
            ("epoch_s", "1e9"),
            ("epoch_s", ""),
            ("epoch_s", "-"),
            ("epoch_ms", "99999999999999999999"),
            ("%Y-%m-%d", "2026-02-30"),
            ("%Y-%m-%d", "2026-02-03 rest"),
        ] {
            assert_eq!(TimeFormat::parse(format).unwrap().read(text, Offset::UTC), None, "{format} {text}");
        }
        let fraction = TimeFormat::parse("epoch_s").unwrap().read("1795256430.123456789", Offset::UTC);
        assert_eq!(fraction, Some(at("2026-11-21T10:20:30.123456789Z")), "a double would have rounded it");
    }

    #[test]
    fn a_pattern_that_does_not_say_the_day_is_refused() {
        for pattern in ["%H:%M", "%Y-%m", "%Y %q %m %d", "iso", "%Y-%m-%d %"] {
            assert!(TimeFormat::parse(pattern).is_err(), "{pattern}");
        }
        assert!(!TimeFormat::parse("%F %T").unwrap().has_zone());
        assert!(TimeFormat::parse("%F %T%:z").unwrap().has_zone());
    }

    #[test]
    fn lengths_of_time_survive_printing() {
        for text in ["1d", "24h", "15m", "30s", "500ms", "7us", "3ns"] {
            assert_eq!(Step::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Step::parse("120m").unwrap().to_string(), "2h");
        for text in ["", "0s", "0d", "1w", "-1h", "d", "1.5h", "99999999999999h", "1 h"] {
            assert!(Step::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn rounding_stays_within_one_unit(nanos in -10_i128.pow(18)..10_i128.pow(18), unit in 1_i128..10_i128.pow(13)) {
            let time = Timestamp::from_nanosecond(nanos).unwrap();
            let (below, above) = (floor(time, unit).as_nanosecond(), ceil(time, unit).as_nanosecond());
            prop_assert!(below <= nanos && nanos <= above && nanos - below < unit && above - nanos < unit);
            prop_assert!(below % unit == 0 && above % unit == 0);
        }
    }
}
