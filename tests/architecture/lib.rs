//! Holds the workspace to its layout: see `tests/dependencies.rs`.
