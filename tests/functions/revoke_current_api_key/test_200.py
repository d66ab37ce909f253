"""DELETE /v1/auth/api-keys/current: 200."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support import faults
from tests.support.client import REQUEST_ID, calling, meanwhile
from tests.support.world import KEY_ID, OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call

call = calling("revoke_current_api_key")


def test_only_the_key_of_the_request_is_deleted(call: Call) -> None:
    """Key and usage of the caller are deleted: other keys, and another organization's key with this id, stay."""
    call.table.put_key(nth_id(2))
    call.table.put_organization(OTHER_ORGANIZATION_ID)
    call.table.put_key(KEY_ID, OTHER_ORGANIZATION_ID)
    call.table.put_usage(KEY_ID, OTHER_ORGANIZATION_ID)
    before = call.table.items()
    call.table.put_key()
    call.table.put_usage()

    assert {"status": "success", "message": "The API key was deleted"} == call.data()

    deleted = call.table.under("AUDIT#")
    assert 1 == len(deleted)
    assert before == [item for item in call.table.items() if item not in deleted]


def test_the_actor_is_the_key(call: Call) -> None:
    """The audit record names the key as the actor, the address of the request, and the reason."""
    call.table.put_key()

    call.data(query={"reason": "compromised"})

    (record,) = call.table.under("AUDIT#")
    assert ("api_key.deleted", "api_key", KEY_ID, KEY_ID, "compromised", "203.0.113.7", REQUEST_ID) == tuple(
        record[name] for name in ("event", "actor_type", "actor_id", "target_id", "reason", "source_ip", "request_id")
    )
    assert "CI" == json.loads(record["changes"])["before"]["name"]


def test_the_audit_log_has_the_name_of_the_key(call: Call, functions: Callable[[str], Call]) -> None:
    """The record has the name that the key had when it acted, although the key is gone."""
    call.table.put_organization()
    call.table.put_member("user_1", "admin")
    call.table.put_key()
    functions("update_api_key").data({"name": "Nightly import"}, key_id=KEY_ID)
    call.data()

    (deleted, updated), _ = functions("list_audit_logs").page()

    assert {"type": "api_key", "id": KEY_ID, "name": "Nightly import"} == deleted["actor"]
    assert {"type": "user", "id": "user_1", "name": None} == updated["actor"]


def test_it_takes_a_read_and_a_transaction(call: Call) -> None:
    """Two requests, without pepper and hash."""
    call.table.put_key()
    with faults.injected() as operations:
        call.data()

    assert ["BatchGetItem", "TransactWriteItems"] == operations


def test_a_concurrent_change_does_not_keep_the_key(call: Call) -> None:
    """A concurrent change does not stop the deletion."""
    call.table.put_key()
    with faults.injected(None, meanwhile(lambda: call.table.put_key(name="Theirs", version=2))):
        call.data()

    assert [] == call.table.under("KEY#")
    assert 1 == len(call.table.under("AUDIT#"))
