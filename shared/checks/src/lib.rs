//! Profile of a table, rules over it, verdicts.

mod value;

pub use value::{Item, Value};
