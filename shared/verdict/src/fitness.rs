//! Fitness of a table for its contract, as its description shows it.

use septet_checks::Checker;
use septet_contract::Contract;
use septet_tables::{KeyAttribute, TableFacts, TtlState};

/// Returns how the table's key differs from the contract's; empty if it does not.
pub fn key_problems(checker: &Checker, facts: &TableFacts) -> Vec<String> {
    fn part(key: &KeyAttribute) -> (&str, &str) {
        (&key.name, key.kind.as_str())
    }
    checker.key_problems(part(&facts.keys.partition), facts.keys.sort.as_ref().map(part))
}

/// Names the indexes that `septet.indexes` asks for and the table lacks, a text each.
pub fn missing_indexes(contract: &Contract, facts: &TableFacts) -> impl Iterator<Item = String> {
    let required = contract.settings().indexes.iter();
    let missing = required.filter(|name| !facts.indexes.iter().any(|index| index.name == **name));
    missing.map(|name| format!("the index {name} is missing, which septet.indexes asks for"))
}

/// Says so where items of the table expire.
pub fn expiry(ttl: &TtlState) -> Option<String> {
    match ttl {
        TtlState::Off => None,
        TtlState::On { attribute } => Some(format!(
            "time to live is on, by the attribute {attribute:?}: items would vanish from a version that never \
             changes"
        )),
    }
}
