"""A sealed table is changed by nobody: DynamoDB itself refuses, whoever asks."""

import json

import pytest
from botocore.exceptions import ClientError
from dataset import item, table_arn
from waiting import until

CHANGE = {"UpdateExpression": "SET score = :s", "ExpressionAttributeValues": {":s": {"N": "1"}}}


def key(number: int) -> dict:
    """The key of an item."""
    return {"id": item(number)["id"]}


def writes(dynamodb, table: str) -> dict:
    """Every way to change the items of a table that has the items 1 to 9."""
    insert = f"INSERT INTO \"{table}\" VALUE {{'id': 'i-000013', 'score': 1, 'night': 'x'}}"
    update = f"UPDATE \"{table}\" SET score = 1 WHERE id = 'i-000001'"
    delete = f'DELETE FROM "{table}" WHERE id = '
    batch, transaction = dynamodb.batch_write_item, dynamodb.transact_write_items
    changed = {"TableName": table, "Key": key(2), **CHANGE}
    return {
        "PutItem": lambda: dynamodb.put_item(TableName=table, Item=item(10)),
        "UpdateItem": lambda: dynamodb.update_item(**{**changed, "Key": key(1)}),
        "DeleteItem": lambda: dynamodb.delete_item(TableName=table, Key=key(3)),
        "BatchWriteItem put": lambda: batch(RequestItems={table: [{"PutRequest": {"Item": item(11)}}]}),
        "BatchWriteItem delete": lambda: batch(RequestItems={table: [{"DeleteRequest": {"Key": key(4)}}]}),
        "TransactWriteItems put": lambda: transaction(TransactItems=[{"Put": {"TableName": table, "Item": item(12)}}]),
        "TransactWriteItems update": lambda: transaction(TransactItems=[{"Update": changed}]),
        "TransactWriteItems delete": lambda: transaction(
            TransactItems=[{"Delete": {"TableName": table, "Key": key(5)}}]
        ),
        "PartiQL insert": lambda: dynamodb.execute_statement(Statement=insert),
        "PartiQL update": lambda: dynamodb.execute_statement(Statement=update),
        "PartiQL delete": lambda: dynamodb.execute_statement(Statement=f"{delete}'i-000006'"),
        "PartiQL batch": lambda: dynamodb.batch_execute_statement(Statements=[{"Statement": update}]),
        "PartiQL transaction": lambda: dynamodb.execute_transaction(
            TransactStatements=[{"Statement": f"{delete}'i-000007'"}]
        ),
    }


def refusal(call) -> str:
    """What a call is refused with; nothing if it is not."""
    try:
        answer = call()
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    errors = [one["Error"] for one in answer.get("Responses", []) if "Error" in one]
    return "; ".join(f"{error['Code']}: {error.get('Message')}" for error in errors)


def changes(dynamodb, table: str) -> dict:
    """Every way to change a table itself, or what protects it."""
    arn = table_arn(table)
    open_to_all = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "dynamodb:*", "Resource": arn}],
    }
    return {
        "DeleteTable": lambda: dynamodb.delete_table(TableName=table),
        "UpdateTable": lambda: dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False),
        "UpdateTimeToLive": lambda: dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "night"}
        ),
        "PutResourcePolicy": lambda: dynamodb.put_resource_policy(ResourceArn=arn, Policy=json.dumps(open_to_all)),
        "DeleteResourcePolicy": lambda: dynamodb.delete_resource_policy(ResourceArn=arn),
    }


def everything_about(dynamodb, table: str) -> tuple:
    """A table's items, settings and policy, to compare."""
    description = dynamodb.describe_table(TableName=table)["Table"]
    return (
        sorted(json.dumps(one, sort_keys=True) for one in dynamodb.scan(TableName=table)["Items"]),
        {name: description[name] for name in ("TableId", "TableStatus", "DeletionProtectionEnabled")},
        dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"],
        dynamodb.get_resource_policy(ResourceArn=table_arn(table))["Policy"],
    )


def somebody(cloud, who: str):
    match who:
        case "root":
            return cloud.aws.client("dynamodb")
        case "an administrator":
            anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
            return cloud.person("administrator", statements=[anything]).client("dynamodb")
        case "the publisher":
            return cloud.publisher.client("dynamodb")


@pytest.mark.parametrize("who", ["root", "an administrator", "the publisher"])
def test_nobody_changes_a_sealed_table(cloud, dataset, who):
    dynamodb = somebody(cloud, who)
    unsealed = dataset.fill(dataset.create(), 9)
    assert {name: why for name, call in writes(dynamodb, unsealed).items() if (why := refusal(call))} == {}
    table = dataset.publish_and_wait(items=9)["table"]
    before = everything_about(cloud.dynamodb, table)
    for name, call in {**writes(dynamodb, table), **changes(dynamodb, table)}.items():
        why = refusal(call)
        assert "AccessDenied" in why and "explicit deny in a resource-based policy" in why, (name, why)
    assert everything_about(cloud.dynamodb, table) == before


def test_septets_own_roles_may_not_write_either(cloud, dataset):
    table = dataset.publish_and_wait(items=9)["table"]
    before = everything_about(cloud.dynamodb, table)
    for role in ("OnPublishRoleArn", "PruneRoleArn"):
        with cloud.in_the_role(cloud.outputs[role]) as person:
            for name, call in writes(person.client("dynamodb"), table).items():
                assert "AccessDenied" in refusal(call), (role, name)
    assert everything_about(cloud.dynamodb, table) == before


def test_a_table_is_sealed_although_its_publisher_gave_it_a_policy_of_his_own(cloud, dataset):
    table = dataset.written()
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "dynamodb:*"}
    policy = {"Version": "2012-10-17", "Statement": [{**theirs, "Resource": table_arn(table)}]}
    cloud.publisher.client("dynamodb").put_resource_policy(ResourceArn=table_arn(table), Policy=json.dumps(policy))
    dataset.signal(table)
    dataset.until_live(table)
    with pytest.raises(ClientError, match="explicit deny in a resource-based policy"):
        cloud.publisher.client("dynamodb").put_item(TableName=table, Item=item(10))
    sids = [one["Sid"] for one in json.loads(everything_about(cloud.dynamodb, table)[3])["Statement"]]
    assert "Theirs" in sids


def test_prune_deletes_the_tables_it_sealed_and_no_others(cloud, new_dataset):
    dataset = new_dataset(keepNewest=1)
    unsealed = dataset.written()
    old, new = dataset.publish_and_wait()["table"], dataset.publish_and_wait()["table"]

    def swept() -> bool:
        cloud.sweep(dataset.name)
        return dataset.state_of(old) == "deleted"

    until("the old version is deleted", swept)
    until("its table is gone", lambda: dataset.status(old) is None)
    assert {dataset.status(table) for table in (unsealed, new)} == {"ACTIVE"}
    assert dataset.state_of(unsealed) == "announced"
