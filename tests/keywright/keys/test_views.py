"""A key's record becomes JSON in one place, which never shows a hash."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any
from uuid import UUID

import pytest

from keywright.api.schemas import CreateApiKey, UpdateApiKey
from keywright.clock import stored
from keywright.domain.leak import Leak, LeakSource
from keywright.domain.limits import SECOND, Period, Quota, RateLimit
from keywright.keys import views
from keywright.keys.outcome import Admission, Code, IdentifiedKey, QuotaStatus, RateStatus
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
    rate_limit=RateLimit(60, 30, 10),
    quota=Quota(1000, Period.MONTH),
    allowed_ips=("192.0.2.0/24",),
    leak=Leak(1, stored(AT), LeakSource.REPORT, "https://example.com/paste/1"),
)
USAGE = Usage(3, AT, "192.0.2.1", previous_generation=0, previous_used_at=AT)
HELD = {
    "id": str(UUID(int=2)),
    "name": "CI",
    "permissions": ["sessions:read"],
    "metadata": {"plan": "pro"},
    "expiresAt": LATER,
    "rateLimit": {"limit": 60, "windowSeconds": 30, "burst": 10},
    "quota": {"limit": 1000, "period": "month"},
    "allowedIps": ["192.0.2.0/24"],
}
LEAK = {"reportedAt": AT, "source": "report", "url": "https://example.com/paste/1"}
LISTED = HELD | {
    "leak": LEAK,
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
    """A key's holder does not see the fields for members, nor a leak: a thief holds the key too."""
    expected = HELD | {"organizationId": str(UUID(int=1)), "hint": "kk_...wxyz", "createdAt": AT}

    assert expected == views.current(RECORD).model_dump(by_alias=True)


def test_a_key_for_a_backend() -> None:
    """A backend also gets the result of the verification, and no limits that were not asked."""
    result = IdentifiedKey(RECORD, Code.INSUFFICIENT_PERMISSIONS, "lacks a:b", ("a:b",))
    expected = HELD | {
        "organizationId": str(UUID(int=1)),
        "valid": False,
        "code": "INSUFFICIENT_PERMISSIONS",
        "missingPermissions": ["a:b"],
        "rateLimit": None,
        "quota": None,
        "retryAfterSeconds": None,
        "leak": LEAK,
    }

    assert expected == views.verified(result).model_dump(by_alias=True)


def test_what_is_left_of_limits() -> None:
    """A backend gets what is left of the limits, and when to try again."""
    rate, quota = RateStatus(60, 0, 20), QuotaStatus(1000, 999, 1, 1_767_225_600 * SECOND)
    result = IdentifiedKey(
        RECORD, Code.RATE_LIMITED, "", admission=Admission(Code.RATE_LIMITED, "key", rate, quota, retry_after_seconds=2)
    )

    shown = views.verified(result).model_dump(by_alias=True)

    assert shown["valid"] is False
    assert "RATE_LIMITED" == shown["code"]
    assert 2 == shown["retryAfterSeconds"]
    assert {"limit": 60, "remaining": 0, "resetSeconds": 20} == shown["rateLimit"]
    assert {"limit": 1000, "used": 999, "remaining": 1, "resetsAt": "2026-01-01T00:00:00.000Z"} == shown["quota"]


def test_what_is_left_of_limits_that_never_reset_or_were_not_asked() -> None:
    """A quota in total never resets, and what is left of a rate limit that could not be asked is unknown."""
    admission = Admission(Code.VALID, "key", RateStatus(60), QuotaStatus(5, 1, 4, None), is_asked=False)

    shown = views.verified(IdentifiedKey(RECORD, Code.VALID, "", admission=admission)).model_dump(by_alias=True)

    assert {"limit": 60, "remaining": None, "resetSeconds": None} == shown["rateLimit"]
    assert {"limit": 5, "used": 1, "remaining": 4, "resetsAt": None} == shown["quota"]


@pytest.mark.usefixtures("environment")
def test_requests_become_records_and_answers_again() -> None:
    """The limits of a request are stored, and shown as they were sent; an empty list of addresses is none."""
    body = CreateApiKey.model_validate(
        {
            "name": "CI",
            "permissions": ["sessions:read"],
            **{name: HELD[name] for name in ("rateLimit", "quota", "allowedIps")},
        }
    )
    nothing = UpdateApiKey.model_validate({"rateLimit": None, "quota": None, "allowedIps": []})

    stored_fields = views.stored_fields(body.model_dump())

    assert {
        "rate_limit": RECORD.rate_limit,
        "quota": RECORD.quota,
        "allowed_ips": RECORD.allowed_ips,
    }.items() <= stored_fields.items()
    assert {"rate_limit": None, "quota": None, "allowed_ips": ()} == views.stored_fields(
        nothing.model_dump(exclude_unset=True)
    )


def test_hashes_are_in_no_view() -> None:
    """GIVEN the fields of a record WHEN one is kept from logs by its repr THEN models cannot take it either."""
    secret = {field.name for field in fields(ApiKeyRecord) if not field.repr}

    assert {"hash", "previous_hash", "imported_as"} == secret
    assert set() == secret & views._shown(RECORD).keys()
