"""Time that passes for one dataset: what the registry, its tables and their metrics record of it becomes older.

Septet's programs read the real clock. Moving every time on record back is the same to them as waiting.
"""

import datetime
import re

from botocore.exceptions import ClientError
from dataset import Dataset

TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z")
STEP = datetime.timedelta(hours=6)


def age(dataset: Dataset, **duration: float) -> None:
    """Lets so much time pass, such as ``hours=25``; whole seconds, when no message of the dataset is being handled."""
    cloud, passed = dataset.cloud, datetime.timedelta(**duration)
    for page in cloud.dynamodb.get_paginator("list_tables").paginate():
        for table in page["TableNames"]:
            if table.startswith(f"{dataset.name}-"):
                cloud.aws.age(table, passed.total_seconds())
    for keys in _keys(dataset):
        _age_item(dataset, keys, passed)


def sweep_through(dataset: Dataset, **duration: float) -> list[dict]:
    """Lets so much time pass with a sweep every six hours; returns what the sweeps answered."""
    answers = []
    for _ in range(int(datetime.timedelta(**duration) / STEP)):
        age(dataset, seconds=STEP.total_seconds())
        answers.append(sweep(dataset))
    return answers


def sweep(dataset: Dataset) -> dict:
    """Sweeps the dataset and waits until what the sweep sent is handled; returns what it answered."""
    answer = dataset.cloud.sweep(dataset.name)
    dataset.cloud.until_drained()
    return answer


def _keys(dataset: Dataset) -> list[tuple[str, str]]:
    """The keys of the items that hold times of the dataset; documents about versions hold none but data."""
    own = f"DATASET#{dataset.name}"
    return [
        (pk, sk)
        for (pk, sk), item in dataset.cloud.registry_items().items()
        if pk in (own, f"{own}#READERS")
        or (pk, sk) == ("DATASETS", dataset.name)
        or (pk.startswith("TABLE#") and item.get("dataset") == {"S": dataset.name})
    ]


def _age_item(dataset: Dataset, keys: tuple[str, str], passed: datetime.timedelta) -> None:
    """Rewrites an item unless it changed meanwhile; then once more."""
    cloud, (pk, sk) = dataset.cloud, keys
    where = {"TableName": cloud.registry_table}
    while True:
        item = cloud.dynamodb.get_item(**where, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True)["Item"]
        aged = {name: value if name in ("pk", "sk") else older(value, passed, name) for name, value in item.items()}
        if aged == item:
            return
        unchanged = [name for name in ("revision", "generation") if name in item]
        condition = {
            "ConditionExpression": " AND ".join(["attribute_exists(pk)", *(f"#{name} = :{name}" for name in unchanged)])
        }
        if unchanged:
            condition["ExpressionAttributeNames"] = {f"#{name}": name for name in unchanged}
            condition["ExpressionAttributeValues"] = {f":{name}": item[name] for name in unchanged}
        try:
            cloud.dynamodb.put_item(**where, Item=aged, **condition)
            return
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


def older(value: dict, passed: datetime.timedelta, name: str = "") -> dict:
    """An attribute's value with every time in it moved back: RFC 3339 texts, and seconds in ``expires_at``."""
    ((kind, inner),) = value.items()
    if kind == "M":
        return {"M": {member: older(one, passed, member) for member, one in inner.items()}}
    if kind == "L":
        return {"L": [older(one, passed) for one in inner]}
    if kind == "N" and name == "expires_at":
        return {"N": str(int(inner) - int(passed.total_seconds()))}
    found = TIME.fullmatch(inner) if kind == "S" else None
    if not found:
        return value
    moved = datetime.datetime.fromisoformat(found[1]) - passed
    return {"S": f"{moved.isoformat()}{found[2] or ''}Z"}
