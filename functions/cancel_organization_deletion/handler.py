"""POST /v1/auth/orgs/cancel-delete: cancel the scheduled deletion of the caller's organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import closing
from keywright.endpoint import Request, endpoint
from keywright.errors import CONFLICT

if TYPE_CHECKING:
    from keywright.models import Done


@endpoint("cancel_organization_deletion", raises=(CONFLICT,))
def handler(request: Request) -> Done:
    """Bring the organization back to life."""
    return closing.cancel_deletion(request.member, request.origin)
