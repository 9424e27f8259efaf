"""How a DynamoDB table comes and goes."""

from support import (
    create_table,
    error_of,
    eventually,
    finished_import,
    proves,
    start_import,
    table_arn,
    table_parameters,
)

ITEM = {"id": {"S": "a"}}


def status(dynamodb, table: str) -> str | None:
    try:
        return dynamodb.describe_table(TableName=table)["Table"]["TableStatus"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return None


@proves("creating_state")
def test_a_new_table_is_creating_and_takes_no_items_yet(aws):
    aws.settings(tables={"creating_seconds": 1.5})
    dynamodb = aws.client("dynamodb")
    table = create_table(aws, wait=False)
    assert status(dynamodb, table) == "CREATING"
    assert error_of(lambda: dynamodb.put_item(TableName=table, Item=ITEM))[0] == "ResourceNotFoundException"
    assert error_of(lambda: dynamodb.delete_table(TableName=table))[0] == "ResourceInUseException"
    eventually(lambda: status(dynamodb, table) == "ACTIVE")
    dynamodb.put_item(TableName=table, Item=ITEM)


@proves("creating_state")
def test_a_new_table_may_not_be_found_at_first(aws):
    aws.settings(tables={"unseen_seconds": 1.5})
    dynamodb = aws.client("dynamodb")
    table = create_table(aws, wait=False)
    assert status(dynamodb, table) is None
    code, _ = error_of(lambda: dynamodb.list_tags_of_resource(ResourceArn=table_arn(table)))
    assert code == "ResourceNotFoundException"
    assert table in [name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"]]
    eventually(lambda: status(dynamodb, table) == "ACTIVE")


@proves("creating_state")
def test_a_table_is_creating_until_its_import_has_finished(aws):
    dynamodb = aws.client("dynamodb")
    table, arn = start_import(aws, [ITEM])
    eventually(lambda: status(dynamodb, table) == "CREATING")
    assert finished_import(aws, arn)["ImportedItemCount"] == 1
    assert status(dynamodb, table) == "ACTIVE"
    assert dynamodb.scan(TableName=table)["Items"] == [ITEM]


@proves("deleting_state")
def test_a_deleted_table_is_deleting_for_a_while(aws):
    dynamodb, table = aws.client("dynamodb"), create_table(aws)
    aws.settings(tables={"deleting_seconds": 1.5})
    dynamodb.delete_table(TableName=table)
    assert status(dynamodb, table) == "DELETING"
    dynamodb.delete_table(TableName=table)
    assert error_of(lambda: dynamodb.create_table(**table_parameters(table)))[0] == "ResourceInUseException"
    eventually(lambda: status(dynamodb, table) is None)


@proves("item_count_lag")
def test_the_item_count_of_a_fresh_table_is_zero(aws):
    dynamodb, table = aws.client("dynamodb"), create_table(aws)
    dynamodb.put_item(TableName=table, Item=ITEM)
    found = dynamodb.describe_table(TableName=table)["Table"]
    assert (found["ItemCount"], found["TableSizeBytes"]) == (0, 0)
    aws.settings(tables={"item_count_lag_seconds": 0})
    assert dynamodb.describe_table(TableName=table)["Table"]["ItemCount"] == 1


def test_a_protected_table_is_not_deleted(aws):
    dynamodb, table = aws.client("dynamodb"), create_table(aws, DeletionProtectionEnabled=True)
    assert "protected against deletion" in error_of(lambda: dynamodb.delete_table(TableName=table))[1]
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=table)


def described(aws, table: str) -> dict:
    return aws.client("dynamodb").describe_table(TableName=table)["Table"]


@proves("creation_time")
def test_the_order_of_two_creations_in_a_second_is_seen(aws):
    times = [described(aws, create_table(aws, wait=False))["CreationDateTime"] for _ in range(4)]
    assert times == sorted(set(times)), times


@proves("warm_throughput")
def test_a_table_is_warm_for_what_it_may_be_asked_and_gets_no_colder(aws):
    aws.settings(tables={"creating_seconds": 0.5})
    dynamodb, table = aws.client("dynamodb"), create_table(aws)

    def warm(name: str) -> tuple[int, int]:
        found = described(aws, name)["WarmThroughput"]
        return found["ReadUnitsPerSecond"], found["WriteUnitsPerSecond"]

    assert warm(table) == (12_000, 4_000)
    capacity = {"ReadCapacityUnits": 30, "WriteCapacityUnits": 20}
    assert warm(create_table(aws, BillingMode="PROVISIONED", ProvisionedThroughput=capacity)) == (30, 20)
    assert warm(create_table(aws, WarmThroughput={"ReadUnitsPerSecond": 15_000})) == (15_000, 4_000)

    dynamodb.update_table(TableName=table, WarmThroughput={"ReadUnitsPerSecond": 20_000})
    found = described(aws, table)
    assert (found["TableStatus"], found["WarmThroughput"]["Status"], warm(table)) == (
        "UPDATING", "UPDATING", (20_000, 4_000),
    )  # fmt: skip
    eventually(lambda: described(aws, table)["WarmThroughput"]["Status"] == "ACTIVE")
    assert status(dynamodb, table) == "ACTIVE"
    code, message = error_of(
        lambda: dynamodb.update_table(TableName=table, WarmThroughput={"ReadUnitsPerSecond": 19_999})
    )
    assert code == "ValidationException" and "decreasing WarmThroughput" in message


INDEX = {
    "IndexName": "by-kind",
    "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
KEYS = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "kind")]


def test_a_table_shows_its_indexes_and_limits_from_its_creation_and_from_updates(aws):
    dynamodb = aws.client("dynamodb")
    limits = {"MaxReadRequestUnits": 500, "MaxWriteRequestUnits": 40}
    options = {"AttributeDefinitions": KEYS, "GlobalSecondaryIndexes": [INDEX], "OnDemandThroughput": limits}
    found = described(aws, create_table(aws, **options))
    assert [(one["IndexName"], one["IndexStatus"]) for one in found["GlobalSecondaryIndexes"]] == [
        ("by-kind", "ACTIVE")
    ]
    assert (found["OnDemandThroughput"], found["BillingModeSummary"]["BillingMode"]) == (limits, "PAY_PER_REQUEST")

    plain = create_table(aws)
    assert {"GlobalSecondaryIndexes", "OnDemandThroughput", "Replicas"}.isdisjoint(described(aws, plain))
    index = {"GlobalSecondaryIndexUpdates": [{"Create": INDEX}], "AttributeDefinitions": KEYS}
    capacity = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}
    dynamodb.update_table(TableName=plain, OnDemandThroughput=limits)
    dynamodb.update_table(TableName=plain, **index)
    dynamodb.update_table(TableName=plain, ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])
    found = described(aws, plain)
    assert [one["IndexName"] for one in found["GlobalSecondaryIndexes"]] == ["by-kind"]
    assert found["OnDemandThroughput"] == limits
    assert [(one["RegionName"], one["ReplicaStatus"]) for one in found["Replicas"]] == [("eu-west-1", "ACTIVE")]
    dynamodb.update_table(TableName=plain, BillingMode="PROVISIONED", ProvisionedThroughput=capacity)
    found = described(aws, plain)
    assert found["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert {name: found["ProvisionedThroughput"][name] for name in capacity} == capacity


def test_a_table_shows_its_time_to_live_and_ends_with_it(aws):
    dynamodb, table = aws.client("dynamodb"), create_table(aws)

    def time_to_live() -> dict:
        return dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]

    assert time_to_live() == {"TimeToLiveStatus": "DISABLED"}
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    assert time_to_live() == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    aws.settings(tables={"deleting_seconds": 0})
    dynamodb.delete_table(TableName=table)
    dynamodb.create_table(**table_parameters(table))
    assert time_to_live() == {"TimeToLiveStatus": "DISABLED"}
