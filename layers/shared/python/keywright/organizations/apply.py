"""Following an identity provider: what it says of organizations and members, whenever and however often it arrives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from keywright import clock
from keywright.domain.audit_event import AuditEvent
from keywright.domain.organization_state import MemberChange, OrganizationChange, Stamp, merge
from keywright.domain.principals import Actor, ActorType
from keywright.settings import table_settings
from keywright.store import audit, layout, organizations, table

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from keywright.store.table import Step

_ATTEMPTS = 20
"""As many as a deletion of a key gets: an event that is given up would have to be sent again."""


class Outcome(Enum):
    """What became of an event."""

    CHANGED = "changed"
    OUTDATED = "outdated"
    """What it says was known, or something later is; its record was written all the same."""
    REPEATED = "repeated"
    """It was followed before."""


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """Something that an identity provider says has happened.

    Attributes:
        provider: who says it, for the audit record.
        event_id: unique among the events of an organization; the same again where the same is said twice.
        at: when it happened there; of two events about the same thing the later one counts, whichever comes first.
    """

    provider: str
    event_id: str
    at: datetime
    organization_id: UUID
    change: OrganizationChange | MemberChange


class ShortGraceError(Exception):
    """A deletion was requested so long ago that less than half of its grace period is left."""


class _AlreadyFollowedError(Exception):
    """There is a record of this event."""


def follow(event: ProviderEvent) -> Outcome:
    """Learn what an event says, and record it, in one transaction.

    The record tells what the event said, not what it changed, so that table and audit log end up the same in
    whatever order the events come. The provider is the truth: it may leave an organization without an owner.

    A late request for a deletion is not followed, however the organization stands: this depends on nothing but the
    event and the time, so the order of arrival still leaves no trace. It is no matter if it was followed in time.

    Raises:
        PurgedError: the organization was deleted for good (of `store.organizations`).
        ShortGraceError: as it says; nothing has changed.
        ServiceError: SERVICE_UNAVAILABLE; CONFLICT if others change the same thing all the while.
    """
    if _leaves_short_grace(event) and not _was_followed(event):
        raise ShortGraceError
    return table.retry_on_conflict(lambda: _follow_once(event), _ATTEMPTS)


def _leaves_short_grace(event: ProviderEvent) -> bool:
    return (
        event.change.event is AuditEvent.ORGANIZATION_DELETION_REQUESTED
        and clock.now() - event.at > timedelta(days=table_settings().deletion_grace_days) / 2
    )


def _was_followed(event: ProviderEvent) -> bool:
    record_id = _record_id(event, "organization", str(event.organization_id))
    return bool(table.read(event.organization_id, [layout.audit_sort_key(record_id)]))


def _record_id(event: ProviderEvent, target_type: str, target_id: str) -> UUID:
    """Return the id of an event's record, which is the same however often the event comes."""
    stamp = Stamp.of(event.at, event.event_id)
    return audit.id_of_event(stamp.at, event.event_id, event.change.event, target_type, target_id)


def _follow_once(event: ProviderEvent) -> Outcome:
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
            replace(put, refused=lambda _: _AlreadyFollowedError()),
        )
    except _AlreadyFollowedError:
        return Outcome.REPEATED
    return Outcome.CHANGED if steps else Outcome.OUTDATED


def _organization(event: ProviderEvent, change: OrganizationChange, stamp: Stamp) -> tuple[list[Step], audit.Change]:
    found = organizations.item_of(event.organization_id)
    before = organizations.parse_organization(found)
    learned = change.learned(stamp, timedelta(days=table_settings().deletion_grace_days))
    _, after = change.changes(learned, learned)
    record = audit.Change(change.event, "organization", str(event.organization_id), None, after, knows_before=False)
    return organizations.write_organization(event.organization_id, found, merge(before, learned)), record


def _member(event: ProviderEvent, change: MemberChange, stamp: Stamp) -> tuple[list[Step], audit.Change]:
    sort_key = layout.member_sort_key(change.user_id)
    found = table.read(event.organization_id, [sort_key]).get(sort_key)
    before = organizations.parse_member(found)
    learned = change.learned(stamp)
    _, after = change.changes(learned, learned)
    record = audit.Change(change.event, "member", change.user_id, None, after, knows_before=False)
    return organizations.write_member(event.organization_id, change.user_id, found, merge(before, learned)), record
