//! The statement that carries the id of a seal.
//!
//! It denies what the seal denies anyway, so it is a denial that changes nothing: only its Sid matters.

use septet_registry::SealId;
use serde::Serialize;
use serde_json::{Value, json};

use super::{PREFIX, flaw_of, is_ours};
use crate::{Flaw, TableFacts};

/// The beginning of the Sid that ends with the id.
const ID_PREFIX: &str = "SeptetSealId";

/// The ends of the Sids of the statements that Septet 0.1.0 puts.
const THREE: [&str; 3] = ["Items", "Settings", "Table"];

/// Seal that the resource policy of a table carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum SealMark {
    /// No statement of a seal.
    Nothing,
    /// Statements of a seal, and no id: sealed by Septet 0.1.0 if they are intact.
    WithoutId {
        /// True if the three statements of a seal are as Septet 0.1.0 put them.
        intact: bool,
    },
    /// The seal of this id.
    Id(SealId),
    /// Several ids, or one that cannot be read.
    Unclear,
}

/// Builds the statement for an id.
pub(super) fn build_statement(facts: &TableFacts, id: &SealId) -> Value {
    json!({"Sid": format!("{ID_PREFIX}{id}"), "Effect": "Deny", "Principal": "*",
        "Action": "dynamodb:UpdateTimeToLive", "Resource": facts.arn})
}

/// Puts the statement for an id at the end of the statements.
pub(super) fn add_statement(mut statements: Vec<Value>, facts: &TableFacts, id: &SealId) -> Vec<Value> {
    let statement = build_statement(facts, id);
    statements.retain(|one| one["Sid"] != statement["Sid"]);
    statements.push(statement);
    statements
}

/// Says what is wrong with the statement for an id.
pub(super) fn find_flaw(facts: &TableFacts, there: &[Value], id: &SealId) -> Option<Flaw> {
    flaw_of(&build_statement(facts, id), there)
}

/// Says which seal the statements carry.
pub(super) fn find_mark(there: &[Value], intact: impl FnOnce() -> bool) -> SealMark {
    let mut ids: Vec<_> = sids(there).filter_map(|sid| sid.strip_prefix(ID_PREFIX)).collect();
    ids.sort_unstable();
    ids.dedup();
    match ids[..] {
        [] if there.iter().any(is_ours) => SealMark::WithoutId { intact: intact() },
        [] => SealMark::Nothing,
        [one] => SealId::parse(one).map_or(SealMark::Unclear, SealMark::Id),
        _ => SealMark::Unclear,
    }
}

/// Finds a seal whose id is another than `own`: the id, if it can be read.
pub(super) fn find_foreign(there: &[Value], own: &SealId) -> Option<Option<SealId>> {
    match find_mark(there, || false) {
        SealMark::Nothing | SealMark::WithoutId { .. } => None,
        SealMark::Id(id) => (id != *own).then_some(Some(id)),
        SealMark::Unclear => Some(None),
    }
}

/// Finds the statements of a seal that are neither one of the three nor carry an id.
pub(super) fn find_unexpected(there: &[Value]) -> impl Iterator<Item = Flaw> {
    let is_expected = |end: &str| THREE.contains(&end) || end.starts_with("Id");
    let unexpected =
        sids(there).filter(move |sid| sid.strip_prefix(PREFIX).is_some_and(|end| !is_expected(end)));
    unexpected.map(|sid| Flaw::StatementUnexpected { sid: sid.to_owned() })
}

fn sids(there: &[Value]) -> impl Iterator<Item = &str> {
    there.iter().filter_map(|statement| statement["Sid"].as_str())
}
