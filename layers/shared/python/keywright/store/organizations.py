"""Organizations and their members, as conditions of what is done in an organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.clock import rfc3339
from keywright.errors import CONFLICT, FORBIDDEN, ORGANIZATION_FROZEN, ServiceError
from keywright.permissions import Role, at_least
from keywright.settings import settings
from keywright.store.table import Step, key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from keywright.principal import Member
    from keywright.store.table import Item

ORGANIZATION = "ORG"
MEMBER = "MEMBER#"


def authorization(member: Member, minimum: Role, action: str) -> tuple[Step, Step]:
    """Give the two conditions under which a member may change something in their organization.

    Args:
        member: the caller.
        minimum: the least role that may do it.
        action: what is being done, for the refusal: "create API keys in this organization".

    The member's own condition comes first: to outsiders, a frozen organization looks like any other.
    """
    return (
        _membership(member, minimum, action),
        Step(
            {
                "ConditionCheck": {
                    "TableName": settings().table_name,
                    "Key": key(member.organization_id, ORGANIZATION),
                    "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(pending_deletion_at)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            lambda item: _inactive(item, action, minimum),
        ),
    )


def freeze(member: Member, until: datetime, action: str) -> tuple[Step, Step]:
    """Schedule the member's organization for deletion, provided that they own it and that it is not scheduled yet."""
    return (
        _membership(member, Role.OWNER, action),
        Step(
            {
                "Update": {
                    "TableName": settings().table_name,
                    "Key": key(member.organization_id, ORGANIZATION),
                    "UpdateExpression": "SET pending_deletion_at = :until",
                    "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(pending_deletion_at)",
                    "ExpressionAttributeValues": {":until": {"S": rfc3339(until)}},
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            lambda item: _inactive(item, action, Role.OWNER),
        ),
    )


def unfreeze(member: Member, pending_deletion_at: str, action: str) -> tuple[Step, Step]:
    """Cancel the deletion of the member's organization, provided that it is still scheduled for that time."""
    return (
        _membership(member, Role.OWNER, action),
        Step(
            {
                "Update": {
                    "TableName": settings().table_name,
                    "Key": key(member.organization_id, ORGANIZATION),
                    "UpdateExpression": "REMOVE pending_deletion_at",
                    "ConditionExpression": "pending_deletion_at = :pending",
                    "ExpressionAttributeValues": {":pending": {"S": pending_deletion_at}},
                }
            },
            lambda _: not_scheduled(),
        ),
    )


def not_scheduled() -> ServiceError:
    """Give the error of cancelling a deletion that is not scheduled."""
    return ServiceError(
        CONFLICT,
        "The organization is not scheduled for deletion",
        hint="There is nothing to cancel; keys and members are as they were.",
    )


def member_sort_key(member: Member) -> str:
    """Give the sort key of a member's item."""
    return MEMBER + member.user_id


def require(member: Member, minimum: Role, action: str, items: Mapping[str, Item]) -> None:
    """Check that a member may read something, or that a change is worth preparing.

    Args:
        member: the caller.
        minimum: the least role that may do it.
        action: what is being done, for the refusal.
        items: what was read; the member's item is under `member_sort_key`.

    Raises:
        ServiceError: FORBIDDEN.
    """
    item = items.get(member_sort_key(member))
    if item is None or "suspended_at" in item or item["role"]["S"] not in at_least(minimum):
        raise _not_allowed(action, _member_reason(item), minimum)


def require_active(items: Mapping[str, Item]) -> None:
    """Check that an organization can be changed, so that a write to a frozen one is refused whatever it is about.

    Args:
        items: what was read; the organization's item is under `ORGANIZATION`.

    Raises:
        ServiceError: ORGANIZATION_FROZEN.
    """
    if "pending_deletion_at" in items.get(ORGANIZATION, {}):
        raise ServiceError(ORGANIZATION_FROZEN)


def _membership(member: Member, minimum: Role, action: str) -> Step:
    roles = {f":role{index}": {"S": role} for index, role in enumerate(at_least(minimum))}
    return Step(
        {
            "ConditionCheck": {
                "TableName": settings().table_name,
                "Key": key(member.organization_id, member_sort_key(member)),
                "ConditionExpression": f"#role IN ({', '.join(roles)}) AND attribute_not_exists(suspended_at)",
                "ExpressionAttributeNames": {"#role": "role"},  # a reserved word
                "ExpressionAttributeValues": roles,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        lambda item: _not_allowed(action, _member_reason(item), minimum),
    )


def _inactive(item: Item | None, action: str, minimum: Role) -> ServiceError:
    if item:
        return ServiceError(ORGANIZATION_FROZEN)
    return _not_allowed(action, "there is no such organization", minimum)


def _not_allowed(action: str, reason: str, minimum: Role) -> ServiceError:
    # One answer for all of them: whether somebody is a member, and as what, is the organization's business.
    hint = "Only an owner of the organization can do it." if minimum is Role.OWNER else None
    return ServiceError(FORBIDDEN, f"You are not allowed to {action}", hint=hint, reason=reason)


def _member_reason(item: Item | None) -> str:
    if item is None:
        return "not a member"
    return "suspended" if "suspended_at" in item else "role too low"
