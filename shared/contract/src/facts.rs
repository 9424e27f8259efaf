//! What a property says of its values, one fact at a time.

use crate::model::{Format, LogicalType, Property};

/// One fact: the key that says it in a document, its value there, and what it comes to in words.
pub(crate) struct Fact {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) words: String,
}

/// The facts of a property without its members, in the order in which people ask for them.
pub(crate) fn facts(property: &Property) -> Vec<Fact> {
    let mut found = Vec::new();
    let mut add = |key, value: String, words: String| found.push(Fact { key, value, words });
    let options = &property.options;
    if let Some(logical) = property.logical {
        add("logicalType", logical.to_string(), logical.to_string());
    }
    let types: Vec<_> = property.physical_types().iter().map(|physical| physical.as_str()).collect();
    if let Some(physical) = property.physical {
        add("physicalType", physical.to_string(), format!("held as {physical}"));
    } else if property.logical.is_some() {
        add("physicalType", types.join(" or "), format!("held as {}", types.join(" or ")));
    }
    if let Some(position) = property.primary_key {
        let words = if position == 1 { "partition key" } else { "sort key" };
        add("primaryKeyPosition", position.to_string(), words.to_owned());
    }
    if property.required {
        add("required", "true".to_owned(), "required".to_owned());
    }
    if property.unique {
        add("unique", "true".to_owned(), "unique over all items".to_owned());
    }
    if !property.allowed.is_empty() {
        let values: Vec<_> = property.allowed.iter().map(ToString::to_string).collect();
        add("enum", values.join(", "), format!("one of {}", values.join(", ")));
    }
    let moment = property.logical.is_some_and(|logical| {
        matches!(logical, LogicalType::Date | LogicalType::Time | LogicalType::Timestamp)
    });
    for (key, count, words) in [
        ("minLength", options.min_length, "characters at least"),
        ("maxLength", options.max_length, "characters at most"),
        ("minItems", options.min_items, "elements at least"),
        ("maxItems", options.max_items, "elements at most"),
        ("minProperties", options.min_properties, "members at least"),
        ("maxProperties", options.max_properties, "members at most"),
    ] {
        if let Some(count) = count {
            add(key, count.to_string(), format!("{count} {words}"));
        }
    }
    if let Some(pattern) = &options.pattern {
        add("pattern", pattern.as_str().to_owned(), format!("matches {pattern}"));
    }
    if let Some(format) = &options.format {
        let words = match format {
            Format::Moment(_) => format!("written as {format}"),
            _ => format!("of the form {format}"),
        };
        add("format", format.to_string(), words);
    }
    for (key, bound, number, time) in [
        ("minimum", options.minimum, "at least", "not before"),
        ("exclusiveMinimum", options.exclusive_minimum, "more than", "after"),
        ("maximum", options.maximum, "at most", "not after"),
        ("exclusiveMaximum", options.exclusive_maximum, "less than", "before"),
    ] {
        if let Some(bound) = bound {
            add(key, bound.to_string(), format!("{} {bound}", if moment { time } else { number }));
        }
    }
    if let Some(step) = options.multiple_of {
        add("multipleOf", step.to_string(), format!("a multiple of {step}"));
    }
    if options.unique_items {
        add("uniqueItems", "true".to_owned(), "no two equal elements".to_owned());
    }
    if let Some(zone) = options.timezone {
        let words = if zone { "with its zone" } else { "with or without a zone" };
        add("timezone", zone.to_string(), words.to_owned());
    }
    if let Some(zone) = &options.default_timezone {
        add("defaultTimezone", zone.clone(), format!("in {zone} where it says no zone"));
    }
    if let Some(vector) = &options.vector {
        add("dimensions", vector.dimensions.to_string(), format!("{} elements", vector.dimensions));
        add("elementType", vector.element.clone(), format!("elements of {}", vector.element));
        if vector.normalized {
            add("normalized", "true".to_owned(), "of length 1".to_owned());
        }
    }
    if !property.properties.is_empty() {
        let words = if property.closed { "no members but those below" } else { "other members, too" };
        add("septet.closed", property.closed.to_string(), words.to_owned());
    }
    found
}
