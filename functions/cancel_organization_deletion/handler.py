"""POST /v1/auth/orgs/cancel-delete: cancel the scheduled deletion of the caller's organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import Request, endpoint
from keywright.errors import CONFLICT
from keywright.organizations import deletion

if TYPE_CHECKING:
    from keywright.api.schemas import Done


@endpoint("cancel_organization_deletion", raises=(CONFLICT,))
def handler(request: Request) -> Done:
    """Bring the organization back to life."""
    return deletion.cancel_deletion(request.member, request.origin)
