"""API keys as they rest in the table."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from keywright.clock import rfc3339, stored
from keywright.errors import API_KEY_NOT_FOUND, CONFLICT, ServiceError
from keywright.settings import table_settings
from keywright.store.table import Condition, Step, key, newest_first, put_new

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from keywright.store.table import Item

API_KEY = "KEY#"
_HIGHEST = API_KEY + "g"  # ids are hexadecimal


class ChangedMeanwhileError(Exception):
    """Somebody else changed the key after it was read."""


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """One key's item.

    Attributes:
        metadata: JSON text.
        hash: Argon2id PHC string of the keyed digest of the key's text.
        generation: rotations so far.
        hint: what people may see of the text.
        version: changes so far, for optimistic locking.
        previous_hash: of the text before the last rotation, valid until `previous_expires_at`; both or neither.
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

    @property
    def sort_key(self) -> str:
        """The sort key of its item."""
        return sort_key(self.key_id)

    def previous_valid_until(self, now: datetime) -> datetime | None:
        """Until when the secret before the last rotation works, never longer than the key; None if it does not."""
        ends = [moment for moment in (self.previous_expires_at, self.expires_at) if moment is not None]
        if self.previous_expires_at is None or min(ends) <= now:
            return None
        return min(ends)

    def audited(self) -> dict[str, object]:
        """Give the fields that people choose, as the audit log tells them."""
        return {
            "name": self.name,
            "enabled": self.enabled,
            "permissions": list(self.permissions),
            "metadata": json.loads(self.metadata),
            "expiresAt": None if self.expires_at is None else rfc3339(self.expires_at),
        }


@dataclass(frozen=True, slots=True)
class ApiKeyFilter:
    """Which keys of a list are wanted; None means all.

    Attributes:
        permission: one that the key was given itself.
    """

    enabled: bool | None = None
    permission: str | None = None


def sort_key(key_id: UUID) -> str:
    """Give the sort key of a key's item."""
    return f"{API_KEY}{key_id}"


def put(record: ApiKeyRecord) -> Step:
    """Write a new key."""
    return put_new(_item(record))


def replace(before: ApiKeyRecord, after: ApiKeyRecord) -> Step:
    """Write a changed key over the one that was read, provided that it is still as it was.

    The step is refused with API_KEY_NOT_FOUND if the key is gone, with ChangedMeanwhileError if it has changed.
    """
    return Step(
        {
            "Put": {
                "TableName": table_settings().table_name,
                "Item": _item(after),
                "ConditionExpression": "version = :version",
                "ExpressionAttributeValues": {":version": {"N": str(before.version)}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        _gone_or_changed,
    )


def delete(record: ApiKeyRecord) -> Step:
    """Delete a key, provided that it is still as it was read.

    The step is refused with API_KEY_NOT_FOUND if the key is gone, with ChangedMeanwhileError if it has changed.
    """
    return Step(
        {
            "Delete": {
                "TableName": table_settings().table_name,
                "Key": key(record.organization_id, record.sort_key),
                "ConditionExpression": "version = :version",
                "ExpressionAttributeValues": {":version": {"N": str(record.version)}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        _gone_or_changed,
    )


def _gone_or_changed(item: Item | None) -> Exception:
    return ChangedMeanwhileError() if item else ServiceError(API_KEY_NOT_FOUND)


def changed_too_often() -> ServiceError:
    """Return the error of a change that repeatedly lost the optimistic lock."""
    return ServiceError(CONFLICT)


def newest(
    organization_id: UUID, starting_after: UUID | None, wanted: ApiKeyFilter, page_size: int
) -> Iterator[ApiKeyRecord]:
    """Read an organization's keys, newest first, as they are taken."""
    conditions = []
    if wanted.enabled is not None:
        conditions.append(Condition("enabled = :enabled", {":enabled": {"BOOL": wanted.enabled}}))
    if wanted.permission is not None:
        permission = Condition(
            "contains(#permissions, :permission)",
            {":permission": {"S": wanted.permission}},
            {"#permissions": "permissions"},
        )
        conditions.append(permission)
    after = None if starting_after is None else sort_key(starting_after)
    items = newest_first(organization_id, (API_KEY, _HIGHEST), after, conditions, page_size)
    return (parse(item) for item in items)


def parse(item: Item) -> ApiKeyRecord:
    """Read a key's item."""
    previous = item.get("previous_expires_at")
    expires_at = item.get("expires_at")
    return ApiKeyRecord(
        organization_id=UUID(item["pk"]["S"].partition("#")[2]),
        key_id=UUID(item["sk"]["S"].removeprefix(API_KEY)),
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
    )


def _item(record: ApiKeyRecord) -> Item:
    item: dict[str, AttributeValueTypeDef] = {
        **key(record.organization_id, record.sort_key),
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
    return item
