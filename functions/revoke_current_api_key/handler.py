"""DELETE /v1/auth/api-keys/current: delete the API key of this request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.api.request import KeyRequest, key_holder
from keywright.api.schemas import RevocationQuery
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN
from keywright.keys import manage

if TYPE_CHECKING:
    from keywright.api.schemas import Done


@endpoint("revoke_current_api_key", query=RevocationQuery, caller=key_holder, raises=(CONFLICT, ORGANIZATION_FROZEN))
def handler(request: KeyRequest[RevocationQuery]) -> Done:
    """Delete the key that the request was sent with. It stops working at once and cannot be restored.

    This also works when the key's limits are used up. The permissions of the key do not matter.
    """
    return manage.delete_current(request.caller, request.origin, request.query)
