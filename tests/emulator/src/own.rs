//! What the front does itself: refusals, resource policies, imports, and the states of tables.

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::fault::Kind;
use crate::front::{Answer, Call, table_arn, table_of, unusable};
use crate::policy::Policy;
use crate::state::{Inner, PolicyChange, State, TableStatus};

/// The answer of a fault that answers.
pub(crate) fn failure(kind: &Kind, call: &Call) -> Answer {
    let cancelled = |code: &str, message: &str| {
        let count = call.body["TransactItems"].as_array().map_or(1, Vec::len);
        let reasons: Vec<_> =
            (0..count)
                .map(|at| {
                    if at == 0 { json!({"Code": code, "Message": message}) } else { json!({"Code": "None"}) }
                })
                .collect();
        let codes =
            reasons.iter().filter_map(|reason| reason["Code"].as_str()).collect::<Vec<_>>().join(", ");
        let text = format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
        );
        let Answer(status, mut body) = Answer::error("TransactionCanceledException", text);
        body["CancellationReasons"] = reasons.into();
        Answer(status, body)
    };
    let is_transaction = call.operation.starts_with("Transact");
    match kind {
        Kind::Throttle if is_transaction => {
            cancelled("ThrottlingError", "Throughput exceeds the current capacity of your table or index.")
        }
        Kind::Throttle if is_about_tables(&call.operation) => {
            Answer::error("ThrottlingException", "Rate exceeded")
        }
        Kind::Throttle => Answer::error(
            "ProvisionedThroughputExceededException",
            "The level of configured provisioned throughput for the table was exceeded.",
        ),
        Kind::TransactionConflict if is_transaction => {
            cancelled("TransactionConflict", "Transaction is ongoing for the item")
        }
        Kind::TransactionConflict => {
            Answer::error("TransactionConflictException", "Transaction is ongoing for the item")
        }
        Kind::AccessDenied => {
            let action = format!("dynamodb:{}", call.operation);
            let resource = call.table().map_or_else(|| "*".into(), table_arn);
            let why = format!("because no identity-based policy allows the {action} action");
            denied(&call.principal, &action, &resource, &why)
        }
        _ => Answer::error("InternalServerError", "Internal server error"),
    }
}

fn denied(principal: &str, action: &str, resource: &str, why: &str) -> Answer {
    let message =
        format!("User: {principal} is not authorized to perform: {action} on resource: {resource} {why}");
    let Answer(status, mut body) = Answer::error("AccessDeniedException", "");
    // This error alone is written with a capital letter.
    body = json!({"__type": body["__type"], "Message": message});
    Answer(status, body)
}

/// Whether a call is about tables rather than items.
pub(crate) fn is_about_tables(operation: &str) -> bool {
    !matches!(
        operation,
        "PutItem"
            | "GetItem"
            | "UpdateItem"
            | "DeleteItem"
            | "Query"
            | "Scan"
            | "BatchGetItem"
            | "BatchWriteItem"
            | "TransactGetItems"
            | "TransactWriteItems"
            | "ExecuteStatement"
            | "ExecuteTransaction"
            | "BatchExecuteStatement"
    )
}

/// Refuses what a resource policy denies or the state of the table does not allow.
pub(crate) fn refuse(state: &State, call: &Call) -> Option<Answer> {
    for (action, table) in actions(call) {
        let state = state.lock();
        let delay = state.settings.policy_in_force_after;
        let policy = state.extras.get(&table).and_then(|extras| extras.policy(delay));
        let resource = table_arn(&table);
        if policy.is_some_and(|policy| policy.denies(&action, &resource, &call.principal)) {
            let why = "with an explicit deny in a resource-based policy";
            return Some(denied(&call.principal, &action, &resource, why));
        }
    }
    unusable(state, call)
}

/// The actions that a call needs, each with the table it needs it on.
fn actions(call: &Call) -> Vec<(String, String)> {
    let body = &call.body;
    let action = |name: &str, table: &str| (format!("dynamodb:{name}"), table_of(table).to_owned());
    match call.operation.as_str() {
        "BatchWriteItem" | "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(table, _)| action(&call.operation, table)).collect()
        }
        "TransactWriteItems" | "TransactGetItems" => body["TransactItems"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|item| item.as_object().into_iter().flatten())
            .map(|(kind, item)| {
                let name =
                    if kind == "ConditionCheck" { "ConditionCheckItem" } else { &format!("{kind}Item") };
                action(name, item["TableName"].as_str().unwrap_or_default())
            })
            .collect(),
        "ExecuteStatement" | "ExecuteTransaction" | "BatchExecuteStatement" => {
            let lists = ["Statements", "TransactStatements"].map(|key| body[key].as_array());
            let many = lists.into_iter().flatten().flatten().filter_map(|entry| entry["Statement"].as_str());
            let one = body["Statement"].as_str();
            many.chain(one).filter_map(part_iql).map(|(name, table)| action(name, &table)).collect()
        }
        name => call.table().map(|table| action(name, table)).into_iter().collect(),
    }
}

/// The action of a PartiQL statement and its table.
fn part_iql(statement: &str) -> Option<(&'static str, String)> {
    let words: Vec<_> = statement.split_whitespace().collect();
    let (name, before) = match words.first()?.to_ascii_uppercase().as_str() {
        "INSERT" => ("PartiQLInsert", "INTO"),
        "UPDATE" => ("PartiQLUpdate", "UPDATE"),
        "DELETE" => ("PartiQLDelete", "FROM"),
        _ => ("PartiQLSelect", "FROM"),
    };
    let at = words.iter().position(|word| word.eq_ignore_ascii_case(before))?;
    let quoted = words.get(at + 1)?;
    let table = quoted.trim_start_matches('"').split('"').next().unwrap_or_default();
    Some((name, table.to_owned()))
}

/// Puts, reads and deletes resource policies.
pub(crate) fn resource_policy(state: &State, call: &Call, table: &str) -> Answer {
    let mut state = state.lock();
    let state = &mut *state;
    let settings = state.settings.clone();
    let none =
        || Answer::error("PolicyNotFoundException", format!("No policy for resource: {}", table_arn(table)));
    let expected = call.body["ExpectedRevisionId"].as_str();
    let extras = state.extras.entry(table.into()).or_default();
    if call.operation == "GetResourcePolicy" {
        return match extras.policy(settings.policy_readable_after) {
            Some(policy) => Answer::ok(json!({"Policy": policy.text, "RevisionId": policy.revision})),
            None => none(),
        };
    }
    let last = extras.policies.last();
    let current = last.and_then(|change| change.policy.as_ref());
    let matches = match (expected, current) {
        (None, _) | (Some("NO_POLICY"), None) => true,
        (Some(expected), Some(policy)) => expected == policy.revision,
        (Some(_), None) => false,
    };
    if !matches {
        return none();
    }
    let now = Instant::now();
    let next = if call.operation == "DeleteResourcePolicy" {
        if current.is_none() {
            return Answer::ok(json!({}));
        }
        None
    } else {
        let Some(text) = call.body["Policy"].as_str() else {
            return Answer::error("ValidationException", "Policy is required");
        };
        if text.len() > 20 * 1024 {
            return Answer::error("LimitExceededException", "Policy size exceeds the limit of 20 KB");
        }
        if let Some(same) = current.filter(|policy| policy.text == text) {
            return Answer::ok(json!({"RevisionId": same.revision}));
        }
        match Policy::parse(text, (state.revision + 1).to_string()) {
            Ok(policy) => Some(policy),
            Err(why) => {
                return Answer::error("ValidationException", format!("Invalid policy document: {why}"));
            }
        }
    };
    if last.is_some_and(|last| now.duration_since(last.at) < settings.policy_blocked_for) {
        let message = format!("The policy of {} was updated a moment ago", table_arn(table));
        return Answer::error("ResourceInUseException", message);
    }
    state.revision += 1;
    let revision = next.as_ref().or(current).map(|policy| policy.revision.clone());
    extras.policies.push(PolicyChange { at: now, policy: next });
    Answer::ok(json!({"RevisionId": revision}))
}

/// Answers ListImports and DescribeImport.
pub(crate) fn imports(state: &State, call: &Call) -> Option<Answer> {
    let state = state.lock();
    match call.operation.as_str() {
        "ListImports" => {
            let of = call.body["TableArn"].as_str();
            let size = call.body["PageSize"].as_u64().map_or(25, |size| size.clamp(1, 25) as usize);
            let start = call.body["NextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
            let known: Vec<_> = state
                .imports
                .iter()
                .rev()
                .filter(|import| of.is_none_or(|arn| arn == import.table_arn))
                .collect();
            let page: Vec<_> = known
                .iter()
                .skip(start)
                .take(size)
                .map(|import| {
                    json!({"ImportArn": import.arn, "ImportStatus": import.import.status, "TableArn": import.table_arn})
                })
                .collect();
            let next = (start + size < known.len()).then(|| (start + size).to_string());
            Some(Answer::ok(json!({"ImportSummaryList": page, "NextToken": next})))
        }
        "DescribeImport" => {
            let arn = call.body["ImportArn"].as_str().unwrap_or_default();
            let Some(stored) = state.imports.iter().find(|import| import.arn == arn) else {
                return Some(Answer::error("ImportNotFoundException", format!("Import not found: {arn}")));
            };
            let import = &stored.import;
            let (code, message) = import.failure.clone().unzip();
            Some(Answer::ok(json!({"ImportTableDescription": {
                "ImportArn": stored.arn, "ImportStatus": import.status,
                "TableArn": stored.table_arn, "TableId": stored.table_id,
                "ProcessedItemCount": import.processed, "ImportedItemCount": import.imported,
                "ErrorCount": import.errors, "FailureCode": code, "FailureMessage": message,
            }})))
        }
        _ => None,
    }
}

/// Notes what a successful call about tables changes, and completes its answer.
pub(crate) fn after(state: &State, call: &Call, body: &mut Value, doomed: Option<Value>) {
    let mut state = state.lock();
    let now = Instant::now();
    match (call.operation.as_str(), call.table()) {
        ("CreateTable", Some(table)) => {
            let settings = state.settings.clone();
            let extras = state.extras(table);
            *extras = Default::default();
            extras.created_until = Some(now + settings.creating);
            extras.hidden_until = Some(now + settings.hidden);
            let created_at = settings.created_at.map(|at| ("CreationDateTime".to_owned(), at.into()));
            extras.description.extend(created_at);
        }
        ("DeleteTable", Some(table)) => {
            state.extras.remove(table);
            let until = now + state.settings.deleting;
            if let Some(mut description) = doomed {
                description["TableStatus"] = "DELETING".into();
                state.deleting.insert(table.into(), (description, until));
            }
        }
        ("DescribeTable", Some(table)) => complete(state.extras(table), &mut body["Table"]),
        ("UpdateTable", Some(table)) => complete(state.extras(table), &mut body["TableDescription"]),
        ("ListTables", _) => list_deleting(&mut state, call, body),
        ("ListTagsOfResource", _) => {
            if let Some(size) = state.settings.page_tags {
                page_tags(call, body, size);
            }
        }
        _ => {}
    }
}

pub(crate) fn complete(extras: &crate::state::Extras, description: &mut Value) {
    match extras.status() {
        TableStatus::Creating => description["TableStatus"] = "CREATING".into(),
        TableStatus::Updating => description["TableStatus"] = "UPDATING".into(),
        TableStatus::Active => {}
    }
    if let Some((reads, writes)) = extras.warm {
        let status = if extras.is_warming() { "UPDATING" } else { "ACTIVE" };
        description["WarmThroughput"] =
            json!({"ReadUnitsPerSecond": reads, "WriteUnitsPerSecond": writes, "Status": status});
    }
    for (name, value) in &extras.description {
        description[name] = value.clone();
    }
}

/// Takes the warm throughput out of an UpdateTable, which dynoxide does not know, and notes it.
///
/// Answers if it is refused. The call may ask for nothing else then.
pub(crate) fn warm(state: &State, call: &mut Call) -> Option<Answer> {
    if call.operation != "UpdateTable" {
        return None;
    }
    let asked = call.body.as_object_mut()?.remove("WarmThroughput")?;
    let mut state = state.lock();
    let until = Instant::now() + state.settings.warming;
    let extras = state.extras(call.table()?);
    let before = extras.warm.unwrap_or((12_000, 4_000));
    let units = |name: &str, before: i64| asked[name].as_i64().unwrap_or(before);
    let wanted = (units("ReadUnitsPerSecond", before.0), units("WriteUnitsPerSecond", before.1));
    if wanted.0 < before.0 || wanted.1 < before.1 {
        let message = "One or more parameter values were invalid: WarmThroughput cannot be decreased";
        return Some(Answer::error("ValidationException", message));
    }
    (extras.warm, extras.warming_until) = (Some(wanted), Some(until));
    None
}

/// DynamoDB goes on listing a table while it is DELETING.
fn list_deleting(state: &mut Inner, call: &Call, body: &mut Value) {
    state.deleting("");
    let after = call.body["ExclusiveStartTableName"].as_str().unwrap_or_default();
    let last = body["LastEvaluatedTableName"].as_str().map(String::from);
    let Some(names) = body["TableNames"].as_array_mut() else { return };
    let on_page = |name: &str| name > after && last.as_deref().is_none_or(|last| name <= last);
    names.extend(state.deleting.keys().filter(|name| on_page(name)).map(|name| Value::from(name.as_str())));
    names.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
}

fn page_tags(call: &Call, body: &mut Value, size: usize) {
    let start = call.body["NextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
    let tags = body["Tags"].as_array().cloned().unwrap_or_default();
    let page: Vec<_> = tags.iter().skip(start).take(size).cloned().collect();
    body["Tags"] = page.into();
    if start + size < tags.len() {
        body["NextToken"] = (start + size).to_string().into();
    }
}

/// Takes all but the first `done` entries out of a batch: the key of the answer they belong under, and them.
pub(crate) fn hold_back(call: &mut Call, done: usize) -> Option<(&'static str, Value)> {
    let key = match call.operation.as_str() {
        "BatchGetItem" => "UnprocessedKeys",
        "BatchWriteItem" => "UnprocessedItems",
        _ => return None,
    };
    let requests = call.body["RequestItems"].as_object_mut()?;
    let mut rest = Map::new();
    let mut left = done;
    for (table, request) in requests.iter_mut() {
        let of_keys = request.is_object();
        let entries = if of_keys { request["Keys"].as_array_mut() } else { request.as_array_mut() }?;
        let kept = left.min(entries.len());
        left -= kept;
        let held = entries.split_off(kept);
        if held.is_empty() {
            continue;
        }
        let mut held_request = if of_keys { request.clone() } else { Value::Null };
        if of_keys {
            held_request["Keys"] = held.into();
        } else {
            held_request = held.into();
        }
        rest.insert(table.clone(), held_request);
    }
    requests.retain(|_, request| {
        let entries = if request.is_object() { &request["Keys"] } else { &*request };
        entries.as_array().is_some_and(|entries| !entries.is_empty())
    });
    Some((key, rest.into()))
}
