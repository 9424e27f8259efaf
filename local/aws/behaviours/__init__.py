"""The behaviours by name. Each is one function that patches ministack; a test leaves it out and must then fail."""

from collections.abc import Callable, Collection


def registry() -> dict[str, Callable[[], None]]:
    """Every behaviour, in the order of installation: a later one sees what an earlier one answers."""
    from aws.behaviours import (
        authorization,
        cloudtrail,
        deliveries,
        functions,
        metrics,
        queues,
        redrive,
        stacks,
        tables,
    )

    modules = (tables, authorization, stacks, functions, deliveries, queues, redrive, metrics, cloudtrail)
    return {behaviour.__name__: behaviour for module in modules for behaviour in module.BEHAVIOURS}


def install(without: Collection[str] = ()) -> None:
    """Installs all behaviours but those named; an unknown name is an error."""
    behaviours = registry()
    unknown = set(without) - behaviours.keys()
    if unknown:
        raise SystemExit(f"local AWS: no behaviour {sorted(unknown)}; there are {sorted(behaviours)}")
    for name, behaviour in behaviours.items():
        if name not in without:
            behaviour()
