//! Why a window is not done, by name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a window that was read is not believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Doubt {
    /// A page has the rows of a page before.
    RepeatedPage,
    /// A token or link was given twice.
    RepeatedToken,
    /// A page begins the window anew, as if its cursor were unknown.
    CursorRestarted,
    /// A record was on two pages: rows moved while they were read, or its key is not its own.
    RepeatedRecord {
        /// The record.
        id: String,
    },
    /// The total is not the number of rows that were read.
    TotalMismatch {
        /// What the source says.
        total: u64,
        /// What was read.
        rows: u64,
    },
    /// The total became another while the window was read.
    TotalChanged {
        /// What it was.
        from: u64,
        /// What it became.
        to: u64,
    },
    /// No answer had the total that the feed names.
    TotalMissing,
    /// An answer did not say whether there is more.
    HasMoreMissing,
    /// There is more, and nothing says where.
    MoreWithoutNext,
    /// A page is empty although there is more.
    EmptyPageButMore,
    /// Pages stay empty, and there is said to be more.
    EmptyPagesWithoutEnd,
    /// After an empty page, which was to be the end, there were rows.
    RowsAfterEmptyPage,
    /// Pages in the middle are shorter than others: rows are filtered after they are cut into pages, so that an
    /// empty page shows nothing.
    FilteredAfterPaging,
    /// Nothing but an empty page says that there is nothing.
    NothingFound,
    /// Nothing but empty pages says that the last page was read, and where rows are filtered after they are cut into
    /// pages there may be any number of them before others.
    EndNotShown,
    /// The first page is answered as one past the end.
    EndStatusOnFirstPage,
    /// The last page that may be asked for is not the last.
    MaximumPageReached,
    /// Rows are not in the order of the field by which pages follow each other.
    KeysetUnsorted,
    /// A last record has no value to go on from.
    KeysetFieldMissing,
    /// Records with the same value may lie between two pages, and the source leaves them out.
    KeysetTies,
    /// Pages followed each other by keys, and no total shows that the source sorts by them: name a total, or let each
    /// window fit one page, with a shorter step or a larger limit.
    KeysetUncounted,
    /// Rows are not in the order of time that the feed names.
    RowOrderBroken,
    /// A time is finer than the granularity by which the end of a range was translated.
    FinerThanGranularity {
        /// The record.
        id: String,
    },
    /// The answer is no JSON.
    NotJson,
    /// The answer has no list of records where the feed says.
    RecordsMissing,
    /// A second reading gave other records.
    ChangedWhileReading,
    /// The cursor was refused again and again.
    CursorRefused,
}

/// Why a window cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The source refuses the request.
    Refused {
        /// With this status.
        status: u16,
    },
    /// The source refuses who asks.
    Unauthorised {
        /// With this status.
        status: u16,
    },
    /// The feed says that such an answer ends it.
    ResponseAction {
        /// The answer's status.
        status: u16,
    },
    /// The next link leads to another origin.
    ForeignLink,
    /// The next link is none.
    BadLink,
    /// A redirect leads to another origin.
    ForeignRedirect,
    /// The source's name leads to an address that no feed may have.
    ForbiddenAddress,
    /// An answer is larger than the feed allows.
    BodyTooLarge,
    /// A record has no event time.
    CursorValueMissing {
        /// The record.
        id: String,
    },
    /// A record's event time is none.
    CursorValueUnreadable {
        /// The record.
        id: String,
    },
    /// A record has no primary key.
    PrimaryKeyMissing,
    /// The source did not answer well, however often it was asked.
    GaveUp {
        /// What it answered at last.
        last: String,
    },
    /// The request cannot be written.
    Unaskable,
    /// The credential cannot be had.
    NoCredential,
}

macro_rules! named {
    ($type:ident) => {
        impl $type {
            /// The name that logs, metrics and the ledger use.
            pub fn name(&self) -> String {
                match serde_json::to_value(self) {
                    Ok(serde_json::Value::String(name)) => name,
                    Ok(serde_json::Value::Object(map)) => map.keys().next().cloned().unwrap_or_default(),
                    _ => String::new(),
                }
            }
        }
    };
}
named!(Doubt);
named!(Failure);

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        match self {
            Self::RepeatedRecord { id } | Self::FinerThanGranularity { id } => write!(f, " (record {id})"),
            Self::TotalMismatch { total, rows } => write!(f, " (total {total}, {rows} rows read)"),
            Self::TotalChanged { from, to } => write!(f, " (from {from} to {to})"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        match self {
            Self::Refused { status } | Self::Unauthorised { status } | Self::ResponseAction { status } => {
                write!(f, " (status {status})")
            }
            Self::CursorValueMissing { id } | Self::CursorValueUnreadable { id } => {
                write!(f, " (record {id})")
            }
            Self::GaveUp { last } => write!(f, " (last: {last})"),
            _ => Ok(()),
        }
    }
}
