//! Where records go: queues and tables of AWS.
//!
//! A record's body is what the live feed would have sent; all that is said of it beside that, its id first, travels
//! as attributes, because a queue gives messages new ids of its own.

mod dynamodb;
mod letter;
mod pack;
mod sqs;
mod wire;

pub use dynamodb::{DynamoDbSink, DynamoDbTable, Unread};
pub use letter::RecordLetter;
pub use sqs::{SqsDeadLetters, SqsSink};

use crate::feed;
use crate::port::Parcel;

/// Why a sink can never take a record, as far as the record itself shows it: what is there may refuse it for more.
pub fn unfit(sink: &feed::Sink, parcel: &Parcel<'_>) -> Option<String> {
    match sink {
        feed::Sink::Sqs { .. } | feed::Sink::SqsFifo { .. } => pack::unfit(parcel),
        feed::Sink::DynamoDb { version_attribute, .. } => {
            dynamodb::item(parcel.body, version_attribute).err()
        }
    }
}
