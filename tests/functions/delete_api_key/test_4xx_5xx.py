"""DELETE /v1/auth/api-keys/{id}: every refusal, and that it leaves nothing behind."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from keywright.store import table
from tests import faults
from tests.calling import UNANSWERED, Refusal, meanwhile
from tests.world import KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, STRANGERS, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.calling import Call
    from tests.world import Table

FORBIDDEN = Refusal(
    status=403,
    code="FORBIDDEN",
    message="You are not allowed to delete API keys in this organization",
    hint="Ask an owner or admin of the organization to do it, or to give you the role.",
    pagination=None,
)


def test_401_an_expired_session_that_the_gateway_still_remembers(call: Call) -> None:
    """API Gateway reuses an authorizer's answer for minutes; the session's end counts all the same."""
    call.table.put_key()

    assert 401 == call.refused(authorizer={"expiresAt": str(int(time.time()))}).status


def test_401_without_an_authorizer(call: Call) -> None:
    """A route that lost its authorizer lets nobody in."""
    call.table.put_key()

    assert 401 == call.refused(requestContext={"requestId": "r", "stage": "v1", "domainName": "d"}).status


@pytest.mark.parametrize("key_id", [KEY_ID, nth_id(2)], ids=["a key", "no key"])
@pytest.mark.parametrize("arrange", STRANGERS, ids=lambda arrange: arrange.__name__)
def test_403_is_one_answer_for_all(call: Call, arrange: Callable[[Table], None], key_id: str) -> None:
    """Who is not allowed learns that, and neither why nor whether there is such a key."""
    call.table.put_key()
    arrange(call.table)

    assert FORBIDDEN == call.refused(user_id="someone", key_id=key_id)


@pytest.mark.parametrize("arrange", STRANGERS, ids=lambda arrange: arrange.__name__)
def test_403_in_a_frozen_organization_as_well(call: Call, arrange: Callable[[Table], None]) -> None:
    """Whether an organization is frozen is no business of those who may not act in it."""
    call.table.put_key()
    call.table.freeze()
    arrange(call.table)

    assert FORBIDDEN == call.refused(user_id="someone")


def test_403_for_who_is_suspended_meanwhile(call: Call) -> None:
    """What counts is the moment of the deletion."""
    call.table.put_key()
    suspend = meanwhile(lambda: call.table.put_member(suspended_at="2026-01-01T00:00:00.000Z"))

    with faults.injected(None, suspend):
        refusal = call.fails()

    assert FORBIDDEN == refusal
    assert (1, []) == (len(call.table.under("KEY#")), call.table.under("AUDIT#"))


@pytest.mark.parametrize("key_id", [nth_id(2), nth_id(3), "1", "", "%00"])
def test_404_is_one_answer_for_all(call: Call, key_id: str) -> None:
    """Another organization's key is as unknown as one that never was, and as what is not even an id."""
    call.table.put_key()
    call.table.put_usage(nth_id(2))
    call.table.put_key(nth_id(3), OTHER_ORGANIZATION_ID)

    assert Refusal(
        status=404,
        code="API_KEY_NOT_FOUND",
        message="There is no such API key in this organization",
        hint="List the organization's keys to find its id; a key that was deleted is gone.",
        pagination=None,
    ) == call.refused(key_id=key_id)


def test_404_the_second_time(call: Call) -> None:
    """What is gone cannot be deleted, and leaves no second audit record."""
    call.table.put_key()
    call.data()

    assert 404 == call.refused().status
    assert 1 == len(call.table.under("AUDIT#"))


def test_404_when_somebody_else_deletes_it_meanwhile(call: Call) -> None:
    """Of two who delete a key at once, one did it, and one record says so."""
    call.table.put_key()
    key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"KEY#{KEY_ID}"}}

    with faults.injected(None, meanwhile(lambda: call.table.client.delete_item(TableName=call.table.name, Key=key))):
        refusal = call.fails()

    assert (404, []) == (refusal.status, call.table.under("AUDIT#"))


def test_410_a_frozen_organization(call: Call) -> None:
    """Its keys do not verify anyway, and go with it."""
    call.table.put_key()
    call.table.put_usage()
    call.table.freeze()

    refusal = call.refused()

    assert (410, "ORGANIZATION_FROZEN") == (refusal.status, refusal.code)


def test_410_an_organization_that_is_frozen_meanwhile(call: Call) -> None:
    """What counts is the moment of the deletion."""
    call.table.put_key()

    with faults.injected(None, meanwhile(call.table.freeze)):
        refusal = call.fails()

    assert 410 == refusal.status
    assert (1, []) == (len(call.table.under("KEY#")), call.table.under("AUDIT#"))


def test_500_shows_nothing(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the contract's sentence; the log gets the exception."""
    call.table.put_key()

    def broken(*_: object) -> None:
        raise RuntimeError("the details")

    monkeypatch.setattr(table, "commit", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        refusal = call.refused()

    assert (500, "An unexpected error occurred") == (refusal.status, refusal.message)
    assert "RuntimeError: the details" in " ".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("position", range(5), ids=["member", "organization", "key", "usage", "audit record"])
def test_each_condition_alone_stops_everything(call: Call, position: int) -> None:
    """Whichever of the five items refuses, none of the others is touched."""
    call.table.put_key()
    call.table.put_usage()
    codes = ["None"] * 5
    codes[position] = "ValidationError"

    with faults.injected(None, faults.canceled(*codes)):
        refusal = call.refused()

    assert 500 == refusal.status


@pytest.mark.parametrize("position", range(2), ids=["read", "write"])
@pytest.mark.parametrize("fault", UNANSWERED)
def test_503_when_dynamodb_does_not_recover(call: Call, fault: faults.Fault, position: int) -> None:
    """Nothing was deleted, and it is safe to repeat."""
    call.table.put_key()
    call.table.put_usage()

    with faults.injected(*[None] * position, *[fault] * 100):
        refusal = call.refused()

    assert (503, "SERVICE_UNAVAILABLE") == (refusal.status, refusal.code)
