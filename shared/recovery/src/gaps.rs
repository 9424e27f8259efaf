//! Stretches of time in which a live feed was silent, and what of them nobody brought back.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::grid::Window;

/// The silent stretches in counts of messages, each the count of the period that begins at its time.
///
/// A stretch begins with the last period that had messages and ends with the first that has some again, for in both
/// of them a part may be missing; one that lasts ends at `until`. What came before the first message is no silence:
/// nobody knows whether there was a feed yet.
pub fn silent(
    counts: &BTreeMap<Timestamp, f64>,
    period: SignedDuration,
    longer_than: SignedDuration,
    until: Timestamp,
) -> Vec<Window> {
    let mut heard = counts.iter().filter(|(_, count)| **count > 0.0).map(|(at, _)| *at);
    let Some(mut last) = heard.next() else { return Vec::new() };
    let mut stretches = Vec::new();
    for (next, end) in heard.map(|at| (at, at + period)).chain([(until, until)]) {
        let silence = next.duration_since(last) - period;
        if silence > longer_than {
            stretches.push(Window { start: last, end });
        }
        last = next;
    }
    stretches
}

/// What of stretches lies in no window of `covered`.
pub fn without(stretches: &[Window], covered: &[Window]) -> Vec<Window> {
    let mut covered = covered.to_vec();
    covered.sort();
    let mut left = Vec::new();
    for stretch in stretches {
        let mut from = stretch.start;
        for window in &covered {
            if window.end <= from || window.start >= stretch.end {
                continue;
            }
            if from < window.start {
                left.push(Window { start: from, end: window.start });
            }
            from = from.max(window.end);
        }
        if from < stretch.end {
            left.push(Window { start: from, end: stretch.end });
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: SignedDuration = SignedDuration::from_mins(5);

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_400 + minutes * 60).unwrap()
    }

    fn stretch(from: i64, to: i64) -> Window {
        Window { start: at(from), end: at(to) }
    }

    fn silence(heard: &[(i64, f64)], longer_than: i64, until: i64) -> Vec<Window> {
        let counts = heard.iter().map(|(minutes, count)| (at(*minutes), *count)).collect();
        silent(&counts, PERIOD, SignedDuration::from_mins(longer_than), at(until))
    }

    #[test]
    fn a_silence_reaches_from_the_last_period_with_messages_to_the_first_again() {
        let heard = [(0, 3.0), (5, 1.0), (10, 0.0), (70, 2.0), (75, 1.0)];
        assert_eq!(silence(&heard, 30, 80), [stretch(5, 75)]);
        assert_eq!(silence(&heard, 60, 80), [], "it is no longer than an hour");
        assert_eq!(silence(&heard, 30, 200), [stretch(5, 75), stretch(75, 200)], "the second lasts");
    }

    #[test]
    fn before_the_first_message_nobody_knows() {
        assert_eq!(silence(&[], 30, 10_000), []);
        assert_eq!(silence(&[(900, 1.0)], 30, 905), []);
    }

    #[test]
    fn what_was_brought_back_is_no_gap() {
        let gaps = [stretch(0, 100), stretch(200, 300)];
        assert_eq!(without(&gaps, &[]), gaps);
        let done = [stretch(50, 60), stretch(-10, 20), stretch(55, 70), stretch(190, 310)];
        assert_eq!(without(&gaps, &done), [stretch(20, 50), stretch(70, 100)]);
    }
}
