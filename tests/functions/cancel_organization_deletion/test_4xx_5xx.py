"""POST /v1/auth/orgs/cancel-delete: every refusal, none of which writes anything."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from keywright.store import table
from tests.support import faults
from tests.support.client import UNANSWERED, Refusal, meanwhile
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, STRANGERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call
    from tests.support.world import Table


def admin(table: Table) -> None:
    """Make `someone` an admin: a role that manages keys but does not own the organization."""
    table.put_member("someone", "admin")


NO_OWNERS = [admin, *STRANGERS]
FORBIDDEN = Refusal(
    status=403,
    code="FORBIDDEN",
    message="You are not allowed to do this in this organization",
    hint="Only an owner of the organization can do this.",
    pagination=None,
)


def test_401_an_expired_session_in_the_gateways_cache(call: Call) -> None:
    """An expired session is refused even while API Gateway caches the authorizer's answer."""
    call.table.freeze()

    assert 401 == call.refused(authorizer={"expiresAt": str(int(time.time()))}).status


def test_401_without_an_authorizer(call: Call) -> None:
    """A request without an authorizer's context is refused."""
    call.table.freeze()

    assert 401 == call.refused(requestContext={"requestId": "r", "stage": "v1", "domainName": "d"}).status


@pytest.mark.parametrize("arrange", NO_OWNERS, ids=lambda arrange: arrange.__name__)
def test_403_is_one_answer_for_all(call: Call, arrange: Callable[[Table], None]) -> None:
    """Every caller who is not an owner gets the same answer, without a reason."""
    call.table.freeze()
    arrange(call.table)

    assert FORBIDDEN == call.refused(user_id="someone")


@pytest.mark.parametrize("arrange", NO_OWNERS, ids=lambda arrange: arrange.__name__)
def test_403_without_a_scheduled_deletion(call: Call, arrange: Callable[[Table], None]) -> None:
    """A forbidden caller does not learn whether a deletion is scheduled."""
    arrange(call.table)

    assert FORBIDDEN == call.refused(user_id="someone")


def test_403_for_a_member_demoted_meanwhile(call: Call) -> None:
    """The role at the time of the cancellation counts."""
    call.table.freeze()

    with faults.injected(None, meanwhile(lambda: call.table.put_member("user_1", "admin"))):
        refusal = call.fails()

    assert FORBIDDEN == refusal
    assert "pending_deletion_at" in call.table.item("ORG")


def test_an_unknown_organization_is_not_created(call: Call) -> None:
    """A membership without its organization grants nothing."""
    call.table.put_member("someone", "owner", OTHER_ORGANIZATION_ID)

    refusal = call.refused(user_id="someone", authorizer={"organizationId": OTHER_ORGANIZATION_ID})

    assert 400 < refusal.status < 500


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


def test_500_hides_the_exception(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets a generic message; the log gets the exception."""
    call.table.freeze()

    def broken(*_: object) -> None:
        raise RuntimeError("the details")

    monkeypatch.setattr(table, "commit", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        refusal = call.refused()

    assert 500 == refusal.status
    assert "An unexpected error occurred" == refusal.message
    assert "RuntimeError: the details" in " ".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("position", range(2), ids=["read", "write"])
@pytest.mark.parametrize("fault", UNANSWERED)
def test_503_when_dynamodb_does_not_recover(call: Call, fault: faults.Fault, position: int) -> None:
    """The deletion stays scheduled, and the request can be repeated."""
    call.table.freeze()

    with faults.injected(*[None] * position, *[fault] * 100):
        refusal = call.refused()

    assert 503 == refusal.status
    assert "SERVICE_UNAVAILABLE" == refusal.code
