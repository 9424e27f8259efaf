"""The ten lines of Python by which the reader's documentation follows a pointer."""

import importlib.util
import pathlib
import time

import pytest

FOLLOW = pathlib.Path(__file__).parents[2] / "shared" / "reader" / "follow.py"


@pytest.fixture
def follow():
    spec = importlib.util.spec_from_file_location("follow", FOLLOW)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.follow


class Registry:
    """Answers as a boto3 client does, with whatever the pointer is set to."""

    def __init__(self):
        self.looks = 0
        self.answer = None

    def point(self, version, generation, format_="1"):
        self.answer = {
            "format": {"N": format_},
            "version": {"N": str(version)},
            "table_arn": {"S": f"arn:aws:dynamodb:us-east-1:000000000000:table/recs-{version}"},
            "generation": {"N": str(generation)},
            "poll_seconds": {"N": "0"},
        }

    def get_item(self, *, TableName, Key, ConsistentRead):
        assert (TableName, ConsistentRead) == ("registry", True)
        assert Key == {"pk": {"S": "DATASET#recs"}, "sk": {"S": "POINTER#live"}}
        self.looks += 1
        time.sleep(0.001)
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"Item": self.answer}

    def wait_for_looks(self):
        seen, patience = self.looks, time.monotonic() + 10
        while self.looks < seen + 3:
            assert time.monotonic() < patience, "it stopped looking"
            time.sleep(0.001)


def test_it_goes_where_a_newer_generation_points_and_keeps_what_it_has_otherwise(follow):
    registry, served = Registry(), {}
    registry.point(1, generation=4)
    follow(registry, "registry", "recs", served)

    def table():
        registry.wait_for_looks()
        return served["table_arn"]["S"].rpartition("-")[2]

    assert table() == "1"
    registry.point(2, generation=5)
    assert table() == "2"
    registry.answer = ConnectionError("no registry")
    assert table() == "2"
    for generation in (4, 5):
        registry.point(3, generation)
        assert table() == "2"
    registry.point(3, generation=6, format_="2")
    assert table() == "2"
    registry.point(1, generation=6)
    assert table() == "1"
    served["poll_seconds"] = {"N": "3600"}  # lets the thread rest


def test_without_a_pointer_the_service_does_not_start(follow):
    registry = Registry()
    registry.answer = ConnectionError("no registry")
    with pytest.raises(ConnectionError):
        follow(registry, "registry", "recs", {})
