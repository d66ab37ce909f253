"""Applying the identity provider's events to organizations and members: late, twice and in any order."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from keywright import clock
from keywright.domain.audit_event import AuditEvent
from keywright.domain.organization_state import MemberChange, OrganizationChange, Stamp, merge
from keywright.domain.principals import Actor, ActorType
from keywright.immutable import immutable, replace
from keywright.organizations.changes import grace_period
from keywright.store import audit, layout, organizations, table

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from keywright.store.table import Step

_ATTEMPTS = 20
"""As many as deleting a key gets: an event that is given up would have to be sent again."""


class Outcome(Enum):
    """Results of applying an event."""

    CHANGED = "changed"
    OUTDATED = "outdated"
    """A later event was applied already; the audit record was written all the same."""
    REPEATED = "repeated"
    """The event was applied before."""


@immutable
class ProviderEvent:
    """One change of an identity provider's event.

    Attributes:
        provider: for the audit record.
        event_id: unique among the events of an organization; the same when an event is sent twice.
        at: when it happened at the provider; the later of two changes counts, whichever arrives first.
    """

    provider: str
    event_id: str
    at: datetime
    organization_id: UUID
    change: OrganizationChange | MemberChange


class ShortGraceError(Exception):
    """A deletion was requested so long ago that less than half of its grace period is left."""


class _AlreadyAppliedError(Exception):
    """There is an audit record of this event."""


def apply(event: ProviderEvent) -> Outcome:
    """Apply an event and write its audit record, in one transaction.

    The record shows what the event said, not what it changed, so that table and audit log are the same for every order
    of arrival. The provider decides: it may leave an organization without an owner.

    A late request for a deletion is refused in every state of the organization, unless it was applied in time: that
    depends on the event and the time alone, not on the order of arrival.

    Raises:
        PurgedError: the organization was purged.
        ShortGraceError: nothing has changed.
        ServiceError: SERVICE_UNAVAILABLE; CONFLICT after 20 lost races.
    """
    if _leaves_short_grace(event) and not _was_applied(event):
        raise ShortGraceError
    return table.retry_on_conflict(lambda: _apply(event), _ATTEMPTS)


def _leaves_short_grace(event: ProviderEvent) -> bool:
    return (
        event.change.event is AuditEvent.ORGANIZATION_DELETION_REQUESTED and clock.now() - event.at > grace_period() / 2
    )


def _was_applied(event: ProviderEvent) -> bool:
    record_id = _record_id(event, "organization", str(event.organization_id))
    return bool(table.read(event.organization_id, [layout.audit_sort_key(record_id)]))


def _record_id(event: ProviderEvent, target_type: str, target_id: str) -> UUID:
    """Return the id of an event's audit record, the same each time the event arrives."""
    stamp = Stamp.of(event.at, event.event_id)
    return audit.id_of_event(stamp.at, event.event_id, event.change.event, target_type, target_id)


def _apply(event: ProviderEvent) -> Outcome:
    stamp = Stamp.of(event.at, event.event_id)
    match event.change:
        case OrganizationChange() as change:
            steps, record = _organization(event, change, stamp)
        case MemberChange() as change:
            steps, record = _member(event, change, stamp)
    record_id = _record_id(event, record.target_type, record.target_id)
    actor = Actor(ActorType.IDENTITY_PROVIDER, event.provider)
    put = audit.put(event.organization_id, actor, None, record, stamp.at, record_id=record_id)
    try:
        table.commit(
            [organizations.not_purged(event.organization_id), *steps],
            replace(put, refused=lambda _: _AlreadyAppliedError()),
        )
    except _AlreadyAppliedError:
        return Outcome.REPEATED
    return Outcome.CHANGED if steps else Outcome.OUTDATED


def _organization(event: ProviderEvent, change: OrganizationChange, stamp: Stamp) -> tuple[list[Step], audit.Change]:
    item = organizations.item_of(event.organization_id)
    learned = change.learned(stamp, grace_period())
    state = merge(organizations.parse_organization(item), learned)
    _, after = change.changes(learned, learned)
    record = audit.Change(change.event, "organization", str(event.organization_id), None, after, knows_before=False)
    return organizations.write_organization(event.organization_id, item, state), record


def _member(event: ProviderEvent, change: MemberChange, stamp: Stamp) -> tuple[list[Step], audit.Change]:
    sort_key = layout.member_sort_key(change.user_id)
    item = table.read(event.organization_id, [sort_key]).get(sort_key)
    learned = change.learned(stamp)
    state = merge(organizations.parse_member(item), learned)
    _, after = change.changes(learned, learned)
    record = audit.Change(change.event, "member", change.user_id, None, after, knows_before=False)
    return organizations.write_member(event.organization_id, change.user_id, item, state), record
