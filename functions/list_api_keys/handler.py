"""GET /v1/auth/api-keys: list API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.api.schemas import ListApiKeysQuery
from keywright.keys import manage

if TYPE_CHECKING:
    from keywright.api.envelope import Listing
    from keywright.api.request import MemberRequest, Nothing
    from keywright.api.schemas import ApiKeySummary


@endpoint("list_api_keys", query=ListApiKeysQuery)
def handler(request: MemberRequest[Nothing, ListApiKeysQuery]) -> Listing[ApiKeySummary]:
    """List the keys of your organization, newest first."""
    return manage.list_keys(request.caller, request.query)
