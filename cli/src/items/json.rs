//! JSON: an object for each item, one after another or in one array.

use std::io::Read;

use septet_checks::Item;
use septet_contract::Object;
use struson::reader::{
    JsonReader, JsonStreamReader, JsonSyntaxError, ReaderError, ReaderSettings, SyntaxErrorKind, ValueType,
};

use super::plain::Plain;
use super::{Format, Unreadable, dynamodb_json, plain};

type Reader = JsonStreamReader<Box<dyn Read>>;

/// Reads items; without a format the first object tells which of the two kinds of JSON it is.
pub(crate) fn read(
    bytes: Box<dyn Read>,
    mut format: Option<Format>,
    object: &Object,
    take: &mut dyn FnMut(Item),
) -> Result<(), Unreadable> {
    let settings = ReaderSettings {
        allow_multiple_top_level: true,
        track_path: false,
        // Numbers are held against what DynamoDB stores.
        restrict_number_values: false,
        ..ReaderSettings::default()
    };
    let mut reader = JsonStreamReader::new_custom(bytes, settings);
    let mut number = 0_u64;
    let mut one = |reader: &mut Reader| -> Result<(), Unreadable> {
        number += 1;
        let at = format!("item {number}");
        let members = match value(reader)? {
            Plain::Object(members) => members,
            _ => return Err(Unreadable::new(at, "an item is an object with a member for each attribute")),
        };
        let typed = match format {
            Some(format) => format == Format::DynamodbJson,
            None => dynamodb_json::is_typed(&members),
        };
        format = Some(if typed { Format::DynamodbJson } else { Format::Json });
        let read = match typed {
            true => dynamodb_json::items(members, take),
            false => plain::item(members, object).map(&mut *take),
        };
        read.map_err(|problem| Unreadable::new(at, problem))
    };
    loop {
        match reader.peek() {
            Ok(ValueType::Array) => {
                reader.begin_array()?;
                while reader.has_next()? {
                    one(&mut reader)?;
                }
                reader.end_array()?;
            }
            Ok(_) => one(&mut reader)?,
            Err(error) if is_end(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        if !reader.has_next()? {
            return Ok(());
        }
    }
}

/// Whether there is nothing at all.
fn is_end(error: &ReaderError) -> bool {
    matches!(
        error,
        ReaderError::SyntaxError(JsonSyntaxError { kind: SyntaxErrorKind::IncompleteDocument, .. })
    )
}

/// Reads one value of JSON text.
pub(crate) fn parse(text: &str) -> Option<Plain> {
    let mut reader = JsonStreamReader::new(Box::new(std::io::Cursor::new(text.to_owned())) as Box<dyn Read>);
    let read = value(&mut reader).ok()?;
    reader.consume_trailing_whitespace().ok()?;
    Some(read)
}

fn value(reader: &mut Reader) -> Result<Plain, ReaderError> {
    Ok(match reader.peek()? {
        ValueType::Null => {
            reader.next_null()?;
            Plain::Null
        }
        ValueType::Boolean => Plain::Bool(reader.next_bool()?),
        ValueType::Number => Plain::Number(reader.next_number_as_string()?),
        ValueType::String => Plain::Text(reader.next_string()?),
        ValueType::Array => {
            let mut elements = Vec::new();
            reader.begin_array()?;
            while reader.has_next()? {
                elements.push(value(reader)?);
            }
            reader.end_array()?;
            Plain::List(elements)
        }
        ValueType::Object => {
            let mut members = Vec::new();
            reader.begin_object()?;
            while reader.has_next()? {
                let name = reader.next_name_owned()?;
                members.push((name, value(reader)?));
            }
            reader.end_object()?;
            Plain::Object(members)
        }
    })
}

impl From<ReaderError> for Unreadable {
    fn from(error: ReaderError) -> Self {
        match error {
            ReaderError::SyntaxError(JsonSyntaxError { kind, location }) => {
                let at =
                    location.line_pos.map(|at| format!("line {}, column {}", at.line + 1, at.column + 1));
                Self::new(at.unwrap_or_else(|| "JSON".into()), words(&kind.to_string()))
            }
            error => Self::new("JSON", error.to_string()),
        }
    }
}

/// `IncompleteDocument` as people write it.
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}
