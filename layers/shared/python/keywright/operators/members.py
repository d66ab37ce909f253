"""Operators' changes of members. No change leaves it without an owner who can act."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.domain.audit_event import AuditEvent
from keywright.domain.organization_state import MemberChange, merge
from keywright.immutable import immutable
from keywright.operators.refusals import (
    ATTEMPTS,
    NotFoundError,
    RefusedError,
    commit,
    require_organization,
    unknown_organization,
)
from keywright.organizations.changes import Moment, member_record
from keywright.store import layout, organizations, table

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from keywright.domain.organization_state import MemberState
    from keywright.domain.permissions import Role
    from keywright.domain.principals import Actor
    from keywright.store.table import Step


@immutable
class ShownMember:
    """A member as operators see them; times are RFC 3339.

    Attributes:
        added_at: None if the item was written by hand without it.
    """

    user_id: str
    role: str
    added_at: str | None
    suspended_at: str | None


def list_members(organization_id: UUID) -> list[ShownMember]:
    """List the members of an organization, by their ids.

    Raises:
        NotFoundError: there is no such organization.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    require_organization(organization_id)
    members = sorted(organizations.members(organization_id), key=lambda member: member.user_id)
    return [_shown(member.user_id, member.state) for member in members]


def show_member(organization_id: UUID, user_id: str) -> ShownMember | None:
    """Show a member; None if the user is not one.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    sort_key = layout.member_sort_key(user_id)
    state = organizations.parse_member(table.read(organization_id, [sort_key]).get(sort_key))
    return _shown(user_id, state) if state.is_member else None


def add_member(actor: Actor, organization_id: UUID, user_id: str, role: Role) -> bool:
    """Add a member, not suspended even if they were before they were removed; False if they are all this.

    Raises:
        RefusedError: they are a member with another role, or suspended.
        NotFoundError: there is no such organization.
        ServiceError: SERVICE_UNAVAILABLE.
    """

    def is_new(state: MemberState) -> bool:
        if state.is_member and state.suspension.value is not None:
            raise RefusedError(f"{user_id} is a member already, with the role {state.role.value}, and suspended")
        if state.is_member and state.role.value != role:
            raise RefusedError(f"{user_id} is a member already, with the role {state.role.value}")
        return not state.is_member

    return _change(actor, organization_id, MemberChange(AuditEvent.MEMBER_ADDED, user_id, role), is_new)


def set_role(actor: Actor, organization_id: UUID, user_id: str, role: Role) -> bool:
    """Change the role of a member; False if they have it.

    Raises:
        RefusedError: they are the last owner.
        NotFoundError: there is no such organization or member.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    change = MemberChange(AuditEvent.MEMBER_ROLE_CHANGED, user_id, role)
    return _change(actor, organization_id, change, lambda state: _present(state, user_id).role.value != role)


def suspend(actor: Actor, organization_id: UUID, user_id: str) -> bool:
    """Suspend a member: the next request is refused; False if they are suspended.

    The keys that they created belong to the organization, and go on working.

    Raises:
        As `set_role`.
    """
    change = MemberChange(AuditEvent.MEMBER_SUSPENDED, user_id)
    return _change(actor, organization_id, change, lambda state: _present(state, user_id).suspension.value is None)


def reinstate(actor: Actor, organization_id: UUID, user_id: str) -> bool:
    """End the suspension of a member; False if they are not suspended.

    Raises:
        As `set_role`.
    """
    change = MemberChange(AuditEvent.MEMBER_REINSTATED, user_id)
    return _change(actor, organization_id, change, lambda state: _present(state, user_id).suspension.value is not None)


def remove(actor: Actor, organization_id: UUID, user_id: str) -> bool:
    """Remove a member; False if they were removed before.

    The keys that they created belong to the organization, and go on working.

    Raises:
        As `set_role`.
    """
    change = MemberChange(AuditEvent.MEMBER_REMOVED, user_id)

    def is_new(state: MemberState) -> bool:
        return not state.was_removed and _present(state, user_id).is_member

    return _change(actor, organization_id, change, is_new)


def _change(actor: Actor, organization_id: UUID, change: MemberChange, is_new: Callable[[MemberState], bool]) -> bool:
    user_id = change.user_id
    sort_key = layout.member_sort_key(user_id)

    def act() -> bool:
        items = table.read(organization_id, [layout.ORGANIZATION, sort_key])
        if layout.ORGANIZATION not in items:
            raise unknown_organization(organization_id)
        before = organizations.parse_member(items.get(sort_key))
        if not is_new(before):
            return False
        moment = Moment.after(before)
        after = merge(before, change.learned(moment.stamp))
        steps = [
            organizations.exists(organization_id),
            *(_another_owner(organization_id, user_id) if before.is_owner and not after.is_active_owner else []),
            *organizations.write_member(organization_id, user_id, items.get(sort_key), after),
        ]
        record = member_record(organization_id, (actor, None), moment, change, (before, after))
        commit(organization_id, steps, record)
        return True

    return table.retry_on_conflict(act, ATTEMPTS)


# Why another owner is a condition, and not only read: with two owners, Ada and Bob,
#
#     operator 1                             operator 2                             owners
#     ----------------------------------     ----------------------------------     --------
#     remove Ada: reads Bob, an owner        remove Bob: reads Ada, an owner        Ada, Bob
#     commit [Bob is an owner, remove Ada]                                          Bob
#                                            commit [Ada is an owner, remove Bob]
#                                              canceled: read again
#                                            refused: Bob is the last owner         Bob


def _another_owner(organization_id: UUID, user_id: str) -> list[Step]:
    """Return the condition that another owner, who is not suspended, remains."""
    for member in organizations.members(organization_id):
        if member.state.is_active_owner and member.user_id != user_id:
            return [organizations.still_owned_by(organization_id, member.user_id)]
    raise RefusedError(f"{user_id} is the last owner of the organization; make another member an owner first")


def _present(state: MemberState, user_id: str) -> MemberState:
    if not state.is_member:
        raise NotFoundError(f"{user_id} is not a member of the organization")
    return state


def _shown(user_id: str, state: MemberState) -> ShownMember:
    return ShownMember(user_id, state.role.value or "", state.membership.value or None, state.suspension.value)
