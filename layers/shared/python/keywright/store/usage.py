"""How often and when a key was used: an item beside the key's own, so that use never competes with changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keywright.clock import rfc3339
from keywright.store import layout, table
from keywright.store.table import EXISTS, Expression, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from keywright.store.layout import Item, Key
    from keywright.store.table import Step


@dataclass(frozen=True, slots=True)
class Usage:
    """A key's use so far.

    Attributes:
        last_used_at: RFC 3339; None if it was never used.
    """

    request_count: int = 0
    last_used_at: str | None = None


@dataclass(frozen=True, slots=True)
class Uses:
    """Uses of one key that are not written yet.

    Attributes:
        last_used_at: the time of the latest of them.
    """

    organization_id: UUID
    key_id: UUID
    count: int
    last_used_at: datetime


def usage_of(items: Mapping[str, Item], key_id: UUID) -> Usage:
    """Parse the usage of a key; it is missing if the key was deleted between two reads.

    Args:
        items: by sort key.
        key_id: of the key.
    """
    item = items.get(layout.usage_sort_key(key_id))
    if item is None:
        return Usage()
    return Usage(request_count=int(item["request_count"]["N"]), last_used_at=text_of(item, "last_used_at"))


def read_usage(organization_id: UUID, key_ids: Sequence[UUID]) -> dict[UUID, Usage]:
    """Read the usage of keys, up to 100, in one request.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    items = table.read(organization_id, [layout.usage_sort_key(key_id) for key_id in key_ids])
    return {key_id: usage_of(items, key_id) for key_id in key_ids}


def put(organization_id: UUID, key_id: UUID) -> Step:
    """Write the usage of a new key."""
    return table.put({**_key(organization_id, key_id), "request_count": {"N": "0"}})


def delete(organization_id: UUID, key_id: UUID) -> Step:
    """Delete the usage of a key."""
    return table.delete(_key(organization_id, key_id))


# Two containers, and a deletion:
#
#     container A                            container B                          USAGE# item
#     ----------------------------------     --------------------------------     ----------------------------
#     use at 12:00:30                        use at 12:00:50                      count 0
#                                            add 5, is_latest holds               count 5, last used 12:00:50
#     add 7, is_latest fails                                                      the same
#     add 7, EXISTS holds                                                         count 12, last used 12:00:50
#                                            use at 12:02:00
#     the key and its usage are deleted                                           none
#                                            add 1, is_latest fails
#                                            add 1, EXISTS fails: dropped         none


def add(uses: Uses) -> None:
    """Add uses to a key's usage: 1 write unit.

    `last_used_at` never goes back: the container that writes last need not be the one that was used last. Then only
    the count is added, with a second request. The usage of a deleted key does not come back.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE after one attempt. If only the answer was lost, the uses are added already.
    """
    key = _key(uses.organization_id, uses.key_id)
    count: dict[str, AttributeValueTypeDef] = {":count": {"N": str(uses.count)}}
    at: dict[str, AttributeValueTypeDef] = {":at": {"S": rfc3339(uses.last_used_at)}}
    add_count = Expression("ADD request_count :count", count)
    add_count_and_time = Expression("ADD request_count :count SET last_used_at = :at", count | at)
    is_latest = Expression("attribute_exists(pk) AND (attribute_not_exists(last_used_at) OR last_used_at <= :at)")
    if not table.update_now(key, add_count_and_time, is_latest):
        table.update_now(key, add_count, EXISTS)


def _key(organization_id: UUID, key_id: UUID) -> Key:
    return layout.in_organization(organization_id, layout.usage_sort_key(key_id))
