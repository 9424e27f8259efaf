//! Septet's own settings of a contract.

use std::fmt;

use serde::Serialize;

use crate::glob::Pattern;

/// The `septet.*` custom properties of a contract, with their defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// `septet.tablePattern`: which tables are versions of the dataset. Has no default.
    pub table_pattern: Pattern,
    /// `septet.promotion`, default `auto`.
    pub promotion: Promotion,
    /// `septet.keepNewest`, 1 to 100: how many valid versions pruning leaves. Else `value` of the `retention`
    /// in `slaProperties` if its unit is days, else 7.
    pub keep_newest: u32,
    /// `septet.compatibility`, default `FULL_TRANSITIVE`.
    pub compatibility: Compatibility,
    /// `septet.readiness`: which signs of completeness count, default manifest, import, signal, tag.
    /// `septet.quietMinutes`, 1 to 1440, gives the minutes of a `quiet` that stands without them.
    pub readiness: Vec<Rung>,
    /// `septet.graceMinutes`, 0 to 10080, default 15: how long a version stays after the last pointer left it.
    pub grace_minutes: u32,
    /// `septet.pollSeconds`, 1 to 86400, default 300: how often readers look at the pointer.
    pub poll_seconds: u32,
    /// `septet.maxScanUnits`, 1 to 1000000000: read units that checking one version may use. None reads it all.
    pub max_scan_units: Option<u32>,
    /// `septet.order`, default `created`. Left out of serialised settings where it is the default.
    #[serde(skip_serializing_if = "Order::is_default")]
    pub order: Order,
    /// `septet.indexes`: names of the indexes that a version's table must have. Left out where the contract has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<String>,
    /// `septet.prewarm`, 1 to 40000000: highest read units per second that Septet may raise the warm throughput of
    /// a new table to before its promotion. None never raises it, and is left out of serialised settings.
    ///
    /// AWS charges once for such a rise: for the difference between the requested value and the current warm
    /// throughput ([pricing]). The values that a table has by itself are free, 12,000 read units per second of a
    /// new on-demand table, and raised ones cannot be lowered ([guide], as of November 2026). A dataset with a new
    /// table every night therefore pays every night.
    ///
    /// [pricing]: https://aws.amazon.com/dynamodb/pricing/
    /// [guide]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prewarm: Option<u32>,
}

/// Who moves the live pointer to a version that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Promotion {
    /// Septet, at once.
    Auto,
    /// A person or a job.
    Manual,
}

impl Promotion {
    /// The value as documents write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }
}

impl fmt::Display for Promotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Order in which the versions of a dataset follow one another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// By the creation of their tables.
    #[default]
    Created,
    /// By the moment that the publisher's signal says the data is of.
    AsOf,
}

impl Order {
    /// The value as documents write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::AsOf => "asOf",
        }
    }

    /// Returns true for the order of a contract that names none.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a new contract of a dataset must agree with the former ones, as schema registries name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Compatibility {
    /// Not at all.
    None,
    /// New readers can read the newest old data.
    Backward,
    /// New readers can read all retained data.
    BackwardTransitive,
    /// Readers of the newest old contract can read new data.
    Forward,
    /// Readers of all retained contracts can read new data.
    ForwardTransitive,
    /// Backward and forward.
    Full,
    /// Backward and forward, with all retained contracts.
    FullTransitive,
}

impl Compatibility {
    /// All modes.
    pub const ALL: &'static [Self] = &[
        Self::None,
        Self::Backward,
        Self::BackwardTransitive,
        Self::Forward,
        Self::ForwardTransitive,
        Self::Full,
        Self::FullTransitive,
    ];

    /// The mode as documents write it: `FULL_TRANSITIVE`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Backward => "BACKWARD",
            Self::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Self::Forward => "FORWARD",
            Self::ForwardTransitive => "FORWARD_TRANSITIVE",
            Self::Full => "FULL",
            Self::FullTransitive => "FULL_TRANSITIVE",
        }
    }

    /// Reads what [`as_str`](Self::as_str) gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mode| mode.as_str() == text)
    }
}

impl fmt::Display for Compatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A sign that a table is completely written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// A signal that says how many items there are.
    Manifest,
    /// An import by DynamoDB that finished without errors.
    Import,
    /// A signal that says nothing more.
    Signal,
    /// The tag `septet:ready` on the table.
    Tag,
    /// No writes for so long, written `quiet` with `septet.quietMinutes`, or `quiet:30`.
    Quiet {
        /// 1 to 1440.
        minutes: u32,
    },
}

impl Rung {
    /// The rungs of a contract that names none: all but the quiet time, which is a guess.
    pub const DEFAULT: [Self; 4] = [Self::Manifest, Self::Import, Self::Signal, Self::Tag];

    /// Reads `manifest`, `import`, `signal`, `tag` or `quiet:MINUTES`. A `quiet` without minutes gives none: they
    /// stand in another setting.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "manifest" => Some(Self::Manifest),
            "import" => Some(Self::Import),
            "signal" => Some(Self::Signal),
            "tag" => Some(Self::Tag),
            _ => {
                let digits = text.strip_prefix("quiet:")?;
                let minutes: u32 = digits.parse().ok().filter(|_| !digits.starts_with('+'))?;
                (1..=1440).contains(&minutes).then_some(Self::Quiet { minutes })
            }
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => f.pad("manifest"),
            Self::Import => f.pad("import"),
            Self::Signal => f.pad("signal"),
            Self::Tag => f.pad("tag"),
            Self::Quiet { minutes } => f.pad(&format!("quiet:{minutes}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Contract;

    #[test]
    fn settings_that_few_contracts_have_are_serialised_only_where_they_are_set() {
        let minimal = Contract::parse(include_str!("../tests/corpus/good/minimal.yaml")).unwrap();
        let mut serialised = json!({
            "table_pattern": "orders-*",
            "promotion": "auto",
            "keep_newest": 7,
            "compatibility": "FULL_TRANSITIVE",
            "readiness": ["manifest", "import", "signal", "tag"],
            "grace_minutes": 15,
            "poll_seconds": 300,
            "max_scan_units": null,
        });
        assert_eq!(serde_json::to_value(minimal.settings()).unwrap(), serialised);
        let mut settings = minimal.settings().clone();
        settings.order = super::Order::AsOf;
        settings.indexes = vec!["by-artist".to_owned()];
        settings.prewarm = Some(30_000);
        serialised["order"] = json!("asOf");
        serialised["indexes"] = json!(["by-artist"]);
        serialised["prewarm"] = json!(30_000);
        assert_eq!(serde_json::to_value(settings).unwrap(), serialised);
    }
}
