"""The record of a purge: begun and completed once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from keywright.clock import stored
from keywright.store import purges
from keywright.store.purges import RemainingItem, ScheduledDeletion
from tests.support.world import ORGANIZATION_ID, PENDING_DELETION_AT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import World

ORGANIZATION = UUID(ORGANIZATION_ID)
SCHEDULED = ScheduledDeletion(ORGANIZATION, PENDING_DELETION_AT)
NOW, LATER = stored("2100-01-01T00:00:00.000Z"), stored("2100-01-02T00:00:00.000Z")


def finish_again() -> None:
    """Complete the purge."""
    purges.finish(SCHEDULED, LATER)


def delete_again() -> None:
    """Delete a key that was left, and count it."""
    purges.delete_batch(ORGANIZATION, [RemainingItem("KEY#01980000-0000-7000-8000-000000000001")])


@pytest.fixture
def begun(world: World) -> World:
    """An organization whose purge has begun, with a key."""
    world.table.freeze()
    world.table.put_key()
    purges.begin(SCHEDULED, None, "request-1", NOW)
    return world


@pytest.mark.parametrize("act", [finish_again, delete_again])
def test_a_completed_purge_is_over(begun: World, act: Callable[[], None]) -> None:
    """GIVEN two invocations WHEN one completes the purge THEN the other changes neither its record nor the table."""
    purges.finish(SCHEDULED, NOW)
    before = begun.table.items()

    with pytest.raises(purges.IsOverError):
        act()

    assert before == begun.table.items()


@pytest.mark.parametrize("act", [finish_again, delete_again])
def test_a_purge_whose_record_is_gone_has_stopped(begun: World, act: Callable[[], None]) -> None:
    """GIVEN an operator who deletes the record of a purge THEN nothing more is deleted."""
    key = {"pk": {"S": f"PURGED#{ORGANIZATION_ID}"}, "sk": {"S": "PURGED"}}
    begun.table.client.delete_item(TableName=begun.table.name, Key=key)
    before = begun.table.items()

    with pytest.raises(purges.StoppedError):
        act()

    assert before == begun.table.items()
