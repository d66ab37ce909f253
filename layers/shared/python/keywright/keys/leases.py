"""Claiming uses ahead: what a container takes of a fast rate in one write, and spends soon.

    T                                                T + lateness
    |------------------------------------------------|
    claim of 4: tat + 4 intervals                    a use that is left now is lost
    use 1          use 2        use 3

It is exact. A use at a time s was claimed at most the lateness L before s, and claims conform to a burst that is
smaller by L / interval (`Limits.span`). So the uses of any time from t1 to t2 were claimed from t1 - L to t2, and those
are

    burst - L / interval + (t2 - t1 + L) / interval = burst + (t2 - t1) / interval

at most, in all containers together. A container claims a quarter of what it expects to spend within L, so that it loses
less than one use in a thousand at random times, and never more than one claim.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from keywright.cache import Recent, once

if TYPE_CHECKING:
    from uuid import UUID

MOST_AHEAD = 100
"""Uses to claim ahead at the most: more would save less than 1 % of the writes."""
LEAST_AHEAD = 5
"""Fewer are not claimed: at random times, of one use claimed ahead of four expected, 2 % would be lost."""
REMEMBERED_LEASES = 1_000
"""Only holders with more than a hundred uses a second have one."""


class Lease:
    """The uses of one holder that this container has claimed ahead, and how fast it spends them. Safe for threads.

    Times are nanoseconds since 1970.

    Args:
        lateness: of the limits (`Limits.lateness`).
    """

    def __init__(self, lateness: int) -> None:
        self._lock = threading.Lock()
        self.lateness = lateness
        self._left = 0
        self._ends_at = 0
        self._is_claiming = False
        # Uses spent in this stretch of half the lateness, and in the one before.
        self._began_at = 0
        self._spent = 0
        self._spent_before = 0

    def holds(self, cost: int, now: int) -> bool:
        """Return whether that many uses are left."""
        with self._lock:
            return self._holds(cost, now)

    def spend(self, cost: int, now: int) -> bool:
        """Spend uses that are left; return whether there were enough."""
        with self._lock:
            is_spent = self._holds(cost, now)
            if is_spent:
                self._left -= cost
                self._count(cost, now)
            return is_spent

    def put_back(self, cost: int) -> None:
        """Put uses back that were spent and then not needed. They are lost when the lease ends."""
        with self._lock:
            self._left += cost

    def begin_claim(self, now: int) -> int:
        """Return how many uses to claim besides those at hand; none while another thread claims some."""
        with self._lock:
            self._count(0, now)
            ahead = min(MOST_AHEAD, self._spent_before // 2)
            if self._is_claiming or ahead < LEAST_AHEAD:
                return 0
            self._is_claiming = True
            return ahead

    def end_claim(self, ahead: int, now: int) -> None:
        """Hold the uses that were claimed at a time until they are late; none if the claim failed."""
        with self._lock:
            self._is_claiming = False
            if ahead:
                self._left, self._ends_at = ahead, now + self.lateness

    def count(self, cost: int, now: int) -> None:
        """Count uses that were at hand."""
        with self._lock:
            self._count(cost, now)

    def _count(self, cost: int, now: int) -> None:
        stretch = self.lateness // 2
        if not 0 <= now - self._began_at < stretch:
            is_next = 0 <= now - self._began_at < 2 * stretch
            self._began_at, self._spent, self._spent_before = now, 0, self._spent if is_next else 0
        self._spent += cost

    def _holds(self, cost: int, now: int) -> bool:
        return cost <= self._left and now <= self._ends_at


@once
def leases() -> Recent[UUID, Lease]:
    """Return this container's leases, by holder."""
    return Recent(REMEMBERED_LEASES)
