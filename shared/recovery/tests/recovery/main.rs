//! The engine on a ledger in memory, with a source and a sink that fail as told.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod engine;
mod http;
mod runs;
mod servers;
mod sinks;
mod traps;
mod upgrade;
mod workers;
mod world;
