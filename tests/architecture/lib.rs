//! Holds the workspace to its layout (`tests/dependencies.rs`) and ARCHITECTURE.md to its promises (`tests/promises.rs`).
