//! Tables of rows and columns: CSV and Parquet. A column is an attribute.

use std::fs::File;
use std::io::Read;

use jiff::Timestamp;
use jiff::civil::Date;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use septet_checks::Item;
use septet_contract::{Number, Object, PhysicalType, Property};

use super::plain::Plain;
use super::{Unreadable, json, plain};

/// Reads CSV with a header. A cell is what the contract says of its column, if it can be; an empty one is an
/// attribute that is not there; lists, maps and sets are JSON in their cell.
pub(crate) fn csv(
    bytes: Box<dyn Read>,
    object: &Object,
    take: &mut dyn FnMut(Item),
) -> Result<(), Unreadable> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(|error| Unreadable::new("the header", error.to_string()))?.clone();
    let properties: Vec<_> =
        header.iter().map(|name| object.properties.iter().find(|it| it.attribute == name)).collect();
    for record in reader.records() {
        let record = record.map_err(|error| Unreadable::new("CSV", error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = header.iter().zip(&properties).zip(&record).filter(|(_, text)| !text.is_empty());
        let members =
            cells.map(|((name, property), text)| (name.to_owned(), cell(text, *property))).collect();
        let item = plain::item(members, object);
        take(item.map_err(|problem| Unreadable::new(format!("line {line}"), problem))?);
    }
    Ok(())
}

fn cell(text: &str, property: Option<&Property>) -> Plain {
    let types = property.map_or(&[PhysicalType::S][..], Property::physical_types);
    let read = types.iter().find_map(|physical| match physical {
        PhysicalType::N => Number::parse(text).ok().map(|_| Plain::Number(text.to_owned())),
        PhysicalType::Bool => match text.to_ascii_lowercase().as_str() {
            "true" => Some(Plain::Bool(true)),
            "false" => Some(Plain::Bool(false)),
            _ => None,
        },
        PhysicalType::M => json::parse(text).filter(|it| matches!(it, Plain::Object(_))),
        PhysicalType::L | PhysicalType::StringSet | PhysicalType::NumberSet | PhysicalType::BinarySet => {
            json::parse(text).filter(|it| matches!(it, Plain::List(_)))
        }
        _ => None,
    });
    read.unwrap_or_else(|| Plain::Text(text.to_owned()))
}

/// Reads Parquet. A null is an attribute that is not there; dates and times are text in ISO 8601.
pub(crate) fn parquet(file: File, object: &Object, take: &mut dyn FnMut(Item)) -> Result<(), Unreadable> {
    let broken = |error: parquet::errors::ParquetError| Unreadable::new("Parquet", error.to_string());
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    let rows = reader.get_row_iter(None).map_err(broken)?;
    for (number, row) in rows.enumerate() {
        let columns = row.map_err(broken)?.into_columns();
        let item = members(columns).and_then(|members| plain::item(members, object));
        take(item.map_err(|problem| Unreadable::new(format!("row {}", number + 1), problem))?);
    }
    Ok(())
}

fn members(columns: Vec<(String, Field)>) -> Result<Vec<(String, Plain)>, String> {
    let there = columns.into_iter().filter(|(_, field)| !matches!(field, Field::Null));
    there
        .map(|(name, field)| Ok((name.clone(), value(&field).map_err(|it| format!("{name}: {it}"))?)))
        .collect()
}

fn value(field: &Field) -> Result<Plain, String> {
    let number = |text: String| Ok(Plain::Number(text));
    match field {
        Field::Null => Ok(Plain::Null),
        Field::Bool(value) => Ok(Plain::Bool(*value)),
        Field::Byte(value) => number(value.to_string()),
        Field::Short(value) => number(value.to_string()),
        Field::Int(value) => number(value.to_string()),
        Field::Long(value) => number(value.to_string()),
        Field::UByte(value) => number(value.to_string()),
        Field::UShort(value) => number(value.to_string()),
        Field::UInt(value) => number(value.to_string()),
        Field::ULong(value) => number(value.to_string()),
        // With an exponent: all digits of 1e300 would be more than DynamoDB takes.
        Field::Float16(value) => number(format!("{:e}", value.to_f32())),
        Field::Float(value) => number(format!("{value:e}")),
        Field::Double(value) => number(format!("{value:e}")),
        Field::Decimal(_) => number(field.to_string()),
        Field::Str(text) => Ok(Plain::Text(text.clone())),
        Field::Bytes(bytes) => Ok(Plain::Bytes(bytes.data().to_vec())),
        Field::Date(days) => {
            let span = jiff::Span::new().try_days(*days);
            let date = span.and_then(|span| Date::constant(1970, 1, 1).checked_add(span));
            date.map(|date| Plain::Text(date.to_string())).map_err(|error| error.to_string())
        }
        Field::TimeMillis(ms) => time(i64::from(*ms) * 1000),
        Field::TimeMicros(us) => time(*us),
        Field::TimestampMillis(ms) => timestamp(Timestamp::from_millisecond(*ms)),
        Field::TimestampMicros(us) => timestamp(Timestamp::from_microsecond(*us)),
        Field::Group(row) => {
            let columns = row.get_column_iter().map(|(name, field)| (name.clone(), field.clone()));
            Ok(Plain::Object(members(columns.collect())?))
        }
        Field::ListInternal(list) => {
            Ok(Plain::List(list.elements().iter().map(value).collect::<Result<_, _>>()?))
        }
        Field::MapInternal(map) => {
            let entry = |(key, field): &(Field, Field)| match key {
                Field::Str(name) => Ok((name.clone(), value(field)?)),
                _ => Err("the keys of a map are text in DynamoDB".to_owned()),
            };
            Ok(Plain::Object(map.entries().iter().map(entry).collect::<Result<_, _>>()?))
        }
    }
}

fn timestamp(at: Result<Timestamp, jiff::Error>) -> Result<Plain, String> {
    at.map(|at| Plain::Text(at.to_string())).map_err(|error| error.to_string())
}

fn time(microseconds: i64) -> Result<Plain, String> {
    let span = jiff::Span::new().try_microseconds(microseconds);
    let time = span.and_then(|span| jiff::civil::Time::midnight().checked_add(span));
    time.map(|time| Plain::Text(time.to_string())).map_err(|error| error.to_string())
}
