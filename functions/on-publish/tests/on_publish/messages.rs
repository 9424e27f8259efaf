//! What arrives and how it is read.

use std::collections::BTreeMap;

use on_publish::{Ask, Cause, Change, Input, Letter, Record};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{TABLE, name, record, start};

fn ask(value: Value) -> Result<Ask, String> {
    Ask::from_json(value).map_err(|error| format!("{}: {error}", error.kind()))
}

fn short(asked: Result<Ask, String>) -> String {
    match asked {
        Ok(Ask::Look { table, cause: Cause::Record { call, change, who, .. } }) => {
            format!("{call} {table} {change:?} by {}", who.as_deref().unwrap_or("?"))
        }
        Ok(Ask::Look { table, cause: Cause::Signal(signal) }) => {
            format!("signal {table} {:?} by {:?}", signal.items, signal.by)
        }
        Ok(Ask::Look { table, cause: Cause::Reminder { reason } }) => format!("reminder {table}: {reason}"),
        Ok(Ask::Read { table, segment }) => format!("read part {} of {table}", segment.part),
        Ok(Ask::Nothing { table, reason }) => {
            format!("nothing about {}: {reason}", table.map(|table| table.to_string()).unwrap_or_default())
        }
        Err(error) => error,
    }
}

/// Every sample: as it is, or, if it is a bare record, in the event that would carry it.
fn samples() -> BTreeMap<String, Value> {
    let here = env!("CARGO_MANIFEST_DIR");
    let mut samples = BTreeMap::new();
    for folder in [format!("{here}/../../events"), format!("{here}/tests/records")] {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let value: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
                let value = match value.get("eventName") {
                    Some(_) => json!({"source": "aws.dynamodb",
                        "detail-type": "AWS API Call via CloudTrail", "detail": value}),
                    None => value,
                };
                samples.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), value);
            }
        }
    }
    samples
}

#[test]
fn every_sample_is_read_as_what_it_is() {
    let mut seen = BTreeMap::new();
    for (sample, value) in samples() {
        let shown = match Input::from_json(value) {
            Ok(Input::Batch(batch)) => {
                let bodies = batch.records.iter().map(|message| {
                    let letter = Letter::from_queue(message, start());
                    let asked = Ask::from_body(&letter.body).map_err(|error| error.to_string());
                    format!("{} sent {}", short(asked), letter.sent_at)
                });
                format!("batch of {}", bodies.collect::<Vec<_>>().join(" and "))
            }
            Ok(Input::Single(value)) => short(ask(value)),
            Err(error) => error.to_string(),
        };
        seen.insert(sample, shown);
    }
    insta::assert_json_snapshot!(seen);
}

#[test]
fn the_table_is_found_wherever_a_call_names_it() {
    let arn = format!("arn:aws:dynamodb:eu-west-1:333333333333:table/{TABLE}");
    let table = |call: &str, detail: Value| {
        let mut whole = json!({"eventName": call});
        whole.as_object_mut().unwrap().extend(detail.as_object().unwrap().clone());
        Record::from_detail(&whole).unwrap().table
    };
    for (call, detail) in [
        ("CreateTable", json!({"requestParameters": {"tableName": TABLE}})),
        ("CreateTable", json!({"requestParameters": {"tableName": arn}})),
        (
            "CreateTable",
            json!({"requestParameters": null,
            "responseElements": {"tableDescription": {"tableName": TABLE}}}),
        ),
        (
            "CreateTable",
            json!({"resources": [{"ARN": "arn:aws:s3:::b"},
            {"type": "AWS::DynamoDB::Table", "ARN": arn}]}),
        ),
        ("DeleteTable", json!({"requestParameters": {"tableName": arn}})),
        ("ImportTable", json!({"requestParameters": {"tableCreationParameters": {"tableName": TABLE}}})),
        ("ImportTable", json!({"responseElements": {"importTableDescription": {"tableArn": arn}}})),
        (
            "RestoreTableFromBackup",
            json!({"requestParameters": {"targetTableName": TABLE,
            "backupArn": "arn:aws:dynamodb:eu-west-1:333333333333:table/other/backup/1"}}),
        ),
        (
            "RestoreTableToPointInTime",
            json!({"requestParameters": {"targetTableName": TABLE,
            "sourceTableName": "other"}}),
        ),
        ("TagResource", json!({"requestParameters": {"resourceArn": arn}})),
    ] {
        assert_eq!(table(call, detail.clone()).map(|table| table.name), Some(name(TABLE)), "{call} {detail}");
    }
    let restored = json!({"resources": [{"ARN": arn}]});
    assert_eq!(table("RestoreTableFromBackup", restored), None, "the resource is what it was restored from");
}

#[test]
fn who_made_a_call_is_told_as_far_as_the_record_says() {
    let who = |identity: Value| {
        Record::from_detail(&json!({"eventName": "CreateTable", "userIdentity": identity})).unwrap().who
    };
    let issuer = json!({"sessionIssuer": {"arn": "arn:aws:iam::1:role/job"}});
    assert_eq!(
        who(json!({"principalId": "AROA1:nightly", "arn": "arn:sts", "sessionContext": issuer})).unwrap(),
        "arn:aws:iam::1:role/job (nightly)"
    );
    let empty = json!({"sessionIssuer": {}});
    let user = json!({"principalId": "AIDA1", "arn": "arn:aws:iam::1:user/mary", "sessionContext": empty});
    assert_eq!(who(user).unwrap(), "arn:aws:iam::1:user/mary");
    assert_eq!(who(json!({"invokedBy": "backup.amazonaws.com"})).unwrap(), "backup.amazonaws.com");
    assert_eq!(who(json!({"type": "Root"})), None);
}

#[test]
fn a_failed_call_asks_for_nothing_and_says_why() {
    let mut failed = record("CreateTable", TABLE);
    failed["detail"]["errorCode"] = "AccessDenied".into();
    failed["detail"]["errorMessage"] = "not authorized".into();
    failed["detail"]["requestParameters"] = Value::Null;
    assert_eq!(short(ask(failed)), "nothing about : CreateTable failed: AccessDenied: not authorized");
}

#[test]
fn what_cannot_be_read_is_refused_by_the_name_of_its_field() {
    for (value, expected) in [
        (json!(7), "Message.Malformed: read the message: it is no JSON object"),
        (json!({}), "needs the field `table` (a signal) or `look_at` (a reminder)"),
        (json!({"table": "recs", "rows": 7}), "unknown field `rows`"),
        (json!({"source": "my.app", "detail-type": "Ready", "detail": {}}), "`source` is \"my.app\""),
        (
            json!({"source": "aws.dynamodb", "detail-type": "AWS API Call via CloudTrail", "detail": "{}"}),
            "`detail.eventName` is missing",
        ),
        (
            json!({"source": "aws.dynamodb", "detail-type": "AWS API Call via CloudTrail",
                "detail": {"eventName": "CreateTable", "eventID": "e-7", "requestParameters": null}}),
            "the CloudTrail record e-7 of CreateTable: it names no table in `requestParameters`",
        ),
    ] {
        let error = ask(value.clone()).unwrap_err();
        assert!(error.contains(expected), "{value}: {error}");
    }
    assert_eq!(Ask::from_body("recs is ready").unwrap_err().kind(), "Message.Malformed");
}

#[test]
fn a_message_that_was_put_back_knows_how_often_and_when_it_was_sent_first() {
    let message = json!({"body": "{}", "attributes": {"SentTimestamp": "1763604600000"}, "messageAttributes": {
        "septet.hops": {"dataType": "Number", "stringValue": "3"},
        "septet.sent_at": {"dataType": "Number", "stringValue": "1763604000000"}}});
    let letter = Letter::from_queue(&serde_json::from_value(message).unwrap(), start());
    assert_eq!((letter.hops, letter.sent_at.as_millisecond()), (3, 1_763_604_000_000));
    let fresh = json!({"body": "{}", "attributes": {"SentTimestamp": "1763604600000"}});
    let letter = Letter::from_queue(&serde_json::from_value(fresh).unwrap(), start());
    assert_eq!((letter.hops, letter.sent_at.as_millisecond()), (0, 1_763_604_600_000));
}

#[test]
fn a_change_that_is_no_change_of_tables_is_none() {
    for call in ["UpdateTable", "PutResourcePolicy", "StartBulkPutItems", "DescribeTable"] {
        assert_eq!(Record::from_detail(&json!({"eventName": call})).unwrap().change, None, "{call}");
    }
    for (call, change) in [("ImportTable", Change::Appeared), ("DeleteTable", Change::Vanished)] {
        assert_eq!(Record::from_detail(&json!({"eventName": call})).unwrap().change, Some(change));
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just(TABLE.to_owned()), Just("arn:aws:dynamodb:::table/".to_owned()), ".{0,12}"]
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any_key(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The names that are looked for, and others.
fn any_key() -> impl Strategy<Value = String> {
    let known = [
        "Records",
        "body",
        "messageId",
        "attributes",
        "messageAttributes",
        "detail",
        "detail-type",
        "source",
        "eventName",
        "errorCode",
        "requestParameters",
        "responseElements",
        "tableName",
        "targetTableName",
        "tableCreationParameters",
        "tableDescription",
        "tableArn",
        "resources",
        "ARN",
        "userIdentity",
        "sessionContext",
        "sessionIssuer",
        "arn",
        "principalId",
        "table",
        "items",
        "look_at",
        "reason",
    ];
    prop_oneof![8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => ".{0,6}"]
}

/// A true record with one place replaced by anything.
fn damaged_record() -> impl Strategy<Value = Value> {
    let calls = ["CreateTable", "ImportTable", "RestoreTableFromBackup", "DeleteTable", "TagResource"];
    let places = [
        "/detail",
        "/detail/eventName",
        "/detail/requestParameters",
        "/detail/userIdentity",
        "/detail/userIdentity/sessionContext",
        "/detail/responseElements",
        "/source",
        "/detail-type",
    ];
    (prop::sample::select(calls.to_vec()), prop::sample::select(places.to_vec()), any_json()).prop_map(
        |(call, place, anything)| {
            let mut record = record(call, TABLE);
            *record.pointer_mut(place).unwrap() = anything;
            record
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn no_json_makes_the_parser_panic(value in prop_oneof![any_json(), damaged_record()]) {
        match Input::from_json(value.clone()) {
            Ok(Input::Batch(batch)) => {
                for message in &batch.records {
                    let _ = Ask::from_body(&Letter::from_queue(message, start()).body);
                }
            }
            Ok(Input::Single(value)) => match Ask::from_json(value.clone()) {
                Ok(Ask::Look { table, .. }) => prop_assert!(value.to_string().contains(table.name.as_str())),
                Ok(Ask::Read { table, .. }) => prop_assert!(value.to_string().contains(table.as_str())),
                Ok(Ask::Nothing { reason, .. }) => prop_assert!(!reason.is_empty()),
                Err(error) => prop_assert!(!error.is_retryable(), "{error}"),
            },
            Err(error) => prop_assert!(value.get("Records").is_some(), "{error}"),
        }
    }
}
