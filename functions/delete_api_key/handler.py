"""DELETE /v1/auth/api-keys/{id}: delete a key of the caller's organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import Request, endpoint
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN
from keywright.keys import manage

if TYPE_CHECKING:
    from keywright.api.schemas import Done


@endpoint("delete_api_key", raises=(CONFLICT, ORGANIZATION_FROZEN))
def handler(request: Request) -> Done:
    """Delete the key; it stops verifying at once."""
    return manage.delete(request.member, request.origin, request.key_id)
