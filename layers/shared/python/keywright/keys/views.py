"""Keys as the API shows and takes them: the one place between the fields of requests, records and answers.

A field that users choose, such as `name`, is written out in seven places: ApiKeyRecord, its `audited`, `_item` and
`parse_api_key` (store/api_keys.py); CreateApiKey, UpdateApiKey and ApiKeySummary (api/schemas.py). Add it
to CurrentApiKey or VerifiedApiKey where holders and backends may see it. Nothing changes here, unless its type needs a
conversion that `_shown` and `stored_fields` do not have.
"""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from keywright import clock
from keywright.api.fields import metadata_text
from keywright.api.schemas import (
    ApiKeyDetails,
    ApiKeySummary,
    CurrentApiKey,
    QuotaStatus,
    RateLimitStatus,
    VerifiedApiKey,
)
from keywright.domain.leak import Leak
from keywright.domain.limits import SECOND, Period, Quota, RateLimit
from keywright.domain.revocation_reason import RevocationReason
from keywright.keys.outcome import Code
from keywright.store.api_keys import ApiKeyRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keywright.keys.outcome import Admission, IdentifiedKey
    from keywright.store.usage import Usage

_SHOWN_FIELDS = tuple(field.name for field in fields(ApiKeyRecord) if field.repr)  # hashes have no repr


def summary(record: ApiKeyRecord, usage: Usage) -> ApiKeySummary:
    """Return a key as lists show it."""
    return ApiKeySummary.model_validate(_shown(record) | _used(usage))


def details(record: ApiKeyRecord, usage: Usage) -> ApiKeyDetails:
    """Return a key as it is shown alone."""
    previous = record.previous_valid_until(clock.now())
    return ApiKeyDetails.model_validate(
        _shown(record)
        | _used(usage)
        | {
            "previous_key_expires_at": None if previous is None else clock.rfc3339(previous),
            "previous_key_last_used_at": None if previous is None else usage.last_use_of(record.generation - 1),
        }
    )


def current(record: ApiKeyRecord) -> CurrentApiKey:
    """Return a key as its holder sees it."""
    return CurrentApiKey.model_validate(_shown(record))


def verified(verification: IdentifiedKey) -> VerifiedApiKey:
    """Return the result of verifying a key as backends see it: with what is left of its limits."""
    admission = verification.admission
    return VerifiedApiKey.model_validate(
        _shown(verification.key)
        | {
            "valid": verification.code is Code.VALID,
            "code": verification.code.value,
            "missing_permissions": list(verification.missing_permissions),
            "rate_limit": rate_status(admission),
            "quota": quota_status(admission),
            "retry_after_seconds": None if admission is None else admission.retry_after_seconds,
        }
    )


def rate_status(admission: Admission | None) -> RateLimitStatus | None:
    """Return what is left of a rate limit; None without one, or if limits were not asked."""
    if admission is None or admission.rate is None:
        return None
    rate = admission.rate
    return RateLimitStatus(limit=rate.limit, remaining=rate.remaining, reset_seconds=rate.reset_seconds)


def quota_status(admission: Admission | None) -> QuotaStatus | None:
    """Return what is left of a quota; None without one, or if limits were not asked."""
    if admission is None or admission.quota is None:
        return None
    quota = admission.quota
    resets_at = None if quota.resets_at is None else datetime.fromtimestamp(quota.resets_at // SECOND, UTC)
    return QuotaStatus(
        limit=quota.limit,
        used=quota.used,
        remaining=quota.remaining,
        resets_at=None if resets_at is None else clock.rfc3339(resets_at),
    )


def stored_fields(fields_of_request: Mapping[str, object]) -> dict[str, object]:
    """Convert the fields of a request's body to those of ApiKeyRecord."""
    stored: dict[str, Any] = dict(fields_of_request)
    if "permissions" in stored:
        stored["permissions"] = tuple(stored["permissions"])
    if "metadata" in stored:
        stored["metadata"] = metadata_text(stored["metadata"])
    if stored.get("rate_limit"):
        stored["rate_limit"] = RateLimit(**stored["rate_limit"])
    if stored.get("quota"):
        stored["quota"] = Quota(stored["quota"]["limit"], Period(stored["quota"]["period"]))
    if "allowed_ips" in stored:
        stored["allowed_ips"] = tuple(stored["allowed_ips"] or ())
    return stored


def reason_of(text: str | None) -> RevocationReason | None:
    """Return the reason that a request names; None if it names none."""
    return None if text is None else RevocationReason(text)


def _used(usage: Usage) -> dict[str, object]:
    return {
        "last_used_at": usage.last_used_at,
        "last_used_ip": usage.last_used_ip,
        "request_count": usage.request_count,
    }


def _shown(record: ApiKeyRecord) -> dict[str, object]:
    """Return the fields of a record, but for its hashes, as JSON has them; models take those that they name."""
    values = {name: _json(getattr(record, name)) for name in _SHOWN_FIELDS}
    return values | {
        "id": values["key_id"],
        "metadata": json.loads(record.metadata),
        "allowed_ips": list(record.allowed_ips) or None,
    }


def _json(value: object) -> object:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return clock.rfc3339(value)
        case tuple():
            return list(value)
        case RateLimit() | Quota() | Leak():
            return value.as_json()
    return value
