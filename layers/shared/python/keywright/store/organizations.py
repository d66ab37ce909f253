"""Organizations and their members, as conditions of what is done in an organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.errors import FORBIDDEN, ORGANIZATION_FROZEN, ServiceError
from keywright.permissions import Role, at_least
from keywright.settings import settings
from keywright.store.table import Step, key

if TYPE_CHECKING:
    from keywright.principal import Member
    from keywright.store.table import Item

ORGANIZATION = "ORG"
MEMBER = "MEMBER#"


def authorization(member: Member, minimum: Role, action: str) -> tuple[Step, Step]:
    """Give the two conditions under which a member may change something in their organization.

    Args:
        member: the caller.
        minimum: the least role that may do it.
        action: what is being done, for the refusal: "create API keys".

    The member's own condition comes first: to outsiders, a frozen organization looks like any other.
    """
    roles = {f":role{index}": {"S": role} for index, role in enumerate(at_least(minimum))}
    return (
        Step(
            {
                "ConditionCheck": {
                    "TableName": settings().table_name,
                    "Key": key(member.organization_id, MEMBER + member.user_id),
                    "ConditionExpression": f"#role IN ({', '.join(roles)}) AND attribute_not_exists(suspended_at)",
                    "ExpressionAttributeNames": {"#role": "role"},  # a reserved word
                    "ExpressionAttributeValues": roles,
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            lambda item: _not_allowed(action, _member_reason(item)),
        ),
        Step(
            {
                "ConditionCheck": {
                    "TableName": settings().table_name,
                    "Key": key(member.organization_id, ORGANIZATION),
                    "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(pending_deletion_at)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            lambda item: (
                ServiceError(ORGANIZATION_FROZEN) if item else _not_allowed(action, "there is no such organization")
            ),
        ),
    )


def _not_allowed(action: str, reason: str) -> ServiceError:
    # One answer for all of them: whether somebody is a member, and as what, is the organization's business.
    return ServiceError(FORBIDDEN, f"You are not allowed to {action} in this organization", reason=reason)


def _member_reason(item: Item | None) -> str:
    if item is None:
        return "not a member"
    return "suspended" if "suspended_at" in item else "role too low"
