//! `logicalTypeOptions`.

use super::{flag, place, quality, text};
use crate::document::{Node, Value, quote};
use crate::findings::Findings;
use crate::model::{
    Bound, FloatFormat, Format, IntegerFormat, LogicalType, Options, PhysicalType, TextFormat, Vector,
};
use crate::moment::{Moment, MomentFormat, read_iso};
use crate::number::Number;

pub(super) fn read(
    property: &Node,
    logical: Option<LogicalType>,
    physical: Option<PhysicalType>,
    path: &str,
    findings: &mut Findings,
) -> Options {
    let Some(node) = property.get("logicalTypeOptions").filter(|node| matches!(node.value, Value::Map(_)))
    else {
        return Options::default();
    };
    let path = format!("{path}.logicalTypeOptions");
    let mut reader = Reader { node, path: &path, findings };
    let format = reader.format(logical, physical);
    let options = Options {
        min_length: count(node, "minLength"),
        max_length: count(node, "maxLength"),
        pattern: reader.pattern(),
        minimum: reader.bound("minimum", logical, format.as_ref()),
        maximum: reader.bound("maximum", logical, format.as_ref()),
        exclusive_minimum: reader.bound("exclusiveMinimum", logical, format.as_ref()),
        exclusive_maximum: reader.bound("exclusiveMaximum", logical, format.as_ref()),
        multiple_of: node.get("multipleOf").and_then(Node::number),
        min_items: count(node, "minItems"),
        max_items: count(node, "maxItems"),
        unique_items: flag(node, "uniqueItems").unwrap_or(false),
        min_properties: count(node, "minProperties"),
        max_properties: count(node, "maxProperties"),
        required: names(node),
        timezone: flag(node, "timezone"),
        default_timezone: text(node, "defaultTimezone"),
        vector: vector(node, logical),
        format,
    };
    reader.counts(&options);
    reader.bounds(&options);
    reader.rest(&options);
    options
}

fn count(node: &Node, key: &str) -> Option<u64> {
    node.get(key)?.number()?.to_u64()
}

fn names(node: &Node) -> Vec<String> {
    let names = node.get("required").map(Node::list).unwrap_or_default();
    names.iter().filter_map(Node::text).map(str::to_owned).collect()
}

fn vector(node: &Node, logical: Option<LogicalType>) -> Option<Vector> {
    if logical != Some(LogicalType::Vector) {
        return None;
    }
    Some(Vector {
        dimensions: count(node, "dimensions")?,
        element: text(node, "elementType").unwrap_or_else(|| "float32".to_owned()),
        normalized: flag(node, "normalized").unwrap_or(false),
    })
}

struct Reader<'a> {
    node: &'a Node,
    path: &'a str,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    fn error(&mut self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.findings.error(place(self.node, key), &format!("{}.{key}", self.path), message, hint);
    }

    fn pattern(&mut self) -> Option<crate::Regexp> {
        let written = self.node.get("pattern")?;
        quality::read_pattern(written.text()?, written.at, &format!("{}.pattern", self.path), self.findings)
    }

    fn format(&mut self, logical: Option<LogicalType>, physical: Option<PhysicalType>) -> Option<Format> {
        let written = text(self.node, "format")?;
        match logical? {
            LogicalType::String => Some(Format::Text(text_format(written))),
            LogicalType::Integer => {
                let bits =
                    written.get(1..)?.parse().ok().filter(|bits| [8, 16, 32, 64, 128].contains(bits))?;
                Some(Format::Integer(IntegerFormat { signed: written.starts_with('i'), bits }))
            }
            LogicalType::Number => match written.as_str() {
                "f32" => Some(Format::Float(FloatFormat::F32)),
                "f64" => Some(Format::Float(FloatFormat::F64)),
                _ => None,
            },
            logical @ (LogicalType::Date | LogicalType::Timestamp | LogicalType::Time) => {
                if physical == Some(PhysicalType::N) {
                    self.error(
                        "format",
                        "a timestamp held as N is seconds since 1970 and has no other form",
                        "remove format, or write physicalType: S",
                    );
                    return None;
                }
                self.moment_format(&written, logical).map(Format::Moment)
            }
            _ => None,
        }
    }

    fn moment_format(&mut self, written: &str, logical: LogicalType) -> Option<MomentFormat> {
        let format = match MomentFormat::parse(written) {
            Ok(format) => format,
            Err(error) => {
                let message = format!("the format {}: {error}", quote(written));
                let hint = "write a pattern of Java's DateTimeFormatter, such as yyyy-MM-dd'T'HH:mm:ssX";
                self.error("format", message, hint);
                return None;
            }
        };
        let (date, time) = (logical != LogicalType::Time, logical != LogicalType::Date);
        if format.has_date() != date || format.has_time() != time {
            let wanted = match logical {
                LogicalType::Date => "year, month and day, and no time",
                LogicalType::Time => "an hour, and no date",
                _ => "year, month, day and hour",
            };
            let message = format!("the format of a {logical} has {wanted}, unlike {}", quote(written));
            self.error("format", message, "change format, or logicalType");
        }
        match flag(self.node, "timezone") {
            Some(true) if !format.has_offset() => {
                let message = "timezone: true, yet the format has no offset from UTC";
                self.error("timezone", message, "add X to the format, or write timezone: false");
            }
            Some(false) if format.has_offset() => {
                let message = "timezone: false, yet the format has an offset from UTC";
                self.error("timezone", message, "remove the offset from the format, or write timezone: true");
            }
            _ => {}
        }
        Some(format)
    }

    fn bound(&mut self, key: &str, logical: Option<LogicalType>, format: Option<&Format>) -> Option<Bound> {
        let written = self.node.get(key)?;
        if let Some(number) = written.number() {
            return matches!(logical?, LogicalType::Integer | LogicalType::Number)
                .then_some(Bound::Number(number));
        }
        let text = written.text()?;
        let logical = logical?;
        let (date, time) = match logical {
            LogicalType::Date => (true, false),
            LogicalType::Timestamp => (true, true),
            LogicalType::Time => (false, true),
            _ => return None,
        };
        let in_format = match format {
            Some(Format::Moment(format)) => format.read(text),
            _ => None,
        };
        let fits = |moment: &Moment| (moment.date.is_some(), moment.time.is_some()) == (date, time);
        let moment = in_format.or_else(|| read_iso(text)).filter(fits);
        if moment.is_none() {
            let hint = match logical {
                LogicalType::Date => "write a day such as 2026-11-21, in quotes",
                LogicalType::Time => "write a time such as 06:00:00, in quotes",
                _ => "write a moment such as 2026-11-21T06:00:00Z, in quotes",
            };
            self.error(key, format!("{key} {} is no {logical}", quote(text)), hint);
        }
        moment.map(Bound::Moment)
    }

    fn counts(&mut self, options: &Options) {
        for (low_key, low, high_key, high) in [
            ("minLength", options.min_length, "maxLength", options.max_length),
            ("minItems", options.min_items, "maxItems", options.max_items),
            ("minProperties", options.min_properties, "maxProperties", options.max_properties),
        ] {
            if let (Some(low), Some(high)) = (low, high)
                && low > high
            {
                let message = format!("{low_key} {low} is more than {high_key} {high}: no value has both");
                self.error(low_key, message, format!("lower {low_key} or raise {high_key}"));
            }
        }
    }

    fn bounds(&mut self, options: &Options) {
        let lows =
            [("minimum", options.minimum, false), ("exclusiveMinimum", options.exclusive_minimum, true)];
        let highs =
            [("maximum", options.maximum, false), ("exclusiveMaximum", options.exclusive_maximum, true)];
        for (low_key, low, low_open) in lows {
            for (high_key, high, high_open) in highs {
                let (Some(low), Some(high)) = (low, high) else { continue };
                let empty = if low_open || high_open { low >= high } else { low > high };
                if empty {
                    let message = format!("no value lies between {low_key} {low} and {high_key} {high}");
                    self.error(low_key, message, format!("lower {low_key} or raise {high_key}"));
                }
            }
        }
    }

    fn rest(&mut self, options: &Options) {
        if options.multiple_of.is_some_and(|step| step <= Number::ZERO) {
            self.error("multipleOf", "multipleOf must be more than 0", "write a step such as 0.01");
        }
        if options.vector.as_ref().is_some_and(|vector| vector.dimensions == 0) {
            self.error("dimensions", "a vector has at least one dimension", "write the number of elements");
        }
        let empty = self
            .node
            .get("required")
            .is_some_and(|node| matches!(node.value, Value::List(_)) && node.list().is_empty());
        if empty {
            self.error("required", "required lists no member", "list the members, or remove required");
        }
    }
}

fn text_format(written: String) -> TextFormat {
    match written.as_str() {
        "password" => TextFormat::Password,
        "byte" => TextFormat::Byte,
        "binary" => TextFormat::Binary,
        "email" => TextFormat::Email,
        "uuid" => TextFormat::Uuid,
        "uri" => TextFormat::Uri,
        "hostname" => TextFormat::Hostname,
        "ipv4" => TextFormat::Ipv4,
        "ipv6" => TextFormat::Ipv6,
        _ => TextFormat::Other(written),
    }
}
