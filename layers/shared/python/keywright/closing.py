"""The end of an organization: scheduled by an owner, and cancelled by one as long as it has not come."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from keywright import clock
from keywright.events import AuditEvent
from keywright.models import Done
from keywright.permissions import Role
from keywright.settings import settings
from keywright.store import audit, organizations, table

if TYPE_CHECKING:
    from keywright.principal import Member, Origin

_DELETE = "delete this organization"
_CANCEL = "cancel the deletion of this organization"


def request_deletion(member: Member, origin: Origin) -> Done:
    """Schedule the member's organization for deletion: from now on nothing in it can be changed and no key verifies.

    Raises:
        ServiceError: FORBIDDEN unless the member is an owner; ORGANIZATION_FROZEN if it is scheduled already;
            SERVICE_UNAVAILABLE.
    """
    now = clock.now()
    until = now + timedelta(days=settings().deletion_grace_days)
    table.commit(
        organizations.freeze(member, until, _DELETE),
        audit.put(
            member,
            origin,
            _change(member, AuditEvent.ORGANIZATION_DELETION_REQUESTED, None, clock.rfc3339(until)),
            now,
        ),
    )
    return Done(
        message=f"The organization will be deleted at {clock.rfc3339(until)}; until then an owner can cancel this"
    )


def cancel_deletion(member: Member, origin: Origin) -> Done:
    """Cancel the deletion; keys verify again, and changes are possible again.

    Raises:
        ServiceError: FORBIDDEN unless the member is an owner; CONFLICT if no deletion is scheduled;
            SERVICE_UNAVAILABLE.
    """
    items = table.read(member.organization_id, [organizations.member_sort_key(member), organizations.ORGANIZATION])
    organizations.require(member, Role.OWNER, _CANCEL, items)
    pending = items.get(organizations.ORGANIZATION, {}).get("pending_deletion_at")
    if pending is None:
        raise organizations.not_scheduled()
    table.commit(
        organizations.unfreeze(member, pending["S"], _CANCEL),
        audit.put(
            member,
            origin,
            _change(member, AuditEvent.ORGANIZATION_DELETION_CANCELED, pending["S"], None),
            clock.now(),
        ),
    )
    return Done(message="The deletion was cancelled; the organization's keys work again")


def _change(member: Member, event: AuditEvent, before: str | None, after: str | None) -> audit.Change:
    return audit.Change(
        event,
        "organization",
        str(member.organization_id),
        before={"pendingDeletionAt": before},
        after={"pendingDeletionAt": after},
    )
