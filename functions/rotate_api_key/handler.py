"""POST /v1/auth/api-keys/{id}/rotate: rotate an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.api.schemas import RotateApiKey, RotatedApiKey
from keywright.domain import key_hash
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN
from keywright.keys import rotate

if TYPE_CHECKING:
    from keywright.api.envelope import Replayed
    from keywright.api.request import MemberRequest

key_hash.load()


@endpoint("rotate_api_key", body=RotateApiKey, raises=(CONFLICT, ORGANIZATION_FROZEN))
def handler(request: MemberRequest[RotateApiKey]) -> RotatedApiKey | Replayed:
    """Replace the secret of a key, and so its text. Only this response contains the new text."""
    return rotate.rotate(request.caller, request.origin, request.key_id, request.body, request.idempotency_key)
