//! Where records go: queues and tables of AWS.
//!
//! A record's body is what the live feed would have sent; all that is said of it beside that, its id first, travels
//! as attributes, because a queue gives messages new ids of its own.

mod dynamodb;
mod pack;
mod sqs;
mod wire;

pub use dynamodb::{DynamoDbSink, DynamoDbTable, Unread};
pub use sqs::{SqsDeadLetters, SqsSink};
