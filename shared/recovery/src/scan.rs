//! Finds values in JSON text by their paths, in one pass, as slices of it: what nobody asked for is only skipped.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::feed::Path;

/// Which values are looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Picker {
    root: Branch,
    slots: usize,
}

#[derive(Debug, Clone, Default)]
struct Branch {
    slot: Option<usize>,
    list: bool,
    children: Vec<(String, Branch)>,
}

/// What stands where the list is looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Listed<'a> {
    /// Nothing.
    #[default]
    Absent,
    /// Something else.
    Other,
    /// Its elements.
    Elements(Vec<&'a str>),
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Picked<'a> {
    pub(crate) list: Listed<'a>,
    values: Vec<Option<&'a str>>,
}

impl<'a> Picked<'a> {
    /// The text of a value, if it is there and not null.
    pub(crate) fn value(&self, slot: Option<usize>) -> Option<&'a str> {
        self.values.get(slot?).copied().flatten().filter(|text| *text != "null")
    }
}

impl Picker {
    fn branch(&mut self, path: &Path) -> &mut Branch {
        let mut branch = &mut self.root;
        for name in &path.0 {
            let at = branch.children.iter().position(|(known, _)| known == name);
            let at = at.unwrap_or_else(|| {
                branch.children.push((name.clone(), Branch::default()));
                branch.children.len() - 1
            });
            branch = &mut branch.children[at].1;
        }
        branch
    }

    /// Looks for a value too, and says under which number it is found.
    pub(crate) fn add(&mut self, path: &Path) -> usize {
        let next = self.slots;
        let slot = *self.branch(path).slot.get_or_insert(next);
        self.slots = self.slots.max(slot + 1);
        slot
    }

    /// Looks for the elements of a list too.
    pub(crate) fn list(&mut self, path: &Path) {
        self.branch(path).list = true;
    }

    /// Reads a text; of a member that stands twice, the last counts.
    pub(crate) fn pick<'a>(&self, text: &'a [u8]) -> Result<Picked<'a>, serde_json::Error> {
        let mut found = Picked { list: Listed::Absent, values: vec![None; self.slots] };
        let mut reader = serde_json::Deserializer::from_slice(text);
        At { branch: &self.root, found: &mut found }.deserialize(&mut reader)?;
        reader.end()?;
        Ok(found)
    }
}

struct At<'b, 'a> {
    branch: &'b Branch,
    found: &'b mut Picked<'a>,
}

impl<'a> DeserializeSeed<'a> for At<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        let Some(slot) = self.branch.slot else { return reader.deserialize_any(self) };
        let raw: &'a RawValue = serde::Deserialize::deserialize(reader)?;
        if let Some(value) = self.found.values.get_mut(slot) {
            *value = Some(raw.get());
        }
        if self.branch.list || !self.branch.children.is_empty() {
            let mut inner = serde_json::Deserializer::from_str(raw.get());
            inner.deserialize_any(self).map_err(D::Error::custom)?;
        }
        Ok(())
    }
}

impl At<'_, '_> {
    /// What stands here is no list.
    fn other<E>(self) -> Result<(), E> {
        if self.branch.list {
            self.found.list = Listed::Other;
        }
        Ok(())
    }
}

impl<'a> Visitor<'a> for At<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        if self.branch.list {
            self.found.list = Listed::Other;
        }
        while let Some(child) = map.next_key_seed(Key(&self.branch.children))? {
            match child {
                Some(branch) => map.next_value_seed(At { branch, found: self.found })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        if self.branch.list {
            let mut elements = Vec::new();
            while let Some(raw) = list.next_element::<&'a RawValue>()? {
                elements.push(raw.get());
            }
            self.found.list = Listed::Elements(elements);
        } else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.other()
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.other()
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.other()
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.other()
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.other()
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.other()
    }
}

/// Reads a key, and says which branch it leads to.
struct Key<'b>(&'b [(String, Branch)]);

impl<'a, 'b> DeserializeSeed<'a> for Key<'b> {
    type Value = Option<&'b Branch>;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'b> Visitor<'_> for Key<'b> {
    type Value = Option<&'b Branch>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|(name, _)| name == key).map(|(_, branch)| branch))
    }
}

/// What a JSON text says as plain text: a string without its quotes, anything else as it is written.
pub(crate) fn plain(raw: &str) -> std::borrow::Cow<'_, str> {
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => inner.into(),
        Some(_) => serde_json::from_str::<String>(raw).unwrap_or_default().into(),
        None => raw.into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn path(text: &str) -> Path {
        if text.is_empty() { Path::default() } else { Path::parse(text).unwrap() }
    }

    #[test]
    fn values_are_slices_of_the_text() {
        let mut picker = Picker::default();
        picker.list(&path("data.rows"));
        let (total, data, gone, deep) = (
            picker.add(&path("total")),
            picker.add(&path("data")),
            picker.add(&path("gone")),
            picker.add(&path("data.x.y")),
        );
        let text = br#"{"skip":[{"total":1}],"data":{"rows":[{"a": 1.50},"two",[3]],"x":{"y":"\u0065"}},"total":12e0,"gone":null}"#;
        let picked = picker.pick(text).unwrap();
        assert_eq!(picked.list, Listed::Elements(vec![r#"{"a": 1.50}"#, "\"two\"", "[3]"]));
        assert_eq!(picked.value(Some(total)), Some("12e0"));
        assert_eq!(picked.value(Some(gone)), None);
        assert_eq!(plain(picked.value(Some(deep)).unwrap()), "e");
        assert!(picked.value(Some(data)).unwrap().starts_with("{\"rows\""));
    }

    #[test]
    fn what_is_no_list_is_not_taken_for_an_empty_one() {
        let mut picker = Picker::default();
        picker.list(&path("rows"));
        for (text, expected) in [
            ("{}", Listed::Absent),
            ("[]", Listed::Absent),
            ("7", Listed::Absent),
            (r#"{"rows":null}"#, Listed::Other),
            (r#"{"rows":{}}"#, Listed::Other),
            (r#"{"rows":"none"}"#, Listed::Other),
            (r#"{"rows":3}"#, Listed::Other),
            (r#"{"rows":false}"#, Listed::Other),
            (r#"{"rows":-1.5}"#, Listed::Other),
            (r#"{"rows":[]}"#, Listed::Elements(vec![])),
        ] {
            assert_eq!(picker.pick(text.as_bytes()).unwrap().list, expected, "{text}");
        }
        for text in ["", "<html>", r#"{"rows":[1,2"#, r#"{"rows":[]} x"#, "{\"rows\":[\"\u{1}\"]}"] {
            assert!(picker.pick(text.as_bytes()).is_err(), "{text}");
        }
        assert!(picker.pick(b"{\"rows\":[\"\xff\"]}").is_err(), "what is no UTF-8 is no JSON");
        let mut root = Picker::default();
        root.list(&Path::default());
        assert_eq!(root.pick(b"[1, 2]").unwrap().list, Listed::Elements(vec!["1", "2"]));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ab\\\\\"é]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_picked_is_what_a_whole_parse_finds(value in any_json(), paths in prop::collection::vec("[abc](\\.[abc]){0,2}", 0..4), list in "[abc](\\.[abc])?") {
            let mut picker = Picker::default();
            picker.list(&path(&list));
            let slots: Vec<_> = paths.iter().map(|it| picker.add(&path(it))).collect();
            let text = value.to_string();
            let picked = picker.pick(text.as_bytes()).unwrap();
            let find = |names: &str| names.split('.').try_fold(&value, |at, name| at.as_object()?.get(name));
            for (slot, names) in slots.iter().zip(&paths) {
                let found = picked.value(Some(*slot)).map(|raw| serde_json::from_str::<Value>(raw).unwrap());
                prop_assert_eq!(found.as_ref(), find(names).filter(|value| !value.is_null()));
            }
            let expected: Option<Vec<_>> = find(&list).and_then(Value::as_array).map(|list| list.iter().map(Value::to_string).collect());
            match picked.list {
                Listed::Elements(elements) => prop_assert_eq!(Some(elements.iter().map(|it| it.to_string()).collect::<Vec<_>>()), expected),
                Listed::Other => prop_assert!(expected.is_none() && find(&list).is_some()),
                Listed::Absent => prop_assert!(find(&list).is_none()),
            }
        }
    }
}
