"""Scans a recorded table with boto3 and checks its items by JSON Schema: scan.py WAY ENDPOINT PAGES."""

import json
import resource
import sys
import time

import boto3
from botocore.config import Config

SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": False,
    "required": ["user_id", "generated_at", "model", "recs"],
    "properties": {
        "user_id": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9_-]+$"},
        "generated_at": {"type": "string", "format": "date-time"},
        "model": {"type": "string", "minLength": 1, "maxLength": 40},
        "recs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 100,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["track_id", "score"],
                "properties": {
                    "track_id": {"type": "string"},
                    "score": {"type": "number", "minimum": 0, "maximum": 1},
                },
            },
        },
    },
}


def checker(way):
    if way == "fastjsonschema":
        import fastjsonschema

        return fastjsonschema.compile(SCHEMA)
    import jsonschema

    validator = jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    return validator.validate


way, endpoint, pages = sys.argv[1:]
check = checker(way)
config = Config(parameter_validation=False, retries={"max_attempts": 1})
table = boto3.resource(
    "dynamodb",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id="key",
    aws_secret_access_key="secret",
    config=config,
).Table(f"recs-{pages}")
table.meta.client.scan(TableName="recs-1")
items = 0
began, before = time.perf_counter(), time.process_time()
start = {}
while True:
    page = table.scan(**start)
    for item in page["Items"]:
        check(item)
    items += len(page["Items"])
    if "LastEvaluatedKey" not in page:
        break
    start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
wall, cpu = time.perf_counter() - began, time.process_time() - before
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"items": items, "cpu": cpu, "wall": wall, "memory": memory}))
