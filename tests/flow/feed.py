"""A feed of a test's own: where its records go, its runs, and what the ledger holds of them."""

import datetime
import itertools
import json
import random
from pathlib import Path

from boto3.dynamodb.types import TypeDeserializer
from cloud import Cloud
from third_party import ThirdParty
from waiting import until

_numbers = itertools.count(1)
_plain = TypeDeserializer().deserialize

FIRST, LAST = "2025-03-03T00:00:00Z", "2025-03-07T00:00:00Z"
"""Four days of which the third party has plays, and some before and after."""
SHORT, SHORT_RECORDS = ("2025-03-02T22:00:00Z", "2025-03-02T23:00:00Z"), 3
"""An hour before them, and how many records it has."""
ODD, ODD_RECORDS = ("2025-03-02T20:00:00Z", "2025-03-02T21:00:00Z"), 4
"""An hour before that, and how many records it has, of which the last has no user."""
_HOUR = 3600


def seconds(text: str) -> int:
    """A Unix time."""
    return int(datetime.datetime.fromisoformat(text).timestamp())


def plays() -> list[dict]:
    """What the third party has: many in one instant, some on every window's edge, and ids that do not follow time."""
    first, last = seconds(FIRST), seconds(LAST)
    times = [*range(first + 7, last, 181), *[first + 40 * _HOUR + 11] * 120]
    times += [edge + apart for edge in range(first, last + 1, _HOUR) for apart in (-1, 0, 0)]
    times += [seconds(SHORT[0]) + 60 * number for number in range(SHORT_RECORDS)]
    times += [seconds(ODD[0]) + 60 * number for number in range(ODD_RECORDS)]
    ids = random.Random(7).sample(range(1, 10 * len(times)), len(times))
    rows = [{"id": id, "at": at, "user": f"u-{id % 97:06}", "title": f"Song {id % 389}"} for id, at in zip(ids, times)]
    rows[-1]["user"] = None
    return rows


def lost() -> dict[int, dict]:
    """The plays of the four days by id."""
    return {play["id"]: play for play in plays() if seconds(FIRST) <= play["at"] < seconds(LAST)}


OVER = ("succeeded", "failed", "cancelled")


class Feed:
    """One feed; its name, its queue and its table are nobody else's, so that tests do not disturb each other."""

    def __init__(self, cloud: Cloud, party: ThirdParty, directory: Path, table: str = "plays") -> None:
        self.cloud, self.party, self.directory, self.source = cloud, party, directory, table
        self.name = f"feed{next(_numbers):03}"
        self.queue = cloud.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.table, self.run_id = None, None

    # ------------------------------------------------------------ the feed

    def put(self, **settings) -> "Feed":
        """Puts the feed by the septet command; its records go to the queue."""
        settings = {"sink": {"type": "sqs", "queue_url": self.queue}, **settings}
        document = self.party.feed(self.source, name=self.name, **settings)
        path = self.directory / f"{self.name}.json"
        path.write_text(json.dumps(document))
        self.cloud.septet("feed", "put", path)
        return self

    def put_into_table(self, version_attribute: str = "at", **settings) -> "Feed":
        """Puts the feed; its records go to a table of its name, none over one of a later ``version_attribute``."""
        self.table = self.name
        self.cloud.dynamodb.create_table(
            TableName=self.name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        describe = self.cloud.dynamodb.describe_table
        until("the table is there", lambda: describe(TableName=self.name)["Table"]["TableStatus"] == "ACTIVE")
        return self.put(
            sink={"type": "dynamodb", "table": self.name, "version_attribute": version_attribute}, **settings
        )

    def range(self, first: str, last: str, **more) -> dict:
        """The message that asks for a range."""
        return {"feed": self.name, "from": first, "to": last, "reason": "a test asks", **more}

    def start(self, first: str, last: str, *options) -> str:
        """Starts a run by the septet command; answers its id."""
        arguments = ["--from", first, "--to", last, "--reason", "a test asks", "--json", *options]
        done = self.cloud.septet("backfill", "start", self.name, *arguments)
        self.run_id = json.loads(done.stdout)["run"]["run"]
        return self.run_id

    def order(self, what: str, *options) -> None:
        """Does something to the run by the septet command."""
        self.cloud.septet("backfill", what, self.name, self.run_id, "--reason", "a test asks", *options)

    # ------------------------------------------------------------ what the ledger holds

    def _items(self, partition: str, kind: str) -> list[dict]:
        pages = self.cloud.dynamodb.get_paginator("query").paginate(
            TableName=self.cloud.registry_table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :kind)",
            ExpressionAttributeValues={":pk": {"S": partition}, ":kind": {"S": kind}},
            ConsistentRead=True,
        )
        return [{name: _plain(value) for name, value in found.items()} for page in pages for found in page["Items"]]

    def runs(self) -> list[dict]:
        """Every run."""
        return self._items(f"FEED#{self.name}", "RUN#")

    def run(self) -> dict | None:
        """The only run, if there is one."""
        runs = self.runs()
        assert len(runs) <= 1, runs
        return runs[0] if runs else None

    def windows(self) -> list[dict]:
        """The windows of the only run that somebody began."""
        return self._items(f"FEED#{self.name}#RUN#{self.run()['run']}", "WINDOW#")

    def records(self) -> list[dict]:
        """The audit log, the oldest first."""
        return self._items(f"FEED#{self.name}", "LOG#")

    def state(self) -> str | None:
        """Where the only run stands."""
        run = self.run()
        return run and run["state"]

    def until_over(self, patience: float = 60.0) -> str:
        """Waits until nothing more happens to the run; answers how it ended."""
        return until(
            f"the run of {self.name} is over: {self.state()}",
            lambda: (state := self.state()) in OVER and state,
            patience,
        )

    # ------------------------------------------------------------ what arrived

    def injected(self) -> list[tuple[dict, dict]]:
        """Takes what came to the queue: each record with the attributes of its message."""
        found = []
        while True:
            answer = self.cloud.sqs.receive_message(
                QueueUrl=self.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            )
            if not answer.get("Messages"):
                return found
            entries = []
            for message in answer["Messages"]:
                attributes = {name: it["StringValue"] for name, it in message.get("MessageAttributes", {}).items()}
                found.append((json.loads(message["Body"]), attributes))
                entries.append({"Id": str(len(entries)), "ReceiptHandle": message["ReceiptHandle"]})
            self.cloud.sqs.delete_message_batch(QueueUrl=self.queue, Entries=entries)

    def stored(self) -> list[dict]:
        """The records in the table."""
        pages = self.cloud.dynamodb.get_paginator("scan").paginate(TableName=self.name, ConsistentRead=True)
        return [{name: _plain(value) for name, value in item.items()} for page in pages for item in page["Items"]]
