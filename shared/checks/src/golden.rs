//! Items that must be there, found while the table is read.

use septet_contract::{Condition, Expectation, GoldenKey, Literal, Number, Object, Step};
use serde::{Deserialize, Serialize};

use crate::flat::Members;
use crate::literals::Literals;
use crate::plan::KeyPart;
use crate::sketch;
use crate::view::{View, quoted};

/// One key of a rule `goldenKeys`.
#[derive(Debug)]
pub(crate) struct Golden {
    /// As [`Plan::key_hash`](crate::plan::Plan::key_hash) gives it.
    pub(crate) hash: u64,
    /// As `user_id "u-1"`.
    pub(crate) shown: String,
    key: Vec<(String, Literals)>,
    expected: Vec<Expected>,
}

#[derive(Debug)]
struct Expected {
    /// Names of attributes from the item inwards.
    path: Vec<String>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Is(Literals),
    IsNull,
    Measures(Condition),
}

/// What was seen of one golden key.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Met {
    pub(crate) found: bool,
    /// What does not hold of it, as `score is 0.5, 1 expected`; sorted.
    pub(crate) wrong: Vec<String>,
}

impl Met {
    pub(crate) fn merge(&mut self, other: Self) {
        self.found |= other.found;
        self.wrong.extend(other.wrong);
        self.wrong.sort_unstable();
        self.wrong.dedup();
    }
}

impl Golden {
    /// None if a place is none of the table, which contracts are refused for.
    pub(crate) fn new(object: &Object, parts: [Option<&KeyPart>; 2], key: &GoldenKey) -> Option<Self> {
        let literals = [Some(&key.partition), key.sort.as_ref()];
        let parts: Vec<_> = parts.into_iter().flatten().zip(literals.into_iter().flatten()).collect();
        let hashes = parts.iter().map(|(_, literal)| hash(literal)).collect::<Option<Vec<_>>>()?;
        let shown = parts.iter().map(|(part, literal)| match literal {
            Literal::Text(text) => format!("{} {}", part.attribute, quoted(text)),
            other => format!("{} {other}", part.attribute),
        });
        let expected = key.expected.iter().map(|(path, expectation)| {
            let mut members = object.properties.as_slice();
            let mut names = Vec::new();
            for step in &path.0 {
                let Step::Property(name) = step else { return None };
                let property = members.iter().find(|property| property.name == *name)?;
                names.push(property.attribute.clone());
                members = &property.properties;
            }
            let test = match expectation {
                Expectation::Is(Literal::Null) => Test::IsNull,
                Expectation::Is(literal) => Test::Is(Literals::new(std::slice::from_ref(literal))),
                Expectation::Measures(condition) => Test::Measures(*condition),
            };
            Some(Expected { path: names, test })
        });
        Some(Self {
            hash: match hashes[..] {
                [partition, sort] => sketch::hash(partition, &sort.to_le_bytes()),
                _ => *hashes.first()?,
            },
            shown: shown.collect::<Vec<_>>().join(", "),
            expected: expected.collect::<Option<_>>()?,
            key: parts
                .iter()
                .map(|(part, literal)| {
                    (part.attribute.clone(), Literals::new(std::slice::from_ref(*literal)))
                })
                .collect(),
        })
    }

    /// Looks at an item whose key has the hash.
    pub(crate) fn meet(&self, item: Members<'_>, met: &mut Met) {
        let is_it = self.key.iter().all(|(name, literals)| {
            item.get(name).is_some_and(|view| literals.contain(view, number(view).as_ref()))
        });
        if !is_it {
            return;
        }
        let wrong = self.expected.iter().filter_map(|expected| {
            let mut at = Some(View::M(item));
            for name in &expected.path {
                at = match at {
                    Some(View::M(members)) => members.get(name),
                    _ => None,
                };
            }
            let at = at.unwrap_or(View::Null);
            let place = expected.path.join(".");
            let number = number(at);
            let (holds, wanted) = match &expected.test {
                Test::IsNull => (matches!(at, View::Null), "null".to_owned()),
                Test::Is(literals) => (literals.contain(at, number.as_ref()), literals.to_string()),
                Test::Measures(condition) => {
                    let measured = match at {
                        View::S(text) => Some(Number::from(text.chars().count() as u64)),
                        View::L(all) | View::SS(all) | View::NS(all) | View::BS(all) => {
                            Some(Number::from(all.len() as u64))
                        }
                        _ => number,
                    };
                    (measured.is_some_and(|measured| condition.holds(&measured)), condition.to_string())
                }
            };
            (!holds).then(|| format!("{place} is {}, {wanted} expected", at.shown()))
        });
        met.merge(Met { found: true, wrong: wrong.collect() });
    }
}

fn number(view: View<'_>) -> Option<Number> {
    match view {
        View::N(text) => Number::parse(text).ok(),
        _ => None,
    }
}

fn hash(literal: &Literal) -> Option<u64> {
    match literal {
        Literal::Text(text) => sketch::hash_value(View::S(text), None),
        Literal::Number(number) => sketch::hash_value(View::N(""), Some(number)),
        _ => None,
    }
}
