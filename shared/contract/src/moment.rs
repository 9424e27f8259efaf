//! Dates, times and timestamps in strings.

use std::cmp::Ordering;
use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// A date, a time of day or a moment read from a string or a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The day, unless only a time was written.
    pub date: Option<Date>,
    /// The time of day, unless only a date was written.
    pub time: Option<Time>,
    /// The offset from UTC, if one was written.
    pub offset: Option<Offset>,
}

impl Moment {
    /// The moment in UTC; one without an offset is taken as UTC, a missing date as 1970-01-01.
    pub fn utc(&self) -> DateTime {
        let local =
            self.date.unwrap_or(Date::constant(1970, 1, 1)).to_datetime(self.time.unwrap_or_default());
        self.offset
            .and_then(|offset| {
                local.checked_sub(jiff::SignedDuration::from_secs(offset.seconds().into())).ok()
            })
            .unwrap_or(local)
    }
}

/// Moments are ordered in UTC; a date and a time are not comparable.
impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.date.is_some() == other.date.is_some()).then(|| self.utc().cmp(&other.utc()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.date, self.time) {
            (Some(date), Some(time)) => write!(f, "{date}T{time}")?,
            (Some(date), None) => write!(f, "{date}")?,
            (None, Some(time)) => write!(f, "{time}")?,
            (None, None) => {}
        }
        match self.offset {
            Some(offset) if offset == Offset::UTC => f.write_str("Z"),
            Some(offset) => {
                let (sign, minutes) =
                    (if offset.seconds() < 0 { '-' } else { '+' }, offset.seconds().abs() / 60);
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
            None => Ok(()),
        }
    }
}

/// What a string must look like to be a moment: a pattern of the JDK's `DateTimeFormatter`, as the standard
/// asks, such as `yyyy-MM-dd'T'HH:mm:ssX`.
///
/// Known are numbers of fixed or free width (`y`, `u`, `M`, `d`, `H`, `h`, `m`, `s`, `S`), `a`, English month
/// and day names (`MMM`, `MMMM`, `EEE`, `EEEE`), offsets (`X`, `x`, `Z`), quoted text and signs. A pattern with
/// any other letter is refused, so that none is ever ignored. Equal if the sources are.
#[derive(Clone, PartialEq, Eq)]
pub struct MomentFormat {
    source: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Number(Field, usize, usize),
    Fraction(usize),
    Month { long: bool },
    Weekday { long: bool },
    HalfDay,
    Offset { zulu: bool, style: OffsetStyle },
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    YearOfCentury,
    Month,
    Day,
    Hour,
    HourOfHalf,
    Minute,
    Second,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OffsetStyle {
    /// `+01` or `+0130`.
    Short,
    /// `+0130`.
    Basic,
    /// `+01:30`.
    Extended,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl MomentFormat {
    /// Reads a pattern; the error says in one line what is wrong.
    pub fn parse(source: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut chars = source.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\'' {
                let mut text = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.next_if_eq(&'\'').is_some() => text.push('\''),
                        Some('\'') => break,
                        Some(other) => text.push(other),
                        None => return Err("a quote is not closed".into()),
                    }
                }
                // Two quotes on their own are one.
                tokens.push(Token::Text(if text.is_empty() { "'".into() } else { text }));
            } else if c.is_ascii_alphabetic() {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                tokens.push(letter(c, count)?);
            } else if "[]{}#".contains(c) {
                return Err(format!("{c:?} is reserved or makes parts optional, which is not supported"));
            } else {
                tokens.push(Token::Text(c.into()));
            }
        }
        if tokens.is_empty() {
            return Err("the pattern is empty".into());
        }
        spread_adjacent_numbers(&mut tokens);
        Ok(Self { source: source.to_owned(), tokens })
    }

    /// The pattern as the contract writes it.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether the pattern has a year, a month and a day.
    pub fn has_date(&self) -> bool {
        let has = |wanted: &[Field]| {
            self.tokens
                .iter()
                .any(|token| matches!(token, Token::Number(field, ..) if wanted.contains(field)))
        };
        has(&[Field::Year, Field::YearOfCentury])
            && has(&[Field::Day])
            && (has(&[Field::Month]) || self.tokens.iter().any(|token| matches!(token, Token::Month { .. })))
    }

    /// Whether the pattern has an hour.
    pub fn has_time(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::Number(Field::Hour | Field::HourOfHalf, ..)))
    }

    /// Whether the pattern has an offset from UTC.
    pub fn has_offset(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::Offset { .. }))
    }

    /// Reads a text that has exactly this form and names a day and time that exist; `None` for any other.
    ///
    /// A two-digit year is one of 2000 to 2099. Parts that the pattern does not have are the earliest there are.
    pub fn read(&self, text: &str) -> Option<Moment> {
        let mut rest = text;
        let mut parts = Parts::default();
        for token in &self.tokens {
            rest = parts.take(token, rest)?;
        }
        if rest.is_empty() { parts.moment(self) } else { None }
    }
}

impl fmt::Debug for MomentFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

fn letter(c: char, count: usize) -> Result<Token, String> {
    let number = |field, most| Token::Number(field, count, if count == 1 { most } else { count });
    Ok(match (c, count) {
        ('y' | 'u', 2) => Token::Number(Field::YearOfCentury, 2, 2),
        ('y' | 'u', 4) => Token::Number(Field::Year, 4, 4),
        ('y' | 'u', 1) => Token::Number(Field::Year, 1, 4),
        ('M' | 'L', 1 | 2) => number(Field::Month, 2),
        ('M' | 'L', 3 | 4) => Token::Month { long: count == 4 },
        ('d', 1 | 2) => number(Field::Day, 2),
        ('E', 1..=4) => Token::Weekday { long: count == 4 },
        ('H', 1 | 2) => number(Field::Hour, 2),
        ('h', 1 | 2) => number(Field::HourOfHalf, 2),
        ('m', 1 | 2) => number(Field::Minute, 2),
        ('s', 1 | 2) => number(Field::Second, 2),
        ('S', 1..=9) => Token::Fraction(count),
        ('a', 1) => Token::HalfDay,
        ('X' | 'x', 1) => Token::Offset { zulu: c == 'X', style: OffsetStyle::Short },
        ('X' | 'x', 2) => Token::Offset { zulu: c == 'X', style: OffsetStyle::Basic },
        ('X' | 'x', 3) => Token::Offset { zulu: c == 'X', style: OffsetStyle::Extended },
        ('Z', 1..=3) => Token::Offset { zulu: false, style: OffsetStyle::Basic },
        ('Z', 5) => Token::Offset { zulu: true, style: OffsetStyle::Extended },
        _ => return Err(format!("{:?} is not known", c.to_string().repeat(count))),
    })
}

/// A number of free width before another number takes only as much as leaves the other its width, as no other
/// reading exists; of two free ones the first takes one digit.
fn spread_adjacent_numbers(tokens: &mut [Token]) {
    for at in 1..tokens.len() {
        let follows = matches!(tokens[at], Token::Number(..) | Token::Fraction(_));
        if let (true, Token::Number(_, least, most)) = (follows, &mut tokens[at - 1]) {
            *most = *least;
        }
    }
}

#[derive(Default)]
struct Parts {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    weekday: Option<usize>,
    hour: Option<i8>,
    hour_of_half: Option<i8>,
    afternoon: Option<bool>,
    minute: Option<i8>,
    second: Option<i8>,
    nanosecond: Option<i32>,
    offset: Option<Offset>,
}

/// Notes a part; a second one that says otherwise makes the text unreadable.
fn note<T: PartialEq + Copy>(part: &mut Option<T>, value: T) -> Option<()> {
    (*part.get_or_insert(value) == value).then_some(())
}

impl Parts {
    fn take<'a>(&mut self, token: &Token, text: &'a str) -> Option<&'a str> {
        match token {
            Token::Text(expected) => text.strip_prefix(expected.as_str()),
            Token::Number(field, least, most) => {
                let (value, rest) = digits(text, *least, *most)?;
                let small = i8::try_from(value).ok();
                match field {
                    Field::Year => note(&mut self.year, i16::try_from(value).ok()?)?,
                    Field::YearOfCentury => note(&mut self.year, 2000 + i16::from(small?))?,
                    Field::Month => note(&mut self.month, small?)?,
                    Field::Day => note(&mut self.day, small?)?,
                    Field::Hour => note(&mut self.hour, small?)?,
                    Field::HourOfHalf => note(&mut self.hour_of_half, small?)?,
                    Field::Minute => note(&mut self.minute, small?)?,
                    Field::Second => note(&mut self.second, small?)?,
                }
                Some(rest)
            }
            Token::Fraction(count) => {
                let (value, rest) = digits(text, *count, *count)?;
                note(&mut self.nanosecond, value * 10_i32.pow(9 - u32::try_from(*count).ok()?))?;
                Some(rest)
            }
            Token::Month { long } => {
                let (at, rest) = name(text, &MONTHS, *long)?;
                note(&mut self.month, i8::try_from(at).ok()? + 1)?;
                Some(rest)
            }
            Token::Weekday { long } => {
                let (at, rest) = name(text, &WEEKDAYS, *long)?;
                note(&mut self.weekday, at)?;
                Some(rest)
            }
            Token::HalfDay => {
                let (at, rest) = name(text, &["AM", "PM"], true)?;
                note(&mut self.afternoon, at == 1)?;
                Some(rest)
            }
            Token::Offset { zulu, style } => {
                let (offset, rest) = offset(text, *zulu, *style)?;
                note(&mut self.offset, offset)?;
                Some(rest)
            }
        }
    }

    fn moment(self, format: &MomentFormat) -> Option<Moment> {
        let mut hour = self.hour;
        if let Some(half) = self.hour_of_half {
            let half = (1..=12).contains(&half).then_some(half % 12)?;
            note(&mut hour, half + if self.afternoon.unwrap_or(false) { 12 } else { 0 })?;
        }
        let date =
            Date::new(self.year.unwrap_or(1970), self.month.unwrap_or(1), self.day.unwrap_or(1)).ok()?;
        let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).ok();
        if format.has_date() && self.weekday.is_some() && self.weekday != weekday {
            return None;
        }
        let (hour, minute, second) = (hour.unwrap_or(0), self.minute.unwrap_or(0), self.second.unwrap_or(0));
        let time = Time::new(hour, minute, second, self.nanosecond.unwrap_or(0)).ok()?;
        let has_date = self.year.or(self.month.map(i16::from)).or(self.day.map(i16::from)).is_some();
        Some(Moment {
            date: has_date.then_some(date),
            time: (format.has_time() || !has_date).then_some(time),
            offset: self.offset,
        })
    }
}

fn digits(text: &str, least: usize, most: usize) -> Option<(i32, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < least {
        return None;
    }
    Some((text[..count].parse().ok()?, &text[count..]))
}

fn name<'a>(text: &'a str, names: &[&str], long: bool) -> Option<(usize, &'a str)> {
    names
        .iter()
        .enumerate()
        .find_map(|(at, name)| Some((at, text.strip_prefix(if long { name } else { &name[..3] })?)))
}

fn offset(text: &str, zulu: bool, style: OffsetStyle) -> Option<(Offset, &str)> {
    if zulu && let Some(rest) = text.strip_prefix('Z') {
        return Some((Offset::UTC, rest));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = digits(&text[1..], 2, 2)?;
    let (minutes, rest) = match style {
        OffsetStyle::Short => digits(rest, 2, 2).unwrap_or((0, rest)),
        OffsetStyle::Basic => digits(rest, 2, 2)?,
        OffsetStyle::Extended => digits(rest.strip_prefix(':')?, 2, 2)?,
    };
    if hours > 18 || minutes > 59 {
        return None;
    }
    Some((Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()?, rest))
}

/// Reads what ISO 8601 and RFC 3339 write: the form that a date, time or timestamp has without a `format`.
///
/// A date is `2026-11-21`. A time is `06:00`, `06:00:00` or with a fraction, with or without an offset. A
/// timestamp is both with a `T` between.
pub fn read_iso(text: &str) -> Option<Moment> {
    if !text.is_ascii() {
        return None;
    }
    let (date, clock) = match text.split_once('T') {
        Some((date, clock)) => (Some(date), Some(clock)),
        None if text.as_bytes().get(2) == Some(&b':') => (None, Some(text)),
        None => (Some(text), None),
    };
    let date = match date {
        Some(text) => Some(iso_date(text)?),
        None => None,
    };
    let Some(clock) = clock else { return Some(Moment { date, time: None, offset: None }) };
    let (time, offset) = iso_time(clock)?;
    Some(Moment { date, time: Some(time), offset })
}

fn iso_date(text: &str) -> Option<Date> {
    let (year, rest) = digits(text, 4, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2, 2)?;
    let date =
        Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    rest.is_empty().then_some(date)
}

fn iso_time(text: &str) -> Option<(Time, Option<Offset>)> {
    let (hour, rest) = digits(text, 2, 2)?;
    let (minute, mut rest) = digits(rest.strip_prefix(':')?, 2, 2)?;
    let (mut second, mut nanosecond) = (0, 0);
    if let Some(more) = rest.strip_prefix(':') {
        (second, rest) = digits(more, 2, 2)?;
        if let Some(more) = rest.strip_prefix('.') {
            let count = more.bytes().take(9).take_while(u8::is_ascii_digit).count();
            let (value, after) = digits(more, 1, 9)?;
            nanosecond = value * 10_i32.pow(9 - u32::try_from(count).ok()?);
            rest = after;
        }
    }
    let of = |value: i32| i8::try_from(value).ok();
    let time = Time::new(of(hour)?, of(minute)?, of(second)?, nanosecond).ok()?;
    if rest.is_empty() {
        return Some((time, None));
    }
    let (offset, rest) = offset(rest, true, OffsetStyle::Extended)?;
    rest.is_empty().then_some((time, Some(offset)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(format: &str, text: &str) -> Option<String> {
        MomentFormat::parse(format).unwrap().read(text).map(|moment| moment.to_string())
    }

    #[test]
    fn patterns_of_the_jdk_read_their_texts() {
        for (format, text, expected) in [
            ("yyyy-MM-dd'T'HH:mm:ssX", "2026-11-21T06:00:00Z", Some("2026-11-21T06:00:00Z")),
            ("yyyy-MM-dd'T'HH:mm:ssX", "2026-11-21T06:00:00+01", Some("2026-11-21T06:00:00+01:00")),
            ("yyyy-MM-dd'T'HH:mm:ssX", "2026-11-21T06:00:00", None),
            (
                "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
                "2026-11-21T06:00:00.250-03:30",
                Some("2026-11-21T06:00:00.25-03:30"),
            ),
            ("yyyy-MM-dd", "2026-02-30", None),
            ("yyyy-MM-dd", "2024-02-29", Some("2024-02-29")),
            ("yyyy-MM-dd", "2026-11-21x", None),
            ("yyyyMMdd", "20261121", Some("2026-11-21")),
            ("d/M/yy", "1/2/26", Some("2026-02-01")),
            ("EEE, d MMM yyyy HH:mm:ss Z", "Sat, 21 Nov 2026 06:00:00 +0000", Some("2026-11-21T06:00:00Z")),
            ("EEE, d MMM yyyy", "Fri, 21 Nov 2026", None),
            ("HH:mm", "24:00", None),
            ("HH:mm", "06:30", Some("06:30:00")),
            ("hh:mm a", "12:30 AM", Some("00:30:00")),
            ("hh:mm a", "12:30 PM", Some("12:30:00")),
            ("yyyy''MM", "2026'11", Some("2026-11-01")),
            ("HH'h'", "06h", Some("06:00:00")),
        ] {
            assert_eq!(read(format, text).as_deref(), expected, "{format} {text}");
        }
    }

    #[test]
    fn a_pattern_with_an_unknown_letter_is_refused() {
        for format in ["", "yyyy-MM-dd'T", "yyy", "YYYY-MM-dd", "VV", "[HH]", "SSSSSSSSSS", "n"] {
            assert!(MomentFormat::parse(format).is_err(), "{format}");
        }
    }

    #[test]
    fn iso_texts_are_read_whole() {
        for text in ["2026-11-21", "06:00:00", "2026-11-21T06:00:00", "2026-11-21T06:00:00.5+05:30"] {
            assert_eq!(read_iso(text).map(|moment| moment.to_string()).as_deref(), Some(text));
        }
        for text in
            ["", "2026-11-21T", "2026-13-01", "2026-11-21T06:00:00ZZ", "06:00:00.", "T06:00", "2026-1-1", "é"]
        {
            assert_eq!(read_iso(text), None, "{text}");
        }
        assert!(read_iso("2026-11-21T06:00+02:00") < read_iso("2026-11-21T05:00Z"));
        assert_eq!(read_iso("06:00").unwrap().partial_cmp(&read_iso("2026-11-21").unwrap()), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(format in "[yMdHhmsSaXZE:' é-]{0,10}", text in r"\PC{0,20}") {
            let _ = read_iso(&text);
            if let Ok(format) = MomentFormat::parse(&format) {
                let _ = format.read(&text);
            }
        }
    }
}
