use septet_registry::TableId;

use super::*;
use crate::{KeyAttribute, KeyType, Keys, TableStatus};

fn facts() -> TableFacts {
    TableFacts {
        name: TableName::parse("recs-1").unwrap(),
        arn: "arn:aws:dynamodb:eu-west-1:111122223333:table/recs-1".into(),
        id: TableId::parse("id").unwrap(),
        status: TableStatus::Active,
        keys: Keys { partition: KeyAttribute { name: "id".into(), kind: KeyType::S }, sort: None },
        created_at: jiff::Timestamp::UNIX_EPOCH,
        deletion_protected: true,
        warm: None,
        indexes: Vec::new(),
        reads: crate::ReadLimits::default(),
        features: crate::Features::default(),
    }
}

fn id() -> SealId {
    SealId::parse("0123456789abcdef0123456789abcdef").unwrap()
}

/// The policy that is to be put.
fn planned(existing: Option<&str>) -> String {
    match policy().plan(&facts(), existing, &id()).unwrap() {
        Plan::Put(text) => text,
        other => panic!("{other:?}"),
    }
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{name}")
}

fn policy() -> SealPolicy {
    SealPolicy::new([role("prune"), role("on-publish")]).unwrap()
}

#[test]
fn writes_are_denied_to_everybody_and_changes_to_all_but_the_roles() {
    let text = planned(None);
    let document: Value = serde_json::from_str(&text).unwrap();
    let [items, settings, table, id] = document["Statement"].as_array().unwrap().as_slice() else { panic!() };
    for statement in [items, settings, table, id] {
        assert_eq!((&statement["Effect"], &statement["Principal"]), (&json!("Deny"), &json!("*")));
        assert_eq!(statement["Resource"], facts().arn);
    }
    assert_eq!(items["Condition"], Value::Null);
    for action in [
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "BatchWriteItem",
        "PartiQLInsert",
        "PartiQLUpdate",
        "PartiQLDelete",
        "UpdateTimeToLive",
    ] {
        let action = json!(format!("dynamodb:{action}"));
        assert!(items["Action"].as_array().unwrap().contains(&action), "{action}");
    }
    let spared = |statement: &Value| statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"].clone();
    assert_eq!(spared(table), json!([role("on-publish"), role("prune")]));
    assert_eq!(
        table["Action"],
        json!(["dynamodb:DeleteTable", "dynamodb:PutResourcePolicy", "dynamodb:DeleteResourcePolicy"])
    );
    assert_eq!(settings["Action"], json!(["dynamodb:UpdateTable"]));
    assert_eq!(
        spared(settings)[2],
        "arn:aws:iam::111122223333:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/\
         AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
    );
}

#[test]
fn statements_of_others_stay_and_ours_are_replaced() {
    let theirs = json!({"Sid": "Readers", "Effect": "Allow", "Principal": {"AWS": "444455556666"},
        "Action": "dynamodb:GetItem", "Resource": facts().arn});
    let old =
        json!({"Sid": "SeptetSealOld", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
    for statements in [json!([old, theirs]), theirs.clone()] {
        let existing = json!({"Version": "2012-10-17", "Id": "x", "Statement": statements}).to_string();
        let text = planned(Some(&existing));
        let document: Value = serde_json::from_str(&text).unwrap();
        let sids: Vec<_> = document["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["Sid"].as_str().unwrap())
            .collect();
        let id = format!("SeptetSealId{}", id());
        assert_eq!(sids, ["Readers", "SeptetSealItems", "SeptetSealSettings", "SeptetSealTable", &id]);
        assert_eq!(document["Statement"][0], theirs);
        assert_eq!(document["Id"], "x");
        assert_eq!(policy().plan(&facts(), Some(&text), &super::tests::id()).unwrap(), Plan::Stands);
    }
}

#[test]
fn another_way_to_write_the_same_is_no_flaw() {
    let text = planned(None);
    let mut document: Value = serde_json::from_str(&text).unwrap();
    for statement in document["Statement"].as_array_mut().unwrap() {
        statement["Principal"] = json!({"AWS": ["*"]});
        statement["Resource"] = json!([statement["Resource"]]);
        if let Some(actions) = statement["Action"].as_array_mut() {
            actions.reverse();
        }
    }
    document["Statement"][1]["Action"] = json!("dynamodb:UpdateTable");
    document["Statement"][3]["Action"] = json!(["dynamodb:UpdateTimeToLive"]);
    assert_eq!(policy().flaws(&facts(), Some(&document.to_string()), Some(&id())).unwrap(), []);
}

#[test]
fn the_three_statements_are_those_of_0_1_0() {
    let sample = include_str!("../../tests/tables/release-0.1.0-policy.json");
    let roles = ["arn:aws:iam::000000000000:role/septet-test", "arn:aws:iam::000000000000:role/septet-prune"];
    let policy = SealPolicy::new(roles).unwrap();
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/recs-2026-11-21";
    let facts = TableFacts { arn: arn.into(), ..facts() };
    let release: Value = serde_json::from_str(sample).unwrap();
    assert_eq!(policy.flaws(&facts, Some(sample), None).unwrap(), []);
    assert_eq!(policy.mark(&facts, Some(sample)).unwrap(), SealMark::WithoutId { intact: true });

    let Plan::Put(text) = policy.plan(&facts, None, &id()).unwrap() else { panic!() };
    let today: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(policy.mark(&facts, Some(&text)).unwrap(), SealMark::Id(id()));
    // Each statement of 0.1.0 once, as it was, and one more that its check does not look at.
    let today = today["Statement"].as_array().unwrap();
    let three = release["Statement"].as_array().unwrap();
    assert_eq!((&today[..3], today.len()), (&three[..], 4));
    assert!(three.iter().all(|one| one["Sid"] != today[3]["Sid"]));
    assert_eq!(policy.flaws(&facts, Some(&text), None).unwrap(), []);
}

#[test]
fn the_id_is_a_flaw_only_to_callers_that_know_it() {
    let other = SealId::parse("f".repeat(32)).unwrap();
    let text = planned(None);
    let flaws = |id: Option<&SealId>, change: fn(&mut Value)| {
        let mut document: Value = serde_json::from_str(&text).unwrap();
        change(&mut document);
        policy().flaws(&facts(), Some(&document.to_string()), id).unwrap()
    };
    let sid = format!("SeptetSealId{}", id());
    let drop_id: fn(&mut Value) = |d| drop(d["Statement"].as_array_mut().unwrap().pop());
    let weaken: fn(&mut Value) = |d| d["Statement"][3]["Effect"] = json!("Allow");
    assert_eq!(flaws(Some(&id()), |_| ()), []);
    assert_eq!(flaws(Some(&id()), drop_id), [Flaw::StatementMissing { sid: sid.clone() }]);
    assert_eq!(flaws(Some(&id()), weaken), [Flaw::StatementChanged { sid }]);
    assert_eq!(flaws(Some(&other), |_| ()), [Flaw::ForeignSeal { id: Some(id()) }]);
    for change in [drop_id, weaken] {
        assert_eq!(flaws(None, change), []);
    }
}

#[test]
fn a_seal_of_other_roles_than_ours_may_be_deleted_and_a_wide_one_not() {
    let text = planned(None);
    let kept = |role: &str| {
        let text = text.replace(&super::tests::role("prune"), role);
        SealPolicy::refuse_deletion(&facts(), Some(&text), &id()).unwrap()
    };
    assert_eq!(kept(&role("prune")), None);
    assert_eq!(kept(&role("a-former-prune")), None);
    let because = kept("arn:aws:iam::111122223333:role/*");
    assert!(matches!(because, Some(KeptBecause::NotSealed { .. })), "{because:?}");
}

#[test]
fn whatever_weakens_the_seal_is_a_flaw() {
    let text = planned(None);
    let sound: Value = serde_json::from_str(&text).unwrap();
    let flaws = |change: fn(&mut Value)| {
        let mut document = sound.clone();
        change(&mut document);
        policy().flaws(&facts(), Some(&document.to_string()), Some(&id())).unwrap()
    };
    let changed = |sid: &str| vec![Flaw::StatementChanged { sid: sid.into() }];
    assert_eq!(flaws(|_| ()), []);
    assert_eq!(flaws(|d| d["Statement"][0]["Effect"] = json!("Allow")), changed("SeptetSealItems"));
    assert_eq!(flaws(|d| d["Statement"][0]["Action"] = json!([])), changed("SeptetSealItems"));
    assert_eq!(flaws(|d| d["Statement"][0]["Resource"] = json!("x")), changed("SeptetSealItems"));
    assert_eq!(
        flaws(|d| d["Statement"][0]["Condition"] = json!({"Bool": {"a": "b"}})),
        changed("SeptetSealItems")
    );
    assert_eq!(
        flaws(|d| d["Statement"][1]["Principal"] = json!({"AWS": "1"})),
        changed("SeptetSealSettings")
    );
    assert_eq!(
        flaws(|d| d["Statement"][2]["Condition"]["ArnNotLike"]["aws:PrincipalArn"] = json!(["arn:*"])),
        changed("SeptetSealTable")
    );
    assert_eq!(
        flaws(|d| drop(d["Statement"].as_array_mut().unwrap().remove(0))),
        [Flaw::StatementMissing { sid: "SeptetSealItems".into() }]
    );
    assert_eq!(policy().flaws(&facts(), None, Some(&id())).unwrap().len(), 4);
}

#[test]
fn who_does_not_know_the_roles_takes_those_that_the_seal_spares_and_no_more() {
    let text = planned(None);
    let flaws = |change: fn(&mut Value)| {
        let mut document: Value = serde_json::from_str(&text).unwrap();
        change(&mut document);
        SealPolicy::of_whoever().flaws(&facts(), Some(&document.to_string()), None).unwrap().len()
    };
    assert_eq!(flaws(|_| ()), 0);
    assert_eq!(flaws(|d| d["Statement"][0]["Action"] = json!(["dynamodb:PutItem"])), 1);
    let everybody = |d: &mut Value| {
        for statement in [1, 2] {
            d["Statement"][statement]["Condition"]["ArnNotLike"]["aws:PrincipalArn"] = json!(["arn:aws:*"]);
        }
    };
    assert_eq!(flaws(everybody), 2);
    assert_eq!(flaws(|d| d["Statement"][2]["Condition"] = Value::Null), 2);
    assert_eq!(SealPolicy::of_whoever().flaws(&facts(), None, None).unwrap().len(), 3);
    assert!(matches!(SealPolicy::of_whoever().plan(&facts(), None, &id()), Err(Error::SealRoles { .. })));
    assert!(matches!(
        SealPolicy::of_whoever().plan(&facts(), Some(&text), &id()),
        Err(Error::SealRoles { .. })
    ));
}

#[test]
fn a_policy_that_grows_too_large_is_refused_with_its_size() {
    let existing = json!({"Statement": [{"Sid": "x".repeat(LIMIT - 1000)}]}).to_string();
    let error = policy().plan(&facts(), Some(&existing), &id()).unwrap_err();
    assert!(matches!(&error, Error::PolicyTooLarge { bytes, .. } if *bytes > LIMIT), "{error}");
}

#[test]
fn only_arns_of_single_roles_may_be_spared() {
    for good in [role("a"), role("path/to/a"), "arn:aws-cn:iam::111122223333:role/a".into()] {
        assert!(SealPolicy::new([good]).is_ok());
    }
    assert!(SealPolicy::new(Vec::<String>::new()).is_err());
    for bad in [
        "",
        "*",
        "septet-prune",
        "arn:aws:iam::111122223333:role/*",
        "arn:aws:iam::*:role/a",
        "arn:aws:iam::111122223333:user/a",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::1:role/a",
        "arn:aws:sts::111122223333:assumed-role/a/b",
    ] {
        assert!(SealPolicy::new([bad]).is_err(), "{bad}");
    }
}

#[test]
fn an_unreadable_policy_is_an_error() {
    assert!(matches!(policy().plan(&facts(), Some("{"), &id()), Err(Error::UnreadablePolicy { .. })));
}
