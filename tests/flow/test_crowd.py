"""Many parties at one dataset at the same time."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

ANNOUNCERS, POINTERS, PRUNERS = 18, 16, 16
KEEP = 2


def test_fifty_announcers_pointers_and_pruners_at_once_break_nothing(cloud, new_dataset):
    dataset = new_dataset("crowd", keepNewest=KEEP)
    cloud.aws.settings(cloudtrail={"copies": 2, "shuffle": True})
    first = [dataset.publish_and_wait()["table"] for _ in range(3)]
    names = [dataset.new_table() for _ in range(ANNOUNCERS)]
    chance = random.Random(7)

    def announce(table: str) -> None:
        dataset.create(table)
        dataset.fill(table, first=1 + 1000 * int(table[-4:]))
        dataset.signal(table)
        dataset.signal(table, items=3)

    def point(number: int):
        moves = [
            ["point", dataset.name, str(chance.randint(1, 3)), "--reason", "it suits us", "--yes"],
            ["rollback", dataset.name, "--reason", "it was bad", "--yes"],
        ]
        return cloud.septet(*moves[number % 2], code=None)

    def prune(_number: int) -> dict:
        return cloud.sweep(dataset.name, max_deletions=100)

    with ThreadPoolExecutor(ANNOUNCERS + POINTERS + PRUNERS) as pool:
        announcing = [pool.submit(announce, table) for table in names]
        pointing = [pool.submit(point, number) for number in range(POINTERS)]
        pruning = [pool.submit(prune, number) for number in range(PRUNERS)]
    for done in announcing + pruning:
        done.result()
    moves = [done.result() for done in pointing]
    # A move is made or refused with a reason; anything else is a failure.
    assert {move.returncode for move in moves} <= {0, 1}, [move.stderr for move in moves if move.returncode > 1]
    assert any(move.returncode == 0 for move in moves)

    tables = [*first, *names]
    for table in tables:
        dataset.until_state(table, "valid", "retiring", "deleted")
    cloud.until_drained()
    assert not cloud.broken(dataset.name), cloud.broken(dataset.name)

    # Nothing lost and nothing doubled: each table is one version, each made move one record.
    versions = dataset.versions()
    assert sorted(version["table"] for version in versions) == sorted(tables)
    assert [version["version"] for version in versions] == list(range(1, len(tables) + 1))
    for version in versions:
        actions = dataset.actions(version["version"])
        assert {name: actions[name] for name in ("announce", "seal", "check", "pass")} == Counter(
            announce=1, seal=1, check=1, **{"pass": 1}
        ), (version, actions)
        assert actions["promote"] + actions["skip_promotion"] == 1, actions
    made = Counter(record["action"] for record in dataset.records() if record["action"] in ("point", "roll_back"))
    # Pointing at what is pointed at already succeeds and changes nothing.
    assert sum(made.values()) <= sum(move.returncode == 0 for move in moves)
    moved = sum(dataset.actions()[name] for name in ("promote", "point", "roll_back"))
    assert dataset.pointer()["generation"] == moved

    # What was pruned was never among the newest, and what is kept is there to be read.
    for version in versions:
        newer = [other for other in versions if other["version"] > version["version"]]
        if version["state"] in ("retiring", "deleted"):
            assert len(newer) >= KEEP, version
        else:
            assert dataset.status(version["table"]) == "ACTIVE", version
    live = dataset.pointer()
    assert dataset.version_of(live["table"])["state"] == "valid"
    assert dataset.status(live["table"]) == "ACTIVE"
