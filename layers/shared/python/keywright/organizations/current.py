"""The organization of a session, for all its members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.schemas import CurrentOrganization
from keywright.domain.limits import Quota, RateLimit
from keywright.domain.permissions import Role
from keywright.settings import settings
from keywright.store import authorization, layout, organizations

if TYPE_CHECKING:
    from keywright.domain.principals import Member


def get(member: Member) -> CurrentOrganization:
    """Show a member their organization and their role, in one request to DynamoDB.

    Raises:
        ServiceError: FORBIDDEN unless the member is one and is not suspended; SERVICE_UNAVAILABLE.
    """
    items = authorization.read_as(member, Role.MEMBER, layout.ORGANIZATION)
    if layout.ORGANIZATION not in items:
        raise authorization.missing(Role.MEMBER)
    state = organizations.parse_organization(items[layout.ORGANIZATION])
    rate_limit, quota = state.rate_limit.value, state.quota.value
    return CurrentOrganization.model_validate(
        {
            "id": str(member.organization_id),
            "name": state.name.value,
            "created_at": state.creation.value,
            "pending_deletion_at": state.deletion.value,
            "role": organizations.parse_member(items[layout.member_sort_key(member.user_id)]).role.value,
            "permissions": settings().permissions,
            "rate_limit": None if rate_limit is None else RateLimit.parse(rate_limit).as_json(),
            "quota": None if quota is None else Quota.parse(quota).as_json(),
        }
    )
