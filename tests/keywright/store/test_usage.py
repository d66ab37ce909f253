"""Uses in the table: added with one write unit, never to a deleted key, never back in time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from keywright import clock
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.keys.usage import Meter
from keywright.store import usage
from keywright.store.usage import Uses
from tests.support import faults
from tests.support.client import UNANSWERED, meanwhile
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from tests.support.world import Table, World

AT = clock.stored("2026-06-01T12:00:00.000Z")
WRITE = "UpdateItem"


@pytest.fixture
def table(world: World) -> Table:
    """A table with an unused key."""
    world.table.put_key()
    world.table.put_unused()
    return world.table


def uses(count: int = 3, *, later: float = 0) -> Uses:
    """Return uses of the key."""
    at = AT + timedelta(seconds=later)
    return Uses(UUID(ORGANIZATION_ID), UUID(KEY_ID), {at.date(): count}, at)


def stored(table: Table) -> tuple[int, str]:
    """Read count and time of last use."""
    item = table.item(f"USAGE#{KEY_ID}")
    return int(item["request_count"]), item["last_used_at"]


def delete(table: Table) -> None:
    """Delete the key and its usage, like the deletion of a key."""
    for prefix in ("KEY#", "USAGE#"):
        key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"{prefix}{KEY_ID}"}}
        table.client.delete_item(TableName=table.name, Key=key)


def test_uses_are_added_in_one_request(table: Table) -> None:
    """Count and time are written without a transaction."""
    with faults.injected() as operations:
        usage.add(uses())

    assert [WRITE] == operations
    assert (3, "2026-06-01T12:00:00.000Z") == stored(table)


def test_later_uses_are_added(table: Table) -> None:
    """Counts are summed, and the last time stays."""
    usage.add(uses())
    usage.add(uses(4, later=60.5))

    assert (7, "2026-06-01T12:01:00.500Z") == stored(table)


def test_the_time_never_goes_back(table: Table) -> None:
    """Uses that another container writes late only add their count, with a second request."""
    usage.add(uses(later=60))
    with faults.injected() as operations:
        usage.add(uses(4))

    assert [WRITE] * 2 == operations
    assert (7, "2026-06-01T12:01:00.000Z") == stored(table)


def test_the_same_time_again_is_added_in_one_request(table: Table) -> None:
    """Uses with the stored time are added in one request: an equal time is not a step back."""
    usage.add(uses())
    with faults.injected() as operations:
        usage.add(uses())

    assert [WRITE] == operations
    assert (6, "2026-06-01T12:00:00.000Z") == stored(table)


def test_the_usage_of_a_deleted_key_does_not_come_back(world: World) -> None:
    """GIVEN no usage WHEN uses are added THEN none is written, and there is nothing to repeat."""
    usage.add(uses())

    assert [] == world.table.items()


def test_a_key_that_is_deleted_between_the_two_requests_is_not_used(table: Table) -> None:
    """The second request, without the time, has the condition too."""
    usage.add(uses(later=60))

    with faults.injected(None, meanwhile(lambda: delete(table))):
        usage.add(uses())

    assert [] == table.items()


@pytest.mark.parametrize("fault", [*UNANSWERED, faults.error("TransactionConflictException")])
def test_what_fails_is_raised_after_one_attempt(table: Table, fault: faults.Fault) -> None:
    """The meter retries later. No verification waits for more than one attempt."""
    before = table.items()
    with faults.injected(*[fault] * 100) as operations, pytest.raises(ServiceError) as caught:
        usage.add(uses())

    assert SERVICE_UNAVAILABLE == caught.value.error
    assert [WRITE] == operations
    assert before == table.items()


def test_a_lost_answer_may_count_twice(table: Table) -> None:
    """GIVEN a write whose answer is lost WHEN the meter repeats it THEN its uses are added again, and none is lost."""
    meter = Meter(usage.add, interval_seconds=0)
    with faults.injected(faults.lost_answer):
        meter.count(UUID(ORGANIZATION_ID), UUID(KEY_ID), AT)
        meter.flush_all(60)

    assert (2, "2026-06-01T12:00:00.000Z") == stored(table)
