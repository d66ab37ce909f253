"""Late deletion requests: an organization is never purged without time to cancel."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from keywright import clock
from tests.support.event_queue import event
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.event_queue import Sync

REASON = "detail.time is so long ago that more than half of the grace period is over"
DAY = timedelta(days=1)


def requested(at: datetime, event_id: str = "evt_requested") -> dict[str, Any]:
    """Return an event that requests the deletion."""
    return event("organization.deletion_requested", time=clock.rfc3339(at), event_id=event_id)


@pytest.fixture
def organization(sync: Sync) -> list[dict[str, Any]]:
    """The table's items: an organization with an owner."""
    sync.world.table.put_organization()
    sync.world.table.put_member("ada", "owner")
    return sync.world.table.items()


def test_a_request_after_its_grace_period_deletes_nothing(
    sync: Sync,
    organization: list[dict[str, Any]],
    now: datetime,
    load_handler: Callable[[str], Callable[..., object]],
) -> None:
    """GIVEN an event of 31 days ago WHEN it arrives and the purge runs THEN the organization is unchanged."""
    late = requested(now - 31 * DAY)

    assert [] == sync(late)
    assert {"purged": 0, "kept": 0, "unfinished": 0} == load_handler("purge_organizations")({}, sync.world.context)

    assert organization == sync.world.table.items()
    (letter,) = sync.put_aside()
    assert REASON == letter.reason


@pytest.mark.parametrize("days", [1, 30, 365])
@pytest.mark.usefixtures("organization")
def test_half_of_the_grace_period_must_be_left(
    sync: Sync, now: datetime, setting: Callable[[str, str], None], days: int
) -> None:
    """A request with less than half of its grace period left, to the millisecond, is put aside."""
    setting("DELETION_GRACE_DAYS", str(days))
    half = days * DAY / 2

    sync(requested(now - half - timedelta(milliseconds=1), "evt_late"))
    assert "pending_deletion_at" not in sync.world.table.item("ORG")
    assert 1 == len(sync.put_aside())

    sync(requested(now - half, "evt_in_time"))
    assert clock.rfc3339(now + half) == sync.world.table.item("ORG")["pending_deletion_at"]
    assert [] == sync.put_aside()


@pytest.mark.usefixtures("organization")
def test_a_request_applied_in_time_may_be_repeated(
    sync: Sync, now: datetime, stop_clock: Callable[[str], datetime]
) -> None:
    """GIVEN an applied request WHEN it is delivered again late, as by a replay of events THEN nothing changes."""
    sync(requested(now))
    before = sync.world.table.items()
    stop_clock(clock.rfc3339(now + 20 * DAY))

    assert [] == sync(requested(now))

    assert before == sync.world.table.items()
    assert [] == sync.put_aside()


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "reversed"])
@pytest.mark.usefixtures("organization")
def test_other_events_are_applied_in_any_order(sync: Sync, now: datetime, order: int) -> None:
    """A request that is put aside changes nothing, in any order of arrival."""
    late, canceled = requested(now - 31 * DAY), event("organization.deletion_canceled", time=clock.rfc3339(now - DAY))

    sync(*[late, canceled][::order])

    assert [f"{clock.rfc3339(now - DAY)}#{canceled['detail']['eventId']}"] == [
        sync.world.table.item("ORG")["deletion_as_of"]
    ]
    assert ["organization.deletion_canceled"] == [record["event"] for record in sync.world.table.under("AUDIT#")]
    assert 1 == len(sync.put_aside())


def test_a_request_of_a_purged_organization_is_ignored(sync: Sync, now: datetime) -> None:
    """GIVEN a purged organization WHEN its request is delivered again THEN it is ignored."""
    began = clock.rfc3339(now - DAY)
    sync.world.table.put(pk=f"PURGED#{ORGANIZATION_ID}", sk="PURGED", created_at=began)

    assert [] == sync(requested(now - 31 * DAY))

    assert [] == sync.put_aside()
