//! DynamoDB's types and Septet's, both ways.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::{Blob, DateTime};
use aws_sdk_dynamodb::types::{
    AttributeValue, BillingMode, ImportStatus as SdkImportStatus, ImportTableDescription, IndexStatus,
    KeySchemaElement, KeyType as SdkKeyKind, OnDemandThroughput, Projection as SdkProjection,
    ProvisionedThroughputDescription, ScalarAttributeType, TableDescription, TableStatus as SdkTableStatus,
};
use jiff::Timestamp;
use septet_checks::{Item, Value};
use septet_registry::{TableId, TableName};

use super::call::about;
use crate::{
    Error, Features, Import, ImportStatus, Index, IndexKeys, IndexKind, Key, KeyAttribute, KeyType, KeyValue,
    Keys, Projection, ProjectionType, ReadLimits, TableFacts, TableStatus, WarmThroughput,
};

pub(super) fn facts(table: TableDescription, mut features: Features) -> Result<TableFacts, Error> {
    let named = table.table_name.as_deref().unwrap_or("a table").to_owned();
    let lacks = |what: &str| about(&named, format!("the description has no {what}"));
    let wrong = |error: septet_registry::NameError| about(&named, error.to_string());
    let attribute = |kind: SdkKeyKind| key_attributes(&table, table.key_schema(), &kind)?.into_iter().next();
    let indexes = indexes(&table, &mut features.warnings);
    let on_demand = table.billing_mode_summary().and_then(|summary| summary.billing_mode())
        == Some(&BillingMode::PayPerRequest);
    let reads = match on_demand {
        true => reads(None, table.on_demand_throughput()),
        false => reads(table.provisioned_throughput(), table.on_demand_throughput()),
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
        warm: table.warm_throughput.and_then(|warm| {
            Some(WarmThroughput {
                reads: u64::try_from(warm.read_units_per_second?).ok()?,
                writes: u64::try_from(warm.write_units_per_second?).ok()?,
                active: warm.status.is_none_or(|status| status == SdkTableStatus::Active),
            })
        }),
        indexes,
        reads,
        features,
    })
}

/// Collects the attributes of one kind in a key schema; none if one has no type that is known.
fn key_attributes(
    table: &TableDescription,
    schema: &[KeySchemaElement],
    kind: &SdkKeyKind,
) -> Option<Vec<KeyAttribute>> {
    let names = schema.iter().filter(|key| key.key_type() == kind).map(KeySchemaElement::attribute_name);
    names
        .map(|name| {
            let definition = table.attribute_definitions().iter().find(|one| one.attribute_name() == name)?;
            let kind = match definition.attribute_type() {
                ScalarAttributeType::S => KeyType::S,
                ScalarAttributeType::N => KeyType::N,
                ScalarAttributeType::B => KeyType::B,
                _ => return None,
            };
            Some(KeyAttribute { name: name.into(), kind })
        })
        .collect()
}

/// Collects the indexes by name. One whose keys are not understood is left out with a warning.
fn indexes(table: &TableDescription, warnings: &mut Vec<String>) -> Vec<Index> {
    let keys = |schema: &[KeySchemaElement]| {
        let partition = key_attributes(table, schema, &SdkKeyKind::Hash)?;
        let sort = key_attributes(table, schema, &SdkKeyKind::Range)?;
        (!partition.is_empty()).then_some(IndexKeys { partition, sort })
    };
    let named = |name: Option<&str>| name.unwrap_or_default().to_owned();
    let local = table.local_secondary_indexes().iter().map(|index| {
        let keys = keys(index.key_schema());
        let index = Index {
            name: named(index.index_name()),
            kind: IndexKind::Local,
            projection: projection(index.projection()),
            ..Index::default()
        };
        (index, keys)
    });
    let global = table.global_secondary_indexes().iter();
    let global = global.filter(|index| index.index_status() != Some(&IndexStatus::Deleting)).map(|index| {
        let keys = keys(index.key_schema());
        let index = Index {
            name: named(index.index_name()),
            kind: IndexKind::Global,
            projection: projection(index.projection()),
            reads: reads(index.provisioned_throughput(), index.on_demand_throughput()),
            // An index whose settings are being changed goes on answering.
            active: matches!(index.index_status(), Some(IndexStatus::Active | IndexStatus::Updating)),
            backfilling: index.backfilling().unwrap_or(false),
            ..Index::default()
        };
        (index, keys)
    });
    let mut indexes = Vec::new();
    for (index, keys) in local.chain(global) {
        match keys {
            Some(keys) => indexes.push(Index { keys, ..index }),
            None => warnings.push(format!(
                "the keys of the index {} are of a kind that this Septet does not know, so it takes the index for \
                 missing; install a Septet that knows them",
                index.name
            )),
        }
    }
    indexes.sort_by(|one, other| one.name.cmp(&other.name));
    indexes
}

fn projection(projection: Option<&SdkProjection>) -> Projection {
    let Some(projection) = projection else { return Projection::default() };
    let kind = projection.projection_type().map(|kind| ProjectionType::from(kind.as_str().to_owned()));
    let mut included = projection.non_key_attributes().to_vec();
    included.sort();
    Projection { kind: kind.unwrap_or_default(), included }
}

/// Reads the limits of a table or an index. DynamoDB shows a capacity of zero where it bills on demand, and a
/// maximum of -1 for none.
fn reads(
    provisioned: Option<&ProvisionedThroughputDescription>,
    on_demand: Option<&OnDemandThroughput>,
) -> ReadLimits {
    let units = |units: i64| u64::try_from(units).ok().filter(|units| *units > 0);
    ReadLimits {
        provisioned: provisioned.and_then(|throughput| throughput.read_capacity_units()).and_then(units),
        maximum: on_demand.and_then(|throughput| throughput.max_read_request_units()).and_then(units),
    }
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
        let facts = facts(description().build(), Features::default()).unwrap();
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
            let error = facts(lacking.build(), Features::default()).unwrap_err();
            assert!(error.to_string().ends_with(&format!("no {what}")), "{error}");
        }
    }
}
