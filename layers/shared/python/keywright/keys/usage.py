"""Counting the uses of keys: in memory, written once a minute per key, and when the container ends.

`request_count` is a statistic. Uses whose write failed are added again after another interval, so a write whose answer
was lost counts twice: it can be too high by one flush for each lost answer. A container that is killed, or cannot write
before it ends, loses the uses of its last interval: it can be too low by those. `last_used_at` never goes back. The
same holds for the counts of days, which are written with it, and for the last use of the previous secret.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from keywright.cache import once
from keywright.keys.meter import Meter
from keywright.settings import settings
from keywright.store import usage
from keywright.store.usage import PreviousUse, Uses

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class UsageMeter(Meter[Uses]):
    """Counts the uses of keys."""

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
        previous = None if previous_generation is None else PreviousUse(previous_generation, at)
        self.add(Uses(organization_id, key_id, {at.astimezone(UTC).date(): 1}, at, address, previous))


@once
def meter() -> UsageMeter:
    """Return this container's meter. Tests that change the environment call `meter.cache_clear()`."""
    return UsageMeter(usage.add, settings().usage_flush_seconds)
