"""GET /v1/auth/api-keys/{id}: every refusal."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from keywright.store import table
from tests.support import faults
from tests.support.client import UNANSWERED, Refusal
from tests.support.world import HASH, KEY_ID, OTHER_ORGANIZATION_ID, STRANGERS, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call
    from tests.support.world import Table


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

    assert Refusal(
        status=403,
        code="FORBIDDEN",
        message="You are not allowed to do this in this organization",
        hint="Ask an owner or admin of the organization to do it, or to change your role.",
        pagination=None,
    ) == call.refused(user_id="someone", key_id=key_id)


@pytest.mark.parametrize(
    "key_id",
    [
        pytest.param(nth_id(2), id="unknown"),
        pytest.param(nth_id(3), id="another organization's"),
        pytest.param("1", id="no id"),
        pytest.param("", id="empty"),
        pytest.param(f"{{{KEY_ID}}}", id="another spelling"),
        pytest.param(KEY_ID.replace("-", ""), id="without hyphens"),
        pytest.param(f"{KEY_ID} ", id="a space behind"),
        pytest.param(f"{KEY_ID}\n", id="a line feed behind"),
        pytest.param("\N{FULLWIDTH DIGIT ZERO}" + KEY_ID[1:], id="another zero"),
        pytest.param("\ud800", id="a lone surrogate"),
        pytest.param("KEY#" + KEY_ID, id="a sort key"),
        pytest.param("x" * 10_000, id="long"),
    ],
)
def test_404_is_one_answer_for_all(call: Call, key_id: str) -> None:
    """Another organization's key, an unknown id and a malformed id get the same answer."""
    call.table.put_key()
    call.table.put_key(nth_id(3), OTHER_ORGANIZATION_ID)

    assert Refusal(
        status=404,
        code="API_KEY_NOT_FOUND",
        message="The organization has no API key with this id",
        hint="List the organization's keys to find the id. Deleted keys cannot be restored.",
        pagination=None,
    ) == call.refused(key_id=key_id)


def test_500_hides_the_exception(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets a generic message; the log gets the exception."""

    def broken(*_: object) -> None:
        raise RuntimeError("the details")

    monkeypatch.setattr(table, "read", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        refusal = call.refused()

    assert 500 == refusal.status
    assert "INTERNAL_SERVER_ERROR" == refusal.code
    assert "An unexpected error occurred" == refusal.message
    assert "RuntimeError: the details" in " ".join(str(record.__dict__) for record in caplog.records)


def test_500_of_a_damaged_item(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged item is an error of the service, and its hash is not logged."""
    call.table.put_key(metadata="{")
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        refusal = call.refused()

    assert 500 == refusal.status
    assert HASH not in " ".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("fault", UNANSWERED)
def test_503_when_dynamodb_does_not_recover(call: Call, fault: faults.Fault) -> None:
    """The answer says when to retry."""
    call.table.put_key()
    with faults.injected(*[fault] * 100):
        answer = call()

    assert 503 == answer["statusCode"]
    assert "1" == answer["headers"]["retry-after"]
