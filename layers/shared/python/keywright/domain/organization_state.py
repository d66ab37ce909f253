"""Organization and member state as last-writer-wins registers: events may arrive late, twice or out of order.

A register holds a value and the stamp of the change that set it. Merging two states keeps the value with the later
stamp of each register. That is commutative, associative and idempotent: the same changes lead to the same state, in any
order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from keywright.clock import rfc3339, stored
from keywright.domain.audit_event import AuditEvent
from keywright.domain.permissions import Role
from keywright.immutable import field, immutable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    Fields = Mapping[str, object] | None


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """Time of a change, to the millisecond, and id of its event: a total order of all changes.

    Attributes:
        by: the id of the event, unique among the events that can change the same organization.
    """

    at: datetime
    by: str

    @classmethod
    def of(cls, at: datetime, by: str) -> Stamp:
        """Return a stamp with the time cut to milliseconds, as in the table."""
        return cls(stored(rfc3339(at)), by)

    @classmethod
    def parse(cls, text: str) -> Stamp:
        """Parse the text that `str` writes."""
        at, _, by = text.partition("#")
        return cls(stored(at), by)

    def __str__(self) -> str:
        return f"{rfc3339(self.at)}#{self.by}"


@immutable
class Register:
    """A last-writer-wins register.

    Attributes:
        value: a text; times are RFC 3339. None if unset.
        as_of: the stamp of the change that set it; None if none did, which is older than any stamp.
    """

    value: str | None = None
    as_of: Stamp | None = None


@immutable
class MemberState:
    """State of a member of an organization.

    The state of a removed member is kept, so that an older event cannot bring them back.

    Attributes:
        membership: start of the membership; unset: not a member.
        role: the role, which is kept without a membership.
        suspension: start of the suspension; unset: not suspended.
    """

    membership: Register = Register()
    role: Register = Register()
    suspension: Register = Register()

    @property
    def is_member(self) -> bool:
        """Whether they belong to the organization, suspended or not. A member has a role."""
        return self.membership.value is not None and self.role.value is not None

    @property
    def was_removed(self) -> bool:
        """Whether they belonged to the organization, and were removed."""
        return self.membership.value is None and self.membership.as_of is not None

    @property
    def is_owner(self) -> bool:
        """Whether they are an owner, suspended or not."""
        return self.is_member and self.role.value == Role.OWNER

    @property
    def is_active_owner(self) -> bool:
        """Whether they can act as an owner."""
        return self.is_owner and self.suspension.value is None

    def audited(self) -> dict[str, object]:
        """Return the fields for the audit log."""
        return {"role": self.role.value, "suspendedAt": self.suspension.value}


class Setting(StrEnum):
    """The registers of an organization that can be set, cleared, and left as they are."""

    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    USAGE_PLAN_KEY = "usage_plan_key"


_AUDITED_NAMES = {
    Setting.RATE_LIMIT: "rateLimit",
    Setting.QUOTA: "quota",
    Setting.USAGE_PLAN_KEY: "usagePlanKey",
}


@immutable
class OrganizationState:
    """State of an organization.

    Attributes:
        creation: time of its creation.
        deletion: time of its scheduled deletion; unset: none is scheduled.
        rate_limit: the text of a RateLimit for the uses of all its keys; unset: no limit.
        quota: the text of a Quota for the same.
        usage_plan_key: the value of an API key of API Gateway, whose usage plans throttle requests with its keys.
    """

    name: Register = Register()
    creation: Register = Register()
    deletion: Register = Register()
    rate_limit: Register = Register()
    quota: Register = Register()
    usage_plan_key: Register = field(default=Register(), repr=False)

    @property
    def has_limits(self) -> bool:
        """Whether uses of its keys are counted by the limiter."""
        return self.rate_limit.value is not None or self.quota.value is not None

    def value_of(self, setting: Setting) -> str | None:
        """Return the value of a setting."""
        register: Register = getattr(self, setting)
        return register.value

    def audited(self) -> dict[str, object]:
        """Return the fields for the audit log, without the secret part of the usage plan key."""
        return {
            "name": self.name.value,
            "pendingDeletionAt": self.deletion.value,
            "rateLimit": _parsed(self.rate_limit.value),
            "quota": _parsed(self.quota.value),
            "usagePlanKey": usage_plan_key_hint(self.usage_plan_key.value),
        }


def _parsed(text: str | None) -> object:
    return None if text is None else json.loads(text)


def usage_plan_key_hint(value: str | None) -> str | None:
    """Return the part of a usage plan key that may be shown: its last four characters."""
    return None if value is None else f"...{value[-4:]}"


State = TypeVar("State", MemberState, OrganizationState)


def merge(one: State, other: State) -> State:
    """Return the merged state: of each register, the value with the later stamp."""
    return type(one)(*(max(pair, key=_rank) for pair in zip(_registers(one), _registers(other), strict=True)))


def latest(state: MemberState | OrganizationState) -> datetime | None:
    """Return the time of the latest change, or None without any."""
    return max((register.as_of.at for register in _registers(state) if register.as_of), default=None)


def _registers(state: MemberState | OrganizationState) -> list[Register]:
    return [getattr(state, field.name) for field in fields(state)]


def _rank(register: Register) -> tuple[bool, str, bool, str]:
    # Equal stamps come only from one event with two contents. Then the value decides, so the order stays total.
    stamp = register.as_of
    return (stamp is not None, str(stamp or ""), register.value is not None, register.value or "")


@immutable
class MemberChange:
    """Change of a member of an organization.

    Attributes:
        event: a `member.` event.
        role: for `member.added` and `member.role_changed`.
    """

    event: AuditEvent
    user_id: str
    role: Role | None = None

    def learned(self, stamp: Stamp) -> MemberState:
        """Return the state that this change alone leads to. An added member has that role and is not suspended."""
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
        raise ValueError(f"{self.event} is not an event of members")

    def changes(self, before: MemberState, after: MemberState) -> tuple[Fields, Fields]:
        """Return the fields before and after, for the audit log."""
        match self.event:
            case AuditEvent.MEMBER_ADDED:
                return None, {"role": after.role.value}
            case AuditEvent.MEMBER_REMOVED:
                return before.audited(), None
            case AuditEvent.MEMBER_ROLE_CHANGED:
                return {"role": before.role.value}, {"role": after.role.value}
        return {"suspendedAt": before.suspension.value}, {"suspendedAt": after.suspension.value}


@immutable
class OrganizationChange:
    """Change of an organization.

    Attributes:
        event: an `organization.` event.
        name: for `organization.created` and `organization.updated`; None leaves it as it is.
        settings: new values, for `organization.updated`; None clears one. Those that are not named stay as they are.
    """

    event: AuditEvent
    name: str | None = None
    settings: Mapping[Setting, str | None] = field(default_factory=dict, repr=False)

    def learned(self, stamp: Stamp, grace: timedelta) -> OrganizationState:
        """Return the state that this change alone leads to.

        Args:
            stamp: of the change.
            grace: time between the request for a deletion and the deletion.
        """
        at = rfc3339(stamp.at)
        match self.event:
            case AuditEvent.ORGANIZATION_CREATED:
                return OrganizationState(name=Register(self.name, stamp), creation=Register(at, stamp))
            case AuditEvent.ORGANIZATION_UPDATED:
                settings = {setting.value: Register(value, stamp) for setting, value in self.settings.items()}
                name = Register() if self.name is None else Register(self.name, stamp)
                return OrganizationState(name=name, **settings)
            case AuditEvent.ORGANIZATION_DELETION_REQUESTED:
                return OrganizationState(deletion=Register(rfc3339(stamp.at + grace), stamp))
            case AuditEvent.ORGANIZATION_DELETION_CANCELED:
                return OrganizationState(deletion=Register(None, stamp))
        raise ValueError(f"{self.event} is not an event of organizations")

    def changes(self, before: OrganizationState, after: OrganizationState) -> tuple[Fields, Fields]:
        """Return the fields before and after, for the audit log."""
        match self.event:
            case AuditEvent.ORGANIZATION_CREATED:
                return None, {"name": after.name.value}
            case AuditEvent.ORGANIZATION_UPDATED:
                names = [] if self.name is None else ["name"]
                names += [name for setting, name in _AUDITED_NAMES.items() if setting in self.settings]
            case _:
                names = ["pendingDeletionAt"]
        old, new = before.audited(), after.audited()
        return {name: old[name] for name in names}, {name: new[name] for name in names}
