"""Primary keys of the table. No other module spells one.

| pk | sk | holds |
| --- | --- | --- |
| ORG#<organization id> | ORG | the organization: name, scheduled deletion, limits |
| | MEMBER#<user id> | a member: role, suspension |
| | KEY#<key id> | an API key |
| | USAGE#<key id> | how often, when and from where the key was used, and its rotated-out secrets |
| | AUDIT#<record id> | an audit record |
| | IDEMPOTENCY#<digest> | an encrypted answer, kept for 24 hours |
| DELETIONS | <time>#<organization id> | a scheduled deletion |
| EXPIRIES | <time>#<organization id>#<key id> | the expiry of an API key |
| PURGED#<organization id> | PURGED | the record of a purge |
| LIMIT#<key or organization id> | LIMIT | what was used of a rate limit and a quota |
| IMPORTED#<digest> | <digest> | which key a text that was issued elsewhere is of |
| ARCHIVE | <bucket> | the head of the audit log's archive: number and digest of the last object |

Everything of an organization is in one partition. Ids of keys and audit records are UUIDs of version 7, so their
sort keys sort by time. Scheduled deletions are in one partition, sorted by time, and expiries in another: what is due
is found without an index and without a scan. What was used of limits has a partition for each key, because it is
written with every use: 1,000 write units a second are all that a partition has. The item of an imported text is found
by the text alone, before its organization is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    Item = Mapping[str, AttributeValueTypeDef]
    Key = dict[str, AttributeValueTypeDef]
    Range = tuple[str, str]

ORGANIZATION = "ORG"
"""Sort key of an organization's item."""
DELETIONS = "DELETIONS"
"""Partition of the scheduled deletions."""
EXPIRIES = "EXPIRIES"
"""Partition of the expiries of API keys."""
ARCHIVE = "ARCHIVE"
"""Partition of the heads of archives."""

_PARTITION = "ORG#"
_PURGED = "PURGED"
_LIMIT = "LIMIT"
_IMPORTED = "IMPORTED#"
_MEMBER = "MEMBER#"
_API_KEY = "KEY#"
_USAGE = "USAGE#"
_AUDIT = "AUDIT#"
_IDEMPOTENCY = "IDEMPOTENCY#"
_AFTER_SEPARATOR = "$"  # the character after #
_AFTER_UUIDS = "g"  # ids are hexadecimal

MEMBERS: Range = (_MEMBER, f"MEMBER{_AFTER_SEPARATOR}")
"""Lowest and highest sort key of members; a Query's BETWEEN includes both."""
API_KEYS: Range = (_API_KEY, _API_KEY + _AFTER_UUIDS)
AUDIT_RECORDS: Range = (_AUDIT, _AUDIT + _AFTER_UUIDS)

_KINDS = {_API_KEY: "api_keys", _MEMBER: "members", _AUDIT: "audit_records"}
OTHER_KIND = "others"
KINDS = (*_KINDS.values(), OTHER_KIND)
"""Kinds of items that a purge counts apart."""


def key(pk: str, sk: str) -> Key:
    """Return a primary key."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def organization_partition(organization_id: UUID) -> str:
    """Return the partition of an organization."""
    return f"{_PARTITION}{organization_id}"


def organization_key(organization_id: UUID) -> Key:
    """Return the primary key of an organization's item."""
    return in_organization(organization_id, ORGANIZATION)


def in_organization(organization_id: UUID, sort_key: str) -> Key:
    """Return the primary key of an item in an organization's partition."""
    # Written out: this is called for every item that a verification reads.
    return {"pk": {"S": f"{_PARTITION}{organization_id}"}, "sk": {"S": sort_key}}


def member_sort_key(user_id: str) -> str:
    """Return the sort key of a member."""
    return _MEMBER + user_id


def api_key_sort_key(key_id: UUID) -> str:
    """Return the sort key of an API key."""
    return f"{_API_KEY}{key_id}"


def usage_sort_key(key_id: UUID) -> str:
    """Return the sort key of the usage of an API key."""
    return f"{_USAGE}{key_id}"


def audit_sort_key(record_id: UUID) -> str:
    """Return the sort key of an audit record."""
    return f"{_AUDIT}{record_id}"


def idempotency_sort_key(digest: str) -> str:
    """Return the sort key of a kept answer."""
    return _IDEMPOTENCY + digest


def purge_key(organization_id: UUID) -> Key:
    """Return the primary key of the record of a purge."""
    return key(f"{_PURGED}#{organization_id}", _PURGED)


def scheduled_deletion_key(organization_id: UUID, at: str) -> Key:
    """Return the primary key of a scheduled deletion.

    Args:
        organization_id: the organization that is to be deleted.
        at: when, RFC 3339 in UTC with milliseconds, so that keys sort by time.
    """
    return key(DELETIONS, f"{at}#{organization_id}")


def expiry_key(organization_id: UUID, key_id: UUID, at: str) -> Key:
    """Return the primary key of the expiry of an API key.

    Args:
        organization_id: of the key.
        key_id: of the key.
        at: when it expires, RFC 3339 in UTC with milliseconds, so that keys sort by time.
    """
    return key(EXPIRIES, f"{at}#{organization_id}#{key_id}")


def scheduled_after(at: str) -> str:
    """Return the lowest sort key of DELETIONS or EXPIRIES that is later than everything scheduled for `at`."""
    return at + _AFTER_SEPARATOR


def limit_key(holder_id: UUID) -> Key:
    """Return the primary key of what was used of the limits of a key or organization."""
    return key(f"{_LIMIT}#{holder_id}", _LIMIT)


def imported_text_key(digest: str) -> Key:
    """Return the primary key of the item that names the key of an imported text.

    Args:
        digest: of the text, keyed, in hex. It is the sort key too, so that items of several texts can be told apart.
    """
    return key(_IMPORTED + digest, digest)


def archive_head_key(bucket: str) -> Key:
    """Return the primary key of the head of the archive in a bucket."""
    return key(ARCHIVE, bucket)


def key_of(item: Item) -> dict[str, str]:
    """Return the primary key of an item as plain texts."""
    return {name: item[name]["S"] for name in ("pk", "sk")}


def place_of(item: Item) -> tuple[str, str]:
    """Return the primary key of an item, or an item with nothing else, as a key of a dictionary."""
    return item["pk"]["S"], item["sk"]["S"]


def sort_key_of(item: Item) -> str:
    """Return the sort key of an item."""
    return item["sk"]["S"]


def organization_id_of(item: Item) -> UUID:
    """Parse the organization's id from an item of its partition."""
    return UUID(item["pk"]["S"].removeprefix(_PARTITION))


def user_id_of(item: Item) -> str:
    """Parse the user's id from a member's item."""
    return sort_key_of(item).removeprefix(_MEMBER)


def key_id_of(item: Item) -> UUID:
    """Parse the key's id from an API key's item."""
    return UUID(sort_key_of(item).removeprefix(_API_KEY))


def record_id_of(item: Item) -> str:
    """Parse the record's id from an audit record's item."""
    return sort_key_of(item).removeprefix(_AUDIT)


def archived_as(item: Item) -> tuple[str, str]:
    """Return the organization's id and the record's of an item among audit records, even if they are no ids."""
    return item["pk"]["S"].removeprefix(_PARTITION), record_id_of(item)


def scheduled_deletion_of(item: Item) -> tuple[UUID, str]:
    """Parse the organization's id and the time from a scheduled deletion's item."""
    at, _, organization_id = sort_key_of(item).partition("#")
    return UUID(organization_id), at


def expiry_of(item: Item) -> tuple[UUID, UUID, str]:
    """Parse the ids of organization and key, and the time, from an expiry's item."""
    at, organization_id, key_id = sort_key_of(item).split("#")
    return UUID(organization_id), UUID(key_id), at


def kind_of(sort_key: str) -> str:
    """Return the kind, one of KINDS, of an item in an organization's partition."""
    return _KINDS.get(sort_key.partition("#")[0] + "#", OTHER_KIND)
