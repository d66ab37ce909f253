"""Admitting uses: rates, quotas and both, on a table."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from keywright.domain.limits import Limits, Period, Quota, RateLimit
from keywright.keys.limiter import admit
from keywright.keys.outcome import Code

if TYPE_CHECKING:
    from tests.support.world import World

HOLDER = UUID(int=1)


@pytest.fixture
def holder(world: World) -> UUID:
    """Return the id of a holder with an item of its limits."""
    world.table.put(pk=f"LIMIT#{HOLDER}", sk="LIMIT")
    return HOLDER


def test_a_burst_and_no_more_is_admitted_at_once(holder: UUID) -> None:
    """A burst of two admits two uses at once, and refuses the third."""
    limits = Limits(holder, "key", RateLimit(limit=3, window_seconds=3600, burst=2))
    assert [Code.VALID, Code.VALID, Code.RATE_LIMITED] == [admit([limits], 1).code for _ in range(3)]


def test_a_quota_admits_its_number(holder: UUID) -> None:
    """A quota of two admits two uses, and refuses the third."""
    limits = Limits(holder, "key", quota=Quota(2, Period.MONTH))
    assert [Code.VALID, Code.VALID, Code.QUOTA_EXCEEDED] == [admit([limits], 1).code for _ in range(3)]
