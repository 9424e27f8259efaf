"""What CloudFormation does to tables and functions."""

import json

from support import (
    allow,
    create_queue,
    create_role,
    create_table,
    deploy_stack,
    document,
    error_of,
    obedient_zip,
    proves,
    settled_status,
    table_arn,
    table_parameters,
    unique,
)  # fmt: skip

ITEM = {"id": {"S": "a"}}


def table_resource(name: str, **properties) -> dict:
    return {"Type": "AWS::DynamoDB::Table", "Properties": {**table_parameters(name), **properties}}


@proves("existing_tables_are_kept")
def test_a_stack_does_not_empty_a_table_that_exists(aws):
    dynamodb, table = aws.client("dynamodb"), create_table(aws)
    dynamodb.put_item(TableName=table, Item=ITEM)
    _, status = deploy_stack(aws, {"Table": table_resource(table)})
    assert status.startswith("ROLLBACK")
    assert dynamodb.scan(TableName=table)["Items"] == [ITEM]


@proves("protected_tables_are_kept")
def test_a_stack_does_not_delete_a_protected_table(aws):
    table = unique("table")
    stack, status = deploy_stack(aws, {"Table": table_resource(table, DeletionProtectionEnabled="true")})
    assert status == "CREATE_COMPLETE"
    aws.client("cloudformation").delete_stack(StackName=stack)
    assert settled_status(aws, stack) == "DELETE_FAILED"
    assert aws.client("dynamodb").describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"] is True


@proves("table_properties")
def test_a_stack_applies_what_it_says_of_a_table(aws):
    table, dynamodb = unique("table"), aws.client("dynamodb")
    policy = document(
        {"Effect": "Deny", "Principal": "*", "Action": "dynamodb:DeleteItem", "Resource": table_arn(table)}
    )
    resource = table_resource(
        table,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": "true"},
        TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": "true"},
        StreamSpecification={"StreamViewType": "NEW_IMAGE"},
        ResourcePolicy={"PolicyDocument": json.loads(policy)},
    )
    stack, status = deploy_stack(aws, {"Table": resource})
    assert status == "CREATE_COMPLETE"
    backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    assert error_of(lambda: dynamodb.delete_item(TableName=table, Key=ITEM))[0] == "AccessDeniedException"
    dynamodb.put_item(TableName=table, Item=ITEM)
    assert streamed_keys(aws, table) == ["a"]

    _, status = deploy_stack(aws, {"Table": table_resource(table)}, stack, update=True)
    assert status == "UPDATE_COMPLETE"
    assert dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"
    dynamodb.delete_item(TableName=table, Key=ITEM)


def streamed_keys(aws, table: str) -> list[str]:
    streams = aws.client("dynamodbstreams")
    described = aws.client("dynamodb").describe_table(TableName=table)["Table"]
    assert described["LatestStreamArn"].endswith(f"/stream/{described['LatestStreamLabel']}")
    arn = described["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    return [record["dynamodb"]["NewImage"]["id"]["S"] for record in records]


@proves("function_properties")
def test_a_stack_applies_what_it_says_of_a_function(aws):
    bucket, (_, letters_arn) = unique("bucket"), create_queue(aws)
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").put_object(Bucket=bucket, Key="code.zip", Body=obedient_zip())
    name = unique("function")
    properties = {
        "FunctionName": name,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": create_role(aws, "lambda.amazonaws.com", allow("*")),
        "Code": {"S3Bucket": bucket, "S3Key": "code.zip"},
        "DeadLetterConfig": {"TargetArn": letters_arn},
        "ReservedConcurrentExecutions": 3,
        "RecursiveLoop": "Allow",
    }
    stack, status = deploy_stack(aws, {"Function": {"Type": "AWS::Lambda::Function", "Properties": properties}})
    assert status == "CREATE_COMPLETE"
    lambda_ = aws.client("lambda")
    configuration = lambda_.get_function_configuration(FunctionName=name)
    assert configuration["DeadLetterConfig"] == {"TargetArn": letters_arn}
    assert lambda_.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 3
    assert lambda_.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"

    del properties["DeadLetterConfig"]
    deploy_stack(aws, {"Function": {"Type": "AWS::Lambda::Function", "Properties": properties}}, stack, update=True)
    assert "DeadLetterConfig" not in lambda_.get_function_configuration(FunctionName=name)


@proves("function_properties")
def test_a_stack_refuses_memory_that_lambda_does_not_have(aws):
    properties = {
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": create_role(aws, "lambda.amazonaws.com", allow("*")),
        "Code": {"ZipFile": "pass"},
        "MemorySize": 64,
    }
    stack, status = deploy_stack(aws, {"Function": {"Type": "AWS::Lambda::Function", "Properties": properties}})
    assert status.startswith("ROLLBACK")
    events = aws.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    assert any("memorySize" in event.get("ResourceStatusReason", "") for event in events)


@proves("function_roles")
def test_a_stack_refuses_a_role_that_lambda_may_not_assume(aws):
    properties = {
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": create_role(aws, "scheduler.amazonaws.com", allow("*")),
        "Code": {"ZipFile": "pass"},
    }
    _, status = deploy_stack(aws, {"Function": {"Type": "AWS::Lambda::Function", "Properties": properties}})
    assert status.startswith("ROLLBACK")
