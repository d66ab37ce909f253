"""DELETE /v1/auth/api-keys/{id}: 200."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import faults
from tests.support.client import calling, meanwhile
from tests.support.world import KEY_ID, OTHER_ORGANIZATION_ID, PREVIOUS_HASH, nth_id

if TYPE_CHECKING:
    from tests.support.client import Call

call = calling("delete_api_key")


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


def test_the_audit_record_describes_the_key(call: Call) -> None:
    """The audit record holds every field that people chose."""
    call.table.put_key(enabled=False, expires_at="2031-01-01T00:00:00.000Z")

    call.data()

    (record,) = call.table.under("AUDIT#")
    assert {
        "before": {
            "name": "CI",
            "enabled": False,
            "permissions": ["sessions:read"],
            "metadata": {"plan": "pro"},
            "expiresAt": "2031-01-01T00:00:00.000Z",
            "rateLimit": None,
            "quota": None,
            "allowedIps": None,
        },
        "after": None,
    } == json.loads(record["changes"])


def test_a_concurrent_change_does_not_keep_the_key(call: Call) -> None:
    """A concurrent change does not stop the deletion."""
    call.table.put_key()
    with faults.injected(None, meanwhile(lambda: call.table.put_key(name="Theirs", version=2))):
        call.data()

    assert [] == call.table.under("KEY#")
    assert 1 == len(call.table.under("AUDIT#"))
