//! Keys, attributes and types of items.

use super::Breach;
use super::limits;
use crate::model::{KeyAttribute, LogicalType, Object, PhysicalType, Property};

/// What readers of `reader` rely on and data of `writer` need not keep.
pub(super) fn breaches(reader: &Object, writer: &Object) -> Vec<Breach> {
    let mut found = Found::default();
    let key = |object: &Object| {
        let parts = std::iter::once(&object.key.partition).chain(&object.key.sort);
        parts.map(|KeyAttribute { attribute, physical, .. }| format!("{attribute} ({physical})")).collect()
    };
    let (ours, theirs): (Vec<_>, Vec<_>) = (key(reader), key(writer));
    if ours != theirs {
        found.push("", "primaryKey", ours.join(", "), theirs.join(", "));
    }
    found.members("", &reader.properties, &writer.properties, writer.closed);
    found.0
}

#[derive(Default)]
pub(super) struct Found(Vec<Breach>);

impl Found {
    pub(super) fn push(
        &mut self,
        place: &str,
        rule: &'static str,
        readers: impl Into<String>,
        data: impl Into<String>,
    ) {
        let attribute = place.to_owned();
        self.0.push(Breach { attribute, rule, readers: readers.into(), data: data.into() });
    }

    fn members(&mut self, place: &str, reader: &[Property], writer: &[Property], closed: bool) {
        for wanted in reader {
            let place =
                if place.is_empty() { wanted.name.clone() } else { format!("{place}.{}", wanted.name) };
            match writer.iter().find(|property| property.attribute == wanted.attribute) {
                Some(property) => self.property(&place, wanted, property),
                None if closed => {
                    if wanted.required {
                        self.push(
                            &place,
                            "required",
                            "a value",
                            "without it: their contract does not name it",
                        );
                    }
                }
                None => self.property(&place, wanted, &Property::default()),
            }
        }
    }

    fn property(&mut self, place: &str, reader: &Property, writer: &Property) {
        if reader.required && !writer.required {
            self.push(place, "required", "a value", "null or absent");
        }
        if writer.physical_types() == [PhysicalType::Null] {
            // Its values are null, and of those all was said.
            return;
        }
        // Limits of another type mean nothing.
        if !self.types(place, reader, writer) {
            return;
        }
        if reader.unique && !writer.unique && writer.primary_key.is_none() {
            self.push(place, "unique", "no two items with the same value", "the same in several items");
        }
        limits::compare(place, reader, writer, self);
        self.members(place, &reader.properties, &writer.properties, writer.closed);
        if let Some(items) = &reader.items {
            let place = format!("{place}[]");
            match &writer.items {
                Some(theirs) => self.property(&place, items, theirs),
                None => self.property(&place, items, &element_of(writer)),
            }
        }
        if let Some(map) = &reader.map {
            let anything = Property { required: true, ..Property::default() };
            let text = Property { physical: Some(PhysicalType::S), ..anything.clone() };
            let (key, value) = match &writer.map {
                Some(theirs) => (&theirs.key, &theirs.value),
                None => (&text, &anything),
            };
            self.property(&format!("{place}{{key}}"), &map.key, key);
            self.property(&format!("{place}{{}}"), &map.value, value);
        }
    }

    fn types(&mut self, place: &str, reader: &Property, writer: &Property) -> bool {
        let (ours, theirs) = (meaning(reader), meaning(writer));
        if !means(ours, theirs) {
            self.push(place, "logicalType", named(reader), named(writer));
            return false;
        }
        let wanted = reader.physical_types();
        if writer.physical_types().iter().all(|physical| wanted.contains(physical)) {
            return true;
        }
        let list = |property: &Property| {
            let names: Vec<_> = property.physical_types().iter().map(|p| p.as_str()).collect();
            names.join(" or ")
        };
        self.push(place, "physicalType", list(reader), list(writer));
        false
    }
}

/// What the elements of a list or set are whose contract does not say so.
fn element_of(list: &Property) -> Property {
    let physical = match list.physical {
        Some(PhysicalType::StringSet) => Some(PhysicalType::S),
        Some(PhysicalType::NumberSet) => Some(PhysicalType::N),
        Some(PhysicalType::BinarySet) => Some(PhysicalType::B),
        _ => None,
    };
    let vector = list.logical == Some(LogicalType::Vector);
    Property {
        physical: if vector { Some(PhysicalType::N) } else { physical },
        // Sets and vectors have no nulls in them.
        required: physical.is_some() || vector,
        ..Property::default()
    }
}

/// The logical type, else that which any value of the physical type has; none for anything.
fn meaning(property: &Property) -> Option<LogicalType> {
    use {LogicalType as L, PhysicalType as P};
    property.logical.or_else(|| match property.physical? {
        P::S | P::B => Some(L::String),
        P::N => Some(L::Number),
        P::Bool => Some(L::Boolean),
        P::M => Some(L::Object),
        P::L | P::StringSet | P::NumberSet | P::BinarySet => Some(L::Array),
        P::Null => None,
    })
}

/// Whether every value of the second type is one of the first.
fn means(reader: Option<LogicalType>, writer: Option<LogicalType>) -> bool {
    use LogicalType as L;
    let (Some(reader), writer) = (reader, writer) else { return true };
    let Some(writer) = writer else { return false };
    reader == writer
        || matches!(
            (reader, writer),
            (L::Number, L::Integer)
                | (L::String, L::Date | L::Time | L::Timestamp)
                | (L::Array, L::Vector)
                | (L::Object, L::Map)
        )
}

fn named(property: &Property) -> String {
    match (property.logical, property.physical) {
        (Some(logical), _) => logical.to_string(),
        (None, Some(physical)) => physical.to_string(),
        (None, None) => "anything".to_owned(),
    }
}
