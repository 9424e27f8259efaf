//! How many different values there are, estimated.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::code;

/// A HyperLogLog of 2^p registers: the standard error is 1.04 / 2^(p/2), for `MOST` 1.6 %.
///
/// The estimate is Ertl's (arXiv 1702.01284, section 4), which needs no table of corrections. A register holds the
/// greatest rank of a hash seen, so order and split cannot matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cardinality {
    p: u8,
    /// None until there is a value.
    registers: Vec<u8>,
}

const MOST: u8 = 12;
const LEAST: u8 = 4;

impl Default for Cardinality {
    fn default() -> Self {
        Self { p: MOST, registers: Vec::new() }
    }
}

impl Cardinality {
    /// Whether it is as it began: without a value, and never made smaller.
    pub(crate) fn is_new(&self) -> bool {
        self.p == MOST && self.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.registers.is_empty()
    }

    #[inline]
    pub(crate) fn insert(&mut self, hash: u64) {
        if self.registers.is_empty() {
            self.registers = vec![0; 1 << self.p];
        }
        let rest = hash << self.p;
        // A bit behind the last one bounds the rank.
        let rank = (rest | 1 << (self.p - 1)).leading_zeros() as u8 + 1;
        let register = &mut self.registers[(hash >> (64 - self.p)) as usize];
        *register = rank.max(*register);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if other.is_empty() {
            self.shrink(other.p);
            return;
        }
        if self.is_empty() {
            let p = self.p;
            self.clone_from(other);
            self.shrink(p);
            return;
        }
        self.shrink(other.p);
        let mut other = other.clone();
        other.shrink(self.p);
        for (register, more) in self.registers.iter_mut().zip(&other.registers) {
            *register = (*more).max(*register);
        }
    }

    /// Halves the registers until there are 2^p; the error grows by a factor of 1.41 each time.
    pub(crate) fn shrink(&mut self, p: u8) {
        while self.p > p.max(LEAST) {
            let halves = self.registers.as_chunks::<2>().0;
            // The last bit of the number of a register becomes the first one of what is ranked.
            self.registers = halves
                .iter()
                .map(|[zero, one]| {
                    let longer = if *zero > 0 { zero + 1 } else { 0 };
                    longer.max(u8::from(*one > 0))
                })
                .collect();
            self.p -= 1;
        }
    }

    pub(crate) fn estimate(&self) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        let m = self.registers.len() as f64;
        let q = usize::from(64 - self.p);
        let mut counts = [0.0_f64; 64];
        self.registers.iter().for_each(|rank| counts[usize::from(*rank)] += 1.0);
        let mut z = m * tau((m - counts[q + 1]) / m);
        for count in counts[1..=q].iter().rev() {
            z = 0.5 * (z + count);
        }
        z += m * sigma(counts[0] / m);
        m * m / (2.0 * std::f64::consts::LN_2 * z)
    }

    /// The standard error of [`estimate`](Self::estimate), as a share of it.
    pub(crate) fn error(&self) -> f64 {
        1.04 / f64::from(1_u32 << self.p).sqrt()
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.p];
        let used = self.registers.iter().filter(|rank| **rank > 0).count();
        if used * 8 < self.registers.len() * 3 || self.is_empty() {
            // Each as a step from the one before and its rank.
            out.push(0);
            let mut last = 0;
            for (at, rank) in self.registers.iter().enumerate().filter(|(_, rank)| **rank > 0) {
                code::put(&mut out, (at - last) as u64);
                out.push(*rank);
                last = at;
            }
        } else {
            // Four of six bits in three bytes.
            out.push(1);
            for four in self.registers.as_chunks::<4>().0 {
                let bits = four.iter().fold(0_u32, |bits, rank| bits << 6 | u32::from(*rank));
                out.extend_from_slice(&bits.to_be_bytes()[1..]);
            }
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[p, dense], mut rest) = bytes.split_first_chunk()?;
        if !(LEAST..=MOST).contains(&p) {
            return None;
        }
        let length = 1_usize << p;
        let mut registers = Vec::new();
        match dense {
            0 => {
                let mut at = 0_usize;
                while !rest.is_empty() {
                    at = at.checked_add(usize::try_from(code::take(&mut rest)?).ok()?)?;
                    let (rank, after) = rest.split_first()?;
                    rest = after;
                    registers.resize(length, 0);
                    *registers.get_mut(at)? = *rank;
                }
            }
            1 if rest.len() == length / 4 * 3 => {
                for [a, b, c] in rest.as_chunks::<3>().0 {
                    let bits = u32::from_be_bytes([0, *a, *b, *c]);
                    registers.extend([18, 12, 6, 0].map(|shift| (bits >> shift & 0x3f) as u8));
                }
            }
            _ => return None,
        }
        registers.iter().all(|rank| *rank <= 65 - p).then_some(Self { p, registers })
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

impl Serialize for Cardinality {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        code::serialize(&self.encode(), serializer)
    }
}

impl<'de> Deserialize<'de> for Cardinality {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        code::deserialize(deserializer, "no sketch of different values", Self::decode)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sketch::hash;

    fn of(values: impl IntoIterator<Item = u64>) -> Cardinality {
        let mut sketch = Cardinality::default();
        values.into_iter().for_each(|value| sketch.insert(hash(0, &value.to_le_bytes())));
        sketch
    }

    #[test]
    fn estimates_are_within_the_stated_error() {
        for count in [0_u64, 1, 10, 100, 1_000, 10_000, 100_000] {
            // 4 standard errors: one run in 16,000 would be beyond, and the hashes are what they are.
            let sketch = of(0..count);
            let within = 4.0 * sketch.error() * count as f64;
            assert!((sketch.estimate() - count as f64).abs() <= within, "{count} {}", sketch.estimate());
        }
        assert_eq!(of(0..1).estimate().round(), 1.0);
        assert_eq!(Cardinality::default().estimate(), 0.0);
    }

    #[test]
    fn errors_of_many_sketches_are_as_large_as_stated() {
        let mut squares = 0.0;
        for run in 0..200 {
            let mut sketch = of((run << 32)..(run << 32) + 5_000);
            sketch.shrink(8);
            squares += (sketch.estimate() / 5_000.0 - 1.0).powi(2);
        }
        let deviation = (squares / 200.0_f64).sqrt();
        assert!((0.8..1.2).contains(&(deviation / (1.04 / 16.0))), "{deviation}");
    }

    #[test]
    fn the_lowest_rank_and_the_highest_are_kept() {
        let mut sketch = Cardinality::default();
        sketch.insert(0);
        sketch.insert(u64::MAX);
        assert_eq!((sketch.registers[0], sketch.registers[4095]), (53, 1));
        assert!(sketch.estimate() > 1.0);
        for wrong in
            [&[][..], &[3, 0], &[13, 0], &[12, 2], &[12, 1, 0], &[12, 0, 5], &[12, 0, 0, 54], &[4, 0, 16, 1]]
        {
            assert_eq!(Cardinality::decode(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn order_split_size_and_storing_change_nothing(
            values in prop::collection::vec((0..3_000_u64, any::<bool>()), 0..3_000), p in 4..=12_u8, late: bool,
        ) {
            let mut whole = of(values.iter().map(|(value, _)| *value));
            whole.shrink(p);
            let of = |side: bool| of(values.iter().rev().filter(|(_, left)| *left == side).map(|(value, _)| *value));
            let (mut left, mut right) = (of(true), of(false));
            if !late {
                right.shrink(p);
            }
            left.merge(&right);
            left.shrink(p);
            prop_assert_eq!(&left, &whole);
            let json = serde_json::to_string(&left).unwrap();
            prop_assert_eq!(serde_json::from_str::<Cardinality>(&json).unwrap(), whole);
            prop_assert!(json.len() <= 4 + (3 * (1 << p) / 4 + 2) * 4 / 3, "{}", json.len());
        }
    }
}
