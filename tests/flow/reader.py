"""A service that reads a dataset all the time, with the reader's permissions only."""

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
