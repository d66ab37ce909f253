"""PATCH /v1/auth/api-keys/{id}: change a key of the caller's organization."""

from __future__ import annotations

from keywright import managing
from keywright.endpoint import Nothing, Request, endpoint
from keywright.models import Done, UpdateApiKeyRequest


@endpoint("update_api_key", body=UpdateApiKeyRequest)
def handler(request: Request[UpdateApiKeyRequest, Nothing]) -> Done:
    """Change what the body names; the rest stays."""
    return managing.update(request.member, request.origin, request.key_id, request.body)
