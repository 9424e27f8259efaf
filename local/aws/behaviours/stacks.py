"""What CloudFormation does to tables and functions, where ministack's CloudFormation ignores a property."""

import json

from ministack.services import dynamodb, lambda_svc
from ministack.services.cloudformation import provisioners

from aws.behaviours.deliveries import trusts
from aws.patching import around

TABLE, FUNCTION = "AWS::DynamoDB::Table", "AWS::Lambda::Function"


def _around_handler(resource_type: str, operation: str, name: str):
    """Replaces a provisioner both as the function other provisioners call and in the table of handlers."""

    def replace(function):
        replacement = around(provisioners, name)(function)
        provisioners._RESOURCE_HANDLERS[resource_type][operation] = replacement
        return replacement

    return replace


def existing_tables_are_kept() -> None:
    """A stack that would create a table that exists fails; the table keeps its items."""

    @_around_handler(TABLE, "create", "_ddb_create")
    def create(original, logical_id, props, stack_name):
        name = props.get("TableName")
        if name and name in dynamodb._tables:
            raise ValueError(f"Resource of type '{TABLE}' with identifier '{name}' already exists.")
        return original(logical_id, props, stack_name)


def protected_tables_are_kept() -> None:
    """A stack cannot delete a table with deletion protection."""

    @_around_handler(TABLE, "delete", "_ddb_delete")
    def delete(original, physical_id, props):
        table = dynamodb._tables.get(physical_id)
        if table and _flag(table.get("DeletionProtectionEnabled")):
            raise ValueError(
                "Resource cannot be deleted as it is currently protected against deletion. "
                "Disable deletion protection first."
            )
        return original(physical_id, props)


def table_properties() -> None:
    """PITR, TTL, resource policy, stream and deletion protection of a table are applied, and end with it."""

    @_around_handler(TABLE, "create", "_ddb_create")
    def create(original, logical_id, props, stack_name):
        name, attributes = original(logical_id, _with_flags(props), stack_name)
        table = dynamodb._tables[name]
        if table.get("StreamSpecification"):
            label = dynamodb._stream_label()
            table["LatestStreamLabel"] = label
            table["LatestStreamArn"] = attributes["StreamArn"] = f"{table['TableArn']}/stream/{label}"
        _apply_table_properties(name, {}, props)
        return name, attributes

    @_around_handler(TABLE, "update", "_ddb_update")
    def update(original, physical_id, old_props, new_props, stack_name, logical_id=None):
        name, attributes = original(physical_id, _with_flags(old_props), _with_flags(new_props), stack_name, logical_id)
        _apply_table_properties(name, old_props if name == physical_id else {}, new_props)
        return name, attributes

    @_around_handler(TABLE, "delete", "_ddb_delete")
    def delete(original, physical_id, props):
        table = dynamodb._tables.get(physical_id)
        original(physical_id, props)
        if table:
            for store in (dynamodb._ttl_settings, dynamodb._pitr_settings):
                store.pop(physical_id, None)
            for store in (dynamodb._resource_policies, dynamodb._tags):
                store.pop(table["TableArn"], None)


def _with_flags(props: dict) -> dict:
    if "DeletionProtectionEnabled" not in props:
        return props
    return {**props, "DeletionProtectionEnabled": _flag(props["DeletionProtectionEnabled"])}


def _apply_table_properties(name: str, old: dict, new: dict) -> None:
    """Calls the API for each property that changed; one that went away returns to its default."""
    arn = dynamodb._tables[name]["TableArn"]

    def changed(prop: str) -> bool:
        return old.get(prop) != new.get(prop)

    if changed("PointInTimeRecoverySpecification"):
        enabled = _flag((new.get("PointInTimeRecoverySpecification") or {}).get("PointInTimeRecoveryEnabled"))
        spec = {"PointInTimeRecoveryEnabled": enabled}
        _call(
            "UpdateContinuousBackups",
            dynamodb._update_continuous_backups,
            name,
            PointInTimeRecoverySpecification=spec,
        )
    if changed("TimeToLiveSpecification"):
        given = new.get("TimeToLiveSpecification")
        attribute = (given or old["TimeToLiveSpecification"]).get("AttributeName")
        spec = {"Enabled": bool(given) and _flag(given.get("Enabled", True)), "AttributeName": attribute}
        _call("UpdateTimeToLive", dynamodb._update_ttl, name, TimeToLiveSpecification=spec)
    if changed("ResourcePolicy"):
        if not new.get("ResourcePolicy"):
            _call("DeleteResourcePolicy", dynamodb._delete_resource_policy, name, ResourceArn=arn)
            return
        document = new["ResourcePolicy"]["PolicyDocument"]
        text = document if isinstance(document, str) else json.dumps(document)
        _call("PutResourcePolicy", dynamodb._put_resource_policy, name, ResourceArn=arn, Policy=text)


def _call(operation: str, handler, table: str, **parameters) -> None:
    status, _, content = handler({"TableName": table, **parameters})
    if status >= 400:
        raise ValueError(f"{TABLE} {operation} failed: {content.decode()}")


def function_properties() -> None:
    """DeadLetterConfig, ReservedConcurrentExecutions and RecursiveLoop hold; MemorySize is checked."""

    @_around_handler(FUNCTION, "create", "_lambda_create")
    def create(original, logical_id, props, stack_name):
        _check_memory(props)
        name, attributes = original(logical_id, props, stack_name)
        _apply_function_properties(name, props)
        return name, attributes

    @_around_handler(FUNCTION, "update", "_lambda_update")
    def update(original, physical_id, old_props, new_props, stack_name, logical_id=None):
        _check_memory(new_props)
        name, attributes = original(physical_id, old_props, new_props, stack_name, logical_id)
        _apply_function_properties(name, new_props)
        return name, attributes


def _check_memory(props: dict) -> None:
    memory = int(props.get("MemorySize", 128))
    if not 128 <= memory <= 10240:
        raise ValueError(
            f"1 validation error detected: Value '{memory}' at 'memorySize' failed to satisfy constraint: "
            "Member must have value between 128 and 10240"
        )


def _apply_function_properties(name: str, props: dict) -> None:
    function = lambda_svc._functions[name]
    if props.get("DeadLetterConfig"):
        function["config"]["DeadLetterConfig"] = props["DeadLetterConfig"]
    else:
        function["config"].pop("DeadLetterConfig", None)
    reserved = props.get("ReservedConcurrentExecutions")
    function["concurrency"] = None if reserved is None else int(reserved)
    function["recursive_loop"] = props.get("RecursiveLoop", "Terminate")


def function_roles() -> None:
    """A stack can give a function only a role that Lambda may assume."""

    @_around_handler(FUNCTION, "create", "_lambda_create")
    def create(original, logical_id, props, stack_name):
        _check_role(props)
        return original(logical_id, props, stack_name)

    @_around_handler(FUNCTION, "update", "_lambda_update")
    def update(original, physical_id, old_props, new_props, stack_name, logical_id=None):
        _check_role(new_props)
        return original(physical_id, old_props, new_props, stack_name, logical_id)


def _check_role(props: dict) -> None:
    if not trusts(props.get("Role", ""), "lambda.amazonaws.com"):
        raise ValueError("The role defined for the function cannot be assumed by Lambda.")


def _flag(value) -> bool:
    """A template's boolean, which may arrive as text."""
    return str(value).lower() == "true"


BEHAVIOURS = (
    existing_tables_are_kept,
    protected_tables_are_kept,
    table_properties,
    function_properties,
    function_roles,
)
