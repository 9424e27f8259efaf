"""How a behaviour takes the place of a function inside ministack."""

import functools
import inspect
from collections.abc import Callable
from typing import Any


def around(owner: Any, name: str) -> Callable[[Callable], Callable]:
    """Replaces ``owner.name`` by the decorated function, which gets the replaced one as its first argument.

    Fails if there is no such function: a behaviour that patches nothing must not pass for one that works.
    """

    def replace(function: Callable) -> Callable:
        original = getattr(owner, name)

        @functools.wraps(original)
        def replacement(*args: Any, **kwargs: Any) -> Any:
            return function(original, *args, **kwargs)

        @functools.wraps(original)
        async def asynchronous_replacement(*args: Any, **kwargs: Any) -> Any:
            return await function(original, *args, **kwargs)

        # The server looks at the function itself to tell ASGI from WSGI.
        if inspect.iscoroutinefunction(original):
            replacement = asynchronous_replacement
        setattr(owner, name, replacement)
        return replacement

    return replace
