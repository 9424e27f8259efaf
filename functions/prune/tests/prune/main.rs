//! The prune function on the emulator: sweeps, faults, many at once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod faults;
mod ownership;
mod plans;
mod sweeps;
mod world;
