//! Dataset tables, through the real SDK client, on a DynamoDB in process.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod delete;
mod look;
mod pages;
mod seal;
mod support;
mod wire;
