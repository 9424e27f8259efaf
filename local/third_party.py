"""A third party that nobody here wrote: datasette (PyPI) over an SQLite file of events, as a paginated HTTP API.

with third_party(directory, {"plays": rows}) as party:      # rows: dictionaries with `id` and `at`, a Unix time
    party.feed("plays", name="plays", sink=sink)   # what `septet feed put` takes
"""

import contextlib
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

from stack import free_port

START_SECONDS = 30.0
STOP_SECONDS = 10.0


class ThirdParty:
    """The process, and how a feed of it is asked."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/events"

    def feed(self, table: str, *, name: str, **settings) -> dict:
        """A feed of one of its tables; ``settings`` are further sections, the sink among them, or replace some."""
        return {
            "feed": name,
            "base_url": self.url,
            "path": f"{table}.json",
            "params": {"_shape": "objects"},
            "incremental": {
                "start_param": "at__gte",
                "end_param": "at__lt",
                "datetime_format": "epoch_s",
                "cursor_path": "at",
                "range_end": "open",
                "step": "1h",
            },
            "paginator": {
                "type": "cursor",
                "cursor_path": "next",
                "cursor_param": "_next",
                "limit_param": "_size",
                "limit": 100,
            },
            "records": {"data_selector": "rows", "primary_key": "id", "total_path": "filtered_table_rows_count"},
            "api_budget": {"calls": 1000, "per": "second"},
            "concurrency": 4,
            **settings,
        }


@contextlib.contextmanager
def third_party(directory: Path, tables: dict[str, Iterable[dict]]) -> Iterator[ThirdParty]:
    """Serves these rows for as long as the block runs."""
    file = directory / "events.db"
    _write(file, tables)
    port = free_port()
    command = [
        sys.executable, "-m", "datasette", "serve", "--immutable", str(file), "--host", "127.0.0.1", "--port", str(port),
        "--setting", "max_returned_rows", "1000", "--setting", "suggest_facets", "off",
    ]  # fmt: skip
    with open(directory / "datasette.log", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(f"http://127.0.0.1:{port}/-/versions.json"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"datasette did not start:\n{(directory / 'datasette.log').read_text()}")
            time.sleep(0.05)
        yield ThirdParty(port)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _write(file: Path, tables: dict[str, Iterable[dict]]) -> None:
    file.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        for table, rows in tables.items():
            rows = list(rows)
            columns = [name for name in rows[0] if name != "id"]
            database.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, {', '.join(columns)})")
            database.execute(f"CREATE INDEX {table}_at ON {table} (at)")
            places = ", ".join(f":{name}" for name in rows[0])
            database.executemany(f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES ({places})", rows)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False
