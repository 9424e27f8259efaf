//! Values that a contract writes out, to be found among the values of items.

use std::collections::HashSet;
use std::fmt;

use septet_contract::{Literal, Number};

use crate::view::{View, quoted};

/// Longest list that [`Display`](fmt::Display) shows.
const SHOWN: usize = 10;

/// A set of literals. A text is equal to a string, a number to a number of the same size however it is written.
#[derive(Debug)]
pub(crate) struct Literals {
    texts: HashSet<String>,
    numbers: HashSet<Number>,
    truths: [bool; 2],
    null: bool,
    shown: String,
}

impl Literals {
    pub(crate) fn new(literals: &[Literal]) -> Self {
        let mut found = Self {
            texts: HashSet::new(),
            numbers: HashSet::new(),
            truths: [false; 2],
            null: false,
            shown: String::new(),
        };
        for literal in literals {
            match literal {
                Literal::Null => found.null = true,
                Literal::Bool(value) => found.truths[usize::from(*value)] = true,
                Literal::Number(number) => {
                    found.numbers.insert(*number);
                }
                Literal::Text(text) => {
                    found.texts.insert(text.clone());
                }
            }
        }
        let mut shown: Vec<_> = literals
            .iter()
            .take(SHOWN)
            .map(|literal| match literal {
                Literal::Text(text) => quoted(text),
                other => other.to_string(),
            })
            .collect();
        if literals.len() > SHOWN {
            shown.push(format!("… ({} in all)", literals.len()));
        }
        found.shown = format!("one of {}", shown.join(", "));
        found
    }

    pub(crate) fn contain(&self, value: View<'_>, number: Option<&Number>) -> bool {
        match value {
            View::S(text) => self.texts.contains(text),
            View::N(_) => number.is_some_and(|number| self.numbers.contains(number)),
            View::Bool(value) => self.truths[usize::from(value)],
            View::Null => self.null,
            _ => false,
        }
    }
}

impl fmt::Display for Literals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
