"""POST /v1/auth/orgs/request-delete: schedule the organization for deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN
from keywright.organizations import deletion

if TYPE_CHECKING:
    from keywright.api.request import MemberRequest
    from keywright.api.schemas import Done


@endpoint("request_organization_deletion", raises=(CONFLICT, ORGANIZATION_FROZEN))
def handler(request: MemberRequest) -> Done:
    """Schedule your organization for deletion. Until an owner cancels it, keys do not work and changes are refused."""
    return deletion.request_deletion(request.caller, request.origin)
