"""GET /v1/auth/api-keys/{id}: show one key of the caller's organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import Request, endpoint
from keywright.keys import manage

if TYPE_CHECKING:
    from keywright.api.schemas import ApiKeyDetails


@endpoint("get_api_key")
def handler(request: Request) -> ApiKeyDetails:
    """Show the key, but never its text."""
    return manage.get(request.member, request.key_id)
