"""POST /v1/auth/api-keys/{id}/rotate: every refusal, none of which writes anything."""

from __future__ import annotations

import itertools
import json
import logging
import time
from typing import TYPE_CHECKING

import pytest

from keywright.domain import key_text
from keywright.store import table
from tests.support import faults
from tests.support.client import UNANSWERED, Refusal, meanwhile
from tests.support.world import HASH, KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, STRANGERS, nth_id

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

INVALID = [
    (-1, "must be at least 0"),
    (604_801, "must be at most 604800"),
    (10**30, "must be at most 604800"),
    (1.5, "must be a whole number"),
    ("60", "must be a whole number"),
    (True, "must be a whole number"),
    (None, "must be a whole number"),
    ([], "must be a whole number"),
    ({}, "must be a whole number"),
]


@pytest.mark.parametrize(("value", "rule"), INVALID, ids=[json.dumps(value)[:20] for value, _ in INVALID])
def test_400_each_invalid_grace_period(call: Call, value: object, rule: str) -> None:
    """The message names the field and the rule; the hint names the bounds."""
    call.table.put_key()

    refusal = call.refused({"gracePeriodSeconds": value})

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert f"gracePeriodSeconds {rule}" == refusal.message
    assert "gracePeriodSeconds is a whole number from 0 to 604800 (7 days)." == refusal.hint


@pytest.mark.parametrize(
    "body",
    [" ", "[]", "null", "60", "{", '{"gracePeriodSeconds": NaN}', '{"gracePeriodSeconds": 1e400}', "\ufeff{}"],
)
def test_400_hostile_bodies(call: Call, body: str) -> None:
    """A body, if present, must be a JSON object."""
    call.table.put_key()

    assert 400 == call.refused(body).status
    assert "BAD_REQUEST" == call.refused(body).code


def test_400_another_content_type(call: Call) -> None:
    """A body with another content type is not parsed as JSON."""
    call.table.put_key()

    assert 400 == call.refused({"gracePeriodSeconds": 60}, headers={"content-type": "text/plain"}).status


@pytest.mark.parametrize("idempotency_key", ["", "x" * 256, "a\tb", "\N{SNOWMAN}", "a\n"])
def test_400_an_invalid_idempotency_key(call: Call, idempotency_key: str) -> None:
    """An Idempotency-Key has 1 to 255 printable ASCII characters; with another one nothing is rotated."""
    call.table.put_key()

    refusal = call.refused(headers={"idempotency-key": idempotency_key})

    assert 400 == refusal.status
    assert "The Idempotency-Key must have 1 to 255 printable ASCII characters" == refusal.message


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


def test_403_for_a_member_demoted_meanwhile(call: Call) -> None:
    """The role at the time of the rotation counts."""
    key = call.table.put_key()

    with faults.injected(None, meanwhile(lambda: call.table.put_member("user_1", "member"))):
        refusal = call.fails()

    assert FORBIDDEN == refusal
    assert key == call.table.item(f"KEY#{KEY_ID}")
    assert [] == call.table.under("AUDIT#")


@pytest.mark.parametrize("key_id", [nth_id(2), nth_id(3), "1", "", "%00"])
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


def test_404_for_a_key_deleted_meanwhile(call: Call) -> None:
    """A rotation does not restore a deleted key."""
    call.table.put_key()
    key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"KEY#{KEY_ID}"}}

    with faults.injected(None, meanwhile(lambda: call.table.client.delete_item(TableName=call.table.name, Key=key))):
        refusal = call.fails()

    assert 404 == refusal.status
    assert [] == call.table.under("KEY#")
    assert [] == call.table.under("AUDIT#")


def test_409_after_two_conflicts(call: Call) -> None:
    """After two conflicts no secret is returned, and the key is unchanged."""
    call.table.put_key()
    versions = itertools.count(2)
    quicker = meanwhile(lambda: call.table.put_key(name="Theirs", version=next(versions)))

    with faults.injected(None, quicker, None, quicker):
        refusal = call.fails()

    key = call.table.item(f"KEY#{KEY_ID}")
    assert 409 == refusal.status
    assert "CONFLICT" == refusal.code
    assert "Theirs" == key["name"]
    assert HASH == key["hash"]
    assert 0 == key["generation"]
    assert 3 == key["version"]
    assert [] == call.table.under("AUDIT#")


def test_409_after_the_last_generation(call: Call) -> None:
    """A key's text has two bytes for the generation."""
    call.table.put_key(generation=65_535)

    refusal = call.refused()

    assert 409 == refusal.status
    assert "The API key was rotated 65535 times, which is the maximum" == refusal.message
    assert "Create a new key to replace it." == refusal.hint


def test_410_a_frozen_organization(call: Call) -> None:
    """Admins are told that the organization is scheduled for deletion."""
    call.table.put_key()
    call.table.freeze()

    refusal = call.refused()

    assert 410 == refusal.status
    assert "ORGANIZATION_FROZEN" == refusal.code


def test_410_an_organization_frozen_meanwhile(call: Call) -> None:
    """The state at the time of the rotation counts."""
    key = call.table.put_key()

    with faults.injected(None, meanwhile(call.table.freeze)):
        refusal = call.fails()

    assert 410 == refusal.status
    assert key == call.table.item(f"KEY#{KEY_ID}")
    assert [] == call.table.under("AUDIT#")


def test_413_a_large_body(call: Call) -> None:
    """A body of more than 64 KiB is refused."""
    call.table.put_key()

    assert 413 == call.refused({"filler": "x" * 65536}).status


def test_500_hides_the_exception(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets a generic message; the log gets the exception, with the key's text redacted."""
    call.table.put_key()
    made: list[str] = []
    encode = key_text.encode

    def recorded(prefix: str, payload: bytes, tag_key: bytes) -> str:
        made.append(encode(prefix, payload, tag_key))
        return made[-1]

    def broken(*_: object) -> None:
        raise RuntimeError(f"cannot store {made[0]}")

    monkeypatch.setattr(key_text, "encode", recorded)
    monkeypatch.setattr(table, "commit", broken)
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        refusal = call.refused()

    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert 500 == refusal.status
    assert "An unexpected error occurred" == refusal.message
    assert "RuntimeError: cannot store [redacted]" in logged
    assert made[0][-20:] not in logged


@pytest.mark.parametrize("position", range(4), ids=["member", "organization", "key", "audit record"])
def test_each_condition_alone_stops_everything(call: Call, position: int) -> None:
    """If any of the four items refuses the transaction, none of them changes."""
    call.table.put_key()
    codes = ["None"] * 4
    codes[position] = "ValidationError"

    with faults.injected(None, faults.canceled(*codes)):
        refusal = call.refused()

    assert 500 == refusal.status


@pytest.mark.parametrize("position", range(2), ids=["read", "write"])
@pytest.mark.parametrize("fault", UNANSWERED)
def test_503_when_dynamodb_does_not_recover(call: Call, fault: faults.Fault, position: int) -> None:
    """Nothing is written, and the previous secret keeps working."""
    call.table.put_key()

    with faults.injected(*[None] * position, *[fault] * 100):
        refusal = call.refused()

    assert 503 == refusal.status
    assert "SERVICE_UNAVAILABLE" == refusal.code
