"""Who may do what to a table or a queue, where ministack is more lenient or more strict than AWS."""

import json
import re
import time

from ministack.core import iam_actions, iam_evaluator, responses
from ministack.services import dynamodb, iam

from aws import settings
from aws.patching import around

_before: dict[str, tuple[float, dict | None]] = {}
"""Of each table whose policy was put: until when the one before decides, and that one."""

PARTIQL_CALLS = {
    "ExecuteStatement": "Statement",
    "BatchExecuteStatement": "Statements",
    "ExecuteTransaction": "TransactStatements",
}
PARTIQL_ACTIONS = {
    "INSERT": "PartiQLInsert",
    "UPDATE": "PartiQLUpdate",
    "DELETE": "PartiQLDelete",
    "SELECT": "PartiQLSelect",
}
PARTIQL_TABLE = re.compile(
    r"""^\s*(?:(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+|SELECT\b.*?\bFROM\s+)"?([A-Za-z0-9_.\-]+)"?""",
    re.IGNORECASE | re.DOTALL,
)


def resource_policies() -> None:
    """A table's resource policy decides with the identity policies, and its Deny binds the root user too."""
    dynamodb.septet_policy_for_arn = _policy_of
    iam_evaluator._RESOURCE_POLICY_LOOKUPS["dynamodb"] = ("dynamodb", "septet_policy_for_arn")

    @around(iam_evaluator, "enforce")
    def enforce(original, access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        denied = original(access_key_id, iam_action, service, region, resource_arn, service_context)
        if denied is None and service == "dynamodb":
            return _denied_to_root(access_key_id, iam_action, region, resource_arn, service_context)
        return denied

    @around(dynamodb, "_put_resource_policy")
    def put_resource_policy(original, data):
        problem = _policy_problem(data.get("Policy"))
        if problem:
            return responses.error_response_json("ValidationException", problem, 400)
        decides = _entry_of(data["ResourceArn"])
        answer = original(data)
        if answer[0] == 200:
            _before[data["ResourceArn"]] = (time.monotonic() + settings.get("tables", "policy_seconds"), decides)
        return answer

    @around(dynamodb, "_delete_table")
    def delete_table(original, data):
        answer = original(data)
        if answer[0] == 200:
            # A new table of the same name starts without a policy.
            arn = json.loads(answer[2])["TableDescription"]["TableArn"]
            dynamodb._resource_policies.pop(arn, None)
            _before.pop(arn, None)
        return answer


def _policy_of(arn: str) -> tuple[str, str] | None:
    table_arn = re.sub(r"(:table/[^/]+)/.*$", r"\1", arn)
    entry = _entry_of(table_arn)
    return (entry["Policy"], table_arn.split(":")[4]) if entry else None


def _entry_of(table_arn: str) -> dict | None:
    """The policy that decides now: a new one takes its time, as the settings say."""
    until, before = _before.get(table_arn, (0.0, None))
    return before if time.monotonic() < until else dynamodb._resource_policies.get(table_arn)


def _denied_to_root(access_key_id, iam_action, region, resource_arn, service_context):
    """ministack lets root pass before it looks at any policy; on AWS an explicit Deny of the resource wins."""
    account = responses.get_account_id()
    principal = iam_evaluator.resolve_principal(access_key_id or "", account)
    found = iam_evaluator._resource_policy("dynamodb", resource_arn)
    if found is None or isinstance(principal, iam_evaluator.AuthError) or principal.policies is not None:
        return None
    context = iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=iam_action,
        resource_arn=resource_arn,
        region=region,
        service_context={key.lower(): value for key, value in (service_context or {}).items()},
        principal_keys=principal.keys,
    )
    result = iam_evaluator.evaluate_resource_policy(found[0], context)
    if result.decision != "Deny":
        return None
    result.resource_policy_arn = resource_arn
    return result


def _policy_problem(text) -> str | None:
    try:
        document = json.loads(text or "")
    except ValueError:
        return "Invalid policy document: it is not JSON"
    statements = document.get("Statement") if isinstance(document, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        return "Invalid policy document: it has no Statement"
    for statement in statements:
        if not isinstance(statement, dict) or not statement.get("Action") or not statement.get("Effect"):
            return "Invalid policy document: a statement needs Effect and Action"
        if "NotPrincipal" in statement:
            return "Invalid policy document: the local AWS cannot evaluate NotPrincipal; use a condition"
        if "Principal" not in statement:
            return "Invalid policy document: a statement needs a Principal"
    return None


def dynamodb_resources() -> None:
    """Calls that name a table by ResourceArn or inside other parameters are authorized on that table."""

    @around(iam_actions, "dynamodb_resource_arns")
    def dynamodb_resource_arns(original, body, region, account_id):
        return original(body, region, account_id) or _named_tables(_json_object(body), region, account_id)


def _named_tables(data: dict, region: str, account: str) -> list[str]:
    arn = data.get("ResourceArn")
    if isinstance(arn, str) and arn.startswith("arn:"):
        return [arn]
    created = data.get("TableCreationParameters")
    name = data.get("TargetTableName") or (created.get("TableName") if isinstance(created, dict) else None)
    if isinstance(name, str) and name:
        return [iam_actions._dynamodb_table_arn(name, region, account)]
    arn = data.get("ImportArn") or data.get("BackupArn")
    return [arn] if isinstance(arn, str) else []


def partiql_actions() -> None:
    """A PartiQL statement needs the action of its verb on the table it names."""

    @around(iam_actions, "dynamodb_transaction_checks")
    def dynamodb_transaction_checks(original, iam_action, body, region, account_id):
        call = iam_action.partition(":")[2]
        if call not in PARTIQL_CALLS:
            return original(iam_action, body, region, account_id)
        checks = []
        for statement in _partiql_statements(call, _json_object(body)):
            named = PARTIQL_TABLE.match(statement)
            if named:
                action = PARTIQL_ACTIONS[statement.split(None, 1)[0].upper()]
                arn = iam_actions._dynamodb_table_arn(named.group(1), region, account_id)
                checks.append((f"dynamodb:{action}", arn))
        return checks


def _partiql_statements(call: str, data: dict) -> list[str]:
    given = data.get(PARTIQL_CALLS[call])
    if call == "ExecuteStatement":
        given = [{"Statement": given}]
    return [entry["Statement"] for entry in given or [] if isinstance(entry.get("Statement"), str)]


def queue_batch_actions() -> None:
    """SQS knows no action for a batch: it needs the action of the single call."""

    @around(iam_actions, "extract_iam_action")
    def extract_iam_action(original, service, *args):
        action = original(service, *args)
        return action.removesuffix("Batch") if service == "sqs" and action else action


def principal_arn() -> None:
    """``aws:PrincipalArn`` of a role session is the role's ARN, not the session's."""

    @around(iam_evaluator, "_resolve_condition_key")
    def resolve_condition_key(original, key, context):
        value = original(key, context)
        if key.lower() == "aws:principalarn" and ":assumed-role/" in str(value):
            return role_arn_of(value)
        return value


def leading_keys() -> None:
    """``dynamodb:LeadingKeys`` holds the partition keys that a request names."""

    @around(iam_actions, "dynamodb_service_context")
    def dynamodb_service_context(original, body):
        context = original(body)
        keys = _leading_keys(_json_object(body))
        return {**context, "dynamodb:LeadingKeys": keys} if keys else context


def _leading_keys(data: dict) -> list[str]:
    table, items = data.get("TableName"), [data[member] for member in ("Key", "Item") if member in data]
    found = [_partition_key(table, item) for item in items]
    condition = data.get("KeyConditionExpression")
    if condition:
        found.append(_partition_key_of_condition(data, table, condition))
    for name, request in (data.get("RequestItems") or {}).items():
        if isinstance(request, dict):
            found += [_partition_key(name, key) for key in request.get("Keys", ())]
        else:
            writes = [list(write.values())[0] for write in request]
            found += [_partition_key(name, write.get("Item") or write.get("Key")) for write in writes]
    for entry in data.get("TransactItems") or ():
        for operation in entry.values():
            item = operation.get("Item") or operation.get("Key")
            found.append(_partition_key(operation.get("TableName"), item))
    return [key for key in found if key is not None]


def _partition_key(table: str | None, item) -> str | None:
    name = (dynamodb._tables.get(dynamodb._normalize_table_name(table)) or {}).get("pk_name")
    value = item.get(name) if isinstance(item, dict) else None
    return str(next(iter(value.values()))) if isinstance(value, dict) and value else None


def _partition_key_of_condition(data: dict, table: str | None, condition: str) -> str | None:
    """The value that the key condition compares the partition key with."""
    values, names = data.get("ExpressionAttributeValues") or {}, data.get("ExpressionAttributeNames") or {}
    for left, right in re.findall(r"([#\w.-]+)\s*=\s*(:\w+)", condition):
        key = _partition_key(table, {names.get(left, left): values.get(right)})
        if key is not None:
            return key
    return None


def role_arn_of(session_arn: str) -> str:
    """The ARN of the role behind ``arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION``, with the role's path."""
    account, name = session_arn.split(":")[4], session_arn.split("/")[1]
    role = iam._roles.get_scoped(account, None, name) or {}
    return role.get("Arn") or f"arn:aws:iam::{account}:role/{name}"


def _json_object(body: bytes) -> dict:
    try:
        data = json.loads(body or b"{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


BEHAVIOURS = (
    resource_policies,
    dynamodb_resources,
    partiql_actions,
    queue_batch_actions,
    principal_arn,
    leading_keys,
)
