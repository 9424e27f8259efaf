//! Features, indexes and limits of tables as DescribeTable shows them.

use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType as SdkKeyKind,
    LocalSecondaryIndex, OnDemandThroughput, Projection as SdkProjection,
    ProjectionType as SdkProjectionType, ProvisionedThroughput, ScalarAttributeType,
};
use septet_emulator::Emulator;
use septet_tables::{
    Features, Index, IndexKeys, IndexKind, KeyAttribute, KeyType, Projection, ProjectionType, ReadLimits,
    Sealing,
};
use serde_json::json;

use crate::support::{NONE, PATIENCE, TABLE, facts, seal_id, sealed, tables, with_table};

fn key(name: &str, kind: SdkKeyKind) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
}

fn definition(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
}

fn with_indexes(create: CreateTableFluentBuilder) -> CreateTableFluentBuilder {
    let included = SdkProjection::builder().projection_type(SdkProjectionType::Include);
    let local = LocalSecondaryIndex::builder().index_name("by-rank").key_schema(key("id", SdkKeyKind::Hash));
    let local = local.key_schema(key("rank", SdkKeyKind::Range));
    let local = local.projection(included.non_key_attributes("b").non_key_attributes("a").build());
    let all = SdkProjection::builder().projection_type(SdkProjectionType::All).build();
    let global =
        GlobalSecondaryIndex::builder().index_name("by-day").key_schema(key("day", SdkKeyKind::Hash));
    create
        .attribute_definitions(definition("rank", ScalarAttributeType::N))
        .attribute_definitions(definition("day", ScalarAttributeType::S))
        .local_secondary_indexes(local.build().unwrap())
        .global_secondary_indexes(global.projection(all).build().unwrap())
}

fn attribute(name: &str, kind: KeyType) -> KeyAttribute {
    KeyAttribute { name: name.into(), kind }
}

#[tokio::test]
async fn indexes_are_described_by_name() {
    let emulator = Emulator::start().await;
    emulator.create_table_with(TABLE, &[("id", "S"), ("slot", "N")], with_indexes).await;
    let facts = facts(&emulator).await;
    assert_eq!(facts.features, Features::default());
    let by_day = Index {
        name: "by-day".into(),
        kind: IndexKind::Global,
        keys: IndexKeys { partition: vec![attribute("day", KeyType::S)], sort: vec![] },
        projection: Projection { kind: ProjectionType::All, included: vec![] },
        ..Index::default()
    };
    let by_rank = Index {
        name: "by-rank".into(),
        kind: IndexKind::Local,
        keys: IndexKeys {
            partition: vec![attribute("id", KeyType::S)],
            sort: vec![attribute("rank", KeyType::N)],
        },
        projection: Projection { kind: ProjectionType::Include, included: vec!["a".into(), "b".into()] },
        ..Index::default()
    };
    assert_eq!(facts.indexes, [by_day, by_rank]);
    let offers = facts.offers();
    assert_eq!(
        (&offers.keys, &offers.indexes, offers.reads),
        (&Some(facts.keys), &facts.indexes, facts.reads)
    );
}

#[tokio::test]
async fn the_state_of_an_index_is_described() {
    let emulator = with_table().await;
    let definitions = json!([{"AttributeName": "id", "AttributeType": "S"}]);
    for (status, backfilling, expected) in [
        ("ACTIVE", None, Some((true, false))),
        ("UPDATING", None, Some((true, false))),
        ("CREATING", None, Some((false, false))),
        ("CREATING", Some(true), Some((false, true))),
        ("DELETING", None, None),
        ("FROZEN", None, Some((false, false))),
    ] {
        let index = json!({"IndexName": "by-id", "IndexStatus": status, "Backfilling": backfilling,
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "SOME"}, "OnDemandThroughput": {"MaxReadRequestUnits": 7},
            "ProvisionedThroughput": {"ReadCapacityUnits": 0}});
        let members = json!({"GlobalSecondaryIndexes": [index], "AttributeDefinitions": definitions});
        emulator.set_description(TABLE, members);
        let indexes = facts(&emulator).await.indexes;
        let state = indexes.first().map(|index| (index.active, index.backfilling));
        assert_eq!(state, expected, "{status}");
        for index in indexes {
            assert_eq!(index.projection.kind, ProjectionType::Other("SOME".into()));
            assert_eq!(index.reads, ReadLimits { provisioned: None, maximum: Some(7) });
        }
    }
}

#[tokio::test]
async fn an_index_with_keys_of_a_kind_that_is_not_known_is_left_out_with_a_warning() {
    let emulator = with_table().await;
    let schema = |name: &str| json!([{"AttributeName": name, "KeyType": "HASH"}]);
    let index = |name: &str, schema| json!({"IndexName": name, "IndexStatus": "ACTIVE", "KeySchema": schema});
    let indexes = [index("by-place", schema("place")), index("by-id", schema("id"))];
    let definitions = json!([{"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "place", "AttributeType": "GEO"}]);
    let members = json!({"GlobalSecondaryIndexes": indexes, "AttributeDefinitions": definitions});
    emulator.set_description(TABLE, members);
    let facts = facts(&emulator).await;
    assert_eq!(facts.indexes.iter().map(|index| index.name.as_str()).collect::<Vec<_>>(), ["by-id"]);
    let [warning] = facts.features.warnings.try_into().unwrap();
    assert!(warning.contains("index by-place"), "{warning}");
}

#[tokio::test]
async fn read_limits_follow_the_billing() {
    let provisioned = |create: CreateTableFluentBuilder| {
        let throughput = ProvisionedThroughput::builder().read_capacity_units(5).write_capacity_units(6);
        let throughput = throughput.build().unwrap();
        create.billing_mode(BillingMode::Provisioned).provisioned_throughput(throughput)
    };
    let limited = |create: CreateTableFluentBuilder| {
        create.on_demand_throughput(OnDemandThroughput::builder().max_read_request_units(9).build())
    };
    let limits = |provisioned, maximum| ReadLimits { provisioned, maximum };
    type Create = fn(CreateTableFluentBuilder) -> CreateTableFluentBuilder;
    let cases: [(Create, ReadLimits); 3] = [
        (provisioned, limits(Some(5), None)),
        (limited, limits(None, Some(9))),
        (|create| create, limits(None, None)),
    ];
    for (create, expected) in cases {
        let emulator = Emulator::start().await;
        emulator.create_table_with(TABLE, &[("id", "S")], create).await;
        assert_eq!(facts(&emulator).await.reads, expected);
    }
    let emulator = with_table().await;
    emulator.set_description(TABLE, json!({"OnDemandThroughput": {"MaxReadRequestUnits": -1}}));
    assert_eq!(facts(&emulator).await.reads, limits(None, None));
    // Tables that were never on demand have no summary.
    let capacity = json!({"ReadCapacityUnits": 3, "WriteCapacityUnits": 1});
    emulator.set_description(TABLE, json!({"BillingModeSummary": null, "ProvisionedThroughput": capacity}));
    assert_eq!(facts(&emulator).await.reads, limits(Some(3), None));
    // DynamoDB may go on showing the capacity of a table that went on demand.
    emulator.set_description(TABLE, json!({"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}));
    assert_eq!(facts(&emulator).await.reads, limits(None, None));
}

#[tokio::test]
async fn members_that_the_sdk_does_not_know_are_seen() {
    let emulator = with_table().await;
    assert_eq!(facts(&emulator).await.features, Features::default());
    emulator.set_description(TABLE, json!({"TimeTravel": {"Enabled": true}}));
    emulator.set_replicas(TABLE, &["eu-west-1"]);
    let Features { refused, warnings } = facts(&emulator).await.features;
    assert!(warnings.len() == 1 && warnings[0].starts_with("TimeTravel: "), "{warnings:?}");
    assert!(refused.len() == 1 && refused[0].contains("(eu-west-1)"), "{refused:?}");
}

#[tokio::test]
async fn a_table_with_replicas_is_not_sealed_and_one_that_is_sealed_is_still_proved() {
    let emulator = with_table().await;
    let before = facts(&emulator).await;
    // They came after the look.
    emulator.set_replicas(TABLE, &["eu-west-1"]);
    emulator.clear_calls();
    let sealing = tables(&emulator).seal(&before, &seal_id(), PATIENCE).await.unwrap();
    let Sealing::Refused { why } = sealing else { panic!("{sealing:?}") };
    assert!(why.len() == 1 && why[0].starts_with("Replicas: "), "{why:?}");
    assert_eq!((emulator.resource_policy(TABLE), emulator.count("UpdateTable")), (None, 0));

    let emulator = with_table().await;
    let before = sealed(&emulator).await;
    emulator.set_replicas(TABLE, &["eu-west-1"]);
    let sealing = tables(&emulator).seal(&before, &seal_id(), NONE).await.unwrap();
    assert!(matches!(&sealing, Sealing::Sealed(seal) if !seal.changed), "{sealing:?}");
}
