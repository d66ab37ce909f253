"""Listing, showing and revoking keys, for operators."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from keywright.errors import API_KEY_NOT_FOUND, ServiceError
from keywright.keys.deletion import DELETE_ATTEMPTS, commit_deletion
from keywright.keys.views import details
from keywright.operators.refusals import purged_organization, require_organization
from keywright.store import api_keys, layout, organizations, table, usage
from keywright.store.api_keys import ApiKeyFilter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from keywright.api.schemas import ApiKeyDetails
    from keywright.domain.principals import Actor
    from keywright.store.api_keys import ApiKeyRecord

_MOST_READ_AT_ONCE = 100  # Amazon DynamoDB API Reference, BatchGetItem


def list_keys(organization_id: UUID, created_by: str | None = None) -> Iterator[ApiKeyDetails]:
    """List the keys of an organization, or those that one user has created, newest first, as they are taken.

    Raises:
        NotFoundError: there is no such organization.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    require_organization(organization_id)
    records = _newest(organization_id, created_by)
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


def revoke_key(actor: Actor, organization_id: UUID, key_id: UUID) -> None:
    """Delete a key, even in an organization that is scheduled for deletion.

    Raises:
        RefusedError: the organization is being purged.
        ServiceError: API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE; CONFLICT after DELETE_ATTEMPTS lost races.
    """

    def act() -> None:
        items = table.read(organization_id, [layout.api_key_sort_key(key_id)])
        _revoke(actor, api_keys.require(items, key_id))

    table.retry_on_conflict(act, DELETE_ATTEMPTS)


def revoke_keys(actor: Actor, organization_id: UUID, created_by: str | None = None) -> Iterator[UUID]:
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
            if _is_revoked_now(actor, record):
                yield record.key_id


def _is_revoked_now(actor: Actor, record: ApiKeyRecord) -> bool:
    """Delete a key that was just read; return False if another request has deleted it."""
    try:
        try:
            _revoke(actor, record)
        except table.Conflict:
            revoke_key(actor, record.organization_id, record.key_id)
    except ServiceError as error:
        if error.error is API_KEY_NOT_FOUND:
            return False
        raise
    return True


def _revoke(actor: Actor, record: ApiKeyRecord) -> None:
    try:
        commit_deletion(record, actor, None, [organizations.not_purged(record.organization_id)])
    except organizations.PurgedError:
        raise purged_organization(record.organization_id) from None


def _newest(organization_id: UUID, created_by: str | None) -> Iterator[ApiKeyRecord]:
    records = api_keys.newest_api_keys(organization_id, None, ApiKeyFilter(), table.LARGEST_PAGE)
    return (record for record in records if created_by is None or record.created_by == created_by)
