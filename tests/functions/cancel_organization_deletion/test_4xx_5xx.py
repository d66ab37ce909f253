"""POST /v1/auth/orgs/cancel-delete: every refusal, none of which writes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support import faults
from tests.support.client import Refusal, calling, meanwhile
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from tests.support.client import Call

call = calling("cancel_organization_deletion", role="owner")

NOT_SCHEDULED = Refusal(
    status=409,
    code="CONFLICT",
    message="The organization is not scheduled for deletion",
    hint="Nothing needs to be canceled: keys and members are unchanged.",
    pagination=None,
)


def test_409_without_a_deletion_to_cancel(call: Call) -> None:
    """A cancellation without a scheduled deletion is refused."""
    assert NOT_SCHEDULED == call.refused()


def test_409_the_second_time(call: Call) -> None:
    """A second cancellation is refused and writes no second audit record."""
    call.table.freeze()
    call.data()

    assert NOT_SCHEDULED == call.refused()
    assert 1 == len(call.table.under("AUDIT#"))


def test_409_after_a_concurrent_cancellation(call: Call) -> None:
    """Of two simultaneous cancellations one succeeds, with one audit record."""
    call.table.freeze()

    with faults.injected(None, meanwhile(call.table.put_organization)):
        refusal = call.fails()

    assert NOT_SCHEDULED == refusal
    assert [] == call.table.under("AUDIT#")


def test_409_after_a_concurrent_cancellation_and_request(call: Call) -> None:
    """A deletion scheduled after the read is not canceled."""
    call.table.freeze()
    anew = meanwhile(lambda: call.table.put_organization(pending_deletion_at="2100-01-01T00:00:00.000Z"))

    with faults.injected(None, anew):
        refusal = call.fails()

    assert 409 == refusal.status
    assert "2100-01-01T00:00:00.000Z" == call.table.item("ORG")["pending_deletion_at"]
    assert [] == call.table.under("AUDIT#")


def test_410_once_the_purge_has_begun(call: Call) -> None:
    """An organization whose purge has begun cannot be restored."""
    call.table.freeze()
    call.table.put(pk=f"PURGED#{ORGANIZATION_ID}", sk="PURGED")

    refusal = call.refused()

    assert 410 == refusal.status
    assert "ORGANIZATION_FROZEN" == refusal.code
