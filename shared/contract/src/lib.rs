//! Data contracts: documents of the [Open Data Contract Standard] (ODCS), v3.1 and v3.2, as a typed model.
//!
//! [`Contract::parse`] reads YAML or JSON and answers with a [`Contract`] or with everything that is wrong with
//! the document, each [`Diagnostic`] with line, column and what to do. A contract that is accepted can be kept:
//! rules that nothing could keep, that contradict each other or that Septet does not know are errors, so that no
//! line of a contract is passed over in silence. What is known but not enforced yet is listed by
//! [`Contract::unenforced`]; what is legal but doubtful by [`Contract::warnings`].
//!
//! The crate promises to be pure: no clock, no environment, no files, no network. It bounds what it reads
//! (1 MiB, 128 levels, 200,000 values) and panics on no text. Checking items against the model is left to
//! others, as is storing contracts.
//!
//! # What a contract says about a table
//! - **One table.** `schema` has exactly one object. Its properties with `primaryKey: true` are the key schema:
//!   the partition key, and the sort key if there are two (`primaryKeyPosition` 1 and 2).
//! - **Types.** `physicalType` is a DynamoDB type (`S N B BOOL NULL M L SS NS BS`); without it, the
//!   `logicalType` says which ([`LogicalType::physical_types`]).
//! - **Null.** DynamoDB has absent attributes and the type NULL; both are null. A property that is not
//!   `required` may be null whatever its type.
//! - **Closed content.** Publishers are closed, readers are open: an attribute that the contract does not name
//!   is a violation, as readers could come to depend on it, or it is a misspelt one. So an item is closed, and so
//!   is every nested object that names its members, unless the custom property `septet.closed` of the schema
//!   object or of the nested property is `false`; nested objects follow the object around them. An object
//!   that names no members is open.
//! - **Attribute names.** `physicalName` of a property is the attribute's name, else `name`. Rules refer to
//!   `name`.
//! - **Rules.** [`Metric`] says what each metric counts, [`Condition`] what each operator means:
//!   `mustBeBetween` includes both ends, `mustNotBeBetween` excludes both.
//!
//! # Settings
//! `customProperties` of the contract named `septet.*` are Septet's own: see [`Settings`].
//! `septet.tablePattern` may also stand in the `customProperties` of a server, beside `septet.engine: dynamodb`.
//! Other custom properties are carried and mean nothing here.
//!
//! # Where this is stricter than the standard's JSON Schema
//! The schema is the one of v3.2.0, which documents of v3.1.0 are read by, too, but that they need `status`. A document that Septet accepts is valid
//! by that schema, but for the last point. Refused here although the schema takes it:
//! - `apiVersion` before v3.1.0; a contract without `name`, or with one that is no dataset name.
//! - A `severity` that is not `error`, `warning` or `info`; a `unit` of a metric that is not `rows` or
//!   `percent`; arguments that a metric does not have; operands that are no numbers.
//! - `type: sql`; custom engines other than `septet` and `lambda`; a rule without `type` and without `metric`.
//! - `items`, `properties`, `map` at a logical type they do not belong to; options of a `boolean` or a `map`.
//! - All that is impossible, and all that contradicts DynamoDB: types, keys, names of members.
//! - In YAML: duplicate keys, merge keys, tags, more than one document; numbers beyond DynamoDB's 38 digits.
//!
//! Taken here although the schema refuses it:
//! - A property without `logicalType`, such as one with only `physicalType: SS`. The schema applies its
//!   conditions for each logical type also where none is written, and so asks for a `map`.
//!
//! YAML is read as version 1.2: `yes` and `on` are text, `0o17` is octal, dates are text. Python's tools read
//! version 1.1; quote such values where both matter.
//!
//! [Open Data Contract Standard]: https://bitol-io.github.io/open-data-contract-standard/

mod compatibility;
mod diagnostic;
mod differences;
pub mod document;
mod explain;
mod facts;
mod findings;
mod glob;
mod model;
mod moment;
mod number;
mod read;
mod regexp;
mod rule;
mod settings;
mod standard;

use sha2::{Digest, Sha256};

use crate::findings::Findings;

pub use compatibility::{Breach, Break, Direction, Former, Verdict, breaches};
pub use diagnostic::{Diagnostic, Severity};
pub use differences::{Difference, differences};
pub use document::Syntax;
pub use explain::{Explained, Fate};
pub use glob::{Pattern, PatternError};
pub use model::{
    Bound, FloatFormat, Format, IntegerFormat, Key, KeyAttribute, Literal, LogicalType, MapEntries, Object,
    Options, PhysicalType, Property, PropertyPath, Step, TextFormat, Vector,
};
pub use moment::{Moment, MomentFormat, read_iso};
pub use number::{MAX_DIGITS, Number, NumberError};
pub use regexp::Regexp;
pub use rule::{
    Baseline, Change, ChangeUnit, Churn, Condition, Dimension, Distance, Expectation, GoldenKey, LambdaRule,
    Metric, MetricRule, Rule, RuleKind, SeptetCheck, TimeUnit, Unit,
};
pub use settings::{Compatibility, Order, Promotion, Rung, Settings};

/// Largest canonical JSON of a contract: what fits into one registry item with room for the rest.
const MAX_JSON_BYTES: usize = 350_000;

/// Names of the zone that moments without an offset are taken to be in.
const UTC: [&str; 6] = ["UTC", "Z", "GMT", "Etc/UTC", "Etc/GMT", "+00:00"];

/// One contract: what a dataset's tables must look like and how Septet treats them.
///
/// Two are equal if their documents say the same, however they are written.
#[derive(Debug, Clone)]
pub struct Contract {
    model: Model,
    json: String,
    warnings: Vec<Diagnostic>,
}

#[derive(Debug, Clone, PartialEq)]
struct Model {
    api_version: String,
    id: String,
    name: String,
    version: String,
    object: Object,
    settings: Settings,
}

impl PartialEq for Contract {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json && self.model == other.model
    }
}

/// A part of a contract that is understood and that nothing holds the data to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unenforced {
    /// Place in the document, as `schema[0].quality[2]`, or of a property, as `recs[].score`.
    pub path: String,
    /// The rule's label, or what the property says, such as `format "iban"`.
    pub what: String,
    /// Why nothing enforces it.
    pub reason: &'static str,
}

impl Contract {
    /// Reads a document, taking it as JSON if it begins with `{`, else as YAML.
    ///
    /// # Errors
    /// At least one error and all warnings, in the order of the text. A text that is not well-formed gives the
    /// one place where reading stopped; any other gives all that is wrong, at most 500 findings.
    pub fn parse(text: &str) -> Result<Self, Vec<Diagnostic>> {
        Self::parse_as(text, Syntax::detect(text))
    }

    /// Reads a document of a known syntax; errors as for [`parse`](Self::parse).
    pub fn parse_as(text: &str, syntax: Syntax) -> Result<Self, Vec<Diagnostic>> {
        let mut findings = Findings::default();
        let read = document::read(text, syntax, &mut findings).and_then(|root| {
            standard::check_document(&root, &mut findings);
            let model = read::read(&root, &mut findings);
            let json = document::canonical_json(&root);
            if json.len() > MAX_JSON_BYTES {
                findings.error(
                    document::Position::START,
                    "",
                    format!("the contract has {} bytes as JSON, more than {MAX_JSON_BYTES}", json.len()),
                    "keep explanations and samples outside of the contract",
                );
            }
            Some((model?, json))
        });
        match read {
            Some((model, json)) if !findings.has_errors() => {
                Ok(Self { model, json, warnings: findings.into_sorted() })
            }
            _ => {
                if !findings.has_errors() {
                    // Every refusal is found and named where it happens; this is the net below.
                    findings.error(
                        document::Position::START,
                        "",
                        "the document is no contract",
                        "compare it with an example",
                    );
                }
                Err(findings.into_sorted())
            }
        }
    }

    /// The dataset's name.
    pub fn name(&self) -> &str {
        &self.model.name
    }

    /// The contract's version, as its authors number it.
    pub fn version(&self) -> &str {
        &self.model.version
    }

    /// The contract's `id`.
    pub fn id(&self) -> &str {
        &self.model.id
    }

    /// The version of the standard, `v3.1.0` or `v3.2.0`.
    pub fn api_version(&self) -> &str {
        &self.model.api_version
    }

    /// The table that the contract describes.
    pub fn object(&self) -> &Object {
        &self.model.object
    }

    /// Septet's own settings.
    pub fn settings(&self) -> &Settings {
        &self.model.settings
    }

    /// What is legal but doubtful, in the order of the text.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The whole document as JSON: no white space, keys sorted by code points, numbers in one spelling.
    ///
    /// [`parse`](Self::parse) reads it back into an equal contract.
    pub fn to_json(&self) -> &str {
        &self.json
    }

    /// SHA-256 of [`to_json`](Self::to_json) as 64 lower-case hexadecimal digits.
    pub fn digest(&self) -> String {
        Sha256::digest(self.json.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// All that is understood and not enforced, so that whoever accepts the contract can say so.
    pub fn unenforced(&self) -> Vec<Unenforced> {
        let object = &self.model.object;
        let mut found = Vec::new();
        for (place, rule) in object.rules() {
            let many = place.is_some_and(|place| place.is_many());
            let metric = match &rule.kind {
                RuleKind::Metric(rule) => Some(&rule.metric),
                _ => None,
            };
            if many && matches!(metric, Some(Metric::DuplicateValues { .. })) {
                found.push(Unenforced {
                    path: rule.path.clone(),
                    what: rule.label().to_owned(),
                    reason: "duplicates are counted over items, not within their lists",
                });
            }
        }
        for (place, property) in object.all_properties() {
            let mut add =
                |what: String, reason| found.push(Unenforced { path: place.to_string(), what, reason });
            if let Some(Format::Text(TextFormat::Other(format))) = &property.options.format {
                add(format!("format {format:?}"), "Septet does not know this format");
            }
            let options = &property.options;
            let bounds =
                [options.minimum, options.maximum, options.exclusive_minimum, options.exclusive_maximum];
            if let Some(zone) = &options.default_timezone
                && options.timezone != Some(true)
                && !UTC.contains(&zone.as_str())
                && bounds.iter().any(Option::is_some)
            {
                add(format!("defaultTimezone {zone:?}"), "moments without a zone are compared as UTC");
            }
            if property.unique && place.is_many() {
                add(
                    "unique".to_owned(),
                    "uniqueness is checked over items; uniqueItems keeps a list's elements apart",
                );
            }
        }
        found
    }
}
