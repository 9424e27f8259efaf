//! A profile in words and numbers for people.

use std::collections::BTreeMap;

use septet_contract::PhysicalType;
use serde::Serialize;

use crate::profile::{Place, Profile};
use crate::sketch::Spread;

/// Most frequent values that are shown.
const MOST_FREQUENT: usize = 5;

/// What is known of the values at one place of the contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// As `recs[].score`.
    pub attribute: String,
    /// Times that there was no value or the null value.
    pub nulls: u64,
    /// Values by type.
    pub types: BTreeMap<&'static str, u64>,
    /// Of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Range>,
    /// Of strings their characters, of binaries their bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lengths: Option<Range>,
    /// Of lists and sets their elements, of maps their members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizes: Option<Range>,
    /// About how many different values there are, of strings, numbers and binaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<Estimate>,
    /// The values that come most often, the most frequent first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frequent: Vec<Frequent>,
}

/// Where numbers lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// The least.
    pub least: f64,
    /// The greatest.
    pub most: f64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation, of these values and not of a population they are a sample of.
    pub deviation: f64,
    /// The 5 %, 50 % and 95 % quantiles.
    pub quantiles: [f64; 3],
    /// How far a quantile may be from the value of its rank, as a share of it.
    pub within: f64,
}

/// A number of values that was estimated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// About how many.
    pub about: f64,
    /// The standard error, as a share of it.
    pub error: f64,
}

/// A value with how often it comes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Frequent {
    /// As an example shows it, cut to some 60 characters.
    pub value: String,
    /// It comes at least so often.
    pub least: u64,
    /// And at most so often.
    pub most: u64,
}

impl Profile {
    /// What is known of each attribute and all in it, in the order of the contract.
    pub fn statistics(&self) -> Vec<Statistics> {
        self.places.iter().filter(|place| !place.path.is_empty()).map(Place::statistics).collect()
    }
}

impl Place {
    fn statistics(&self) -> Statistics {
        let types = PhysicalType::ALL.iter().zip(self.types);
        let null = self.types[PhysicalType::Null as usize];
        let values = self.values.as_deref();
        let range = |spread: fn(&crate::values::Values) -> &Spread| values.map(spread).and_then(range);
        Statistics {
            attribute: self.path.clone(),
            nulls: self.absent.saturating_add(null),
            types: types
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| (name.as_str(), count))
                .collect(),
            numbers: range(|values| &values.numbers),
            lengths: range(|values| &values.lengths),
            sizes: range(|values| &values.sizes),
            distinct: values.filter(|values| !values.frequent.is_empty()).map(|values| Estimate {
                about: values.different.estimate().round(),
                error: values.different.error(),
            }),
            frequent: values.map(|values| values.frequent.top(MOST_FREQUENT)).unwrap_or_default(),
        }
    }
}

fn range(spread: &Spread) -> Option<Range> {
    Some(Range {
        least: spread.least?,
        most: spread.most?,
        mean: spread.mean()?,
        deviation: (spread.squares / spread.count as f64).sqrt(),
        quantiles: [spread.quantile(0.05)?, spread.quantile(0.5)?, spread.quantile(0.95)?],
        within: spread.buckets.error(),
    })
}
