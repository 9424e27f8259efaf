//! What can go wrong with a message.

use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use septet_aws::CallError;
use septet_registry::{ContractNumber, DatasetName, MessageError, Refusal, TableId, TableName};

use crate::queue::QueueError;

/// Why a message could not be handled. Each text reads after "failed to" and says what to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A batch is not shaped as SQS shapes them.
    #[error("read the batch: {0}")]
    Batch(#[source] serde_json::Error),
    /// The body of a message is no JSON.
    #[error("read the message: the body is no JSON: {0}")]
    NoJson(#[source] serde_json::Error),
    /// It is neither signal nor reminder, or a bad one.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// It is of a kind that this function does not know.
    #[error("read the message: {what} is unknown to this Septet; update it")]
    UnknownMessage {
        /// What it is.
        what: String,
    },
    /// It is an event that no rule of Septet sends here.
    #[error(
        "read the event: `source` is {source_name:?} and `detail-type` is {kind:?}; \
         only \"aws.dynamodb\" with \"AWS API Call via CloudTrail\" is handled, correct the rule"
    )]
    ForeignEvent {
        /// The event's source.
        source_name: String,
        /// The event's detail type.
        kind: String,
    },
    /// The event carries no CloudTrail record.
    #[error("read the event: `detail.eventName` is missing, so `detail` is no CloudTrail record")]
    NoRecord,
    /// A record does not say which table it is about.
    #[error(
        "read the CloudTrail record {event_id} of {call}: it names no table in `requestParameters`, \
         `responseElements` or `resources`; send a signal with the table's name"
    )]
    NoTableName {
        /// The call on record.
        call: String,
        /// The record's id.
        event_id: String,
    },
    /// Somebody says that a table is complete which no dataset claims.
    #[error(
        "take the signal for table {table}: no contract claims it; field `table` must match the \
         septet.tablePattern of a contract ({patterns})"
    )]
    Unclaimed {
        /// The table.
        table: TableName,
        /// The patterns there are.
        patterns: String,
    },
    /// Several datasets claim one table.
    #[error(
        "tell whose table {table} is: {} claim it; make their septet.tablePattern exclude each other",
        list(.datasets)
    )]
    ClaimedBySeveral {
        /// The table.
        table: TableName,
        /// The datasets.
        datasets: Vec<DatasetName>,
    },
    /// A dataset's pattern cannot be read, and the table may be its.
    #[error(
        "tell whose table {table} is: the septet.tablePattern {pattern:?} of {dataset} is no pattern; \
         put a corrected contract"
    )]
    BadPattern {
        /// The table.
        table: TableName,
        /// The dataset.
        dataset: DatasetName,
        /// Its pattern.
        pattern: String,
    },
    /// Somebody says that a table is complete which does not exist.
    #[error("take the signal for table {table}: there is no such table in this account and region")]
    NoSuchTable {
        /// The table.
        table: TableName,
    },
    /// A contract does not take such a signal as a sign of completeness.
    #[error("take the signal for table {table}: {why}")]
    SignalNotTaken {
        /// The table.
        table: TableName,
        /// Why, and what would be taken.
        why: String,
    },
    /// A signal names a table of another account or region by its ARN.
    #[error(
        "take the signal for {said}: the table of that name here is {is}; send it to the Septet that holds {said}"
    )]
    ForeignTable {
        /// The ARN that the signal has.
        said: String,
        /// The table of that name in this account and region.
        is: String,
    },
    /// A signal speaks of an earlier, or later, table of the name.
    #[error(
        "take the signal for table {table}: it speaks of the table with id {said}, and the table of that name has id \
         {is}; `septet publish {table}` signals the one that is there"
    )]
    OtherTable {
        /// The table.
        table: TableName,
        /// The id that the signal has.
        said: TableId,
        /// The id of the table that is there.
        is: TableId,
    },
    /// A signal without a table id was sent before the table was created.
    #[error(
        "take the signal for table {table}: it was sent at {sent_at}, and the table that is there was created at \
         {created_at}; `septet publish {table}` signals it"
    )]
    SignalOlderThanTable {
        /// The table.
        table: TableName,
        /// When the signal was sent first.
        sent_at: Timestamp,
        /// When the table was created.
        created_at: Timestamp,
    },
    /// A signal without a table id came back from dead letters, and no attribute says when it was sent first.
    #[error(
        "take the signal for table {table}: it was moved back from dead letters and has no table id, so it may speak of \
         an earlier table of that name; `septet publish {table}` sends it anew"
    )]
    RedrivenWithoutId {
        /// The table.
        table: TableName,
    },
    /// A signal was sent before the dataset had a contract.
    #[error(
        "take the signal for table {table}: it was sent at {sent_at}, before the first contract of {dataset} was put at \
         {since}; `septet publish {table}` sends it anew"
    )]
    SignalBeforeContract {
        /// The table.
        table: TableName,
        /// The dataset.
        dataset: DatasetName,
        /// When the signal was sent first.
        sent_at: Timestamp,
        /// When the first contract was put.
        since: Timestamp,
    },
    /// An operator discarded the table that a signal speaks of.
    #[error(
        "take the signal for table {table}: it was discarded by {by} ({reason}); write the data to a new table"
    )]
    Discarded {
        /// The table.
        table: TableName,
        /// The operator.
        by: String,
        /// The operator's reason.
        reason: String,
    },
    /// CloudWatch did not say how much capacity a table consumed.
    #[error("measure the capacity that a table consumes: {0}")]
    Capacity(#[from] CallError),
    /// The contract that a version is checked against cannot be used.
    #[error("read contract {contract} of {dataset}: {message}")]
    Contract {
        /// The dataset.
        dataset: DatasetName,
        /// The contract's number.
        contract: ContractNumber,
        /// What is wrong.
        message: String,
    },
    /// The invocation ends too soon for this message.
    #[error("begin with the message: the invocation ends at {deadline}")]
    OutOfTime {
        /// When the invocation ends.
        deadline: Timestamp,
    },
    /// A part of the check stopped by itself.
    #[error("check table {table}: {message}")]
    Broken {
        /// The table.
        table: TableName,
        /// What happened.
        message: String,
    },
    /// The registry refuses what it should never refuse.
    #[error("record what became of table {table} of {dataset}: {refusal}")]
    Refused {
        /// The dataset.
        dataset: DatasetName,
        /// The table.
        table: TableName,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] septet_registry::Error),
    /// A dataset table could not be worked with.
    #[error(transparent)]
    Tables(#[from] septet_tables::Error),
    /// The message could not be put back onto the queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

fn list(datasets: &[DatasetName]) -> String {
    let names: Vec<_> = datasets.iter().map(DatasetName::as_str).collect();
    names.join(", ")
}

impl Error {
    /// The kind of the error, of a closed set that alarms and log queries may rely on.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Batch(_)
            | Self::NoJson(_)
            | Self::Message(_)
            | Self::NoRecord
            | Self::NoTableName { .. } => "Message.Malformed",
            Self::UnknownMessage { .. } | Self::ForeignEvent { .. } => "Message.Unknown",
            Self::Unclaimed { .. } => "Table.Unclaimed",
            Self::ClaimedBySeveral { .. } | Self::BadPattern { .. } => "Table.Ambiguous",
            Self::NoSuchTable { .. } => "Table.Missing",
            Self::SignalNotTaken { .. } => "Signal.NotTaken",
            Self::ForeignTable { .. } | Self::OtherTable { .. } => "Signal.OtherTable",
            Self::SignalOlderThanTable { .. } | Self::RedrivenWithoutId { .. } => "Signal.Outdated",
            Self::SignalBeforeContract { .. } => "Signal.BeforeContract",
            Self::Discarded { .. } => "Table.Discarded",
            Self::Capacity(CallError::Denied { .. }) => "Capacity.Denied",
            Self::Capacity(_) => "Capacity.Unavailable",
            Self::Contract { .. } => "Contract.Unreadable",
            Self::OutOfTime { .. } => "Invocation.OutOfTime",
            Self::Broken { .. } | Self::Refused { .. } => "Check.Broken",
            Self::Registry(error) => error.kind().as_str(),
            Self::Tables(error) => error.kind().as_str(),
            Self::Queue(error) => error.kind(),
        }
    }

    /// Whether the same message may succeed later without anybody's help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::OutOfTime { .. } | Self::Broken { .. } | Self::Refused { .. } => true,
            Self::Registry(error) => error.is_retryable(),
            Self::Tables(error) => error.is_retryable(),
            Self::Queue(error) => error.is_retryable(),
            Self::Capacity(error) => matches!(error, CallError::Unavailable { .. }),
            _ => false,
        }
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self { error_type: error.kind().to_owned(), error_message: format!("failed to {error}") }
    }
}
