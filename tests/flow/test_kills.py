"""`kill -9` of a function at any point of its work: what was begun is finished, once."""

from collections import Counter

import pytest
from dataset import LIFE
from waiting import until

# The transactions of a table that passes, in their order; a kill lets so many of them pass first.
ANNOUNCE, SEAL, CHECK, VERDICT, PROMOTE = range(5)

POINTS = {
    "before the announcement": ("TransactWriteItems", "before", ANNOUNCE),
    "after the announcement landed": ("TransactWriteItems", "after", ANNOUNCE),
    "before the policy that seals": ("PutResourcePolicy", "before", 0),
    "after the policy that seals": ("PutResourcePolicy", "after", 0),
    "after the protection against deletion": ("UpdateTable", "after", 0),
    "after the transition to sealed": ("TransactWriteItems", "after", SEAL),
    "after the check began": ("TransactWriteItems", "after", CHECK),
    "during the scan": ("Scan", "after", 1),
    "after the profile was kept": ("PutItem", "after", 0),
    "before the verdict": ("TransactWriteItems", "before", VERDICT),
    "after the verdict": ("TransactWriteItems", "after", VERDICT),
    "before the promotion": ("TransactWriteItems", "before", PROMOTE),
    "after the promotion": ("TransactWriteItems", "after", PROMOTE),
}


def test_on_publish_killed_at_any_point_ends_as_if_it_had_not_been(cloud, new_dataset):
    # Signals alone, so that each point is met by the only message there is.
    cloud.aws.settings(cloudtrail={"enabled": False})
    killed = {}
    for point, (action, when, skip) in POINTS.items():
        dataset = new_dataset("kill")
        table = dataset.written()
        fault = cloud.aws.kill(cloud.on_publish, action, when, match=dataset.name, skip=skip)
        killed[point] = (dataset, table, fault)
    for dataset, table, _ in killed.values():
        dataset.signal(table)
    for point, (dataset, table, fault) in killed.items():
        until(f"it was killed {point}", lambda fault=fault: cloud.aws.fired(fault))
        dataset.until_live(table)
    cloud.until_drained()

    for point, (dataset, table, fault) in killed.items():
        assert len(cloud.aws.fired(fault)) == 1, point
        assert len(dataset.versions()) == 1, point
        version = dataset.version_of(table)
        # A check that was begun and not ended is taken over, and that is on record too.
        again = ["take_over"] * (int(version["attempts"]) - 1)
        assert version["attempts"] == (2 if point in INSIDE_THE_CHECK else 1), (point, version["attempts"])
        dataset.assert_published_once(table, "promote", *again)
        assert dataset.actions() == Counter(["put_contract", *LIFE, *again, "promote"]), point
        assert dataset.pointer()["generation"] == 1, point
        assert not cloud.broken(dataset.name), (point, cloud.broken(dataset.name))
    assert cloud.take(cloud.dead_letters) == []


INSIDE_THE_CHECK = {"after the check began", "during the scan", "after the profile was kept", "before the verdict"}

SWEEP_POINTS = {
    "after the version was marked": ("TransactWriteItems", "after", 0),
    "after the table lost its protection": ("UpdateTable", "after", 0),
    "before the table is deleted": ("DeleteTable", "before", 0),
    "after the table was deleted": ("DeleteTable", "after", 0),
    "before the deletion is on record": ("TransactWriteItems", "before", 1),
}


@pytest.mark.parametrize("point", SWEEP_POINTS)
def test_prune_killed_at_any_point_is_continued_by_the_next_sweep(cloud, new_dataset, point):
    action, when, skip = SWEEP_POINTS[point]
    dataset = new_dataset("sweep", keepNewest=1)
    old, new = dataset.publish_and_wait()["table"], dataset.publish_and_wait()["table"]
    fault = cloud.aws.kill(cloud.prune, action, when, match=dataset.name, skip=skip)

    def swept() -> bool:
        cloud.invoke(cloud.prune, {"dataset": dataset.name})
        return dataset.state_of(old) == "deleted"

    until(f"a sweep killed {point} is continued", swept)
    assert len(cloud.aws.fired(fault)) == 1
    until("the table is gone", lambda: dataset.status(old) is None)
    version = dataset.version_of(old)["version"]
    assert dataset.actions(version) == Counter([*LIFE, "promote", "retire", "delete"])
    assert (dataset.live_table(), dataset.status(new)) == (new, "ACTIVE")
