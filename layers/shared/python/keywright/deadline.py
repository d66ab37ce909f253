"""Time left in the invocation, so that an answer always comes before Lambda ends the function."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

RESERVE_SECONDS = 1.0
"""Reserved for writing the answer."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def within(remaining_milliseconds: int) -> Iterator[None]:
    """Set the deadline of everything inside: the time that the invocation has left, minus the reserve."""
    token = _deadline.set(time.monotonic() + remaining_milliseconds / 1000 - RESERVE_SECONDS)
    try:
        yield
    finally:
        _deadline.reset(token)


@contextmanager
def reserving(share: float, least_seconds: float) -> Iterator[None]:
    """Set an earlier deadline for everything inside, so that a share of the time is left afterwards.

    Args:
        share: of the time until the deadline; without a deadline there is none inside either.
        least_seconds: what is left at least.
    """
    deadline, remaining = _deadline.get(), remaining_seconds()
    token = _deadline.set(None if deadline is None else deadline - max(least_seconds, share * remaining))
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining_seconds() -> float:
    """Return the seconds until the deadline: infinite without one, negative after it."""
    deadline = _deadline.get()
    return float("inf") if deadline is None else deadline - time.monotonic()
