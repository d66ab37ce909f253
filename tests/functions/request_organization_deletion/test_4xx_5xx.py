"""POST /v1/auth/orgs/request-delete: every refusal, none of which writes anything."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from keywright.store import table
from tests.support import faults
from tests.support.client import UNANSWERED, Refusal, meanwhile
from tests.support.world import OTHER_ORGANIZATION_ID, STRANGERS

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
    assert 401 == call.refused(authorizer={"expiresAt": str(int(time.time()))}).status


def test_401_without_an_authorizer(call: Call) -> None:
    """A request without an authorizer's context is refused."""
    assert 401 == call.refused(requestContext={"requestId": "r", "stage": "v1", "domainName": "d"}).status


@pytest.mark.parametrize("arrange", NO_OWNERS, ids=lambda arrange: arrange.__name__)
def test_403_is_one_answer_for_all(call: Call, arrange: Callable[[Table], None]) -> None:
    """Every caller who is not an owner gets the same answer, without a reason."""
    arrange(call.table)

    assert FORBIDDEN == call.refused(user_id="someone")


@pytest.mark.parametrize("arrange", NO_OWNERS, ids=lambda arrange: arrange.__name__)
def test_403_in_a_frozen_organization(call: Call, arrange: Callable[[Table], None]) -> None:
    """A forbidden caller does not learn whether a deletion is scheduled."""
    call.table.freeze()
    arrange(call.table)

    assert FORBIDDEN == call.refused(user_id="someone")


def test_403_an_organization_that_does_not_exist(call: Call) -> None:
    """A membership without its organization grants nothing, and no organization is created."""
    call.table.put_member("someone", "owner", OTHER_ORGANIZATION_ID)

    assert FORBIDDEN == call.refused(user_id="someone", authorizer={"organizationId": OTHER_ORGANIZATION_ID})


def test_410_the_second_time(call: Call) -> None:
    """A second request does not move the scheduled deletion."""
    call.data()

    refusal = call.refused()

    assert 410 == refusal.status
    assert "ORGANIZATION_FROZEN" == refusal.code


def test_410_after_a_concurrent_request(call: Call) -> None:
    """Of two simultaneous requests one succeeds, with one audit record."""
    with faults.injected(meanwhile(call.table.freeze)):
        refusal = call.fails()

    assert 410 == refusal.status
    assert [] == call.table.under("AUDIT#")


def test_500_hides_the_exception(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets a generic message; the log gets the exception."""

    def broken(*_: object) -> None:
        raise RuntimeError("the details")

    monkeypatch.setattr(table, "commit", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        refusal = call.refused()

    assert 500 == refusal.status
    assert "An unexpected error occurred" == refusal.message
    assert "RuntimeError: the details" in " ".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("fault", [*UNANSWERED, faults.canceled("None", "TransactionConflict", "None", "None")])
def test_503_when_dynamodb_does_not_recover(call: Call, fault: faults.Fault) -> None:
    """The organization is unchanged."""
    with faults.injected(*[fault] * 100):
        refusal = call.refused()

    assert 503 == refusal.status
    assert "SERVICE_UNAVAILABLE" == refusal.code
