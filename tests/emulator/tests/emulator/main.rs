//! What the emulator adds to dynoxide, seen through the real SDK client.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod calls;
mod support;
mod tables;
