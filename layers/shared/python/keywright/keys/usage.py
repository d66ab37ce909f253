"""Counting the uses of keys: in memory, written once a minute per key, and when the container ends.

A verification is delayed by at most one write a minute per key, and never fails because of it.

`request_count` is a statistic. Uses whose write failed are added again after another interval, so a write whose answer
was lost counts twice: it can be too high by one flush for each lost answer. A container that is killed, or cannot write
before it ends, loses the uses of its last interval: it can be too low by those. `last_used_at` never goes back. The
same holds for the counts of days, which are written with it, and for the last use of the previous secret.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from keywright.cache import once
from keywright.log import describe, logger
from keywright.settings import settings
from keywright.store import usage
from keywright.store.usage import PreviousUse, Uses

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    _Name = tuple[UUID, UUID]

MAXIMUM_KEYS = 10_000
"""Keys with unwritten uses; when there are more, those of the key that has waited longest are written early."""
SHUTDOWN_SECONDS = 0.4
"""Lambda gives a runtime half a second to end (Lambda Developer Guide, "Understanding the execution environment
lifecycle": 500 ms with a registered internal extension)."""

_SHUTDOWN_WRITERS = 16


class _Pending(NamedTuple):
    """Unwritten uses of a key.

    Attributes:
        since: when they began to wait, by the meter's clock.
    """

    since: float
    uses: Uses


class Meter:
    """Counts the uses of keys.

    Args:
        write: adds uses to a key's usage.
        interval_seconds: how long uses of a key are collected before they are written.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        write: Callable[[Uses], None],
        interval_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: OrderedDict[_Name, _Pending] = OrderedDict()

    def count(
        self,
        organization_id: UUID,
        key_id: UUID,
        at: datetime,
        address: str | None = None,
        previous_generation: int | None = None,
    ) -> None:
        """Count one use; write the uses of this key if the first of them is an interval ago. Never raises.

        Args:
            organization_id: of the key.
            key_id: of the key.
            at: when it was used. The use counts for this day, no matter when it is written.
            address: of the client, if it is known.
            previous_generation: of the secret, if it is the previous one in its grace period.
        """
        name, now = (organization_id, key_id), self._clock()
        previous = None if previous_generation is None else PreviousUse(previous_generation, at)
        uses = Uses(organization_id, key_id, {at.astimezone(UTC).date(): 1}, at, address, previous)
        with self._lock:
            self._collect(uses, now)
            due = name if now - self._pending[name].since >= self._interval_seconds else None
            if due is None and len(self._pending) > MAXIMUM_KEYS:
                due = next(iter(self._pending))
        if due is not None:
            self._flush(due)

    def flush_all(self, seconds: float = SHUTDOWN_SECONDS) -> None:
        """Flush pending uses for at most `seconds`. Never raises."""
        ends_at = self._clock() + seconds

        def flush(name: _Name) -> None:
            if self._clock() < ends_at:
                self._flush(name)

        writers = ThreadPoolExecutor(_SHUTDOWN_WRITERS)
        with self._lock:
            names = list(self._pending)
        wait([writers.submit(flush, name) for name in names], max(0, ends_at - self._clock()))
        writers.shutdown(wait=False, cancel_futures=True)

    def _collect(self, uses: Uses, now: float) -> None:
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
            with self._lock:
                self._collect(pending.uses, self._clock())


@once
def meter() -> Meter:
    """Return this container's meter. Tests that change the environment call `meter.cache_clear()`."""
    return Meter(usage.add, settings().usage_flush_seconds)
