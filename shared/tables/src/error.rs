//! What can go wrong with a dataset table.

use septet_registry::{TableId, TableName};

pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation on dataset tables failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller may not do this.
    #[error("call {action} on {subject}: {}: {message}", denial(.by_table_policy))]
    Denied {
        /// The IAM action, such as `dynamodb:UpdateTable`.
        action: String,
        /// The table or resource.
        subject: String,
        /// Whether an explicit denial of the table's own resource policy is the reason, as a seal has them.
        by_table_policy: bool,
        /// What DynamoDB says.
        message: String,
    },
    /// DynamoDB answers too many calls already.
    #[error("call {action} on {subject}: DynamoDB throttles ({code})")]
    Throttled {
        /// The IAM action.
        action: String,
        /// The table or resource.
        subject: String,
        /// The error code, with the request id where there is one.
        code: String,
    },
    /// There is no such table, or not any more.
    #[error("call {action} on {subject}: it does not exist")]
    NotFound {
        /// The IAM action.
        action: String,
        /// The table or resource.
        subject: String,
    },
    /// The table or its policy is being changed by somebody else.
    #[error("call {action} on {subject}: it is being changed ({message})")]
    InUse {
        /// The IAM action.
        action: String,
        /// The table or resource.
        subject: String,
        /// What DynamoDB says.
        message: String,
    },
    /// DynamoDB could not be reached, did not answer, or failed.
    #[error("call {action} on {subject}: DynamoDB is not available ({code})")]
    Unavailable {
        /// The IAM action.
        action: String,
        /// The table or resource.
        subject: String,
        /// The error code, with the request id where there is one.
        code: String,
        /// What the client says.
        #[source]
        source: Cause,
    },
    /// DynamoDB refuses the call as it is.
    #[error("call {action} on {subject}: DynamoDB refuses it ({code}): {message}")]
    Refused {
        /// The IAM action.
        action: String,
        /// The table or resource.
        subject: String,
        /// The error code, with the request id where there is one.
        code: String,
        /// What DynamoDB says.
        message: String,
    },
    /// An answer lacks what every such answer has, or holds what this Septet does not know.
    #[error("read what DynamoDB says about {subject}: {problem}")]
    Malformed {
        /// The table or resource.
        subject: String,
        /// What is wrong.
        problem: String,
    },
    /// The statements of others leave no room for the seal.
    #[error(
        "seal {table}: its resource policy would have {bytes} bytes with the seal, of at most {limit}; \
         take statements out of it"
    )]
    PolicyTooLarge {
        /// The table.
        table: TableName,
        /// The size it would have.
        bytes: usize,
        /// The most that DynamoDB takes.
        limit: usize,
    },
    /// The policy on the table cannot be read, so the seal cannot be added to it.
    #[error("read the resource policy of {table}: {problem}")]
    UnreadablePolicy {
        /// The table.
        table: TableName,
        /// What is wrong.
        problem: String,
    },
    /// A list of roles that may change sealed tables is of no use.
    #[error("take the roles that may change sealed tables: {problem}")]
    SealRoles {
        /// What is wrong.
        problem: String,
    },
    /// A table was replaced by another of its name in the moment it was deleted, and that one was hit.
    #[error("delete {table} with id {expected}: it was replaced in that moment, and {deleted} was deleted")]
    WrongTable {
        /// The name of both.
        table: TableName,
        /// The table that was to go.
        expected: TableId,
        /// The table that went.
        deleted: TableId,
    },
}

const fn denial(by_table_policy: &bool) -> &'static str {
    if *by_table_policy { "the table's own policy denies it" } else { "permission is missing" }
}

/// Kinds of [`Error`], a closed set that alarms and callers may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A permission is missing or denied.
    Denied,
    /// Calls are throttled.
    Throttled,
    /// There is no such table.
    NotFound,
    /// Somebody else is changing the table.
    InUse,
    /// DynamoDB failed or did not answer.
    Unavailable,
    /// DynamoDB refuses the call.
    Refused,
    /// An answer or a policy cannot be read.
    Unreadable,
    /// The seal does not fit.
    Policy,
    /// The configuration is of no use.
    Configuration,
    /// The wrong table was deleted.
    WrongTable,
}

impl ErrorKind {
    /// The kind as logs and Lambda's `errorType` show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "Tables.Denied",
            Self::Throttled => "Tables.Throttled",
            Self::NotFound => "Tables.NotFound",
            Self::InUse => "Tables.InUse",
            Self::Unavailable => "Tables.Unavailable",
            Self::Refused => "Tables.Refused",
            Self::Unreadable => "Tables.Unreadable",
            Self::Policy => "Tables.Policy",
            Self::Configuration => "Tables.Configuration",
            Self::WrongTable => "Tables.WrongTable",
        }
    }
}

impl Error {
    /// The kind of the error.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Denied { .. } => ErrorKind::Denied,
            Self::Throttled { .. } => ErrorKind::Throttled,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::InUse { .. } => ErrorKind::InUse,
            Self::Unavailable { .. } => ErrorKind::Unavailable,
            Self::Refused { .. } => ErrorKind::Refused,
            Self::Malformed { .. } | Self::UnreadablePolicy { .. } => ErrorKind::Unreadable,
            Self::PolicyTooLarge { .. } => ErrorKind::Policy,
            Self::SealRoles { .. } => ErrorKind::Configuration,
            Self::WrongTable { .. } => ErrorKind::WrongTable,
        }
    }

    /// Whether the same operation may succeed later without anybody's help.
    pub const fn is_retryable(&self) -> bool {
        matches!(self.kind(), ErrorKind::Throttled | ErrorKind::InUse | ErrorKind::Unavailable)
    }
}
