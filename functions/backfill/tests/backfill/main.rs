//! The backfill function on the emulator, with a source and a store of secrets that answer over HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod letters;
mod messages;
mod secrets;
mod world;
