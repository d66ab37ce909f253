"""Listing, showing, updating and deleting the keys of an organization, for its members; deleting, for the holder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import clock
from keywright.api.envelope import Listing, Pagination
from keywright.api.schemas import Done, UpdatedApiKey
from keywright.api.validation import not_in_future
from keywright.domain.permissions import Role
from keywright.errors import API_KEY_NOT_FOUND, ORGANIZATION_FROZEN, UNAUTHORIZED, ServiceError
from keywright.keys import views
from keywright.keys.changes import commit_change
from keywright.keys.deletion import DELETE_ATTEMPTS, commit_deletion
from keywright.store import api_keys, authorization, layout, table, usage
from keywright.store.api_keys import ApiKeyFilter

if TYPE_CHECKING:
    from uuid import UUID

    from keywright.api.schemas import ApiKeyDetails, ApiKeySummary, ListApiKeysQuery, RevocationQuery, UpdateApiKey
    from keywright.domain.principals import KeyHolder, Member, Origin
    from keywright.store.layout import Item

_UPDATE_ATTEMPTS = 2


def list_keys(member: Member, query: ListApiKeysQuery) -> Listing[ApiKeySummary]:
    """List the organization's keys, newest first. Pages are full, however many keys are filtered out.

    Three requests to DynamoDB for an unfiltered page: the member, the keys, their usage.

    Raises:
        ServiceError: FORBIDDEN unless the member is an admin or owner; SERVICE_UNAVAILABLE.
    """
    authorization.read_as(member, Role.ADMIN)
    keys = ApiKeyFilter(query.enabled, query.permission, query.expires_before)
    # One more than the page holds shows whether there is another page.
    newest = api_keys.newest_api_keys(member.organization_id, query.starting_after, keys, query.limit + 1)
    page, next_cursor = table.page_of(newest, query.limit, lambda record: str(record.key_id))
    uses = usage.read_usage(member.organization_id, [record.key_id for record in page])
    return Listing(
        [views.summary(record, uses[record.key_id]) for record in page], Pagination(query.limit, next_cursor)
    )


def get(member: Member, key_id: UUID) -> ApiKeyDetails:
    """Show one key, in one request to DynamoDB.

    Raises:
        ServiceError: FORBIDDEN, API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE.
    """
    sort_keys = layout.api_key_sort_key(key_id), layout.usage_sort_key(key_id)
    items = authorization.read_as(member, Role.ADMIN, *sort_keys)
    return views.details(api_keys.require(items, key_id), usage.usage_of(items, key_id))


def update(member: Member, origin: Origin, key_id: UUID, body: UpdateApiKey) -> UpdatedApiKey:
    """Change the fields of a key that the body names.

    Raises:
        ServiceError: BAD_REQUEST if the key would be expired; FORBIDDEN, ORGANIZATION_FROZEN, API_KEY_NOT_FOUND;
            API_KEY_LEAKED if a leaked key would be enabled and keep its report; CONFLICT after two lost races;
            SERVICE_UNAVAILABLE.
    """
    if body.expires_at is not None and body.expires_at <= clock.now():
        raise not_in_future("expiresAt")
    return table.retry_on_conflict(lambda: _update(member, origin, key_id, body), _UPDATE_ATTEMPTS)


def _update(member: Member, origin: Origin, key_id: UUID, body: UpdateApiKey) -> UpdatedApiKey:
    sort_keys = layout.api_key_sort_key(key_id), layout.usage_sort_key(key_id)
    items = authorization.read_to_change(member, Role.ADMIN, *sort_keys)
    fields = views.stored_fields(body.model_dump(exclude={"reason"}, exclude_unset=True))
    conditions, reason = authorization.conditions(member, Role.ADMIN), views.reason_of(body.reason)
    after = commit_change(api_keys.require(items, key_id), fields, member.actor, origin, conditions, reason=reason)
    return UpdatedApiKey(message="The API key was updated", api_key=views.details(after, usage.usage_of(items, key_id)))


def delete(member: Member, origin: Origin, key_id: UUID, query: RevocationQuery) -> Done:
    """Delete a key and its usage; it stops verifying at once.

    Raises:
        ServiceError: FORBIDDEN, ORGANIZATION_FROZEN, API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE; CONFLICT after
            DELETE_ATTEMPTS lost races.
    """
    return table.retry_on_conflict(lambda: _delete(member, origin, key_id, query), DELETE_ATTEMPTS)


def _delete(member: Member, origin: Origin, key_id: UUID, query: RevocationQuery) -> Done:
    items = authorization.read_to_change(member, Role.ADMIN, layout.api_key_sort_key(key_id))
    conditions = authorization.conditions(member, Role.ADMIN)
    commit_deletion(api_keys.require(items, key_id), member.actor, origin, conditions, views.reason_of(query.reason))
    return Done(message="The API key was deleted")


def delete_current(holder: KeyHolder, origin: Origin, query: RevocationQuery) -> Done:
    """Delete the key of its holder; the authorizer has just verified it.

    Raises:
        ServiceError: UNAUTHORIZED if it was deleted since; ORGANIZATION_FROZEN, SERVICE_UNAVAILABLE; CONFLICT after
            DELETE_ATTEMPTS lost races.
    """
    return table.retry_on_conflict(lambda: _delete_current(holder, origin, query), DELETE_ATTEMPTS)


def _delete_current(holder: KeyHolder, origin: Origin, query: RevocationQuery) -> Done:
    items = table.read(holder.organization_id, [layout.api_key_sort_key(holder.key_id)])
    condition = authorization.is_active(holder.organization_id, _refusal_of_holder)
    try:
        commit_deletion(
            api_keys.require(items, holder.key_id),
            holder.actor,
            origin,
            [condition],
            views.reason_of(query.reason),
        )
    except ServiceError as error:
        if error.error is API_KEY_NOT_FOUND:
            raise _gone_since() from None
        raise
    return Done(message="The API key was deleted")


def _refusal_of_holder(organization: Item | None) -> ServiceError:
    return ServiceError(ORGANIZATION_FROZEN) if organization else _gone_since()


def _gone_since() -> ServiceError:
    return ServiceError(UNAUTHORIZED, reason="deleted since it was verified")
