//! Profile of a table, rules over it, verdicts.
//!
//! A [`Checker`] is a compiled contract. It takes items one by one into a [`Profile`]; profiles of the parts of a
//! table merge in any order; [`Checker::evaluate`] turns the whole into a [`Report`]. It promises that no item
//! makes it panic, that a check that could not be made never passes, and that order and split of the items
//! change nothing. It leaves reading items (a scan, a file) and what follows from a report to others.

mod checker;
mod constraint;
mod digest;
mod distinct;
mod evaluate;
mod literals;
mod plan;
mod profile;
mod report;
#[cfg(test)]
mod samples;
mod size;
mod text_format;
mod value;
mod view;

pub use checker::Checker;
pub use distinct::MOST_DISTINCT;
pub use profile::Profile;
pub use report::{CheckResult, Example, MOST_REASONS, Outcome, Report};
pub use value::{Item, Value};
