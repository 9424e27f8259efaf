//! Text to a tree of values that know where they stand: what contracts are read from, and other documents of
//! people, such as feeds.

mod canonical;
mod json;
mod yaml;

pub use crate::findings::{Findings, choose};
pub use canonical::canonical_json;

use crate::number::Number;

/// Largest text that is read.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// Deepest nesting that is read: what DynamoDB's 32 levels need in a contract, and a margin.
const MAX_DEPTH: usize = 128;
/// Most values that a document may have, aliases expanded.
const MAX_NODES: usize = 200_000;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// YAML 1.2, one document, without tags of its own and merge keys.
    Yaml,
    /// JSON as RFC 8259 has it.
    Json,
}

impl Syntax {
    /// JSON if the first character that is not white space is `{`, else YAML.
    pub fn detect(text: &str) -> Self {
        let start = text.trim_start_matches('\u{feff}').trim_start();
        if start.starts_with('{') { Self::Json } else { Self::Yaml }
    }
}

/// A place in the text; both from 1 on, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line in the text, from 1 on.
    pub line: usize,
    /// Column in characters, from 1 on.
    pub column: usize,
}

impl Position {
    /// The first character.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it begins.
    pub at: Position,
    /// What it is.
    pub value: Value,
}

/// What a document can say.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, kept exactly.
    Number(Number),
    /// Text.
    Text(String),
    /// Values in their order.
    List(Vec<Node>),
    /// Members in their order, no key twice.
    Map(Vec<Entry>),
}

/// A member of an object.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub key: String,
    /// Where the name begins.
    pub at: Position,
    /// What it holds.
    pub value: Node,
}

impl Node {
    /// The member of that name, of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The members, of an object.
    pub fn entries(&self) -> &[Entry] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// The values, of a list.
    pub fn list(&self) -> &[Self] {
        if let Value::List(nodes) = &self.value { nodes } else { &[] }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// True or false, if it is one of them.
    pub fn bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self.value { Some(value) } else { None }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<Number> {
        if let Value::Number(value) = self.value { Some(value) } else { None }
    }

    /// What the value is, for messages.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "null".into(),
            Value::Bool(value) => value.to_string(),
            Value::Number(value) => format!("the number {value}"),
            Value::Text(text) => format!("the text {}", quote(text)),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "an object".into(),
        }
    }
}

/// Text for a message: quoted, escaped and cut to 60 characters.
pub fn quote(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Reads a whole text. Of a text that is not even well-formed, one error says where reading stopped.
pub fn read(text: &str, syntax: Syntax, findings: &mut Findings) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_TEXT_BYTES {
        findings.error(
            Position::START,
            "",
            format!("the document has {} bytes, more than 1 MiB", text.len()),
            "keep explanations and samples outside of it",
        );
        return None;
    }
    match syntax {
        Syntax::Yaml => yaml::read(text, findings),
        Syntax::Json => json::read(text, findings),
    }
}

/// Adds a member unless its key is there already, which is an error.
fn push_entry(entries: &mut Vec<Entry>, entry: Entry, known: &mut Keys, findings: &mut Findings) {
    match known.get(&entry.key) {
        Some(first) => findings.error(
            entry.at,
            "",
            format!("the key {} stands twice in one object", quote(&entry.key)),
            format!("keep one of the two; the first is on line {}", first.line),
        ),
        None => {
            known.insert(entry.key.clone(), entry.at);
            entries.push(entry);
        }
    }
}

type Keys = std::collections::HashMap<String, Position>;
