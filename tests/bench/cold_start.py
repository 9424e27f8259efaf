"""The call that the functions begin with, as a function in Python would make it: asked of DynamoDB once, with boto3."""

import os

import boto3

boto3.client("dynamodb").query(
    TableName=os.environ["SEPTET_REGISTRY_TABLE"],
    ConsistentRead=True,
    KeyConditionExpression="pk = :pk",
    ExpressionAttributeValues={":pk": {"S": "DATASETS"}},
)
# A function's process stays: what an orderly end costs is not part of a start.
os._exit(0)
