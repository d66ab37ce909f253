"""Uses of a key by day, for the members of its organization."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from keywright import clock
from keywright.api.schemas import ApiKeyUsage, ApiKeyUsageOfDay
from keywright.domain.permissions import Role
from keywright.errors import BAD_REQUEST, ServiceError
from keywright.store import api_keys, authorization, layout, usage

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from keywright.api.schemas import GetApiKeyUsageQuery
    from keywright.domain.principals import Member

DEFAULT_DAYS = 30


def get(member: Member, key_id: UUID, query: GetApiKeyUsageQuery) -> ApiKeyUsage:
    """Return the uses of a key on each day of a range, in one request to DynamoDB.

    Raises:
        ServiceError: BAD_REQUEST, FORBIDDEN, API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE.
    """
    first, last = _range(query, clock.now().astimezone(UTC).date())
    sort_keys = layout.api_key_sort_key(key_id), layout.usage_sort_key(key_id)
    items = authorization.read_as(member, Role.ADMIN, *sort_keys)
    api_keys.require(items, key_id)
    used = usage.days_of(items, key_id)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    counts = [ApiKeyUsageOfDay(date=day.isoformat(), request_count=used.get(day, 0)) for day in days]
    return ApiKeyUsage(
        from_=first.isoformat(),
        to=last.isoformat(),
        request_count=sum(count.request_count for count in counts),
        days=counts,
    )


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
