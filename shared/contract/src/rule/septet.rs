//! Checks of `engine: septet`, for which the standard has no word.

use std::fmt;

use serde::Serialize;

use super::Condition;
use crate::model::{Literal, PropertyPath};
use crate::number::Number;

/// `type: custom`, `engine: septet`: what `implementation` says.
///
/// `of` is the property whose values are measured: below a list or a map those of all elements of all items.
#[derive(Debug, Clone, PartialEq)]
pub enum SeptetCheck {
    /// `rowCountChange`: of the number of items.
    RowCountChange(Change),
    /// `keyChurn`: the number of keys that came or went, in percent of the baseline's keys.
    KeyChurn {
        /// `change`: which keys are counted.
        keys: Churn,
        /// How many there may be.
        change: Change,
    },
    /// `meanChange`: of the mean of a number.
    MeanChange {
        /// A property whose values are numbers.
        of: PropertyPath,
        /// How far the mean may move.
        change: Change,
    },
    /// `quantileChange`: of a quantile of a number.
    QuantileChange {
        /// A property whose values are numbers.
        of: PropertyPath,
        /// From 0 to 1.
        quantile: Number,
        /// How far the quantile may move.
        change: Change,
    },
    /// `nullRateChange`: of the share of nulls, always in percentage points (from 2 % to 3 % is 1).
    NullRateChange {
        /// The property.
        of: PropertyPath,
        /// How far the share may move; its unit is [`ChangeUnit::Percent`].
        change: Change,
    },
    /// `distributionChange`: how far two distributions are apart.
    DistributionChange {
        /// A property whose values are numbers; for [`Distance::Psi`] strings and truth values, too.
        of: PropertyPath,
        /// `measure`.
        distance: Distance,
        /// What the version is compared with.
        against: Baseline,
        /// What the distance must be.
        condition: Condition,
    },
    /// `listLengthChange`: of the mean number of elements of a list or set.
    ListLengthChange {
        /// A property whose values are lists or sets.
        of: PropertyPath,
        /// How far the mean may move.
        change: Change,
    },
    /// `freshness`: the age of the newest value.
    Freshness {
        /// A property whose values are timestamps or dates.
        of: PropertyPath,
        /// `unit`, hours unless written.
        unit: TimeUnit,
        /// What the age must be.
        condition: Condition,
    },
    /// `goldenKeys`: these items exist and are as said.
    GoldenKeys(Vec<GoldenKey>),
    /// `itemSize`: bytes of the largest item, as DynamoDB counts them.
    ItemSize(Condition),
    /// `identicalToPrevious`: the rule is broken if the content is the same as that of the newest valid version
    /// before.
    IdenticalToPrevious,
}

impl SeptetCheck {
    /// The check as documents write it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::RowCountChange(_) => "rowCountChange",
            Self::KeyChurn { .. } => "keyChurn",
            Self::MeanChange { .. } => "meanChange",
            Self::QuantileChange { .. } => "quantileChange",
            Self::NullRateChange { .. } => "nullRateChange",
            Self::DistributionChange { .. } => "distributionChange",
            Self::ListLengthChange { .. } => "listLengthChange",
            Self::Freshness { .. } => "freshness",
            Self::GoldenKeys(_) => "goldenKeys",
            Self::ItemSize(_) => "itemSize",
            Self::IdenticalToPrevious => "identicalToPrevious",
        }
    }

    /// What the version is compared with; none for checks that need no other version.
    pub fn against(&self) -> Option<Baseline> {
        match self {
            Self::RowCountChange(change)
            | Self::KeyChurn { change, .. }
            | Self::MeanChange { change, .. }
            | Self::QuantileChange { change, .. }
            | Self::NullRateChange { change, .. }
            | Self::ListLengthChange { change, .. } => Some(change.against),
            Self::DistributionChange { against, .. } => Some(*against),
            Self::IdenticalToPrevious => Some(Baseline::Previous),
            Self::Freshness { .. } | Self::GoldenKeys(_) | Self::ItemSize(_) => None,
        }
    }

    /// The property that is measured; none for checks of the table as a whole.
    pub fn of(&self) -> Option<&PropertyPath> {
        match self {
            Self::MeanChange { of, .. }
            | Self::QuantileChange { of, .. }
            | Self::NullRateChange { of, .. }
            | Self::DistributionChange { of, .. }
            | Self::ListLengthChange { of, .. }
            | Self::Freshness { of, .. } => Some(of),
            Self::RowCountChange(_)
            | Self::KeyChurn { .. }
            | Self::GoldenKeys(_)
            | Self::ItemSize(_)
            | Self::IdenticalToPrevious => None,
        }
    }
}

/// How far something may move from one version to another.
///
/// It is measured without its sign: `mustBeLessOrEqualTo: 10` allows ten up and ten down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// `against`: the version or versions to compare with.
    pub against: Baseline,
    /// What the size of the change must be.
    pub condition: Condition,
    /// `unit`, of `implementation` or else of the rule.
    pub unit: ChangeUnit,
}

/// In what a change is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeUnit {
    /// `percent` of what it was in the baseline.
    Percent,
    /// The difference itself: written `rows` of items and keys, `value` of a mean or quantile, `items` of list
    /// lengths.
    Absolute,
}

/// A unit of age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// `m`.
    Minutes,
    /// `h`.
    Hours,
    /// `d`: 24 hours.
    Days,
}

impl TimeUnit {
    /// The seconds of one.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Minutes => 60,
            Self::Hours => 3_600,
            Self::Days => 86_400,
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
        })
    }
}

/// An item that must exist, and what must hold of it.
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenKey {
    /// Value of the partition key: [`Literal::Text`] for `S`, [`Literal::Number`] for `N`.
    pub partition: Literal,
    /// Value of the sort key, present exactly if the table has one.
    pub sort: Option<Literal>,
    /// What must hold of other properties, by place. A path has only names in it.
    pub expected: Vec<(PropertyPath, Expectation)>,
}

/// What must hold of one property of an item.
#[derive(Debug, Clone, PartialEq)]
pub enum Expectation {
    /// It is this value; [`Literal::Null`] is absent or of type NULL.
    Is(Literal),
    /// A number keeps the condition; of a string its number of characters, of a list or set that of its
    /// elements does. Null keeps none.
    Measures(Condition),
}

/// Which keys [`SeptetCheck::KeyChurn`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Churn {
    /// Keys that the baseline has not.
    Added,
    /// Keys that only the baseline has.
    Removed,
}

/// How far apart two distributions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// Population stability index.
    Psi,
    /// The statistic of Kolmogorov and Smirnov, from 0 to 1.
    Ks,
}

/// What a relative check compares with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Baseline {
    /// The version that the live pointer names; documents may also write `current`.
    Live,
    /// The newest valid version before this one.
    Previous,
    /// The median of the newest valid versions, as `median:7`; 2 to 100 versions.
    Median(u32),
    /// The newest valid version of the same day of the week.
    SameWeekday,
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => f.write_str("live"),
            Self::Previous => f.write_str("previous"),
            Self::Median(versions) => write!(f, "median:{versions}"),
            Self::SameWeekday => f.write_str("sameWeekday"),
        }
    }
}
