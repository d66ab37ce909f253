"""PATCH /v1/auth/api-keys/{id}: update an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.api.schemas import UpdateApiKey, UpdatedApiKey
from keywright.errors import API_KEY_LEAKED, CONFLICT, ORGANIZATION_FROZEN
from keywright.keys import manage

if TYPE_CHECKING:
    from keywright.api.request import MemberRequest


@endpoint("update_api_key", body=UpdateApiKey, raises=(API_KEY_LEAKED, CONFLICT, ORGANIZATION_FROZEN))
def handler(request: MemberRequest[UpdateApiKey]) -> UpdatedApiKey:
    """Change the fields in the body. Omitted fields stay as they are."""
    return manage.update(request.caller, request.origin, request.key_id, request.body)
