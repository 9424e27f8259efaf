//! Readers on an in-process DynamoDB, while versions, pointers and faults come and go.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod disk;
mod example;
mod faults;
mod following;
mod nights;
mod reads;
mod upgrade;
