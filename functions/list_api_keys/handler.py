"""GET /v1/auth/api-keys: list the keys of the caller's organization, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import managing
from keywright.endpoint import Nothing, Request, endpoint
from keywright.models import ListApiKeysQuery

if TYPE_CHECKING:
    from keywright.envelope import Listing
    from keywright.models import ApiKeySummary


@endpoint("list_api_keys", query=ListApiKeysQuery)
def handler(request: Request[Nothing, ListApiKeysQuery]) -> Listing[ApiKeySummary]:
    """List a page of keys."""
    return managing.list_keys(request.member, request.query)
