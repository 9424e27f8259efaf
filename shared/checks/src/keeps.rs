//! Whether the data of a version keeps what its contract does not promise.

use septet_contract::{Bound, Breach, Contract, Number, PhysicalType, Property};

use crate::profile::{Place, Profile};

impl Profile {
    /// Whether what was seen of all items shows that readers of this contract find what they rely on, although the
    /// contract of the data allows otherwise.
    ///
    /// Shown by counts of nulls and by the ends of numbers, lengths and sizes, which are exact. What only the values
    /// themselves would show, such as a pattern, is not shown, unless there is no value at all.
    pub fn keeps(&self, readers: &Contract, breach: &Breach) -> bool {
        if self.sampled.is_some() {
            // What was not read may be anything.
            return false;
        }
        let found = find(&readers.object().properties, &breach.attribute);
        let Some((property, place)) = found.and_then(|(it, path)| Some((it, self.place(&path)?))) else {
            return false;
        };
        let null = place.types[PhysicalType::Null as usize];
        if breach.rule == "required" {
            return place.absent == 0 && null == 0;
        }
        place.types.iter().sum::<u64>() == null || holds(property, breach.rule, place) == Some(true)
    }
}

/// Whether the ends of what was seen lie within the limit; none if they do not show it.
fn holds(property: &Property, rule: &str, place: &Place) -> Option<bool> {
    let options = &property.options;
    let values = place.values.as_deref()?;
    let number = |bound: Option<Bound>| match bound? {
        Bound::Number(number) => Some(number),
        Bound::Moment(_) => None,
    };
    let limit = |limit: Option<u64>| limit.map(|limit| limit as f64);
    let (least, most): (Option<Number>, Option<Number>) = (values.least, values.most);
    Some(match rule {
        "minLength" => values.lengths.least? >= limit(options.min_length)?,
        "maxLength" => values.lengths.most? <= limit(options.max_length)?,
        "minItems" => values.sizes.least? >= limit(options.min_items)?,
        "maxItems" => values.sizes.most? <= limit(options.max_items)?,
        "minProperties" => values.sizes.least? >= limit(options.min_properties)?,
        "maxProperties" => values.sizes.most? <= limit(options.max_properties)?,
        "minimum" => least? >= number(options.minimum)?,
        "maximum" => most? <= number(options.maximum)?,
        "exclusiveMinimum" => least? > number(options.exclusive_minimum)?,
        "exclusiveMaximum" => most? < number(options.exclusive_maximum)?,
        _ => return None,
    })
}

/// The property that lies there by the names of the contract, and where that is by the names of attributes.
fn find<'a>(properties: &'a [Property], place: &str) -> Option<(&'a Property, String)> {
    properties.iter().find_map(|property| {
        let rest = place.strip_prefix(property.name.as_str())?;
        within(property, rest, property.attribute.clone())
    })
}

fn within<'a>(property: &'a Property, rest: &str, path: String) -> Option<(&'a Property, String)> {
    if rest.is_empty() {
        return Some((property, path));
    }
    if let Some(rest) = rest.strip_prefix('.') {
        return find(&property.properties, rest).map(|(found, below)| (found, format!("{path}.{below}")));
    }
    let (mark, next, rest) = match (&property.items, &property.map) {
        (Some(items), _) => ("[]", &**items, rest.strip_prefix("[]")?),
        (_, Some(map)) if rest.starts_with("{key}") => ("{key}", &map.key, rest.strip_prefix("{key}")?),
        (_, Some(map)) => ("{}", &map.value, rest.strip_prefix("{}")?),
        _ => return None,
    };
    within(next, rest, format!("{path}{mark}"))
}
