"""Claiming uses ahead: what a container takes of a fast rate in one write, and spends soon.

    T                                                T + lateness
    |------------------------------------------------|
    claim of 4: tat + 4 intervals                    a use that is left now is lost
    use 1          use 2        use 3

It is exact. A use at a time s was claimed at most the lateness L before s, and claims conform to a burst that is
smaller by L / interval (`Limits.span`). So the uses of any time from t1 to t2 were claimed from t1 - L to t2, and those
are

    burst - L / interval + (t2 - t1 + L) / interval = burst + (t2 - t1) / interval

at most, in all containers together. A container claims half of what it expects to spend within L, so that it loses
little, and never more than one claim.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from keywright.cache import Recent, once

if TYPE_CHECKING:
    from uuid import UUID

MOST_AHEAD = 100
"""Uses to claim ahead at the most: more would save less than 1 % of the writes that are left."""
REMEMBERED_LEASES = 1_000
"""Only holders with more than a hundred uses a second have one."""


class Lease:
    """The uses of one holder that this container has claimed ahead, and how fast it spends them. Safe for threads.

    Times are nanoseconds since 1970.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = 0
        self._ends_at = 0
        self._claimed_at = 0
        self._spent = 0
        self._is_claiming = False

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
                self._spent += cost
            return is_spent

    def put_back(self, cost: int) -> None:
        """Put uses back that were spent and then not needed. They are lost when the lease ends."""
        with self._lock:
            self._left += cost
            self._spent -= cost

    def begin_claim(self, lateness: int, now: int) -> int | None:
        """Return how many uses to claim besides those at hand; None while another thread claims some.

        That is what was spent since the last claim, at most, so one quick pair of uses claims little.
        """
        with self._lock:
            if self._is_claiming:
                return None
            self._is_claiming = True
            elapsed = max(now - self._claimed_at, lateness // 2)
            return min(MOST_AHEAD, self._spent * lateness // (2 * elapsed))

    def end_claim(self, cost: int, ahead: int, now: int, lateness: int) -> None:
        """Hold the uses that were claimed at a time besides those at hand, until they are late."""
        with self._lock:
            self._is_claiming = False
            self._left, self._ends_at = ahead, now + lateness
            self._claimed_at, self._spent = now, cost

    def cancel_claim(self) -> None:
        """Let the next use claim some."""
        with self._lock:
            self._is_claiming = False

    def count(self, cost: int) -> None:
        """Count uses that were claimed for themselves."""
        with self._lock:
            self._spent += cost

    def _holds(self, cost: int, now: int) -> bool:
        return cost <= self._left and now <= self._ends_at


@once
def leases() -> Recent[UUID, Lease]:
    """Return this container's leases, by holder."""
    return Recent(REMEMBERED_LEASES)
