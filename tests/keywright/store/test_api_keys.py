"""The item of an API key holds every field of its record."""

from __future__ import annotations

from dataclasses import MISSING, fields
from uuid import UUID

import pytest

from keywright.clock import stored
from keywright.domain.leak import Leak, LeakSource
from keywright.domain.limits import Period, Quota, RateLimit
from keywright.store.api_keys import ApiKeyRecord, _item, parse_api_key

RECORD = ApiKeyRecord(
    organization_id=UUID(int=1),
    key_id=UUID(int=2),
    name="CI",
    permissions=("sessions:read", "webhooks:write"),
    metadata='{"plan":"pro"}',
    hash="the hash",
    generation=1,
    hint="kk_...wxyz",
    created_by="user_9",
    created_at=stored("2026-01-02T03:04:05.678Z"),
    updated_at=stored("2026-01-03T03:04:05.678Z"),
    enabled=False,
    version=2,
    expires_at=stored("2099-01-01T00:00:00.000Z"),
    previous_hash="the previous hash",
    previous_expires_at=stored("2098-01-01T00:00:00.000Z"),
    rate_limit=RateLimit(60, 30, 10),
    quota=Quota(1000, Period.MONTH),
    allowed_ips=("192.0.2.0/24", "2001:db8::1"),
    leak=Leak(3, stored("2026-01-02T00:00:00.000Z"), LeakSource.GITHUB, "https://github.com/octocat/example"),
    imported_as="0123456789abcdef" * 4,
)


@pytest.mark.parametrize("name", [field.name for field in fields(ApiKeyRecord) if field.default is not MISSING])
def test_the_record_has_no_default(name: str) -> None:
    """A field with a default could be lost without a trace, so the sample sets each of them to another value."""
    defaults = {field.name: field.default for field in fields(ApiKeyRecord)}

    assert defaults[name] != getattr(RECORD, name)


def test_an_item_keeps_every_field() -> None:
    """A record that is written and read again is equal in every field."""
    assert RECORD == parse_api_key(_item(RECORD))
