"""DELETE /v1/auth/api-keys/{id}: delete an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.api.schemas import RevocationQuery
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN
from keywright.keys import manage

if TYPE_CHECKING:
    from keywright.api.request import MemberRequest, Nothing
    from keywright.api.schemas import Done


@endpoint("delete_api_key", query=RevocationQuery, raises=(CONFLICT, ORGANIZATION_FROZEN))
def handler(request: MemberRequest[Nothing, RevocationQuery]) -> Done:
    """Delete the key. It stops working at once and cannot be restored."""
    return manage.delete(request.caller, request.origin, request.key_id, request.query)
