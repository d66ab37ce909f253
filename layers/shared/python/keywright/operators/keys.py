"""Listing, showing, identifying, changing, rotating and revoking keys, for operators."""

from __future__ import annotations

from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from keywright import clock
from keywright.domain import key_text
from keywright.domain.audit_event import AuditEvent
from keywright.domain.key_text import HINT_CHARACTERS
from keywright.errors import API_KEY_NOT_FOUND, ServiceError
from keywright.immutable import immutable
from keywright.keys.changes import commit_change
from keywright.keys.deletion import DELETE_ATTEMPTS, commit_deletion
from keywright.keys.rotate import commit_rotation
from keywright.keys.views import details
from keywright.operators.organizations import shown
from keywright.operators.refusals import ATTEMPTS, purged_organization, require_organization, unknown_organization
from keywright.store import api_keys, audit, layout, organizations, table, usage
from keywright.store.api_keys import ApiKeyFilter
from keywright.store.audit import AuditFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime, timedelta
    from uuid import UUID

    from keywright.api.schemas import ApiKeyDetails, RotatedApiKey
    from keywright.domain.organization_state import OrganizationState
    from keywright.domain.principals import Actor
    from keywright.domain.revocation_reason import RevocationReason
    from keywright.operators.organizations import ShownOrganization
    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.audit import AuditRecord

Result = TypeVar("Result")

_MOST_READ_AT_ONCE = 100  # Amazon DynamoDB API Reference, BatchGetItem


def list_keys(
    organization_id: UUID, created_by: str | None = None, expires_before: datetime | None = None
) -> Iterator[ApiKeyDetails]:
    """List the keys of an organization, newest first, as they are taken.

    Args:
        organization_id: of the organization.
        created_by: only keys that this user created.
        expires_before: only keys that expire before this time, or have expired.

    Raises:
        NotFoundError: there is no such organization.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    require_organization(organization_id)
    records = _newest(organization_id, created_by, expires_before)
    while page := list(islice(records, _MOST_READ_AT_ONCE)):
        uses = usage.read_usage(organization_id, [record.key_id for record in page])
        for record in page:
            yield details(record, uses[record.key_id])


def show_key(organization_id: UUID, key_id: UUID) -> ApiKeyDetails:
    """Show a key.

    Raises:
        ServiceError: API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE.
    """
    items = table.read(organization_id, [layout.api_key_sort_key(key_id), layout.usage_sort_key(key_id)])
    return details(api_keys.require(items, key_id), usage.usage_of(items, key_id))


def disable_key(actor: Actor, organization_id: UUID, key_id: UUID, reason: RevocationReason | None = None) -> bool:
    """Disable a key, even in an organization that is scheduled for deletion; False if it is disabled.

    Raises:
        NotFoundError: there is no such organization.
        RefusedError: the organization is being purged.
        ServiceError: API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE; CONFLICT after ATTEMPTS lost races.
    """
    return _set(actor, organization_id, key_id, {"enabled": False}, reason)


def enable_key(actor: Actor, organization_id: UUID, key_id: UUID, *, clears_leak: bool = False) -> bool:
    """Enable a key, and clear the report of a leak if asked to; False if there is nothing to do.

    Raises:
        ServiceError: API_KEY_LEAKED if it has the report of a leak that stays.
        Others: as `disable_key`.
    """
    return _set(actor, organization_id, key_id, {"enabled": True, **({"leak": None} if clears_leak else {})})


def _set(
    actor: Actor,
    organization_id: UUID,
    key_id: UUID,
    fields: Mapping[str, object],
    reason: RevocationReason | None = None,
) -> bool:
    """Set fields of a key; return False if they are as they should be."""

    def act(before: ApiKeyRecord, _: usage.Usage) -> bool:
        if all(getattr(before, name) == value for name, value in fields.items()):
            return False
        conditions = [organizations.not_purged(organization_id)]
        commit_change(before, fields, actor, None, conditions, reason=reason)
        return True

    return _change(organization_id, key_id, act)


def rotate_key(
    actor: Actor,
    organization_id: UUID,
    key_id: UUID,
    grace_period: timedelta,
    reason: RevocationReason | None = None,
) -> RotatedApiKey:
    """Rotate a key to a new secret, even in an organization that is scheduled for deletion. Needs the pepper.

    Raises:
        ConfigurationError: pepper, prefix or parameters of the hash are not set.
        ServiceError: also CONFLICT after too many rotations.
        Others: as `disable_key`.
    """

    def act(before: ApiKeyRecord, used: usage.Usage) -> RotatedApiKey:
        return commit_rotation(
            before, used, grace_period, actor, None, lambda *_: [organizations.not_purged(organization_id)], reason
        )

    return _change(organization_id, key_id, act)


def _change(organization_id: UUID, key_id: UUID, act: Callable[[ApiKeyRecord, usage.Usage], Result]) -> Result:
    """Read a key and act on it, again if it is changed meanwhile."""

    def attempt() -> Result:
        sort_keys = [layout.ORGANIZATION, layout.api_key_sort_key(key_id), layout.usage_sort_key(key_id)]
        items = table.read(organization_id, sort_keys)
        if layout.ORGANIZATION not in items:
            raise unknown_organization(organization_id)
        try:
            return act(api_keys.require(items, key_id), usage.usage_of(items, key_id))
        except organizations.PurgedError:
            raise purged_organization(organization_id) from None

    return table.retry_on_conflict(attempt, ATTEMPTS)


class KeyState(StrEnum):
    """State of the key that a text names."""

    ACTIVE = "active"
    PREVIOUS = "previous"
    """The key was rotated, and this text works until its grace period ends."""
    DISABLED = "disabled"
    EXPIRED = "expired"
    FROZEN = "frozen"
    """The organization is scheduled for deletion."""
    ROTATED_OUT = "rotated out"
    DELETED = "deleted"
    UNKNOWN = "unknown"
    """No such key was issued, or its audit record has expired, or the organization was purged."""


@immutable
class IdentifiedText:
    """The key that a text names. Only a verification proves that the text is the key's.

    Attributes:
        organization: None if there is none.
        key: None if there is none.
    """

    organization_id: UUID
    key_id: UUID
    state: KeyState
    organization: ShownOrganization | None
    key: ApiKeyDetails | None


def identify(text: str) -> IdentifiedText | None:
    """Identify the key that a text names, without the pepper; None if the text has not the form of a key.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    claimed = key_text.claimed(text)
    if claimed is None:
        return None
    organization_id, key_id = claimed.organization_id, claimed.key_id
    sort_keys = [layout.ORGANIZATION, layout.api_key_sort_key(key_id), layout.usage_sort_key(key_id)]
    items = table.read(organization_id, sort_keys)
    is_known = layout.ORGANIZATION in items
    organization = organizations.parse_organization(items.get(layout.ORGANIZATION))
    record = api_keys.parse_api_key(items[sort_keys[1]]) if sort_keys[1] in items else None
    if record is None:
        state = KeyState.DELETED if deletion_of(organization_id, key_id) else KeyState.UNKNOWN
    else:
        state = _state(record, claimed.generation, text, organization)
    return IdentifiedText(
        organization_id,
        key_id,
        state,
        shown(organization_id, organization) if is_known else None,
        None if record is None else details(record, usage.usage_of(items, key_id)),
    )


def _state(record: ApiKeyRecord, generation: int, text: str, organization: OrganizationState) -> KeyState:
    now = clock.now()
    is_current = generation == record.generation
    # The last characters of a text depend on all of it: one that was mistyped or made up has others.
    if generation > record.generation or (is_current and text[-HINT_CHARACTERS:] != record.hint[-HINT_CHARACTERS:]):
        return KeyState.UNKNOWN
    if not is_current and (generation < record.generation - 1 or record.previous_valid_until(now) is None):
        return KeyState.ROTATED_OUT
    if record.expires_at is not None and record.expires_at <= now:
        return KeyState.EXPIRED
    if not record.enabled:
        return KeyState.DISABLED
    if organization.deletion.value is not None:
        return KeyState.FROZEN
    return KeyState.ACTIVE if is_current else KeyState.PREVIOUS


def deletion_of(organization_id: UUID, key_id: UUID) -> AuditRecord | None:
    """Return the audit record of a key's deletion; None if it was not deleted, or if the record has expired.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    deletions = AuditFilter(events=[AuditEvent.API_KEY_DELETED], target_id=str(key_id))
    newest = audit.newest_records(organization_id, None, deletions, table.LARGEST_PAGE, clock.now())
    return next(newest, None)


def revoke_key(actor: Actor, organization_id: UUID, key_id: UUID, reason: RevocationReason | None = None) -> bool:
    """Delete a key, even in an organization that is scheduled for deletion; False if it was deleted before.

    Raises:
        RefusedError: the organization is being purged.
        ServiceError: API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE; CONFLICT after DELETE_ATTEMPTS lost races.
    """

    def act() -> None:
        items = table.read(organization_id, [layout.api_key_sort_key(key_id)])
        _revoke(actor, api_keys.require(items, key_id), reason)

    try:
        table.retry_on_conflict(act, DELETE_ATTEMPTS)
    except ServiceError as error:
        if error.error is API_KEY_NOT_FOUND and deletion_of(organization_id, key_id):
            return False
        raise
    return True


def revoke_keys(
    actor: Actor, organization_id: UUID, created_by: str | None = None, reason: RevocationReason | None = None
) -> Iterator[UUID]:
    """Delete every key of an organization, or every one that a user has created; yield each once it is gone.

    Keys that are created meanwhile are found too: it ends when there are none.

    Raises:
        NotFoundError: there is no such organization.
        RefusedError: it is being purged.
        ServiceError: SERVICE_UNAVAILABLE, CONFLICT.
    """
    require_organization(organization_id)
    while records := list(_newest(organization_id, created_by)):
        for record in records:
            if _is_revoked_now(actor, record, reason):
                yield record.key_id


def _is_revoked_now(actor: Actor, record: ApiKeyRecord, reason: RevocationReason | None) -> bool:
    """Delete a key that was just read; return False if another request has deleted it."""
    try:
        _revoke(actor, record, reason)
    except table.Conflict:
        return revoke_key(actor, record.organization_id, record.key_id, reason)
    except ServiceError as error:
        if error.error is API_KEY_NOT_FOUND:
            return False
        raise
    return True


def _revoke(actor: Actor, record: ApiKeyRecord, reason: RevocationReason | None) -> None:
    try:
        commit_deletion(record, actor, None, [organizations.not_purged(record.organization_id)], reason)
    except organizations.PurgedError:
        raise purged_organization(record.organization_id) from None


def _newest(
    organization_id: UUID, created_by: str | None, expires_before: datetime | None = None
) -> Iterator[ApiKeyRecord]:
    keys = ApiKeyFilter(expires_before=expires_before)
    records = api_keys.newest_api_keys(organization_id, None, keys, table.LARGEST_PAGE)
    return (record for record in records if created_by is None or record.created_by == created_by)
