"""PATCH /v1/auth/api-keys/{id}: every refusal, none of which writes anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import calling

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

call = calling("update_api_key")

BODY = {"name": "New"}
NOW = "2030-01-31T12:00:00.000Z"

INVALID: list[tuple[dict[str, Any], str]] = [
    ({"name": " "}, "name must not be blank"),
    ({"name": "x" * 121}, "name must have at most 120 characters"),
    ({"name": None}, "name must be a string"),
    ({"enabled": None}, "enabled must be true or false"),
    ({"enabled": "true"}, "enabled must be true or false"),
    ({"enabled": 1}, "enabled must be true or false"),
    ({"permissions": []}, "permissions must have at least 1 item"),
    ({"permissions": None}, "permissions must be an array"),
    ({"permissions": ["sessions:read", "sessions:fly"]}, "permissions[1] is not a permission of this service"),
    ({"metadata": None}, "metadata must be an object"),
    ({"metadata": {"a": None}}, "metadata.a must be a string, a number or a boolean"),
    ({"metadata": {str(n): "x" * 512 for n in range(40)}}, "bytes as JSON; the maximum is 16384"),
    ({"expiresAt": "2031-01-01"}, "expiresAt must be an RFC 3339 time"),
    ({"expiresAt": "2030-01-31T11:59:59.999Z"}, "expiresAt must be in the future"),
    ({"expiresAt": NOW}, "expiresAt must be in the future"),
    ({"expiresAt": "2030-01-31T12:00:00.0009Z"}, "expiresAt must be in the future"),
    ({"expiresAt": "2030-01-31T12:30:00+01:00"}, "expiresAt must be in the future"),
    ({}, "the body contains no changes"),
    ({"enable": False, "name": "x"}, "enable is not a field of this request"),
]
"""tests/keywright/api/test_schemas.py has every rule of the fields that a create takes too."""


@pytest.mark.parametrize(
    ("body", "message"), INVALID, ids=[f"{json.dumps(body)[:50]} {number}" for number, (body, _) in enumerate(INVALID)]
)
def test_400_each_field(call: Call, stop_clock: Callable[[str], datetime], body: dict[str, Any], message: str) -> None:
    """The message names the field and the rule; valid fields beside it are not changed."""
    stop_clock(NOW)
    call.table.put_key()

    refusal = call.refused(body)
    beside = call.refused({"enabled": False} | body) if body else refusal

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert 400 == beside.status
    assert message in refusal.message


def test_400_hints_name_the_values_of_enabled(call: Call) -> None:
    """`enabled` takes a boolean, not the text `true`."""
    assert "enabled is true or false, without quotes." == call.refused({"enabled": "true"}).hint


def test_400_hints_list_the_fields(call: Call) -> None:
    """A body without fields gets their list."""
    call.table.put_key()

    assert (
        "Send at least one of: name, enabled, permissions, metadata, expiresAt, rateLimit, quota, allowedIps, leak."
        == call.refused({}).hint
    )
