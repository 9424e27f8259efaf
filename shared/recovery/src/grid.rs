//! A range, cut into windows.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};

use crate::feed::{Incremental, RangeEnd};
use crate::time::{Step, ceil, floor};

/// A stretch of time, `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// The first moment.
    pub start: Timestamp,
    /// The moment after the last.
    pub end: Timestamp,
}

impl Window {
    /// Whether a moment lies in the window.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && time < self.end
    }

    /// What the API is asked for, so that it gives every record of the window, and perhaps more: rounded
    /// outwards to what the format can print, the start a moment early, and the end as the API means it.
    ///
    /// Early, because many an API compares texts, and takes `10:00:00.000Z` for earlier than `10:00:00Z`; others
    /// leave the start out. Either would lose, in silence, what lies on the edge.
    pub fn asked(&self, incremental: &Incremental) -> (Timestamp, Timestamp) {
        let resolution = incremental.datetime_format.resolution();
        let second = SignedDuration::from_secs(1);
        // Of days and hours a moment is a whole one, and their texts are all of one length.
        let moment = if resolution > second.as_nanos() {
            SignedDuration::ZERO
        } else {
            incremental.cursor_granularity.min(second)
        };
        let early = incremental.lookback_window.max(moment);
        let start = self.start.checked_sub(early).unwrap_or(Timestamp::MIN);
        let end = match incremental.range_end {
            RangeEnd::Open => ceil(self.end, resolution),
            RangeEnd::Closed => {
                let granularity = incremental.cursor_granularity;
                let end = ceil(self.end, granularity.as_nanos());
                end.checked_sub(granularity).unwrap_or(end)
            }
        };
        (floor(start, resolution), end)
    }

    /// Both as the API is told them.
    pub fn printed(&self, incremental: &Incremental) -> Result<(String, String), String> {
        let offset = incremental.zoneless.unwrap_or(Offset::UTC);
        let (start, end) = self.asked(incremental);
        let format = &incremental.datetime_format;
        Ok((format.print(start, offset)?, format.print(end, offset)?))
    }
}

/// The windows of a range, by index: none is held.
#[derive(Debug, Clone)]
pub struct Grid {
    range: Window,
    step: Step,
    zone: TimeZone,
    len: u32,
}

/// More windows than this are no recovery but a mistake in the step.
const MOST: u32 = 20_000;

impl Grid {
    /// Cuts a range; days are those of `zone`, and the first may be a part of one.
    pub fn new(range: Window, step: Step, zone: TimeZone) -> Result<Self, String> {
        let mut grid = Self { range, step, zone, len: 0 };
        let span = range.end.duration_since(range.start).as_nanos();
        let guess = match step {
            Step::Elapsed(step) => span.div_ceil_by(step.as_nanos()),
            // No day is shorter than 22 hours.
            Step::Days(days) => span.div_ceil_by(i128::from(days) * 22 * 3_600_000_000_000) + 2,
        };
        if guess > i128::from(MOST) + 2 {
            return Err(format!("windows of {step} would be more than {MOST}: write a longer step"));
        }
        let mut len = 0;
        while grid.edge(len)? < range.end {
            len += 1;
            if let Step::Elapsed(_) = step {
                len = u32::try_from(guess).map_err(|_| "too many windows".to_owned())?;
                break;
            }
        }
        grid.len = len;
        if len == 0 || len > MOST {
            return Err(format!("windows of {step} would be {len}: write another step, or a longer range"));
        }
        Ok(grid)
    }

    /// How many windows there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Never: a range has at least one.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A window by its index, from 0 on.
    pub fn get(&self, index: u32) -> Option<Window> {
        if index >= self.len {
            return None;
        }
        let (start, end) = (self.edge(index).ok()?, self.edge(index + 1).ok()?);
        Some(Window { start, end: end.min(self.range.end) })
    }

    /// Every window, the earliest first.
    pub fn windows(&self) -> impl Iterator<Item = Window> {
        (0..self.len).filter_map(|index| self.get(index))
    }

    fn edge(&self, index: u32) -> Result<Timestamp, String> {
        let Window { start, end } = self.range;
        if index == 0 {
            return Ok(start);
        }
        match self.step {
            Step::Elapsed(step) => {
                let nanos = start.as_nanosecond() + step.as_nanos() * i128::from(index);
                Timestamp::from_nanosecond(nanos.min(end.as_nanosecond())).map_err(|error| error.to_string())
            }
            Step::Days(days) => {
                let first: Date = start.to_zoned(self.zone.clone()).date();
                let day = first.checked_add(Span::new().days(i64::from(days) * i64::from(index)));
                let day = day.map_err(|error| error.to_string())?;
                let midnight = day.to_zoned(self.zone.clone()).map_err(|error| error.to_string())?;
                Ok(midnight.timestamp())
            }
        }
    }
}

trait DivCeil {
    fn div_ceil_by(self, by: Self) -> Self;
}

impl DivCeil for i128 {
    fn div_ceil_by(self, by: Self) -> Self {
        (self + by - 1).div_euclid(by.max(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn grid(from: &str, to: &str, step: &str, zone: &str) -> Vec<String> {
        let range = Window { start: at(from), end: at(to) };
        let grid = Grid::new(range, Step::parse(step).unwrap(), TimeZone::get(zone).unwrap()).unwrap();
        grid.windows().map(|window| format!("{}/{}", window.start, window.end)).collect()
    }

    #[test]
    fn a_day_has_the_hours_of_its_zone() {
        let days = grid("2026-10-24T22:00:00Z", "2026-10-26T23:00:00Z", "1d", "Europe/Oslo");
        assert_eq!(
            days,
            ["2026-10-24T22:00:00Z/2026-10-25T23:00:00Z", "2026-10-25T23:00:00Z/2026-10-26T23:00:00Z"],
            "the day on which clocks go back has 25 hours"
        );
        let hours = grid("2026-10-24T22:00:00Z", "2026-10-26T23:00:00Z", "24h", "Europe/Oslo");
        assert_eq!(hours.len(), 3);
        let part = grid("2026-11-18T15:00:00Z", "2026-11-19T01:00:00Z", "1d", "UTC");
        assert_eq!(
            part,
            ["2026-11-18T15:00:00Z/2026-11-19T00:00:00Z", "2026-11-19T00:00:00Z/2026-11-19T01:00:00Z"]
        );
    }

    #[test]
    fn four_days_in_minutes_are_5760_windows() {
        assert_eq!(grid("2026-11-18T00:00:00Z", "2026-11-22T00:00:00Z", "1m", "UTC").len(), 5760);
        let range = Window { start: at("2026-01-01T00:00:00Z"), end: at("2026-11-22T00:00:00Z") };
        let refused = Grid::new(range, Step::parse("1s").unwrap(), TimeZone::UTC).unwrap_err();
        assert!(refused.contains("longer step"), "{refused}");
    }

    fn incremental(format: &str, end: &str, granularity: &str) -> Incremental {
        let yaml = crate::feed::EXAMPLE
            .replace(
                "datetime_format: rfc3339",
                &format!("datetime_format: \"{format}\"\n  zoneless_times: UTC"),
            )
            .replace("  lookback_window: 5m\n", "")
            .replace("step: 1h", "step: 24h")
            .replace("range_end: open", &format!("range_end: {end}"))
            .replace("cursor_granularity: 1ms", &format!("cursor_granularity: {granularity}"));
        crate::Feed::parse(&yaml).unwrap().incremental
    }

    #[test]
    fn an_edge_is_translated_to_what_the_api_means() {
        let window = Window { start: at("2026-11-18T00:00:00.5Z"), end: at("2026-11-18T01:00:00.5Z") };
        for (format, end, granularity, expected) in [
            ("rfc3339", "open", "1ms", ("2026-11-18T00:00:00.499Z", "2026-11-18T01:00:00.5Z")),
            ("rfc3339", "closed", "1ms", ("2026-11-18T00:00:00.499Z", "2026-11-18T01:00:00.499Z")),
            ("epoch_s", "open", "1s", ("1794959999", "1794963601")),
            ("epoch_s", "closed", "1s", ("1794959999", "1794963600")),
            ("%Y-%m-%d", "closed", "24h", ("2026-11-18", "2026-11-18")),
            ("%Y-%m-%d", "open", "24h", ("2026-11-18", "2026-11-19")),
        ] {
            let yaml_step = if format.starts_with('%') { "24h" } else { granularity };
            let printed = window.printed(&incremental(format, end, yaml_step)).unwrap();
            assert_eq!((printed.0.as_str(), printed.1.as_str()), expected, "{format} {end}");
        }
    }

    proptest! {
        #[test]
        fn windows_cover_the_range_and_nothing_twice(
            start in 0_i64..2_000_000_000, millis in 1_i64..2_000_000_000, step in prop_oneof![
                (1_i64..100_000_000).prop_map(|ms| Step::Elapsed(SignedDuration::from_millis(ms))),
                (1_u32..9).prop_map(Step::Days),
            ], zone in prop::sample::select(&["UTC", "Europe/Oslo", "America/St_Johns", "Pacific/Apia", "America/Santiago"]),
        ) {
            let start = Timestamp::from_second(start).unwrap();
            let range = Window { start, end: start + SignedDuration::from_millis(millis) };
            let Ok(grid) = Grid::new(range, step, TimeZone::get(zone).unwrap()) else {
                let Step::Elapsed(step) = step else { panic!("few days are never too many") };
                prop_assert!(SignedDuration::from_millis(millis).as_nanos() / step.as_nanos() >= i128::from(MOST));
                return Ok(());
            };
            let mut next = range.start;
            for window in grid.windows() {
                prop_assert_eq!(window.start, next);
                prop_assert!(window.end > window.start);
                next = window.end;
            }
            prop_assert_eq!(next, range.end);
            prop_assert_eq!(grid.windows().count(), grid.len() as usize);
        }

        #[test]
        fn what_the_api_is_asked_for_covers_the_window(
            nanos in 10_i128.pow(17)..2 * 10_i128.pow(18), length in 1_i64..10_i64.pow(15), record in 0.0..1.0_f64,
            format in prop::sample::select(&["rfc3339", "epoch_s", "epoch_ms", "%Y-%m-%d %H:%M", "%Y-%m-%d"]), closed: bool,
        ) {
            let start = Timestamp::from_nanosecond(nanos).unwrap();
            let window = Window { start, end: start + SignedDuration::from_nanos(length) };
            let granularity = match format { "rfc3339" => "1us", "epoch_s" => "1s", "epoch_ms" => "1ms", "%Y-%m-%d" => "24h", _ => "1m" };
            let incremental = incremental(format, if closed { "closed" } else { "open" }, granularity);
            let unit = incremental.cursor_granularity.as_nanos();
            let (from, to) = window.asked(&incremental);
            // A record whose time has the declared granularity, somewhere in the window.
            let time = ceil(start + SignedDuration::from_nanos((length as f64 * record) as i64), unit);
            if window.contains(time) {
                prop_assert!(from <= time && if closed { time <= to } else { time < to }, "{} {} {}", from, time, to);
            }
            prop_assert_eq!(floor(to, incremental.datetime_format.resolution()), to, "nothing is cut in printing");
        }
    }
}
