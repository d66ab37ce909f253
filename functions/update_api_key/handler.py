"""PATCH /v1/auth/api-keys/{id}: change a key of the caller's organization."""

from __future__ import annotations

from keywright.api.endpoint import Nothing, Request, endpoint
from keywright.api.schemas import Done, UpdateApiKeyRequest
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN
from keywright.keys import manage


@endpoint("update_api_key", body=UpdateApiKeyRequest, raises=(CONFLICT, ORGANIZATION_FROZEN))
def handler(request: Request[UpdateApiKeyRequest, Nothing]) -> Done:
    """Change what the body names; the rest stays."""
    return manage.update(request.member, request.origin, request.key_id, request.body)
