"""Scheduling the deletion of an organization, and canceling it, by an owner."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from keywright import clock
from keywright.api.schemas import Done
from keywright.domain.audit_event import AuditEvent
from keywright.domain.organization_state import OrganizationChange, OrganizationState, merge
from keywright.domain.permissions import Role
from keywright.organizations.changes import Moment, grace_period, organization_record
from keywright.store import authorization, layout, organizations, table

if TYPE_CHECKING:
    from datetime import datetime

    from keywright.domain.principals import Member, Origin


_REQUESTED = OrganizationChange(AuditEvent.ORGANIZATION_DELETION_REQUESTED)
_CANCELED = OrganizationChange(AuditEvent.ORGANIZATION_DELETION_CANCELED)


def request_deletion(member: Member, origin: Origin) -> Done:
    """Schedule the deletion of the member's organization; from now on it is frozen and none of its keys verifies.

    Raises:
        ServiceError: FORBIDDEN unless the member is an owner; ORGANIZATION_FROZEN if a deletion is scheduled already;
            CONFLICT after two lost races; SERVICE_UNAVAILABLE.
    """
    not_before = clock.now()

    def act() -> Done:
        nonlocal not_before
        try:
            return _request_deletion(member, origin, not_before)
        except authorization.BehindError as behind:
            not_before = clock.after(behind.latest.at)
            raise table.Conflict from behind

    return table.retry_on_conflict(act, attempts=2)


def _request_deletion(member: Member, origin: Origin, at: datetime) -> Done:
    moment = Moment.at_time(at)
    after = _REQUESTED.learned(moment.stamp, grace_period())
    until = after.deletion.value or ""
    table.commit(
        organizations.freeze(member, until, moment.stamp),
        organization_record(
            member.organization_id, (member.actor, origin), moment, _REQUESTED, (OrganizationState(), after)
        ),
    )
    return Done(message=f"The organization will be deleted at {until}. An owner can cancel the deletion until then")


def cancel_deletion(member: Member, origin: Origin) -> Done:
    """Cancel the scheduled deletion; keys verify again, and the organization can be changed again.

    Raises:
        ServiceError: FORBIDDEN unless the member is an owner; CONFLICT if no deletion is scheduled;
            ORGANIZATION_FROZEN if the purge has begun; SERVICE_UNAVAILABLE.
    """
    item = authorization.read_as(member, Role.OWNER, layout.ORGANIZATION).get(layout.ORGANIZATION, {})
    before = organizations.parse_organization(item)
    if before.deletion.value is None:
        raise organizations.not_scheduled()
    moment = Moment.after(OrganizationState(deletion=before.deletion))
    after = merge(before, _CANCELED.learned(moment.stamp, timedelta()))
    table.commit(
        organizations.unfreeze(member, item, moment.stamp),
        organization_record(member.organization_id, (member.actor, origin), moment, _CANCELED, (before, after)),
    )
    return Done(message="The deletion was canceled. The organization's keys work again")
