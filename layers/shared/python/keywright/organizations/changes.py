"""The time and the audit record of a change of an organization or a member, for members and operators alike."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from keywright import clock
from keywright.domain.organization_state import Stamp, latest
from keywright.immutable import immutable
from keywright.settings import table_settings
from keywright.store import audit

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from keywright.domain.organization_state import MemberChange, MemberState, OrganizationChange, OrganizationState
    from keywright.domain.principals import Actor, Origin
    from keywright.store.table import Step

_MICROSECOND = timedelta(microseconds=1)


@immutable
class Moment:
    """The time of a change, and the id of its audit record."""

    at: datetime
    record_id: UUID

    @classmethod
    def at_time(cls, at: datetime) -> Moment:
        """Return a moment at a time."""
        return cls(at, audit.new_id(at))

    @classmethod
    def after(cls, state: MemberState | OrganizationState) -> Moment:
        """Return the present, but after the latest change of a state, even if clocks differ."""
        last = latest(state)
        return cls.at_time(clock.now() if last is None else clock.after(last))

    def next(self) -> Moment:
        """Return the moment after this one, so that the log has two records of one transaction in their order."""
        return self.at_time(self.at + _MICROSECOND)

    @property
    def stamp(self) -> Stamp:
        """The stamp of the change."""
        return Stamp.of(self.at, str(self.record_id))


def grace_period() -> timedelta:
    """Return how long after the request an organization is deleted."""
    return timedelta(days=table_settings().deletion_grace_days)


def organization_record(
    organization_id: UUID,
    by: tuple[Actor, Origin | None],
    moment: Moment,
    change: OrganizationChange,
    states: tuple[OrganizationState, OrganizationState],
) -> Step:
    """Write the audit record of a change of an organization.

    Args:
        organization_id: the organization.
        by: who made the change, and the origin of the request, if there was one.
        moment: of the change.
        change: the event.
        states: before and after.
    """
    record = audit.Change(change.event, "organization", str(organization_id), *change.changes(*states))
    return audit.put(organization_id, *by, record, moment.at, record_id=moment.record_id)


def member_record(
    organization_id: UUID,
    by: tuple[Actor, Origin | None],
    moment: Moment,
    change: MemberChange,
    states: tuple[MemberState, MemberState],
) -> Step:
    """Write the audit record of a change of a member; arguments as of `organization_record`."""
    record = audit.Change(change.event, "member", change.user_id, *change.changes(*states))
    return audit.put(organization_id, *by, record, moment.at, record_id=moment.record_id)
