"""Who may do what in an organization: checked when something is read, and a condition of every change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.domain.organization_state import Stamp
from keywright.domain.permissions import Role, at_least
from keywright.errors import FORBIDDEN, MEMBERSHIP_REQUIRED, ORGANIZATION_FROZEN, OWNER_REQUIRED, ServiceError
from keywright.store import layout, table
from keywright.store.table import Expression, Step, check, text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from keywright.domain.principals import Member
    from keywright.store.layout import Item

_IS_ACTIVE = Expression("attribute_exists(pk) AND attribute_not_exists(pending_deletion_at)")


_REFUSALS = {Role.OWNER: OWNER_REQUIRED, Role.ADMIN: FORBIDDEN, Role.MEMBER: MEMBERSHIP_REQUIRED}
"""The error for callers who lack a role; its hint says what they need."""


class BehindError(Exception):
    """The deletion was requested or canceled at a time that this machine's clock has not reached yet."""

    def __init__(self, latest: Stamp) -> None:
        super().__init__(f"there is a change of {latest}")
        self.latest = latest


def read_as(member: Member, minimum: Role, *sort_keys: str) -> dict[str, Item]:
    """Read items of the member's organization, for a member who may.

    Args:
        member: the caller.
        minimum: the lowest role that may do it.
        sort_keys: of the items.

    Returns:
        The items that exist, by sort key.

    Raises:
        ServiceError: FORBIDDEN, SERVICE_UNAVAILABLE.
    """
    member_sort_key = layout.member_sort_key(member.user_id)
    items = table.read(member.organization_id, [member_sort_key, *sort_keys])
    item = items.get(member_sort_key)
    if item is None or "suspended_at" in item or text_of(item, "role") not in at_least(minimum):
        raise _forbidden(_member_reason(item), minimum)
    return items


def read_to_change(member: Member, minimum: Role, *sort_keys: str) -> dict[str, Item]:
    """Read items that are to be changed, as `read_as`, unless the organization is frozen.

    Raises:
        ServiceError: FORBIDDEN, ORGANIZATION_FROZEN, SERVICE_UNAVAILABLE.
    """
    items = read_as(member, minimum, layout.ORGANIZATION, *sort_keys)
    if "pending_deletion_at" in items.get(layout.ORGANIZATION, {}):
        raise ServiceError(ORGANIZATION_FROZEN)
    return items


def conditions(member: Member, minimum: Role) -> tuple[Step, Step]:
    """Return the two conditions of every change that a member makes; arguments as of `read_as`.

    The member's condition comes first: to outsiders, a frozen organization looks like any other.
    """
    organization = is_active(member.organization_id, lambda item: inactive(item, minimum))
    return membership(member, minimum), organization


def is_active(organization_id: UUID, refusal: Callable[[Item | None], Exception]) -> Step:
    """Return the condition that an organization exists and is not frozen.

    Args:
        organization_id: of the organization.
        refusal: takes its item and returns why it cannot be changed.
    """
    return check(layout.organization_key(organization_id), _IS_ACTIVE, refusal)


def membership(member: Member, minimum: Role) -> Step:
    """Return the condition that the caller has a role and is not suspended; arguments as of `read_as`."""
    return check(
        layout.in_organization(member.organization_id, layout.member_sort_key(member.user_id)),
        has_role(*at_least(minimum)),
        lambda item: _forbidden(_member_reason(item), minimum),
    )


def has_role(*roles: Role) -> Expression:
    """Return the condition that a member has one of the roles and is not suspended."""
    values: dict[str, AttributeValueTypeDef] = {f":role{index}": {"S": role.value} for index, role in enumerate(roles)}
    return Expression(
        f"#role IN ({', '.join(values)}) AND attribute_not_exists(suspended_at)",
        values,
        {"#role": "role"},  # a reserved word
    )


def inactive(item: Item | None, minimum: Role) -> Exception:
    """Explain why an organization cannot be changed.

    Returns:
        FORBIDDEN if there is no such organization, ORGANIZATION_FROZEN if its deletion is scheduled, or BehindError.
    """
    if not item:
        return missing(minimum)
    if "pending_deletion_at" not in item and "deletion_as_of" in item:
        return BehindError(Stamp.parse(item["deletion_as_of"]["S"]))
    return ServiceError(ORGANIZATION_FROZEN)


def missing(minimum: Role) -> ServiceError:
    """Return the error of a member of an organization that does not exist."""
    return _forbidden("there is no such organization", minimum)


def _forbidden(reason: str, minimum: Role) -> ServiceError:
    """Return one error for every reason: who is a member, and with which role, is private to the organization."""
    return ServiceError(_REFUSALS[minimum], reason=reason)


def _member_reason(item: Item | None) -> str:
    if item is None or "role" not in item:
        return "not a member"
    return "suspended" if "suspended_at" in item else "role too low"
