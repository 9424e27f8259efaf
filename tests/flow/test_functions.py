"""Rules that a function of the publisher's answers, deployed in Python beside the stack."""

import json

from publishers import asking, function

README = """
def handler(event, context):
    scores = next(one for one in event["profile"]["attributes"] if one["attribute"] == "score")
    distinct, least = scores["distinct"]["about"], event["rule"]["arguments"]["least"]
    if distinct >= least:
        return {"outcome": "passed"}
    return {"outcome": "failed", "message": f"{distinct:.0f} different scores, at least {least} expected"}
"""

CRASHES = "def handler(event, context):\n    raise KeyError('scores')\n"


def reasons_of(dataset, table: str) -> list[str]:
    """Why the version that a table is was rejected."""
    dataset.cloud.invoke(dataset.cloud.on_publish, {"table": table})
    return dataset.version_of(table)["verdict"]["reasons"]


def test_a_function_in_python_decides_on_a_version(cloud, dataset):
    asking(dataset, function(cloud, dataset.name, README))
    flat = dataset.written()
    assert reasons_of(dataset, flat) == [
        f"lambda: septet-check-{dataset.name} says: 1 different scores, at least 2 expected"
    ]
    good = dataset.written()
    cloud.publisher.client("dynamodb").put_item(
        TableName=good, Item={"id": {"S": "i-900000"}, "score": {"N": "0.25"}, "night": {"S": "2026-11-21"}}
    )
    assert reasons_of(dataset, good) == []
    assert dataset.live_table() == good
    checked = json.loads(cloud.septet("check", "--table", flat, "--with-lambda", "--json", code=1).stdout)
    assert checked["reasons"] == reasons_of(dataset, flat)


def test_a_function_that_crashes_is_no_yes(cloud, dataset):
    asking(dataset, function(cloud, dataset.name, CRASHES))
    reason, *others = reasons_of(dataset, dataset.written())
    # The local AWS names every error of a handler's alike.
    assert reason.startswith("lambda: cannot be checked: it broke: ") and reason.endswith("Error: 'scores'")
    assert not others
    assert dataset.live_table() is None
