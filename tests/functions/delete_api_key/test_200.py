"""DELETE /v1/auth/api-keys/{id}: 200."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import faults
from tests.support.client import REQUEST_ID, UNANSWERED, meanwhile
from tests.support.world import HASH, KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, PREVIOUS_HASH, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

NOW = "2030-01-31T12:00:00.000Z"


def test_the_answer_is_exactly_status_and_message(call: Call) -> None:
    """The body is `{"status": "success", "message"}`."""
    call.table.put_key()

    assert {"status": "success", "message": "The API key was deleted"} == call.data()


def test_only_key_and_usage_are_deleted(call: Call) -> None:
    """Only the key and its usage are deleted: other keys, other organizations and the key's audit records stay."""
    call.table.put_key(nth_id(2))
    call.table.put_usage(nth_id(2))
    call.table.put_key(KEY_ID, OTHER_ORGANIZATION_ID)
    call.table.put_usage(KEY_ID, OTHER_ORGANIZATION_ID)
    call.table.put_audit(nth_id(5), target_id=KEY_ID)
    before = call.table.items()
    call.table.put_key()
    call.table.put_usage()

    call.data()

    deleted = [item for item in call.table.items() if item.get("event") == "api_key.deleted"]
    assert 1 == len(deleted)
    assert before == [item for item in call.table.items() if item not in deleted]


def test_a_key_that_was_never_used(call: Call) -> None:
    """A key without usage is deleted."""
    call.table.put_key()

    call.data()

    assert [] == call.table.under("KEY#")
    assert [] == call.table.under("USAGE#")


@pytest.mark.parametrize(
    "attributes",
    [
        {"enabled": False},
        {"expires_at": "2020-01-01T00:00:00.000Z"},
        {"generation": 1, "previous_hash": PREVIOUS_HASH, "previous_expires_at": "2099-01-01T00:00:00.000Z"},
    ],
    ids=["disabled", "expired", "in a grace period"],
)
def test_keys_in_any_state_can_be_deleted(call: Call, attributes: dict[str, Any]) -> None:
    """A key is deleted in any state."""
    call.table.put_key(**attributes)

    call.data()

    assert [] == call.table.under("KEY#")


def test_an_id_may_be_in_upper_case(call: Call) -> None:
    """A key id is accepted in upper case."""
    key_id = "0198abcd-ef00-7000-8000-000000000001"
    call.table.put_key(key_id)

    call.data(key_id=key_id.upper())

    assert [] == call.table.under("KEY#")


def test_the_audit_record_describes_the_key(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """The audit record holds every field that people chose."""
    now = stop_clock(NOW)
    call.table.put_key(enabled=False, expires_at="2031-01-01T00:00:00.000Z")

    call.data()

    (record,) = call.table.under("AUDIT#")
    record_id = uuid.UUID(record.pop("sk").removeprefix("AUDIT#"))
    assert 7 == record_id.version
    assert int(now.timestamp() * 1000) == record_id.int >> 80
    assert {
        "before": {
            "name": "CI",
            "enabled": False,
            "permissions": ["sessions:read"],
            "metadata": {"plan": "pro"},
            "expiresAt": "2031-01-01T00:00:00.000Z",
        },
        "after": None,
    } == json.loads(record.pop("changes"))
    assert {
        "pk": f"ORG#{ORGANIZATION_ID}",
        "event": "api_key.deleted",
        "actor_type": "user",
        "actor_id": "user_1",
        "target_type": "api_key",
        "target_id": KEY_ID,
        "source_ip": "203.0.113.7",
        "request_id": REQUEST_ID,
        "created_at": NOW,
        "received_at": NOW,
        "ttl": int(now.timestamp()) + 365 * 86400,
    } == record


def test_the_hash_is_gone(call: Call) -> None:
    """The hash is neither in the answer nor in the table."""
    call.table.put_key()

    answer = call()

    assert 200 == answer["statusCode"]
    assert HASH[-20:] not in answer["body"] + repr(call.table.items())


def test_the_deletion_comes_after_all_changes(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """A deletion is stamped after the key's last change, even by a slow clock."""
    stop_clock(NOW)
    call.table.put_key(updated_at="2030-01-31T12:00:05.000Z")

    call.data()

    (record,) = call.table.under("AUDIT#")
    assert "2030-01-31T12:00:05.001Z" == record["created_at"]


def test_a_concurrent_change_does_not_keep_the_key(call: Call) -> None:
    """A concurrent change does not stop the deletion."""
    call.table.put_key()
    with faults.injected(None, meanwhile(lambda: call.table.put_key(name="Theirs", version=2))):
        call.data()

    assert [] == call.table.under("KEY#")
    assert 1 == len(call.table.under("AUDIT#"))


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_owners_and_admins_are_allowed(call: Call, role: str) -> None:
    """Owners and admins manage keys."""
    call.table.put_key()
    call.table.put_member("someone", role)

    assert 200 == call(user_id="someone")["statusCode"]


def test_it_takes_two_requests_to_dynamodb(call: Call) -> None:
    """One request reads; one transaction writes everything."""
    call.table.put_key()
    with faults.injected() as operations:
        call.data()

    assert ["BatchGetItem", "TransactWriteItems"] == operations


@pytest.mark.parametrize("position", range(2), ids=["read", "write"])
@pytest.mark.parametrize("fault", UNANSWERED)
def test_transient_failures_are_retried(call: Call, fault: faults.Fault, position: int) -> None:
    """Two transient failures in a row are retried."""
    call.table.put_key()
    with faults.injected(*[None] * position, fault, fault):
        call.data()

    assert [] == call.table.under("KEY#")
    assert 1 == len(call.table.under("AUDIT#"))


def test_a_lost_response_is_recovered(call: Call) -> None:
    """When the response of the transaction is lost, the retry succeeds instead of answering 404."""
    call.table.put_key()
    with faults.injected(None, faults.lost_answer) as operations:
        call.data()

    assert 3 == len(operations)
    assert 1 == len(call.table.under("AUDIT#"))
