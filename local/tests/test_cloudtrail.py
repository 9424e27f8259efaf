"""CloudTrail's records on the default bus."""

import json
import time
from pathlib import Path

from support import (
    ACCOUNT,
    allow,
    create_queue,
    create_role,
    create_table,
    error_of,
    eventually,
    proves,
    receive,
    role_session,
    table_arn,
    table_parameters,
    unique,
    user_session,
)  # fmt: skip

SAMPLES = Path(__file__).resolve().parents[2] / "events"


def listen(aws) -> str:
    """A queue that gets every event of DynamoDB from now on."""
    events, name = aws.client("events"), unique("rule")
    url, arn = create_queue(aws, policy_for="events.amazonaws.com")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.dynamodb"]}))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return url


def records(aws, queue: str, count: int, table: str | None = None) -> list[dict]:
    """The next ``count`` events, of one table if given."""
    found: list[dict] = []

    def look():
        for message in receive(aws, queue):
            event = json.loads(message["Body"])
            if table is None or table in json.dumps(event["detail"]):
                found.append(event)
        return len(found) >= count

    eventually(look)
    return found


def paths(value, prefix: str = "") -> set[str]:
    """Every key of a document with its place."""
    if isinstance(value, dict):
        return {
            place for key, inner in value.items() for place in {f"{prefix}.{key}", *paths(inner, f"{prefix}.{key}")}
        }
    if isinstance(value, list):
        return {place for inner in value for place in paths(inner, f"{prefix}[]")}
    return set()


def sample(name: str) -> dict:
    return json.loads((SAMPLES / f"{name}.json").read_text())


@proves("cloudtrail")
def test_a_table_created_by_a_role_is_recorded_in_the_shape_of_the_sample(aws):
    queue = listen(aws)
    role = create_role(aws, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, allow("dynamodb:*"))
    dynamodb, table = aws.client("dynamodb", **role_session(aws, role)), unique("recs")
    dynamodb.create_table(**table_parameters(table), SSESpecification={"Enabled": False})

    event = records(aws, queue, 1, table)[0]
    missing = paths(sample("createtable")) - paths(event)
    assert missing <= {".detail.userIdentity.sessionContext.ec2RoleDelivery"}
    detail = event["detail"]
    assert detail["requestParameters"]["sSESpecification"] == {"enabled": False}
    assert detail["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] == role
    assert detail["resources"][0]["ARN"] == table_arn(table)
    assert detail["responseElements"]["tableDescription"]["tableId"]


@proves("cloudtrail")
def test_failed_calls_are_recorded_and_a_denied_one_without_its_parameters(aws):
    queue, table = listen(aws), create_table(aws, "recs")
    nobody = aws.client("dynamodb", **user_session(aws, allow("sqs:SendMessage")))
    error_of(lambda: nobody.create_table(**table_parameters(f"{table}-denied")))
    error_of(lambda: aws.client("dynamodb").create_table(**table_parameters(table)))

    events = {event["detail"].get("errorCode"): event["detail"] for event in records(aws, queue, 3)}
    denied, refused = events["AccessDenied"], events["ResourceInUseException"]
    assert denied["requestParameters"] is None and denied["responseElements"] is None
    assert denied.keys() == sample("createtable-failed")["detail"].keys()
    assert refused["requestParameters"]["tableName"] == table and refused["responseElements"] is None


@proves("cloudtrail")
def test_imports_restores_and_tags_name_the_table_where_aws_does(aws):
    queue, dynamodb, table = listen(aws), aws.client("dynamodb"), create_table(aws, "recs")
    backup = dynamodb.create_backup(TableName=table, BackupName="before")["BackupDetails"]["BackupArn"]
    aws.client("s3").create_bucket(Bucket=f"{table}-bucket")
    tags = [{"Key": "septet:ready", "Value": "yes"}]
    dynamodb.import_table(
        S3BucketSource={"S3Bucket": f"{table}-bucket"},
        InputFormat="DYNAMODB_JSON",
        TableCreationParameters=table_parameters(f"{table}-imported"),
    )
    dynamodb.restore_table_from_backup(TargetTableName=f"{table}-restored", BackupArn=backup)
    dynamodb.tag_resource(ResourceArn=table_arn(table), Tags=tags)
    dynamodb.delete_table(TableName=table_arn(table))

    found = {event["detail"]["eventName"]: event for event in records(aws, queue, 5, table)}
    request = {name: event["detail"]["requestParameters"] for name, event in found.items()}
    assert request["ImportTable"]["tableCreationParameters"]["tableName"] == f"{table}-imported"
    assert request["RestoreTableFromBackup"]["targetTableName"] == f"{table}-restored"
    assert request["TagResource"] == {
        "resourceArn": table_arn(table), "tags": [{"key": "septet:ready", "value": "yes"}]
    }  # fmt: skip
    assert request["DeleteTable"]["tableName"] == table_arn(table)
    assert found["TagResource"]["detail"]["responseElements"] is None
    for name, file in (
        ("TagResource", "tagresource"),
        ("DeleteTable", "deletetable"),
        ("ImportTable", "importtable"),
    ):
        # What a sample has by way of its own caller, options and answer is not what this call had.
        fixed = {key for key in sample(file)["detail"] if key not in ("userIdentity", "requestParameters")}
        assert fixed <= found[name]["detail"].keys()


@proves("cloudtrail")
def test_records_come_late_twice_and_in_another_order_if_asked(aws):
    queue, dynamodb, table = listen(aws), aws.client("dynamodb"), create_table(aws, "recs")
    records(aws, queue, 1, table)
    aws.settings(cloudtrail={"delay": 1.0, "copies": 2, "shuffle": True})
    started = time.monotonic()
    for number in range(6):
        tag = [{"Key": "number", "Value": str(number)}]
        dynamodb.tag_resource(ResourceArn=table_arn(table), Tags=tag)
    found = [event["detail"] for event in records(aws, queue, 12, table)]
    assert time.monotonic() - started >= 1.0
    numbers = [detail["requestParameters"]["tags"][0]["value"] for detail in found]
    assert sorted(numbers) == sorted("001122334455") and numbers != sorted(numbers)
    assert len({detail["eventID"] for detail in found}) == 6, "copies share the event id"


@proves("cloudtrail")
def test_delivery_can_be_switched_off(aws):
    queue, table = listen(aws), unique("recs")
    aws.settings(cloudtrail={"enabled": False})
    aws.client("dynamodb").create_table(**table_parameters(f"{table}-unseen"))
    aws.settings(cloudtrail={"enabled": True})
    aws.client("dynamodb").create_table(**table_parameters(f"{table}-seen"))
    event = records(aws, queue, 1, table)[0]
    assert event["detail"]["requestParameters"]["tableName"] == f"{table}-seen"


def test_nobody_else_may_speak_for_aws(aws):
    entry = {"Source": "aws.dynamodb", "DetailType": "AWS API Call via CloudTrail", "Detail": "{}"}
    answer = aws.client("events").put_events(Entries=[entry])
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
