"""POST /v1/auth/api-keys/{id}/rotate: every refusal, and that it leaves nothing behind."""

from __future__ import annotations

import itertools
import json
import logging
import time
from typing import TYPE_CHECKING

import pytest

from keywright.domain import key_text
from keywright.store import table
from tests import faults
from tests.calling import UNANSWERED, Refusal, meanwhile
from tests.world import HASH, KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, STRANGERS, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.calling import Call
    from tests.world import Table

FORBIDDEN = Refusal(
    status=403,
    code="FORBIDDEN",
    message="You are not allowed to rotate API keys in this organization",
    hint="Ask an owner or admin of the organization to do it, or to give you the role.",
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
def test_400_each_grace_period_that_is_none(call: Call, value: object, rule: str) -> None:
    """The message names the field and the rule, the hint its bounds."""
    call.table.put_key()

    refusal = call.refused({"gracePeriodSeconds": value})

    assert (400, "BAD_REQUEST", f"gracePeriodSeconds {rule}") == (refusal.status, refusal.code, refusal.message)
    assert "gracePeriodSeconds takes a whole number from 0 to 604800 (7 days)." == refusal.hint


@pytest.mark.parametrize(
    "body",
    [" ", "[]", "null", "60", "{", '{"gracePeriodSeconds": NaN}', '{"gracePeriodSeconds": 1e400}', "\ufeff{}"],
)
def test_400_hostile_bodies(call: Call, body: str) -> None:
    """A body may be left out; one that is there is an object."""
    call.table.put_key()

    assert (400, "BAD_REQUEST") == (call.refused(body).status, call.refused(body).code)


def test_400_another_content_type(call: Call) -> None:
    """What says that it is not JSON is not read as JSON."""
    call.table.put_key()

    assert 400 == call.refused({"gracePeriodSeconds": 60}, headers={"content-type": "text/plain"}).status


@pytest.mark.parametrize("idempotency_key", ["", "x" * 256, "a\tb", "\N{SNOWMAN}", "a\n"])
def test_400_an_idempotency_key_that_is_none(call: Call, idempotency_key: str) -> None:
    """1 to 255 printable ASCII characters; nothing is rotated under another one."""
    call.table.put_key()

    refusal = call.refused(headers={"idempotency-key": idempotency_key})

    assert (400, "The Idempotency-Key must have 1 to 255 printable ASCII characters") == (
        refusal.status,
        refusal.message,
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


def test_403_for_who_loses_the_role_meanwhile(call: Call) -> None:
    """What counts is the role at the moment of the rotation."""
    key = call.table.put_key()

    with faults.injected(None, meanwhile(lambda: call.table.put_member("user_1", "member"))):
        refusal = call.fails()

    assert FORBIDDEN == refusal
    assert (key, []) == (call.table.item(f"KEY#{KEY_ID}"), call.table.under("AUDIT#"))


@pytest.mark.parametrize("key_id", [nth_id(2), nth_id(3), "1", "", "%00"])
def test_404_is_one_answer_for_all(call: Call, key_id: str) -> None:
    """Another organization's key is as unknown as one that never was, and as what is not even an id."""
    call.table.put_key()
    call.table.put_key(nth_id(3), OTHER_ORGANIZATION_ID)

    assert Refusal(
        status=404,
        code="API_KEY_NOT_FOUND",
        message="There is no such API key in this organization",
        hint="List the organization's keys to find its id; a key that was deleted is gone.",
        pagination=None,
    ) == call.refused(key_id=key_id)


def test_404_for_a_key_that_is_deleted_meanwhile(call: Call) -> None:
    """A new secret does not bring it back."""
    call.table.put_key()
    key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"KEY#{KEY_ID}"}}

    with faults.injected(None, meanwhile(lambda: call.table.client.delete_item(TableName=call.table.name, Key=key))):
        refusal = call.fails()

    assert 404 == refusal.status
    assert ([], []) == (call.table.under("KEY#"), call.table.under("AUDIT#"))


def test_409_when_somebody_else_is_quicker_twice(call: Call) -> None:
    """No secret is handed out that does not work; the caller is told to look again."""
    call.table.put_key()
    versions = itertools.count(2)
    quicker = meanwhile(lambda: call.table.put_key(name="Theirs", version=next(versions)))

    with faults.injected(None, quicker, None, quicker):
        refusal = call.fails()

    key = call.table.item(f"KEY#{KEY_ID}")
    assert (409, "CONFLICT") == (refusal.status, refusal.code)
    assert ("Theirs", HASH, 0, 3, []) == (
        key["name"],
        key["hash"],
        key["generation"],
        key["version"],
        call.table.under("AUDIT#"),
    )


def test_409_after_the_last_generation(call: Call) -> None:
    """A key's text has two bytes for its generation."""
    call.table.put_key(generation=65_535)

    refusal = call.refused()

    assert (
        409,
        "The API key was rotated 65535 times, which is as often as it can be",
        "Create a new key in its place.",
    ) == (refusal.status, refusal.message, refusal.hint)


def test_410_a_frozen_organization(call: Call) -> None:
    """Its admins learn that it is scheduled for deletion."""
    call.table.put_key()
    call.table.freeze()

    refusal = call.refused()

    assert (410, "ORGANIZATION_FROZEN") == (refusal.status, refusal.code)


def test_410_an_organization_that_is_frozen_meanwhile(call: Call) -> None:
    """What counts is the moment of the rotation."""
    key = call.table.put_key()

    with faults.injected(None, meanwhile(call.table.freeze)):
        refusal = call.fails()

    assert 410 == refusal.status
    assert (key, []) == (call.table.item(f"KEY#{KEY_ID}"), call.table.under("AUDIT#"))


def test_413_a_large_body(call: Call) -> None:
    """More than 64 KiB."""
    call.table.put_key()

    assert 413 == call.refused({"filler": "x" * 65536}).status


def test_500_shows_nothing(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the contract's sentence; the log gets the exception, with the text that it repeats taken out."""
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
    assert (500, "An unexpected error occurred") == (refusal.status, refusal.message)
    assert "RuntimeError: cannot store [redacted]" in logged
    assert made[0][-20:] not in logged


@pytest.mark.parametrize("position", range(4), ids=["member", "organization", "key", "audit record"])
def test_each_condition_alone_stops_everything(call: Call, position: int) -> None:
    """Whichever of the four items refuses, none of the others is written."""
    call.table.put_key()
    codes = ["None"] * 4
    codes[position] = "ValidationError"

    with faults.injected(None, faults.canceled(*codes)):
        refusal = call.refused()

    assert 500 == refusal.status


@pytest.mark.parametrize("position", range(2), ids=["read", "write"])
@pytest.mark.parametrize("fault", UNANSWERED)
def test_503_when_dynamodb_does_not_recover(call: Call, fault: faults.Fault, position: int) -> None:
    """Nothing was written, and the previous secret goes on working."""
    call.table.put_key()

    with faults.injected(*[None] * position, *[fault] * 100):
        refusal = call.refused()

    assert (503, "SERVICE_UNAVAILABLE") == (refusal.status, refusal.code)
