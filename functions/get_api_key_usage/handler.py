"""GET /v1/auth/api-keys/{id}/usage: get the uses of an API key by day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.api.schemas import GetApiKeyUsageQuery
from keywright.keys import daily_usage

if TYPE_CHECKING:
    from keywright.api.request import MemberRequest, Nothing
    from keywright.api.schemas import ApiKeyUsage


@endpoint("get_api_key_usage", query=GetApiKeyUsageQuery)
def handler(request: MemberRequest[Nothing, GetApiKeyUsageQuery]) -> ApiKeyUsage:
    """Return how many times a key of your organization was verified on each of up to 90 days (UTC)."""
    return daily_usage.get(request.caller, request.key_id, request.query)
