//! Which segments of a table a part of a shared check reads, in which order, and when it stops.
//!
//! Without a ceiling a part is one segment. With one, the table is divided into many, in an order that the version
//! and its table alone decide, so that a check that is done again reads the same ones first. Each part has its
//! share of them and of the ceiling, and reads whole segments for as long as another one is likely to fit. If all of
//! them fit, all of the table was read.

use septet_tables::{Key, Segment};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Into how many parts a check with a ceiling is divided: enough samples to tell how far they are apart.
pub(crate) const PARTS: u32 = 16;

/// The fewest and the most segments of a table that may be read in part.
const SEGMENTS: (u32, u32) = (4 * PARTS, 256 * PARTS);

/// A page costs half a read unit or more (a quarter of it rounding, if segments are as small as this many units).
const LEAST_PAGE: f64 = 0.5;
const UNITS_OF_SEGMENT: u32 = 4;

/// A segment is begun if one that costs so many times as much as the dearest would fit: those that do not fit after
/// all are the larger ones, which a sample must not lack.
const MARGIN: f64 = 1.25;

/// What one part reads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Course {
    segments: Vec<u32>,
    total: u32,
    /// Read units.
    ceiling: Option<f64>,
}

/// How far along its course a part is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Segments that are done with.
    pub(crate) passed: usize,
    /// Those of them that were read to their ends.
    pub(crate) read: u32,
    /// Those that were begun and cost more than was left.
    pub(crate) dropped: u32,
    /// Where the next page of the one that is being read begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<Key>,
    /// What everything cost.
    pub(crate) units: f64,
    /// What the segment that is being read cost.
    pub(crate) open: f64,
    /// What the dearest segment cost.
    pub(crate) dearest: f64,
}

/// What a page leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// The next page.
    Page,
    /// The end of the segment.
    Segment,
    /// The ceiling: what was seen of the segment does not count.
    Ceiling,
}

impl Course {
    /// The course of a part; the seed is the version's and its table's.
    pub(crate) fn new(seed: &str, parts: u32, ceiling: Option<u32>, part: u32) -> Self {
        let Some(ceiling) = ceiling else {
            return Self { segments: vec![part], total: parts, ceiling: None };
        };
        let total = segments(ceiling).next_multiple_of(parts);
        let mut order: Vec<_> = (0..total).map(|segment| (rank(seed, segment), segment)).collect();
        order.sort_unstable();
        let mine = order.into_iter().skip(part as usize).step_by(parts as usize);
        Self {
            segments: mine.map(|(_, segment)| segment).collect(),
            total,
            ceiling: Some(f64::from(ceiling) / f64::from(parts)),
        }
    }

    /// Whether segments count only if they are read to their ends.
    pub(crate) fn has_ceiling(&self) -> bool {
        self.ceiling.is_some()
    }

    /// Into how many segments the table is divided.
    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// The segment to read from; none at the end.
    pub(crate) fn segment(&self, place: &Place) -> Option<Segment> {
        let index = *self.segments.get(place.passed)?;
        let fits = self.ceiling.is_none_or(|ceiling| place.units + MARGIN * place.dearest <= ceiling);
        (place.start.is_some() || fits).then_some(Segment { index, total: self.total })
    }

    /// Takes note of a page, the beginning of the next one and what it cost.
    pub(crate) fn pass(&self, place: &mut Place, next: Option<Key>, units: f64) -> Passed {
        let units = units.max(LEAST_PAGE);
        place.units += units;
        place.open += units;
        place.start = next;
        let passed = match (&place.start, self.ceiling) {
            (None, _) => Passed::Segment,
            (Some(_), Some(ceiling)) if place.units >= ceiling => Passed::Ceiling,
            (Some(_), _) => return Passed::Page,
        };
        place.dearest = place.dearest.max(place.open);
        (place.open, place.start) = (0.0, None);
        match passed {
            Passed::Segment => {
                place.read += 1;
                place.passed += 1;
            }
            _ => {
                place.dropped += 1;
                place.passed = self.segments.len();
            }
        }
        passed
    }
}

impl Place {
    /// Begins the segment that is being read anew.
    pub(crate) fn back(&mut self) {
        (self.open, self.start) = (0.0, None);
    }
}

/// Into how many segments a table is divided: the more, the finer the ceiling is kept, but each costs some reading
/// even where there is little to read.
fn segments(ceiling: u32) -> u32 {
    (ceiling / UNITS_OF_SEGMENT).clamp(SEGMENTS.0, SEGMENTS.1)
}

fn rank(seed: &str, segment: u32) -> [u8; 32] {
    Sha256::digest(format!("{seed}#{segment}")).into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use septet_tables::KeyValue;

    use super::*;

    fn courses(seed: &str, ceiling: u32) -> Vec<Course> {
        (0..PARTS).map(|part| Course::new(seed, PARTS, Some(ceiling), part)).collect()
    }

    fn key() -> Key {
        Key([("id".to_owned(), KeyValue::S("k".into()))].into())
    }

    #[test]
    fn without_a_ceiling_a_part_is_one_segment() {
        let course = Course::new("recs#1#t", 7, None, 3);
        let mut place = Place::default();
        assert_eq!(course.segment(&place), Some(Segment { index: 3, total: 7 }));
        assert_eq!(course.pass(&mut place, Some(key()), 1e9), Passed::Page);
        assert_eq!(course.segment(&place), Some(Segment { index: 3, total: 7 }));
        assert_eq!(course.pass(&mut place, None, 1e9), Passed::Segment);
        assert_eq!((course.segment(&place), place.read), (None, 1));
    }

    #[test]
    fn the_parts_have_every_segment_once_in_an_order_that_the_seed_alone_decides() {
        for (ceiling, total) in [(1, 64), (1_000, 256), (250_000, 4096), (1_000_000_000, 4096)] {
            let mine = courses("recs#1#t", ceiling);
            let all: BTreeSet<_> = mine.iter().flat_map(|course| course.segments.clone()).collect();
            assert_eq!(all, (0..total).collect());
            assert_eq!(mine.iter().map(|course| course.segments.len() as u32).sum::<u32>(), total);
            assert!(mine.iter().all(|course| course.total() == total));
            assert_eq!(mine, courses("recs#1#t", ceiling));
            assert_ne!(mine, courses("recs#1#u", ceiling));
        }
    }

    proptest! {
        #[test]
        fn reading_ends_at_the_ceiling_or_the_end_and_counts_whole_segments(
            ceiling in 16..5_000_u32, costs in prop::collection::vec(prop::collection::vec(0.0..40.0_f64, 1..4), 1..80),
        ) {
            let course = Course::new("recs#1#t", PARTS, Some(ceiling), 5);
            let share = f64::from(ceiling) / f64::from(PARTS);
            let (mut place, mut read, mut asked) = (Place::default(), 0, 0);
            let (mut last, mut all) = (0.0_f64, 0.0);
            while let Some(segment) = course.segment(&place) {
                prop_assert_eq!(segment.index, course.segments[asked]);
                let pages = &costs[asked % costs.len()];
                asked += 1;
                for (at, units) in pages.iter().enumerate() {
                    prop_assert!(place.units < share || place.units == 0.0);
                    last = units.max(0.5);
                    all += last;
                    let more = at + 1 < pages.len();
                    match course.pass(&mut place, more.then(key), *units) {
                        Passed::Page => prop_assert!(more),
                        Passed::Segment => read += 1,
                        Passed::Ceiling => break,
                    }
                    // As it is kept.
                    place = serde_json::from_str(&serde_json::to_string(&place).unwrap()).unwrap();
                }
            }
            prop_assert!(place.units < share + last && (place.units - all).abs() < 1e-6);
            prop_assert_eq!(place.read, read);
            prop_assert!(asked == (read + place.dropped) as usize && place.dropped <= 1);
            // It stops early only if another such segment might not fit.
            prop_assert!(asked == course.segments.len() || place.units + MARGIN * place.dearest > share);
        }
    }
}
