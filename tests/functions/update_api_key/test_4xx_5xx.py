"""PATCH /v1/auth/api-keys/{id}: every refusal, and that it leaves nothing behind."""

from __future__ import annotations

import itertools
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from keywright.store import table
from tests import faults
from tests.calling import UNANSWERED, Refusal, meanwhile
from tests.world import KEY_ID, OTHER_ORGANIZATION_ID, STRANGERS, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.calling import Call
    from tests.world import Table

BODY = {"name": "New"}
NOW = "2030-01-31T12:00:00.000Z"

INVALID: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name must have at least 1 character"),
    ({"name": " \n\t"}, "name must not be blank"),
    ({"name": "x" * 121}, "name must have at most 120 characters"),
    ({"name": None}, "name must be a string"),
    ({"name": 1}, "name must be a string"),
    ({"name": "\ud800"}, "name holds a lone surrogate"),
    ({"enabled": None}, "enabled must be true or false"),
    ({"enabled": "true"}, "enabled must be true or false"),
    ({"enabled": 1}, "enabled must be true or false"),
    ({"permissions": []}, "permissions must have at least 1 item"),
    ({"permissions": None}, "permissions must be an array"),
    ({"permissions": "sessions:read"}, "permissions must be an array"),
    ({"permissions": ["sessions:read", "sessions:fly"]}, "permissions[1] is not a permission of this service"),
    ({"metadata": None}, "metadata must be an object"),
    ({"metadata": []}, "metadata must be an object"),
    ({"metadata": {"a": None}}, "metadata.a must be a string, a number or a boolean"),
    ({"metadata": {"a": "x" * 513}}, "metadata.a must have at most 512 characters"),
    ({"metadata": {str(n): "x" * 512 for n in range(40)}}, "bytes as JSON text, and 16384 are allowed"),
    ({"expiresAt": ""}, "expiresAt must be a time of RFC 3339"),
    ({"expiresAt": 1924992000}, "expiresAt must be a time of RFC 3339"),
    ({"expiresAt": False}, "expiresAt must be a time of RFC 3339"),
    ({"expiresAt": "2031-01-01"}, "expiresAt must be a time of RFC 3339"),
    ({"expiresAt": "2031-01-01T00:00:00"}, "expiresAt must be a time of RFC 3339"),
    ({"expiresAt": "never"}, "expiresAt must be a time of RFC 3339"),
    ({"expiresAt": "2030-01-31T11:59:59.999Z"}, "expiresAt must be in the future"),
    ({"expiresAt": NOW}, "expiresAt must be in the future"),
    ({"expiresAt": "2030-01-31T12:00:00.0009Z"}, "expiresAt must be in the future"),
    ({"expiresAt": "2030-01-31T12:30:00+01:00"}, "expiresAt must be in the future"),
    ({}, "the body changes nothing"),
    ({"unknown": 1, "Name": "New", "expires_at": None, "version": 2}, "the body changes nothing"),
]


@pytest.mark.parametrize(
    ("body", "message"), INVALID, ids=[f"{json.dumps(body)[:50]} {number}" for number, (body, _) in enumerate(INVALID)]
)
def test_400_each_field(call: Call, stop_clock: Callable[[str], datetime], body: dict[str, Any], message: str) -> None:
    """The message names the field and the rule; what is right beside it is not changed either."""
    stop_clock(NOW)
    call.table.put_key()

    refusal = call.refused(body)
    beside = call.refused({"enabled": False} | body) if body and "unknown" not in body else refusal

    assert (400, "BAD_REQUEST", 400) == (refusal.status, refusal.code, beside.status)
    assert message in refusal.message


def test_400_hints_at_what_enabled_takes(call: Call) -> None:
    """A text that says true is none."""
    assert "enabled takes true or false, without quotes." == call.refused({"enabled": "true"}).hint


def test_400_hints_say_what_can_be_changed(call: Call) -> None:
    """To somebody who named nothing of it."""
    call.table.put_key()

    assert "Send one or more of: name, enabled, permissions, metadata, expiresAt." == call.refused({"nam": "x"}).hint


@pytest.mark.parametrize(
    "body",
    [None, "", " ", "[]", "null", "true", '"name"', "{", '{"name": NaN}', '{"name":"a","name":"b"}', "[" * 30_000],
    ids=lambda body: repr(body)[:30],
)
def test_400_hostile_bodies(call: Call, body: str | None) -> None:
    """A bad request in the envelope, never a 5xx; a missing body is one that changes nothing."""
    call.table.put_key()

    assert (400, "BAD_REQUEST") == (call.refused(body).status, call.refused(body).code)


def test_400_another_content_type(call: Call) -> None:
    """What says that it is not JSON is not read as JSON."""
    call.table.put_key()

    assert 400 == call.refused(BODY, headers={"content-type": "text/plain"}).status


def test_401_an_expired_session_that_the_gateway_still_remembers(call: Call) -> None:
    """API Gateway reuses an authorizer's answer for minutes; the session's end counts all the same."""
    call.table.put_key()

    assert 401 == call.refused(BODY, authorizer={"expiresAt": str(int(time.time()))}).status


def test_401_without_an_authorizer(call: Call) -> None:
    """A route that lost its authorizer lets nobody in."""
    call.table.put_key()

    assert 401 == call.refused(BODY, requestContext={"requestId": "r", "stage": "v1", "domainName": "d"}).status


FORBIDDEN = Refusal(
    status=403,
    code="FORBIDDEN",
    message="You are not allowed to update API keys in this organization",
    hint="Ask an owner or admin of the organization to do it, or to give you the role.",
    pagination=None,
)


@pytest.mark.parametrize("key_id", [KEY_ID, nth_id(2)], ids=["a key", "no key"])
@pytest.mark.parametrize("arrange", STRANGERS, ids=lambda arrange: arrange.__name__)
def test_403_is_one_answer_for_all(call: Call, arrange: Callable[[Table], None], key_id: str) -> None:
    """Who is not allowed learns that, and neither why nor whether there is such a key."""
    call.table.put_key()
    arrange(call.table)

    assert FORBIDDEN == call.refused(BODY, user_id="someone", key_id=key_id)


@pytest.mark.parametrize("arrange", STRANGERS, ids=lambda arrange: arrange.__name__)
def test_403_in_a_frozen_organization_as_well(call: Call, arrange: Callable[[Table], None]) -> None:
    """Whether an organization is frozen is no business of those who may not act in it."""
    call.table.put_key()
    call.table.freeze()
    arrange(call.table)

    assert FORBIDDEN == call.refused(BODY, user_id="someone")


def test_403_for_who_loses_the_role_meanwhile(call: Call) -> None:
    """What counts is the role at the moment of the change."""
    key = call.table.put_key()

    with faults.injected(None, meanwhile(lambda: call.table.put_member("user_1", "member"))):
        refusal = call.fails(BODY)

    assert FORBIDDEN == refusal
    assert key == call.table.item(f"KEY#{KEY_ID}")


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
    ) == call.refused(BODY, key_id=key_id)


def test_404_for_a_key_that_is_deleted_meanwhile(call: Call) -> None:
    """A change does not bring it back."""
    call.table.put_key()
    key = {"pk": {"S": call.table.items()[0]["pk"]}, "sk": {"S": f"KEY#{KEY_ID}"}}

    with faults.injected(None, meanwhile(lambda: call.table.client.delete_item(TableName=call.table.name, Key=key))):
        refusal = call.fails(BODY)

    assert 404 == refusal.status
    assert ([], []) == (call.table.under("KEY#"), call.table.under("AUDIT#"))


def test_409_when_somebody_else_is_quicker_twice(call: Call) -> None:
    """Nobody's change is overwritten; the caller is told to look again."""
    call.table.put_key()
    versions = itertools.count(2)
    quicker = meanwhile(lambda: call.table.put_key(name="Theirs", version=next(versions)))

    with faults.injected(None, quicker, None, quicker) as operations:
        refusal = call.fails({"enabled": False})

    key = call.table.item(f"KEY#{KEY_ID}")
    assert (409, "CONFLICT", "The API key was changed by somebody else at the same time") == (
        refusal.status,
        refusal.code,
        refusal.message,
    )
    assert 4 == len(operations)
    assert ("Theirs", True, 3, []) == (key["name"], key["enabled"], key["version"], call.table.under("AUDIT#"))


def test_410_a_frozen_organization(call: Call) -> None:
    """Its admins learn that it is scheduled for deletion."""
    call.table.put_key()
    call.table.freeze()

    refusal = call.refused(BODY)

    assert (410, "ORGANIZATION_FROZEN") == (refusal.status, refusal.code)


def test_410_an_organization_that_is_frozen_meanwhile(call: Call) -> None:
    """What counts is the moment of the change."""
    key = call.table.put_key()

    with faults.injected(None, meanwhile(call.table.freeze)):
        refusal = call.fails(BODY)

    assert 410 == refusal.status
    assert (key, []) == (call.table.item(f"KEY#{KEY_ID}"), call.table.under("AUDIT#"))


def test_413_a_large_body(call: Call) -> None:
    """More than 64 KiB."""
    call.table.put_key()

    assert 413 == call.refused(BODY | {"filler": "x" * 65536}).status


def test_500_shows_nothing(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the contract's sentence; the log gets the exception."""
    call.table.put_key()

    def broken(*_: object) -> None:
        raise RuntimeError("the details")

    monkeypatch.setattr(table, "commit", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        refusal = call.refused(BODY)

    assert (500, "An unexpected error occurred") == (refusal.status, refusal.message)
    assert "RuntimeError: the details" in " ".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("fault", UNANSWERED)
@pytest.mark.parametrize("position", range(2), ids=["read", "write"])
def test_503_when_dynamodb_does_not_recover(call: Call, fault: faults.Fault, position: int) -> None:
    """Nothing was written, and it is safe to repeat."""
    call.table.put_key()

    with faults.injected(*[None] * position, *[fault] * 100):
        refusal = call.refused(BODY)

    assert (503, "SERVICE_UNAVAILABLE") == (refusal.status, refusal.code)


def test_503_when_transactions_keep_colliding(call: Call) -> None:
    """What is busy for long is not the caller's conflict."""
    call.table.put_key()

    with faults.injected(None, *[faults.canceled("None", "None", "TransactionConflict", "None")] * 100):
        refusal = call.refused(BODY)

    assert 503 == refusal.status
