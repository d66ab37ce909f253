"""Memory of a container: values built once, and bounded mappings."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Container

Key = TypeVar("Key")
Value = TypeVar("Value")


class once(Generic[Value]):  # noqa: N801 - a decorator
    """Decorator of a function without parameters that runs once and returns the same result from then on.

    Threads share the result: `functools.cache` would run the function once for each thread that calls it before the
    first result, which would make too many clients with connections. A call that raises is repeated by the next one.
    """

    _lock: ClassVar = threading.RLock()
    """One for all, because a value may need another one."""

    def __init__(self, build: Callable[[], Value]) -> None:
        self._build = build
        self._values: list[Value] = []
        self.__doc__ = build.__doc__
        _registry.add(self)

    def __call__(self) -> Value:
        """Return the value, which the first call builds."""
        if not self._values:
            with self._lock:
                if not self._values:
                    self._values.append(self._build())
        return self._values[0]

    def cache_clear(self) -> None:
        """Make the next call build the value again. For tests."""
        self._values.clear()


_registry: WeakSet[once[Any]] = WeakSet()


def clear_all(keep: Container[once[Any]] = ()) -> None:
    """Clear every value that is built once, as in a new container, except those to keep. For tests."""
    for function in list(_registry):
        if function not in keep:
            function.cache_clear()


class Recent(Generic[Key, Value]):
    """Bounded mapping that forgets the least recently used entry. Safe for threads.

    Args:
        size: the most entries it keeps.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """Return the value of a key, or None if there is none (any more)."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: Key, value: Value) -> None:
        """Store the value of a key, in place of an earlier one."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._size:
                self._values.popitem(last=False)

    def forget(self, key: Key) -> None:
        """Forget the value of a key, if there is one."""
        with self._lock:
            self._values.pop(key, None)

    def __len__(self) -> int:
        return len(self._values)
