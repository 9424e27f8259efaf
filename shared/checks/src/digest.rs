//! Encodes values and sums up their hashes; the documentation of the crate has the format.

use septet_contract::Number;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::decimal::Decimal;
use crate::flat::{Elements, Members};
use crate::size;
use crate::view::View;

/// Encodes values, keeping its buffers from one to the next.
#[derive(Debug, Default, Clone)]
pub(crate) struct Encoder {
    out: Vec<u8>,
    /// Bytes of what was encoded as DynamoDB counts them.
    size: u64,
    spare: Vec<u8>,
    spans: Vec<Span>,
}

/// Where one member of a map or one element of a set lies in the output: a length, then the bytes to sort by.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

const LENGTH: usize = size_of::<u32>();

impl Encoder {
    pub(crate) fn clear(&mut self) {
        self.out.clear();
        self.size = 0;
    }

    /// The size of what was encoded since [`clear`](Self::clear), by DynamoDB's rule.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of what was encoded since [`clear`](Self::clear).
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.out).into()
    }

    /// The [`short_hash`](Self::short_hash) of one value.
    pub(crate) fn short_hash_of(&mut self, value: View<'_>) -> u128 {
        self.clear();
        self.value(value);
        self.short_hash()
    }

    /// The first 16 bytes of [`hash`](Self::hash).
    pub(crate) fn short_hash(&self) -> u128 {
        leading(&self.hash())
    }

    pub(crate) fn item(&mut self, item: Members<'_>) {
        self.out.push(b'M');
        self.count(item.len());
        if let Some(members) = item.sorted() {
            for (name, value) in members {
                self.text(name.as_bytes());
                self.value(value);
            }
            return;
        }
        let base = self.spans.len();
        for (name, value) in item.iter() {
            let start = self.out.len();
            self.text(name.as_bytes());
            self.value(value);
            self.spans.push(Span { start, end: self.out.len() });
        }
        self.sort(base);
    }

    pub(crate) fn value(&mut self, value: View<'_>) {
        match value {
            View::S(text) => {
                self.out.push(b'S');
                self.text(text.as_bytes());
            }
            View::N(text) => {
                self.out.push(b'N');
                self.number(text);
            }
            View::B(bytes) => {
                self.out.push(b'B');
                self.text(bytes);
            }
            View::Bool(value) => {
                self.out.push(if value { b'T' } else { b'F' });
                self.size += size::TRUTH;
            }
            View::Null => {
                self.out.push(b'0');
                self.size += size::NULL;
            }
            View::M(members) => {
                self.size += size::of_container(members.len());
                self.item(members);
            }
            View::L(elements) => {
                self.size += size::of_container(elements.len());
                self.out.push(b'L');
                self.count(elements.len());
                elements.iter().for_each(|element| self.value(element));
            }
            View::SS(elements) => self.set(b's', elements),
            View::NS(elements) => self.set(b'n', elements),
            View::BS(elements) => self.set(b'b', elements),
        }
    }

    fn set(&mut self, letter: u8, elements: Elements<'_>) {
        self.out.push(letter);
        self.count(elements.len());
        let base = self.spans.len();
        for element in elements.iter() {
            let start = self.out.len();
            match element {
                View::S(text) => self.text(text.as_bytes()),
                View::N(text) => self.number(text),
                View::B(bytes) => self.text(bytes),
                // A set has no others.
                _ => {}
            }
            self.spans.push(Span { start, end: self.out.len() });
        }
        self.sort(base);
    }

    /// Sorts what the spans from `base` on cover, which is the end of the output, and forgets them.
    fn sort(&mut self, base: usize) {
        let Self { out, spare, spans, .. } = self;
        let key = |span: &Span| {
            let text = span.start + LENGTH;
            let length = u32::from_be_bytes(out[span.start..text].try_into().unwrap_or_default());
            &out[text..text + length as usize]
        };
        if !spans[base..].is_sorted_by_key(key) {
            let from = spans[base].start;
            spans[base..].sort_unstable_by(|a, b| key(a).cmp(key(b)));
            spare.clear();
            for span in &spans[base..] {
                spare.extend_from_slice(&out[span.start..span.end]);
            }
            out.truncate(from);
            out.extend_from_slice(spare);
        }
        spans.truncate(base);
    }

    fn count(&mut self, count: usize) {
        // An item has at most 400 KB.
        self.out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn text(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.count(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    fn number(&mut self, text: &str) {
        let Ok(number) = Number::parse(text) else { return self.odd_number(text) };
        self.size += size::of_number(&number);
        let (negative, digits, power) = number.parts();
        // Written from its end, so that it goes out at once.
        let mut room = [0; 64];
        let mut at = write_integer(&mut room, power < 0, power.unsigned_abs().into());
        at -= 1;
        room[at] = b'e';
        at = write_integer(&mut room[..at], negative, digits) - LENGTH;
        let length = (room.len() - at - LENGTH) as u32;
        room[at..at + LENGTH].copy_from_slice(&length.to_be_bytes());
        self.out.extend_from_slice(&room[at..]);
    }

    /// One that DynamoDB would not take.
    #[cold]
    fn odd_number(&mut self, text: &str) {
        let number = Decimal::parse(text);
        self.size += number.as_ref().map_or(text.len() as u64, size::of_odd_number);
        let written = match number {
            Some(number) if number.count == 0 => "0e0".to_owned(),
            Some(number) => {
                let digits: String = number.digits().map(char::from).collect();
                format!("{}{digits}e{}", if number.negative { "-" } else { "" }, number.exponent)
            }
            None => text.to_owned(),
        };
        self.count(written.len());
        self.out.extend_from_slice(written.as_bytes());
    }
}

/// Writes a number at the end of `room` and says where it begins.
fn write_integer(room: &mut [u8], negative: bool, size: u128) -> usize {
    let mut at = room.len();
    let mut write = |byte: u8| {
        at -= 1;
        room[at] = byte;
    };
    let mut rest = size;
    while u64::try_from(rest).is_err() {
        write(b'0' + (rest % 10) as u8);
        rest /= 10;
    }
    // 128 bits divide slowly, and most numbers do not have them.
    let mut rest = rest as u64;
    loop {
        write(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if negative {
        write(b'-');
    }
    at
}

/// The first 16 bytes of a hash as a number.
pub(crate) fn leading(hash: &[u8; 32]) -> u128 {
    hash[..16].iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// A number modulo 2^256, the most significant part first; serialised as 64 hexadecimal digits.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum([u128; 2]);

impl Sum {
    pub(crate) fn add(&mut self, other: Self) {
        let (low, carry) = self.0[1].overflowing_add(other.0[1]);
        self.0 = [self.0[0].wrapping_add(other.0[0]).wrapping_add(u128::from(carry)), low];
    }

    pub(crate) fn hex(&self) -> String {
        format!("{:032x}{:032x}", self.0[0], self.0[1])
    }
}

impl From<[u8; 32]> for Sum {
    fn from(bytes: [u8; 32]) -> Self {
        let half = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
        Self([half(&bytes[..16]), half(&bytes[16..])])
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let half = |range| text.get(range).and_then(|digits| u128::from_str_radix(digits, 16).ok());
        match (text.len(), half(0..32), half(32..64)) {
            (64, Some(high), Some(low)) => Ok(Self([high, low])),
            _ => Err(serde::de::Error::custom("a digest has 64 hexadecimal digits")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::flat::Flat;
    use crate::samples::{any_item, any_number, item, number, text, with_view};
    use crate::value::{Item, Value};

    fn encoded(value: &Value) -> Vec<u8> {
        let mut encoder = Encoder::default();
        with_view(value, |view| encoder.value(view));
        encoder.out
    }

    fn take(encoder: &mut Encoder, item: &Item) {
        let mut flat = Flat::default();
        flat.take(item);
        encoder.item(flat.item(""));
    }

    fn digest(items: &[Item]) -> String {
        let mut encoder = Encoder::default();
        let mut sum = Sum::default();
        for item in items {
            encoder.clear();
            take(&mut encoder, item);
            sum.add(Sum::from(encoder.hash()));
        }
        sum.hex()
    }

    /// The format as the documentation of the crate has it, written the plainest way.
    fn plainly(value: &Value) -> Vec<u8> {
        let sized = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes(), bytes].concat();
        let counted = |letter: u8, parts: Vec<Vec<u8>>| {
            [&[letter], &(parts.len() as u32).to_be_bytes()[..], &parts.concat()].concat()
        };
        let sorted = |letter, mut contents: Vec<Vec<u8>>| {
            contents.sort();
            counted(letter, contents.iter().map(|content| sized(content)).collect())
        };
        let number = |text: &String| {
            let number = Number::parse(text).unwrap();
            let plain = number.to_string();
            let (mantissa, power) = plain.split_once('e').unwrap_or((&plain, "0"));
            let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
            let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
            let digits = digits.trim_start_matches('0');
            let kept = digits.trim_end_matches('0');
            let power =
                power.parse::<i64>().unwrap() - fraction.len() as i64 + (digits.len() - kept.len()) as i64;
            let sign = if number.is_negative() { "-" } else { "" };
            let text = if kept.is_empty() { "0e0".to_owned() } else { format!("{sign}{kept}e{power}") };
            text.into_bytes()
        };
        match value {
            Value::S(text) => [b"S".to_vec(), sized(text.as_bytes())].concat(),
            Value::N(text) => [b"N".to_vec(), sized(&number(text))].concat(),
            Value::B(bytes) => [b"B".to_vec(), sized(bytes)].concat(),
            Value::Bool(true) => b"T".to_vec(),
            Value::Bool(false) => b"F".to_vec(),
            Value::Null => b"0".to_vec(),
            Value::M(members) => {
                let members: BTreeMap<_, _> =
                    members.iter().map(|(name, value)| (name.as_bytes(), plainly(value))).collect();
                counted(
                    b'M',
                    members.into_iter().map(|(name, value)| [sized(name), value].concat()).collect(),
                )
            }
            Value::L(elements) => counted(b'L', elements.iter().map(plainly).collect()),
            Value::SS(elements) => {
                sorted(b's', elements.iter().map(|text| text.clone().into_bytes()).collect())
            }
            Value::NS(elements) => sorted(b'n', elements.iter().map(number).collect()),
            Value::BS(elements) => sorted(b'b', elements.clone()),
        }
    }

    /// The expected digests were computed with the Python of the crate's documentation.
    #[test]
    fn the_digest_is_the_one_that_publishers_compute() {
        let first = item([
            ("user_id", text("u-1")),
            ("n", number("1.50")),
            ("bin", Value::B(vec![0, 255])),
            ("t", Value::Bool(true)),
            ("f", Value::Bool(false)),
            ("nil", Value::Null),
            ("m", Value::M(item([("b", number("-0.250")), ("aé", text("ü😀")), ("", number("0.00"))]))),
            ("l", Value::L(vec![number("100"), text(""), Value::L(vec![]), Value::M(Item::new())])),
            ("ss", Value::SS(["b", "a", "ab"].map(str::to_owned).to_vec())),
            ("ns", Value::NS(["10", "9", "-1e2"].map(str::to_owned).to_vec())),
            ("bs", Value::BS(vec![vec![1], vec![0, 2]])),
        ]);
        let second =
            item([("user_id", text("u-2")), ("n", number("12345678901234567890123456789012345678e-20"))]);
        let of_first = "19ca3a689313a2590fcb28ef6e547499d3b7c5f51b7f589a74de5996cbe5b755";
        let of_both = "d14f0f673a392c73d2b9a4e5acf26db0c60cd72d31f70f8831fac1f066445b18";
        assert_eq!(digest(std::slice::from_ref(&first)), of_first);
        assert_eq!(digest(&[first.clone(), second.clone()]), of_both);
        assert_eq!(digest(&[second, first]), of_both);
        assert_eq!(digest(&[]), "0".repeat(64));
    }

    #[test]
    fn a_sum_carries_and_wraps() {
        let mut sum = Sum::from([255; 32]);
        sum.add(Sum::from([255; 32]));
        assert_eq!(sum.hex(), format!("{}e", "f".repeat(63)));
        let json = serde_json::to_string(&sum).unwrap();
        assert_eq!(serde_json::from_str::<Sum>(&json).unwrap(), sum);
        for wrong in ["\"\"", "\"g\"", "1"] {
            assert!(serde_json::from_str::<Sum>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn text_that_is_no_number_is_encoded_as_it_is() {
        assert_eq!(encoded(&number("NaN")), b"N\0\0\0\x03NaN");
        assert_eq!(encoded(&number("")), b"N\0\0\0\0");
    }

    proptest! {
        #[test]
        fn items_are_encoded_as_documented(item in any_item()) {
            let value = Value::M(item);
            prop_assert_eq!(encoded(&value), plainly(&value));
        }

        #[test]
        fn an_encoder_keeps_nothing_of_the_last_item(first in any_item(), second in any_item()) {
            let mut encoder = Encoder::default();
            take(&mut encoder, &first);
            encoder.clear();
            take(&mut encoder, &second);
            prop_assert_eq!(encoder.out, encoded(&Value::M(second)));
        }

        #[test]
        fn numbers_are_encoded_alike_exactly_if_they_are_equal(a in any_number(), b in any_number()) {
            let equal = Number::parse(&a).unwrap() == Number::parse(&b).unwrap();
            prop_assert_eq!(encoded(&Value::N(a)) == encoded(&Value::N(b)), equal);
        }
    }
}
