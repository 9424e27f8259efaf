//! A contract compiled for checking: flat lists that refer to each other by number.

use std::collections::HashMap;

use septet_contract::{
    Condition, LambdaRule, Moment, MomentFormat, Number, PhysicalType, Severity, Unit, read_iso,
};

use crate::constraint::Constraint;
use crate::distinct::MOST_DISTINCT;
use crate::flat::Members;
use crate::golden::Golden;
use crate::rules::Drift;
use crate::sketch;
use crate::view::View;

/// Everything that a table is checked for.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Attributes, members and elements; the first is the item itself.
    pub(crate) nodes: Vec<Node>,
    /// What is counted while items are observed.
    pub(crate) checks: Vec<Check>,
    /// Of what distinct values are counted: the attributes taken together, none for those of one place.
    pub(crate) distinct: Vec<Vec<String>>,
    /// Items that must be there.
    pub(crate) golden: Vec<Golden>,
    /// What the report answers, in its order.
    pub(crate) judgements: Vec<Judgement>,
    pub(crate) partition: KeyPart,
    pub(crate) sort: Option<KeyPart>,
}

#[derive(Debug, Clone)]
pub(crate) struct KeyPart {
    pub(crate) attribute: String,
    pub(crate) physical: PhysicalType,
}

/// The item itself.
pub(crate) const ROOT: usize = 0;

/// One place of a contract: the item, an attribute, a member of a map, the elements of a list.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// As `recs[].score`; empty for the item.
    pub(crate) path: String,
    /// The place whose values are all there are for a share: the nearest list element around, else the item.
    pub(crate) anchor: usize,
    /// Check that fails for an absent or null value.
    pub(crate) required: Option<usize>,
    /// Checks of the type; the others are made only if these hold.
    pub(crate) types: Vec<usize>,
    /// The physical types, as bits, of which all checks of the type surely hold; of N if it is a number at all.
    pub(crate) sure: u16,
    /// Those of them that are counted, and nothing else is to be done about the value itself.
    pub(crate) bare: u16,
    /// Checks of the value, in the order of the contract.
    pub(crate) values: Vec<usize>,
    /// Counts of metrics, which are no failures by themselves.
    pub(crate) metrics: Vec<usize>,
    /// Count of values that fail any check of this place.
    pub(crate) invalid: Option<usize>,
    /// Where distinct values are counted.
    pub(crate) distinct: Vec<usize>,
    /// How to read the moment that a string holds.
    pub(crate) reader: Option<Reader>,
    /// Whether numbers are seconds since 1970.
    pub(crate) epoch: bool,
    /// Members of a map by their names.
    pub(crate) members: Names,
    /// Check that fails for members without a name here.
    pub(crate) closed: Option<usize>,
    /// Elements of a list or set.
    pub(crate) items: Option<usize>,
    /// Keys and values of a map whose keys are data.
    pub(crate) map: Option<(usize, usize)>,
}

impl Node {
    /// The moment that a string is, where one is expected.
    #[inline]
    pub(crate) fn moment(&self, view: View<'_>) -> Option<Moment> {
        match (view, &self.reader) {
            (View::S(text), Some(Reader { format: Some(format) })) => format.read(text),
            (View::S(text), Some(Reader { format: None })) => read_iso(text),
            _ => None,
        }
    }

    /// Whether nothing but the type is looked at.
    pub(crate) fn is_plain(&self) -> bool {
        self.values.is_empty()
            && self.metrics.is_empty()
            && self.distinct.is_empty()
            && self.invalid.is_none()
            && self.reader.is_none()
    }
}

/// Names of members, each with its place, found by the bytes of the name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    list: Vec<(String, usize)>,
    /// Where in the list a name is, once there are many.
    index: HashMap<String, usize>,
}

/// So many names are looked through one by one.
const FEW: usize = 12;

impl Names {
    pub(crate) fn push(&mut self, name: String, node: usize) {
        self.list.push((name, node));
        if self.list.len() > FEW {
            for at in self.index.len()..self.list.len() {
                self.index.insert(self.list[at].0.clone(), at);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.list.iter().map(|(name, node)| (name.as_str(), *node))
    }

    pub(crate) fn node(&self, at: usize) -> usize {
        self.list[at].1
    }

    /// Where in the list a name is; `guess` costs least if it is right.
    #[inline]
    pub(crate) fn find(&self, name: &str, guess: usize) -> Option<usize> {
        if self.list.get(guess).is_some_and(|(known, _)| known == name) {
            return Some(guess);
        }
        if self.list.len() > FEW {
            return self.index.get(name).copied();
        }
        self.list.iter().position(|(known, _)| known == name)
    }
}

/// How the moment in a string is read.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) format: Option<MomentFormat>,
}

/// One thing that values are tested for and that failing ones are counted of.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) node: usize,
    pub(crate) expected: String,
    pub(crate) test: Constraint,
}

/// One line of the report.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) id: String,
    pub(crate) rule: String,
    pub(crate) attribute: Option<String>,
    pub(crate) severity: Severity,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// There are items, unless a rule allows that there are none.
    NotEmpty { zero_allowed: bool },
    /// No value fails the check.
    Check(usize),
    /// No member is without a name.
    Closed(usize),
    /// No value is there twice.
    Unique(Count),
    /// A count keeps a condition.
    Metric { count: Count, node: usize, condition: Condition, unit: Unit },
    /// A rule of engine septet holds.
    Drift(Drift),
    /// A function of the publisher's says yes.
    Function(LambdaRule),
    /// Nothing checks it.
    Skipped(String),
    /// It cannot be checked.
    Broken(String),
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Count {
    Items,
    Nulls,
    /// Nulls and what the check counts.
    Missing(usize),
    Invalid(usize),
    Duplicates(usize),
    /// None, as the values are the whole primary key or more.
    PrimaryKey,
}

impl Plan {
    /// A hash of an item's key, the same in every version; none of an item that has no such key.
    pub(crate) fn key_hash(&self, item: Members<'_>) -> Option<u64> {
        let of = |part: &KeyPart| {
            let view = item.get(&part.attribute)?;
            let number = match view {
                View::N(text) => Number::parse(text).ok(),
                _ => None,
            };
            sketch::hash_value(view, number.as_ref())
        };
        let partition = of(&self.partition)?;
        match &self.sort {
            None => Some(partition),
            Some(sort) => Some(sketch::hash(partition, &of(sort)?.to_le_bytes())),
        }
    }

    /// How many values each list of distinct ones may hold.
    pub(crate) fn most_distinct(&self) -> usize {
        MOST_DISTINCT / self.distinct.len().max(1)
    }
}
