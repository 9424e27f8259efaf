//! Messages into batches, by count and by bytes; and what no queue takes.

use crate::port::{Parcel, Stamp};

/// Entries of one call.
const MOST_ENTRIES: usize = 10;
/// Bytes of one message, and of all messages of one call, attributes included.
pub(super) const MOST_BYTES: usize = 1_048_576;

/// The attribute that tells a record from all others.
pub(super) const RECORD_ID: &str = "septet.record_id";
/// The attribute that says its event time.
pub(super) const EVENT_TIME: &str = "septet.event_time";

/// What else comes with a record, whichever of its window it is: name and value.
pub(super) fn of_stamp(stamp: &Stamp) -> [(&'static str, String); 4] {
    [
        ("septet.recovered", "true".to_owned()),
        ("septet.run", stamp.run.to_string()),
        ("septet.window", stamp.window.to_string()),
        ("septet.generation", stamp.generation.to_string()),
    ]
}

fn attribute(name: &str, value: &str) -> usize {
    name.len() + "String".len() + value.len()
}

fn bytes(parcel: &Parcel<'_>, stamped: usize) -> usize {
    let id = if parcel.id.is_empty() { 0 } else { attribute(RECORD_ID, parcel.id) };
    let time = parcel.time.map_or(0, |time| attribute(EVENT_TIME, &time.to_string()));
    parcel.body.len() + stamped + id + time
}

fn bytes_of_stamp(stamp: &Stamp) -> usize {
    of_stamp(stamp).iter().map(|(name, value)| attribute(name, value)).sum()
}

/// Whether a queue takes a character: those that XML 1.0 has.
fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn illegal(text: &str) -> Option<char> {
    // U+FFFE and U+FFFF begin with this byte: most texts need no closer look.
    let plain = text.bytes().all(|b| b >= b' ' && b != 0xef);
    if plain { None } else { text.chars().find(|c| !is_legal(*c)) }
}

/// Why no message holds a record.
pub(super) fn unfit(parcel: &Parcel<'_>) -> Option<String> {
    unfit_of(parcel, bytes(parcel, bytes_of_stamp(parcel.stamp)))
}

fn unfit_of(parcel: &Parcel<'_>, length: usize) -> Option<String> {
    if length > MOST_BYTES {
        return Some(format!("{length} bytes are more than a message holds"));
    }
    let c = illegal(parcel.body).or_else(|| illegal(parcel.id))?;
    Some(format!("no message holds the character U+{:04X}", u32::from(c)))
}

/// Places of parcels, by the call that carries them, in their order; and those that none can carry, with the reason.
///
/// Of one group a call carries one: of two, the queue may take the second alone, and their order would be lost.
pub(super) fn pack(
    parcels: &[Parcel<'_>],
    group: impl Fn(&Parcel<'_>) -> Option<String>,
) -> (Vec<Vec<usize>>, Vec<(usize, String)>) {
    let (mut batches, mut poison) = (Vec::new(), Vec::new());
    let (mut batch, mut filled, mut groups) = (Vec::new(), 0, Vec::new());
    let mut known: Option<(&Stamp, usize)> = None;
    for (index, parcel) in parcels.iter().enumerate() {
        let stamped = match known.filter(|(stamp, _)| *stamp == parcel.stamp) {
            Some((_, stamped)) => stamped,
            None => bytes_of_stamp(parcel.stamp),
        };
        known = Some((parcel.stamp, stamped));
        let length = bytes(parcel, stamped);
        if let Some(reason) = unfit_of(parcel, length) {
            poison.push((index, reason));
            continue;
        }
        let group = group(parcel);
        let met = group.as_ref().is_some_and(|group| groups.contains(group));
        if batch.len() == MOST_ENTRIES || filled + length > MOST_BYTES || met {
            batches.push(std::mem::take(&mut batch));
            filled = 0;
            groups.clear();
        }
        groups.extend(group);
        batch.push(index);
        filled += length;
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    (batches, poison)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamp() -> Stamp {
        let at = jiff::Timestamp::UNIX_EPOCH;
        Stamp { feed: "plays".into(), run: uuid::Uuid::nil(), window: at, generation: 1 }
    }

    #[test]
    fn what_no_queue_takes_is_poison_and_the_rest_goes_on() {
        let stamp = stamp();
        let large = "x".repeat(MOST_BYTES);
        let parcel = |body, id| Parcel { body, id, time: None, stamp: &stamp };
        let parcels = [
            parcel("{}", "1"),
            parcel(&large, "2"),
            parcel("\u{fffe}", "3"),
            parcel("{}", "\u{1}"),
            parcel("é😀\u{fffd}", ""),
        ];
        let (batches, poison) = pack(&parcels, |_| None);
        assert_eq!(batches, [vec![0, 4]]);
        assert_eq!(poison.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(poison[1].1.contains("U+FFFE"), "{poison:?}");
    }

    #[test]
    fn a_call_carries_one_record_of_a_group() {
        let stamp = stamp();
        let parcels =
            ["a", "b", "a", "c", "c"].map(|id| Parcel { body: "{}", id, time: None, stamp: &stamp });
        let (batches, _) = pack(&parcels, |parcel| Some(parcel.id.to_owned()));
        assert_eq!(batches, [vec![0, 1], vec![2, 3], vec![4]]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn every_parcel_is_in_one_batch_that_a_call_takes(sizes in prop::collection::vec(prop_oneof![4 => 0_usize..2000, 1 => 500_000_usize..1_200_000], 0..40)) {
            let (stamp, body) = (stamp(), "x".repeat(1_200_000));
            let stamped = bytes_of_stamp(&stamp);
            let parcels: Vec<_> = sizes.iter().map(|size| Parcel { body: &body[..*size], id: "id", time: None, stamp: &stamp }).collect();
            let (batches, poison) = pack(&parcels, |_| None);
            let mut seen: Vec<usize> = batches.concat();
            prop_assert!(seen.is_sorted(), "their order is kept");
            seen.extend(poison.iter().map(|(index, _)| *index));
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..parcels.len()).collect::<Vec<_>>());
            for batch in &batches {
                prop_assert!((1..=MOST_ENTRIES).contains(&batch.len()));
                prop_assert!(batch.iter().map(|index| bytes(&parcels[*index], stamped)).sum::<usize>() <= MOST_BYTES);
            }
            for pair in batches.windows(2) {
                let next = bytes(&parcels[pair[1][0]], stamped);
                let full = pair[0].iter().map(|index| bytes(&parcels[*index], stamped)).sum::<usize>() + next > MOST_BYTES;
                prop_assert!(full || pair[0].len() == MOST_ENTRIES, "a batch is as full as can be");
            }
        }
    }
}
