"""GET /v1/auth/api-keys: list the keys of the caller's organization, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import Nothing, Request, endpoint
from keywright.api.schemas import ListApiKeysQuery
from keywright.keys import manage

if TYPE_CHECKING:
    from keywright.api.envelope import Listing
    from keywright.api.schemas import ApiKeySummary


@endpoint("list_api_keys", query=ListApiKeysQuery)
def handler(request: Request[Nothing, ListApiKeysQuery]) -> Listing[ApiKeySummary]:
    """List a page of keys."""
    return manage.list_keys(request.member, request.query)
