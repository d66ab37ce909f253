"""What operators do: organizations, their members, and the keys of both, for bootstrap and incidents.

There is no caller to authorize: whoever may write the table is an operator. What they do is audited as it is done, and
no organization is left without an owner who can act.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from keywright import clock
from keywright.domain.audit_event import AuditEvent
from keywright.domain.organization_state import (
    MemberChange,
    MemberState,
    OrganizationChange,
    OrganizationState,
    Stamp,
    latest,
    merge,
)
from keywright.domain.permissions import Role
from keywright.errors import API_KEY_NOT_FOUND, CONFLICT, ServiceError
from keywright.ids import organization_uuid
from keywright.keys.manage import details
from keywright.settings import table_settings
from keywright.store import api_keys, audit, organizations, table, usage
from keywright.store.api_keys import ApiKeyFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from keywright.api.schemas import ApiKeyDetails
    from keywright.domain.principals import Actor
    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.table import Item, Step

_ATTEMPTS = 20
"""As many as a deletion of a key gets: what an operator does should not have to be repeated because of others."""
_LARGEST_PAGE = 1000
_MOST_READ_AT_ONCE = 100  # Amazon DynamoDB API Reference, BatchGetItem
_MICROSECOND = timedelta(microseconds=1)


class RefusedError(Exception):
    """It cannot be done, or there is no such thing; the message says why, in one sentence."""


class NotFoundError(RefusedError):
    """There is no such organization, member or key."""


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization as operators see it; times are RFC 3339.

    Attributes:
        name: None if only its existence is known so far.
        created_at: the same.
    """

    id: UUID
    name: str | None
    created_at: str | None
    pending_deletion_at: str | None


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in an organization.

    Attributes:
        added_at: None for members of old, whose item does not say it.
    """

    user_id: str
    role: str
    added_at: str | None
    suspended_at: str | None


def derived_id(text: str) -> UUID:
    """Return the id of the organization that a UUIDv5 stands for: its id, or its name at the identity provider.

    Raises:
        RefusedError: it is the id of one organization and the name of another, so that an operator could be made to
            change the wrong one by a tenant who has chosen a name.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    as_id, as_name = UUID(text), organization_uuid(text)
    is_id, is_name = (bool(table.read(candidate, [organizations.ORGANIZATION])) for candidate in (as_id, as_name))
    if is_id and is_name:
        raise RefusedError(
            f"{text} is the id of one organization and the provider's name of another; "
            f"pass --id for the former, {as_name} --id for the latter"
        )
    return as_name if is_name else as_id


def organization(organization_id: UUID) -> Organization:
    """Show an organization.

    Raises:
        NotFoundError: there is none.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    return _shown(organization_id, organizations.parse_organization(_existing(organization_id)))


def list_organizations(looked_at: Callable[[int], object]) -> list[Organization]:
    """List every organization, by creation. This reads the whole table.

    Args:
        looked_at: told after each page of the table how many items it had.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    found = [_shown(found.organization_id, found.state) for found in organizations.every_organization(looked_at)]
    return sorted(found, key=lambda organization: (organization.created_at or "", str(organization.id)))


def create_organization(actor: Actor, organization_id: UUID, name: str, owner_id: str) -> Organization:
    """Create an organization and its first owner, in one transaction.

    Raises:
        RefusedError: there is one already, or was one that has been deleted for good.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    owner_key = organizations.sort_key(owner_id)
    for _ in range(_ATTEMPTS):
        items = table.read(organization_id, [organizations.ORGANIZATION, owner_key])
        if organizations.ORGANIZATION in items:
            raise RefusedError(f"organization {organization_id} exists already")
        known = organizations.parse_member(items.get(owner_key))
        creation = OrganizationChange(AuditEvent.ORGANIZATION_CREATED, name)
        addition = MemberChange(AuditEvent.MEMBER_ADDED, owner_id, Role.OWNER)
        moment = _Moment.after(known)
        state = creation.learned(moment.stamp, timedelta())
        owner = merge(known, addition.learned(moment.stamp))
        steps = [
            organizations.not_purged(organization_id),
            *organizations.write_organization(organization_id, None, state),
            *organizations.write_member(organization_id, owner_id, items.get(owner_key), owner),
            _organization_record(organization_id, actor, moment, creation, (state, state)),
        ]
        later = moment.at + _MICROSECOND  # so that the log tells of the organization first
        record = _member_record(organization_id, actor, _Moment(later, audit.new_id(later)), addition, (known, owner))
        if _commit(organization_id, steps, record):
            return _shown(organization_id, state)
    raise _too_busy()


def rename_organization(actor: Actor, organization_id: UUID, name: str) -> bool:
    """Give an organization another name; False if it has that name.

    Raises:
        RefusedError: it was deleted for good.
        NotFoundError: there is none.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    change = OrganizationChange(AuditEvent.ORGANIZATION_UPDATED, name)
    return _change_organization(actor, organization_id, change, lambda state: state.name.value != name)


def request_deletion(actor: Actor, organization_id: UUID) -> bool:
    """Schedule an organization for deletion; False if it is scheduled.

    Raises:
        As `rename_organization`.
    """
    change = OrganizationChange(AuditEvent.ORGANIZATION_DELETION_REQUESTED)
    return _change_organization(actor, organization_id, change, lambda state: state.deletion.value is None)


def cancel_deletion(actor: Actor, organization_id: UUID) -> bool:
    """Cancel the deletion of an organization; False if none is scheduled.

    Raises:
        As `rename_organization`.
    """
    change = OrganizationChange(AuditEvent.ORGANIZATION_DELETION_CANCELED)
    return _change_organization(actor, organization_id, change, lambda state: state.deletion.value is not None)


def _change_organization(
    actor: Actor, organization_id: UUID, change: OrganizationChange, is_new: Callable[[OrganizationState], bool]
) -> bool:
    for _ in range(_ATTEMPTS):
        found = _existing(organization_id)
        before = organizations.parse_organization(found)
        if not is_new(before):
            return False
        moment = _Moment.after(before)
        grace = timedelta(days=table_settings().deletion_grace_days)
        after = merge(before, change.learned(moment.stamp, grace))
        steps = [
            organizations.not_purged(organization_id),
            *organizations.write_organization(organization_id, found, after),
        ]
        record = _organization_record(organization_id, actor, moment, change, (before, after))
        if _commit(organization_id, steps, record):
            return True
    raise _too_busy()


def list_members(organization_id: UUID) -> list[Member]:
    """List the members of an organization, by their ids.

    Raises:
        NotFoundError: there is no such organization.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    _existing(organization_id)
    found = sorted(organizations.members(organization_id), key=lambda member: member.user_id)
    return [_shown_member(member.user_id, member.state) for member in found]


def member(organization_id: UUID, user_id: str) -> Member | None:
    """Show a member; None if they are none.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    sort_key = organizations.sort_key(user_id)
    state = organizations.parse_member(table.read(organization_id, [sort_key]).get(sort_key))
    return _shown_member(user_id, state) if state.is_member else None


def add_member(actor: Actor, organization_id: UUID, user_id: str, role: Role) -> None:
    """Make somebody a member, not suspended whatever they were before.

    Raises:
        RefusedError: they are a member already.
        NotFoundError: there is no such organization.
        ServiceError: SERVICE_UNAVAILABLE.
    """

    def is_new(state: MemberState) -> bool:
        if state.is_member:
            raise RefusedError(f"{user_id} is a member already, with the role {state.role.value}")
        return True

    _change_member(actor, organization_id, MemberChange(AuditEvent.MEMBER_ADDED, user_id, role), is_new)


def set_role(actor: Actor, organization_id: UUID, user_id: str, role: Role) -> bool:
    """Give a member another role; False if they have it.

    Raises:
        RefusedError: they are the last owner.
        NotFoundError: there is no such organization or member.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    change = MemberChange(AuditEvent.MEMBER_ROLE_CHANGED, user_id, role)
    return _change_member(actor, organization_id, change, lambda state: _present(state, user_id).role.value != role)


def suspend(actor: Actor, organization_id: UUID, user_id: str) -> bool:
    """Suspend a member: from the next request on they can do nothing; False if they are suspended.

    Their keys are the organization's, and go on working.

    Raises:
        As `set_role`.
    """
    change = MemberChange(AuditEvent.MEMBER_SUSPENDED, user_id)
    return _change_member(
        actor, organization_id, change, lambda state: _present(state, user_id).suspension.value is None
    )


def reinstate(actor: Actor, organization_id: UUID, user_id: str) -> bool:
    """End the suspension of a member; False if they are not suspended.

    Raises:
        As `set_role`.
    """
    change = MemberChange(AuditEvent.MEMBER_REINSTATED, user_id)
    return _change_member(
        actor, organization_id, change, lambda state: _present(state, user_id).suspension.value is not None
    )


def remove(actor: Actor, organization_id: UUID, user_id: str) -> None:
    """Remove a member. Their keys are the organization's, and go on working.

    Raises:
        As `set_role`.
    """
    change = MemberChange(AuditEvent.MEMBER_REMOVED, user_id)
    _change_member(actor, organization_id, change, lambda state: _present(state, user_id).is_member)


def _change_member(
    actor: Actor, organization_id: UUID, change: MemberChange, is_new: Callable[[MemberState], bool]
) -> bool:
    sort_key = organizations.sort_key(change.user_id)
    for _ in range(_ATTEMPTS):
        items = table.read(organization_id, [organizations.ORGANIZATION, sort_key])
        if organizations.ORGANIZATION not in items:
            raise _unknown(organization_id)
        before = organizations.parse_member(items.get(sort_key))
        if not is_new(before):
            return False
        moment = _Moment.after(before)
        after = merge(before, change.learned(moment.stamp))
        steps = [
            organizations.not_purged(organization_id),
            organizations.exists(organization_id),
            *(_another_owner(organization_id, change.user_id) if before.is_owner and not after.is_active_owner else []),
            *organizations.write_member(organization_id, change.user_id, items.get(sort_key), after),
        ]
        record = _member_record(organization_id, actor, moment, change, (before, after))
        if _commit(organization_id, steps, record):
            return True
    raise _too_busy()


def _another_owner(organization_id: UUID, user_id: str) -> list[Step]:
    """Give the condition that somebody else owns the organization at the moment when this owner ceases to."""
    for member in organizations.members(organization_id):
        if member.state.is_active_owner and member.user_id != user_id:
            return [organizations.still_owned_by(organization_id, member.user_id)]
    raise RefusedError(f"nobody but {user_id} owns the organization; make somebody else an owner first")


def list_keys(organization_id: UUID, created_by: str | None = None) -> Iterator[ApiKeyDetails]:
    """List the keys of an organization, or those that one user has made, newest first, as they are taken.

    Raises:
        NotFoundError: there is no such organization.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    _existing(organization_id)
    records = _keys(organization_id, created_by)
    while page := list(islice(records, _MOST_READ_AT_ONCE)):
        uses = table.read(organization_id, [usage.sort_key(record.key_id) for record in page])
        for record in page:
            yield details(record, usage.parse(uses.get(usage.sort_key(record.key_id))))


def show_key(organization_id: UUID, key_id: UUID) -> ApiKeyDetails:
    """Show a key.

    Raises:
        ServiceError: API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE.
    """
    items = table.read(organization_id, [api_keys.sort_key(key_id), usage.sort_key(key_id)])
    return details(_key(items, key_id), usage.parse(items.get(usage.sort_key(key_id))))


def revoke_key(actor: Actor, organization_id: UUID, key_id: UUID) -> None:
    """Delete a key, at once and for good, also in an organization that is scheduled for deletion.

    Raises:
        RefusedError: the organization is being deleted for good.
        ServiceError: API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE; CONFLICT if others change the key all the while.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _revoke(actor, _key(table.read(organization_id, [api_keys.sort_key(key_id)]), key_id))
        except api_keys.ChangedMeanwhileError:
            continue
    raise api_keys.changed_too_often()


def revoke_keys(actor: Actor, organization_id: UUID, created_by: str | None = None) -> Iterator[UUID]:
    """Delete every key of an organization, or every one that one user has made; each is given once it is gone.

    Keys that are made meanwhile are found too: it ends when there are none.

    Raises:
        NotFoundError: there is no such organization.
        RefusedError: it is being deleted for good.
        ServiceError: SERVICE_UNAVAILABLE, CONFLICT.
    """
    _existing(organization_id)
    while records := list(_keys(organization_id, created_by)):
        for record in records:
            if _is_revoked_now(actor, record):
                yield record.key_id


def _is_revoked_now(actor: Actor, record: ApiKeyRecord) -> bool:
    """Delete a key that was just read; False if somebody else was quicker to delete it."""
    try:
        try:
            _revoke(actor, record)
        except api_keys.ChangedMeanwhileError:
            revoke_key(actor, record.organization_id, record.key_id)
    except ServiceError as error:
        if error.error is API_KEY_NOT_FOUND:
            return False
        raise
    return True


def _revoke(actor: Actor, record: ApiKeyRecord) -> None:
    key_id = record.key_id
    change = audit.Change(AuditEvent.API_KEY_DELETED, "api_key", str(key_id), before=record.audited(), after=None)
    steps = [
        organizations.not_purged(record.organization_id),
        api_keys.delete(record),
        usage.delete(record.organization_id, key_id),
    ]
    _commit(
        record.organization_id,
        steps,
        audit.put(record.organization_id, actor, None, change, clock.after(record.updated_at)),
    )


def _keys(organization_id: UUID, created_by: str | None) -> Iterator[ApiKeyRecord]:
    found = api_keys.newest(organization_id, None, ApiKeyFilter(), _LARGEST_PAGE)
    return (record for record in found if created_by is None or record.created_by == created_by)


def _key(items: dict[str, Item], key_id: UUID) -> ApiKeyRecord:
    item = items.get(api_keys.sort_key(key_id))
    if item is None:
        raise ServiceError(API_KEY_NOT_FOUND)
    return api_keys.parse(item)


@dataclass(frozen=True, slots=True)
class _Moment:
    """When something is done that follows what is known, and the audit record that will tell of it."""

    at: datetime
    record_id: UUID

    @classmethod
    def after(cls, known: MemberState | OrganizationState) -> _Moment:
        last = latest(known)
        at = clock.now() if last is None else clock.after(last)
        return cls(at, audit.new_id(at))

    @property
    def stamp(self) -> Stamp:
        return Stamp.of(self.at, str(self.record_id))


def _existing(organization_id: UUID) -> Item:
    found = table.read(organization_id, [organizations.ORGANIZATION]).get(organizations.ORGANIZATION)
    if found is None:
        raise _unknown(organization_id)
    return found


def _unknown(organization_id: UUID) -> NotFoundError:
    return NotFoundError(f"there is no organization {organization_id}")


def _present(state: MemberState, user_id: str) -> MemberState:
    if not state.is_member:
        raise NotFoundError(f"{user_id} is not a member of the organization")
    return state


def _commit(organization_id: UUID, steps: Sequence[Step], record: Step) -> bool:
    """Write everything; False if something is not as it was read any more."""
    try:
        table.commit(steps, record)
    except organizations.OvertakenError:
        return False
    except organizations.UnknownOrganizationError:
        raise _unknown(organization_id) from None
    except organizations.PurgedError:
        raise RefusedError(f"organization {organization_id} was deleted for good, and cannot come back") from None
    return True


def _too_busy() -> ServiceError:
    return ServiceError(CONFLICT, "Others are changing the same thing all the time")


def _organization_record(
    organization_id: UUID,
    actor: Actor,
    moment: _Moment,
    change: OrganizationChange,
    states: tuple[OrganizationState, OrganizationState],
) -> Step:
    told = audit.Change(change.event, "organization", str(organization_id), *change.changes(*states))
    return audit.put(organization_id, actor, None, told, moment.at, record_id=moment.record_id)


def _member_record(
    organization_id: UUID,
    actor: Actor,
    moment: _Moment,
    change: MemberChange,
    states: tuple[MemberState, MemberState],
) -> Step:
    told = audit.Change(change.event, "member", change.user_id, *change.changes(*states))
    return audit.put(organization_id, actor, None, told, moment.at, record_id=moment.record_id)


def _shown(organization_id: UUID, state: OrganizationState) -> Organization:
    return Organization(organization_id, state.name.value, state.creation.value, state.deletion.value)


def _shown_member(user_id: str, state: MemberState) -> Member:
    return Member(user_id, state.role.value or "", state.membership.value or None, state.suspension.value)
