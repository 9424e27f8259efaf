"""Waiting for what shall happen, with an end."""

import time
from collections.abc import Callable

PATIENCE = 60.0
PAUSE = 0.05


def until(what: str, look: Callable, patience: float = PATIENCE):
    """Looks again until there is something to see, and returns it; fails naming what was waited for."""
    deadline = time.monotonic() + patience
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:.0f} s in vain until {what}; saw {seen!r} last")
        time.sleep(PAUSE)
