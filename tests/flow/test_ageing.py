"""Time that passes for one dataset alone, as Septet's programs see it."""

import datetime

from ageing import TIME, age, older, sweep

DAY = datetime.timedelta(days=1)


def times(item: dict) -> list[str]:
    """Every time in an item, however deep."""
    ((kind, inner),) = item.items()
    if kind in ("M", "L"):
        return [time for one in (inner.values() if kind == "M" else inner) for time in times(one)]
    return [inner] if kind == "S" and TIME.fullmatch(inner) else []


def test_times_move_back_wherever_they_stand_and_nothing_else_changes():
    text, number, when = {"S": "at 2026-11-21T06:00:00Z"}, {"N": "1795960000"}, "2026-11-21T06:00:00.25Z"
    value = {"M": {
        "at": {"S": when}, "holds": {"L": [{"M": {"until": {"S": when}}}]}, "reason": text, "revision": number,
        "night": {"S": "2026-11-21"}, "expires_at": number, "pointed_by": {"SS": [when]},
    }}  # fmt: skip
    moved = "2026-11-20T06:00:00.25Z"
    assert older(value, DAY) == {"M": {
        **value["M"], "at": {"S": moved}, "holds": {"L": [{"M": {"until": {"S": moved}}}]},
        "expires_at": {"N": str(1795960000 - 86400)},
    }}  # fmt: skip


def test_a_day_passes_for_one_dataset_and_for_no_other(cloud, new_dataset):
    dataset, other = new_dataset(), new_dataset()
    for one in (dataset, other):
        one.publish_and_wait()
    waiting = dataset.written()
    dataset.until_state(waiting, "announced")
    cloud.until_drained()
    before = cloud.registry_items()
    created = {table: cloud.described(table)["CreationDateTime"] for table in (waiting, other.live_table())}

    age(dataset, days=1)
    after = cloud.registry_items()
    assert after.keys() == before.keys()
    own = f"DATASET#{dataset.name}"
    changed = {keys for keys, item in after.items() if item != before[keys]}
    assert {pk for pk, _ in changed} - {"DATASETS"} == {own}
    kinds = {sk.partition("#")[0] for _, sk in changed}
    assert kinds >= {"DATASET", "CONTRACT", "VERSION", "POINTER", "LOG"}, kinds
    for keys in changed:
        assert after[keys] == {name: older(value, DAY, name) for name, value in before[keys].items()}
        assert times({"M": before[keys]}), keys
    assert created[waiting] - cloud.described(waiting)["CreationDateTime"] == DAY
    assert created[other.live_table()] == cloud.described(other.live_table())["CreationDateTime"]

    # What has waited for a day is past its deadline.
    age(dataset, hours=1)
    sweep(dataset)
    assert dataset.state_of(waiting) == "abandoned"
    assert not cloud.broken(dataset.name), cloud.broken(dataset.name)
