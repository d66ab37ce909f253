"""What members do with the keys of their organization once they exist: look, change, delete."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from keywright import clock
from keywright.api.envelope import Listing, Pagination
from keywright.api.fields import metadata_text
from keywright.api.schemas import ApiKeyDetails, ApiKeySummary, Done
from keywright.api.validation import not_in_future
from keywright.domain.audit_event import AuditEvent
from keywright.domain.permissions import Role
from keywright.errors import API_KEY_NOT_FOUND, ServiceError
from keywright.store import api_keys, audit, organizations, table, usage
from keywright.store.api_keys import ApiKeyFilter

if TYPE_CHECKING:
    from uuid import UUID

    from keywright.api.schemas import ListApiKeysQuery, UpdateApiKey
    from keywright.domain.principals import Member, Origin
    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.table import Item
    from keywright.store.usage import Usage

_DELETE_ATTEMPTS = 20
"""Far more than a change gets: a revocation should not have to be repeated because of somebody's edit."""


def list_keys(member: Member, query: ListApiKeysQuery) -> Listing[ApiKeySummary]:
    """List the organization's keys, newest first; a page is full whatever is filtered out.

    Three requests to DynamoDB for an unfiltered page: the member, the keys, their usage.

    Raises:
        ServiceError: FORBIDDEN unless the member is an admin or owner; SERVICE_UNAVAILABLE.
    """
    organizations.require(
        member, Role.ADMIN, table.read(member.organization_id, [organizations.member_sort_key(member)])
    )
    wanted = ApiKeyFilter(query.enabled, query.permission)
    # One more than the page holds tells whether there is another page.
    records = list(
        islice(api_keys.newest(member.organization_id, query.starting_after, wanted, query.limit + 1), query.limit + 1)
    )
    page = records[: query.limit]
    uses = table.read(member.organization_id, [usage.sort_key(record.key_id) for record in page])
    return Listing(
        [_summary(record, usage.parse(uses.get(usage.sort_key(record.key_id)))) for record in page],
        Pagination(query.limit, str(page[-1].key_id) if len(records) > len(page) else None),
    )


def get(member: Member, key_id: UUID) -> ApiKeyDetails:
    """Show one key, in one request to DynamoDB.

    Raises:
        ServiceError: FORBIDDEN, API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE.
    """
    items = _read(member, key_id, usage.sort_key(key_id))
    return details(_record(items, key_id), usage.parse(items.get(usage.sort_key(key_id))))


def update(member: Member, origin: Origin, key_id: UUID, body: UpdateApiKey) -> Done:
    """Change what the body names of a key.

    Raises:
        ServiceError: FORBIDDEN, ORGANIZATION_FROZEN, API_KEY_NOT_FOUND; CONFLICT if somebody else was quicker, twice;
            SERVICE_UNAVAILABLE.
    """
    if body.expires_at is not None and body.expires_at <= clock.now():
        raise not_in_future("expiresAt")
    for _ in range(2):
        before = _record(_read_to_change(member, key_id), key_id)
        now = clock.after(before.updated_at)
        after = replace(_changed(before, body), updated_at=now, version=before.version + 1)
        try:
            table.commit(
                [*organizations.authorization(member, Role.ADMIN), api_keys.replace(before, after)],
                audit.put(member.organization_id, member.actor, origin, _difference(before, after), now),
            )
        except api_keys.ChangedMeanwhileError:
            continue
        return Done(message="The API key was updated")
    raise api_keys.changed_too_often()


def delete(member: Member, origin: Origin, key_id: UUID) -> Done:
    """Delete a key and its usage; it stops verifying at once.

    Raises:
        ServiceError: FORBIDDEN, ORGANIZATION_FROZEN, API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE; CONFLICT only if
            others change the key all the while.
    """
    for _ in range(_DELETE_ATTEMPTS):
        try:
            return _delete_once(member, origin, key_id)
        except api_keys.ChangedMeanwhileError:
            continue
    raise api_keys.changed_too_often()


def _delete_once(member: Member, origin: Origin, key_id: UUID) -> Done:
    record = _record(_read_to_change(member, key_id), key_id)
    change = audit.Change(AuditEvent.API_KEY_DELETED, "api_key", str(key_id), before=record.audited(), after=None)
    table.commit(
        [
            *organizations.authorization(member, Role.ADMIN),
            api_keys.delete(record),
            usage.delete(member.organization_id, key_id),
        ],
        audit.put(member.organization_id, member.actor, origin, change, clock.after(record.updated_at)),
    )
    return Done(message="The API key was deleted")


def details(record: ApiKeyRecord, used: Usage) -> ApiKeyDetails:
    """Tell all that may be told of a key."""
    previous = record.previous_valid_until(clock.now())
    return ApiKeyDetails(
        **_summary(record, used).model_dump(),
        created_by=record.created_by,
        previous_key_expires_at=None if previous is None else clock.rfc3339(previous),
    )


def _read(member: Member, key_id: UUID, *sort_keys: str) -> dict[str, Item]:
    """Read a key and whatever else is named, for a member who may see it."""
    items = table.read(
        member.organization_id, [organizations.member_sort_key(member), api_keys.sort_key(key_id), *sort_keys]
    )
    organizations.require(member, Role.ADMIN, items)
    return items


def _read_to_change(member: Member, key_id: UUID) -> dict[str, Item]:
    items = _read(member, key_id, organizations.ORGANIZATION)
    organizations.require_active(items)
    return items


def _record(items: dict[str, Item], key_id: UUID) -> ApiKeyRecord:
    item = items.get(api_keys.sort_key(key_id))
    if item is None:
        raise ServiceError(API_KEY_NOT_FOUND)
    return api_keys.parse(item)


def _changed(record: ApiKeyRecord, body: UpdateApiKey) -> ApiKeyRecord:
    changes = body.changes()
    if "permissions" in changes:
        changes["permissions"] = tuple(body.permissions)
    if "metadata" in changes:
        changes["metadata"] = metadata_text(body.metadata)
    return replace(record, **changes)


def _difference(before: ApiKeyRecord, after: ApiKeyRecord) -> audit.Change:
    """Tell what an update changed; the fields that stayed are left out."""
    old, new = before.audited(), after.audited()
    changed = [name for name in old if json.dumps(old[name]) != json.dumps(new[name])]
    return audit.Change(
        AuditEvent.API_KEY_UPDATED,
        "api_key",
        str(before.key_id),
        before={name: old[name] for name in changed},
        after={name: new[name] for name in changed},
    )


def _summary(record: ApiKeyRecord, used: Usage) -> ApiKeySummary:
    return ApiKeySummary(
        id=str(record.key_id),
        name=record.name,
        enabled=record.enabled,
        permissions=list(record.permissions),
        metadata=json.loads(record.metadata),
        created_at=clock.rfc3339(record.created_at),
        updated_at=clock.rfc3339(record.updated_at),
        expires_at=None if record.expires_at is None else clock.rfc3339(record.expires_at),
        last_used_at=used.last_used_at,
        request_count=used.request_count,
        hint=record.hint,
    )
