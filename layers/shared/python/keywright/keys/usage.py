"""How often and when keys are used: counted in memory, written once a minute per key, and when the container ends.

A verification is delayed by at most one write a minute per key, and never fails because of it: what cannot be written
is kept and written later.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from keywright.cache import once
from keywright.log import describe, logger
from keywright.settings import settings
from keywright.store import usage
from keywright.store.usage import Uses

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

MAXIMUM_KEYS = 10_000
"""Keys with unwritten uses; when there are more, those of the key that has waited longest are written early."""
SHUTDOWN_SECONDS = 0.4
"""Lambda gives a runtime half a second to end (Lambda Developer Guide, "Understanding the execution environment
lifecycle": 500 ms with a registered internal extension)."""

_SHUTDOWN_WRITERS = 16


@dataclass(slots=True)
class _Pending:
    """What is not written yet of a key.

    Attributes:
        since: when the first of these uses was, by the meter's clock.
        failed: additions whose outcome is not known, to be repeated as they are. DynamoDB knows them by their tokens
            for ten minutes; one that took effect and is repeated later counts twice.
    """

    since: float
    count: int
    last_used_at: datetime
    failed: list[Uses] = field(default_factory=list)


class Meter:
    """Counts the uses of keys.

    Args:
        write: adds uses to what is stored.
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
        self._pending: OrderedDict[tuple[UUID, UUID], _Pending] = OrderedDict()

    def count(self, organization_id: UUID, key_id: UUID, at: datetime) -> None:
        """Count one use; write the uses of this key if the first of them is an interval ago. Never fails."""
        name, now = (organization_id, key_id), self._clock()
        with self._lock:
            pending = self._pending.get(name)
            if pending is None:
                pending = self._pending[name] = _Pending(now, 0, at)
            pending.count += 1
            pending.last_used_at = max(pending.last_used_at, at)
            due = name if now - pending.since >= self._interval_seconds else None
            if due is None and len(self._pending) > MAXIMUM_KEYS:
                due = next(iter(self._pending))
        if due is not None:
            self._flush(due)

    def flush_all(self, seconds: float = SHUTDOWN_SECONDS) -> None:
        """Write what is not written yet, as much as the time allows; it is over then, whatever hangs. Never fails."""
        ends_at = self._clock() + seconds

        def flush(name: tuple[UUID, UUID]) -> None:
            while self._clock() < ends_at and self._flush(name):
                pass

        writers = ThreadPoolExecutor(_SHUTDOWN_WRITERS)
        with self._lock:
            names = list(self._pending)
        wait([writers.submit(flush, name) for name in names], max(0, ends_at - self._clock()))
        writers.shutdown(wait=False, cancel_futures=True)

    def _flush(self, name: tuple[UUID, UUID]) -> bool:
        """Make one addition to a key; tell whether it succeeded and more is left to be added."""
        with self._lock:
            pending = self._pending.pop(name, None)
        if pending is None:
            return False
        if pending.failed:
            uses = pending.failed.pop(0)
        else:
            uses = Uses(*name, pending.count, pending.last_used_at, str(uuid4()))
            pending.count = 0
        try:
            self._write(uses)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the caller's key is as valid as before
            logger().warning("uses of a key were not written yet", extra={"details": describe(error)})
            pending.failed.insert(0, uses)
            self._keep(name, pending)
            return False
        if not pending.failed and not pending.count:
            return False
        self._keep(name, pending)
        return True

    def _keep(self, name: tuple[UUID, UUID], kept: _Pending) -> None:
        """Keep what is left for another interval, with what has come meanwhile."""
        kept.since = self._clock()
        with self._lock:
            newer = self._pending.get(name)
            if newer is not None:
                kept.count += newer.count
                kept.last_used_at = max(kept.last_used_at, newer.last_used_at)
                kept.failed += newer.failed
            self._pending[name] = kept


@once
def meter() -> Meter:
    """Give this container's meter. Tests that change the environment call `meter.cache_clear()`."""
    return Meter(usage.add, settings().usage_flush_seconds)
