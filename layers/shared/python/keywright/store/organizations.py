"""Organizations, their members, their limits and their scheduled deletions.

A scheduled deletion is written twice, in one transaction: on the organization's item, which decides, and as an item of
its own in a partition sorted by time (`layout`), where the purge finds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.domain.organization_state import MemberState, OrganizationState, Register, Stamp
from keywright.domain.permissions import Role
from keywright.errors import CONFLICT, ORGANIZATION_FROZEN, ServiceError
from keywright.immutable import immutable
from keywright.store import layout, limits
from keywright.store.authorization import has_role, inactive, membership
from keywright.store.table import (
    EXISTS,
    IS_NEW,
    LARGEST_PAGE,
    Conflict,
    Expression,
    Step,
    check,
    delete,
    newest_first,
    put,
    read,
    scan,
    set_texts,
    text_of,
    update,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from keywright.domain.principals import Member
    from keywright.store.layout import Item


class PurgedError(Exception):
    """The organization was purged, and cannot come back."""


class UnknownOrganizationError(Exception):
    """There is no such organization."""


class FrozenError(Exception):
    """The organization is scheduled for deletion."""


@immutable
class StoredMember:
    """A member as read."""

    user_id: str
    state: MemberState


@immutable
class StoredOrganization:
    """An organization as read."""

    organization_id: UUID
    state: OrganizationState


def freeze(member: Member, until: str, stamp: Stamp) -> tuple[Step, ...]:
    """Schedule the deletion of the member's organization, provided that they own it and that none is scheduled.

    Refused with BehindError if the deletion was canceled at a later time than the stamp's.
    """
    is_not_scheduled = Expression(
        "attribute_exists(pk) AND attribute_not_exists(pending_deletion_at) "
        "AND (attribute_not_exists(deletion_as_of) OR deletion_as_of < :stamp)"
    )
    schedule = Expression(
        "SET pending_deletion_at = :until, deletion_as_of = :stamp",
        {":until": {"S": until}, ":stamp": {"S": str(stamp)}},
    )
    return (
        membership(member, Role.OWNER),
        update(
            layout.organization_key(member.organization_id),
            schedule,
            is_not_scheduled,
            lambda item: inactive(item, Role.OWNER),
        ),
        put(layout.scheduled_deletion_key(member.organization_id, until)),
    )


def unfreeze(member: Member, before: Item, stamp: Stamp) -> tuple[Step, ...]:
    """Cancel the scheduled deletion of the member's organization, provided that it is still scheduled as read."""
    attributes = {"pending_deletion_at": None, "deletion_as_of": str(stamp)}
    return (
        membership(member, Role.OWNER),
        check(layout.purge_key(member.organization_id), IS_NEW, lambda _: _being_purged()),
        *set_texts(layout.organization_key(member.organization_id), before, attributes, not_scheduled()),
        delete(layout.scheduled_deletion_key(member.organization_id, before["pending_deletion_at"]["S"])),
    )


def _being_purged() -> ServiceError:
    return ServiceError(
        ORGANIZATION_FROZEN,
        "The organization is being deleted",
        hint="The deletion has started and cannot be canceled.",
        reason="it is being purged",
    )


def not_scheduled() -> ServiceError:
    """Return the error of canceling a deletion that is not scheduled."""
    return ServiceError(
        CONFLICT,
        "The organization is not scheduled for deletion",
        hint="Nothing needs to be canceled: keys and members are unchanged.",
    )


def parse_organization(item: Item | None) -> OrganizationState:
    """Parse an organization's item; None if there is none."""
    return OrganizationState(
        name=_register(item, "name", "name_as_of"),
        creation=_register(item, "created_at", "creation_as_of"),
        deletion=_register(item, "pending_deletion_at", "deletion_as_of"),
        rate_limit=_register(item, "rate_limit", "rate_limit_as_of"),
        quota=_register(item, "quota", "quota_as_of"),
        usage_plan_key=_register(item, "usage_plan_key", "usage_plan_key_as_of"),
    )


def parse_member(item: Item | None) -> MemberState:
    """Parse a member's item; None if there is none.

    An item that was written by hand may lack stamps and the time of its beginning.
    """
    membership_register = _register(item, "created_at", "membership_as_of")
    role = _register(item, "role", "role_as_of")
    if role.value is None:
        role = _register(item, "last_role", "role_as_of")
        membership_register = Register(None, membership_register.as_of)
    elif membership_register.value is None:
        membership_register = Register("", membership_register.as_of)
    return MemberState(membership_register, role, _register(item, "suspended_at", "suspension_as_of"))


def write_organization(organization_id: UUID, before: Item | None, state: OrganizationState) -> list[Step]:
    """Bring an organization's item, its scheduled deletion and the item of its limits to a state.

    Refused with Conflict if the item is not as it was read. No steps if nothing changes.
    """
    attributes = _organization_attributes(state)
    steps = set_texts(layout.organization_key(organization_id), before, attributes, Conflict())
    old, new = text_of(before, "pending_deletion_at"), state.deletion.value
    if old != new:
        steps += [delete(layout.scheduled_deletion_key(organization_id, old))] if old else []
        steps += [put(layout.scheduled_deletion_key(organization_id, new))] if new else []
    had_limits = parse_organization(before).has_limits
    return [*steps, *limits.steps(organization_id, had_limits=had_limits, has_limits=state.has_limits)]


def write_member(organization_id: UUID, user_id: str, before: Item | None, state: MemberState) -> list[Step]:
    """Bring a member's item to a state.

    Refused with Conflict if the item is not as it was read. No steps if nothing changes.
    """
    key = layout.in_organization(organization_id, layout.member_sort_key(user_id))
    return set_texts(key, before, _member_attributes(state), Conflict())


def exists(organization_id: UUID) -> Step:
    """Require that there is an organization; refused with UnknownOrganizationError."""
    return check(layout.organization_key(organization_id), EXISTS, lambda _: UnknownOrganizationError())


def active(organization_id: UUID) -> Step:
    """Require that there is an organization that is not scheduled for deletion.

    Refused with UnknownOrganizationError or FrozenError.
    """
    return check(
        layout.organization_key(organization_id),
        Expression("attribute_exists(pk) AND attribute_not_exists(pending_deletion_at)"),
        lambda item: FrozenError() if item else UnknownOrganizationError(),
    )


def not_purged(organization_id: UUID) -> Step:
    """Require that no purge of an organization has begun; refused with PurgedError."""
    return check(layout.purge_key(organization_id), IS_NEW, lambda _: PurgedError())


def still_owned_by(organization_id: UUID, user_id: str) -> Step:
    """Require that a user is an owner who is not suspended; refused with Conflict."""
    key = layout.in_organization(organization_id, layout.member_sort_key(user_id))
    return check(key, has_role(Role.OWNER), lambda _: Conflict())


def item_of(organization_id: UUID) -> Item | None:
    """Read an organization's item, strongly consistent; None if there is none.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    return read(organization_id, [layout.ORGANIZATION]).get(layout.ORGANIZATION)


def members(organization_id: UUID) -> Iterator[StoredMember]:
    """Read the members of an organization, in descending order of their ids, strongly consistent."""
    items = newest_first(organization_id, layout.MEMBERS, None, [], LARGEST_PAGE)
    stored = (StoredMember(layout.user_id_of(item), parse_member(item)) for item in items)
    return (member for member in stored if member.state.is_member)


def every_organization(on_page: Callable[[int], object]) -> Iterator[StoredOrganization]:
    """Read every organization, unordered. Reads the whole table: for operators only.

    Args:
        on_page: called after each page of the table with the number of its items.
    """
    for item in scan(Expression("sk = :sk", {":sk": {"S": layout.ORGANIZATION}}), on_page):
        yield StoredOrganization(layout.organization_id_of(item), parse_organization(item))


def _register(item: Item | None, value: str, as_of: str) -> Register:
    stamp = text_of(item, as_of)
    return Register(text_of(item, value), None if stamp is None else Stamp.parse(stamp))


def _organization_attributes(state: OrganizationState) -> dict[str, str | None]:
    return {
        "name": state.name.value,
        "name_as_of": _stamp(state.name),
        "created_at": state.creation.value,
        "creation_as_of": _stamp(state.creation),
        "pending_deletion_at": state.deletion.value,
        "deletion_as_of": _stamp(state.deletion),
        "rate_limit": state.rate_limit.value,
        "rate_limit_as_of": _stamp(state.rate_limit),
        "quota": state.quota.value,
        "quota_as_of": _stamp(state.quota),
        "usage_plan_key": state.usage_plan_key.value,
        "usage_plan_key_as_of": _stamp(state.usage_plan_key),
    }


def _member_attributes(state: MemberState) -> dict[str, str | None]:
    # A removed member has no attribute `role`: every condition looks for it.
    return {
        "created_at": state.membership.value or None,
        "membership_as_of": _stamp(state.membership),
        "role": state.role.value if state.is_member else None,
        "last_role": None if state.is_member else state.role.value,
        "role_as_of": _stamp(state.role),
        "suspended_at": state.suspension.value,
        "suspension_as_of": _stamp(state.suspension),
    }


def _stamp(register: Register) -> str | None:
    return None if register.as_of is None else str(register.as_of)
