"""POST /v1/auth/orgs/cancel-delete: cancel the deletion of the organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN
from keywright.organizations import deletion

if TYPE_CHECKING:
    from keywright.api.request import MemberRequest
    from keywright.api.schemas import Done


@endpoint("cancel_organization_deletion", raises=(CONFLICT, ORGANIZATION_FROZEN))
def handler(request: MemberRequest) -> Done:
    """Cancel the scheduled deletion of your organization. Its keys work again."""
    return deletion.cancel_deletion(request.caller, request.origin)
