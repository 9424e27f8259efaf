//! Reads the members of an object of a document, so that none is passed over in silence.

use septet_contract::Number;
use septet_contract::document::{Findings, Node, Position, Value, choose};

/// An object being read: what is asked for is known, what is left at the end is an error.
pub(crate) struct Members<'a> {
    node: &'a Node,
    path: String,
    known: Vec<&'static str>,
    unclear: bool,
}

impl<'a> Members<'a> {
    /// The members of an object; anything else is an error.
    pub(crate) fn of(node: &'a Node, path: &str, findings: &mut Findings) -> Option<Self> {
        if matches!(node.value, Value::Map(_)) {
            return Some(Self { node, path: path.to_owned(), known: Vec::new(), unclear: false });
        }
        findings.error(
            node.at,
            path,
            format!("must be an object, not {}", node.describe()),
            "write its members, each on a line of its own",
        );
        None
    }

    pub(crate) fn at(&self) -> Position {
        self.node.at
    }

    pub(crate) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The member's value; null is as good as absent.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.node.get(key).filter(|node| !matches!(node.value, Value::Null))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.node.get(key).is_some_and(|node| !matches!(node.value, Value::Null))
    }

    /// The place of a member's value, else of the object itself.
    pub(crate) fn place(&self, key: &str) -> Position {
        self.node.get(key).map_or(self.node.at, |node| node.at)
    }

    pub(crate) fn error(
        &self,
        key: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
        findings: &mut Findings,
    ) {
        findings.error(self.place(key), &self.path(key), message, hint);
    }

    fn wrong(&self, key: &str, node: &Node, wanted: &str, hint: &str, findings: &mut Findings) {
        self.error(key, format!("{key} must be {wanted}, not {}", node.describe()), hint, findings);
    }

    pub(crate) fn text(&mut self, key: &'static str, findings: &mut Findings) -> Option<&'a str> {
        let node = self.get(key)?;
        let text = node.text().filter(|text| !text.is_empty());
        if text.is_none() {
            self.wrong(key, node, "text", "write text; put it in quotes if it looks like a number", findings);
        }
        text
    }

    /// Text that must be there.
    pub(crate) fn needed(
        &mut self,
        key: &'static str,
        hint: &str,
        findings: &mut Findings,
    ) -> Option<&'a str> {
        if self.get(key).is_none() {
            self.error(key, format!("{key} is missing"), hint, findings);
            return None;
        }
        self.text(key, findings)
    }

    /// Text that `read` understands; its error is what is wrong, and the hint how to mend it.
    pub(crate) fn parsed<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        findings: &mut Findings,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key, findings)?;
        match read(text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.error(key, problem, hint, findings);
                None
            }
        }
    }

    pub(crate) fn flag(&mut self, key: &'static str, findings: &mut Findings) -> Option<bool> {
        let node = self.get(key)?;
        if node.bool().is_none() {
            self.wrong(key, node, "true or false", "write true or false, without quotes", findings);
        }
        node.bool()
    }

    pub(crate) fn whole(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
        findings: &mut Findings,
    ) -> Option<u64> {
        let node = self.get(key)?;
        let value = node.number().and_then(|number| number.to_u64()).filter(|value| range.contains(value));
        if value.is_none() {
            let wanted = format!("a whole number from {} to {}", range.start(), range.end());
            self.wrong(key, node, &wanted, "write the number without quotes", findings);
        }
        value
    }

    /// A number above zero, whole or not.
    pub(crate) fn positive(&mut self, key: &'static str, findings: &mut Findings) -> Option<f64> {
        let node = self.get(key)?;
        let value = node.number().filter(|number| *number > Number::ZERO);
        let value = value.and_then(|number| number.to_string().parse::<f64>().ok());
        if value.is_none() {
            self.wrong(key, node, "a number above zero", "write the number without quotes", findings);
        }
        value
    }

    /// One of the words, by its place among them.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        findings: &mut Findings,
    ) -> Option<T> {
        let text = self.text(key, findings)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            // Which options there are often hangs on this one.
            self.unclear = true;
            let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.error(key, format!("{key} cannot be {text:?}"), choose(text, &names), findings);
        }
        found.map(|(_, value)| *value)
    }

    /// A text or a list of texts.
    pub(crate) fn texts(&mut self, key: &'static str, findings: &mut Findings) -> Option<Vec<String>> {
        let node = self.get(key)?;
        if let Some(text) = node.text() {
            return Some(vec![text.to_owned()]);
        }
        let texts: Vec<_> = node.list().iter().filter_map(Node::text).map(str::to_owned).collect();
        if texts.is_empty() || texts.len() != node.list().len() {
            self.wrong(
                key,
                node,
                "text, or a list of texts",
                "write for example [user_id, song_id]",
                findings,
            );
            return None;
        }
        Some(texts)
    }

    /// Names with text values, such as headers.
    pub(crate) fn pairs(&mut self, key: &'static str, findings: &mut Findings) -> Vec<(String, String)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        if !matches!(node.value, Value::Map(_)) {
            self.wrong(key, node, "an object", "write a name and a value on each line", findings);
        }
        let mut pairs = Vec::new();
        for entry in node.entries() {
            let value = match &entry.value.value {
                Value::Text(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(flag) => Some(flag.to_string()),
                _ => None,
            };
            match value {
                Some(value) => pairs.push((entry.key.clone(), value)),
                None => findings.error(
                    entry.value.at,
                    &format!("{}.{}", self.path(key), entry.key),
                    format!("must be text or a number, not {}", entry.value.describe()),
                    "write the value as text",
                ),
            }
        }
        pairs
    }

    /// Holds that nothing else stands in the object.
    pub(crate) fn finish(&self, what: &str, findings: &mut Findings) {
        for entry in self.node.entries().iter().filter(|_| !self.unclear) {
            if !self.known.contains(&entry.key.as_str()) {
                findings.error(
                    entry.at,
                    &self.path(&entry.key),
                    format!("{what} has no option {:?}", entry.key),
                    choose(&entry.key, &self.known),
                );
            }
        }
    }
}
