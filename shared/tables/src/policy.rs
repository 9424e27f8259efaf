//! The resource policy that seals a table, as pure functions of the policy that is there.
//!
//! Septet's statements are known by their Sids; statements of others are kept. A denial cannot be undone by
//! an Allow of anybody, so they do no harm.
//!
//! Three statements are those of Septet 0.1.0, which takes a policy that has them for sealed. A fourth carries the id
//! of the seal in its Sid; 0.1.0 does not look at it.

mod mark;

use septet_registry::{SealId, TableName};
use serde_json::{Map, Value, json};

use crate::{Error, Flaw, KeptBecause, TableFacts};

pub use mark::SealMark;

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

    /// Plans how the policy of a table comes to carry the seal of this id.
    pub(crate) fn plan(
        &self,
        facts: &TableFacts,
        existing: Option<&str>,
        id: &SealId,
    ) -> Result<Plan, Error> {
        let there = self.read(facts, existing)?;
        if let Some(id) = mark::find_foreign(&there, id) {
            return Ok(Plan::Foreign(id));
        }
        let mut statements = there.clone();
        if !self.flaws_of_three(facts, &there).is_empty() {
            statements.retain(|statement| !is_ours(statement));
            statements.extend(self.statements(facts));
        } else if mark::find_flaw(facts, &there, id).is_none() {
            return Ok(Plan::Stands);
        }
        write(facts, existing, mark::add_statement(statements, facts, id)).map(Plan::Put)
    }

    /// Plans how a seal of Septet 0.1.0 comes to carry an id, if exactly its three statements are intact.
    pub(crate) fn plan_take_over(
        &self,
        facts: &TableFacts,
        existing: Option<&str>,
        id: &SealId,
    ) -> Result<Result<Plan, Vec<Flaw>>, Error> {
        let there = self.read(facts, existing)?;
        if let Some(id) = mark::find_foreign(&there, id) {
            return Ok(Ok(Plan::Foreign(id)));
        }
        let mut flaws = self.flaws_of_three(facts, &there);
        flaws.extend(mark::find_unexpected(&there));
        if !flaws.is_empty() {
            return Ok(Err(flaws));
        }
        Ok(match mark::find_flaw(facts, &there, id) {
            None => Ok(Plan::Stands),
            Some(Flaw::StatementMissing { .. }) => {
                Ok(Plan::Put(write(facts, existing, mark::add_statement(there, facts, id))?))
            }
            Some(flaw) => Err(vec![flaw]),
        })
    }

    /// Finds what the policy lacks, or has otherwise than the seal. The id is looked at if it is given.
    pub(crate) fn flaws(
        &self,
        facts: &TableFacts,
        existing: Option<&str>,
        id: Option<&SealId>,
    ) -> Result<Vec<Flaw>, Error> {
        let there = read(&facts.name, existing)?;
        let mut flaws = self.flaws_of_three(facts, &there);
        if let Some(id) = id {
            flaws.extend(match mark::find_foreign(&there, id) {
                Some(id) => Some(Flaw::ForeignSeal { id }),
                None => mark::find_flaw(facts, &there, id),
            });
        }
        Ok(flaws)
    }

    /// Refuses to delete a table whose policy does not carry the seal of this id, intact.
    ///
    /// The seal may spare other roles than those that Septet has now: DynamoDB decides on roles.
    pub(crate) fn refuse_deletion(
        facts: &TableFacts,
        existing: Option<&str>,
        id: &SealId,
    ) -> Result<Option<KeptBecause>, Error> {
        let mut flaws = Self::of_whoever().flaws(facts, existing, Some(id))?;
        let foreign = flaws.iter().position(|flaw| matches!(flaw, Flaw::ForeignSeal { .. }));
        Ok(match foreign.map(|at| flaws.swap_remove(at)) {
            Some(Flaw::ForeignSeal { id }) => Some(KeptBecause::ForeignSeal { id }),
            _ if flaws.is_empty() => None,
            _ => Some(KeptBecause::NotSealed { flaws }),
        })
    }

    /// Says which seal a policy carries.
    pub(crate) fn mark(&self, facts: &TableFacts, existing: Option<&str>) -> Result<SealMark, Error> {
        let there = read(&facts.name, existing)?;
        Ok(mark::find_mark(&there, || self.flaws_of_three(facts, &there).is_empty()))
    }

    /// Reads the statements of a policy that is to be changed, which takes known roles.
    fn read(&self, facts: &TableFacts, existing: Option<&str>) -> Result<Vec<Value>, Error> {
        if self.roles.is_empty() {
            return Err(Error::SealRoles { problem: "they are not known, so nothing can be sealed".into() });
        }
        read(&facts.name, existing)
    }

    /// The check of Septet 0.1.0: the three statements, whatever else the policy has.
    fn flaws_of_three(&self, facts: &TableFacts, there: &[Value]) -> Vec<Flaw> {
        let wanted = self.as_of(there).statements(facts);
        wanted.iter().filter_map(|wanted| flaw_of(wanted, there)).collect()
    }
}

/// Change that the policy of a table needs.
#[derive(Debug, PartialEq)]
pub(crate) enum Plan {
    /// None: it has all that it should have.
    Stands,
    /// Put this text.
    Put(String),
    /// None is allowed: it carries another seal, of this id if it can be read.
    Foreign(Option<SealId>),
}

/// Says what is wrong with the statement that has the Sid of `wanted`.
fn flaw_of(wanted: &Value, there: &[Value]) -> Option<Flaw> {
    let sid = wanted["Sid"].as_str().unwrap_or_default().to_owned();
    let same_sid: Vec<_> = there.iter().filter(|statement| statement["Sid"] == wanted["Sid"]).collect();
    match same_sid[..] {
        [] => Some(Flaw::StatementMissing { sid }),
        [one] if canonical(one) == canonical(wanted) => None,
        _ => Some(Flaw::StatementChanged { sid }),
    }
}

/// Writes a policy that has these statements, and all else that it had.
fn write(facts: &TableFacts, existing: Option<&str>, statements: Vec<Value>) -> Result<String, Error> {
    let mut document = match existing {
        Some(text) => parse(&facts.name, text)?,
        None => Map::from_iter([("Version".to_owned(), json!("2012-10-17"))]),
    };
    document.insert("Statement".into(), statements.into());
    let text = Value::Object(document).to_string();
    if text.len() > LIMIT {
        return Err(Error::PolicyTooLarge { table: facts.name.clone(), bytes: text.len(), limit: LIMIT });
    }
    Ok(text)
}

/// Finds a seal that is not surely the one of `own`: its id, if it can be read.
///
/// A seal without an id may be that of another installation.
pub(crate) fn find_foreign_seal(
    table: &TableName,
    existing: Option<&str>,
    own: Option<&SealId>,
) -> Result<Option<Option<SealId>>, Error> {
    let there = read(table, existing)?;
    Ok(match mark::find_mark(&there, || false) {
        SealMark::Nothing => None,
        SealMark::Id(id) => (own != Some(&id)).then_some(Some(id)),
        SealMark::WithoutId { .. } | SealMark::Unclear => Some(None),
    })
}

/// Reads the statements of a policy; none of a table without one.
fn read(table: &TableName, existing: Option<&str>) -> Result<Vec<Value>, Error> {
    let document = existing.map(|text| parse(table, text)).transpose()?;
    Ok(document.as_ref().map(statements_of).unwrap_or_default())
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
mod tests;
