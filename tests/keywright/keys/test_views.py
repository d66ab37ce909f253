"""A key's record becomes JSON in one place, which never shows a hash."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any
from uuid import UUID

import pytest

from keywright.clock import stored
from keywright.keys import views
from keywright.keys.outcome import Code, IdentifiedKey
from keywright.store.api_keys import ApiKeyRecord
from keywright.store.usage import Usage

AT = "2026-01-02T03:04:05.678Z"
LATER = "2099-01-01T00:00:00.000Z"
RECORD = ApiKeyRecord(
    organization_id=UUID(int=1),
    key_id=UUID(int=2),
    name="CI",
    permissions=("sessions:read",),
    metadata='{"plan":"pro"}',
    hash="the hash",
    generation=1,
    hint="kk_...wxyz",
    created_by="user_9",
    created_at=stored(AT),
    updated_at=stored(AT),
    expires_at=stored(LATER),
    previous_hash="the previous hash",
    previous_expires_at=stored(LATER),
)
USAGE = Usage(3, AT, "192.0.2.1", previous_generation=0, previous_used_at=AT)
HELD = {
    "id": str(UUID(int=2)),
    "name": "CI",
    "permissions": ["sessions:read"],
    "metadata": {"plan": "pro"},
    "expiresAt": LATER,
}
LISTED = HELD | {
    "enabled": True,
    "createdAt": AT,
    "updatedAt": AT,
    "lastUsedAt": AT,
    "lastUsedIp": "192.0.2.1",
    "requestCount": 3,
    "hint": "kk_...wxyz",
}


def test_a_key_in_a_list() -> None:
    """A listed key has its usage, without the fields of a single key."""
    assert LISTED == views.summary(RECORD, USAGE).model_dump(by_alias=True)


def test_a_key_alone() -> None:
    """A single key also has its creator, and expiry and last use of the previous text."""
    shown = views.details(RECORD, USAGE).model_dump(by_alias=True)

    expected = LISTED | {"createdBy": "user_9", "previousKeyExpiresAt": LATER, "previousKeyLastUsedAt": AT}
    assert expected == shown


@pytest.mark.parametrize(
    ("changes", "is_shown"),
    [
        ({}, True),
        ({"generation": 2}, False),
        ({"generation": 0}, False),
        ({"previous_hash": None, "previous_expires_at": None}, False),
        ({"previous_expires_at": stored(AT)}, False),
        ({"expires_at": stored(AT)}, False),
    ],
    ids=["in its grace period", "rotated again", "other generation", "no grace period", "after it", "expired key"],
)
def test_the_last_use_of_the_previous_text(changes: dict[str, Any], is_shown: bool) -> None:  # noqa: FBT001 - a case
    """It is shown while that text works, and a use of an older text is not."""
    shown = views.details(replace(RECORD, **changes), USAGE)

    assert (AT if is_shown else None) == shown.previous_key_last_used_at


def test_a_key_for_its_holder() -> None:
    """A key's holder does not see the fields for members."""
    expected = HELD | {"organizationId": str(UUID(int=1)), "hint": "kk_...wxyz", "createdAt": AT}

    assert expected == views.current(RECORD).model_dump(by_alias=True)


def test_a_key_for_a_backend() -> None:
    """A backend also gets the result of the verification."""
    result = IdentifiedKey(RECORD, Code.INSUFFICIENT_PERMISSIONS, "lacks a:b", ("a:b",))
    expected = HELD | {
        "organizationId": str(UUID(int=1)),
        "valid": False,
        "code": "INSUFFICIENT_PERMISSIONS",
        "missingPermissions": ["a:b"],
    }

    assert expected == views.verified(result).model_dump(by_alias=True)


def test_hashes_are_in_no_view() -> None:
    """GIVEN the fields of a record WHEN one is kept from logs by its repr THEN models cannot take it either."""
    secret = {field.name for field in fields(ApiKeyRecord) if not field.repr}

    assert {"hash", "previous_hash"} == secret
    assert set() == secret & views._shown(RECORD).keys()
