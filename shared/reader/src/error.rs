//! What can go wrong for a reader.

use std::fmt;
use std::time::Duration;

use septet_registry::{DatasetName, NameError, PointerName, State, TableName, VersionNumber};

/// Why a reader could not start, or a read failed.
///
/// Once started, a reader never fails for what happens to the registry; only reads fail, and only when
/// their table does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The builder was not told what it must know.
    #[error("start the reader of {dataset}: {what} is missing; call Builder::{what} before start")]
    Unset {
        /// The dataset as it was given.
        dataset: String,
        /// The builder's method.
        what: &'static str,
    },
    /// A name is none.
    #[error("start the reader")]
    Name(#[from] NameError),
    /// The registry could not be read.
    #[error("follow pointer {pointer} of {dataset}")]
    Registry {
        /// The dataset.
        dataset: DatasetName,
        /// The pointer.
        pointer: PointerName,
        /// Why.
        #[source]
        source: septet_registry::Error,
    },
    /// The registry, or the table a pointer names, took too long to answer.
    #[error("follow pointer {pointer} of {dataset}: no answer within {after:?}")]
    TimedOut {
        /// The dataset.
        dataset: DatasetName,
        /// The pointer.
        pointer: PointerName,
        /// How long it was waited for.
        after: Duration,
    },
    /// The pointer was never set.
    #[error(
        "follow pointer {pointer} of {dataset}: there is no such pointer; it exists once a version went live"
    )]
    NoPointer {
        /// The dataset.
        dataset: DatasetName,
        /// The pointer.
        pointer: PointerName,
    },
    /// The pointer names something that may not be served.
    #[error("follow pointer {pointer} of {dataset}: {refusal}")]
    Refused {
        /// The dataset.
        dataset: DatasetName,
        /// The pointer.
        pointer: PointerName,
        /// Why.
        refusal: Refusal,
    },
    /// The table of the version does not exist, and the pointer names no other.
    #[error("read version {version} by {operation}: its table {table} does not exist")]
    TableGone {
        /// The call.
        operation: &'static str,
        /// The version.
        version: VersionNumber,
        /// Its table.
        table: TableName,
    },
    /// DynamoDB failed, refused, or did not answer.
    #[error("read version {version} by {operation} from table {table}: {code}")]
    Read {
        /// The call.
        operation: &'static str,
        /// The version.
        version: VersionNumber,
        /// Its table.
        table: TableName,
        /// The error code, with the message and the request id where there are such.
        code: String,
        /// The kind of failure.
        kind: ErrorKind,
        /// Whether the same read may succeed later without anybody's help.
        retryable: bool,
        /// What the client says: the `SdkError` of the call.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// DynamoDB left keys of a batch unprocessed again and again.
    #[error("read version {version} by BatchGetItem from table {table}: {left} keys are still unprocessed")]
    Unprocessed {
        /// The version.
        version: VersionNumber,
        /// Its table.
        table: TableName,
        /// Keys that were not read.
        left: usize,
    },
}

/// Kinds of [`Error`], a closed set that alarms and callers may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The reader was not told what it must know.
    Settings,
    /// There is no version that may be served.
    NoVersion,
    /// The version's table does not exist.
    TableGone,
    /// DynamoDB or the registry failed or did not answer.
    Unavailable,
    /// DynamoDB or the registry answers too many calls already.
    Throttled,
    /// Permission is missing.
    Denied,
    /// The call itself is wrong, such as a key that the table does not have.
    Invalid,
    /// The registry holds something that this Septet cannot read.
    Unreadable,
}

impl ErrorKind {
    /// The kind as logs show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "Reader.Settings",
            Self::NoVersion => "Reader.NoVersion",
            Self::TableGone => "Reader.TableGone",
            Self::Unavailable => "Reader.Unavailable",
            Self::Throttled => "Reader.Throttled",
            Self::Denied => "Reader.Denied",
            Self::Invalid => "Reader.Invalid",
            Self::Unreadable => "Reader.Unreadable",
        }
    }
}

impl Error {
    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        use septet_registry::ErrorKind as Registry;
        match self {
            Self::Unset { .. } | Self::Name(_) => ErrorKind::Settings,
            Self::Registry { source, .. } => match source.kind() {
                Registry::Denied => ErrorKind::Denied,
                Registry::Throttled => ErrorKind::Throttled,
                Registry::Unreadable => ErrorKind::Unreadable,
                Registry::NotFound => ErrorKind::Settings,
                Registry::Unavailable | Registry::Conflict => ErrorKind::Unavailable,
            },
            Self::TimedOut { .. } => ErrorKind::Unavailable,
            Self::NoPointer { .. } | Self::Refused { .. } => ErrorKind::NoVersion,
            Self::TableGone { .. } => ErrorKind::TableGone,
            Self::Read { kind, .. } => *kind,
            Self::Unprocessed { .. } => ErrorKind::Throttled,
        }
    }

    /// Whether the same may succeed later without anybody's help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Registry { source, .. } => source.is_retryable(),
            Self::Read { retryable, .. } => *retryable,
            Self::TimedOut { .. } | Self::Unprocessed { .. } => true,
            // Whoever publishes may be about to.
            Self::NoPointer { .. } | Self::Refused { .. } => true,
            Self::Unset { .. } | Self::Name(_) | Self::TableGone { .. } => false,
        }
    }
}

/// Why a reader does not go where the pointer points.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The pointer is older than it was.
    OlderGeneration {
        /// The generation it has.
        found: u64,
        /// The generation it had.
        known: u64,
    },
    /// The pointer changed without a new generation, so Septet did not change it.
    SameGeneration {
        /// The generation.
        generation: u64,
        /// The version it names now.
        version: VersionNumber,
    },
    /// The registry has no such version.
    UnknownVersion {
        /// The version.
        version: VersionNumber,
    },
    /// The version is not valid.
    NotValid {
        /// The version.
        version: VersionNumber,
        /// Where it stands.
        is: State,
    },
    /// The pointer names another table than the version has.
    OtherTable {
        /// The version.
        version: VersionNumber,
        /// The table that the pointer names.
        pointer: String,
        /// The table that the version has.
        is: String,
    },
    /// The table lies in another region than the client reads in.
    OtherRegion {
        /// The version.
        version: VersionNumber,
        /// The table's ARN.
        table_arn: String,
        /// The client's region.
        region: String,
    },
    /// The version's table cannot be read.
    Unreachable {
        /// The version.
        version: VersionNumber,
        /// Its table.
        table: TableName,
        /// What DynamoDB says.
        why: String,
    },
}

impl Refusal {
    /// The version that is refused, where it is refused for what it is.
    pub(crate) fn version(&self) -> Option<VersionNumber> {
        match self {
            Self::OlderGeneration { .. } => None,
            Self::SameGeneration { version, .. }
            | Self::UnknownVersion { version }
            | Self::NotValid { version, .. }
            | Self::OtherTable { version, .. }
            | Self::OtherRegion { version, .. }
            | Self::Unreachable { version, .. } => Some(*version),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OlderGeneration { found, known } => {
                write!(f, "its generation went back from {known} to {found}")
            }
            Self::SameGeneration { generation, version } => {
                write!(f, "it names version {version} now and is still of generation {generation}")
            }
            Self::UnknownVersion { version } => {
                write!(f, "it names version {version}, which the registry does not hold")
            }
            Self::NotValid { version, is } => write!(f, "it names version {version}, which is {is}"),
            Self::OtherTable { version, pointer, is } => {
                write!(f, "it names table {pointer} for version {version}, whose table is {is}")
            }
            Self::OtherRegion { version, table_arn, region } => {
                write!(f, "version {version} is {table_arn}, and the client reads in {region}")
            }
            Self::Unreachable { version, table, why } => {
                write!(f, "table {table} of version {version} cannot be read: {why}")
            }
        }
    }
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
