"""PATCH /v1/auth/api-keys/{id}: 200."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import faults
from tests.support.client import calling, meanwhile
from tests.support.world import KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, PREVIOUS_HASH, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call

call = calling("update_api_key")

NOW = "2030-01-31T12:00:00.000Z"
ROTATED: dict[str, Any] = {
    "generation": 1,
    "previous_hash": PREVIOUS_HASH,
    "previous_expires_at": "2030-02-01T00:00:00.000Z",
}


def changes(call: Call) -> dict[str, Any]:
    """Return before and after of the only audit record."""
    (record,) = call.table.under("AUDIT#")
    content: dict[str, Any] = json.loads(record["changes"])
    return content


FIELDS = [
    pytest.param({"name": " New name\t"}, {"name": "New name"}, id="name"),
    pytest.param({"name": "x" * 120}, {"name": "x" * 120}, id="longest name"),
    pytest.param({"enabled": False}, {"enabled": False}, id="enabled"),
    pytest.param(
        {"permissions": ["webhooks:write", "sessions:read", "webhooks:write"]},
        {"permissions": ["webhooks:write", "sessions:read"]},
        id="permissions",
    ),
    pytest.param(
        {"metadata": {"a": 2**53 + 1, "b": 1e300, "c": True, "d": "\N{SNOWMAN}"}},
        {"metadata": '{"a":9007199254740993,"b":1e+300,"c":true,"d":"\N{SNOWMAN}"}'},
        id="metadata",
    ),
    pytest.param({"metadata": {}}, {"metadata": "{}"}, id="no metadata"),
    pytest.param(
        {"expiresAt": "2031-01-01T01:00:00.1239+01:00"}, {"expires_at": "2031-01-01T00:00:00.123Z"}, id="expiresAt"
    ),
    pytest.param(
        {"expiresAt": "2030-01-31T12:00:00.001Z"},
        {"expires_at": "2030-01-31T12:00:00.001Z"},
        id="expiresAt in a millisecond",
    ),
    pytest.param(
        {
            "name": "New",
            "enabled": False,
            "permissions": ["webhooks:write"],
            "metadata": {"plan": "free"},
            "expiresAt": "2031-01-01T00:00:00Z",
        },
        {
            "name": "New",
            "enabled": False,
            "permissions": ["webhooks:write"],
            "metadata": '{"plan":"free"}',
            "expires_at": "2031-01-01T00:00:00.000Z",
        },
        id="all at once",
    ),
]


@pytest.mark.parametrize(("body", "changed"), FIELDS)
def test_only_named_fields_change(
    call: Call, stop_clock: Callable[[str], datetime], body: dict[str, Any], changed: dict[str, Any]
) -> None:
    """Of the item only the named fields, the time and the version change; a grace period stays."""
    stop_clock(NOW)
    before = call.table.put_key(**ROTATED)

    call.data(body)

    assert before | changed | {"updated_at": NOW, "version": 2} == call.table.item(f"KEY#{KEY_ID}")


@pytest.mark.parametrize(("body", "changed"), FIELDS)
def test_the_answer_has_the_key_as_it_now_is(
    call: Call, functions: Callable[[str], Call], body: dict[str, Any], changed: dict[str, Any]
) -> None:
    """The answer shows the changed key as a GET shows it, with its usage and its grace period."""
    del changed
    call.table.put_key(**ROTATED | {"previous_expires_at": "2099-01-01T00:00:00.000Z"})
    call.table.put_usage(request_count=7, last_used_at="2026-01-01T00:00:00.000Z")

    answer = call.data(body)

    shown = functions("get_api_key").data()
    assert {"status": "success", "message": "The API key was updated", "apiKey": shown} == answer
    assert repr(shown) == repr(answer["apiKey"])
    assert 7 == shown["requestCount"]
    assert shown["previousKeyExpiresAt"]


def test_an_expiry_that_is_not_named_stays(call: Call) -> None:
    """An expiry that is not named stays: absent is not null."""
    call.table.put_key(expires_at="2099-01-01T00:00:00.000Z")

    call.data({"name": "New"})

    assert "2099-01-01T00:00:00.000Z" == call.table.item(f"KEY#{KEY_ID}")["expires_at"]


@pytest.mark.parametrize("expires_at", ["2099-01-01T00:00:00.000Z", "2020-01-01T00:00:00.000Z"])
def test_null_removes_the_expiry(call: Call, expires_at: str) -> None:
    """Null removes an expiry, even one in the past."""
    call.table.put_key(expires_at=expires_at)

    call.data({"expiresAt": None})

    assert "expires_at" not in call.table.item(f"KEY#{KEY_ID}")
    assert {"before": {"expiresAt": expires_at}, "after": {"expiresAt": None}} == changes(call)


def test_nothing_else_in_the_table_changes(call: Call) -> None:
    """In the table only the key's item changes, and the audit record is added."""
    call.table.put_key()
    call.table.put_usage()
    call.table.put_key(nth_id(2))
    call.table.put_key(KEY_ID, OTHER_ORGANIZATION_ID)
    before = call.table.items()

    call.data({"name": "New"})

    left = [item for item in call.table.items() if not item["sk"].startswith("AUDIT#")]
    assert [(f"ORG#{ORGANIZATION_ID}", f"KEY#{KEY_ID}")] == [
        (item["pk"], item["sk"]) for item in left if item not in before
    ]
    assert len(before) == len(left)


@pytest.mark.parametrize(
    ("body", "before", "after"),
    [
        pytest.param({"name": "CI"}, {}, {}, id="nothing"),
        pytest.param({"name": "CI", "enabled": False}, {"enabled": True}, {"enabled": False}, id="one of two"),
        pytest.param(
            {"permissions": ["webhooks:write", "sessions:read"]},
            {"permissions": ["sessions:read", "webhooks:write"]},
            {"permissions": ["webhooks:write", "sessions:read"]},
            id="the order of permissions",
        ),
        pytest.param(
            {"metadata": {"one": True}}, {"metadata": {"one": 1}}, {"metadata": {"one": True}}, id="the type of a value"
        ),
        pytest.param(
            {"metadata": {"one": 1.0}}, {"metadata": {"one": 1}}, {"metadata": {"one": 1.0}}, id="the form of a number"
        ),
        pytest.param(
            {"expiresAt": "2099-01-01T00:00:00Z"},
            {"expiresAt": None},
            {"expiresAt": "2099-01-01T00:00:00.000Z"},
            id="an expiry",
        ),
    ],
)
def test_the_audit_record_holds_exactly_what_changed(
    call: Call, body: dict[str, Any], before: dict[str, Any], after: dict[str, Any]
) -> None:
    """The audit record holds the changed fields only, before and after."""
    call.table.put_key(permissions=["sessions:read", "webhooks:write"], metadata='{"one":1}')

    call.data(body)

    assert repr({"before": before, "after": after}) == repr(changes(call))


def test_one_conflict_keeps_both_changes(call: Call) -> None:
    """After one conflict the change is repeated on top of the other one."""
    call.table.put_key()
    quicker = meanwhile(lambda: call.table.put_key(name="Theirs", version=2))

    with faults.injected(None, quicker) as operations:
        call.data({"enabled": False})

    key = call.table.item(f"KEY#{KEY_ID}")
    assert ["BatchGetItem", "TransactWriteItems"] * 2 == operations
    assert "Theirs" == key["name"]
    assert key["enabled"] is False
    assert 3 == key["version"]
    assert {"before": {"enabled": True}, "after": {"enabled": False}} == changes(call)


def test_an_expired_key_can_be_prolonged(call: Call) -> None:
    """An expired key can be given a later expiry."""
    call.table.put_key(expires_at="2020-01-01T00:00:00.000Z")

    call.data({"expiresAt": "2099-01-01T00:00:00Z"})

    assert "2099-01-01T00:00:00.000Z" == call.table.item(f"KEY#{KEY_ID}")["expires_at"]


def test_without_a_retention_audit_records_stay_forever(call: Call, setting: Callable[[str, str], None]) -> None:
    """With a retention of 0 days audit records have no ttl."""
    setting("AUDIT_RETENTION_DAYS", "0")
    call.table.put_key()

    call.data({"name": "New"})

    (record,) = call.table.under("AUDIT#")
    assert "ttl" not in record


def test_the_retention_is_a_setting(call: Call, setting: Callable[[str, str], None]) -> None:
    """The retention counts from when the record is written."""
    setting("AUDIT_RETENTION_DAYS", "7")
    call.table.put_key()

    call.data({"name": "New"})

    (record,) = call.table.under("AUDIT#")
    assert int(datetime.fromisoformat(record["received_at"]).timestamp()) + 7 * 86400 == record["ttl"]
