//! Features of a table, and which of them make a promise impossible.
//!
//! [`MEMBERS`] decides on every member of a table's description that AWS documents. It reads the description as
//! DynamoDB sent it, because the SDK drops the members that it does not know: DynamoDB gains features earlier than
//! Septet gains a newer SDK.
//!
//! DescribeTable does not show everything: the replicas of global tables of version 2017.11.29, expiry (see
//! [`Tables::ttl`]), Kinesis destinations and scaling policies.
//!
//! [`Tables::ttl`]: crate::Tables::ttl

use serde::Serialize;
use serde_json::{Map, Value};

use Finding::{Harmless, Refused, Warned};
use Member::{Fact, Judged};

/// Features of a table that matter to publishing it. Each text names the feature and the remedy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Features {
    /// Features that make a promise impossible: a table that has one is never sealed.
    pub refused: Vec<String>,
    /// Features that Septet does not cover, or does not know.
    pub warnings: Vec<String>,
}

/// Decision about a member of a table's description.
enum Member {
    /// No promise depends on it, or it is read as a fact of the table.
    Fact,
    /// Its value decides.
    Judged(fn(&Value) -> Finding),
}

enum Finding {
    Harmless,
    Refused(String),
    Warned(String),
}

/// Every member of `TableDescription` that AWS documents, and one that DynamoDB sends without documenting it.
const MEMBERS: [(&str, Member); 31] = [
    ("ArchivalSummary", Judged(archival)),
    ("AttributeDefinitions", Fact),
    ("BillingModeSummary", Fact),
    ("CreationDateTime", Fact),
    ("DeletionProtectionEnabled", Fact),
    // A setting of replicas; `Replicas` decides.
    ("DisassociationProtectionEnabled", Fact),
    ("GlobalSecondaryIndexes", Fact),
    ("GlobalTableSettingsReplicationMode", Judged(settings_replication)),
    ("GlobalTableVersion", Judged(global_table_version)),
    ("GlobalTableWitnesses", Judged(witnesses)),
    ("ItemCount", Fact),
    ("KeySchema", Fact),
    ("LatestStreamArn", Fact),
    ("LatestStreamLabel", Fact),
    ("LocalSecondaryIndexes", Fact),
    ("MultiRegionConsistency", Judged(consistency)),
    ("OnDemandThroughput", Fact),
    ("ProvisionedThroughput", Fact),
    ("Replicas", Judged(replicas)),
    ("RestoreSummary", Judged(restore)),
    ("SSEDescription", Judged(encryption)),
    // A stream shows writes and makes none.
    ("StreamSpecification", Fact),
    ("TableArn", Fact),
    ("TableClassSummary", Fact),
    ("TableId", Fact),
    ("TableName", Fact),
    ("TableSizeBytes", Fact),
    ("TableStatus", Judged(status)),
    // Undocumented: repeats the billing mode.
    ("TableThroughputModeSummary", Fact),
    ("VectorIndexes", Judged(vector_indexes)),
    ("WarmThroughput", Fact),
];

impl Features {
    /// Judges a table's description as DynamoDB sent it.
    pub(crate) fn of(description: &Map<String, Value>) -> Self {
        let mut features = Self::default();
        let set = description.iter().filter(|(_, value)| has_value(value));
        for (name, value) in set {
            let finding = match MEMBERS.iter().find(|(member, _)| member == name) {
                Some((_, Fact)) => Harmless,
                Some((_, Judged(judge))) => judge(value),
                None => Warned(format!(
                    "this Septet does not know {} and cannot say if it breaks a promise: look it up in the \
                     documentation of DescribeTable, and install a Septet that knows it",
                    shown(value)
                )),
            };
            match finding {
                Harmless => {}
                Refused(why) => features.refused.push(format!("{name}: {why}")),
                Warned(why) => features.warnings.push(format!("{name}: {why}")),
            }
        }
        features
    }
}

fn has_value(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => members.values().any(has_value),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// The beginning of a value that may be long.
fn shown(value: &Value) -> String {
    const MOST: usize = 120;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text,
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| shown(value), str::to_owned)
}

fn regions(value: &Value) -> String {
    let list = value.as_array().into_iter().flatten();
    let regions: Vec<_> = list.map(|one| text_of(&one["RegionName"])).collect();
    regions.join(", ")
}

const SINGLE_REGION: &str = "publish a table of one region, without replicas";

fn replicas(value: &Value) -> Finding {
    Refused(format!(
        "the table has replicas ({}), whose replication the seal would stop and to which it would not stop writes; \
         remove the replicas, or {SINGLE_REGION}",
        regions(value)
    ))
}

fn witnesses(value: &Value) -> Finding {
    Refused(format!(
        "the table is part of a global table with a witness ({}), whose replication the seal would stop; \
         {SINGLE_REGION}",
        regions(value)
    ))
}

fn global_table_version(value: &Value) -> Finding {
    match value.as_str() {
        // `Replicas` shows the replicas of this version.
        Some("2019.11.21") => Harmless,
        Some("2017.11.29") => Refused(format!(
            "the table is part of a global table of version 2017.11.29, whose replicas DescribeTable does not show \
             and whose replication the seal would stop; {SINGLE_REGION}"
        )),
        _ => Refused(format!(
            "this Septet does not know where global tables of version {} show their replicas, whose replication \
             the seal would stop; {SINGLE_REGION}, or install a Septet that knows the version",
            text_of(value)
        )),
    }
}

fn consistency(value: &Value) -> Finding {
    match value.as_str() {
        Some("EVENTUAL") => Harmless,
        Some("STRONG") => Refused(format!(
            "the table is part of a global table with strong consistency, which is lost when the seal stops its \
             replication; {SINGLE_REGION}"
        )),
        _ => Warned(format!(
            "this Septet does not know the consistency {} of global tables; {SINGLE_REGION}",
            text_of(value)
        )),
    }
}

fn settings_replication(value: &Value) -> Finding {
    match value.as_str() {
        Some("DISABLED") => Harmless,
        _ => Warned(format!(
            "{}: the table is set up to replicate its settings in a global table, which the seal prevents; \
             {SINGLE_REGION}",
            text_of(value)
        )),
    }
}

fn archival(value: &Value) -> Finding {
    Refused(format!(
        "DynamoDB archived the table ({}) and its items cannot be read; restore the backup {} to a new table and \
         publish that",
        text_of(&value["ArchivalReason"]),
        text_of(&value["ArchivalBackupArn"]),
    ))
}

fn encryption(value: &Value) -> Finding {
    match has_value(&value["InaccessibleEncryptionDateTime"]) {
        false => Harmless,
        true => Refused(format!(
            "DynamoDB cannot use the KMS key {} of the table, so its items cannot be read and DynamoDB archives the \
             table after seven days; enable the key and its grants",
            text_of(&value["KMSMasterKeyArn"]),
        )),
    }
}

fn status(value: &Value) -> Finding {
    match value.as_str() {
        Some("CREATING" | "UPDATING" | "ACTIVE" | "DELETING") => Harmless,
        Some("INACCESSIBLE_ENCRYPTION_CREDENTIALS") => Refused(
            "INACCESSIBLE_ENCRYPTION_CREDENTIALS: DynamoDB cannot use the KMS key of the table; enable the key and \
             its grants"
                .into(),
        ),
        Some("REPLICATION_NOT_AUTHORIZED") => Refused(format!(
            "REPLICATION_NOT_AUTHORIZED: a policy stops the replication of the table; take the denial out of its \
             resource policy, and {SINGLE_REGION}"
        )),
        Some(archived @ ("ARCHIVING" | "ARCHIVED")) => Refused(format!(
            "{archived}: the items of the table cannot be read; restore its backup to a new table and publish that"
        )),
        _ => Refused(format!(
            "this Septet does not know the status {}; publish the table when it is ACTIVE",
            text_of(value)
        )),
    }
}

fn restore(value: &Value) -> Finding {
    match value["RestoreInProgress"].as_bool() {
        Some(true) => Warned(
            "the table is still being restored and its items are not complete; publish it after the restore"
                .into(),
        ),
        _ => Harmless,
    }
}

fn vector_indexes(value: &Value) -> Finding {
    let names: Vec<_> =
        value.as_array().into_iter().flatten().map(|index| text_of(&index["IndexName"])).collect();
    Warned(format!(
        "Septet does not compare vector indexes ({}) between versions; see for yourself that readers keep those \
         that they search",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::TableDescription;
    use serde_json::json;

    use super::*;

    fn of(description: &Value) -> Features {
        Features::of(description.as_object().unwrap())
    }

    fn refused(member: &str, value: Value) -> String {
        let features = of(&json!({ member: value }));
        let [why] = features.refused.try_into().unwrap();
        assert_eq!(features.warnings, [""; 0]);
        assert!(why.starts_with(&format!("{member}: ")), "{why}");
        why
    }

    fn warned(member: &str, value: Value) -> String {
        let features = of(&json!({ member: value }));
        let [why] = features.warnings.try_into().unwrap();
        assert_eq!(features.refused, [""; 0]);
        assert!(why.starts_with(&format!("{member}: ")), "{why}");
        why
    }

    #[test]
    fn an_ordinary_table_has_no_feature_that_matters() {
        let ordinary = json!({
            "TableName": "recs-1", "TableStatus": "ACTIVE", "TableId": "0-1", "ItemCount": 0,
            "TableArn": "arn:aws:dynamodb:eu-west-1:111122223333:table/recs-1", "CreationDateTime": 1.5,
            "TableSizeBytes": 0, "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "TableThroughputModeSummary": {"TableThroughputMode": "PAY_PER_REQUEST"},
            "GlobalSecondaryIndexes": [{"IndexName": "by-day"}], "LocalSecondaryIndexes": [{"IndexName": "by-rank"}],
            "StreamSpecification": {"StreamEnabled": true}, "LatestStreamLabel": "x", "LatestStreamArn": "x",
            "SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:aws:kms:x"},
            "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
            "DeletionProtectionEnabled": true, "DisassociationProtectionEnabled": true,
            "OnDemandThroughput": {"MaxReadRequestUnits": 5}, "ProvisionedThroughput": {"ReadCapacityUnits": 0},
            "WarmThroughput": {"ReadUnitsPerSecond": 12000, "Status": "ACTIVE"},
            "RestoreSummary": {"RestoreInProgress": false, "RestoreDateTime": 1.0},
            "GlobalTableVersion": "2019.11.21", "MultiRegionConsistency": "EVENTUAL",
            "GlobalTableSettingsReplicationMode": "DISABLED",
            "Replicas": [], "GlobalTableWitnesses": null, "VectorIndexes": [],
            "ArchivalSummary": {"ArchivalReason": null},
            "Quux": null, "Frobs": [], "Frob": {"Of": {"A": []}},
        });
        assert_eq!(of(&ordinary), Features::default());
        for status in ["CREATING", "UPDATING", "DELETING"] {
            assert_eq!(of(&json!({"TableStatus": status})), Features::default(), "{status}");
        }
    }

    #[test]
    fn global_tables_are_refused_with_their_regions() {
        let replicas =
            json!([{"RegionName": "us-east-1", "ReplicaStatus": "ACTIVE"}, {"RegionName": "eu-west-2"}]);
        assert!(refused("Replicas", replicas).contains("(us-east-1, eu-west-2)"));
        let witness = json!([{"RegionName": "us-west-2", "WitnessStatus": "ACTIVE"}]);
        assert!(refused("GlobalTableWitnesses", witness).contains("(us-west-2)"));
        assert!(refused("GlobalTableVersion", json!("2017.11.29")).contains("does not show"));
        assert!(refused("GlobalTableVersion", json!("2031.01.01")).contains("2031.01.01"));
        assert!(refused("MultiRegionConsistency", json!("STRONG")).contains("strong consistency"));
        assert!(warned("MultiRegionConsistency", json!("WEAK")).contains("WEAK"));
        for mode in ["ENABLED", "ENABLED_WITH_OVERRIDES"] {
            assert!(warned("GlobalTableSettingsReplicationMode", json!(mode)).contains(mode));
        }
    }

    #[test]
    fn tables_that_cannot_be_read_are_refused_with_the_remedy() {
        let archived =
            json!({"ArchivalReason": "INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ArchivalBackupArn": "arn:b"});
        assert!(refused("ArchivalSummary", archived).contains("restore the backup arn:b"));
        let unusable =
            json!({"Status": "ENABLED", "KMSMasterKeyArn": "arn:k", "InaccessibleEncryptionDateTime": 1.0});
        assert!(refused("SSEDescription", unusable).contains("KMS key arn:k"));
        for status in [
            "INACCESSIBLE_ENCRYPTION_CREDENTIALS",
            "REPLICATION_NOT_AUTHORIZED",
            "ARCHIVING",
            "ARCHIVED",
            "FROZEN",
        ] {
            assert!(refused("TableStatus", json!(status)).contains(status));
        }
    }

    #[test]
    fn features_that_are_not_covered_or_not_known_are_warnings() {
        assert!(warned("RestoreSummary", json!({"RestoreInProgress": true})).contains("restored"));
        assert!(warned("VectorIndexes", json!([{"IndexName": "by-meaning"}])).contains("(by-meaning)"));
        assert!(warned("Quux", json!({"Enabled": true})).contains(r#"know {"Enabled":true} and"#));
        assert!(warned("Quux", json!("é".repeat(1000))).len() < 500);
        // A type that AWS does not document is no reason to fail.
        assert!(refused("Replicas", json!("somewhere")).contains("replicas"));
    }

    /// Field names of the SDK's type, as `SSEDescription` and its like spell them.
    fn sdk_members() -> Vec<String> {
        let shown = format!("{:#?}", TableDescription::builder().build());
        let fields = shown.lines().filter_map(|line| line.strip_suffix(": None,"));
        let pascal = |word: &str| match word {
            "sse" => "SSE".to_owned(),
            word => word[..1].to_uppercase() + &word[1..],
        };
        fields.map(|field| field.trim().split('_').map(pascal).collect()).collect()
    }

    #[test]
    fn every_member_that_the_sdk_knows_is_listed() {
        let mut known = sdk_members();
        assert!(known.len() >= 30, "{known:?}");
        known.push("TableThroughputModeSummary".into());
        known.sort();
        assert_eq!(MEMBERS.map(|(name, _)| name).to_vec(), known);
    }
}
