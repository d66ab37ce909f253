"""DELETE /v1/auth/api-keys/{id}: every refusal, none of which writes anything."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from keywright.store import table
from tests.support import faults
from tests.support.client import UNANSWERED, Refusal, meanwhile
from tests.support.world import KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, STRANGERS, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call
    from tests.support.world import Table

FORBIDDEN = Refusal(
    status=403,
    code="FORBIDDEN",
    message="You are not allowed to do this in this organization",
    hint="Ask an owner or admin of the organization to do it, or to change your role.",
    pagination=None,
)


def test_401_an_expired_session_in_the_gateways_cache(call: Call) -> None:
    """An expired session is refused even while API Gateway caches the authorizer's answer."""
    call.table.put_key()

    assert 401 == call.refused(authorizer={"expiresAt": str(int(time.time()))}).status


def test_401_without_an_authorizer(call: Call) -> None:
    """A request without an authorizer's context is refused."""
    call.table.put_key()

    assert 401 == call.refused(requestContext={"requestId": "r", "stage": "v1", "domainName": "d"}).status


@pytest.mark.parametrize("key_id", [KEY_ID, nth_id(2)], ids=["a key", "no key"])
@pytest.mark.parametrize("arrange", STRANGERS, ids=lambda arrange: arrange.__name__)
def test_403_is_one_answer_for_all(call: Call, arrange: Callable[[Table], None], key_id: str) -> None:
    """Every forbidden caller gets the same answer, without a reason and whether or not the key exists."""
    call.table.put_key()
    arrange(call.table)

    assert FORBIDDEN == call.refused(user_id="someone", key_id=key_id)


@pytest.mark.parametrize("arrange", STRANGERS, ids=lambda arrange: arrange.__name__)
def test_403_in_a_frozen_organization(call: Call, arrange: Callable[[Table], None]) -> None:
    """A forbidden caller gets 403 and does not learn that the organization is frozen."""
    call.table.put_key()
    call.table.freeze()
    arrange(call.table)

    assert FORBIDDEN == call.refused(user_id="someone")


def test_403_for_a_member_suspended_meanwhile(call: Call) -> None:
    """The state at the time of the deletion counts."""
    call.table.put_key()
    suspend = meanwhile(lambda: call.table.put_member(suspended_at="2026-01-01T00:00:00.000Z"))

    with faults.injected(None, suspend):
        refusal = call.fails()

    assert FORBIDDEN == refusal
    assert 1 == len(call.table.under("KEY#"))
    assert [] == call.table.under("AUDIT#")


@pytest.mark.parametrize("key_id", [nth_id(2), nth_id(3), "1", "", "%00"])
def test_404_is_one_answer_for_all(call: Call, key_id: str) -> None:
    """Another organization's key, an unknown id and a malformed id get the same answer."""
    call.table.put_key()
    call.table.put_usage(nth_id(2))
    call.table.put_key(nth_id(3), OTHER_ORGANIZATION_ID)

    assert Refusal(
        status=404,
        code="API_KEY_NOT_FOUND",
        message="The organization has no API key with this id",
        hint="List the organization's keys to find the id. Deleted keys cannot be restored.",
        pagination=None,
    ) == call.refused(key_id=key_id)


def test_404_the_second_time(call: Call) -> None:
    """A second deletion is refused and writes no second audit record."""
    call.table.put_key()
    call.data()

    assert 404 == call.refused().status
    assert 1 == len(call.table.under("AUDIT#"))


def test_404_after_a_concurrent_deletion(call: Call) -> None:
    """Of two simultaneous deletions one succeeds, with one audit record."""
    call.table.put_key()
    key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"KEY#{KEY_ID}"}}

    with faults.injected(None, meanwhile(lambda: call.table.client.delete_item(TableName=call.table.name, Key=key))):
        refusal = call.fails()

    assert 404 == refusal.status
    assert [] == call.table.under("AUDIT#")


def test_410_a_frozen_organization(call: Call) -> None:
    """A key of a frozen organization is deleted with it, not alone."""
    call.table.put_key()
    call.table.put_usage()
    call.table.freeze()

    refusal = call.refused()

    assert 410 == refusal.status
    assert "ORGANIZATION_FROZEN" == refusal.code


def test_410_an_organization_frozen_meanwhile(call: Call) -> None:
    """The state at the time of the deletion counts."""
    call.table.put_key()

    with faults.injected(None, meanwhile(call.table.freeze)):
        refusal = call.fails()

    assert 410 == refusal.status
    assert 1 == len(call.table.under("KEY#"))
    assert [] == call.table.under("AUDIT#")


def test_500_hides_the_exception(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets a generic message; the log gets the exception."""
    call.table.put_key()

    def broken(*_: object) -> None:
        raise RuntimeError("the details")

    monkeypatch.setattr(table, "commit", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        refusal = call.refused()

    assert 500 == refusal.status
    assert "An unexpected error occurred" == refusal.message
    assert "RuntimeError: the details" in " ".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("position", range(5), ids=["member", "organization", "key", "usage", "audit record"])
def test_each_condition_alone_stops_everything(call: Call, position: int) -> None:
    """If any of the five items refuses the transaction, none of them changes."""
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
    """Nothing is deleted, and the request can be repeated."""
    call.table.put_key()
    call.table.put_usage()

    with faults.injected(*[None] * position, *[fault] * 100):
        refusal = call.refused()

    assert 503 == refusal.status
    assert "SERVICE_UNAVAILABLE" == refusal.code
