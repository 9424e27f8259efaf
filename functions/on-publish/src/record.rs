//! CloudTrail records of calls on tables, as EventBridge delivers them.
//!
//! What a record holds depends on the call, on who made it and on whether it failed, and none of it is
//! promised: every field is looked for and none is required but the name of the call. Dates inside are in
//! changing formats and are never read.

use jiff::Timestamp;
use septet_registry::TableReference;
use serde_json::Value;

/// What became of the table that a record speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is being made.
    Appeared,
    /// It is being deleted.
    Vanished,
    /// It got tags.
    Tagged,
}

/// One call on a table, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The call, such as `CreateTable`.
    pub call: String,
    /// The record's id; duplicates of a record share it.
    pub event_id: Option<String>,
    /// What became of the table; nothing that matters here for any other call.
    pub change: Option<Change>,
    /// Code and message, when the call failed.
    pub failure: Option<String>,
    /// The table, by name or ARN.
    pub table: Option<TableReference>,
    /// Who made the call.
    pub who: Option<String>,
    /// When the call was made, to the second.
    pub at: Option<Timestamp>,
}

impl Record {
    /// Reads the `detail` of an event; without the name of a call it is no record.
    pub fn from_detail(detail: &Value) -> Option<Self> {
        let call = text(detail, "/eventName")?;
        let change = match call {
            "CreateTable" | "ImportTable" | "RestoreTableFromBackup" | "RestoreTableToPointInTime" => {
                Some(Change::Appeared)
            }
            "DeleteTable" => Some(Change::Vanished),
            "TagResource" => Some(Change::Tagged),
            _ => None,
        };
        let failure = text(detail, "/errorCode").map(|code| match text(detail, "/errorMessage") {
            Some(message) => format!("{code}: {message}"),
            None => code.to_owned(),
        });
        Some(Self {
            call: call.to_owned(),
            event_id: text(detail, "/eventID").map(str::to_owned),
            change,
            failure,
            table: table(call, detail),
            who: who(detail),
            at: text(detail, "/eventTime").and_then(|at| at.parse().ok()),
        })
    }
}

fn text<'a>(detail: &'a Value, path: &str) -> Option<&'a str> {
    detail.pointer(path)?.as_str().filter(|text| !text.is_empty())
}

/// Where a call names its table; it may be a name or an ARN.
fn table(call: &str, detail: &Value) -> Option<TableReference> {
    let asked = match call {
        "ImportTable" => "/requestParameters/tableCreationParameters/tableName",
        "RestoreTableFromBackup" | "RestoreTableToPointInTime" => "/requestParameters/targetTableName",
        "TagResource" | "UntagResource" | "PutResourcePolicy" | "DeleteResourcePolicy" => {
            "/requestParameters/resourceArn"
        }
        _ => "/requestParameters/tableName",
    };
    let named = [
        asked,
        "/responseElements/tableDescription/tableArn",
        "/responseElements/tableDescription/tableName",
        "/responseElements/importTableDescription/tableArn",
    ];
    let named = named.iter().filter_map(|path| text(detail, path));
    // The resources of a restore are what it was restored from.
    let resources = if call.starts_with("Restore") { None } else { detail.get("resources") };
    let resources = resources.and_then(Value::as_array).into_iter().flatten();
    let resources = resources.filter_map(|resource| {
        let kind = text(resource, "/type");
        kind.is_none_or(|kind| kind == "AWS::DynamoDB::Table").then(|| text(resource, "/ARN")).flatten()
    });
    named.chain(resources).find_map(|name| TableReference::parse(name).ok())
}

/// Who made the call: the role or user, with the name of the session where there is one.
fn who(detail: &Value) -> Option<String> {
    let identity = detail.get("userIdentity")?;
    let issuer = text(identity, "/sessionContext/sessionIssuer/arn");
    let arn = issuer.or_else(|| text(identity, "/arn")).or_else(|| text(identity, "/invokedBy"))?;
    let session =
        text(identity, "/principalId").and_then(|id| id.split_once(':')).map(|(_, session)| session);
    Some(match session.filter(|session| issuer.is_some() && !session.is_empty()) {
        Some(session) => format!("{arn} ({session})"),
        None => arn.to_owned(),
    })
}
