//! The function against DynamoDB in process, through the real SDK client.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod drift;
mod faults;
mod functions;
mod kill;
mod many;
mod messages;
mod orders;
mod ownership;
mod publish;
mod reject;
mod sampling;
mod share;
mod support;
mod upgrade;
