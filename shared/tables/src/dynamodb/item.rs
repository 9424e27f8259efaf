//! DynamoDB's types and Septet's, both ways.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::{Blob, DateTime};
use aws_sdk_dynamodb::types::{
    AttributeValue, ImportStatus as SdkImportStatus, ImportTableDescription, KeyType as SdkKeyKind,
    ScalarAttributeType, TableDescription, TableStatus as SdkTableStatus,
};
use jiff::Timestamp;
use septet_checks::{Item, Value};
use septet_registry::{TableId, TableName};

use super::call::about;
use crate::{
    Error, Import, ImportStatus, Key, KeyAttribute, KeyType, KeyValue, Keys, TableFacts, TableStatus,
    WarmThroughput,
};

pub(super) fn facts(table: TableDescription) -> Result<TableFacts, Error> {
    let named = table.table_name.as_deref().unwrap_or("a table").to_owned();
    let lacks = |what: &str| about(&named, format!("the description has no {what}"));
    let wrong = |error: septet_registry::NameError| about(&named, error.to_string());
    let attribute = |kind: SdkKeyKind| {
        let key = table.key_schema().iter().find(|key| *key.key_type() == kind)?;
        let name = key.attribute_name();
        let definition = table.attribute_definitions().iter().find(|one| one.attribute_name() == name)?;
        let kind = match definition.attribute_type() {
            ScalarAttributeType::S => KeyType::S,
            ScalarAttributeType::N => KeyType::N,
            ScalarAttributeType::B => KeyType::B,
            _ => return None,
        };
        Some(KeyAttribute { name: name.into(), kind })
    };
    let sort = attribute(SdkKeyKind::Range);
    if sort.is_none() && table.key_schema().len() > 1 {
        return Err(lacks("type of the sort key"));
    }
    let keys = Keys { partition: attribute(SdkKeyKind::Hash).ok_or_else(|| lacks("partition key"))?, sort };
    let created_at = table.creation_date_time.ok_or_else(|| lacks("creation time"))?;
    Ok(TableFacts {
        keys,
        created_at: timestamp(&created_at).ok_or_else(|| lacks("creation time that can be read"))?,
        name: TableName::parse(table.table_name.ok_or_else(|| lacks("name"))?).map_err(wrong)?,
        arn: table.table_arn.ok_or_else(|| lacks("ARN"))?,
        id: TableId::parse(table.table_id.ok_or_else(|| lacks("table id"))?).map_err(wrong)?,
        status: status(table.table_status.ok_or_else(|| lacks("status"))?),
        deletion_protected: table.deletion_protection_enabled.unwrap_or(false),
        replicas: table
            .replicas
            .unwrap_or_default()
            .into_iter()
            .map(|replica| replica.region_name.unwrap_or_else(|| "unknown".into()))
            .collect(),
        warm: table.warm_throughput.and_then(|warm| {
            Some(WarmThroughput {
                reads: u64::try_from(warm.read_units_per_second?).ok()?,
                writes: u64::try_from(warm.write_units_per_second?).ok()?,
            })
        }),
    })
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_nanosecond(time.as_nanos()).ok()
}

fn status(status: SdkTableStatus) -> TableStatus {
    match status {
        SdkTableStatus::Creating => TableStatus::Creating,
        SdkTableStatus::Updating => TableStatus::Updating,
        SdkTableStatus::Active => TableStatus::Active,
        SdkTableStatus::Deleting => TableStatus::Deleting,
        other => TableStatus::Other(other.as_str().into()),
    }
}

pub(super) fn import(arn: String, import: ImportTableDescription) -> Import {
    let count = |count: i64| u64::try_from(count).unwrap_or_default();
    let status = match import.import_status {
        Some(SdkImportStatus::InProgress) => ImportStatus::InProgress,
        Some(SdkImportStatus::Completed) => ImportStatus::Completed,
        Some(SdkImportStatus::Cancelled | SdkImportStatus::Cancelling) => ImportStatus::Cancelled,
        Some(SdkImportStatus::Failed) => ImportStatus::Failed,
        other => ImportStatus::Other(other.map(|other| other.as_str().to_owned()).unwrap_or_default()),
    };
    let failure = match (import.failure_code, import.failure_message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => code.or(message),
    };
    Import {
        arn,
        status,
        imported: count(import.imported_item_count),
        processed: count(import.processed_item_count),
        errors: count(import.error_count),
        failure,
    }
}

pub(super) fn key(table: &TableName, key: Item) -> Result<Key, Error> {
    let value = |value| match value {
        Value::S(text) => Ok(KeyValue::S(text)),
        Value::N(number) => Ok(KeyValue::N(number)),
        Value::B(bytes) => Ok(KeyValue::B(bytes)),
        _ => Err(about(table, "a key is neither text, number nor bytes".into())),
    };
    key.into_iter().map(|(name, one)| Ok((name, value(one)?))).collect::<Result<_, _>>().map(Key)
}

pub(super) fn from_key(key: &Key) -> HashMap<String, AttributeValue> {
    let value = |value: &KeyValue| match value {
        KeyValue::S(text) => AttributeValue::S(text.clone()),
        KeyValue::N(number) => AttributeValue::N(number.clone()),
        KeyValue::B(bytes) => AttributeValue::B(Blob::new(bytes.clone())),
    };
    key.0.iter().map(|(name, one)| (name.clone(), value(one))).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::{AttributeDefinition, KeySchemaElement};

    use super::*;

    fn description() -> aws_sdk_dynamodb::types::builders::TableDescriptionBuilder {
        let key = |name: &str, kind| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
        };
        let kind = |name: &str| {
            let definition = AttributeDefinition::builder().attribute_name(name);
            definition.attribute_type(ScalarAttributeType::S).build().unwrap()
        };
        TableDescription::builder()
            .table_name("recs-1")
            .table_arn("arn:aws:dynamodb:eu-west-1:111122223333:table/recs-1")
            .table_id("0-1")
            .table_status(SdkTableStatus::Archived)
            .creation_date_time(DateTime::from_millis(1_763_604_600_500))
            .key_schema(key("id", SdkKeyKind::Hash))
            .key_schema(key("at", SdkKeyKind::Range))
            .set_attribute_definitions(Some(vec![kind("id"), kind("at")]))
    }

    #[test]
    fn a_status_that_is_not_known_keeps_its_name() {
        let facts = facts(description().build()).unwrap();
        assert_eq!(facts.status, TableStatus::Other("ARCHIVED".into()));
        assert_eq!(facts.created_at.as_millisecond(), 1_763_604_600_500);
    }

    #[test]
    fn a_description_that_lacks_something_says_what() {
        let no_sort = vec![description().build().attribute_definitions()[0].clone()];
        for (lacking, what) in [
            (description().set_table_id(None), "table id"),
            (description().set_table_name(None), "name"),
            (description().set_table_arn(None), "ARN"),
            (description().set_table_status(None), "status"),
            (description().set_creation_date_time(None), "creation time"),
            (description().set_key_schema(None), "partition key"),
            (description().set_attribute_definitions(Some(no_sort)), "type of the sort key"),
        ] {
            let error = facts(lacking.build()).unwrap_err();
            assert!(error.to_string().ends_with(&format!("no {what}")), "{error}");
        }
    }
}
