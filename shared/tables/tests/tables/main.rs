//! Dataset tables, through the real SDK client, on a DynamoDB in process.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod delete;
mod features;
mod keep;
mod look;
mod marks;
mod offers;
mod pages;
mod prewarm;
mod seal;
mod support;
mod upgrade;
mod wire;
