"""How much of the invocation's time is left, so that an answer always comes before Lambda ends the function."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

RESERVE_SECONDS = 1.0
"""Kept back for writing the answer."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def within(remaining_milliseconds: int) -> Iterator[None]:
    """Bound everything inside by the time an invocation has left, less the reserve."""
    token = _deadline.set(time.monotonic() + remaining_milliseconds / 1000 - RESERVE_SECONDS)
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining_seconds() -> float:
    """Seconds left for work; infinite where no invocation sets a bound. Negative once it is over."""
    deadline = _deadline.get()
    return float("inf") if deadline is None else deadline - time.monotonic()
