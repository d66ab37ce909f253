"""GET /v1/auth/api-keys/{id}: show one key of the caller's organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import managing
from keywright.endpoint import Request, endpoint

if TYPE_CHECKING:
    from keywright.models import ApiKeyDetails


@endpoint("get_api_key")
def handler(request: Request) -> ApiKeyDetails:
    """Show the key, but never its text."""
    return managing.get(request.member, request.key_id)
