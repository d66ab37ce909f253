"""Collecting uses of keys: in memory, written once in an interval per key, and when the container ends.

A verification is delayed by at most one write in an interval per key, and never fails because of it. Uses whose write
failed are written again after another interval.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from keywright.log import describe, logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self
    from uuid import UUID

    _Name = tuple[UUID, UUID]

MAXIMUM_KEYS = 10_000
"""Keys with unwritten uses; when there are more, those of the key that has waited longest are written early."""
SHUTDOWN_SECONDS = 0.4
"""Lambda gives a runtime half a second to end (Lambda Developer Guide, "Understanding the execution environment
lifecycle": 500 ms with a registered internal extension)."""

_SHUTDOWN_WRITERS = 16


class Countable(Protocol):
    """Uses of one key that are not written yet."""

    @property
    def organization_id(self) -> UUID:
        """The key's organization."""

    @property
    def key_id(self) -> UUID:
        """The key."""

    def plus(self, later: Self) -> Self:
        """Return these uses and those that were counted later."""


Counted = TypeVar("Counted", bound=Countable)


class _Pending(NamedTuple):
    """Unwritten uses of a key.

    Attributes:
        since: when they began to wait, by the meter's clock.
        uses: of the meter's kind.
    """

    since: float
    uses: Any


class Meter(Generic[Counted]):
    """Collects uses of keys.

    Args:
        write: adds uses of a key to what is stored.
        interval_seconds: how long uses of a key are collected before they are written.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        write: Callable[[Counted], None],
        interval_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: OrderedDict[_Name, _Pending] = OrderedDict()

    def add(self, uses: Counted) -> None:
        """Collect uses; write those of this key if the first of them is an interval ago. Never raises."""
        name, now = (uses.organization_id, uses.key_id), self._clock()
        with self._lock:
            self._collect(uses, now)
            due = name if now - self._pending[name].since >= self._interval_seconds else None
            if due is None and len(self._pending) > MAXIMUM_KEYS:
                due = next(iter(self._pending))
        if due is not None:
            self._flush(due)

    def flush(self, organization_id: UUID, key_id: UUID) -> None:
        """Flush pending uses of one key. Never raises."""
        self._flush((organization_id, key_id))

    def keep(self, uses: Counted) -> None:
        """Collect uses for a later flush, also if their interval is over."""
        with self._lock:
            self._collect(uses, self._clock())

    def flush_all(self, *others: Meter[Any], seconds: float) -> None:
        """Flush pending uses, those of other meters at the same time, for at most `seconds`. Never raises."""
        ends_at = self._clock() + seconds

        def in_time(flush: Callable[[], None]) -> None:
            if self._clock() < ends_at:
                flush()

        writers = ThreadPoolExecutor(_SHUTDOWN_WRITERS)
        flushes = [flush for meter in (self, *others) for flush in meter._flushes()]  # noqa: SLF001 - the same class
        wait([writers.submit(in_time, flush) for flush in flushes], max(0, ends_at - self._clock()))
        writers.shutdown(wait=False, cancel_futures=True)

    def _flushes(self) -> list[Callable[[], None]]:
        """Return a function for each key with pending uses that flushes them."""
        with self._lock:
            return [partial(self._flush, name) for name in self._pending]

    def _collect(self, uses: Counted, now: float) -> None:
        """Add to the unwritten uses of a key; the caller holds the lock."""
        name = uses.organization_id, uses.key_id
        since, before = self._pending.get(name, (now, None))
        self._pending[name] = _Pending(since, uses if before is None else before.plus(uses))

    def _flush(self, name: _Name) -> None:
        with self._lock:
            pending = self._pending.pop(name, None)
        if pending is None:
            return
        try:
            self._write(pending.uses)
        except Exception as error:  # noqa: BLE001 - the key is as valid as before
            logger().warning("uses of a key were not written yet", extra={"details": describe(error)})
            self.keep(pending.uses)
