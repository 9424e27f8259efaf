"""How a DynamoDB table comes and goes: states that last, and counts that are hours old."""

import json
import time

from ministack.core import responses
from ministack.services import dynamodb

from aws import settings
from aws.patching import around

ITEM_CALLS = frozenset(
    {
        "PutItem", "GetItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchWriteItem", "BatchGetItem",
        "TransactWriteItems", "TransactGetItems", "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction",
    }
)  # fmt: skip
LOOKUPS = frozenset({"DescribeTable", "ListTagsOfResource"})
BORN, ACTIVE_AT, WARM_AT = "septet_born", "septet_active_at", "septet_warm_at"
ON_DEMAND = {"Read": 12_000, "Write": 4_000}


def creating_state() -> None:
    """A new table is CREATING first: not there for its items, and at first not even for DescribeTable."""

    @around(dynamodb, "_create_table")
    def create_table(original, data):
        answer = original(data)
        if answer[0] != 200:
            return answer
        table = dynamodb._tables[dynamodb._normalize_table_name(data["TableName"])]
        table[BORN] = time.monotonic()
        table[ACTIVE_AT] = table[BORN] + settings.get("tables", "creating_seconds")
        return responses.json_response({"TableDescription": dynamodb._table_description(table["TableName"])})

    @around(dynamodb, "_import_table")
    def import_table(original, data):
        answer = original(data)
        if answer[0] == 200:
            table = dynamodb._tables[data["TableCreationParameters"]["TableName"]]
            table[ACTIVE_AT] = float("inf")  # until the import has finished
        return answer

    @around(dynamodb, "_finish_import")
    def finish_import(original, description, status, *failure):
        name = description["TableArn"].partition(":table/")[2]
        if name in dynamodb._tables:
            dynamodb._tables[name][ACTIVE_AT] = 0.0
        return original(description, status, *failure)

    @around(dynamodb, "_table_description")
    def table_description(original, name):
        description = original(name)
        if _is_creating(name):
            description["TableStatus"] = "CREATING"
        return description

    @around(dynamodb, "handle_request")
    async def handle_request(original, method, path, headers, body, query_params):
        refusal = _refusal_while_creating(headers, body)
        return refusal or await original(method, path, headers, body, query_params)


def _is_creating(name: str) -> bool:
    table = dynamodb._tables.get(name)
    return table is not None and time.monotonic() < table.get(ACTIVE_AT, 0.0)


def _refusal_while_creating(headers: dict, body: bytes):
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    if action not in ITEM_CALLS | LOOKUPS | {"DeleteTable", "UpdateTable"}:
        return None
    for name in _tables_in(body):
        table = dynamodb._tables.get(name)
        if table is None:
            continue
        if action in LOOKUPS:
            if time.monotonic() < table.get(BORN, 0.0) + settings.get("tables", "unseen_seconds"):
                return _not_found(f"Requested resource not found: Table: {name} not found")
        elif not _is_creating(name):
            continue
        elif action in ITEM_CALLS:
            return _not_found("Requested resource not found")
        else:
            return responses.error_response_json(
                "ResourceInUseException",
                f"Attempt to change a resource which is still in use: Table is being created: {name}",
                400,
            )
    return None


def _tables_in(body: bytes) -> set[str]:
    """The tables a request names, wherever they stand in it."""
    try:
        data = json.loads(body or b"{}")
    except ValueError:
        return set()
    names = {data.get("TableName"), data.get("ResourceArn")}
    names.update(data["RequestItems"] if isinstance(data.get("RequestItems"), dict) else ())
    for entry in data.get("TransactItems") or ():
        names.update(operation.get("TableName") for operation in entry.values())
    return {dynamodb._normalize_table_name(name) for name in names if isinstance(name, str)}


def _not_found(message: str):
    return responses.error_response_json("ResourceNotFoundException", message, 400)


def deleting_state() -> None:
    """A deleted table is DELETING for a while: it is still described and its name is still taken."""
    going: dict[tuple[str, str, str], tuple[float, dict]] = {}

    def description_of(name) -> dict | None:
        key = (responses.get_account_id(), responses.get_region(), dynamodb._normalize_table_name(name or ""))
        until, description = going.get(key, (0.0, None))
        return description if time.monotonic() < until else None

    @around(dynamodb, "_delete_table")
    def delete_table(original, data):
        description = description_of(data.get("TableName"))
        if description:
            return responses.json_response({"TableDescription": description})
        answer = original(data)
        seconds = settings.get("tables", "deleting_seconds")
        if answer[0] == 200 and seconds:
            description = json.loads(answer[2])["TableDescription"]
            key = (responses.get_account_id(), responses.get_region(), description["TableName"])
            going[key] = (time.monotonic() + seconds, description)
        return answer

    @around(dynamodb, "_describe_table")
    def describe_table(original, data):
        description = description_of(data.get("TableName"))
        return responses.json_response({"Table": description}) if description else original(data)

    @around(dynamodb, "_create_table")
    def create_table(original, data):
        if description_of(data.get("TableName")):
            message = f"Table is being deleted: {data['TableName']}"
            return responses.error_response_json("ResourceInUseException", message, 400)
        return original(data)


def item_count_lag() -> None:
    """ItemCount and TableSizeBytes are those of hours ago: zero on a fresh table."""

    @around(dynamodb, "_table_description")
    def table_description(original, name):
        description = original(name)
        if time.time() - description["CreationDateTime"] < settings.get("tables", "item_count_lag_seconds"):
            description["ItemCount"] = description["TableSizeBytes"] = 0
        return description


def creation_time() -> None:
    """The creation time of a table has milliseconds, so that it tells which of two tables of a second is older."""

    @around(dynamodb, "_create_table")
    def create_table(original, data):
        answer = original(data)
        if answer[0] != 200:
            return answer
        table = dynamodb._tables[dynamodb._normalize_table_name(data["TableName"])]
        table["CreationDateTime"] = round(time.time(), 3)
        return responses.json_response({"TableDescription": dynamodb._table_description(table["TableName"])})


def warm_throughput() -> None:
    """A table is warm for what it is provisioned for, on demand for 12,000 reads and 4,000 writes a second.

    UpdateTable raises that, which takes as long as a creation, and never lowers it.
    """

    @around(dynamodb, "_create_table")
    def create_table(original, data):
        answer = original(data)
        if answer[0] != 200:
            return answer
        table = dynamodb._tables[dynamodb._normalize_table_name(data["TableName"])]
        given, provisioned = data.get("WarmThroughput") or {}, data.get("ProvisionedThroughput") or {}
        table["WarmThroughput"] = {
            f"{kind}UnitsPerSecond": int(
                given.get(f"{kind}UnitsPerSecond") or provisioned.get(f"{kind}CapacityUnits") or ON_DEMAND[kind]
            )
            for kind in ON_DEMAND
        }
        return responses.json_response({"TableDescription": dynamodb._table_description(table["TableName"])})

    @around(dynamodb, "_update_table")
    def update_table(original, data):
        wanted = data.get("WarmThroughput")
        table = dynamodb._tables.get(dynamodb._normalize_table_name(data.get("TableName"))) or {}
        before = table.get("WarmThroughput") or {}
        if wanted and any(int(units) < before.get(name, 0) for name, units in wanted.items()):
            message = "One or more parameter values were invalid: decreasing WarmThroughput is not supported"
            return responses.error_response_json("ValidationException", message, 400)
        answer = original(data)
        if answer[0] != 200 or not wanted:
            return answer
        table["WarmThroughput"] = {**before, **{name: int(units) for name, units in wanted.items()}}
        table[WARM_AT] = time.monotonic() + settings.get("tables", "creating_seconds")
        return responses.json_response({"TableDescription": dynamodb._table_description(table["TableName"])})

    @around(dynamodb, "_table_description")
    def table_description(original, name):
        description, table = original(name), dynamodb._tables[name]
        if "WarmThroughput" in table:
            updating = time.monotonic() < table.get(WARM_AT, 0.0)
            status = "UPDATING" if updating else "ACTIVE"
            description["WarmThroughput"] = {**table["WarmThroughput"], "Status": status}
            if updating and description["TableStatus"] == "ACTIVE":
                description["TableStatus"] = status
        return description


BEHAVIOURS = (creating_state, deleting_state, item_count_lag, creation_time, warm_throughput)
