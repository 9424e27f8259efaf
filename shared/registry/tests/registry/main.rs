//! The registry's transitions, on the store in memory and on DynamoDB.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod conformance;
mod dynamodb;
mod intent;
mod interleavings;
mod memory;
mod properties;
mod retention;
mod sharing;
mod store;
mod transitions;
mod upgrade;
