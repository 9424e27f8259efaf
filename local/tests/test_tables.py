"""How a DynamoDB table comes and goes."""

import json

from support import create_table, error_of, eventually, proves, table_arn, table_parameters, unique

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
    dynamodb, s3, bucket, table = (
        aws.client("dynamodb"),
        aws.client("s3"),
        unique("bucket"),
        unique("imported"),
    )
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="data/1.json", Body=json.dumps({"Item": ITEM}))
    arn = dynamodb.import_table(
        S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": "data/"},
        InputFormat="DYNAMODB_JSON",
        TableCreationParameters=table_parameters(table),
    )["ImportTableDescription"]["ImportArn"]
    eventually(lambda: status(dynamodb, table) == "CREATING")

    def finished():
        found = dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"]
        return found if found["ImportStatus"] == "COMPLETED" else None

    assert eventually(finished)["ImportedItemCount"] == 1
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
