"""A dataset of a test's own: its contract, its tables, and what the registry holds of it."""

import itertools
import json
from collections import Counter
from pathlib import Path

import stack
from boto3.dynamodb.types import TypeDeserializer
from cloud import ACCOUNT, Cloud, Person
from waiting import until

_numbers = itertools.count(1)
_plain = TypeDeserializer().deserialize

KEY = {"AttributeName": "id", "AttributeType": "S"}
LIFE = ("announce", "seal", "check", "pass")
"""What happens to a version that passes, each once."""


def table_parameters(name: str, **options) -> dict:
    """What CreateTable takes for a table of the contract's key."""
    return {
        "TableName": name,
        "AttributeDefinitions": [KEY],
        "KeySchema": [{"AttributeName": KEY["AttributeName"], "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        **options,
    }


def item(number: int, score: str = "0.5") -> dict:
    """An item that keeps the contract."""
    return {"id": {"S": f"i-{number:06}"}, "score": {"N": score}, "night": {"S": "2026-11-21"}}


def table_arn(name: str) -> str:
    """The ARN of a table."""
    return f"arn:aws:dynamodb:{stack.REGION}:{ACCOUNT}:table/{name}"


class Dataset:
    """One dataset; its name is nobody else's, so that tests do not disturb each other."""

    def __init__(self, cloud: Cloud, directory: Path, label: str) -> None:
        self.cloud, self.directory = cloud, directory
        self.name = f"{label}{next(_numbers):03}"
        self._tables = itertools.count(1)
        self.items_by_hand = ItemsByHand(self)
        cloud.datasets.append(self)

    # ------------------------------------------------------------ contract

    def contract(self, **settings) -> dict:
        """A contract with these settings of Septet (``keepNewest=1``)."""
        given = {"tablePattern": f"{self.name}-*", "graceMinutes": 0, "pollSeconds": 1, **settings}
        properties = [
            {
                "name": "id", "logicalType": "string", "physicalType": "S", "required": True, "unique": True,
                "primaryKey": True, "primaryKeyPosition": 1, "logicalTypeOptions": {"pattern": "^i-[0-9]{6}$"},
            },
            {
                "name": "score", "logicalType": "number", "physicalType": "N", "required": True,
                "logicalTypeOptions": {"minimum": 0, "maximum": 1},
            },
            {"name": "night", "logicalType": "string", "physicalType": "S", "required": True},
        ]  # fmt: skip
        rows = {"id": "some_rows", "metric": "rowCount", "mustBeGreaterThan": 0, "unit": "rows", "severity": "error"}
        return {
            "apiVersion": "v3.1.0",
            "kind": "DataContract",
            "id": f"urn:test:{self.name}",
            "name": self.name,
            "version": "1.0.0",
            "status": "active",
            "schema": [
                {"name": "items", "logicalType": "object", "physicalType": "table",
                 "properties": properties, "quality": [rows]}
            ],
            "customProperties": [
                {"property": f"septet.{name}", "value": value} for name, value in given.items()
            ],
        }  # fmt: skip

    def put_contract(self, document: dict | str | None = None, *, code: int = 0, **settings):
        """Puts a contract by the septet command."""
        document = self.contract(**settings) if document is None else document
        path = self.directory / f"{self.name}.odcs.yaml"
        path.write_text(document if isinstance(document, str) else json.dumps(document, indent=1))
        return self.cloud.septet("contract", "put", path, code=code)

    # ------------------------------------------------------------ tables

    def new_table(self) -> str:
        """A table's name that the dataset claims."""
        return f"{self.name}-{next(self._tables):04}"

    def create(self, table: str | None = None, who: Person | None = None, **options) -> str:
        """Creates a table and waits until it takes writes."""
        table = table or self.new_table()
        dynamodb = (who or self.cloud.publisher).client("dynamodb")
        dynamodb.create_table(**table_parameters(table, **options))
        until(f"{table} is active", lambda: self.status(table) == "ACTIVE")
        return table

    def status(self, table: str) -> str | None:
        """A table's status; nothing if there is no such table."""
        try:
            return self.cloud.dynamodb.describe_table(TableName=table)["Table"]["TableStatus"]
        except self.cloud.dynamodb.exceptions.ResourceNotFoundException:
            return None

    def fill(self, table: str, items: int = 3, first: int = 1) -> str:
        """Writes items that keep the contract; tables of other content have another ``first``."""
        writes = [{"PutRequest": {"Item": item(number)}} for number in range(first, first + items)]
        for start in range(0, len(writes), 25):
            left = {table: writes[start : start + 25]}
            assert not self.cloud.publisher.client("dynamodb").batch_write_item(RequestItems=left)["UnprocessedItems"]
        return table

    def signal(self, table: str, **more) -> None:
        """Says that a table is complete, as the job does that wrote it."""
        self.cloud.send({"table": table, **more})

    def written(self, items: int = 3) -> str:
        """A new table with items whose content no other table of the dataset has."""
        table = self.create()
        return self.fill(table, items, first=1 + 1000 * int(table[-4:]))

    def publish(self, items: int = 3) -> str:
        """Creates a table, writes it and signals it; returns its name."""
        table = self.written(items)
        self.signal(table)
        return table

    def publish_and_wait(self, items: int = 3) -> dict:
        """Publishes a table and waits until it is live; returns its version."""
        return self.until_live(self.publish(items))

    # ------------------------------------------------------------ what the registry holds

    def items(self, kind: str) -> list[dict]:
        """Items of a kind (``VERSION#``, ``POINTER#``, ``LOG#``) in the order of their keys."""
        pages = self.cloud.dynamodb.get_paginator("query").paginate(
            TableName=self.cloud.registry_table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :kind)",
            ExpressionAttributeValues={":pk": {"S": f"DATASET#{self.name}"}, ":kind": {"S": kind}},
            ConsistentRead=True,
        )
        return [{name: _plain(value) for name, value in found.items()} for page in pages for found in page["Items"]]

    def versions(self) -> list[dict]:
        """Every version, the oldest first."""
        return self.items("VERSION#")

    def version_of(self, table: str) -> dict | None:
        """The version that a table is."""
        found = [version for version in self.versions() if version["table"] == table]
        assert len(found) <= 1, f"{table} is {len(found)} versions"
        return found[0] if found else None

    def state_of(self, table: str) -> str | None:
        """The state of a table's version."""
        version = self.version_of(table)
        return version and version["state"]

    def state_of_the_newest(self) -> str | None:
        """The state of the newest version; nothing if there is none."""
        versions = self.versions()
        return versions[-1]["state"] if versions else None

    def pointer(self, name: str = "live") -> dict | None:
        """A pointer."""
        return next(iter(self.items(f"POINTER#{name}")), None)

    def live_table(self) -> str | None:
        """The table that readers are pointed at."""
        live = self.pointer()
        return live and live["table"]

    def records(self, version: int | None = None) -> list[dict]:
        """The audit log, all or of one version, the oldest first."""
        return [record for record in self.items("LOG#") if version in (None, record.get("version"))]

    def actions(self, version: int | None = None) -> Counter:
        """How often each action is on record."""
        return Counter(record["action"] for record in self.records(version))

    # ------------------------------------------------------------ waiting

    def until_state(self, table: str, *states: str, patience: float = 60.0) -> dict:
        """Waits until a table's version is in one of these states."""

        def look():
            version = self.version_of(table)
            return version if version and version["state"] in states else None

        return until(f"{table} is {' or '.join(states)}: {self.state_of(table)}", look, patience)

    def until_live(self, table: str, patience: float = 60.0) -> dict:
        """Waits until readers are pointed at a table."""
        until(f"{table} is live", lambda: self.live_table() == table, patience)
        return self.version_of(table)

    # ------------------------------------------------------------ what must be

    def assert_published_once(self, table: str, *more: str) -> None:
        """One version of the table, valid, and of each step of its life one record, and of ``more``."""
        version = self.version_of(table)
        assert version and version["state"] == "valid", (table, version)
        assert self.actions(version["version"]) == Counter([*LIFE, *more]), self.records(version["version"])
        claims = [keys for keys in self.cloud.registry_items() if keys[0] == f"TABLE#{table}"]
        assert len(claims) == 1, claims


class ItemsByHand:
    """Direct writes to an item of the registry, as no Septet does them."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def set_format(self, sort_key: str, number: int) -> None:
        """Has an item look as if a Septet of another age had written it."""
        self._update(
            sort_key, "SET #name = :number", "format", ExpressionAttributeValues={":number": {"N": str(number)}}
        )

    def remove(self, sort_key: str, name: str) -> None:
        """Takes an attribute away from an item."""
        self._update(sort_key, "REMOVE #name", name)

    def _update(self, sort_key: str, expression: str, name: str, **values) -> None:
        cloud = self._dataset.cloud
        cloud.dynamodb.update_item(
            TableName=cloud.registry_table,
            Key={"pk": {"S": f"DATASET#{self._dataset.name}"}, "sk": {"S": sort_key}},
            UpdateExpression=expression,
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={"#name": name},
            **values,
        )


def import_items(cloud: Cloud, table: str, form: str, items: list[dict], *, sweep: bool = True) -> None:
    """Imports a table from S3 and waits until that is over; nothing tells of its end, so a sweep is fired."""
    s3, bucket = cloud.aws.client("s3"), f"import-{table}"
    s3.create_bucket(Bucket=bucket)
    options = {}
    if form == "CSV":
        names = list(items[0])
        rows = [names, *([next(iter(one[name].values())) for name in names] for one in items)]
        content = "\n".join(",".join(row) for row in rows)
        options = {"InputFormatOptions": {"Csv": {"Delimiter": ","}}}
    else:
        content = "\n".join(json.dumps({"Item": one}) for one in items)
    s3.put_object(Bucket=bucket, Key="items", Body=content.encode())
    dynamodb = cloud.publisher.client("dynamodb")
    created = {name: value for name, value in table_parameters(table).items() if name != "Tags"}
    assert created["AttributeDefinitions"] == [KEY]
    arn = dynamodb.import_table(
        S3BucketSource={"S3Bucket": bucket}, InputFormat=form, TableCreationParameters=created, **options
    )["ImportTableDescription"]["ImportArn"]

    def over() -> bool:
        status = cloud.dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"]["ImportStatus"]
        return status != "IN_PROGRESS"

    until("the import is over", over)
    if sweep:
        cloud.fire_sweep()
