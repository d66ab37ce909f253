"""POST /v1/auth/api-keys/{id}/rotate: give a key of the caller's organization a new secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import issuing
from keywright.endpoint import Nothing, Request, endpoint
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN
from keywright.models import RotateApiKeyRequest, RotatedApiKey

if TYPE_CHECKING:
    from keywright.envelope import Replayed


@endpoint("rotate_api_key", body=RotateApiKeyRequest, raises=(CONFLICT, ORGANIZATION_FROZEN))
def handler(request: Request[RotateApiKeyRequest, Nothing]) -> RotatedApiKey | Replayed:
    """Give the key a new text; it appears in this answer and nowhere else."""
    return issuing.rotate(request.member, request.origin, request.key_id, request.body, request.idempotency_key)
