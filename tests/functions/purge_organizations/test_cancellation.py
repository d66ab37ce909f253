"""A cancellation wins until the purge begins, and is impossible from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keywright.organizations.purge import PurgeFailedError
from keywright.store.purges import BATCH_ITEMS
from tests import faults
from tests.bus import event, message
from tests.calling import Refusal, meanwhile
from tests.functions.purge_organizations.conftest import DUE, NOW
from tests.world import ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.calling import Call
    from tests.functions.purge_organizations.conftest import Purge

APPOINTMENT = {"pk": "DELETIONS", "sk": f"{DUE}#{ORGANIZATION_ID}"}


@pytest.fixture
def cancel(functions: Callable[[str], Call], purge: Purge) -> Call:
    """The request to cancel the deletion, of an owner."""
    call = functions("cancel_organization_deletion")
    purge.schedule()  # over what `functions` has put in its place
    purge.table.put_member("user_1", "owner")
    return call


def kept(purge: Purge) -> list[dict[str, Any]]:
    """Read what the organization has, but for its audit log."""
    return [item for item in purge.left() if not item["sk"].startswith("AUDIT#")]


def long(purge: Purge) -> None:
    """Give the organization more than one batch; what comes first in it leaves the members for the next."""
    for number in range(2 * BATCH_ITEMS):
        purge.table.put_usage(nth_id(number))


def begun() -> list[None]:
    """Let the requests through until a batch is gone.

    They ask what is due, when and by whom it was requested; they begin, look and delete.
    """
    return [None] * 6


@pytest.mark.parametrize(
    "moment",
    ["2030-01-16T00:00:00.000Z", "2030-01-30T23:59:59.000Z", NOW],
    ids=["in the middle", "one second before", "before the purge has come round"],
)
def test_a_cancellation_before_the_purge_wins(
    purge: Purge, cancel: Call, stop_clock: Callable[[str], object], moment: str
) -> None:
    """GIVEN a cancellation WHEN the time comes, and later THEN the organization is still there, whole."""
    purge.fill(10)
    stop_clock(moment)
    cancel.data()
    before = purge.table.items()

    for time in (DUE, NOW, "2030-02-28T00:00:00.000Z"):
        stop_clock(time)
        assert {} == purge()

    assert before == purge.table.items()
    assert "pending_deletion_at" not in purge.table.item("ORG")
    assert APPOINTMENT not in before


def test_a_cancellation_between_looking_and_beginning_wins(purge: Purge, cancel: Call) -> None:
    """The purge has read that the time has come; what counts is what is so when it begins."""
    purge.fill(10)

    with faults.injected(None, None, None, meanwhile(cancel.data)):
        assert {"kept": 1} == purge()

    assert 10 == len(kept(purge))
    assert [] == [item for item in purge.table.items() if item["pk"].startswith(("PURGED#", "DELETIONS"))]


def test_a_cancellation_is_refused_once_the_purge_has_begun(purge: Purge, cancel: Call) -> None:
    """While items are being deleted: 410, and the purge goes on to its end."""
    long(purge)
    refused: list[Refusal] = []

    with faults.injected(*begun(), meanwhile(lambda: refused.append(cancel.fails()))):
        assert {"purged": 1} == purge()

    (refusal,) = refused
    assert (410, "The organization is being deleted") == (refusal.status, refusal.message)
    assert [] == purge.left()


def test_an_interrupted_purge_cannot_be_cancelled(purge: Purge, cancel: Call) -> None:
    """What has begun to be deleted does not come back as if nothing had happened."""
    long(purge)
    with faults.injected(*begun(), faults.error("AccessDeniedException")), pytest.raises(PurgeFailedError):
        purge()

    assert 410 == cancel.fails().status
    assert {"purged": 1} == purge()


def test_an_event_of_the_provider_cannot_cancel_it_either(
    purge: Purge, load_handler: Callable[[str], Callable[..., Any]]
) -> None:
    """It was said before the purge began and comes too late: passed over."""
    long(purge)
    late = event("organization.deletion_canceled", time="2030-01-30T00:00:00Z")
    answers: list[Any] = []

    def sync() -> None:
        answers.append(load_handler("sync_organizations")({"Records": [message(late, "1")]}, purge.world.context))

    with faults.injected(*begun(), meanwhile(sync)):
        assert {"purged": 1} == purge()

    assert ([{"batchItemFailures": []}], []) == (answers, purge.left())


def test_a_deletion_that_is_put_off_is_not_carried_out(purge: Purge, stop_clock: Callable[[str], object]) -> None:
    """Cancelled and requested anew: only the new time counts, and the old appointment is forgotten."""
    later = "2030-02-10T00:00:00.000Z"
    purge.fill(10)
    purge.schedule(at=later)

    assert {"kept": 1} == purge()
    assert 9 == len(kept(purge))
    assert [f"{later}#{ORGANIZATION_ID}"] == [item["sk"] for item in purge.table.items() if item["pk"] == "DELETIONS"]

    stop_clock(later)
    assert ({"purged": 1}, []) == (purge(), purge.left())


def test_a_deletion_that_is_scheduled_for_that_very_time_once_more_is_left_to_the_next_run(purge: Purge) -> None:
    """Between seeing that an appointment is void and forgetting it, it has become valid."""
    purge.table.put_organization()

    with faults.injected(None, None, None, meanwhile(purge.schedule)):
        assert {"kept": 1} == purge()

    assert {"purged": 1} == purge()
