"""Counting the uses of rotated-out secrets, which the audit log reports once a day and key.

The tag of a text proves that it was issued here, so a use needs no hash. The first use of a key on a day is written at
once in each container, later ones once a minute, as other uses are. The counts are exact except for those of lost
answers and killed containers, as of `usage`.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from keywright.cache import Recent, once
from keywright.immutable import replace
from keywright.keys.meter import MAXIMUM_KEYS, Meter
from keywright.log import describe, logger
from keywright.settings import settings

# The store's module is imported with the first use: it needs modules that no other verification does.

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime
    from uuid import UUID

    from keywright.store.retired_uses import RetiredUses


class RetiredMeter(Meter["RetiredUses"]):
    """Counts uses of rotated-out secrets.

    Args:
        interval_seconds: how long uses of a key are collected before they are written, except for the first of a day.
        clock: seconds, monotonic; the system's by default.
    """

    def __init__(self, interval_seconds: float, *clock: Callable[[], float]) -> None:
        super().__init__(self._add_and_report, interval_seconds, *clock)
        self._written_on: Recent[tuple[UUID, UUID], date] = Recent(MAXIMUM_KEYS)

    def count(self, organization_id: UUID, key_id: UUID, generation: int, at: datetime, address: str | None) -> None:
        """Count one use; write it if it is the first of this day or if its interval is over. Never raises.

        Args:
            organization_id: of the key.
            key_id: of the key.
            generation: of the secret.
            at: when it was used.
            address: of the client, if it is known.
        """
        from keywright.store.retired_uses import RetiredUses  # noqa: PLC0415 - see above

        use = RetiredUses(organization_id, key_id, 1, generation, at, address)
        name, today = (organization_id, key_id), at.astimezone(UTC).date()
        if self._written_on.get(name) == today:
            self.add(use)
            return
        self._written_on.put(name, today)
        self.keep(use)
        self.flush(*name)

    def _add_and_report(self, uses: RetiredUses) -> None:
        """Add uses and report what is due.

        Raises:
            ServiceError: SERVICE_UNAVAILABLE if they were not added. A report that fails is made with the next flush.
        """
        from keywright.store import retired_uses  # noqa: PLC0415 - see above

        unreported = retired_uses.add(uses)
        if unreported is None:
            return
        try:
            retired_uses.report(unreported)
        except Exception as error:  # noqa: BLE001 - the uses are written
            logger().warning("uses of a rotated-out secret were not reported yet", extra={"details": describe(error)})
            self.keep(replace(uses, count=0))


@once
def meter() -> RetiredMeter:
    """Return this container's meter of rotated-out secrets."""
    return RetiredMeter(settings().usage_flush_seconds)
