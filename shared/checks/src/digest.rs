//! A digest of a table's content that no order and no split changes.
//!
//! Publishers may compute it too and put it into the manifest of their signal, so this is a public format:
//!
//! - The digest is the sum, modulo 2^256, of the SHA-256 of every item's encoding, each read as a big-endian
//!   number; written as 64 lower-case hexadecimal digits. An empty table has 64 zeros.
//! - An item is encoded as a map (`M`). A value is one ASCII letter for its type, then its content. Every length
//!   and count is a big-endian number of four bytes.
//!
//! | type | letter | content |
//! | --- | --- | --- |
//! | `S` | `S` | length in bytes, UTF-8 |
//! | `N` | `N` | length, the number as below in ASCII |
//! | `B` | `B` | length, bytes |
//! | `BOOL` | `T` or `F` | nothing |
//! | `NULL` | `0` | nothing |
//! | `M` | `M` | count, then per member: length and UTF-8 of the name, the value; sorted by the bytes of the name |
//! | `L` | `L` | count, then the values in their order |
//! | `SS`, `NS`, `BS` | `s`, `n`, `b` | count, then length and content of each, as in `S`, `N`, `B`, sorted by the bytes of the content |
//!
//! A number is written as its significant digits without leading and trailing zeros, an `e` and the power of ten:
//! `1`, `1.0` and `1e0` are `1e0`, `-0.250` is `-25e-2`, zero is `0e0`.
//!
//! The digest tells different contents apart; it is no proof against someone who seeks two that sum up alike.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::value::Item;
use crate::view::View;

/// Encodes values, keeping its buffers from one to the next.
#[derive(Debug, Default, Clone)]
pub(crate) struct Encoder {
    out: Vec<u8>,
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
    }

    /// SHA-256 of what was encoded since [`clear`](Self::clear).
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.out).into()
    }

    /// The first 16 bytes of [`hash`](Self::hash).
    pub(crate) fn short_hash(&self) -> u128 {
        leading(&self.hash())
    }

    pub(crate) fn item(&mut self, item: &Item) {
        self.out.push(b'M');
        self.count(item.len());
        let base = self.spans.len();
        for (name, value) in item {
            let start = self.out.len();
            self.text(name.as_bytes());
            self.value(View::from(value));
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
            View::Bool(value) => self.out.push(if value { b'T' } else { b'F' }),
            View::Null => self.out.push(b'0'),
            View::M(members) => self.item(members),
            View::L(elements) => {
                self.out.push(b'L');
                self.count(elements.len());
                for element in elements {
                    self.value(View::from(element));
                }
            }
            View::SS(elements) => {
                self.set(b's', elements, |encoder, element| encoder.text(element.as_bytes()));
            }
            View::NS(elements) => self.set(b'n', elements, |encoder, element| encoder.number(element)),
            View::BS(elements) => self.set(b'b', elements, |encoder, element| encoder.text(element)),
        }
    }

    fn set<T>(&mut self, letter: u8, elements: &[T], write: impl Fn(&mut Self, &T)) {
        self.out.push(letter);
        self.count(elements.len());
        let base = self.spans.len();
        for element in elements {
            let start = self.out.len();
            write(self, element);
            self.spans.push(Span { start, end: self.out.len() });
        }
        self.sort(base);
    }

    /// Sorts what the spans from `base` on cover, which is the end of the output, and forgets them.
    fn sort(&mut self, base: usize) {
        let Self { out, spare, spans } = self;
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
        self.count(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    fn number(&mut self, text: &str) {
        let start = self.out.len();
        self.count(0);
        if write_number(&mut self.out, text).is_none() {
            self.out.truncate(start + LENGTH);
            self.out.extend_from_slice(text.as_bytes());
        }
        let length = u32::try_from(self.out.len() - start - LENGTH).unwrap_or(u32::MAX);
        self.out[start..start + LENGTH].copy_from_slice(&length.to_be_bytes());
    }
}

/// Writes the one form of a number; `None`, with anything written, for text that is no number.
fn write_number(out: &mut Vec<u8>, text: &str) -> Option<()> {
    let (mantissa, mut exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map(i64::from).ok()?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let leading = digits().take_while(|digit| *digit == b'0').count();
    let trailing = digits().rev().take_while(|digit| *digit == b'0').count();
    let count = whole.len() + fraction.len();
    if leading == count {
        out.extend_from_slice(b"0e0");
        return Some(());
    }
    exponent += i64::try_from(trailing).ok()? - i64::try_from(fraction.len()).ok()?;
    if negative {
        out.push(b'-');
    }
    out.extend(digits().skip(leading).take(count - leading - trailing));
    out.push(b'e');
    write_decimal(out, exponent);
    Some(())
}

fn write_decimal(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
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
