//! Whether readers of one contract can read data of another.
//!
//! A publisher keeps to its contract: the data is exactly what the contract allows, and checked to be so. A reader
//! relies on what its contract promises of the attributes that it names, and passes over any other. So a reader can
//! read data if whatever the data's contract allows keeps what the reader's contract promises of the attributes
//! it names. That is judged on what contracts say of items: key, attributes, types, limits. Rules of `quality`
//! judge a version as a whole when it is published; no reader decodes by them, so they may change freely, and
//! [`differences`](crate::differences) shows that they did.
//!
//! Two moments need it. Promotion puts old readers on new data ([`Direction::Forward`]), a rollback puts new
//! readers on old data ([`Direction::Backward`]). What cannot be shown to be contained, such as one regular
//! expression in another, counts as a break.

mod items;
mod limits;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::Contract;
use crate::settings::Compatibility;

/// Who reads what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Readers of the new contract on data of the former one: what a rollback needs.
    Backward,
    /// Readers of the former contract on data of the new one: what a promotion needs.
    Forward,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Backward => "backward",
            Self::Forward => "forward",
        })
    }
}

/// One promise to readers that data need not keep.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Breach {
    /// The attribute, as `recs[].score`; empty for the table's key.
    pub attribute: String,
    /// The rule, by its key in the document, such as `required` or `maximum`.
    pub rule: &'static str,
    /// What readers rely on.
    pub readers: String,
    /// What data may be instead.
    pub data: String,
}

/// Prints as `recs[].score: maximum: readers rely on at most 1, data may be at most 2`.
impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attribute, rule, readers, data } = self;
        let attribute = if attribute.is_empty() { "the key" } else { attribute };
        write!(f, "{attribute}: {rule}: readers rely on {readers}, data may be {data}")
    }
}

/// All that readers of one contract rely on and data of the other need not keep, in the order of the readers'
/// contract.
pub fn breaches(readers: &Contract, data: &Contract) -> Vec<Breach> {
    items::breaches(readers.object(), data.object())
}

/// A former contract of the dataset, and the versions that were published under it.
#[derive(Debug, Clone)]
pub struct Former<'a> {
    /// Its number.
    pub number: u64,
    /// What it says.
    pub contract: &'a Contract,
    /// The versions under it that can be rolled back to.
    pub versions: Vec<u64>,
}

/// One breach between the new contract and a former one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The number of the former contract.
    pub contract: u64,
    /// Who reads what.
    pub direction: Direction,
    /// Whether the mode forbids it.
    pub forbidden: bool,
    /// What breaks.
    #[serde(flatten)]
    pub breach: Breach,
}

/// What a new contract does to the readers and the data of the former ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What was asked for.
    pub mode: Compatibility,
    /// Every break with any of the contracts, the newest contract first.
    pub breaks: Vec<Break>,
    /// Versions that stop being safe to roll back to: readers of the new contract could not read them. Rising.
    pub unsafe_versions: Vec<u64>,
    /// Versions that stay safe although their contract does not say so: their data happens to keep all that breaks.
    /// Rising.
    pub safe_by_data: Vec<u64>,
}

impl Verdict {
    /// Judges a new contract against the former ones, whatever their order.
    ///
    /// A mode that is not transitive asks for the newest of them only. What it does not ask for is found as well
    /// and is not [`forbidden`](Break::forbidden). `keeps` says whether the data of a version is known to keep what
    /// readers of the new contract rely on there.
    pub fn of(
        new: &Contract,
        former: &[Former<'_>],
        mode: Compatibility,
        keeps: impl Fn(u64, &Breach) -> bool,
    ) -> Self {
        let mut former: Vec<_> = former.iter().collect();
        former.sort_by_key(|former| std::cmp::Reverse(former.number));
        let mut breaks = Vec::new();
        let (mut unsafe_versions, mut safe_by_data) = (BTreeSet::new(), BTreeSet::new());
        for (age, old) in former.into_iter().enumerate() {
            for direction in [Direction::Backward, Direction::Forward] {
                let found = match direction {
                    Direction::Backward => breaches(new, old.contract),
                    Direction::Forward => breaches(old.contract, new),
                };
                if direction == Direction::Backward && !found.is_empty() {
                    for version in &old.versions {
                        match found.iter().all(|breach| keeps(*version, breach)) {
                            true => safe_by_data.insert(*version),
                            false => unsafe_versions.insert(*version),
                        };
                    }
                }
                let forbidden = mode.asks_for(direction) && (age == 0 || mode.is_transitive());
                let contract = old.number;
                breaks.extend(found.into_iter().map(|breach| Break {
                    contract,
                    direction,
                    forbidden,
                    breach,
                }));
            }
        }
        Self {
            mode,
            breaks,
            unsafe_versions: unsafe_versions.into_iter().collect(),
            safe_by_data: safe_by_data.into_iter().collect(),
        }
    }

    /// Whether nothing that the mode forbids breaks.
    pub fn is_compatible(&self) -> bool {
        self.breaks.iter().all(|found| !found.forbidden)
    }
}

impl Compatibility {
    /// Whether the mode asks that readers can go this way.
    pub fn asks_for(self, direction: Direction) -> bool {
        match self {
            Self::None => false,
            Self::Backward | Self::BackwardTransitive => direction == Direction::Backward,
            Self::Forward | Self::ForwardTransitive => direction == Direction::Forward,
            Self::Full | Self::FullTransitive => true,
        }
    }

    /// Whether the mode is about all retained contracts, not just the newest.
    pub fn is_transitive(self) -> bool {
        matches!(self, Self::BackwardTransitive | Self::ForwardTransitive | Self::FullTransitive)
    }
}
