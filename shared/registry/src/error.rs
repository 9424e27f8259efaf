//! What can go wrong, and what is refused.

use std::fmt;

use jiff::Timestamp;

use crate::hold::PointerHold;
use crate::version::{Mark, Version};
use crate::{ContractNumber, DatasetName, HoldId, Pointer, PointerName, State, VersionNumber};

/// A boxed cause, without the store's own types.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation on the registry failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store could not be reached, or did not answer.
    #[error("reach the registry table {table}: {operation} ({code})")]
    Store {
        /// The registry table.
        table: String,
        /// The call that failed.
        operation: &'static str,
        /// The error code, with the request id where there is one.
        code: String,
        /// Whether the same call may succeed later.
        retryable: bool,
        /// What the client says.
        #[source]
        source: Cause,
    },
    /// The registry refuses the caller.
    #[error("{operation} on the registry table {table}: permission is missing ({message})")]
    Denied {
        /// The registry table.
        table: String,
        /// The call that was refused.
        operation: &'static str,
        /// What the service says.
        message: String,
    },
    /// The registry table does not exist.
    #[error("find the registry table {table}: it does not exist in this account and region")]
    NoTable {
        /// The registry table.
        table: String,
    },
    /// The registry answers too many calls already.
    #[error("{operation} on the registry table {table}: DynamoDB throttles")]
    Throttled {
        /// The registry table.
        table: String,
        /// The call that was throttled.
        operation: &'static str,
    },
    /// Too many others wrote to the same items at the same time.
    #[error("{action} after {attempts} attempts: others keep changing the same items")]
    Contended {
        /// What was to be done.
        action: &'static str,
        /// How often it was tried.
        attempts: u32,
    },
    /// An item was written by a newer Septet.
    #[error(
        "read the registry item {key}: it has format {found}, this Septet knows formats up to {known}; \
         update this Septet"
    )]
    NewerFormat {
        /// The item's keys.
        key: String,
        /// The item's format.
        found: u64,
        /// The newest format known here.
        known: u64,
    },
    /// An item was written by a newer Septet, and this one would lose a part of it.
    #[error(
        "write the registry item {key}: programs of format {found} and later may write it, this Septet is of format \
         {known}; update this Septet"
    )]
    NewerWriter {
        /// The item's keys.
        key: String,
        /// The least format of a program that may write the item.
        found: u64,
        /// The format of this program.
        known: u64,
    },
    /// An item cannot be read.
    #[error("read the registry item {key}: {message}")]
    Malformed {
        /// The item's keys.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// A dataset has no contract.
    #[error("find the dataset {dataset}: it is unknown; a dataset exists once its contract is put")]
    UnknownDataset {
        /// The dataset asked for.
        dataset: DatasetName,
    },
    /// A dataset has no such version.
    #[error("find version {version} of {dataset}: there is none")]
    UnknownVersion {
        /// The dataset asked for.
        dataset: DatasetName,
        /// The version asked for.
        version: VersionNumber,
    },
}

/// Kinds of [`Error`], a closed set that alarms and callers may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The store failed or did not answer.
    Unavailable,
    /// Permission is missing.
    Denied,
    /// Calls are throttled.
    Throttled,
    /// Others keep changing the same items.
    Conflict,
    /// The registry holds something that this Septet cannot read.
    Unreadable,
    /// What was asked for does not exist.
    NotFound,
}

impl ErrorKind {
    /// The kind as logs and Lambda's `errorType` show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "Registry.Unavailable",
            Self::Denied => "Registry.Denied",
            Self::Throttled => "Registry.Throttled",
            Self::Conflict => "Registry.Conflict",
            Self::Unreadable => "Registry.Unreadable",
            Self::NotFound => "Registry.NotFound",
        }
    }
}

impl Error {
    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store { .. } => ErrorKind::Unavailable,
            Self::Denied { .. } => ErrorKind::Denied,
            Self::Throttled { .. } => ErrorKind::Throttled,
            Self::Contended { .. } => ErrorKind::Conflict,
            Self::NewerFormat { .. } | Self::NewerWriter { .. } | Self::Malformed { .. } => {
                ErrorKind::Unreadable
            }
            Self::NoTable { .. } | Self::UnknownDataset { .. } | Self::UnknownVersion { .. } => {
                ErrorKind::NotFound
            }
        }
    }

    /// Whether the same operation may succeed later without anybody's help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store { retryable, .. } => *retryable,
            Self::Throttled { .. } | Self::Contended { .. } => true,
            _ => false,
        }
    }
}

/// Why a transition is refused: a normal answer, after which everything is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The version is in another state than the transition starts from.
    State {
        /// The version.
        version: VersionNumber,
        /// Where it stands.
        is: State,
        /// Where it was to go.
        to: State,
    },
    /// Another invocation is checking the version.
    Leased {
        /// The version.
        version: VersionNumber,
        /// Who checks.
        owner: String,
        /// When the lease ends.
        until: Timestamp,
    },
    /// Many invocations are checking the version together.
    Shared {
        /// The version.
        version: VersionNumber,
    },
    /// Another contract came in force than the new one was judged against.
    OtherContract {
        /// What it was judged against; none if there was no contract.
        judged: Option<ContractNumber>,
        /// What is in force.
        is: ContractNumber,
    },
    /// The lease under which a check ran is not the version's lease any more.
    LeaseLost {
        /// The version.
        version: VersionNumber,
    },
    /// Only a valid version can be pointed at.
    NotValid {
        /// The version.
        version: VersionNumber,
        /// Where it stands.
        is: State,
    },
    /// Automatic promotion is on hold.
    Held {
        /// The pointer.
        pointer: PointerName,
        /// Who holds it.
        by: String,
        /// Why.
        reason: String,
    },
    /// The dataset's contract leaves promotion to people.
    Manual,
    /// A newer version is, or was, live.
    Older {
        /// The version that was to be promoted.
        version: VersionNumber,
        /// The newer one.
        than: VersionNumber,
    },
    /// The target has the very content of the version being left.
    Identical {
        /// The target.
        version: VersionNumber,
        /// The version being left.
        to: VersionNumber,
    },
    /// The pointer does not exist yet.
    NoPointer {
        /// The pointer.
        pointer: PointerName,
        /// Versions it could be pointed at.
        candidates: Vec<VersionNumber>,
    },
    /// There is no version to go back, or forward, to.
    NowhereToGo {
        /// The pointer.
        pointer: PointerName,
        /// Versions it could be pointed at instead.
        candidates: Vec<VersionNumber>,
    },
    /// The pointer is not on hold.
    NotHeld {
        /// The pointer.
        pointer: PointerName,
    },
    /// A pointer names the version.
    Pointed {
        /// The version.
        version: VersionNumber,
        /// The pointers.
        by: Vec<PointerName>,
    },
    /// A pointer named the version a moment ago; readers may still be on it.
    InGrace {
        /// The version.
        version: VersionNumber,
        /// When the grace ends.
        until: Timestamp,
    },
    /// Too few newer valid versions would be left.
    AmongNewest {
        /// The version.
        version: VersionNumber,
        /// How many valid versions are kept.
        keep: u32,
    },
    /// The pointer is not where the operator was shown it.
    MovedSince {
        /// The pointer.
        pointer: PointerName,
        /// The version that it names now.
        version: Option<VersionNumber>,
        /// The operator or function that moved it last.
        by: Option<String>,
    },
    /// The version is withdrawn.
    Withdrawn {
        /// The version.
        version: VersionNumber,
        /// The operator that withdrew it.
        by: String,
        /// The operator's reason.
        reason: String,
    },
    /// The holds of the pointer belong to other operators.
    HeldByOthers {
        /// The pointer.
        pointer: PointerName,
        /// The holds in force.
        holds: Vec<PointerHold>,
    },
    /// The pointer has no hold of this id.
    UnknownHold {
        /// The pointer.
        pointer: PointerName,
        /// The id asked for.
        id: HoldId,
        /// The holds in force.
        holds: Vec<PointerHold>,
    },
    /// Septet never sealed the version's table.
    NeverSealed {
        /// The version.
        version: VersionNumber,
    },
    /// The version's table was sealed: retention decides on it.
    Sealed {
        /// The version.
        version: VersionNumber,
    },
    /// A hold keeps what was live before it.
    KeptByHold {
        /// The version.
        version: VersionNumber,
    },
    /// An operator asked for the deletion of the version's table.
    Discarded {
        /// The version.
        version: VersionNumber,
        /// The operator.
        by: String,
    },
}

impl Refusal {
    pub(crate) fn withdrawn(version: &Version, mark: &Mark) -> Self {
        Self::Withdrawn { version: version.version, by: mark.by.clone(), reason: mark.reason.clone() }
    }

    pub(crate) fn moved(name: &PointerName, pointer: Option<&Pointer>) -> Self {
        Self::MovedSince {
            pointer: name.clone(),
            version: pointer.map(|pointer| pointer.version),
            by: pointer.map(|pointer| pointer.moved_by.clone()),
        }
    }

    pub(crate) fn unknown_hold(
        pointer: &PointerName,
        id: &HoldId,
        holds: &[PointerHold],
        now: Timestamp,
    ) -> Self {
        let holds = holds.iter().filter(|hold| hold.is_active(now)).cloned().collect();
        Self::UnknownHold { pointer: pointer.clone(), id: id.clone(), holds }
    }
}

struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (at, entry) in self.0.iter().enumerate() {
            write!(f, "{}{entry}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State { version, is, to } => {
                write!(f, "version {version} is {is} and cannot become {to}")
            }
            Self::Leased { version, owner, until } => {
                write!(f, "version {version} is being checked by {owner} until {until}")
            }
            Self::Shared { version } => write!(f, "many invocations are checking version {version} together"),
            Self::OtherContract { judged: Some(judged), is } => {
                write!(f, "the new contract was judged against contract {judged}; meanwhile {is} is in force")
            }
            Self::OtherContract { judged: None, is } => {
                write!(
                    f,
                    "the dataset was new when the contract was judged; meanwhile contract {is} is in force"
                )
            }
            Self::LeaseLost { version } => {
                write!(f, "the check of version {version} was taken over by another invocation")
            }
            Self::NotValid { version, is } => {
                write!(f, "version {version} is {is}; only a valid version can be pointed at")
            }
            Self::Held { pointer, by, reason } => {
                write!(f, "pointer {pointer} is on hold by {by}: {reason}")
            }
            Self::Manual => f.write_str("the contract sets septet.promotion to manual"),
            Self::Older { version, than } => {
                write!(f, "version {version} is older than version {than}, which is or was live")
            }
            Self::Identical { version, to } => {
                write!(f, "version {version} has the same content as version {to}")
            }
            Self::NoPointer { pointer, candidates } => {
                write!(f, "there is no pointer {pointer} yet; valid versions: {}", List(candidates))
            }
            Self::NowhereToGo { pointer, candidates } => {
                write!(
                    f,
                    "pointer {pointer} has no version to go to that is still valid; valid versions: {}",
                    List(candidates)
                )
            }
            Self::NotHeld { pointer } => write!(f, "pointer {pointer} is not on hold"),
            Self::Pointed { version, by } => write!(f, "version {version} is named by {}", List(by)),
            Self::InGrace { version, until } => {
                write!(f, "version {version} was named by a pointer; its grace ends {until}")
            }
            Self::AmongNewest { version, keep } => {
                write!(f, "version {version} is among the newest {keep} good versions")
            }
            Self::MovedSince { pointer, version: Some(version), by } => {
                let by = by.as_deref().unwrap_or("unknown");
                write!(f, "pointer {pointer} changed since it was shown: it names version {version} by {by}")
            }
            Self::MovedSince { pointer, version: None, .. } => {
                write!(f, "pointer {pointer} changed since it was shown: it is gone")
            }
            Self::Withdrawn { version, by, reason } => {
                write!(f, "version {version} was withdrawn by {by}: {reason}")
            }
            Self::HeldByOthers { pointer, holds } => {
                write!(f, "pointer {pointer} is on hold by others: {}", List(holds))
            }
            Self::UnknownHold { pointer, id, holds } => {
                write!(f, "pointer {pointer} has no hold {id}; in force: {}", List(holds))
            }
            Self::NeverSealed { version } => {
                write!(
                    f,
                    "the table of version {version} was never sealed, and Septet deletes only what it sealed"
                )
            }
            Self::Sealed { version } => {
                write!(f, "the table of version {version} was sealed; retention deletes it when it is due")
            }
            Self::KeptByHold { version } => {
                write!(f, "version {version} was live before a hold that is in force")
            }
            Self::Discarded { version, by } => write!(f, "version {version} was discarded by {by}"),
        }
    }
}

/// What came of an operation; each is a normal answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome<T> {
    /// It was done now.
    Done(T),
    /// It had been done before; nothing changed.
    Already(T),
    /// It may not be done; nothing changed.
    Refused(Refusal),
}

impl<T> Outcome<T> {
    /// The result, whether it came about now or before.
    pub fn into_result(self) -> Result<T, Refusal> {
        match self {
            Self::Done(value) | Self::Already(value) => Ok(value),
            Self::Refused(refusal) => Err(refusal),
        }
    }

    /// Whether it was done now.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}
