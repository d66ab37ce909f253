"""API keys as stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from keywright.clock import rfc3339, stored
from keywright.domain.leak import Leak
from keywright.domain.limits import Limits, Quota, RateLimit
from keywright.errors import API_KEY_NOT_FOUND, ServiceError
from keywright.immutable import field, immutable
from keywright.store import layout, table
from keywright.store.table import Conflict, Expression, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from keywright.store.layout import Item, Key


@immutable
class ApiKeyRecord:
    """A key's item.

    Attributes:
        metadata: JSON text.
        hash: PHC string of the keyed digest of the key's text.
        generation: rotations so far.
        hint: the part of the text that may be shown.
        version: changes so far, for optimistic locking.
        previous_hash: of the text before the last rotation, valid until `previous_expires_at`; both or neither.
        allowed_ips: normalized addresses and ranges that the key may be used from; none: anywhere.
        leak: the report that its text is public; None if there is none, or if it was cleared.
        imported_as: digest of the text of generation 0 if it was issued elsewhere, which names an item that goes with
            the key (store/imported_texts.py).
    """

    organization_id: UUID
    key_id: UUID
    name: str
    permissions: tuple[str, ...]
    metadata: str
    hash: str = field(repr=False)
    generation: int
    hint: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    enabled: bool = True
    version: int = 1
    expires_at: datetime | None = None
    previous_hash: str | None = field(default=None, repr=False)
    previous_expires_at: datetime | None = None
    rate_limit: RateLimit | None = None
    quota: Quota | None = None
    allowed_ips: tuple[str, ...] = ()
    leak: Leak | None = None
    imported_as: str | None = field(default=None, repr=False)

    @property
    def has_limits(self) -> bool:
        """Whether uses of the key are counted by the limiter."""
        return self.rate_limit is not None or self.quota is not None

    def limits(self, read_at: int) -> Limits | None:
        """Return the limits of the key; None if it has none.

        Args:
            read_at: a time before the key was read, in nanoseconds since 1970.
        """
        return Limits(self.key_id, "key", self.rate_limit, self.quota, read_at) if self.has_limits else None

    def previous_valid_until(self, now: datetime) -> datetime | None:
        """Return until when the previous secret works, never longer than the key; None if it does not."""
        ends = [moment for moment in (self.previous_expires_at, self.expires_at) if moment is not None]
        if self.previous_expires_at is None or min(ends) <= now:
            return None
        return min(ends)

    def audited(self) -> dict[str, object]:
        """Return the fields that users choose, and a leak, as the audit log shows them."""
        leak = {} if self.leak is None else {"leak": self.leak.as_json()}
        return leak | {
            "name": self.name,
            "enabled": self.enabled,
            "permissions": list(self.permissions),
            "metadata": json.loads(self.metadata),
            "expiresAt": None if self.expires_at is None else rfc3339(self.expires_at),
            "rateLimit": None if self.rate_limit is None else self.rate_limit.as_json(),
            "quota": None if self.quota is None else self.quota.as_json(),
            "allowedIps": list(self.allowed_ips) or None,
        }


@immutable
class ApiKeyFilter:
    """Which keys to list; None means all.

    Attributes:
        permission: granted to the key itself.
        expires_before: the key expires, and earlier than this; also if it has expired.
    """

    enabled: bool | None = None
    permission: str | None = None
    expires_before: datetime | None = None


def key_of(record: ApiKeyRecord) -> Key:
    """Return the primary key of a record's item."""
    return layout.in_organization(record.organization_id, layout.api_key_sort_key(record.key_id))


def put(record: ApiKeyRecord) -> Step:
    """Write a new key."""
    return table.put_new(_item(record))


def replace(before: ApiKeyRecord, after: ApiKeyRecord) -> Step:
    """Write a changed key, provided that it is as it was read.

    Refused with API_KEY_NOT_FOUND if the key is gone, with Conflict if it has changed.
    """
    return table.put(_item(after), _is_version_of(before), _gone_or_changed)


def delete(record: ApiKeyRecord) -> Step:
    """Delete a key, provided that it is as it was read; refused as `replace`."""
    return table.delete(key_of(record), _is_version_of(record), _gone_or_changed)


def _is_version_of(record: ApiKeyRecord) -> Expression:
    return Expression("version = :version", {":version": {"N": str(record.version)}})


def _gone_or_changed(item: Item | None) -> Exception:
    return Conflict() if item else ServiceError(API_KEY_NOT_FOUND)


def require(items: Mapping[str, Item], key_id: UUID) -> ApiKeyRecord:
    """Return a key.

    Args:
        items: by sort key.
        key_id: of the key.

    Raises:
        ServiceError: API_KEY_NOT_FOUND if its item is not among them.
    """
    item = items.get(layout.api_key_sort_key(key_id))
    if item is None:
        raise ServiceError(API_KEY_NOT_FOUND)
    return parse_api_key(item)


def newest_api_keys(
    organization_id: UUID, starting_after: UUID | None, keys: ApiKeyFilter, page_size: int
) -> Iterator[ApiKeyRecord]:
    """Read an organization's keys, newest first, as they are taken."""
    filters = []
    if keys.enabled is not None:
        filters.append(Expression("enabled = :enabled", {":enabled": {"BOOL": keys.enabled}}))
    if keys.permission is not None:
        permission = Expression(
            "contains(#permissions, :permission)",
            {":permission": {"S": keys.permission}},
            {"#permissions": "permissions"},
        )
        filters.append(permission)
    if keys.expires_before is not None:
        before: AttributeValueTypeDef = {"S": rfc3339(keys.expires_before)}
        filters.append(Expression("expires_at < :expires_before", {":expires_before": before}))
    after = None if starting_after is None else layout.api_key_sort_key(starting_after)
    items = table.newest_first(organization_id, layout.API_KEYS, after, filters, page_size)
    return (parse_api_key(item) for item in items)


def parse_api_key(item: Item) -> ApiKeyRecord:
    """Parse a key's item."""
    previous = item.get("previous_expires_at")
    expires_at = item.get("expires_at")
    return ApiKeyRecord(
        organization_id=layout.organization_id_of(item),
        key_id=layout.key_id_of(item),
        name=item["name"]["S"],
        permissions=tuple(permission["S"] for permission in item["permissions"]["L"]),
        metadata=item["metadata"]["S"],
        hash=item["hash"]["S"],
        generation=int(item["generation"]["N"]),
        hint=item["hint"]["S"],
        created_by=item["created_by"]["S"],
        created_at=stored(item["created_at"]["S"]),
        updated_at=stored(item["updated_at"]["S"]),
        enabled=item["enabled"]["BOOL"],
        version=int(item["version"]["N"]),
        expires_at=stored(expires_at["S"]) if expires_at else None,
        previous_hash=item["previous_hash"]["S"] if previous else None,
        previous_expires_at=stored(previous["S"]) if previous else None,
        rate_limit=RateLimit.parse(item["rate_limit"]["S"]) if "rate_limit" in item else None,
        quota=Quota.parse(item["quota"]["S"]) if "quota" in item else None,
        allowed_ips=tuple(address["S"] for address in item["allowed_ips"]["L"]) if "allowed_ips" in item else (),
        leak=Leak.parse(item["leak"]["S"]) if "leak" in item else None,
        imported_as=item["imported_as"]["S"] if "imported_as" in item else None,
    )


def _item(record: ApiKeyRecord) -> Item:
    item: dict[str, AttributeValueTypeDef] = {
        **key_of(record),
        "name": {"S": record.name},
        "permissions": {"L": [{"S": permission} for permission in record.permissions]},
        "metadata": {"S": record.metadata},
        "enabled": {"BOOL": record.enabled},
        "hash": {"S": record.hash},
        "generation": {"N": str(record.generation)},
        "hint": {"S": record.hint},
        "created_by": {"S": record.created_by},
        "created_at": {"S": rfc3339(record.created_at)},
        "updated_at": {"S": rfc3339(record.updated_at)},
        "version": {"N": str(record.version)},
    }
    if record.expires_at is not None:
        item["expires_at"] = {"S": rfc3339(record.expires_at)}
    if record.previous_hash is not None and record.previous_expires_at is not None:
        item["previous_hash"] = {"S": record.previous_hash}
        item["previous_expires_at"] = {"S": rfc3339(record.previous_expires_at)}
    if record.rate_limit is not None:
        item["rate_limit"] = {"S": record.rate_limit.stored()}
    if record.quota is not None:
        item["quota"] = {"S": record.quota.stored()}
    if record.allowed_ips:
        item["allowed_ips"] = {"L": [{"S": address} for address in record.allowed_ips]}
    if record.leak is not None:
        item["leak"] = {"S": record.leak.stored()}
    if record.imported_as is not None:
        item["imported_as"] = {"S": record.imported_as}
    return item
