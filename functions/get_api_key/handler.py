"""GET /v1/auth/api-keys/{id}: get an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.keys import manage

if TYPE_CHECKING:
    from keywright.api.request import MemberRequest
    from keywright.api.schemas import ApiKeyDetails


@endpoint("get_api_key")
def handler(request: MemberRequest) -> ApiKeyDetails:
    """Return the details of a key of your organization, without its text."""
    return manage.get(request.caller, request.key_id)
