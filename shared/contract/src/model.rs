//! What a contract says about the items of a table.

mod options;
mod types;

pub use options::{Bound, FloatFormat, Format, IntegerFormat, Literal, Options, TextFormat, Vector};
pub use types::{LogicalType, PhysicalType};

use crate::rule::Rule;

/// The table that a contract describes: its keys, its attributes and the rules over all items.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// `schema[].name`.
    pub name: String,
    /// `schema[].physicalName`, which Septet does not use: each version is a table of its own.
    pub physical_name: Option<String>,
    /// The key schema that every table of the dataset must have.
    pub key: Key,
    /// Whether an attribute that [`properties`](Self::properties) does not name is a violation.
    ///
    /// True unless the custom property `septet.closed` of the schema object is `false`.
    pub closed: bool,
    /// The attributes of an item, in the order of the document; names are unique.
    pub properties: Vec<Property>,
    /// Rules over the table, from `schema[].quality`.
    pub quality: Vec<Rule>,
}

impl Object {
    /// The property of this name, not looking into nested ones.
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    /// Every rule with the place of the property it stands at, outermost first; none for rules over the table.
    pub fn rules(&self) -> Vec<(Option<PropertyPath>, &Rule)> {
        let mut found: Vec<_> = self.quality.iter().map(|rule| (None, rule)).collect();
        for (path, property) in self.all_properties() {
            found.extend(property.quality.iter().map(|rule| (Some(path.clone()), rule)));
        }
        found
    }

    /// Every property at any depth with its place, in the order of the document.
    pub fn all_properties(&self) -> Vec<(PropertyPath, &Property)> {
        let mut found = Vec::new();
        for property in &self.properties {
            property.collect(PropertyPath(vec![Step::Property(property.name.clone())]), &mut found);
        }
        found
    }
}

/// The key attributes of a table, from `primaryKey` and `primaryKeyPosition`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The partition key (position 1).
    pub partition: KeyAttribute,
    /// The sort key (position 2), if the table has one.
    pub sort: Option<KeyAttribute>,
}

/// One attribute of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAttribute {
    /// The property that describes it.
    pub property: String,
    /// The attribute's name in DynamoDB.
    pub attribute: String,
    /// [`PhysicalType::S`], [`PhysicalType::N`] or [`PhysicalType::B`].
    pub physical: PhysicalType,
}

/// One attribute of an item, one member of a map, or what every element of a list looks like.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Property {
    /// `name`, by which rules refer to it; empty where the document gives an element of a list none.
    pub name: String,
    /// The attribute's name in DynamoDB: `physicalName`, else `name`.
    pub attribute: String,
    /// `physicalType`; none leaves it to what the logical type allows.
    pub physical: Option<PhysicalType>,
    /// `logicalType`; none means that only the physical type is checked.
    pub logical: Option<LogicalType>,
    /// Whether the attribute must be present and not of type NULL. True for key attributes whatever is written,
    /// and for members that the enclosing object lists under `logicalTypeOptions.required`.
    pub required: bool,
    /// Whether no two items may have the same value.
    pub unique: bool,
    /// Position in the primary key, 1 or 2.
    pub primary_key: Option<u32>,
    /// `logicalTypeOptions`.
    pub options: Options,
    /// `enum`: the only values allowed; empty allows any.
    pub allowed: Vec<Literal>,
    /// For an object: whether members that [`properties`](Self::properties) does not name are violations.
    ///
    /// The custom property `septet.closed` of the property; else that of the enclosing object. False for an
    /// object that names no members at all.
    pub closed: bool,
    /// The members of an object.
    pub properties: Vec<Property>,
    /// What every element of an array looks like.
    pub items: Option<Box<Property>>,
    /// What keys and values of a map look like (logical type `map`, ODCS v3.2).
    pub map: Option<Box<MapEntries>>,
    /// Rules over this property's values, from `quality`.
    pub quality: Vec<Rule>,
}

/// Keys and values of a map whose keys are data.
#[derive(Debug, Clone, PartialEq)]
pub struct MapEntries {
    /// `map.key`: a string property.
    pub key: Property,
    /// `map.value`.
    pub value: Property,
}

impl Property {
    /// The physical types a value may have: the one that is written, else those of the logical type, else all.
    ///
    /// [`PhysicalType::Null`] is not named unless written: a property that is not required may be null.
    pub fn physical_types(&self) -> &'static [PhysicalType] {
        match (self.physical, self.logical) {
            (Some(physical), _) => physical.alone(),
            (None, Some(logical)) => logical.physical_types(),
            (None, None) => PhysicalType::ALL,
        }
    }

    fn collect<'a>(&'a self, path: PropertyPath, found: &mut Vec<(PropertyPath, &'a Self)>) {
        found.push((path.clone(), self));
        for member in &self.properties {
            member.collect(path.with(Step::Property(member.name.clone())), found);
        }
        if let Some(items) = &self.items {
            items.collect(path.with(Step::Items), found);
        }
        if let Some(map) = &self.map {
            map.key.collect(path.with(Step::MapKeys), found);
            map.value.collect(path.with(Step::MapValues), found);
        }
    }
}

/// The place of a property: prints as `recs[].track_id`, `{}` for values of a map and `{key}` for its keys.
///
/// A path with [`Step::Items`] names the values of all elements, not one value of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PropertyPath(
    /// From the item inwards; the first is a [`Step::Property`].
    pub Vec<Step>,
);

/// One step of a [`PropertyPath`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// To the property of this name.
    Property(String),
    /// To every element of a list or set.
    Items,
    /// To every key of a map.
    MapKeys,
    /// To every value of a map.
    MapValues,
}

impl PropertyPath {
    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Whether an item may have several values there, because it lies in a list or in a map of any keys.
    pub fn is_many(&self) -> bool {
        self.0.iter().any(|step| !matches!(step, Step::Property(_)))
    }
}

impl std::fmt::Display for PropertyPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Property(name) if index == 0 => f.write_str(name)?,
                Step::Property(name) => write!(f, ".{name}")?,
                Step::Items => f.write_str("[]")?,
                Step::MapKeys => f.write_str("{key}")?,
                Step::MapValues => f.write_str("{}")?,
            }
        }
        Ok(())
    }
}
