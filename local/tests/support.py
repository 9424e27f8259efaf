"""What the tests of the local AWS share: names, waiting, identities, and a function that does as it is told."""

import io
import itertools
import json
import sys
import time
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import ClientError

ACCOUNT = "000000000000"
REGION = "us-east-1"
OBEDIENT = Path(__file__).with_name("obedient.py")

DEFAULTS = {
    "cloudtrail": {"enabled": True, "delay": 0.2, "copies": 1, "shuffle": False},
    "tables": {
        "creating_seconds": 0.3,
        "deleting_seconds": 0.2,
        "unseen_seconds": 0.0,
        "item_count_lag_seconds": 21600,
        "policy_seconds": 0.0,
    },
    "alarms": {"tick_seconds": 1.0},
    "metrics": {"behind_seconds": 0.0},
}
"""The settings a local AWS starts with."""

PROOFS: dict[str, list[Callable]] = {}
"""The tests of each behaviour; all of them must fail without it."""

_numbers = itertools.count(1)
_run = uuid.uuid4().hex[:6]


class Impatience:
    """How long ``eventually`` waits: less where a test is meant to fail."""

    seconds = 15.0


def proves(behaviour: str) -> Callable[[Callable], Callable]:
    """Marks a test, of one argument ``aws``, as the proof of a behaviour."""

    def register(test: Callable) -> Callable:
        PROOFS.setdefault(behaviour, []).append(test)
        return test

    return register


def unique(prefix: str) -> str:
    """A name nothing else uses, so that tests can share one local AWS."""
    return f"{prefix}-{_run}-{next(_numbers)}"


def eventually(look: Callable, seconds: float | None = None):
    """Looks again until there is something to see; returns it."""
    deadline = time.monotonic() + (Impatience.seconds if seconds is None else seconds)
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def error_of(call: Callable) -> tuple[str, str]:
    """Code and message of the error that a call must meet."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("the call was not refused")


def table_arn(name: str) -> str:
    """The ARN of a table."""
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def create_table(aws, prefix: str = "table", *, wait: bool = True, **options) -> str:
    """A table with the string key ``id``; returns its name."""
    name = unique(prefix)
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(**{**table_parameters(name), **options})
    if wait:
        eventually(lambda: dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE")
    return name


def table_parameters(name: str) -> dict:
    """What CreateTable takes for a table with the string key ``id``."""
    return {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }


def start_import(aws, items: list[dict]) -> tuple[str, str]:
    """Starts the import of a table from S3; returns its name and the ARN of the import."""
    dynamodb, s3, bucket, table = aws.client("dynamodb"), aws.client("s3"), unique("bucket"), unique("imported")
    s3.create_bucket(Bucket=bucket)
    lines = "\n".join(json.dumps({"Item": item}) for item in items)
    s3.put_object(Bucket=bucket, Key="data/1.json", Body=lines)
    description = dynamodb.import_table(
        S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": "data/"},
        InputFormat="DYNAMODB_JSON",
        TableCreationParameters=table_parameters(table),
    )["ImportTableDescription"]
    return table, description["ImportArn"]


def finished_import(aws, arn: str) -> dict:
    """Waits until an import is completed and returns its description."""

    def look() -> dict | None:
        found = aws.client("dynamodb").describe_import(ImportArn=arn)["ImportTableDescription"]
        return found if found["ImportStatus"] == "COMPLETED" else None

    return eventually(look)


def create_queue(aws, *, policy_for: str | None = None, **attributes: str) -> tuple[str, str]:
    """A queue; returns its URL and ARN. ``policy_for`` is a service that may send to it."""
    name = unique("queue")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    if policy_for:
        attributes["Policy"] = document(
            {
                "Effect": "Allow",
                "Principal": {"Service": policy_for},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        )
    return aws.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], arn


def receive(aws, queue_url: str, **options) -> list[dict]:
    """What is in a queue now, taken out of it."""
    sqs = aws.client("sqs")
    messages = sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], **options
    ).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return messages


def document(*statements: dict) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str | list[str] = "*", **more) -> dict:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def user_session(aws, *statements: dict) -> dict[str, str]:
    """Client options that act as a new user with these permissions and no others."""
    iam, name = aws.client("iam"), unique("user")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="given", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def create_role(aws, trusted: str | dict, *statements: dict) -> str:
    """A role that a service (or another principal) may assume; returns its ARN."""
    iam, name = aws.client("iam"), unique("role")
    principal = {"Service": trusted} if isinstance(trusted, str) else trusted
    trust = document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="given", PolicyDocument=document(*statements))
    return arn


def role_session(aws, role_arn: str) -> dict[str, str]:
    """Client options that act as a session of a role."""
    given = aws.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }


def create_function(aws, *, role: str | None = None, timeout: int = 10, **options) -> str:
    """The obedient function (``obedient.py``) as a custom runtime; returns its name."""
    name = unique("function")
    aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="provided.al2023",
        Handler="bootstrap",
        Role=role or create_role(aws, "lambda.amazonaws.com", allow("*")),
        Code={"ZipFile": obedient_zip()},
        Timeout=timeout,
        **options,
    )
    return name


def obedient_zip() -> bytes:
    """The package of the obedient function; it runs with the interpreter of the tests."""
    content = f"#!{sys.executable}\n{OBEDIENT.read_text()}"
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("bootstrap", content)
    return package.getvalue()


def function_arn(name: str) -> str:
    """The ARN of a function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def invoke(aws, name: str, event: dict):
    """Invokes a function and returns its answer; a function error is an assertion error."""
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    payload = json.load(answer["Payload"])
    assert "FunctionError" not in answer, payload
    return payload


def log_messages(aws, group: str) -> list[str]:
    """The messages in a log group; none if there is no such group."""
    logs = aws.client("logs")
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def metric_sum(aws, namespace: str, name: str, dimensions: dict[str, str]) -> float:
    """The sum of a metric over the last hour."""
    now = time.time()
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - 3600,
        EndTime=now + 60,
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points)


def table_metric(aws, table: str, metric: str) -> list[tuple[int, float]]:
    """Returns what a metric of a table sums up to in each minute of the last day, with the minutes."""
    now = time.time()
    query = {
        "Id": "asked",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/DynamoDB",
                "MetricName": metric,
                "Dimensions": [{"Name": "TableName", "Value": table}],
            },
            "Period": 60,
            "Stat": "Sum",
        },
    }
    (result,) = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query], StartTime=now - 86400, EndTime=now + 60, ScanBy="TimestampAscending"
    )["MetricDataResults"]
    minutes = [int(at.timestamp()) for at in result["Timestamps"]]
    return list(zip(minutes, result["Values"], strict=True))


def deploy_stack(aws, resources: dict, name: str | None = None, *, update: bool = False) -> tuple[str, str]:
    """Creates or updates a stack; returns its name and the status it ends in."""
    cloudformation, name = aws.client("cloudformation"), name or unique("stack")
    template = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
    call = cloudformation.update_stack if update else cloudformation.create_stack
    call(StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"])
    return name, settled_status(aws, name)


def settled_status(aws, stack: str) -> str:
    """The status of a stack once nothing is in progress."""

    def look() -> str | None:
        status = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        return None if status.endswith("IN_PROGRESS") else status

    return eventually(look, seconds=15)
