"""A cancellation wins until the purge begins, and is impossible afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keywright.organizations.purge import PurgeFailedError
from keywright.store.purges import BATCH_ITEMS
from tests.support import faults
from tests.support.client import Refusal, meanwhile
from tests.support.event_queue import event, message
from tests.support.purge import DUE, NOW
from tests.support.world import ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call
    from tests.support.purge import Purge

SCHEDULED_DELETION = {"pk": "DELETIONS", "sk": f"{DUE}#{ORGANIZATION_ID}"}


@pytest.fixture
def cancel(functions: Callable[[str], Call], purge: Purge) -> Call:
    """An owner's request to cancel the deletion."""
    call = functions("cancel_organization_deletion")
    purge.schedule()  # over the organization that `functions` has written
    purge.table.put_member("user_1", "owner")
    return call


def kept(purge: Purge) -> list[dict[str, Any]]:
    """Return the organization's items without its audit log."""
    return [item for item in purge.left() if not item["sk"].startswith("AUDIT#")]


def long(purge: Purge) -> None:
    """Fill more than one batch; members sort into the second one."""
    for number in range(2 * BATCH_ITEMS):
        purge.table.put_usage(nth_id(number))


def begun() -> list[None]:
    """Let the requests through until the first batch is deleted.

    They are: what is due, when and by whom it was requested, begin, look, delete.
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
    """GIVEN a cancellation WHEN the deletion would be due THEN no later run deletes anything."""
    purge.fill(10)
    stop_clock(moment)
    cancel.data()
    before = purge.table.items()

    for time in (DUE, NOW, "2030-02-28T00:00:00.000Z"):
        stop_clock(time)
        assert {} == purge()

    assert before == purge.table.items()
    assert "pending_deletion_at" not in purge.table.item("ORG")
    assert SCHEDULED_DELETION not in before


def test_a_cancellation_after_the_purges_read_wins(purge: Purge, cancel: Call) -> None:
    """A cancellation after the purge's read and before its beginning wins."""
    purge.fill(10)

    with faults.injected(None, None, None, meanwhile(cancel.data)):
        assert {"kept": 1} == purge()

    assert 10 == len(kept(purge))
    assert [] == [item for item in purge.table.items() if item["pk"].startswith(("PURGED#", "DELETIONS"))]


def test_a_cancellation_is_refused_once_the_purge_has_begun(purge: Purge, cancel: Call) -> None:
    """During the purge a cancellation gets 410, and the purge completes."""
    long(purge)
    refused: list[Refusal] = []

    with faults.injected(*begun(), meanwhile(lambda: refused.append(cancel.fails()))):
        assert {"purged": 1} == purge()

    (refusal,) = refused
    assert 410 == refusal.status
    assert "The organization is being deleted" == refusal.message
    assert [] == purge.left()


def test_an_interrupted_purge_cannot_be_canceled(purge: Purge, cancel: Call) -> None:
    """An interrupted purge cannot be canceled."""
    long(purge)
    with faults.injected(*begun(), faults.error("AccessDeniedException")), pytest.raises(PurgeFailedError):
        purge()

    assert 410 == cancel.fails().status
    assert {"purged": 1} == purge()


def test_a_late_event_cannot_cancel_a_purge(purge: Purge, load_handler: Callable[[str], Callable[..., Any]]) -> None:
    """An event from before the purge that arrives during it is skipped."""
    long(purge)
    late = event("organization.deletion_canceled", time="2030-01-30T00:00:00Z")
    answers: list[Any] = []

    def sync() -> None:
        answers.append(load_handler("sync_organizations")({"Records": [message(late, "1")]}, purge.world.context))

    with faults.injected(*begun(), meanwhile(sync)):
        assert {"purged": 1} == purge()

    assert [{"batchItemFailures": []}] == answers
    assert [] == purge.left()


def test_a_postponed_deletion_is_not_done_early(purge: Purge, stop_clock: Callable[[str], object]) -> None:
    """After a cancellation and a new request only the new time counts; the old scheduled deletion is removed."""
    later = "2030-02-10T00:00:00.000Z"
    purge.fill(10)
    purge.schedule(at=later)

    assert {"kept": 1} == purge()
    assert 9 == len(kept(purge))
    assert [f"{later}#{ORGANIZATION_ID}"] == [item["sk"] for item in purge.table.items() if item["pk"] == "DELETIONS"]

    stop_clock(later)
    assert {"purged": 1} == purge()
    assert [] == purge.left()


def test_a_deletion_scheduled_again_is_left_to_the_next_run(purge: Purge) -> None:
    """A scheduled deletion that becomes valid again between the purge's read and its removal is kept."""
    purge.table.put_organization()

    with faults.injected(None, None, None, meanwhile(purge.schedule)):
        assert {"kept": 1} == purge()

    assert {"purged": 1} == purge()
