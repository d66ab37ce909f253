"""POST /v1/auth/api-keys/{id}/rotate: give a key of the caller's organization a new secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import Nothing, Request, endpoint
from keywright.api.schemas import RotateApiKeyRequest, RotatedApiKey
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN
from keywright.keys import create

if TYPE_CHECKING:
    from keywright.api.envelope import Replayed


@endpoint("rotate_api_key", body=RotateApiKeyRequest, raises=(CONFLICT, ORGANIZATION_FROZEN))
def handler(request: Request[RotateApiKeyRequest, Nothing]) -> RotatedApiKey | Replayed:
    """Give the key a new text; it appears in this answer and nowhere else."""
    return create.rotate(request.member, request.origin, request.key_id, request.body, request.idempotency_key)
