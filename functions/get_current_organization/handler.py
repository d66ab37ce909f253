"""GET /v1/auth/orgs/current: get the organization of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.organizations import current

if TYPE_CHECKING:
    from keywright.api.request import MemberRequest
    from keywright.api.schemas import CurrentOrganization


@endpoint("get_current_organization")
def handler(request: MemberRequest) -> CurrentOrganization:
    """Return your organization, your role in it, and the permissions that keys can have."""
    return current.get(request.caller)
