//! Limits of values.

use super::items::Found;
use crate::model::{
    Bound, FloatFormat, Format, Literal, LogicalType, Options, PhysicalType, Property, TextFormat,
};
use crate::moment::read_iso;
use crate::number::Number;

/// Longest list of values that a message shows.
const SHOWN: usize = 5;

/// Compares the limits of two properties, every type of the second being one of the first.
pub(super) fn compare(place: &str, reader: &Property, writer: &Property, found: &mut Found) {
    let mut report = |rule, (readers, data): (String, String)| found.push(place, rule, readers, data);
    for (rule, breach) in [
        ("enum", values(reader, writer)),
        ("minLength", at_least(reader.options.min_length, least_length(writer))),
        ("maxLength", at_most(reader.options.max_length, most_length(writer))),
        ("pattern", pattern(reader, writer)),
        ("format", format(reader, writer)),
        ("minimum", low(reader.options.minimum, false, writer)),
        ("exclusiveMinimum", low(reader.options.exclusive_minimum, true, writer)),
        ("maximum", high(reader.options.maximum, false, writer)),
        ("exclusiveMaximum", high(reader.options.exclusive_maximum, true, writer)),
        ("multipleOf", step(reader, writer)),
        ("minItems", at_least(reader.options.min_items, least_items(writer))),
        ("maxItems", at_most(reader.options.max_items, most_items(writer))),
        ("uniqueItems", unique_items(reader, writer)),
        ("minProperties", at_least(reader.options.min_properties, least_members(writer))),
        ("maxProperties", at_most(reader.options.max_properties, most_members(writer))),
        ("timezone", zone(reader, writer)),
        ("defaultTimezone", default_zone(reader, writer)),
    ] {
        if let Some(breach) = breach {
            report(rule, breach);
        }
    }
    vector(place, reader, writer, found);
}

type Differ = Option<(String, String)>;

fn at_least(wanted: Option<u64>, least: u64) -> Differ {
    let wanted = wanted.filter(|wanted| *wanted > least)?;
    Some((format!("{wanted} or more"), format!("as few as {least}")))
}

fn at_most(wanted: Option<u64>, most: Option<u64>) -> Differ {
    let wanted = wanted?;
    match most {
        Some(most) if most <= wanted => None,
        Some(most) => Some((format!("{wanted} or fewer"), format!("as many as {most}"))),
        None => Some((format!("{wanted} or fewer"), "any number".to_owned())),
    }
}

/// The only texts that the property can be; none if there are other values.
fn texts(property: &Property) -> Option<Vec<&str>> {
    property.allowed.first()?;
    let texts = property.allowed.iter().map(|value| match value {
        Literal::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// The only numbers that the property can be; none if there are other values.
fn numbers(property: &Property) -> Option<Vec<Number>> {
    let number = |value: &Literal| if let Literal::Number(number) = value { Some(*number) } else { None };
    property.allowed.first()?;
    property.allowed.iter().map(number).collect()
}

fn shown(values: &[&Literal]) -> String {
    let shown: Vec<_> = values.iter().take(SHOWN).map(ToString::to_string).collect();
    let more =
        if values.len() > SHOWN { format!(" and {} more", values.len() - SHOWN) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn values(reader: &Property, writer: &Property) -> Differ {
    reader.allowed.first()?;
    let ours = format!("one of {}", shown(&reader.allowed.iter().collect::<Vec<_>>()));
    if writer.allowed.is_empty() {
        return Some((ours, "any value".to_owned()));
    }
    let others: Vec<_> = writer.allowed.iter().filter(|value| !reader.allowed.contains(value)).collect();
    (!others.is_empty()).then(|| (ours, shown(&others)))
}

fn length(text: &str) -> u64 {
    text.chars().count() as u64
}

fn least_length(writer: &Property) -> u64 {
    let listed = texts(writer).and_then(|texts| texts.into_iter().map(length).min());
    let key = u64::from(writer.primary_key.is_some());
    listed.or(writer.options.min_length).unwrap_or(0).max(key)
}

fn most_length(writer: &Property) -> Option<u64> {
    texts(writer).and_then(|texts| texts.into_iter().map(length).max()).or(writer.options.max_length)
}

fn pattern(reader: &Property, writer: &Property) -> Differ {
    let ours = reader.options.pattern.as_ref()?;
    let theirs = writer.options.pattern.as_ref();
    let listed = texts(writer).is_some_and(|texts| texts.iter().all(|text| ours.matches(text)));
    if listed || theirs.is_some_and(|theirs| theirs.as_str() == ours.as_str()) {
        return None;
    }
    let theirs = theirs.map_or_else(|| "any text".to_owned(), |theirs| format!("what matches {theirs}"));
    Some((format!("what matches {ours}"), theirs))
}

fn format(reader: &Property, writer: &Property) -> Differ {
    let theirs = writer.options.format.as_ref();
    let fits = match (reader.options.format.as_ref(), theirs) {
        (None, Some(Format::Moment(format)))
            if matches!(
                reader.logical,
                Some(LogicalType::Date | LogicalType::Time | LogicalType::Timestamp)
            ) =>
        {
            // Without a format readers expect ISO 8601.
            let examples =
                ["2026-11-21", "2026-11-21T06:30:15Z", "2026-11-21T06:30:15", "06:30:15", "06:30:15Z"];
            examples.iter().any(|text| read_iso(text).is_some_and(|moment| format.read(text) == Some(moment)))
        }
        (None, _) => true,
        (Some(Format::Text(TextFormat::Password | TextFormat::Binary | TextFormat::Other(_))), _) => true,
        (Some(Format::Float(FloatFormat::F64)), _) => true,
        (Some(Format::Float(FloatFormat::F32)), Some(Format::Integer(theirs))) => theirs.bits <= 64,
        (Some(Format::Integer(ours)), Some(Format::Integer(theirs)))
            if ours.signed == theirs.signed || ours.signed =>
        {
            theirs.bits + u32::from(ours.signed != theirs.signed) <= ours.bits
        }
        (Some(Format::Integer(ours)), _) => {
            let ends = numbers(writer).or_else(|| match (writer.options.minimum, writer.options.maximum) {
                (Some(Bound::Number(low)), Some(Bound::Number(high))) => Some(vec![low, high]),
                _ => None,
            });
            ends.is_some_and(|ends| ends.iter().all(|end| ours.holds(end)))
        }
        (Some(ours), theirs) => Some(ours) == theirs,
    };
    let name = |format: Option<&Format>| format.map_or_else(|| "any form".to_owned(), ToString::to_string);
    (!fits).then(|| (name(reader.options.format.as_ref()), name(theirs)))
}

/// A reader's lower bound against what the writer's values are above.
fn low(bound: Option<Bound>, open: bool, writer: &Property) -> Differ {
    let bound = bound?;
    let above = |low: &Bound| if open { *low > bound } else { *low >= bound };
    let options = &writer.options;
    let kept = match numbers(writer) {
        Some(numbers) => numbers.into_iter().all(|number| above(&Bound::Number(number))),
        None => {
            let exclusive = options.exclusive_minimum;
            options.minimum.is_some_and(|low| above(&low))
                || exclusive.is_some_and(|low| low >= bound)
                || exclusive.and_then(|low| next(low, writer, 1)).is_some_and(|low| above(&low))
                || machine_range(options).is_some_and(|(low, _)| above(&low))
        }
    };
    let word = if open { "more than" } else { "at least" };
    let theirs = [
        options.minimum.map(|low| format!("as low as {low}")),
        options.exclusive_minimum.map(|low| format!("just above {low}")),
    ];
    (!kept).then(|| {
        (format!("{word} {bound}"), theirs.into_iter().flatten().next().unwrap_or_else(|| "any lower".into()))
    })
}

/// A reader's upper bound against what the writer's values are below.
fn high(bound: Option<Bound>, open: bool, writer: &Property) -> Differ {
    let bound = bound?;
    let below = |high: &Bound| if open { *high < bound } else { *high <= bound };
    let options = &writer.options;
    let kept = match numbers(writer) {
        Some(numbers) => numbers.into_iter().all(|number| below(&Bound::Number(number))),
        None => {
            let exclusive = options.exclusive_maximum;
            options.maximum.is_some_and(|high| below(&high))
                || exclusive.is_some_and(|high| high <= bound)
                || exclusive.and_then(|high| next(high, writer, -1)).is_some_and(|high| below(&high))
                || machine_range(options).is_some_and(|(_, high)| below(&high))
        }
    };
    let word = if open { "less than" } else { "at most" };
    let theirs = [
        options.maximum.map(|high| format!("as high as {high}")),
        options.exclusive_maximum.map(|high| format!("just below {high}")),
    ];
    (!kept).then(|| {
        (
            format!("{word} {bound}"),
            theirs.into_iter().flatten().next().unwrap_or_else(|| "any higher".into()),
        )
    })
}

/// The integer beside an exclusive bound, of integers.
fn next(bound: Bound, writer: &Property, step: i128) -> Option<Bound> {
    let Bound::Number(number) = bound else { return None };
    if writer.logical != Some(LogicalType::Integer) || !number.is_integer() {
        return None;
    }
    let next = number.to_string().parse::<i128>().ok()?.checked_add(step)?;
    Number::parse(&next.to_string()).ok().map(Bound::Number)
}

/// Least and largest value of an integer's machine type, of those that DynamoDB's numbers hold exactly.
fn machine_range(options: &Options) -> Option<(Bound, Bound)> {
    let Some(Format::Integer(format)) = &options.format else { return None };
    let top = u128::MAX >> (128 - format.bits + u32::from(format.signed));
    let low = if format.signed { format!("-{}", top.checked_add(1)?) } else { "0".to_owned() };
    let number = |text: &str| Number::parse(text).ok().map(Bound::Number);
    Some((number(&low)?, number(&top.to_string())?))
}

fn step(reader: &Property, writer: &Property) -> Differ {
    let ours = reader.options.multiple_of?;
    let integer = writer.logical == Some(LogicalType::Integer);
    let theirs = writer.options.multiple_of.or(integer.then(|| Number::from(1)));
    let listed =
        numbers(writer).is_some_and(|numbers| numbers.iter().all(|number| number.is_multiple_of(&ours)));
    if listed || theirs.is_some_and(|theirs| theirs.is_multiple_of(&ours)) {
        return None;
    }
    let theirs = theirs.map_or_else(|| "any number".to_owned(), |theirs| format!("multiples of {theirs}"));
    Some((format!("multiples of {ours}"), theirs))
}

fn is_set(property: &Property) -> bool {
    use PhysicalType as P;
    property.physical_types().iter().all(|p| matches!(p, P::StringSet | P::NumberSet | P::BinarySet))
}

fn least_items(writer: &Property) -> u64 {
    let dimensions = writer.options.vector.as_ref().map(|vector| vector.dimensions);
    // DynamoDB has no empty sets.
    dimensions.or(writer.options.min_items).unwrap_or(0).max(u64::from(is_set(writer)))
}

fn most_items(writer: &Property) -> Option<u64> {
    writer.options.vector.as_ref().map(|vector| vector.dimensions).or(writer.options.max_items)
}

fn unique_items(reader: &Property, writer: &Property) -> Differ {
    let differ = reader.options.unique_items && !writer.options.unique_items && !is_set(writer);
    differ.then(|| ("no two equal elements".to_owned(), "with equal elements".to_owned()))
}

fn least_members(writer: &Property) -> u64 {
    let required = writer.properties.iter().filter(|member| member.required).count() as u64;
    writer.options.min_properties.unwrap_or(0).max(required)
}

fn most_members(writer: &Property) -> Option<u64> {
    let named = writer.closed.then_some(writer.properties.len() as u64);
    writer.options.max_properties.into_iter().chain(named).min()
}

fn has_zone(property: &Property) -> bool {
    let format = match &property.options.format {
        Some(Format::Moment(format)) => format.has_offset(),
        _ => false,
    };
    property.options.timezone == Some(true) || format
}

fn zone(reader: &Property, writer: &Property) -> Differ {
    let differ = reader.options.timezone == Some(true) && !has_zone(writer);
    differ.then(|| ("a zone".to_owned(), "without one".to_owned()))
}

/// The zone that moments without one are meant in.
fn default_zone(reader: &Property, writer: &Property) -> Differ {
    if has_zone(reader) || has_zone(writer) || !is_moment(reader) || !is_moment(writer) {
        return None;
    }
    let zone = |property: &Property| {
        let zone = property.options.default_timezone.clone();
        zone.filter(|zone| !crate::UTC.contains(&zone.as_str())).unwrap_or_else(|| "UTC".to_owned())
    };
    let (ours, theirs) = (zone(reader), zone(writer));
    (ours != theirs).then(|| (format!("times of {ours}"), format!("of {theirs}")))
}

fn is_moment(property: &Property) -> bool {
    matches!(property.logical, Some(LogicalType::Timestamp | LogicalType::Time))
}

fn vector(place: &str, reader: &Property, writer: &Property, found: &mut Found) {
    let Some(ours) = &reader.options.vector else { return };
    let Some(theirs) = &writer.options.vector else { return };
    if ours.dimensions != theirs.dimensions {
        found.push(place, "dimensions", ours.dimensions.to_string(), theirs.dimensions.to_string());
    }
    if ours.element != theirs.element {
        found.push(place, "elementType", ours.element.clone(), theirs.element.clone());
    }
    if ours.normalized && !theirs.normalized {
        found.push(place, "normalized", "length 1", "any length");
    }
}
