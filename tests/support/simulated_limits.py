"""Containers that ask limits in simulated time: each has a memory and a clock, all share the table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from keywright.cache import Recent
from keywright.domain.limits import SECOND, Limits, Quota, RateLimit
from keywright.keys import limiter
from keywright.store.limits import LimitsGoneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from keywright.keys.leases import Lease
    from keywright.keys.limiter import Known
    from keywright.keys.outcome import Admission
    from tests.support.world import Table

START = 1_780_000_000 * SECOND
"""Of simulated time; not the beginning of a period."""
_READS = 3
"""As those of a verification."""


@dataclass(slots=True)
class Container:
    """A container's memory, and how far its clock is ahead."""

    ahead: int = 0
    known: Recent[UUID, Known] = field(default_factory=lambda: Recent(100))
    leases: Recent[UUID, Lease] = field(default_factory=lambda: Recent(100))


@dataclass(slots=True)
class SimulatedLimits:
    """The table, the time, and the container that runs."""

    table: Table
    now: int = START
    running: Container = field(default_factory=Container)

    @classmethod
    def opened(cls, table: Table, patch: pytest.MonkeyPatch) -> SimulatedLimits:
        """Run the limiter in simulated time."""
        scene = cls(table)
        patch.setattr(limiter, "known_limits", lambda: scene.running.known)
        patch.setattr(limiter, "leases", lambda: scene.running.leases)
        patch.setattr("keywright.clock.now_ns", lambda: scene.now + scene.running.ahead)
        return scene

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.now += round(seconds * SECOND)

    def holder(self, rate: RateLimit | None = None, quota: Quota | None = None, of: str = "key") -> Limits:
        """Return the limits of a new holder, with its item."""
        holder_id = uuid4()
        self.table.put(pk=f"LIMIT#{holder_id}", sk="LIMIT")
        return Limits(holder_id, of, rate, quota, self.now)

    def changed(self, limits: Limits, rate: RateLimit | None = None, quota: Quota | None = None) -> Limits:
        """Return other limits of a holder, as read now."""
        return replace(limits, rate=rate, quota=quota, read_at=self.now + self.running.ahead)

    def ask(self, *holders: Limits, cost: int = 1, container: Container | None = None) -> Admission:
        """Ask limits, in a container if it is not the one that runs; read them again as a verification does."""
        self.running = container or self.running
        for _ in range(_READS):
            try:
                return limiter.admit(holders, cost)
            except LimitsGoneError:
                holders = tuple(self._read_again(holders))
        raise AssertionError("the limits were not as they were read, three times")

    def admits(self, *holders: Limits, cost: int = 1, container: Container | None = None) -> bool:
        """Return whether limits admit a use."""
        return self.ask(*holders, cost=cost, container=container).code == "VALID"

    def admitted(self, *holders: Limits, uses: int, container: Container | None = None) -> int:
        """Return how many of so many uses at once are admitted."""
        return sum(self.admits(*holders, container=container) for _ in range(uses))

    def item(self, limits: Limits) -> dict[str, object]:
        """Return a holder's item, without its key."""
        (item,) = [item for item in self.table.items() if item["pk"] == f"LIMIT#{limits.holder_id}"]
        return {name: value for name, value in item.items() if name not in {"pk", "sk"}}

    def _read_again(self, holders: Sequence[Limits]) -> list[Limits]:
        return [replace(limits, read_at=self.now + self.running.ahead) for limits in holders]
