"""What the acts of `make upgrade` share: checks that are counted, nights, and what the registry holds."""

import json
from pathlib import Path

from cloud import Cloud
from dataset import Dataset, item
from waiting import until

KEYS = 10
"""Items that every night has, for readers to read; another one tells the nights apart."""


class Failed(AssertionError):
    """A check does not hold."""


class Checks:
    """Counts the checks that hold, and says what each of them was about."""

    def __init__(self) -> None:
        self.passed = 0

    def act(self, title: str) -> None:
        """Begins an act."""
        print(f"\n{title}", flush=True)

    def holds(self, what: str, found: object, detail: object = "") -> None:
        """Fails unless something is found."""
        if not found:
            raise Failed(f"{what}: {detail}" if detail != "" else what)
        self.passed += 1
        print(f"  ok  {what}", flush=True)

    def equal(self, what: str, found: object, expected: object) -> None:
        """Fails unless both are the same."""
        self.holds(what, found == expected, f"found {found!r}, expected {expected!r}")


class Nights:
    """A dataset that a job publishes night after night by the septet command of a release."""

    def __init__(self, cloud: Cloud, directory: Path, label: str, **settings) -> None:
        self.dataset = Dataset(cloud, directory, label)
        self.dataset.put_contract(**settings)
        self.name = self.dataset.name

    def by(self, cloud: Cloud) -> "Nights":
        """From now on the command and the people are those of this cloud."""
        self.dataset.cloud = cloud
        return self

    def written(self) -> str:
        """Creates and writes a table of the next night; says nothing of it to Septet."""
        table = self.dataset.create()
        self.dataset.fill(table, KEYS)
        return self.dataset.fill(table, 1, first=1000 * int(table[-4:]))

    def publish(self, table: str | None = None) -> dict:
        """Publishes a night, and waits for its verdict; returns its version."""
        table = table or self.written()
        self.dataset.cloud.septet("publish", table, "--items", KEYS + 1, "--wait", code=None)
        return self.dataset.until_state(table, "valid", "rejected")

    def publish_live(self, table: str | None = None) -> dict:
        """Publishes a night that is to go live; returns its version."""
        return self.dataset.until_live(self.publish(table)["table"])

    def publish_bad(self) -> dict:
        """Publishes a night with an item that lacks its score."""
        table = self.dataset.create()
        bad = {name: value for name, value in item(1).items() if name != "score"}
        self.dataset.cloud.publisher.client("dynamodb").put_item(TableName=table, Item=bad)
        return self.publish(table)

    def let_deadline_pass(self, table: str) -> None:
        """Sets the deadline of a version that is still loading to long ago; waiting for it takes an hour at least."""
        cloud, version = self.dataset.cloud, self.dataset.until_state(table, "announced")
        cloud.dynamodb.update_item(
            TableName=cloud.registry_table,
            Key={
                "pk": {"S": f"DATASET#{self.name}"},
                "sk": {"S": f"VERSION#{int(version['version']):010}"},
            },
            UpdateExpression="SET deadline = :long_ago",
            ExpressionAttributeValues={":long_ago": {"S": "2020-01-01T00:00:00Z"}},
        )

    def announced(self) -> str:
        """A table that is written and noticed, and of which nobody said that it is complete."""
        table = self.written()
        self.dataset.until_state(table, "announced")
        return table

    def prune(self, keep: int) -> None:
        """Sweeps until no more versions are good than are to be kept, and the tables of the others are gone."""

        def swept() -> bool:
            self.dataset.cloud.sweep(self.name)
            versions = [version for version in self.dataset.versions() if "withdrawn" not in version]
            states = [version["state"] for version in versions]
            return states.count("valid") <= keep and "retiring" not in states

        until(f"{self.name} is pruned to {keep} versions", swept)

    def live(self) -> int:
        """The version that readers are pointed at."""
        return int(self.dataset.pointer()["version"])

    def states(self) -> dict[str, int]:
        """How many versions are in each state."""
        states = [version["state"] for version in self.dataset.versions()]
        return {state: states.count(state) for state in sorted(set(states))}

    def items(self) -> dict[tuple[str, str], dict]:
        """The items of the dataset, without the signs of life of its readers."""
        partition = f"DATASET#{self.name}"
        found = self.dataset.cloud.registry_items().items()
        return {key: one for key, one in found if key[0].startswith(partition) and not key[0].endswith("#READERS")}


def shown(cloud: Cloud, *arguments: object) -> object:
    """What a command shows, as JSON."""
    return json.loads(cloud.septet(*arguments, "--json").stdout)


def pages(cloud: Cloud, nights: Nights) -> dict[str, object]:
    """All that the septet command of a release shows of a dataset."""
    name = nights.name
    numbers = sorted(int(version["version"]) for version in nights.dataset.versions())
    return {
        "versions": shown(cloud, "versions", name),
        "log": shown(cloud, "log", name, "--limit", 1000),
        "history": shown(cloud, "history", name),
        "contract": shown(cloud, "contract", "show", name),
        **{f"show {number}": shown(cloud, "show", name, number) for number in numbers},
    }


def missing(before: object, after: object, path: str = "") -> list[str]:
    """What `after` lacks, or has otherwise, of `before`; more members are no harm."""
    match before, after:
        case dict(), dict():
            gone = [f"{path}.{name} is gone" for name in before if name not in after]
            return gone + [
                one
                for name, value in before.items()
                if name in after
                for one in missing(value, after[name], f"{path}.{name}")
            ]
        case list(), list() if len(before) == len(after):
            pairs = enumerate(zip(before, after))
            return [one for at, (old, new) in pairs for one in missing(old, new, f"{path}[{at}]")]
        case _:
            return [] if before == after else [f"{path} was {before!r} and is {after!r}"]
