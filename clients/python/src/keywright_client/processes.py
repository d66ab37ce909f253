"""Values that a forked process must not share with its parent: connections, and locks that a thread may hold."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")
Process: TypeAlias = "tuple[int, int]"


class _Forks:
    """Counts the forks between the first process and this one: operating systems use process ids again."""

    count = 0

    @classmethod
    def add(cls) -> None:
        cls.count += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Forks.add)


def current() -> Process:
    """Return what tells this process from those that it was forked from.

    The id notices a fork by a server that is not written in Python, which may run no hooks of Python.
    """
    return os.getpid(), _Forks.count


class PerProcess(Generic[Value]):
    """A value that each process makes for itself. Safe for threads.

    The value of a parent is kept but not used: closing it would disturb the parent.

    Args:
        make: makes the value. Threads that need it at the same time may make more than one, and use the same.
    """

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._values: dict[Process, Value] = {}

    def get(self) -> Value:
        """Return the value of this process."""
        process = current()
        value = self._values.get(process)
        return self._values.setdefault(process, self._make()) if value is None else value
