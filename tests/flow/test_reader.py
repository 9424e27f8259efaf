"""A service that reads all the time, with the reader's permissions only, while versions change."""

import contextlib
import json
import signal
import subprocess

from dataset import item
from waiting import until


class Reader:
    """A running ``follow``; its output is JSON lines."""

    def __init__(self, cloud, dataset, directory) -> None:
        self._path = directory / "follow.out"
        keys = directory / "keys"
        keys.write_text("".join(f"{item(number)['id']['S']}\n" for number in range(1, 11)))
        environment = {**cloud.reader.environment(), "SEPTET_REGISTRY_TABLE": cloud.registry_table}
        command = [
            cloud.programs["follow"], dataset.name,
            "--key-attribute", "id", "--keys-file", keys, "--pause-ms", "1", "--reader-id", "api-1",
        ]  # fmt: skip
        with open(self._path, "wb") as output, open(directory / "follow.err", "wb") as errors:
            self._process = subprocess.Popen(command, env=environment, stdout=output, stderr=errors)

    def lines(self) -> list[dict]:
        """What it has said so far."""
        return [json.loads(line) for line in self._path.read_text().splitlines() if line.endswith("}")]

    def until_on(self, version: int) -> None:
        """Waits until it says that it serves a version."""
        until(
            f"the reader serves version {version}", lambda: [one["version"] for one in self.lines()][-1:] == [version]
        )

    def stop(self) -> dict:
        """Ends it; returns its totals."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(timeout=20) == 0
        return self.lines()[-1]

    def kill(self) -> None:
        """Makes sure that it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()


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
