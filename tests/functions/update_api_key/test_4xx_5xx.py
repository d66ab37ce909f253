"""PATCH /v1/auth/api-keys/{id}: every refusal, none of which writes anything."""

from __future__ import annotations

import itertools
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from keywright.store import table
from tests.support import faults
from tests.support.client import UNANSWERED, Refusal, meanwhile
from tests.support.world import KEY_ID, OTHER_ORGANIZATION_ID, STRANGERS, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call
    from tests.support.world import Table

BODY = {"name": "New"}
NOW = "2030-01-31T12:00:00.000Z"

INVALID: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name must have at least 1 character"),
    ({"name": " \n\t"}, "name must not be blank"),
    ({"name": "x" * 121}, "name must have at most 120 characters"),
    ({"name": None}, "name must be a string"),
    ({"name": 1}, "name must be a string"),
    ({"name": "\ud800"}, "name contains a lone surrogate"),
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
    ({"metadata": {str(n): "x" * 512 for n in range(40)}}, "bytes as JSON; the maximum is 16384"),
    ({"expiresAt": ""}, "expiresAt must be an RFC 3339 time"),
    ({"expiresAt": 1924992000}, "expiresAt must be an RFC 3339 time"),
    ({"expiresAt": False}, "expiresAt must be an RFC 3339 time"),
    ({"expiresAt": "2031-01-01"}, "expiresAt must be an RFC 3339 time"),
    ({"expiresAt": "2031-01-01T00:00:00"}, "expiresAt must be an RFC 3339 time"),
    ({"expiresAt": "never"}, "expiresAt must be an RFC 3339 time"),
    ({"expiresAt": "2030-01-31T11:59:59.999Z"}, "expiresAt must be in the future"),
    ({"expiresAt": NOW}, "expiresAt must be in the future"),
    ({"expiresAt": "2030-01-31T12:00:00.0009Z"}, "expiresAt must be in the future"),
    ({"expiresAt": "2030-01-31T12:30:00+01:00"}, "expiresAt must be in the future"),
    ({}, "the body contains no changes"),
    ({"unknown": 1, "Name": "New", "expires_at": None, "version": 2}, "the body contains no changes"),
]


@pytest.mark.parametrize(
    ("body", "message"), INVALID, ids=[f"{json.dumps(body)[:50]} {number}" for number, (body, _) in enumerate(INVALID)]
)
def test_400_each_field(call: Call, stop_clock: Callable[[str], datetime], body: dict[str, Any], message: str) -> None:
    """The message names the field and the rule; valid fields beside it are not changed."""
    stop_clock(NOW)
    call.table.put_key()

    refusal = call.refused(body)
    beside = call.refused({"enabled": False} | body) if body and "unknown" not in body else refusal

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert 400 == beside.status
    assert message in refusal.message


def test_400_hints_name_the_values_of_enabled(call: Call) -> None:
    """`enabled` takes a boolean, not the text `true`."""
    assert "enabled is true or false, without quotes." == call.refused({"enabled": "true"}).hint


def test_400_hints_list_the_fields(call: Call) -> None:
    """A body without a known field gets the list of fields."""
    call.table.put_key()

    assert "Send at least one of: name, enabled, permissions, metadata, expiresAt." == call.refused({"nam": "x"}).hint


@pytest.mark.parametrize(
    "body",
    [None, "", " ", "[]", "null", "true", '"name"', "{", '{"name": NaN}', '{"name":"a","name":"b"}', "[" * 30_000],
    ids=lambda body: repr(body)[:30],
)
def test_400_hostile_bodies(call: Call, body: str | None) -> None:
    """A hostile or missing body gets a 400 in the envelope, never a 5xx."""
    call.table.put_key()

    assert 400 == call.refused(body).status
    assert "BAD_REQUEST" == call.refused(body).code


def test_400_another_content_type(call: Call) -> None:
    """A body with another content type is not parsed as JSON."""
    call.table.put_key()

    assert 400 == call.refused(BODY, headers={"content-type": "text/plain"}).status


def test_401_an_expired_session_in_the_gateways_cache(call: Call) -> None:
    """An expired session is refused even while API Gateway caches the authorizer's answer."""
    call.table.put_key()

    assert 401 == call.refused(BODY, authorizer={"expiresAt": str(int(time.time()))}).status


def test_401_without_an_authorizer(call: Call) -> None:
    """A request without an authorizer's context is refused."""
    call.table.put_key()

    assert 401 == call.refused(BODY, requestContext={"requestId": "r", "stage": "v1", "domainName": "d"}).status


FORBIDDEN = Refusal(
    status=403,
    code="FORBIDDEN",
    message="You are not allowed to do this in this organization",
    hint="Ask an owner or admin of the organization to do it, or to change your role.",
    pagination=None,
)


@pytest.mark.parametrize("key_id", [KEY_ID, nth_id(2)], ids=["a key", "no key"])
@pytest.mark.parametrize("arrange", STRANGERS, ids=lambda arrange: arrange.__name__)
def test_403_is_one_answer_for_all(call: Call, arrange: Callable[[Table], None], key_id: str) -> None:
    """Every forbidden caller gets the same answer, without a reason and whether or not the key exists."""
    call.table.put_key()
    arrange(call.table)

    assert FORBIDDEN == call.refused(BODY, user_id="someone", key_id=key_id)


@pytest.mark.parametrize("arrange", STRANGERS, ids=lambda arrange: arrange.__name__)
def test_403_in_a_frozen_organization(call: Call, arrange: Callable[[Table], None]) -> None:
    """A forbidden caller gets 403 and does not learn that the organization is frozen."""
    call.table.put_key()
    call.table.freeze()
    arrange(call.table)

    assert FORBIDDEN == call.refused(BODY, user_id="someone")


def test_403_for_a_member_demoted_meanwhile(call: Call) -> None:
    """The role at the time of the change counts."""
    key = call.table.put_key()

    with faults.injected(None, meanwhile(lambda: call.table.put_member("user_1", "member"))):
        refusal = call.fails(BODY)

    assert FORBIDDEN == refusal
    assert key == call.table.item(f"KEY#{KEY_ID}")


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
    ) == call.refused(BODY, key_id=key_id)


def test_404_for_a_key_deleted_meanwhile(call: Call) -> None:
    """A change does not restore a deleted key."""
    call.table.put_key()
    key = {"pk": {"S": call.table.items()[0]["pk"]}, "sk": {"S": f"KEY#{KEY_ID}"}}

    with faults.injected(None, meanwhile(lambda: call.table.client.delete_item(TableName=call.table.name, Key=key))):
        refusal = call.fails(BODY)

    assert 404 == refusal.status
    assert [] == call.table.under("KEY#")
    assert [] == call.table.under("AUDIT#")


def test_409_after_two_conflicts(call: Call) -> None:
    """After two conflicts the key keeps the other changes, and the caller is told to read it again."""
    call.table.put_key()
    versions = itertools.count(2)
    quicker = meanwhile(lambda: call.table.put_key(name="Theirs", version=next(versions)))

    with faults.injected(None, quicker, None, quicker) as operations:
        refusal = call.fails({"enabled": False})

    key = call.table.item(f"KEY#{KEY_ID}")
    assert 409 == refusal.status
    assert "CONFLICT" == refusal.code
    assert "The resource was changed by another request at the same time" == refusal.message
    assert 4 == len(operations)
    assert "Theirs" == key["name"]
    assert key["enabled"] is True
    assert 3 == key["version"]
    assert [] == call.table.under("AUDIT#")


def test_410_a_frozen_organization(call: Call) -> None:
    """Admins are told that the organization is scheduled for deletion."""
    call.table.put_key()
    call.table.freeze()

    refusal = call.refused(BODY)

    assert 410 == refusal.status
    assert "ORGANIZATION_FROZEN" == refusal.code


def test_410_an_organization_frozen_meanwhile(call: Call) -> None:
    """The state at the time of the change counts."""
    key = call.table.put_key()

    with faults.injected(None, meanwhile(call.table.freeze)):
        refusal = call.fails(BODY)

    assert 410 == refusal.status
    assert key == call.table.item(f"KEY#{KEY_ID}")
    assert [] == call.table.under("AUDIT#")


def test_413_a_large_body(call: Call) -> None:
    """A body of more than 64 KiB is refused."""
    call.table.put_key()

    assert 413 == call.refused(BODY | {"filler": "x" * 65536}).status


def test_500_hides_the_exception(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets a generic message; the log gets the exception."""
    call.table.put_key()

    def broken(*_: object) -> None:
        raise RuntimeError("the details")

    monkeypatch.setattr(table, "commit", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        refusal = call.refused(BODY)

    assert 500 == refusal.status
    assert "An unexpected error occurred" == refusal.message
    assert "RuntimeError: the details" in " ".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("fault", UNANSWERED)
@pytest.mark.parametrize("position", range(2), ids=["read", "write"])
def test_503_when_dynamodb_does_not_recover(call: Call, fault: faults.Fault, position: int) -> None:
    """Nothing is written, and the request can be repeated."""
    call.table.put_key()

    with faults.injected(*[None] * position, *[fault] * 100):
        refusal = call.refused(BODY)

    assert 503 == refusal.status
    assert "SERVICE_UNAVAILABLE" == refusal.code


def test_503_when_transactions_keep_colliding(call: Call) -> None:
    """Lasting transaction conflicts are a 503, not a 409."""
    call.table.put_key()

    with faults.injected(None, *[faults.canceled("None", "None", "TransactionConflict", "None")] * 100):
        refusal = call.refused(BODY)

    assert 503 == refusal.status
