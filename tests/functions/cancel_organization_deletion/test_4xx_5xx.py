"""POST /v1/auth/orgs/cancel-delete: every refusal, and that it leaves nothing behind."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from keywright.store import table
from tests import faults
from tests.calling import UNANSWERED, Refusal, meanwhile
from tests.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, STRANGERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.calling import Call
    from tests.world import Table


def admin(table: Table) -> None:
    """Make `someone` an admin, who manages keys but does not own the organization."""
    table.put_member("someone", "admin")


NO_OWNERS = [admin, *STRANGERS]
FORBIDDEN = Refusal(
    status=403,
    code="FORBIDDEN",
    message="You are not allowed to cancel the deletion of this organization",
    hint="Only an owner of the organization can do it.",
    pagination=None,
)


def test_401_an_expired_session_that_the_gateway_still_remembers(call: Call) -> None:
    """API Gateway reuses an authorizer's answer for minutes; the session's end counts all the same."""
    call.table.freeze()

    assert 401 == call.refused(authorizer={"expiresAt": str(int(time.time()))}).status


def test_401_without_an_authorizer(call: Call) -> None:
    """A route that lost its authorizer lets nobody in."""
    call.table.freeze()

    assert 401 == call.refused(requestContext={"requestId": "r", "stage": "v1", "domainName": "d"}).status


@pytest.mark.parametrize("arrange", NO_OWNERS, ids=lambda arrange: arrange.__name__)
def test_403_is_one_answer_for_all(call: Call, arrange: Callable[[Table], None]) -> None:
    """Whoever is no owner learns that, and not why."""
    call.table.freeze()
    arrange(call.table)

    assert FORBIDDEN == call.refused(user_id="someone")


@pytest.mark.parametrize("arrange", NO_OWNERS, ids=lambda arrange: arrange.__name__)
def test_403_where_no_deletion_is_scheduled_as_well(call: Call, arrange: Callable[[Table], None]) -> None:
    """Whether one is scheduled is no business of those who may not cancel it."""
    arrange(call.table)

    assert FORBIDDEN == call.refused(user_id="someone")


def test_403_for_who_loses_the_role_meanwhile(call: Call) -> None:
    """What counts is the moment of the cancellation."""
    call.table.freeze()

    with faults.injected(None, meanwhile(lambda: call.table.put_member("user_1", "admin"))):
        refusal = call.fails()

    assert FORBIDDEN == refusal
    assert "pending_deletion_at" in call.table.item("ORG")


def test_an_organization_that_does_not_exist_is_not_brought_to_life(call: Call) -> None:
    """A membership that outlived its organization is worth nothing."""
    call.table.put_member("someone", "owner", OTHER_ORGANIZATION_ID)

    refusal = call.refused(user_id="someone", authorizer={"organizationId": OTHER_ORGANIZATION_ID})

    assert 400 < refusal.status < 500


NOT_SCHEDULED = Refusal(
    status=409,
    code="CONFLICT",
    message="The organization is not scheduled for deletion",
    hint="There is nothing to cancel; keys and members are as they were.",
    pagination=None,
)


def test_409_without_a_deletion_to_cancel(call: Call) -> None:
    """The caller learns that there is nothing to do."""
    assert NOT_SCHEDULED == call.refused()


def test_409_the_second_time(call: Call) -> None:
    """What is cancelled cannot be cancelled again, and leaves no second audit record."""
    call.table.freeze()
    call.data()

    assert NOT_SCHEDULED == call.refused()
    assert 1 == len(call.table.under("AUDIT#"))


def test_409_when_another_owner_is_quicker(call: Call) -> None:
    """Of two who cancel it at once, one did it, and one record says so."""
    call.table.freeze()

    with faults.injected(None, meanwhile(call.table.put_organization)):
        refusal = call.fails()

    assert NOT_SCHEDULED == refusal
    assert [] == call.table.under("AUDIT#")


def test_409_when_it_is_cancelled_and_requested_anew_meanwhile(call: Call) -> None:
    """A deletion that the caller has not seen is not cancelled unseen."""
    call.table.freeze()
    anew = meanwhile(lambda: call.table.put_organization(pending_deletion_at="2100-01-01T00:00:00.000Z"))

    with faults.injected(None, anew):
        refusal = call.fails()

    assert (409, "2100-01-01T00:00:00.000Z", []) == (
        refusal.status,
        call.table.item("ORG")["pending_deletion_at"],
        call.table.under("AUDIT#"),
    )


def test_410_once_it_is_being_carried_out(call: Call) -> None:
    """What is half deleted does not come back."""
    call.table.freeze()
    call.table.put(pk=f"PURGED#{ORGANIZATION_ID}", sk="PURGED")

    refusal = call.refused()

    assert (410, "ORGANIZATION_FROZEN") == (refusal.status, refusal.code)


def test_500_shows_nothing(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the contract's sentence; the log gets the exception."""
    call.table.freeze()

    def broken(*_: object) -> None:
        raise RuntimeError("the details")

    monkeypatch.setattr(table, "commit", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        refusal = call.refused()

    assert (500, "An unexpected error occurred") == (refusal.status, refusal.message)
    assert "RuntimeError: the details" in " ".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("position", range(2), ids=["read", "write"])
@pytest.mark.parametrize("fault", UNANSWERED)
def test_503_when_dynamodb_does_not_recover(call: Call, fault: faults.Fault, position: int) -> None:
    """The organization stays scheduled, and it is safe to repeat."""
    call.table.freeze()

    with faults.injected(*[None] * position, *[fault] * 100):
        refusal = call.refused()

    assert (503, "SERVICE_UNAVAILABLE") == (refusal.status, refusal.code)
