"""POST /v1/auth/orgs/request-delete: schedule the caller's organization for deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import Request, endpoint
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN
from keywright.organizations import deletion

if TYPE_CHECKING:
    from keywright.api.schemas import Done


@endpoint("request_organization_deletion", raises=(CONFLICT, ORGANIZATION_FROZEN))
def handler(request: Request) -> Done:
    """Freeze the organization until it is deleted or an owner changes their mind."""
    return deletion.request_deletion(request.member, request.origin)
