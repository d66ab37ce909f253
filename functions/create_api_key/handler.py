"""POST /v1/auth/api-keys: create an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.api.schemas import CreateApiKey, CreatedApiKey
from keywright.domain import key_hash
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN
from keywright.keys import create

if TYPE_CHECKING:
    from keywright.api.envelope import Replayed
    from keywright.api.request import MemberRequest

key_hash.load()


@endpoint("create_api_key", body=CreateApiKey, raises=(CONFLICT, ORGANIZATION_FROZEN))
def handler(request: MemberRequest[CreateApiKey]) -> CreatedApiKey | Replayed:
    """Create an API key in your organization. Only this response contains its text."""
    return create.create(request.caller, request.origin, request.body, request.idempotency_key)
