//! What values look like, gathered one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use septet_checks::Value;
use septet_contract::{Number, read_iso};

/// An object with more names than this has data for names: it is a map.
const MOST_NAMES: usize = 64;
/// More different texts than this are no list of choices.
const MOST_CHOICES: usize = 10;
/// A longer text is no choice.
const LONGEST_CHOICE: usize = 40;

/// The values of one attribute.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How many of each type, null aside.
    pub(super) types: BTreeMap<&'static str, u64>,
    /// How many of type NULL.
    pub(super) nulls: u64,
    /// Least and largest number.
    pub(super) numbers: Option<(Number, Number)>,
    /// How many numbers are not whole.
    pub(super) broken: u64,
    /// Characters, bytes or elements.
    pub(super) lengths: Option<RangeInclusive<usize>>,
    /// How many texts are days, and how many are moments.
    pub(super) days: u64,
    pub(super) moments: u64,
    /// The different texts; none once there are too many.
    choices: Option<BTreeSet<String>>,
    crowded: bool,
    /// The members of objects by name; none once they have data for names.
    pub(super) members: BTreeMap<String, Self>,
    /// Elements of lists, or values of a map.
    pub(super) inner: Option<Box<Self>>,
    /// Whether objects have data for names.
    pub(super) is_map: bool,
}

impl Seen {
    /// How many values that are not null.
    pub(super) fn count(&self) -> u64 {
        self.types.values().sum()
    }

    /// The different texts, if they are few.
    pub(super) fn choices(&self) -> impl Iterator<Item = &String> {
        self.choices.iter().flatten()
    }

    pub(super) fn add(&mut self, value: &Value) {
        if *value == Value::Null {
            self.nulls += 1;
            return;
        }
        *self.types.entry(value.type_name()).or_default() += 1;
        match value {
            Value::S(text) => {
                self.length(text.chars().count());
                self.text(text);
            }
            Value::N(text) => self.number(text),
            Value::B(bytes) => self.length(bytes.len()),
            Value::SS(set) | Value::NS(set) => self.length(set.len()),
            Value::BS(set) => self.length(set.len()),
            Value::L(list) => {
                self.length(list.len());
                for element in list {
                    self.inner.get_or_insert_default().add(element);
                }
            }
            Value::M(members) => {
                for (name, member) in members {
                    self.member(name, member);
                }
            }
            Value::Bool(_) | Value::Null => {}
        }
    }

    /// Takes an attribute of an item: however many there are, their names are no data.
    pub(super) fn attribute(&mut self, name: &str, value: &Value) {
        self.members.entry(name.to_owned()).or_default().add(value);
    }

    fn member(&mut self, name: &str, value: &Value) {
        if self.is_map {
            self.inner.get_or_insert_default().add(value);
            return;
        }
        if self.members.len() < MOST_NAMES || self.members.contains_key(name) {
            self.members.entry(name.to_owned()).or_default().add(value);
            return;
        }
        self.is_map = true;
        let mut merged = Self::default();
        for (_, member) in std::mem::take(&mut self.members) {
            merged.merge(member);
        }
        merged.add(value);
        match &mut self.inner {
            Some(inner) => inner.merge(merged),
            None => self.inner = Some(Box::new(merged)),
        }
    }

    fn length(&mut self, length: usize) {
        self.lengths = Some(match self.lengths.take() {
            Some(known) => length.min(*known.start())..=length.max(*known.end()),
            None => length..=length,
        });
    }

    fn number(&mut self, text: &str) {
        let Ok(number) = Number::parse(text) else { return };
        self.broken += u64::from(!number.is_integer());
        self.numbers = Some(match self.numbers {
            Some((least, most)) => (least.min(number), most.max(number)),
            None => (number, number),
        });
    }

    fn text(&mut self, text: &str) {
        if let Some(moment) = read_iso(text).filter(|moment| moment.date.is_some()) {
            *(if moment.time.is_some() { &mut self.moments } else { &mut self.days }) += 1;
        }
        self.choice(text);
    }

    fn choice(&mut self, text: &str) {
        if self.crowded || text.len() > LONGEST_CHOICE {
            (self.choices, self.crowded) = (None, true);
            return;
        }
        let choices = self.choices.get_or_insert_default();
        choices.insert(text.to_owned());
        if choices.len() > MOST_CHOICES {
            (self.choices, self.crowded) = (None, true);
        }
    }

    fn merge(&mut self, other: Self) {
        for (name, count) in other.types {
            *self.types.entry(name).or_default() += count;
        }
        self.nulls += other.nulls;
        self.broken += other.broken;
        self.days += other.days;
        self.moments += other.moments;
        self.crowded |= other.crowded;
        if let Some((least, most)) = other.numbers {
            self.numbers = Some(self.numbers.map_or((least, most), |(l, m)| (l.min(least), m.max(most))));
        }
        if let Some(lengths) = other.lengths {
            self.length(*lengths.start());
            self.length(*lengths.end());
        }
        if self.crowded {
            self.choices = None;
        }
        for text in other.choices.into_iter().flatten() {
            self.choice(&text);
        }
        for (name, member) in other.members {
            self.members.entry(name).or_default().merge(member);
        }
        if let Some(inner) = other.inner {
            self.inner.get_or_insert_default().merge(*inner);
        }
        self.is_map |= other.is_map;
        if self.is_map || self.members.len() > MOST_NAMES {
            self.is_map = true;
            for (_, member) in std::mem::take(&mut self.members) {
                self.inner.get_or_insert_default().merge(member);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(names: std::ops::Range<usize>, value: Value) -> Value {
        Value::M(names.map(|name| (format!("k{name}"), value.clone())).collect())
    }

    #[test]
    fn an_object_with_data_for_names_is_a_map_and_forgets_no_value() {
        let mut seen = Seen::default();
        for start in 0..30 {
            seen.add(&object(start * 3..start * 3 + 4, Value::N(start.to_string())));
        }
        assert!(seen.is_map && seen.members.is_empty());
        let inner = seen.inner.unwrap();
        assert_eq!(inner.count(), 30 * 4);
        assert_eq!(inner.numbers, Some((Number::ZERO, Number::from(29))));
        let mut few = Seen::default();
        few.add(&object(0..MOST_NAMES, Value::Bool(true)));
        assert!(!few.is_map && few.members.len() == MOST_NAMES);
    }

    #[test]
    fn maps_in_maps_are_merged_at_every_depth() {
        let mut seen = Seen::default();
        for start in 0..40 {
            seen.add(&object(start * 2..start * 2 + 2, object(start..start + 2, Value::Null)));
        }
        let inner = seen.inner.unwrap();
        assert_eq!((inner.count(), inner.members.len(), inner.is_map), (80, 41, false));
        assert_eq!(inner.members.values().map(|member| member.nulls).sum::<u64>(), 160);
    }

    #[test]
    fn texts_are_choices_while_they_are_few_and_short() {
        let mut seen = Seen::default();
        for number in 0..=MOST_CHOICES {
            assert_eq!(seen.choices().count(), number);
            seen.add(&Value::S(number.to_string()));
        }
        assert_eq!(seen.choices().count(), 0);
        let mut long = Seen::default();
        long.add(&Value::S("a".into()));
        long.add(&Value::S("x".repeat(41)));
        long.add(&Value::S("a".into()));
        assert_eq!(long.choices().count(), 0);
    }
}
