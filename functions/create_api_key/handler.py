"""POST /v1/auth/api-keys: create an API key in the caller's organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import Nothing, Request, endpoint
from keywright.api.schemas import CreateApiKeyRequest, CreatedApiKey
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN
from keywright.keys import create

if TYPE_CHECKING:
    from keywright.api.envelope import Replayed


@endpoint("create_api_key", body=CreateApiKeyRequest, raises=(CONFLICT, ORGANIZATION_FROZEN))
def handler(request: Request[CreateApiKeyRequest, Nothing]) -> CreatedApiKey | Replayed:
    """Issue the key; its text appears in this answer and nowhere else."""
    return create.create(request.member, request.origin, request.body, request.idempotency_key)
