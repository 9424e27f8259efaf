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
    pub readiness: Vec<Rung>,
    /// `septet.graceMinutes`, 0 to 10080, default 15: how long a version stays after the last pointer left it.
    pub grace_minutes: u32,
    /// `septet.pollSeconds`, 1 to 86400, default 300: how often readers look at the pointer.
    pub poll_seconds: u32,
    /// `septet.maxScanUnits`, 1 to 1000000000: read units that checking one version may use. None reads it all.
    pub max_scan_units: Option<u32>,
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
    /// No writes for so long, written `quiet:30`.
    Quiet {
        /// 1 to 1440.
        minutes: u32,
    },
}

impl Rung {
    /// The rungs of a contract that names none: all but the quiet time, which is a guess.
    pub const DEFAULT: [Self; 4] = [Self::Manifest, Self::Import, Self::Signal, Self::Tag];

    /// Reads `manifest`, `import`, `signal`, `tag` or `quiet:MINUTES`.
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
