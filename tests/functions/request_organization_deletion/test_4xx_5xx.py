"""POST /v1/auth/orgs/request-delete: every refusal, and that it leaves nothing behind."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from keywright.store import table
from tests import faults
from tests.calling import UNANSWERED, Refusal, meanwhile
from tests.world import OTHER_ORGANIZATION_ID, STRANGERS

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
    message="You are not allowed to delete this organization",
    hint="Only an owner of the organization can do it.",
    pagination=None,
)


def test_401_an_expired_session_that_the_gateway_still_remembers(call: Call) -> None:
    """API Gateway reuses an authorizer's answer for minutes; the session's end counts all the same."""
    assert 401 == call.refused(authorizer={"expiresAt": str(int(time.time()))}).status


def test_401_without_an_authorizer(call: Call) -> None:
    """A route that lost its authorizer lets nobody in."""
    assert 401 == call.refused(requestContext={"requestId": "r", "stage": "v1", "domainName": "d"}).status


@pytest.mark.parametrize("arrange", NO_OWNERS, ids=lambda arrange: arrange.__name__)
def test_403_is_one_answer_for_all(call: Call, arrange: Callable[[Table], None]) -> None:
    """Whoever is no owner learns that, and not why."""
    arrange(call.table)

    assert FORBIDDEN == call.refused(user_id="someone")


@pytest.mark.parametrize("arrange", NO_OWNERS, ids=lambda arrange: arrange.__name__)
def test_403_in_a_frozen_organization_as_well(call: Call, arrange: Callable[[Table], None]) -> None:
    """Whether it is scheduled already is no business of those who may not do it."""
    call.table.freeze()
    arrange(call.table)

    assert FORBIDDEN == call.refused(user_id="someone")


def test_403_an_organization_that_does_not_exist(call: Call) -> None:
    """A membership that outlived its organization is worth nothing, and no half of one is written."""
    call.table.put_member("someone", "owner", OTHER_ORGANIZATION_ID)

    assert FORBIDDEN == call.refused(user_id="someone", authorizer={"organizationId": OTHER_ORGANIZATION_ID})


def test_410_the_second_time(call: Call) -> None:
    """The day of the deletion does not move."""
    call.data()

    refusal = call.refused()

    assert (410, "ORGANIZATION_FROZEN") == (refusal.status, refusal.code)


def test_410_when_another_owner_is_quicker(call: Call) -> None:
    """Of two who request it at once, one did it, and one record says so."""
    with faults.injected(meanwhile(call.table.freeze)):
        refusal = call.fails()

    assert (410, []) == (refusal.status, call.table.under("AUDIT#"))


def test_500_shows_nothing(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the contract's sentence; the log gets the exception."""

    def broken(*_: object) -> None:
        raise RuntimeError("the details")

    monkeypatch.setattr(table, "commit", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        refusal = call.refused()

    assert (500, "An unexpected error occurred") == (refusal.status, refusal.message)
    assert "RuntimeError: the details" in " ".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("fault", [*UNANSWERED, faults.canceled("None", "TransactionConflict", "None", "None")])
def test_503_when_dynamodb_does_not_recover(call: Call, fault: faults.Fault) -> None:
    """The organization goes on as it was."""
    with faults.injected(*[fault] * 100):
        refusal = call.refused()

    assert (503, "SERVICE_UNAVAILABLE") == (refusal.status, refusal.code)
