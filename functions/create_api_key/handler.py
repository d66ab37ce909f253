"""POST /v1/auth/api-keys: issue an API key to the caller's organization."""

from __future__ import annotations

from keywright import issuing
from keywright.endpoint import Request, endpoint
from keywright.models import CreateApiKeyRequest, CreatedApiKey


@endpoint("create_api_key", body=CreateApiKeyRequest)
def handler(request: Request[CreateApiKeyRequest]) -> CreatedApiKey:
    """Issue the key; its text appears in this answer and nowhere else."""
    return issuing.create(request.member, request.origin, request.body)
