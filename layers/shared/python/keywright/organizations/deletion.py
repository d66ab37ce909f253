"""The end of an organization: scheduled by an owner, and cancelled by one as long as it has not come."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from keywright import clock
from keywright.api.schemas import Done
from keywright.domain.audit_event import AuditEvent
from keywright.domain.organization_state import OrganizationChange, OrganizationState, Stamp, latest, merge
from keywright.domain.permissions import Role
from keywright.errors import CONFLICT, ServiceError
from keywright.settings import table_settings
from keywright.store import audit, organizations, table

if TYPE_CHECKING:
    from datetime import datetime

    from keywright.domain.principals import Member, Origin

_REQUESTED = OrganizationChange(AuditEvent.ORGANIZATION_DELETION_REQUESTED)
_CANCELED = OrganizationChange(AuditEvent.ORGANIZATION_DELETION_CANCELED)


def request_deletion(member: Member, origin: Origin) -> Done:
    """Schedule the member's organization for deletion: from now on nothing in it can be changed and no key verifies.

    Raises:
        ServiceError: FORBIDDEN unless the member is an owner; ORGANIZATION_FROZEN if it is scheduled already;
            SERVICE_UNAVAILABLE.
    """
    try:
        return _request_deletion(member, origin, clock.now())
    except organizations.BehindError as behind:
        now = clock.after(behind.latest.at)
    try:
        return _request_deletion(member, origin, now)
    except organizations.BehindError:
        raise ServiceError(CONFLICT) from None


def _request_deletion(member: Member, origin: Origin, now: datetime) -> Done:
    record_id = audit.new_id(now)
    stamp = Stamp.of(now, str(record_id))
    after = _REQUESTED.learned(stamp, timedelta(days=table_settings().deletion_grace_days))
    until = after.deletion.value or ""
    table.commit(
        organizations.freeze(member, until, stamp),
        audit.put(
            member.organization_id,
            member.actor,
            origin,
            _change(member, _REQUESTED, OrganizationState(), after),
            now,
            record_id=record_id,
        ),
    )
    return Done(message=f"The organization will be deleted at {until}. An owner can cancel the deletion until then")


def cancel_deletion(member: Member, origin: Origin) -> Done:
    """Cancel the deletion; keys verify again, and changes are possible again.

    Raises:
        ServiceError: FORBIDDEN unless the member is an owner; CONFLICT if no deletion is scheduled;
            ORGANIZATION_FROZEN if it is being carried out; SERVICE_UNAVAILABLE.
    """
    items = table.read(member.organization_id, [organizations.member_sort_key(member), organizations.ORGANIZATION])
    organizations.require(member, Role.OWNER, items)
    found = items.get(organizations.ORGANIZATION, {})
    before = organizations.parse_organization(found)
    if before.deletion.value is None:
        raise organizations.not_scheduled()
    last = latest(OrganizationState(deletion=before.deletion))
    now = clock.now() if last is None else clock.after(last)
    record_id = audit.new_id(now)
    stamp = Stamp.of(now, str(record_id))
    after = merge(before, _CANCELED.learned(stamp, timedelta()))
    table.commit(
        organizations.unfreeze(member, found, stamp),
        audit.put(
            member.organization_id,
            member.actor,
            origin,
            _change(member, _CANCELED, before, after),
            now,
            record_id=record_id,
        ),
    )
    return Done(message="The deletion was canceled. The organization's keys work again")


def _change(
    member: Member, change: OrganizationChange, before: OrganizationState, after: OrganizationState
) -> audit.Change:
    return audit.Change(change.event, "organization", str(member.organization_id), *change.changes(before, after))
