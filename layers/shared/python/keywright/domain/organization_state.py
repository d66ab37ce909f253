"""What is known of an organization and of its members, in a form that may be learned late, twice and in any order.

Each fact is a register: a value, and the stamp of the change that set it. To learn something is to keep, of each
register, the value with the later stamp. That is commutative, associative and idempotent, so that whoever has learned
the same changes knows the same, however they arrived.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

from keywright.clock import rfc3339, stored
from keywright.domain.audit_event import AuditEvent
from keywright.domain.permissions import Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    Fields = Mapping[str, object] | None


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """When a change was made, to the millisecond, and by which event: a total order of all changes.

    Attributes:
        by: the id of the event, unique among those that can change the same thing.
    """

    at: datetime
    by: str

    @classmethod
    def of(cls, at: datetime, by: str) -> Stamp:
        """Make a stamp, its time cut to milliseconds as the table keeps it."""
        return cls(stored(rfc3339(at)), by)

    @classmethod
    def parse(cls, text: str) -> Stamp:
        """Read what `str` wrote."""
        at, _, by = text.partition("#")
        return cls(stored(at), by)

    def __str__(self) -> str:
        return f"{rfc3339(self.at)}#{self.by}"


@dataclass(frozen=True, slots=True)
class Register:
    """One fact.

    Attributes:
        value: a text; times are RFC 3339. None if there is none, or not any more.
        as_of: of the change that said so; None for what was never said, or written without a stamp: older than any.
    """

    value: str | None = None
    as_of: Stamp | None = None


@dataclass(frozen=True, slots=True)
class MemberState:
    """What is known of somebody in an organization.

    A removed member stays known, so that an older event cannot bring them back.

    Attributes:
        membership: since when they are a member; no value: they are none.
        role: which they have, or would have if they were a member.
        suspension: since when they are suspended.
    """

    membership: Register = Register()
    role: Register = Register()
    suspension: Register = Register()

    @property
    def is_member(self) -> bool:
        """Whether they belong to the organization, suspended or not. Without a role nobody does."""
        return self.membership.value is not None and self.role.value is not None

    @property
    def is_owner(self) -> bool:
        """Whether they are an owner, suspended or not."""
        return self.is_member and self.role.value == Role.OWNER

    @property
    def is_active_owner(self) -> bool:
        """Whether they can act as an owner."""
        return self.is_owner and self.suspension.value is None

    def audited(self) -> dict[str, object]:
        """Give the fields that the audit log tells of."""
        return {"role": self.role.value, "suspendedAt": self.suspension.value}


@dataclass(frozen=True, slots=True)
class OrganizationState:
    """What is known of an organization. It is there as soon as anything is.

    Attributes:
        creation: when it was created.
        deletion: when it will be deleted, if that is scheduled.
    """

    name: Register = Register()
    creation: Register = Register()
    deletion: Register = Register()

    def audited(self) -> dict[str, object]:
        """Give the fields that the audit log tells of."""
        return {"name": self.name.value, "pendingDeletionAt": self.deletion.value}


State = TypeVar("State", MemberState, OrganizationState)


def merge(one: State, other: State) -> State:
    """Know what both know: of each register, the value with the later stamp."""
    return type(one)(*(max(pair, key=_rank) for pair in zip(_registers(one), _registers(other), strict=True)))


def latest(state: MemberState | OrganizationState) -> datetime | None:
    """Give the time of the latest change that is known."""
    return max((register.as_of.at for register in _registers(state) if register.as_of), default=None)


def _registers(state: MemberState | OrganizationState) -> list[Register]:
    return [getattr(state, field.name) for field in fields(state)]


def _rank(register: Register) -> tuple[bool, str, bool, str]:
    # The value decides between equal stamps, which only an event with two contents can have: the order stays total.
    stamp = register.as_of
    return (stamp is not None, str(stamp or ""), register.value is not None, register.value or "")


@dataclass(frozen=True, slots=True)
class MemberChange:
    """Something that happens to somebody in an organization.

    Attributes:
        event: one of the `member.` kinds.
        role: of `member.added` and `member.role_changed`.
    """

    event: AuditEvent
    user_id: str
    role: Role | None = None

    def learned(self, stamp: Stamp) -> MemberState:
        """Give what is known from this change alone. Who is added starts anew: with that role, not suspended."""
        at = rfc3339(stamp.at)
        role = None if self.role is None else self.role.value
        match self.event:
            case AuditEvent.MEMBER_ADDED:
                return MemberState(Register(at, stamp), Register(role, stamp), Register(None, stamp))
            case AuditEvent.MEMBER_REMOVED:
                return MemberState(membership=Register(None, stamp))
            case AuditEvent.MEMBER_ROLE_CHANGED:
                return MemberState(role=Register(role, stamp))
            case AuditEvent.MEMBER_SUSPENDED:
                return MemberState(suspension=Register(at, stamp))
            case AuditEvent.MEMBER_REINSTATED:
                return MemberState(suspension=Register(None, stamp))
        raise ValueError(f"{self.event} does not happen to members")

    def changes(self, before: MemberState, after: MemberState) -> tuple[Fields, Fields]:
        """Give the fields before and after, as the audit log tells them."""
        match self.event:
            case AuditEvent.MEMBER_ADDED:
                return None, {"role": after.role.value}
            case AuditEvent.MEMBER_REMOVED:
                return before.audited(), None
            case AuditEvent.MEMBER_ROLE_CHANGED:
                return {"role": before.role.value}, {"role": after.role.value}
        return {"suspendedAt": before.suspension.value}, {"suspendedAt": after.suspension.value}


@dataclass(frozen=True, slots=True)
class OrganizationChange:
    """Something that happens to an organization.

    Attributes:
        event: one of the `organization.` kinds.
        name: of `organization.created` and `organization.updated`.
    """

    event: AuditEvent
    name: str | None = None

    def learned(self, stamp: Stamp, grace: timedelta) -> OrganizationState:
        """Give what is known from this change alone.

        Args:
            stamp: of the change.
            grace: how long after a request the organization is deleted.
        """
        at = rfc3339(stamp.at)
        match self.event:
            case AuditEvent.ORGANIZATION_CREATED:
                return OrganizationState(name=Register(self.name, stamp), creation=Register(at, stamp))
            case AuditEvent.ORGANIZATION_UPDATED:
                return OrganizationState(name=Register(self.name, stamp))
            case AuditEvent.ORGANIZATION_DELETION_REQUESTED:
                return OrganizationState(deletion=Register(rfc3339(stamp.at + grace), stamp))
            case AuditEvent.ORGANIZATION_DELETION_CANCELED:
                return OrganizationState(deletion=Register(None, stamp))
        raise ValueError(f"{self.event} does not happen to organizations")

    def changes(self, before: OrganizationState, after: OrganizationState) -> tuple[Fields, Fields]:
        """Give the fields before and after, as the audit log tells them."""
        match self.event:
            case AuditEvent.ORGANIZATION_CREATED:
                return None, {"name": after.name.value}
            case AuditEvent.ORGANIZATION_UPDATED:
                return {"name": before.name.value}, {"name": after.name.value}
        return {"pendingDeletionAt": before.deletion.value}, {"pendingDeletionAt": after.deletion.value}
