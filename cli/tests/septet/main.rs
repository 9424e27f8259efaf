//! The command `septet`, as it is built, on the emulator.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod adopting;
mod checking;
mod comparing;
mod contracts;
mod errors;
mod holds;
mod letters;
mod marks;
mod moves;
mod pages;
mod publishing;
mod recovery;
mod terminal;
mod upgrade;
mod world;
