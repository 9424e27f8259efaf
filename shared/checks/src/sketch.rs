//! Summaries of many values in little room, each mergeable in any order and any split.
//!
//! Apache's theta sketch counts keys that two versions share. The others are our own because the libraries' are
//! not the same to the byte whatever the order: theirs keep estimators that depend on it, or forget by chance.
//! Every one can be made smaller later without seeing the values again, and is then what it would have been had
//! it been as small from the beginning, so profiles fit into an item however many attributes they have.

mod buckets;
mod cardinality;
mod code;
mod frequent;
mod keys;
mod spread;

pub(crate) use buckets::{Buckets, Scale};
pub(crate) use cardinality::Cardinality;
pub(crate) use frequent::Frequent;
pub(crate) use keys::Keys;
pub(crate) use spread::Spread;

use septet_contract::Number;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::view::View;

/// A hash of a string, number or binary, the same in every version and for each way to write a number; other
/// types have none.
#[inline]
pub(crate) fn hash_value(view: View<'_>, number: Option<&Number>) -> Option<u64> {
    const S: u64 = 1;
    const N: u64 = 2;
    const B: u64 = 3;
    Some(match (view, number) {
        (View::S(text), _) => hash(S, text.as_bytes()),
        (View::N(_), Some(number)) => {
            let (negative, digits, power) = number.parts();
            let mut bytes = [0; 21];
            bytes[..16].copy_from_slice(&digits.to_le_bytes());
            bytes[16..20].copy_from_slice(&power.to_le_bytes());
            bytes[20] = negative.into();
            hash(N, &bytes)
        }
        (View::N(text), None) => hash(N, text.as_bytes()),
        (View::B(bytes), _) => hash(B, bytes),
        _ => return None,
    })
}

/// A hash of bytes; the seed tells types apart.
#[inline]
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, seed)
}
