"""What a test may change while the local AWS runs.

Read a value where it is used (``settings.get("cloudtrail", "delay")``): a copy kept elsewhere would go stale.
"""

import copy
import threading

DEFAULTS = {
    # Seconds until a record reaches the bus, how often it arrives, and whether the records of one delay period
    # change places.
    "cloudtrail": {"enabled": True, "delay": 0.2, "copies": 1, "shuffle": False},
    "tables": {
        "creating_seconds": 0.3,
        "deleting_seconds": 0.2,
        # How long after CreateTable DescribeTable and ListTagsOfResource do not find the table yet.
        "unseen_seconds": 0.0,
        "item_count_lag_seconds": 6 * 3600.0,
        # How long after PutResourcePolicy the policy that was there before still decides.
        "policy_seconds": 0.0,
    },
    "alarms": {"tick_seconds": 1.0},
    # How far CloudWatch's clock is behind: days of a feed pass in seconds.
    "metrics": {"behind_seconds": 0.0},
}

_current = copy.deepcopy(DEFAULTS)
_lock = threading.Lock()


def get(section: str, name: str):
    """The value in force now."""
    return _current[section][name]


def all_values() -> dict:
    """Every section with its values, as a copy."""
    with _lock:
        return copy.deepcopy(_current)


def change(sections: dict) -> None:
    """Changes the named values; raises ``ValueError``, changing nothing, if a name or a type is wrong."""
    for section, values in sections.items():
        if section not in DEFAULTS or not isinstance(values, dict):
            raise ValueError(f"no settings {section!r}; there are {sorted(DEFAULTS)}")
        for name, value in values.items():
            if name not in DEFAULTS[section]:
                raise ValueError(f"no setting {section}.{name}; there are {sorted(DEFAULTS[section])}")
            _check(f"{section}.{name}", value, DEFAULTS[section][name])
    with _lock:
        for section, values in sections.items():
            _current[section].update(values)


def _check(name: str, value, default) -> None:
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false")
    elif isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"{name} must be a number that is not negative")
