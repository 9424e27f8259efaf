//! The resource policy that seals a table, as pure functions of the policy that is there.
//!
//! Septet's statements are known by their Sids; statements of others are kept. A denial cannot be undone by
//! an Allow of anybody, so they do no harm.

use septet_registry::TableName;
use serde_json::{Map, Value, json};

use crate::{Error, Flaw, TableFacts};

/// What DynamoDB takes at most.
const LIMIT: usize = 20 * 1024;

/// The beginning of the Sids of Septet's statements.
const PREFIX: &str = "SeptetSeal";

/// Who may still change and delete a sealed table. Nobody may write to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealPolicy {
    roles: Vec<String>,
}

impl SealPolicy {
    /// Takes the ARNs of Septet's roles.
    ///
    /// At least one: a table that nobody may change could never be deleted. Wildcards are refused.
    pub fn new(roles: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, Error> {
        let mut roles: Vec<String> = roles.into_iter().map(Into::into).collect();
        let wrong = |problem: String| Err(Error::SealRoles { problem });
        if roles.is_empty() {
            return wrong("there are none, and nobody could delete a sealed table".into());
        }
        if let Some(role) = roles.iter().find(|role| !is_role(role)) {
            return wrong(format!(
                "{role:?} is not the ARN of one role, such as arn:aws:iam::111122223333:role/septet-prune"
            ));
        }
        roles.sort();
        roles.dedup();
        Ok(Self { roles })
    }

    /// For those who only look at seals and do not know Septet's roles: takes those for Septet's that a seal spares.
    ///
    /// It is no policy to seal with.
    pub fn of_whoever() -> Self {
        Self { roles: Vec::new() }
    }

    /// The policy to hold a table's own against.
    fn as_of(&self, there: &[Value]) -> Self {
        if !self.roles.is_empty() {
            return self.clone();
        }
        let table = there.iter().find(|statement| statement["Sid"] == format!("{PREFIX}Table"));
        let spared = table.map(|table| match &table["Condition"]["ArnNotLike"]["aws:PrincipalArn"] {
            Value::Array(roles) => roles.clone(),
            one => vec![one.clone()],
        });
        let roles = spared.into_iter().flatten().filter_map(|role| role.as_str().map(str::to_owned));
        Self::new(roles.collect::<Vec<_>>()).unwrap_or_else(|_| self.clone())
    }

    /// Septet's statements for a table.
    fn statements(&self, facts: &TableFacts) -> [Value; 3] {
        let mut scaling = self.roles.clone();
        scaling.extend(auto_scaling_role(&facts.arn));
        let deny = |sid: &str, actions: &[&str]| {
            let actions: Vec<_> = actions.iter().map(|action| format!("dynamodb:{action}")).collect();
            json!({"Sid": format!("{PREFIX}{sid}"), "Effect": "Deny", "Principal": "*", "Action": actions,
                "Resource": facts.arn})
        };
        // Transactions follow the actions they are made of; batches and PartiQL have their own.
        let items = deny(
            "Items",
            &[
                "PutItem",
                "UpdateItem",
                "DeleteItem",
                "BatchWriteItem",
                "PartiQLInsert",
                "PartiQLUpdate",
                "PartiQLDelete",
                "UpdateTimeToLive",
            ],
        );
        // A negated operator also matches when there is no such key, so a caller without an ARN is denied as
        // well. AWS asks for ARN operators with keys that hold ARNs (IAM user guide, condition operators).
        let but = |mut statement: Value, roles: &[String]| {
            statement["Condition"] = json!({"ArnNotLike": {"aws:PrincipalArn": roles}});
            statement
        };
        let settings = but(deny("Settings", &["UpdateTable"]), &scaling);
        let table =
            but(deny("Table", &["DeleteTable", "PutResourcePolicy", "DeleteResourcePolicy"]), &self.roles);
        [items, settings, table]
    }

    /// The policy that the table is to have, or none if it has it.
    pub(crate) fn plan(&self, facts: &TableFacts, existing: Option<&str>) -> Result<Option<String>, Error> {
        if self.roles.is_empty() {
            return Err(Error::SealRoles { problem: "they are not known, so nothing can be sealed".into() });
        }
        if self.flaws(facts, existing)?.is_empty() {
            return Ok(None);
        }
        let mut document = match existing {
            Some(text) => parse(&facts.name, text)?,
            None => Map::from_iter([("Version".to_owned(), json!("2012-10-17"))]),
        };
        let mut statements = statements_of(&document);
        statements.retain(|statement| !is_ours(statement));
        statements.extend(self.statements(facts));
        document.insert("Statement".into(), statements.into());
        let text = Value::Object(document).to_string();
        if text.len() > LIMIT {
            return Err(Error::PolicyTooLarge { table: facts.name.clone(), bytes: text.len(), limit: LIMIT });
        }
        Ok(Some(text))
    }

    /// What the policy lacks, or has otherwise than the seal.
    pub(crate) fn flaws(&self, facts: &TableFacts, existing: Option<&str>) -> Result<Vec<Flaw>, Error> {
        let document = existing.map(|text| parse(&facts.name, text)).transpose()?;
        let there = document.as_ref().map(statements_of).unwrap_or_default();
        let mut flaws = Vec::new();
        for wanted in self.as_of(&there).statements(facts) {
            let sid = wanted["Sid"].as_str().unwrap_or_default().to_owned();
            let same_sid: Vec<_> =
                there.iter().filter(|statement| statement["Sid"] == wanted["Sid"]).collect();
            match same_sid[..] {
                [] => flaws.push(Flaw::StatementMissing { sid }),
                [one] if canonical(one) == canonical(&wanted) => {}
                _ => flaws.push(Flaw::StatementChanged { sid }),
            }
        }
        Ok(flaws)
    }
}

/// Whether a policy has any statement of a seal.
pub(crate) fn has_seal(table: &TableName, text: &str) -> Result<bool, Error> {
    Ok(statements_of(&parse(table, text)?).iter().any(is_ours))
}

fn is_role(arn: &str) -> bool {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let [scheme, partition, service, region, account, resource] = parts[..] else { return false };
    scheme == "arn"
        && partition.starts_with("aws")
        && service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty())
        && !arn.contains(['*', '?', '$'])
}

/// The role with which Application Auto Scaling sets the capacity of tables of this account.
fn auto_scaling_role(table_arn: &str) -> Option<String> {
    let parts: Vec<_> = table_arn.splitn(6, ':').collect();
    let [_, partition, _, _, account, _] = parts[..] else { return None };
    Some(format!(
        "arn:{partition}:iam::{account}:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/\
         AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
    ))
}

fn parse(table: &TableName, text: &str) -> Result<Map<String, Value>, Error> {
    serde_json::from_str(text)
        .map_err(|error| Error::UnreadablePolicy { table: table.clone(), problem: error.to_string() })
}

fn statements_of(document: &Map<String, Value>) -> Vec<Value> {
    match document.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

fn is_ours(statement: &Value) -> bool {
    statement["Sid"].as_str().is_some_and(|sid| sid.starts_with(PREFIX))
}

/// One form for what means the same: a text for a list of one, any order, both ways to write everybody.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let everybody =
                object.len() == 1 && object.get("AWS").is_some_and(|who| canonical(who) == json!("*"));
            if everybody {
                return json!("*");
            }
            object.iter().map(|(key, value)| (key.clone(), canonical(value))).collect()
        }
        Value::Array(list) if list.len() == 1 => canonical(&list[0]),
        Value::Array(list) => {
            let mut list: Vec<_> = list.iter().map(canonical).collect();
            list.sort_by_key(Value::to_string);
            list.into()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
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
            replicas: Vec::new(),
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
        let text = policy().plan(&facts(), None).unwrap().unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let [items, settings, table] = document["Statement"].as_array().unwrap().as_slice() else { panic!() };
        for statement in [items, settings, table] {
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
        let old = json!({"Sid": "SeptetSealOld", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
        for statements in [json!([old, theirs]), theirs.clone()] {
            let existing = json!({"Version": "2012-10-17", "Id": "x", "Statement": statements}).to_string();
            let text = policy().plan(&facts(), Some(&existing)).unwrap().unwrap();
            let document: Value = serde_json::from_str(&text).unwrap();
            let sids: Vec<_> = document["Statement"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["Sid"].as_str().unwrap())
                .collect();
            assert_eq!(sids, ["Readers", "SeptetSealItems", "SeptetSealSettings", "SeptetSealTable"]);
            assert_eq!(document["Statement"][0], theirs);
            assert_eq!(document["Id"], "x");
            assert_eq!(policy().plan(&facts(), Some(&text)).unwrap(), None, "planning again changes nothing");
        }
    }

    #[test]
    fn another_way_to_write_the_same_is_no_flaw() {
        let text = policy().plan(&facts(), None).unwrap().unwrap();
        let mut document: Value = serde_json::from_str(&text).unwrap();
        for statement in document["Statement"].as_array_mut().unwrap() {
            statement["Principal"] = json!({"AWS": ["*"]});
            statement["Resource"] = json!([statement["Resource"]]);
            statement["Action"].as_array_mut().unwrap().reverse();
        }
        document["Statement"][1]["Action"] = json!("dynamodb:UpdateTable");
        assert_eq!(policy().flaws(&facts(), Some(&document.to_string())).unwrap(), []);
    }

    #[test]
    fn whatever_weakens_the_seal_is_a_flaw() {
        let text = policy().plan(&facts(), None).unwrap().unwrap();
        let sound: Value = serde_json::from_str(&text).unwrap();
        let flaws = |change: fn(&mut Value)| {
            let mut document = sound.clone();
            change(&mut document);
            policy().flaws(&facts(), Some(&document.to_string())).unwrap()
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
        assert_eq!(policy().flaws(&facts(), None).unwrap().len(), 3);
    }

    #[test]
    fn who_does_not_know_the_roles_takes_those_that_the_seal_spares_and_no_more() {
        let text = policy().plan(&facts(), None).unwrap().unwrap();
        let flaws = |change: fn(&mut Value)| {
            let mut document: Value = serde_json::from_str(&text).unwrap();
            change(&mut document);
            SealPolicy::of_whoever().flaws(&facts(), Some(&document.to_string())).unwrap().len()
        };
        assert_eq!(flaws(|_| ()), 0);
        assert_eq!(flaws(|d| d["Statement"][0]["Action"] = json!(["dynamodb:PutItem"])), 1);
        let everybody = |d: &mut Value| {
            for statement in [1, 2] {
                d["Statement"][statement]["Condition"]["ArnNotLike"]["aws:PrincipalArn"] =
                    json!(["arn:aws:*"]);
            }
        };
        assert_eq!(flaws(everybody), 2);
        assert_eq!(flaws(|d| d["Statement"][2]["Condition"] = Value::Null), 2);
        assert_eq!(SealPolicy::of_whoever().flaws(&facts(), None).unwrap().len(), 3);
        assert!(matches!(SealPolicy::of_whoever().plan(&facts(), None), Err(Error::SealRoles { .. })));
        assert!(matches!(SealPolicy::of_whoever().plan(&facts(), Some(&text)), Err(Error::SealRoles { .. })));
    }

    #[test]
    fn a_policy_that_grows_too_large_is_refused_with_its_size() {
        let existing = json!({"Statement": [{"Sid": "x".repeat(LIMIT - 1000)}]}).to_string();
        let error = policy().plan(&facts(), Some(&existing)).unwrap_err();
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
        assert!(matches!(policy().plan(&facts(), Some("{")), Err(Error::UnreadablePolicy { .. })));
    }
}
