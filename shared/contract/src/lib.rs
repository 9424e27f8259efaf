//! Data contracts: documents of the Open Data Contract Standard as a typed model.

mod diagnostic;
mod glob;
mod model;
mod moment;
mod number;
mod regexp;
mod rule;
mod settings;

pub use diagnostic::{Diagnostic, Severity};
pub use glob::{Pattern, PatternError};
pub use model::{
    Bound, FloatFormat, Format, IntegerFormat, Key, KeyAttribute, Literal, LogicalType, MapEntries, Object,
    Options, PhysicalType, Property, PropertyPath, Step, TextFormat, Vector,
};
pub use moment::{Moment, MomentFormat, read_iso};
pub use number::{MAX_DIGITS, Number, NumberError};
pub use regexp::Regexp;
pub use rule::{
    Baseline, Churn, Condition, Dimension, Distance, LambdaRule, Metric, MetricRule, Rule, RuleKind,
    SeptetCheck, SeptetRule, Unit,
};
pub use settings::{Compatibility, Promotion, Rung, Settings};

/// One contract: what a dataset's tables must look like and how Septet treats them.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    name: String,
    version: String,
    object: Object,
    settings: Settings,
}

impl Contract {
    /// The dataset's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The contract's version, as its authors number it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The table that the contract describes.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Septet's own settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}
