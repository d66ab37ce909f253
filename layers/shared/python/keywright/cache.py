"""What a container keeps in memory: values made once, and a bounded cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Key = TypeVar("Key")
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


class Recent(Generic[Key, Value]):
    """A mapping that forgets what was not used for the longest time; for several threads at once.

    Args:
        size: how many entries are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """Give a value, None if it is not (or no longer) known."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: Key, value: Value) -> None:
        """Remember a value, in place of what was known under this key."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._size:
                self._values.popitem(last=False)

    def __len__(self) -> int:
        return len(self._values)
