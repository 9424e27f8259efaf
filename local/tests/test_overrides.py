"""What a test changes of a table through the control plane."""

import pytest
import stack
from support import create_table, finished_import, start_import, table_metric, unique

WRITES = "ConsumedWriteCapacityUnits"
HOUR = 3600


def described(aws, table: str) -> dict:
    return aws.client("dynamodb").describe_table(TableName=table)["Table"]


def put(aws, table: str) -> None:
    aws.client("dynamodb").put_item(TableName=table, Item={"id": {"S": "a"}})


def test_a_table_is_made_older_with_its_metrics_and_no_other_table_is(aws):
    table, other = create_table(aws), create_table(aws)
    for name in (table, other):
        put(aws, name)
    before, of_other = described(aws, table), described(aws, other)["CreationDateTime"]
    ((minute, _),), of_other_metric = table_metric(aws, table, WRITES), table_metric(aws, other, WRITES)
    aged = aws.age(table, 3 * HOUR)
    assert aged == pytest.approx(before["CreationDateTime"].timestamp() - 3 * HOUR)
    after = described(aws, table)
    assert (before["CreationDateTime"] - after["CreationDateTime"]).total_seconds() == 3 * HOUR
    assert after["TableId"] == before["TableId"]
    # Each time it is made older by so much.
    put(aws, table)
    aws.age(table, HOUR)
    (first, one), (second, other_one) = table_metric(aws, table, WRITES)
    assert (first, one, other_one) == (minute - 4 * HOUR, 1, 1)
    assert second - first in (3 * HOUR, 3 * HOUR + 60)
    assert described(aws, other)["CreationDateTime"] == of_other
    assert table_metric(aws, other, WRITES) == of_other_metric


def test_an_import_is_made_older_with_its_table(aws):
    table, arn = start_import(aws, [{"id": {"S": "a"}}])
    before = finished_import(aws, arn)
    aws.age(table, HOUR)
    after = finished_import(aws, arn)
    assert {(before[name] - after[name]).total_seconds() for name in ("StartTime", "EndTime")} == {HOUR}


def test_describe_table_answers_what_a_test_asked_for_until_it_is_taken_back(aws):
    table, other = create_table(aws), create_table(aws)
    before = described(aws, table)
    replicas = [{"RegionName": "eu-west-1", "ReplicaStatus": "ACTIVE"}]
    warm = {"ReadUnitsPerSecond": 15_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"}
    aws.describe(table, Replicas=replicas, TableStatus="UPDATING")
    aws.describe(table, WarmThroughput=warm)
    assert described(aws, table) == {
        **before, "Replicas": replicas, "TableStatus": "UPDATING", "WarmThroughput": warm,
    }  # fmt: skip
    assert described(aws, other)["TableStatus"] == "ACTIVE"
    assert aws.describe(table, Replicas=None, WarmThroughput=None) == {"TableStatus": "UPDATING"}
    aws.describe(table, TableStatus=None)
    assert described(aws, table) == before
    # A new table of the name starts without.
    aws.describe(table, Replicas=replicas)
    aws.settings(tables={"deleting_seconds": 0})
    aws.client("dynamodb").delete_table(TableName=table)
    parameters = {name: before[name] for name in ("TableName", "AttributeDefinitions", "KeySchema")}
    aws.client("dynamodb").create_table(**parameters, BillingMode="PAY_PER_REQUEST")
    assert "Replicas" not in described(aws, table)


@pytest.mark.parametrize(
    "path, wanted, says",
    [
        ("age", {"table": "TABLE", "seconds": -1}, "seconds must be a number"),
        ("age", {"table": "TABLE"}, "it needs table and seconds"),
        ("age", {"table": unique("no"), "seconds": 1}, "no table"),
        ("describe", {"table": "TABLE", "members": ["Replicas"]}, "members must be an object"),
        ("describe", {"table": "TABLE", "members": {}, "more": 1}, "it needs table and members"),
        ("describe", {"table": unique("no"), "members": {}}, "no table"),
    ],
)
def test_what_makes_no_sense_is_refused(aws, path, wanted, says):
    if wanted["table"] == "TABLE":
        wanted = {**wanted, "table": create_table(aws, wait=False)}
    with pytest.raises(stack.LocalAwsError, match=says):
        aws.control("POST", path, wanted)
