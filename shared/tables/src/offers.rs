//! Offers of a table to its readers, and the comparison of two tables by them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{KeyAttribute, Keys};

/// Keys, indexes and read limits of a table: what readers rely on beside its items.
///
/// The registry stores it as JSON. Members that a later release adds are ignored, and missing ones are defaulted.
///
/// ```
/// use septet_tables::{Offers, ReadLimits, compare_offers};
///
/// let live = Offers::default();
/// let reads = ReadLimits { provisioned: Some(1), maximum: None };
/// let new = Offers { reads, ..live.clone() };
/// let comparison = compare_offers(&new, &live);
/// assert_eq!(comparison.less, ["the table serves 1 read units a second, the live one on demand without a maximum"]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Offers {
    /// The primary key; none if it is not known.
    pub keys: Option<Keys>,
    /// The secondary indexes by name.
    pub indexes: Vec<Index>,
    /// The read limits of the table.
    pub reads: ReadLimits,
}

/// A local or global secondary index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Local or global.
    pub kind: IndexKind,
    /// Its keys.
    pub keys: IndexKeys,
    /// The attributes that it returns.
    pub projection: Projection,
    /// Its own read limits. A local index shares those of its table and has none.
    pub reads: ReadLimits,
    /// True if it can be queried; false while it is being created.
    pub active: bool,
    /// True while it does not have all items yet.
    pub backfilling: bool,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: IndexKind::default(),
            keys: IndexKeys::default(),
            projection: Projection::default(),
            reads: ReadLimits::default(),
            active: true,
            backfilling: false,
        }
    }
}

impl Index {
    fn is_ready(&self) -> bool {
        self.active && !self.backfilling
    }
}

/// Key attributes of an index, each list in the order of the index. A global index can have several of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IndexKeys {
    /// Attributes of the partition key.
    pub partition: Vec<KeyAttribute>,
    /// Attributes of the sort key.
    pub sort: Vec<KeyAttribute>,
}

impl fmt::Display for IndexKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |keys: &[KeyAttribute]| keys.iter().map(KeyAttribute::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "({})", list(&self.partition))?;
        if self.sort.is_empty() { Ok(()) } else { write!(f, " sorted by ({})", list(&self.sort)) }
    }
}

/// Kinds of secondary index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum IndexKind {
    /// Has the partition key of the table, and takes strongly consistent reads.
    Local,
    /// Has a partition key of its own.
    #[default]
    Global,
    /// A kind that a later release stored.
    Other(String),
}

impl From<String> for IndexKind {
    fn from(text: String) -> Self {
        match text.as_str() {
            "LOCAL" => Self::Local,
            "GLOBAL" => Self::Global,
            _ => Self::Other(text),
        }
    }
}

impl From<IndexKind> for String {
    fn from(kind: IndexKind) -> Self {
        kind.to_string()
    }
}

impl fmt::Display for IndexKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Local => "LOCAL",
            Self::Global => "GLOBAL",
            Self::Other(text) => text,
        })
    }
}

/// Attributes that an index returns beside the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Projection {
    /// All, none, or those included.
    #[serde(rename = "type")]
    pub kind: ProjectionType,
    /// The included attributes by name, for [`ProjectionType::Include`].
    pub included: Vec<String>,
}

/// Types of projection, as DynamoDB names them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ProjectionType {
    /// `ALL`: every attribute.
    All,
    /// `INCLUDE`: the keys and the attributes that are named.
    Include,
    /// `KEYS_ONLY`: the keys of the index and of the table.
    #[default]
    KeysOnly,
    /// Any other type, by the name DynamoDB gives it.
    Other(String),
}

impl From<String> for ProjectionType {
    fn from(text: String) -> Self {
        match text.as_str() {
            "ALL" => Self::All,
            "INCLUDE" => Self::Include,
            "KEYS_ONLY" => Self::KeysOnly,
            _ => Self::Other(text),
        }
    }
}

impl From<ProjectionType> for String {
    fn from(kind: ProjectionType) -> Self {
        kind.to_string()
    }
}

impl fmt::Display for ProjectionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::All => "ALL",
            Self::Include => "INCLUDE",
            Self::KeysOnly => "KEYS_ONLY",
            Self::Other(text) => text,
        })
    }
}

impl Projection {
    /// Says what a reader of `live` misses here, if it misses anything.
    fn lacks(&self, live: &Self) -> Option<String> {
        use ProjectionType::{All, Include, KeysOnly, Other};
        match (&self.kind, &live.kind) {
            (Other(new), Other(live)) if new == live => {}
            (All, All | Include | KeysOnly) => return None,
            (_, All | Other(_)) | (Other(_), _) => {
                return Some(format!("projects {} and the live one {}", self.kind, live.kind));
            }
            (Include | KeysOnly, Include | KeysOnly) => {}
        }
        let missing: Vec<_> =
            live.included.iter().filter(|name| !self.included.contains(name)).map(String::as_str).collect();
        (!missing.is_empty())
            .then(|| format!("does not project {}, which the live one does", missing.join(", ")))
    }
}

/// Limits of the reads of a table or an index, in read units a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadLimits {
    /// Provisioned read capacity; none if the table is billed on demand.
    pub provisioned: Option<u64>,
    /// Maximum of an on-demand table; none if it has no maximum.
    pub maximum: Option<u64>,
}

impl ReadLimits {
    /// Units a second that are served at most; none if there is no limit.
    fn most(&self) -> Option<u64> {
        self.provisioned.or(self.maximum)
    }

    fn is_less_than(&self, live: &Self) -> bool {
        match (self.most(), live.most()) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(new), Some(live)) => new < live,
        }
    }
}

impl fmt::Display for ReadLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.provisioned, self.maximum) {
            (Some(units), _) => write!(f, "{units} read units a second"),
            (None, Some(units)) => write!(f, "at most {units} read units a second on demand"),
            (None, None) => f.write_str("on demand without a maximum"),
        }
    }
}

/// Losses of the readers of the live table if a new table takes its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Differences that stay.
    pub less: Vec<String>,
    /// Differences that end by themselves; compare again later.
    pub not_yet: Vec<String>,
}

/// Compares a new table with the live one, by what readers rely on.
///
/// A table offers no less than itself. If it offers no less than a second one, and that one no less than a third, it
/// offers no less than the third. An index of the live table that is not ready must exist, and need not be ready.
pub fn compare_offers(new: &Offers, live: &Offers) -> Comparison {
    let mut comparison = Comparison::default();
    if let (Some(new), Some(live)) = (&new.keys, &live.keys) {
        comparison.less.extend(compare_keys(new, live));
    }
    if new.reads.is_less_than(&live.reads) {
        comparison.less.push(format!("the table serves {}, the live one {}", new.reads, live.reads));
    }
    for live in &live.indexes {
        match new.indexes.iter().find(|index| index.name == live.name) {
            Some(new) => compare_index(new, live, &mut comparison),
            None => comparison.less.push(format!("the index {} is missing", live.name)),
        }
    }
    comparison
}

fn compare_keys(new: &Keys, live: &Keys) -> Vec<String> {
    let differs = |what: &str, new: Option<&KeyAttribute>, live: Option<&KeyAttribute>| {
        let shown = |key: Option<&KeyAttribute>| key.map_or_else(|| "none".into(), KeyAttribute::to_string);
        (new != live).then(|| format!("the {what} is {}, of the live one {}", shown(new), shown(live)))
    };
    let partition = differs("partition key", Some(&new.partition), Some(&live.partition));
    partition.into_iter().chain(differs("sort key", new.sort.as_ref(), live.sort.as_ref())).collect()
}

fn compare_index(new: &Index, live: &Index, comparison: &mut Comparison) {
    let name = &live.name;
    let less = &mut comparison.less;
    // A local index answers every query that a global one with the same keys answers.
    let same_kind =
        new.kind == live.kind || (&new.kind, &live.kind) == (&IndexKind::Local, &IndexKind::Global);
    if !same_kind {
        less.push(format!("the index {name} is {}, the live one {}", new.kind, live.kind));
    }
    if new.keys != live.keys {
        less.push(format!("the index {name} has the keys {}, the live one {}", new.keys, live.keys));
    }
    if let Some(lack) = new.projection.lacks(&live.projection) {
        less.push(format!("the index {name} {lack}"));
    }
    if new.reads.is_less_than(&live.reads) {
        less.push(format!("the index {name} serves {}, the live one {}", new.reads, live.reads));
    }
    if live.is_ready() && !new.is_ready() {
        let state = if new.active { "is being filled" } else { "is being created" };
        comparison.not_yet.push(format!("the index {name} {state}"));
    }
}
