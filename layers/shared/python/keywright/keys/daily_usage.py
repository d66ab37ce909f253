"""Uses of a key by day, and what is left of its limits, for the members of its organization."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from keywright import clock
from keywright.api.schemas import ApiKeyUsage, ApiKeyUsageOfDay
from keywright.domain.permissions import Role
from keywright.errors import BAD_REQUEST, SERVICE_UNAVAILABLE, ServiceError
from keywright.keys import limiter, views
from keywright.store import api_keys, authorization, layout, usage
from keywright.store.limits import LimitsGoneError

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from keywright.api.schemas import GetApiKeyUsageQuery
    from keywright.domain.principals import Member
    from keywright.keys.outcome import Admission
    from keywright.store.layout import Item

DEFAULT_DAYS = 30
_READS = 3
"""Reads of a key whose limits are gone: the second shows why, unless the key changes all the time."""


def get(member: Member, key_id: UUID, query: GetApiKeyUsageQuery) -> ApiKeyUsage:
    """Return the uses of a key on each day of a range, and what is left of its limits.

    One request to DynamoDB, and one more for a key with limits.

    Raises:
        ServiceError: BAD_REQUEST, FORBIDDEN, API_KEY_NOT_FOUND; SERVICE_UNAVAILABLE, also if a quota cannot be read.
    """
    first, last = _range(query, clock.now().astimezone(UTC).date())
    items, admission = _read(member, key_id)
    used = usage.days_of(items, key_id)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    counts = [ApiKeyUsageOfDay(date=day.isoformat(), request_count=used.get(day, 0)) for day in days]
    return ApiKeyUsage(
        from_=first.isoformat(),
        to=last.isoformat(),
        request_count=sum(count.request_count for count in counts),
        days=counts,
        rate_limit=views.rate_status(admission),
        quota=views.quota_status(admission),
    )


def _read(member: Member, key_id: UUID) -> tuple[dict[str, Item], Admission | None]:
    """Read a key, its usage and what is left of its limits: None if it has none.

    Raises:
        ServiceError: FORBIDDEN, API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE.
    """
    sort_keys = layout.api_key_sort_key(key_id), layout.usage_sort_key(key_id)
    for _ in range(_READS):
        read_at = clock.now_ns()
        items = authorization.read_as(member, Role.ADMIN, *sort_keys)
        limits = api_keys.require(items, key_id).limits(read_at)
        try:
            return items, None if limits is None else limiter.admit([limits], cost=0)
        except LimitsGoneError:
            continue
    raise ServiceError(SERVICE_UNAVAILABLE, reason="the item of a limit is missing")


def _range(query: GetApiKeyUsageQuery, today: date) -> tuple[date, date]:
    """Return the first and the last day that a query asks for.

    Raises:
        ServiceError: BAD_REQUEST.
    """
    oldest = usage.oldest_day(today)
    for name, day in (("from", query.from_), ("to", query.to)):
        if day is not None and not oldest <= day <= today:
            raise ServiceError(
                BAD_REQUEST,
                f"{name} must be one of the last {usage.DAYS} days",
                hint=f"Send a day from {oldest} to {today}. Days are in UTC.",
                reason=f"{name}: out of range",
            )
    last = query.to or today
    first = query.from_ or max(oldest, last - timedelta(days=DEFAULT_DAYS - 1))
    if first > last:
        raise ServiceError(
            BAD_REQUEST,
            "from must not be after to",
            hint="Both days are included. Send the earlier one as from, or omit to for the uses until today.",
            reason="from: after to",
        )
    return first, last
