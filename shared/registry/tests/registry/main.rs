//! The registry's transitions, on the store in memory and on DynamoDB.

mod conformance;
mod dynamodb;
mod properties;
mod retention;
mod store;
mod transitions;
