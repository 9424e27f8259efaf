"""A table too large for one invocation: many check it, and whoever is killed, it is one check with one verdict."""

import itertools
import json
import math
import random
from collections import Counter

from dataset import LIFE, Dataset, import_items
from trouble import Trouble

ITEMS = 200_000
PARTS = 16
# What a worker of a part does: take it, read, keep what was seen, write down how far it is, ask for the rest; and the
# last one: put the parts together, give the verdict, promote.
CALLS = ["Scan", "PutItem", "SendMessage", "TransactWriteItems"]
POINTS = list(itertools.product(CALLS, ["before", "after"]))


class Crowded(Trouble):
    """Kills workers of a shared check at random, doubles its messages, and sweeps as the schedule does."""

    every = 0.5

    def __init__(self, dataset: Dataset, table: str) -> None:
        super().__init__()
        self.cloud, self.dataset, self.table = dataset.cloud, dataset, table
        self._faults, self._chance = [], random.Random(7)

    @property
    def killed(self) -> int:
        """How many workers were killed."""
        return sum(len(self.cloud.aws.fired(fault)) for fault in self._faults)

    def cause(self) -> None:
        version = self.dataset.version_of(self.table)
        sharing = version and version.get("sharing")
        if not sharing:
            return
        about = {"table": self.table, "table_id": version["table_id"], "dataset": self.dataset.name}
        about |= {"version": int(version["version"]), "sharing": sharing["id"]}
        if not self._faults:
            for call, when in POINTS:
                skip = 0 if call == "TransactWriteItems" else self._chance.randint(0, 8)
                kill = self.cloud.aws.kill(self.cloud.on_publish, call, when, match=self.dataset.name, skip=skip)
                self._faults.append(kill)
        self.cloud.send({"segment": {**about, "part": self._chance.randint(0, PARTS)}})
        # Of this dataset alone: a sweep of all logs a line for each version of every test.
        self.cloud.invoke(self.cloud.prune, {"dataset": self.dataset.name})


def imported(dataset: Dataset) -> str:
    """A table with all items; nobody has said yet that it is complete."""
    table = dataset.new_table()
    scores = (number * 7919 % 1_000_003 for number in range(ITEMS))
    items = [
        {"id": {"S": f"i-{number:06}"}, "score": {"N": f"0.{score:07}"}, "night": {"S": f"2026-11-{score % 29:02}"}}
        for number, score in enumerate(scores)
    ]
    import_items(dataset.cloud, table, "DYNAMODB_JSON", items)
    dataset.until_state(table, "announced")
    return table


def profile(dataset: Dataset, version: dict) -> dict:
    """What was kept of what the check saw, without what is known within a bound alone: how often values came."""
    key = (f"DATASET#{dataset.name}#V#{int(version['version']):010}", "PROFILE")
    document = json.loads(dataset.cloud.registry_items()[key]["document"]["M"]["profile"]["S"])
    for place in document["places"]:
        place["values"].pop("frequent", None)
    return document


def assert_same(one, other, place: str = "profile") -> None:
    """To the byte, but for numbers with a point, which are sums in another order: to a billionth."""
    assert type(one) is type(other), place
    if isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for name, value in one.items():
            assert_same(value, other[name], f"{place}.{name}")
    elif isinstance(one, list):
        assert len(one) == len(other), place
        for at, pair in enumerate(zip(one, other)):
            assert_same(*pair, f"{place}[{at}]")
    elif isinstance(one, float):
        assert math.isclose(one, other, rel_tol=1e-9), (place, one, other)
    else:
        assert one == other, place


def test_many_invocations_some_killed_see_what_one_sees_and_give_one_verdict(cloud, new_dataset):
    calm, many = new_dataset("calm", readiness=["signal"]), new_dataset("many", readiness=["signal"])
    with cloud.timeout(cloud.on_publish, 45):
        table = imported(calm)
        # Not by a message, which would come again before a single invocation is through.
        assert not cloud.invoke(cloud.on_publish, {"table": table}).failed
        expected = calm.until_live(table)
        assert calm.actions(expected["version"]) == Counter([*LIFE, "promote"])

        table = imported(many)
        with Crowded(many, table) as trouble:
            many.signal(table, items=ITEMS)
            version = many.until_live(table, 240)
        assert trouble.killed >= 6
    assert many.actions(version["version"]) == Counter([*LIFE, "share", "promote"])
    assert version["counts"] == expected["counts"] and version["counts"]["items"] == ITEMS
    assert version["digest"] == expected["digest"]
    assert_same(profile(many, version), profile(calm, expected))
