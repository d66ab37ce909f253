"""What is made once in a container's life, on first use, however many threads ask for it at the same time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class once(Generic[Value]):  # noqa: N801 - a decorator, used as one
    """Make a function without parameters run once and give the same result ever after.

    `functools.cache` would run it once for each thread that asks before the first is done: too many clients,
    each with connections of its own. A call that raises is made anew.
    """

    _lock = threading.RLock()  # one for all: what is made once may need another thing that is

    def __init__(self, build: Callable[[], Value]) -> None:
        self._build = build
        self._values: list[Value] = []
        self.__doc__ = build.__doc__

    def __call__(self) -> Value:
        """Give the result, made now if this is the first call."""
        if not self._values:
            with self._lock:
                if not self._values:
                    self._values.append(self._build())
        return self._values[0]

    def cache_clear(self) -> None:
        """Make the next call run the function anew; for tests that change what it reads."""
        self._values.clear()
