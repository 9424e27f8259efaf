//! The registry's transitions, on the store in memory and on DynamoDB.

mod properties;
mod store;
mod transitions;
