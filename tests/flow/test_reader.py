"""A service that reads all the time, with the reader's permissions only, while versions change."""

from reader import Reader
from waiting import until


def test_a_reader_follows_every_version_and_a_rollback_without_a_failed_read(cloud, new_dataset, tmp_path):
    dataset = new_dataset(keepNewest=2)

    def publish(number: int) -> dict:
        # Every version holds the keys that are read, and some that no other holds.
        table = dataset.fill(dataset.fill(dataset.create(), 10), 1, first=1000 * number)
        dataset.signal(table)
        return dataset.until_live(table)

    publish(1)
    reader = Reader(cloud, dataset, tmp_path)
    try:
        reader.until_on(1)
        for number in (2, 3, 4):
            publish(number)
            reader.until_on(number)
            cloud.sweep(dataset.name)
        cloud.septet("rollback", dataset.name, "--reason", "listeners complain", "--yes")
        reader.until_on(3)
        totals = reader.stop()
    finally:
        reader.kill()
    assert (totals["failed"], totals["missing"], totals["first_error"]) == (0, 0, None), totals
    assert totals["versions_seen"] == [1, 2, 3, 4, 3]
    assert totals["reads"] > 100
    # It gave signs of life, with no permission for anything else.
    (beat,) = [one for (_, sk), one in cloud.registry_items().items() if sk == "READER#api-1"]
    assert beat["version"] == {"N": "3"}


def test_a_reader_that_still_serves_a_version_keeps_its_table(cloud, new_dataset, tmp_path):
    dataset = new_dataset(keepNewest=1, pollSeconds=3600)
    first = dataset.fill(dataset.create(), 10)
    dataset.signal(first)
    dataset.until_live(first)
    reader = Reader(cloud, dataset, tmp_path)
    try:
        reader.until_on(1)
        until("it gave a sign of life", lambda: any(sk == "READER#api-1" for _, sk in cloud.registry_items()))
        for _ in range(2):
            dataset.publish_and_wait()
        for _ in range(3):
            cloud.sweep(dataset.name)
        assert dataset.status(first) == "ACTIVE"
        assert reader.stop()["failed"] == 0
    finally:
        reader.kill()
